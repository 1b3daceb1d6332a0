-- Of scripts/convert.lua: a command for each file, its result in one piece or not at all.

local fs, path = require "mpms.fs", require "mpms.path"

local script = "scripts/convert.lua"

describe("convert", function()
  local dir, params, source, target   ---@type string, table, string, string
  before_each(function()
    dir = test.tmp()
    params = { files = path.join(dir, "from/**/*.txt"), to = path.join(dir, "to"), ext = "up", command = "tr a-z A-Z" }
    source, target = path.join(dir, "from/deep/a.txt"), path.join(dir, "to/deep/a.up")
    fs.write(source, "text\n", { mkdir = true })
  end)

  local function convert(command)
    params.command = command
    return test.worker(script, { source, path.join(dir, "from/") }, {}, { params = params })
  end

  it("makes a task for each file of the pattern, with the folder that names come from", function()
    fs.write(path.join(dir, "from/b.md"), "")
    assert.same({ { source, path.join(dir, "from") .. "/" } }, test.tasks(script, params))
  end)

  it("keeps what the command writes to its standard output", function()
    local before, effects = convert "sort -r {in}"
    assert.is_nil(effects.error)
    assert.same({ 5, 5 }, { before, effects.results[2] })
    assert.equal("text\n", fs.read(target))
  end)

  it("tells the command where to write, if it asks", function()
    local _, effects = convert "cp {in} {out}"
    assert.is_nil(effects.error)
    assert.equal("text\n", fs.read(target))
  end)

  it("leaves nothing behind when the command fails", function()
    local result, effects = convert "sh -c 'echo half; exit 3' {in}"
    assert.is_nil(result)
    assert.equal("exit_status", effects.error.code)
    assert.is_false(fs.exists(target))
    assert.same({}, fs.glob(path.join(dir, "to/deep/.*.part")))
  end)

  it("skips what is up to date", function()
    convert "cp {in} {out}"
    local result, effects = convert "false"
    assert.is_nil(result)
    assert.same({ "skip", "up to date" }, { effects.verb, effects.reason })
  end)

  it("counts files and bytes", function()
    assert.same({ converted = 2, before = 15, after = 7 },
      (test.handler(script, { converted = 1, before = 10, after = 5 }, 5, 2)))
    local finish = { script, role = "finish" }
    local _, _, _, said = test.handler(finish, { converted = 2, before = 15, after = 7 }, { skipped = 3 })
    assert.equal("2 converted, 3 up to date; 15 bytes became 7", said)
  end)
end)
