local fs = require "mpms.fs"

return {
  worker = function(n)
    if fs.exists("slow") then sleep(0.02) end
    return n * n % 1009
  end,

  handler = function(meta, n)
    meta.count = meta.count + 1
    meta.chain = (meta.chain * 31 + n) % 1000000007
    if meta.blob then
      meta.blob = string.char(97 + meta.count % 26):rep(job.params.blob)
    end
    emit { no = meta.count, n = n, chain = meta.chain }
  end,
}
