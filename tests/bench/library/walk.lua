-- The same tree as walk.py makes: 20 000 files in 420 folders, and one long file.
--
-- The last piece is `find` itself, for both.
local fs, proc = mpms.fs, mpms.proc

local function best(name, work)
  local least = math.huge
  for _ = 1, 5 do
    collectgarbage()
    local start = mpms.time.mono()
    work()
    least = math.min(least, mpms.time.mono() - start)
  end
  print(("%s %.6f"):format(name, least))
end

for a = 0, 19 do
  for b = 0, 19 do
    local folder = ("tree/a%02d/b%02d"):format(a, b)
    fs.mkdir(folder)
    for c = 0, 49 do
      fs.write(("%s/file%02d.%s"):format(folder, c, c % 5 == 0 and "txt" or "dat"), "", { atomic = false })
    end
  end
end
local lines = { }
for i = 1, 500000 do lines[i] = "line number " .. i end
fs.write("long", table.concat(lines, "\n") .. "\n")
fs.write("small", ("x"):rep(100))

best("walk all", function()
  local count = 0
  for _ in fs.walk("tree", { ignore = false, hidden = true }) do count = count + 1 end
  assert(count == 20000)
end)
best("walk by pattern", function()
  local count = 0
  for _ in fs.walk("tree", { glob = "*.txt", ignore = false, hidden = true }) do count = count + 1 end
  assert(count == 4000)
end)
best("glob", function() assert(#fs.glob "tree/**/*.txt" == 4000) end)
best("list", function()
  for a = 0, 19 do
    for b = 0, 19 do assert(#fs.list(("tree/a%02d/b%02d"):format(a, b)) == 50) end
  end
end)
best("stat", function()
  for _ = 1, 20000 do assert(fs.stat("small").size == 100) end
end)
best("read small files", function()
  for _ = 1, 20000 do assert(#fs.read "small" == 100) end
end)
best("write small files", function()
  for _ = 1, 200 do fs.write("written", "some words") end
end)
best("lines of a file", function()
  local bytes = 0
  for line in fs.lines "long" do bytes = bytes + #line end
  assert(bytes == 8888895)
end)
best("run true", function()
  for _ = 1, 100 do proc.run { "true" } end
end)
best("16 MB through cat", function()
  local data = ("0123456789abcdef"):rep(1000000)
  assert(#proc.run({ "cat" }, { stdin = data }).stdout == #data)
end)
best("find", function() assert(#proc.run({ "find", "tree", "-type", "f" }).stdout > 400000) end)
