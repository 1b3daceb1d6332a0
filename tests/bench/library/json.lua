-- The same documents as json.py makes.
local json = require "mpms.json"

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

local records = {}
for i = 1, 20000 do
  records[i] = {
    id = i * 7919,
    name = "customer number " .. i,
    email = ("user%d@example.org"):format(i),
    active = i % 3 == 0,
    balance = i * 1.37,
    tags = { "alpha", "beta", "tag" .. i % 50 },
    address = { street = i .. " Main Street", city = "Zürich", zip = tostring(8000 + i % 100) },
    note = i % 5 == 0 and 'said "hello"\nand left' or mpms.null,
  }
end
local numbers = {}
for i = 1, 400000 do
  numbers[i] = i % 2 == 0 and i or i / 7
end
local strings = {}
for i = 1, 200000 do
  strings[i] = "a string of some words, number " .. i
end

for _, case in ipairs { { "records", records }, { "numbers", numbers }, { "strings", strings } } do
  local name, value = case[1], case[2]
  local text = json.encode(value)
  best(name .. " decode", function() json.decode(text) end)
  best(name .. " encode", function() json.encode(value, { sort_keys = false }) end)
  best(name .. " encode sorted", function() json.encode(value) end)
end

local path = "lines.jsonl"
local lines = {}
for i, record in ipairs(records) do
  lines[i] = json.encode(record)
end
mpms.fs.write(path, table.concat(lines, "\n") .. "\n")
best("records by lines", function()
  local sum = 0
  for record in json.lines(path) do
    sum = sum + record.id
  end
end)
