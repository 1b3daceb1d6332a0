-- `log.span`: `begin` logs the beginning and gives what logs the end when it is closed
local begin = ...

local function span(logger, name, f, ...)
  local _ <close> = begin(logger, name, f)
  return f(...)
end

return function(name, f, ...) return span(nil, name, f, ...) end, span
