-- Keys in an order that is the same each time: numbers, booleans, strings, then what has no order among itself.
local frame = ...
local type, next, sort = type, next, table.sort
local length = frame.length

local ranks = {
  number = 1, boolean = 2, string = 3, table = 4, ["function"] = 5, userdata = 6, thread = 7,
}

local function before(a, b)
  local kind, other = type(a), type(b)
  if kind ~= other then return ranks[kind] < ranks[other] end
  if kind == "number" or kind == "string" then return a < b end
  return kind == "boolean" and not a and b
end

local function sorted_keys(t, compare)
  local keys, count, kind = { }, 0, nil
  for key in next, t do
    count = count + 1
    keys[count] = key
    local found = type(key)
    if kind == nil then kind = found elseif kind ~= found then kind = "several" end
  end
  if compare then
    sort(keys, compare)
  elseif kind == "string" or kind == "number" then
    sort(keys)
  else
    sort(keys, before)
  end
  return keys, count
end

-- `key, value` of each: a list from 1 to n, any other table by its sorted keys
local function walk(t)
  local count, at = length(t), 0
  if count then
    return function()
      at = at + 1
      if at <= count then return at, t[at] end
    end, true
  end
  local keys
  keys, count = sorted_keys(t)
  return function()
    at = at + 1
    local key = keys[at]
    if key ~= nil then return key, t[key] end
  end, false
end

frame.sorted_keys, frame.walk = sorted_keys, walk
