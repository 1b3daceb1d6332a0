-- `require "cjson"`: lua-cjson's names over `mpms.json`.
local json = require "mpms.json"

local cjson = {
  _NAME = "cjson",
  _VERSION = "2.1.0 (mpms.json)",
  null = mpms.null,
  array_mt = getmetatable(json.array { }),
  empty_array = json.array { },
  encode = function(value) return json.encode(value) end,
  decode = function(text) return json.decode(text) end,
}
-- it has no settings, so that each is the same
function cjson.new() return cjson end

return setmetatable(cjson, {
  __index = function(_, name)
    error(("cjson.%s is not here: mpms.json has no settings to change; see mpms doc json"):format(tostring(name)), 2)
  end,
})
