-- `require "cjson.safe"`: nil and a message instead of an error.
local cjson = require "cjson"

local function safe(f)
  return function(value)
    local result, problem = try(f, value)
    if problem ~= nil then return nil, tostring(problem) end
    return result
  end
end

local cjson_safe = { encode = safe(cjson.encode), decode = safe(cjson.decode) }
function cjson_safe.new() return cjson_safe end

return setmetatable(cjson_safe, { __index = cjson })
