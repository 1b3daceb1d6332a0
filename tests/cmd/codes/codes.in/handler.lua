return {
  worker = function(n) return n end,
  handler = function(meta, n) meta.sum = meta.sum + n end,
}
