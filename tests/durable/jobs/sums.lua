local fs = require "mpms.fs"

return {
  worker = function(n)
    if fs.exists("slow") then sleep(0.02) end
    if n % 40 == 0 then error("no multiples of 40") end
    emit { n = n, from = "worker" }
    return n
  end,

  handler = function(meta, n)
    meta.count = meta.count + 1
    meta.sum = meta.sum + n
    emit { n = n, square = n * n }
    if n > 200 then return end
    if n % 2 == 0 then meta.self:put(n + 10001) end
    if n % 3 == 0 then meta.self:put_with({ key = "k" .. n % 30 }, n % 30 + 20001) end
  end,

  failed = function(meta, err)
    meta.failed = meta.failed + 1
  end,
}
