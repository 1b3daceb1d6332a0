-- `tbl.iter`: steps over items that are made when they are asked for. An iterator is `{ next }`, where `next()` gives
-- one or several values, and nil first at the end.
local frame = ...
local type, setmetatable, getmetatable, tostring, concat = type, setmetatable, getmetatable, tostring, table.concat
local wrong, walk, define_method = frame.wrong, frame.walk, frame.define_method

local Iter

local function made(next) return setmetatable({ next }, Iter) end

frame.define("iter(source, state, start)", "any any? any?", function(source, state, start)
  local kind = type(source)
  if kind == "table" and getmetatable(source) == Iter then return source end
  if kind == "function" then
    local control = start
    local function step(first, ...)
      control = first
      return first, ...
    end
    return made(function() return step(source(state, control)) end)
  end
  if kind ~= "table" then
    wrong("tbl.iter", "argument 1 (source) must be a table or a function that gives the next item, got " .. kind)
  end
  local step, is_list = walk(source)
  if not is_list then return made(step) end
  return made(function()
    local _, value = step()
    return value
  end)
end)

define_method("map(f)", "function", function(next, f)
  local go
  local function keep(first, ...)
    if first == nil then return go(next()) end
    return first, ...
  end
  function go(first, ...)
    if first == nil then return nil end
    return keep(f(first, ...))
  end
  return made(function() return go(next()) end)
end)

define_method("filter(f)", "function", function(next, f)
  local function go(first, ...)
    if first == nil then return nil end
    if f(first, ...) then return first, ... end
    return go(next())
  end
  return made(function() return go(next()) end)
end)

define_method("take(count)", "integer", function(next, count)
  local taken = 0
  return made(function()
    if taken >= count then return nil end
    taken = taken + 1
    return next()
  end)
end)

define_method("take_while(f)", "function", function(next, f)
  local over = false
  local function go(first, ...)
    if first ~= nil and f(first, ...) then return first, ... end
    over = true
  end
  return made(function()
    if not over then return go(next()) end
  end)
end)

define_method("skip(count)", "integer", function(next, count)
  local skipped = 0
  return made(function()
    while skipped < count do
      skipped = skipped + 1
      if next() == nil then
        skipped, next = count, function() end
      end
    end
    return next()
  end)
end)

define_method("enumerate()", "", function(next)
  local at = 0
  local function go(first, ...)
    if first == nil then return nil end
    at = at + 1
    return at, first, ...
  end
  return made(function() return go(next()) end)
end)

define_method("flatten()", "", function(next)
  local list, at, count = nil, 0, 0
  return made(function()
    while true do
      if at < count then
        at = at + 1
        return list[at]
      end
      local item = next()
      if item == nil then return nil end
      if type(item) ~= "table" or not frame.length(item) then return item end
      list, at, count = item, 0, #item
    end
  end)
end)

define_method("chunk(size)", "integer", function(next, size)
  if size < 1 then wrong("tbl.Iter:chunk", "argument 1 (size) must be 1 or more, got " .. size) end
  local over = false
  return made(function()
    local part = { }
    while not over and #part < size do
      local item = next()
      if item == nil then over = true else part[#part + 1] = item end
    end
    if #part > 0 then return part end
  end)
end)

-- with what follows, everything is asked for

define_method("each(f)", "function", function(next, f)
  local function go(first, ...)
    if first == nil then return false end
    f(first, ...)
    return true
  end
  while go(next()) do end
end)

define_method("reduce(f, initial)", "function any?", function(next, f, initial)
  local result, begun = initial, initial ~= nil
  local function go(first, ...)
    if first == nil then return false end
    if begun then result = f(result, first, ...) else result, begun = first, true end
    return true
  end
  while go(next()) do end
  if not begun then wrong("tbl.Iter:reduce", "there is no item and no initial value") end
  return result
end)

define_method("find(f)", "function", function(next, f)
  local function go(first, ...)
    if first == nil or f(first, ...) then return first, ... end
    return go(next())
  end
  return go(next())
end)

define_method("any(f)", "function", function(next, f)
  local function go(first, ...)
    if first == nil then return false end
    if f(first, ...) then return true end
    return go(next())
  end
  return go(next())
end)

define_method("all(f)", "function", function(next, f)
  local function go(first, ...)
    if first == nil then return true end
    if not f(first, ...) then return false end
    return go(next())
  end
  return go(next())
end)

define_method("count()", "", function(next)
  local count = 0
  while next() ~= nil do count = count + 1 end
  return count
end)

define_method("join(separator)", "string?", function(next, separator)
  local parts, count = { }, 0
  for item in next do
    count = count + 1
    parts[count] = tostring(item)
  end
  return concat(parts, separator or "")
end)

define_method("totable()", "", function(next)
  local result, count = { }, 0
  local function go(first, ...)
    if first == nil then return false end
    count = count + 1
    if ... == nil then result[count] = first else result[count] = { first, ... } end
    return true
  end
  while go(next()) do end
  return result
end)

define_method("tomap()", "", function(next)
  local result = { }
  for key, value in next do
    if value == nil then wrong("tbl.Iter:tomap", "an item has a key and no value: " .. tostring(key)) end
    result[key] = value
  end
  return result
end)

return function(metatable)
  Iter = metatable
  function metatable.__call(iter) return iter[1]() end
  frame.set_iter_metatable(metatable)
end
