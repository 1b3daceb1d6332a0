-- Of scripts/download.lua: files with checksums, which are resumed.

local fs, path = require "mpms.fs", require "mpms.path"

local script = "scripts/download.lua"
local base = "https://files.example"
local file = {
  name = "hello.txt",
  sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",   -- of "hello\n"
}

describe("download", function()
  local dir, options   ---@type string, table
  before_each(function()
    dir = test.tmp()
    options = { dir = dir, params = { base = base, to = "files" } }
  end)

  local function target() return path.join(dir, "files/hello.txt") end

  it("keeps a file whose sum is right", function()
    test.http { ["GET " .. base .. "/hello.txt"] = "hello\n" }
    local size, effects = test.worker(script, { file }, {}, options)
    assert.is_nil(effects.error)
    assert.equal(6, size)
    assert.falsy(effects.results[2])
    assert.equal("hello\n", fs.read(target()))
  end)

  it("does not keep another file", function()
    test.clock(0)
    test.http { ["GET " .. base .. "/hello.txt"] = "hallo\n" }
    local size, effects = test.worker(script, { file }, {}, options)
    assert.is_nil(size)
    assert.is_string(effects.error.code)
    assert.is_false(fs.exists(target()))
  end)

  it("skips what is there", function()
    fs.write(target(), "mine", { mkdir = true })
    local size, effects = test.worker(script, { file }, {}, options)
    assert.is_nil(size)
    assert.same({ "skip", "is there" }, { effects.verb, effects.reason })
    assert.is_nil(effects.error)
    assert.same({}, test.requests())
    assert.equal("mine", fs.read(target()))
  end)

  it("tries again when the site is busy, without waiting here", function()
    test.clock(0)
    test.http { ["GET " .. base .. "/hello.txt"] = { 503, 503, "hello\n" } }
    assert.equal(6, (test.worker(script, { file }, {}, options)))
    assert.equal(3, #test.requests())
  end)

  it("fails for a file that is not there", function()
    test.http { ["GET " .. base .. "/hello.txt"] = 404 }
    local _, effects = test.worker(script, { file }, {}, options)
    assert.equal("http_status", effects.error.code)
    assert.is_false(effects.error.retryable)
  end)

  it("resumes what its own site cuts", function()
    test.http "loopback"
    options.params.base = ""
    local size, effects = test.worker(script, { { name = "abc" } }, {}, options)
    assert.is_nil(effects.error)
    assert.equal(400000, size)
    assert.is_true(effects.results[2])
    assert.equal(("abc\n"):rep(100000), fs.read(path.join(dir, "files/abc")))
  end)

  it("counts files, bytes and those in several parts", function()
    local meta = { files = 1, bytes = 10, resumed = 0 }
    assert.same({ files = 2, bytes = 16, resumed = 0 }, (test.handler(script, meta, 6, false)))
    assert.same({ files = 2, bytes = 16, resumed = 1 }, (test.handler(script, meta, 6, true)))
    local _, _, _, said = test.handler({ script, role = "finish" }, { files = 3, bytes = 2500000, resumed = 2 }, {})
    assert.equal("3 files, 2.5 MB, 2 of them in several parts", said)
  end)
end)
