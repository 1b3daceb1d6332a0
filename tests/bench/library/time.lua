-- Times of the calendar and random numbers: see library.py
local time, random = mpms.time, mpms.random

local function best(name, f)
  local least = math.huge
  for _ = 1, 5 do
    local began = time.mono()
    f()
    least = math.min(least, time.mono() - began)
  end
  print(("%s %.6f"):format(name, least))
end

local texts = { }
for n = 1, 100000 do texts[n] = time.at(1700000000 + n * 977):iso() end
local start = time.date { year = 2024, month = 1, day = 31, tz = "Europe/Berlin" }
local items = { }
for n = 1, 100000 do items[n] = n end

best("parse_iso", function()
  local sum = 0
  for i = 1, #texts do sum = sum + time.parse(texts[i]).unix end
  return sum
end)
best("parse_format", function()
  for _ = 1, 50000 do time.parse("31.12.2026 18:00:05", "%d.%m.%Y %H:%M:%S") end
end)
best("format", function()
  for _ = 1, 100000 do start:format("%Y-%m-%d %H:%M:%S") end
end)
best("add_days", function()
  for n = 1, 100000 do start:add { days = n % 1000 } end
end)
best("random_float", function()
  local sum, float = 0, random.float
  for _ = 1, 1000000 do sum = sum + float() end
  return sum
end)
best("random_int", function()
  local sum, int = 0, random.int
  for _ = 1, 1000000 do sum = sum + int(1, 6) end
  return sum
end)
best("shuffle", function() random.shuffle(items) end)
best("sample", function()
  for _ = 1, 1000 do random.sample(items, 100) end
end)
