return {
  worker = function() end,
}
