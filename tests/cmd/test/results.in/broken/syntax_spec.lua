it("is never closed", function()
  assert.is_true(true
end)
