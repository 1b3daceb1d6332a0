-- What every state changes of stock Lua. Called once with what only Rust can give.
-- `write` takes what is printed; without it the standard streams stay what they are. `exit` ends the process.
local write, getenv_job, exit, warn_of = ...

local select, type, rawget, error, tostring, concat = select, type, rawget, error, tostring, table.concat

-- print and the standard streams go to the log of the run, line by line
if write then
  local function stream(name)
    local file = { }
    local methods = { }
    function methods.write(self, ...)
      for i = 1, select("#", ...) do
        local piece = select(i, ...)
        local kind = type(piece)
        if kind ~= "string" and kind ~= "number" then
          error(("bad argument #%d to 'write' (string expected, got %s)"):format(i, kind), 2)
        end
        write(name, tostring(piece))
      end
      return self
    end
    function methods.flush(self) return self end
    function methods.close() return nil, "the standard streams stay open" end
    function methods.setvbuf() return true end
    function methods.seek() return nil, "cannot seek in a stream", 29 end
    function methods.read() return nil, "not opened for reading", 9 end
    function methods.lines() error("not opened for reading", 2) end
    methods.__index = methods
    methods.__name = "FILE*"
    methods.__tostring = function() return "file (" .. name .. ")" end
    return setmetatable(file, methods)
  end

  local stdout, stderr = stream("stdout"), stream("stderr")

  function print(...)
    local pieces = { ... }
    local count = select("#", ...)
    for i = 1, count do pieces[i] = tostring(pieces[i]) end
    write("stdout", concat(pieces, "\t", 1, count) .. "\n")
  end

  local plain_output, plain_type = io.output, io.type
  local current = stdout
  io.stdout, io.stderr = stdout, stderr
  function io.write(...)
    return current:write(...)
  end
  function io.output(file)
    if file == nil then return current end
    if file == stdout or file == stderr then current = file else current = plain_output(file) end
    return current
  end
  function io.type(file)
    if file == stdout or file == stderr then return "file" end
    return plain_type(file)
  end
end

-- only text is loaded
local plain_load, open = load, io.open
function load(chunk, name, mode, ...)
  if mode ~= nil and type(mode) == "string" and not mode:find("t", 1, true) then
    return nil, "attempt to load a binary chunk: only text is loaded"
  end
  return plain_load(chunk, name, "t", ...)
end
function loadfile(path, mode, ...)
  if path == nil then return nil, "loadfile needs a path" end
  local file, problem = open(path, "rb")
  if not file then return nil, "cannot open " .. problem end
  local text = file:read("a")
  file:close()
  return load(text:gsub("^#[^\n]*", ""), "@" .. path, mode, ...)
end
function dofile(path)
  local chunk, problem = loadfile(path)
  if not chunk then error(problem, 2) end
  return chunk()
end

-- Lua forbids hooks in finalizers: a loop there could be neither stopped nor blamed
local plain_setmetatable = setmetatable
function setmetatable(value, metatable)
  if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
    error("a __gc metamethod is refused: use <close>, or the exit and process_exit roles", 2)
  end
  return plain_setmetatable(value, metatable)
end

local plain_getenv = os.getenv
function os.getenv(name)
  local value = getenv_job(name)
  if value ~= nil then return value end
  return plain_getenv(name)
end

-- the stream of a task is seeded already, the same for each attempt
local plain_seed, seed_told = math.randomseed, not warn_of
function math.randomseed(...)
  if not seed_told then
    seed_told = true
    warn_of("math.randomseed replaces the task's own random numbers, which are the same for each attempt: "
      .. "set `seed` in the manifest, or draw from mpms.random.new(seed)")
  end
  return plain_seed(...)
end
os.exit = exit or function()
  error("os.exit is refused: return from the role, or raise an error", 2)
end

-- a table that can be read and walked, and raises when it is changed
local read_only_of = plain_setmetatable({ }, { __mode = "k" })
local next, ipairs_length = next, rawlen
local function read_only(value, name)
  if type(value) ~= "table" then return value end
  local known = read_only_of[value]
  if known then return known end
  local inner = name .. "."
  local proxy = plain_setmetatable({ }, {
    __index = function(_, key) return read_only(value[key], inner .. tostring(key)) end,
    __newindex = function(_, key)
      error(("%s%s cannot be changed here: it is a read-only copy"):format(inner, tostring(key)), 2)
    end,
    __pairs = function()
      return function(_, key)
        local found, item = next(value, key)
        return found, read_only(item, inner .. tostring(found))
      end, nil, nil
    end,
    __len = function() return ipairs_length(value) end,
    -- a table, as generic code expects of getmetatable
    __metatable = { __metatable = "read-only" },
  })
  read_only_of[value] = proxy
  return proxy
end

-- put_with sets the options of the put that follows at once
local function with_options(set, put)
  return function(options, ...)
    set(options)
    return put(...)
  end
end

-- an object with fields that are read when they are asked for, and with methods
local function lazy(name, read, methods)
  plain_setmetatable(methods, { __index = function(_, key) return read(key) end })
  return plain_setmetatable({ }, {
    __index = methods,
    __newindex = function(_, key) error(("%s.%s cannot be set"):format(name, tostring(key)), 2) end,
    __metatable = { __metatable = name },
  })
end

-- `meta` of the handler: a plain table that besides knows the task at hand
local function with_task(meta, read, reserved, object)
  return plain_setmetatable(meta, {
    __index = function(_, key)
      if key == "self" or key == "mpmt" then return object end
      return read(key)
    end,
    __newindex = function(t, key, value)
      if reserved[key] then
        error(("meta.%s is reserved for the task at hand and cannot be set"):format(tostring(key)), 2)
      end
      rawset(t, key, value)
    end,
  })
end

-- put(...) and self:put(...) in one object
local function putter(put, put_with)
  return {
    put = function(_, ...) return put(...) end,
    put_with = function(_, options, ...) return put_with(options, ...) end,
  }
end

-- a function without arguments that calls another with two
local function bind(f, a, b)
  return function() return f(a, b) end
end

-- functions that run when the attempt ends, last first, whatever the others did
local pcall = pcall
local function deferrals(complain)
  -- of each attempt that runs, by the number that it has meanwhile
  local lists = { }
  local function add(number, f)
    local list = lists[number]
    if not list then
      list = { }
      lists[number] = list
    end
    list[#list + 1] = f
  end
  local function run(number)
    -- were it cut short itself, nothing of it is left for the next attempt
    local now = lists[number]
    if not now then return end
    lists[number] = nil
    for i = #now, 1, -1 do
      local ok, e = pcall(now[i])
      if not ok then
        local shown, text = pcall(tostring, e)
        complain(shown and text or "an error that cannot be shown")
      end
    end
    return run(number)
  end
  return add, run
end

-- what happens when the head of a family has ended: children end, then what was deferred, then its children
local function ending(leave, deferred)
  return function(number)
    leave()
    deferred(number)
    leave()
  end
end

return {
  bind = bind, deferrals = deferrals, ending = ending,
  read_only = read_only, with_options = with_options, lazy = lazy, with_task = with_task, putter = putter,
}
