-- How the functions of `mpms.tbl` look at their arguments: `define("map(table, f)", "table function", body)` gives a
-- function that names itself and the argument when one does not fit. A kind with `?` may be nil, `any` is anything,
-- a `list` has the keys 1 to n and no other.
local wrong, unknown_option = ...
local type, next, rawget, getmetatable, tostring = type, next, rawget, getmetatable, tostring
local math_type = math.type

-- the number of items when it is a list, else nil and a key that a list has not
local function length(t)
  local count, highest = 0, 0
  for key in next, t do
    if math_type(key) ~= "integer" or key < 1 then return nil, key end
    count = count + 1
    if key > highest then highest = key end
  end
  if highest == count then return count end
  return nil, highest
end

local articles = {
  table = "a table", list = "a list", ["function"] = "a function", integer = "an integer", number = "a number",
  boolean = "a boolean", string = "a string",
}

local fits = { }
function fits.any(value) return value ~= nil end
function fits.table(value) return type(value) == "table" end
function fits.list(value) return type(value) == "table" and length(value) ~= nil end
fits["function"] = function(value) return type(value) == "function" end
function fits.integer(value) return math_type(value) == "integer" end
function fits.number(value) return type(value) == "number" end
function fits.boolean(value) return type(value) == "boolean" end
function fits.string(value) return type(value) == "string" end

-- `function|string?` as what it wants and a check
local function kind_of(text)
  local names, optional = text:gsub("%?$", "")
  local checks, wanted = { }, { }
  for name in names:gmatch("[^|]+") do
    checks[#checks + 1] = fits[name]
    wanted[#wanted + 1] = articles[name]
  end
  local one, other, may_be_nil = checks[1], checks[2], optional == 1
  local function check(value)
    return value == nil and may_be_nil or one(value) or (other ~= nil and other(value))
  end
  if names == "any" and may_be_nil then check = nil end
  return { check = check, wanted = table.concat(wanted, " or "), wants_list = names:find("list", 1, true) ~= nil }
end

local function complain(op, position, name, kind, value)
  local got = type(value)
  if kind.wants_list and got == "table" then
    local _, key = length(value)
    got = ("a table with the key `%s`"):format(tostring(key))
  elseif got == "number" then
    got = "the number " .. tostring(value)
  end
  wrong(op, ("argument %d (%s) must be %s, got %s"):format(position, name, kind.wanted, got))
end

local function parts(signature, kinds)
  local name, arguments = signature:match("^(%w[%w_]*)%((.*)%)$")
  local names, checks = { }, { }
  for argument in arguments:gmatch("[%w_]+") do names[#names + 1] = argument end
  for kind in kinds:gmatch("%S+") do checks[#checks + 1] = kind_of(kind) end
  return name, names, checks
end

local function checker(op, names, kinds, position)
  local name, kind = names[position], kinds[position]
  local check = kind and kind.check
  return function(value)
    if check and not check(value) then complain(op, position, name, kind, value) end
  end
end

local functions, methods = { }, { }

local function define(signature, kinds, body)
  local name, names, checks = parts(signature, kinds)
  local op = "tbl." .. name
  if #checks == 0 then
    functions[name] = body
    return
  end
  local first, second, third = checker(op, names, checks, 1), checker(op, names, checks, 2), checker(op, names, checks, 3)
  functions[name] = function(a, b, c, ...)
    first(a)
    second(b)
    third(c)
    return body(a, b, c, ...)
  end
end

local iter_metatable

local function define_method(signature, kinds, body)
  local name, names, checks = parts(signature, kinds)
  local op = "tbl.Iter:" .. name
  local first, second = checker(op, names, checks, 1), checker(op, names, checks, 2)
  methods[name] = function(self, a, b)
    if type(self) ~= "table" or getmetatable(self) ~= iter_metatable then
      wrong(op, ("call it with a colon, as in object:%s(...)"):format(name))
    end
    first(a)
    second(b)
    return body(self[1], a, b)
  end
end

-- the options of a call, each of the type that `known` says
local function read_options(op, position, options, known)
  if options == nil then return { } end
  if type(options) ~= "table" then
    wrong(op, ("argument %d (options) must be a table, got %s"):format(position, type(options)))
  end
  local read = { }
  for key, value in next, options do
    local wanted = type(key) == "string" and rawget(known, key)
    if not wanted then unknown_option(op, tostring(key), known) end
    if not fits[wanted](value) then
      wrong(op, ("option `%s` must be %s, got %s"):format(key, articles[wanted], type(value)))
    end
    read[key] = value
  end
  return read
end

return {
  functions = functions,
  methods = methods,
  define = define,
  define_method = define_method,
  length = length,
  read_options = read_options,
  wrong = wrong,
  set_iter_metatable = function(metatable) iter_metatable = metatable end,
}
