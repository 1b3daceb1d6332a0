-- The functions of `mpms.tbl`. None changes what it is given.
local frame, array_metatable = ...
local type, next, select, rawequal, setmetatable = type, next, select, rawequal, setmetatable
local rawget, getmetatable, tostring, sort = rawget, getmetatable, tostring, table.sort
local define, wrong, length, walk, sorted_keys = frame.define, frame.wrong, frame.length, frame.walk, frame.sorted_keys

-- deeper than any data is; a cycle gets there
local DEEPEST <const> = 200

-- a metatable that can be given to another table
local function metatable_of(t)
  local meta = getmetatable(t)
  return type(meta) == "table" and meta or nil
end

-- `f(value, key)`, or the field of that name
local function getter(f)
  if type(f) == "function" then return f end
  return function(value) return value[f] end
end

define("map(table, f)", "table function", function(t, f)
  local result = { }
  for key, value in walk(t) do result[key] = f(value, key) end
  return result
end)

define("filter(table, f)", "table function", function(t, f)
  local result, count = { }, 0
  local step, is_list = walk(t)
  for key, value in step do
    if f(value, key) then
      count = count + 1
      result[is_list and count or key] = value
    end
  end
  return result
end)

define("reduce(table, f, initial)", "table function any?", function(t, f, initial)
  local result, begun = initial, initial ~= nil
  for key, value in walk(t) do
    if begun then result = f(result, value, key) else result, begun = value, true end
  end
  if not begun then wrong("tbl.reduce", "the table is empty and there is no initial value") end
  return result
end)

define("each(table, f)", "table function", function(t, f)
  for key, value in walk(t) do f(value, key) end
end)

define("find(table, f)", "table function", function(t, f)
  for key, value in walk(t) do
    if f(value, key) then return value, key end
  end
  return nil
end)

define("keys(table)", "table", function(t) return (sorted_keys(t)) end)

define("values(table)", "table", function(t)
  local result, count = { }, 0
  for _, value in walk(t) do
    count = count + 1
    result[count] = value
  end
  return result
end)

define("pairs_sorted(table, compare)", "table function?", function(t, compare)
  local keys, at = sorted_keys(t, compare), 0
  return function()
    at = at + 1
    local key = keys[at]
    if key ~= nil then return key, t[key] end
  end
end)

define("copy(table)", "table", function(t)
  local result = { }
  for key, value in next, t do result[key] = value end
  return setmetatable(result, metatable_of(t))
end)

local function deep_copy(value, seen)
  if type(value) ~= "table" then return value end
  local known = seen[value]
  if known then return known end
  local result = { }
  seen[value] = result
  for key, inner in next, value do result[deep_copy(key, seen)] = deep_copy(inner, seen) end
  return setmetatable(result, metatable_of(value))
end

define("deep_copy(value)", "any?", function(value) return deep_copy(value, { }) end)

local function check_tables(op, ...)
  for position = 1, select("#", ...) do
    local t = select(position, ...)
    if type(t) ~= "table" then
      wrong(op, ("argument %d must be a table, got %s"):format(position, type(t)))
    end
  end
end

define("merge(...)", "", function(...)
  check_tables("tbl.merge", ...)
  local result = { }
  for position = 1, select("#", ...) do
    for key, value in next, (select(position, ...)) do result[key] = value end
  end
  return result
end)

-- what is merged key by key; an empty table is, unless it is marked as a list
local function is_map(value)
  if type(value) ~= "table" then return false end
  local count = length(value)
  return count == nil or (count == 0 and getmetatable(value) ~= array_metatable)
end

-- false when it goes too deep
local function merge_into(target, source, depth)
  if depth > DEEPEST then return false end
  for key, value in next, source do
    local there = target[key]
    if is_map(value) and is_map(there) then
      if not merge_into(there, value, depth + 1) then return false end
    else
      target[key] = deep_copy(value, { })
    end
  end
  return true
end

define("deep_merge(...)", "", function(...)
  check_tables("tbl.deep_merge", ...)
  local result = { }
  for position = 1, select("#", ...) do
    if not merge_into(result, (select(position, ...)), 1) then
      wrong("tbl.deep_merge", ("nested more than %d deep: a table that contains itself"):format(DEEPEST))
    end
  end
  return result
end)

local function equal(a, b, assumed)
  if rawequal(a, b) or a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  -- a pair that is being compared is taken for equal: what differs is found elsewhere
  local partners = assumed[a]
  if not partners then
    partners = { }
    assumed[a] = partners
  elseif partners[b] then
    return true
  end
  partners[b] = true
  for key, value in next, a do
    local other = rawget(b, key)
    if other == nil or not equal(value, other, assumed) then return false end
  end
  for key in next, b do
    if rawget(a, key) == nil then return false end
  end
  return true
end

define("equal(a, b)", "any? any?", function(a, b) return equal(a, b, { }) end)

define("slice(list, from, to)", "list integer? integer?", function(list, from, to)
  local count, result = #list, { }
  from, to = from or 1, to or -1
  if from < 0 then from = count + from + 1 end
  if to < 0 then to = count + to + 1 end
  if from < 1 then from = 1 end
  if to > count then to = count end
  for at = from, to do result[at - from + 1] = list[at] end
  return result
end)

define("chunk(list, size)", "list integer", function(list, size)
  if size < 1 then wrong("tbl.chunk", "argument 2 (size) must be 1 or more, got " .. size) end
  local result, count = { }, #list
  for from = 1, count, size do
    local part = { }
    for at = from, (size <= count - from and from + size - 1 or count) do part[at - from + 1] = list[at] end
    result[#result + 1] = part
  end
  return result
end)

define("group_by(table, f)", "table function|string", function(t, f)
  local get, result = getter(f), { }
  for at, value in walk(t) do
    local key = get(value, at)
    if key == nil then wrong("tbl.group_by", ("the group of item `%s` is nil"):format(tostring(at))) end
    local group = result[key]
    if not group then
      group = { }
      result[key] = group
    end
    group[#group + 1] = value
  end
  return result
end)

define("uniq(list, f)", "list function|string?", function(list, f)
  local get, seen, result = f and getter(f), { }, { }
  for at = 1, #list do
    local value, key = list[at], list[at]
    if get then key = get(value, at) end
    if key == nil then wrong("tbl.uniq", ("the key of item `%d` is nil"):format(at)) end
    if not seen[key] then
      -- nan is no key of a table, and is not equal to itself
      if key == key then seen[key] = true end
      result[#result + 1] = value
    end
  end
  return result
end)

define("sort_by(list, f, options)", "list function|string", function(list, f, options)
  local desc = frame.read_options("tbl.sort_by", 3, options, { desc = "boolean" }).desc
  local get, keys, places, kind = getter(f), { }, { }, nil
  for at = 1, #list do
    local key = get(list[at], at)
    local found = type(key)
    if (found ~= "number" and found ~= "string") or key ~= key then
      wrong("tbl.sort_by", ("the key of item %d must be a number or a string, got %s"):format(at, tostring(key)))
    end
    kind = kind or found
    if found ~= kind then
      wrong("tbl.sort_by", ("the keys are of two types: that of item %d is a %s, the others %ss"):format(at, found, kind))
    end
    keys[at], places[at] = key, at
  end
  -- by place where keys are equal, so that the order is kept
  sort(places, function(a, b)
    local one, other = keys[a], keys[b]
    if one == other then return a < b end
    if desc then return other < one end
    return one < other
  end)
  local result = { }
  for at = 1, #places do result[at] = list[places[at]] end
  return result
end)

local function flatten(list, depth, result, count)
  for at = 1, #list do
    local value = list[at]
    if depth > 0 and type(value) == "table" and length(value) then
      count = flatten(value, depth - 1, result, count)
    else
      count = count + 1
      result[count] = value
    end
  end
  return count
end

define("flatten(list, depth)", "list integer?", function(list, depth)
  depth = depth or 1
  if depth < 0 or depth > DEEPEST then
    wrong("tbl.flatten", ("argument 2 (depth) must be 0 to %d, got %d"):format(DEEPEST, depth))
  end
  local result = { }
  flatten(list, depth, result, 0)
  return result
end)

define("range(from, to, step)", "number number? number?", function(from, to, step)
  if to == nil then from, to = 1, from end
  step = step or 1
  if step == 0 or step ~= step then wrong("tbl.range", "argument 3 (step) must not be 0") end
  local result, count = { }, (to - from) // step
  if count >= 1e8 then wrong("tbl.range", ("%.0f items are more than a list should have"):format(count + 1)) end
  for at = 0, count do result[at + 1] = from + at * step end
  return result
end)

define("zip(...)", "", function(...)
  check_tables("tbl.zip", ...)
  local lists, width, result, shortest = { ... }, select("#", ...), { }, nil
  for position = 1, width do
    local count = #lists[position]
    if not shortest or count < shortest then shortest = count end
  end
  for at = 1, shortest or 0 do
    local row = { }
    for position = 1, width do row[position] = lists[position][at] end
    result[at] = row
  end
  return result
end)
