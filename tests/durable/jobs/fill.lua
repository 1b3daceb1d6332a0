return {
  worker = function(n)
    return n * n % 1009
  end,

  handler = function(meta, n)
    meta.count = meta.count + 1
    meta.chain = (meta.chain * 31 + n) % 1000000007
    emit { no = meta.count, chain = meta.chain, pad = ("x"):rep(job.params.pad) }
  end,
}
