-- What scripts have of `debug`. Called once with the whole table, which is trimmed.
local debug = ...

local next, type, error, sub, format = next, type, error, string.sub, string.format
local guarded_setmetatable = setmetatable
local traceback, getinfo, plain_setmetatable = debug.traceback, debug.getinfo, debug.setmetatable
local getupvalue, setupvalue, upvaluejoin = debug.getupvalue, debug.setupvalue, debug.upvaluejoin

for name in next, debug do debug[name] = nil end
debug.traceback = traceback

local function bad(number, name, wanted, value)
  error(format("bad argument #%d to '%s' (%s, got %s)", number, name, wanted, type(value)), 3)
end

-- A function of C that is found by its place among the calls may be one that the library calls by itself, with what only
-- it may give. It is told of without its `func`.
local function without_inside(info)
  if info and info.func and getinfo(info.func, "S").what == "C" then info.func = nil end
  return info
end

function debug.getinfo(...)
  local thread, at, what = ...
  local here = type(thread) ~= "thread"
  if here then at, what = thread, at end
  if type(at) ~= "number" then return getinfo(...) end
  if not here then return without_inside(getinfo(thread, at, what or "flnSrtu")) end
  -- with the call of this function itself
  return without_inside(getinfo(at < 0 and at or at + 1, what or "flnSrtu"))
end

-- Code that saves a hook around something and sets it again finds none; the one that stops loops is nobody's to change.
function debug.gethook() end
function debug.sethook(hook)
  if hook ~= nil then error("debug.sethook is refused: a script has no hooks", 2) end
end

-- Functions of Lua and of the library look as if they had no variables: what they hold keeps the state sound.
local function is_of_script(f)
  local source = getinfo(f, "S").source
  return source ~= "=[C]" and source ~= "=mpms" and sub(source, 1, 6) ~= "=mpms."
end

function debug.getupvalue(f, index)
  if type(f) ~= "function" then bad(1, "getupvalue", "function expected", f) end
  if type(index) ~= "number" then bad(2, "getupvalue", "number expected", index) end
  if is_of_script(f) then return getupvalue(f, index) end
end

function debug.setupvalue(f, index, value)
  if type(f) ~= "function" then bad(1, "setupvalue", "function expected", f) end
  if type(index) ~= "number" then bad(2, "setupvalue", "number expected", index) end
  if is_of_script(f) then return setupvalue(f, index, value) end
end

local function has(f, index) return is_of_script(f) and getupvalue(f, index) ~= nil end

function debug.upvaluejoin(f, index, other, of)
  if type(f) ~= "function" then bad(1, "upvaluejoin", "function expected", f) end
  if type(index) ~= "number" or not has(f, index) then bad(2, "upvaluejoin", "index of an upvalue expected", index) end
  if type(other) ~= "function" then bad(3, "upvaluejoin", "function expected", other) end
  if type(of) ~= "number" or not has(other, of) then bad(4, "upvaluejoin", "index of an upvalue expected", of) end
  upvaluejoin(f, index, other, of)
end

-- Tables as `setmetatable` has it, so that what is protected stays it. Objects of the library keep theirs.
function debug.setmetatable(value, metatable)
  local kind = type(value)
  if metatable ~= nil and type(metatable) ~= "table" then bad(2, "setmetatable", "nil or table expected", metatable) end
  if kind == "table" then return guarded_setmetatable(value, metatable) end
  if kind == "userdata" then error("debug.setmetatable is refused for userdata: it is the library's", 2) end
  return plain_setmetatable(value, metatable)
end
