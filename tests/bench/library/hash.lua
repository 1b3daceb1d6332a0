-- mpms.hash and mpms.codec beside Python's hashlib, zlib and base64. The same as hash.py.
local hash, codec, time = require "mpms.hash", require "mpms.codec", require "mpms.time"

local block = { }
for i = 0, 255 do block[#block + 1] = string.char(i * 7 % 256) end
local big = table.concat(block):rep(64 << 12)
local small = big:sub(1, 100)

local function best(name, work)
  local least = math.huge
  for _ = 1, 5 do
    local begin = time.mono()
    work()
    least = math.min(least, time.mono() - begin)
  end
  print(("%s %.6f"):format(name, least))
end

for _, name in ipairs { "md5", "sha1", "sha256", "sha512", "crc32" } do
  local sum = hash[name]
  best(name .. "_64MiB", function() return sum(big) end)
end
best("sha256_small_100k", function()
  for _ = 1, 100000 do hash.sha256(small) end
end)
best("hmac_small_100k", function()
  for _ = 1, 100000 do hash.hmac("sha256", "key", small) end
end)
local part = big:sub(1, 16 << 20)
local text, digits = codec.base64.encode(part), codec.hex.encode(part)
best("base64_encode_16MiB", function() return codec.base64.encode(part) end)
best("base64_decode_16MiB", function() return codec.base64.decode(text) end)
best("hex_encode_16MiB", function() return codec.hex.encode(part) end)
best("hex_decode_16MiB", function() return codec.hex.decode(digits) end)
