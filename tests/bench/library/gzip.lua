-- Packing and unpacking: the same as gzip.py.
local compress, fs, time = mpms.compress, mpms.fs, mpms.time

local function best(name, work)
  local least = math.huge
  for _ = 1, 5 do
    local begun = time.mono()
    work()
    local seconds = time.mono() - begun
    if seconds < least then least = seconds end
  end
  print(("%s %.6f"):format(name, least))
end

local words = { }
for i = 1, 300000 do
  words[i] = ("2026-11-22 10:%02d:%02d GET /page/%d?q=%d 200 %d\n"):format(i % 60, i * 7 % 60, i * 31 % 997, i, i * i % 65521)
end
local text = table.concat(words)
local packed = compress.gzip(text)
local small = text:sub(1, 1000)

best("gzip-level-6", function() compress.gzip(text, { level = 6 }) end)
best("gzip-level-1", function() compress.gzip(text, { level = 1 }) end)
best("gunzip", function() assert(#compress.gunzip(packed) == #text) end)
best("gzip-small-5000", function()
  for _ = 1, 5000 do compress.gunzip(compress.gzip(small)) end
end)

local path = fs.temp_dir() .. "/log.gz"
fs.write(path, packed)
best("gzip-lines", function()
  local count = 0
  for line in compress.lines(path) do
    if #line > 0 then count = count + 1 end
  end
  assert(count == 300000)
end)
