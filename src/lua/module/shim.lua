-- The Lua side of errors. Everything here runs once in each state.
local pcall, rawget, tostring = ...

local meta = { __name = "mpms.error" }

function meta.__tostring(e)
  local subject = rawget(e, "path") or rawget(e, "url") or rawget(e, "cmd")
  local head = rawget(e, "op")
  if subject then head = head and head .. " " .. tostring(subject) or tostring(subject) end
  local message = tostring(rawget(e, "message"))
  return head and head .. ": " .. message or message
end

function meta.__concat(a, b) return tostring(a) .. tostring(b) end

local function back(ok, ...)
  if ok then return ... end
  local e = ...
  if e == nil then e = "nil was raised" end
  return nil, e
end

local function try(f, ...) return back(pcall(f, ...)) end

return meta, try, pcall
