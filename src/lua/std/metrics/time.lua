-- `metrics.time`: `begin` gives what counts the time when it is closed
local begin = ...

return function(name, f, labels)
  local _ <close> = begin(name, f, labels)
  return f()
end
