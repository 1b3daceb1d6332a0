-- `spy`, `stub` and `mock`, as luassert has them. Called once.
local values = ...
local same = values.same

local type, tostring, pairs, next, select, setmetatable, getmetatable = type, tostring, pairs, next, select, setmetatable, getmetatable
local rawget, rawset, pcall, error = rawget, rawset, pcall, error
local unpack, pack = table.unpack, table.pack

local reverts = { }   -- what is undone after each test, last first
local spies = setmetatable({ }, { __mode = "k" })

local function copy(value, seen)
  if type(value) ~= "table" or getmetatable(value) ~= nil then return value end
  if seen[value] then return seen[value] end
  local made = { }
  seen[value] = made
  for key, item in next, value do made[copy(key, seen)] = copy(item, seen) end
  return made
end

local function copied(...)
  local values = pack(...)
  for i = 1, values.n do values[i] = copy(values[i], { }) end
  return values
end

local function same_values(expected, actual)
  for i = 1, expected.n > actual.n and expected.n or actual.n do
    if not same(expected[i], actual[i]) then return false end
  end
  return true
end

local spy_methods = { }
spy_methods.__index = spy_methods

function spy_methods:clear()
  self.calls, self.returnvals = { }, { }
  return self
end
function spy_methods:revert()
  if self.undo then
    local undo = self.undo
    self.undo = nil
    undo()
  end
  return self.target
end
function spy_methods:called(times)
  if times then return #self.calls == times, #self.calls end
  return #self.calls > 0, #self.calls
end
function spy_methods:called_with(...)
  local expected = pack(...)
  for _, call in next, self.calls do
    if same_values(expected, call.vals) then return true end
  end
  return false
end
function spy_methods:returned_with(...)
  local expected = pack(...)
  for _, values in next, self.returnvals do
    if same_values(expected, values.vals) then return true end
  end
  return false
end

local function returned(self, ...)
  self.returnvals[#self.returnvals + 1] = { vals = copied(...), refs = pack(...) }
  return ...
end

function spy_methods:__call(...)
  self.calls[#self.calls + 1] = { vals = copied(...), refs = pack(...) }
  local answer = self.target
  for _, one in next, self.on_call or { } do
    if same_values(one.with, pack(...)) then answer = one.answer break end
  end
  return returned(self, answer(...))
end

local function new_spy(target)
  local made = setmetatable({ target = target, calls = { }, returnvals = { } }, spy_methods)
  spies[made] = true
  return made
end

local function callable(value)
  if type(value) == "function" then return true end
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__call ~= nil
end

local function install(op, object, key, made)
  if type(object) ~= "table" then
    error(("%s: argument 1 must be a table, got %s"):format(op, type(object)), 3)
  end
  local own = rawget(object, key)
  rawset(object, key, made)
  made.undo = function() rawset(object, key, own) end
  reverts[#reverts + 1] = made
  return made
end

local spy = { }
function spy.new(target)
  if target == nil then target = function() end end
  if not callable(target) then error("spy.new: argument 1 must be a function, got " .. type(target), 2) end
  return new_spy(target)
end
function spy.on(object, key)
  if type(object) ~= "table" then error("spy.on: argument 1 must be a table, got " .. type(object), 2) end
  local found, target = pcall(function() return object[key] end)
  if not found or not callable(target) then
    error(("spy.on: there is no function `%s` in it"):format(tostring(key)), 2)
  end
  return install("spy.on", object, key, new_spy(target))
end
function spy.is_spy(value) return spies[value] == true end

local function constant(...)
  local values = pack(...)
  return function() return unpack(values, 1, values.n) end
end

local function stub_of(made)
  made.returns = function(...) made.target = constant(...) return made end
  made.invokes = function(f) made.target = f return made end
  made.by_default = { returns = made.returns, invokes = made.invokes }
  made.on_call_with = function(...)
    local with = pack(...)
    local function add(answer)
      made.on_call = made.on_call or { }
      -- the first that fits answers, as in luassert
      made.on_call[#made.on_call + 1] = { with = with, answer = answer }
      return made
    end
    return { returns = function(...) return add(constant(...)) end, invokes = add }
  end
  return made
end

local stub = setmetatable({
  new = function(object, key, ...)
    local first = ...
    local target = (select("#", ...) == 1 and callable(first)) and first or constant(...)
    local made = stub_of(new_spy(target))
    if object == nil then return made end
    if key == nil then error("stub: argument 2 must be the name of a function", 2) end
    return install("stub", object, key, made)
  end,
}, { __call = function(self, ...) return self.new(...) end })

local mock
mock = setmetatable({
  new = function(object, with_stubs)
    for key, value in pairs(object) do
      if callable(value) and not spies[value] then
        if with_stubs then stub.new(object, key) else spy.on(object, key) end
      elseif type(value) == "table" and value ~= object and not spies[value] then
        mock.new(value, with_stubs)
      end
    end
    return object
  end,
  revert = function(object)
    for _, value in pairs(object) do if spies[value] then value:revert() end end
    return object
  end,
  clear = function(object)
    for _, value in pairs(object) do if spies[value] then value:clear() end end
    return object
  end,
}, { __call = function(self, ...) return self.new(...) end })
setmetatable(spy, { __call = function(_, ...) return spy.new(...) end })

local function revert_to(mark)
  for i = #reverts, mark + 1, -1 do
    local made = reverts[i]
    reverts[i] = nil
    made:revert()
  end
end

return {
  spy = spy, stub = stub, mock = mock, is_spy = spy.is_spy, callable = callable,
  mark = function() return #reverts end, revert_to = revert_to,
}
