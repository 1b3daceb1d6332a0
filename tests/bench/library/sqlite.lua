-- Rows in and out of a database: the same as sqlite.py.
local sqlite, fs, time = mpms.sqlite, mpms.fs, mpms.time

local function best(name, work)
  local least = math.huge
  for _ = 1, 5 do
    local seconds = work()
    if seconds < least then least = seconds end
  end
  print(("%s %.6f"):format(name, least))
end

local dir = fs.temp_dir()
local rows = { }
for i = 1, 100000 do
  rows[i] = { id = i, name = "name " .. i, size = i * 7 % 1001, ratio = i / 3 }
end

local number = 0
local function fresh()
  number = number + 1
  local db = sqlite.open(dir .. "/" .. number .. ".db")
  db:exec "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, size INTEGER, ratio REAL)"
  return db
end

best("sqlite-insert-many", function()
  local db <close> = fresh()
  local begun = time.mono()
  db:insert("t", rows)
  return time.mono() - begun
end)

local db <close> = fresh()
db:insert("t", rows)

best("sqlite-select-all", function()
  local begun = time.mono()
  local found = db:query "SELECT id, name, size, ratio FROM t"
  assert(#found == 100000 and found[100000].id == 100000)
  return time.mono() - begun
end)

best("sqlite-loop", function()
  local begun, sum = time.mono(), 0
  for row in db:rows "SELECT id, name, size, ratio FROM t" do sum = sum + row.size end
  assert(sum > 0)
  return time.mono() - begun
end)

best("sqlite-point-select", function()
  local begun = time.mono()
  for i = 1, 20000 do
    local row = db:one("SELECT name, size FROM t WHERE id = ?", { i })
    assert(row.size == i * 7 % 1001)
  end
  return time.mono() - begun
end)

best("sqlite-insert-single", function()
  local db <close> = fresh()
  local begun = time.mono()
  db:tx(function()
    for i = 1, 20000 do db:exec("INSERT INTO t VALUES (?, ?, ?, ?)", { i, "name", i, 0.5 }) end
  end)
  return time.mono() - begun
end)
