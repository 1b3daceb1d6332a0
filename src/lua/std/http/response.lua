-- Headers by any spelling of their names.
local lower, rawget, type, setmetatable, unpack = ...
local several = setmetatable({}, { __mode = "k" })

local function all(headers, name)
  local lists = several[headers]
  local list = lists and lists[lower(name)]
  if list then return { unpack(list) } end
  return { rawget(headers, lower(name)) }
end

local meta = { __name = "http.Headers" }

function meta.__index(headers, name)
  if name == "all" then return all end
  if type(name) == "string" then return rawget(headers, lower(name)) end
end

return meta, several
