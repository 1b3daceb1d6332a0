describe("crawl", function()
  it("extracts title and links", function()
    test.http { ["GET https://shop.example/1"] = { file = "page.html" } }
    local page, effects = test.worker("crawl.lua", { "https://shop.example/1" })
    assert.same({ title = "Shop", links = 2 }, page)
    assert.same({ { "https://shop.example/1/next" } }, effects.puts)
  end)

  it("records a 404 and tries it again", function()
    test.http { ["*"] = 404 }
    print("this test is wrong")
    local page = test.worker("crawl.lua", { "https://shop.example/9" })
    assert.same({ status = 404, retried = true }, page)
  end)

  it("makes a task for each page", function()
    assert.equal(3, #test.tasks("crawl.lua", { count = 3 }))
  end)

  it("asks nobody who is not mocked", function()
    local _, effects = test.worker("crawl.lua", { "https://shop.example/2" })
    error(effects.error)
  end)

  pending("keeps cookies")
end)
