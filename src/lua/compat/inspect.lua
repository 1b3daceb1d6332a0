-- `require "inspect"`: any value as text, as the rock of that name writes it.
local inspect = { _VERSION = "inspect.lua 3.1.0 (mpms)" }
inspect.KEY = setmetatable({ }, { __tostring = function() return "inspect.KEY" end })
inspect.METATABLE = setmetatable({ }, { __tostring = function() return "inspect.METATABLE" end })

local function processed(process, item, path, seen)
  if item == nil then return nil end
  local done = process(item, path)
  if type(done) ~= "table" then return done end
  if seen[done] then return seen[done] end
  local copy = { }
  seen[item], seen[done] = copy, copy
  local function at(key)
    local longer = table.move(path, 1, #path, 1, { })
    longer[#longer + 1] = key
    return longer
  end
  for key, value in next, done do
    local longer = at(key)
    longer[#longer + 1] = inspect.KEY
    local new = processed(process, key, longer, seen)
    if new ~= nil then copy[new] = processed(process, value, at(new), seen) end
  end
  local meta = processed(process, getmetatable(done), at(inspect.METATABLE), seen)
  return setmetatable(copy, type(meta) == "table" and meta or nil)
end

function inspect.inspect(root, options)
  options = options or { }
  if options.process then root = processed(options.process, root, { }, { }) end
  return mpms.tbl.inspect(root, { depth = options.depth, newline = options.newline, indent = options.indent })
end

return setmetatable(inspect, { __call = function(_, root, options) return inspect.inspect(root, options) end })
