-- Of scripts/copy.lua: files as tasks, progress within a task.

local fs, path = require "mpms.fs", require "mpms.path"

local script = "scripts/copy.lua"

describe("copy", function()
  local dir, params   ---@type string, table
  before_each(function()
    dir = test.tmp()
    params = { from = path.join(dir, "from"), to = path.join(dir, "to"), verify = true, pause = 0 }
    fs.write(path.join(params.from, "a.bin"), ("a"):rep(3 * 2 ^ 20), { mkdir = true })
    fs.write(path.join(params.from, "deep/.b.txt"), "b", { mkdir = true })
  end)

  local function copy(name) return test.worker(script, { name }, {}, { params = params, dir = dir }) end

  it("has a task for each file, hidden ones and those in folders too", function()
    local names = {}
    for _, task in ipairs(test.tasks(script, params)) do names[#names + 1] = task[1] end
    table.sort(names)
    assert.same({ "a.bin", "deep/.b.txt" }, names)
  end)

  it("has none for an empty folder, and fails for none", function()
    local empty = test.tmp()
    assert.same({}, test.tasks(script, { from = empty, to = empty, verify = false, pause = 0 }))
    local none = { from = path.join(empty, "none"), to = empty, verify = false, pause = 0 }
    assert.has_error(function() test.tasks(script, none) end, { code = "not_found" })
  end)

  it("copies a file with its folder, and says how far it is", function()
    local what, effects = copy "a.bin"
    assert.same({ "copied", 3 * 2 ^ 20 }, { what, effects.results[2] })
    assert.equal(fs.read(path.join(params.from, "a.bin")), fs.read(path.join(params.to, "a.bin")))
    assert.is_true(#effects.progress >= 3)
    local last = effects.progress[#effects.progress]
    assert.same({ 3 * 2 ^ 20, 3 * 2 ^ 20 }, { last.done, last.total })
    assert.equal("copied", (copy "deep/.b.txt"))
    assert.is_true(fs.exists(path.join(params.to, "deep/.b.txt")))
  end)

  it("leaves alone what is the same already", function()
    copy "a.bin"
    local what, effects = copy "a.bin"
    assert.same({ "unchanged", 0 }, { what, effects.results[2] })
    fs.write(path.join(params.from, "a.bin"), "new")
    assert.equal("copied", (copy "a.bin"))
    assert.equal("new", fs.read(path.join(params.to, "a.bin")))
  end)

  it("fails for a file that is gone", function()
    local what, effects = copy "gone"
    assert.is_nil(what)
    assert.is_not_nil(effects.error)
  end)

  it("counts what was copied and what was not", function()
    local meta = { files = 1, unchanged = 1, bytes = 10 }
    assert.same({ files = 2, unchanged = 1, bytes = 15 }, (test.handler(script, meta, "copied", 5)))
    assert.same({ files = 1, unchanged = 2, bytes = 10 }, (test.handler(script, meta, "unchanged", 0)))
    local finish = { script, role = "finish" }
    local _, _, _, said = test.handler(finish, { files = 2, unchanged = 3, bytes = 2 ^ 21 }, { elapsed = 0.5 })
    assert.equal("2 copied (2.0 MiB, 4 MiB/s), 3 unchanged", said)
  end)
end)
