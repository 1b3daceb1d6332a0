-- What `mpms.co` does with a group of coroutines. Called once with what only Rust can give.
local make, wrong, timed_out, seconds = ...
local type, setmetatable, next, tostring, math = type, setmetatable, next, tostring, math

-- leaves no coroutine of a group behind, however it is left
local closing = {
  __close = function(guard) guard.group:cancel() end,
}
local function group()
  local made = make()
  return made, setmetatable({ group = made }, closing)
end

-- waits for all of them; the first that fails ends the others, and what it raised is raised
local function finish(made)
  local failed = made:all()
  if failed == 0 then return end
  made:cancel()
  made:over()
  made:outcome(failed)
end

local function check_functions(op, list)
  if type(list) ~= "table" then wrong(op, "argument 1 (functions) must be a list of functions, got " .. type(list)) end
  for i = 1, #list do
    if type(list[i]) ~= "function" then
      wrong(op, ("argument 1 (functions) must be a list of functions, its item %d is a %s"):format(i, type(list[i])))
    end
  end
end

local function check_function(op, position, f)
  if type(f) ~= "function" then wrong(op, ("argument %d must be a function, got %s"):format(position, type(f))) end
end

local function all(functions)
  check_functions("co.all", functions)
  local made, guard = group()
  local _ <close> = guard
  local count = #functions
  for i = 1, count do made:spawn(functions[i]) end
  finish(made)
  local results = { }
  for i = 1, count do results[i] = (made:outcome(i)) end
  return results
end

local function read_concurrency(options)
  if options == nil then return 8 end
  if type(options) ~= "table" then wrong("co.map", "argument 3 (options) must be a table, got " .. type(options)) end
  for name in next, options do
    if name ~= "concurrency" then
      wrong("co.map", ("unknown option `%s`; it knows concurrency"):format(tostring(name)))
    end
  end
  local count = options.concurrency
  if count == nil then return 8 end
  if math.type(count) ~= "integer" or count < 1 then wrong("co.map", "option `concurrency` must be an integer from 1") end
  return count
end

local function map(list, f, options)
  if type(list) ~= "table" then wrong("co.map", "argument 1 (list) must be a table, got " .. type(list)) end
  check_function("co.map", 2, f)
  local concurrency = read_concurrency(options)
  local made, guard = group()
  local _ <close> = guard
  local count, at, results = #list, 0, { }
  local function work()
    while at < count do
      at = at + 1
      local i = at
      results[i] = (f(list[i], i))
    end
  end
  for _ = 1, (concurrency < count and concurrency or count) do made:spawn(work) end
  finish(made)
  return results
end

local function race(functions)
  check_functions("co.race", functions)
  if #functions == 0 then wrong("co.race", "argument 1 (functions) must have a function at least") end
  local made, guard = group()
  local _ <close> = guard
  for i = 1, #functions do made:spawn(functions[i]) end
  local first = made:first()
  made:cancel()
  made:over()
  return made:outcome(first)
end

local function timeout(duration, f, ...)
  duration = seconds(duration)
  check_function("co.timeout", 2, f)
  local made, guard = group()
  local _ <close> = guard
  made:spawn(f, ...)
  local ended = made:first(duration)
  if ended then return made:outcome(ended) end
  made:cancel()
  made:over()
  timed_out(duration)
end

local function scope(body)
  check_function("co.scope", 1, body)
  local made, guard = group()
  local _ <close> = guard
  local object = { }
  function object.spawn(_, f, ...)
    check_function("scope:spawn", 1, f)
    return made:spawn(f, ...)
  end
  made:spawn(body, object)
  finish(made)
  return made:outcome(1)
end

return { all = all, map = map, race = race, timeout = timeout, scope = scope }
