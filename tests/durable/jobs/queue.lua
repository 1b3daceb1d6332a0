local fs = require "mpms.fs"

return {
  worker = function(n)
    if fs.exists("slow") then sleep(0.02) end
    return n
  end,

  handler = function(meta, n)
    meta.count = meta.count + 1
    meta.sum = meta.sum + n
    emit { n = n }
    if n > 20 then return end
    for i = 1, 100 do meta.self:put(n * 1000 + i, ("x"):rep(job.params.pad)) end
  end,
}
