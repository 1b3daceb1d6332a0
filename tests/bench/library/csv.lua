-- The same table as csv.py makes.
local csv = require "mpms.csv"

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

local lines = { "id,name,city,price,amount,note" }
for i = 1, 100000 do
  local note = i % 10 == 0 and '"a ""quoted"", note"' or "plain note"
  lines[#lines + 1] = ("%d,name %d,city %d,%d.25,%d,%s"):format(i, i, i % 100, i % 1000, i % 7, note)
end
mpms.fs.write("table.csv", table.concat(lines, "\n") .. "\n")

best("rows as lists", function()
  local count = 0
  for row in csv.rows("table.csv", { header = false }) do
    count = count + #row
  end
  assert(count == 600006)
end)
best("rows with names", function()
  local bytes = 0
  for row in csv.rows "table.csv" do
    bytes = bytes + #row.name
  end
end)
best("rows with names and numbers", function()
  local sum = 0.0
  for row in csv.rows("table.csv", { types = { price = "number", amount = "integer" } }) do
    sum = sum + row.price * row.amount
  end
end)

local rows = csv.decode(mpms.fs.read "table.csv", { header = false })
best("write lists", function()
  local w = csv.writer "out.csv"
  for _, row in ipairs(rows) do
    w:row(row)
  end
  w:close()
end)
best("encode lists", function() csv.encode(rows) end)
