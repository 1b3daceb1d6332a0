-- Replacements that are functions or tables: they are asked here, in Lua, so that a function may wait.
local functions, scans, methods, method_scans, wrong = ...
local type, tostring = type, tostring

local function value_of(op, replacement, m, number)
  local value
  if type(replacement) == "function" then
    value = replacement(m)
  else
    local key = m[1]
    if key == nil then key = m[0] end
    value = replacement[key]
  end
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" then return tostring(value) end
  if value == nil or value == false then return nil end
  wrong(op, ("the replacement of match %d must be a string, nil or false, got %s"):format(number, kind))
end

local function each(op, replacement, step)
  local values, number = { }, 0
  for m in step do
    number = number + 1
    values[number] = value_of(op, replacement, m, number) or false
  end
  return step(values), number
end

local function asks(replacement)
  local kind = type(replacement)
  return kind == "function" or kind == "table"
end

local function of_module(op, whole, scan)
  return function(subject, pattern, replacement, options)
    if not asks(replacement) then return whole(subject, pattern, replacement, options) end
    return each(op, replacement, scan(subject, pattern, replacement, options))
  end
end

local function of_object(op, whole, scan)
  return function(object, subject, replacement, options)
    if not asks(replacement) then return whole(object, subject, replacement, options) end
    return each(op, replacement, scan(object, subject, replacement, options))
  end
end

return of_module("re.gsub", functions.gsub, scans.gsub), of_module("re.sub", functions.sub, scans.sub),
  of_object("re.Regex:gsub", methods.gsub, method_scans.gsub), of_object("re.Regex:sub", methods.sub, method_scans.sub)
