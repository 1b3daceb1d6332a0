return {
  worker = function(n) return n end,
  handle = function(meta, n) meta.sum = meta.sum + n end,
}
