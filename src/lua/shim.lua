-- What mlua cannot do from Rust: raise a value as it is. A library function answers with `mark, error` and the
-- closure around it raises the error. Everything here runs once in each state.
local mark, waits, pause, take, error, pcall, rawget, tostring = ...

local function finish(first, ...)
  if first == mark then error((...), 0) end
  return first, ...
end

local function wrap(f)
  return function(...) return finish(f(...)) end
end

-- a call that waits says `waits` when it has left a future behind; its results are there when the coroutine goes on
local function after(first, ...)
  if first == waits then
    pause()
    return finish(take())
  end
  return finish(first, ...)
end

local function waiting(f)
  return function(...) return after(f(...)) end
end

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

return wrap, waiting, meta, try, pcall
