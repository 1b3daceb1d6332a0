-- What a person sees of the values of a line.
local inspect, tostring, type, getmetatable, select, rawget = ...

local function shown(value)
  local kind = type(value)
  if kind == "table" then
    local meta = getmetatable(value)
    if type(meta) == "table" and rawget(meta, "__tostring") then return tostring(value) end
    return inspect(value, { depth = 8, plain = true })
  end
  if kind == "string" then return inspect(value) end
  return tostring(value)
end

local function all(count, ...)
  local texts = { ... }
  for i = 1, count do texts[i] = shown(texts[i]) end
  return table.unpack(texts, 1, count)
end

return function(f)
  return function() return (function(...) return all(select("#", ...), ...) end)(f()) end
end
