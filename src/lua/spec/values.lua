-- Values as text, and compared with each other. Called once, with what only Rust can give.
local diff, error_metatable = ...

local type, tostring, tonumber, next, getmetatable = type, tostring, tonumber, next, getmetatable
local rawget, rawequal, rawlen, pcall = rawget, rawequal, rawlen, pcall
local concat, sort = table.concat, table.sort
local math_type, floor, huge = math.type, math.floor, math.huge

local WIDTH, DEEPEST = 76, 40
local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\0"] = "\\0", ['"'] = '\\"', ["\\"] = "\\\\" }
local words = { }
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true until while"):gmatch "%a+" do
  words[word] = true
end

local function quoted(text)
  local shown = text:gsub('[%c"\\\127-\255]', function(c)
    if escapes[c] then return escapes[c] end
    if c:byte() >= 128 then return c end
    return ("\\%03d"):format(c:byte())
  end)
  if not utf8.len(text) then shown = shown:gsub("[\128-\255]", function(c) return ("\\x%02X"):format(c:byte()) end) end
  return '"' .. shown .. '"'
end

local order = { number = 1, string = 2, boolean = 3 }
local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return (order[ta] or 9) < (order[tb] or 9) end
  if ta == "number" or ta == "string" then return a < b end
  return tostring(a) < tostring(b)
end

local render

local function pieces(value, seen, depth, indent, still)
  local list, count = { }, 0
  local items = rawlen(value)
  for i = 1, items do
    local item = rawget(value, i)
    count = count + 1
    list[count] = render(item, seen, depth + 1, indent, still)
  end
  local keys = { }
  for key in next, value do
    if not (math_type(key) == "integer" and key >= 1 and key <= items) then keys[#keys + 1] = key end
  end
  sort(keys, before)
  for _, key in next, keys do
    local name
    if type(key) == "string" and key:find "^[%a_][%w_]*$" and not words[key] then
      name = key
    else
      name = "[" .. render(key, seen, depth + 1, indent, still) .. "]"
    end
    count = count + 1
    list[count] = name .. " = " .. render(rawget(value, key), seen, depth + 1, indent, still)
  end
  return list
end

function render(value, seen, depth, indent, still)
  local kind = type(value)
  if kind == "string" then return quoted(value) end
  if kind == "number" then
    if value ~= value then return "nan" end
    if value == huge or value == -huge then return value > 0 and "inf" or "-inf" end
    if math_type(value) == "float" and value == floor(value) and value > -1e15 and value < 1e15 then return ("%.1f"):format(value) end
    if math_type(value) == "float" then
      local short = ("%.14g"):format(value)
      return tonumber(short) == value and short or ("%.17g"):format(value)
    end
    return tostring(value)
  end
  if kind ~= "table" then
    if still and (kind == "function" or kind == "thread" or (kind == "userdata" and not rawequal(value, mpms.null))) then return "<" .. kind .. ">" end
    local ok, text = pcall(tostring, value)
    return ok and text or "<" .. kind .. ">"
  end
  local meta = getmetatable(value)
  if type(meta) == "table" and rawget(meta, "__tostring") and not rawequal(meta, error_metatable) then
    local ok, text = pcall(tostring, value)
    if ok and type(text) == "string" then return text end
  end
  if seen[value] then return "<cycle>" end
  if depth > DEEPEST then return "{…}" end
  if next(value) == nil then return "{}" end
  seen[value] = true
  local list = pieces(value, seen, depth, indent .. "  ", still)
  seen[value] = nil
  local line = "{ " .. concat(list, ", ") .. " }"
  if #line + #indent <= WIDTH and not line:find("\n", 1, true) and depth >= (seen.wide and 1 or 0) then return line end
  return "{\n" .. indent .. "  " .. concat(list, ",\n" .. indent .. "  ") .. ",\n" .. indent .. "}"
end

local function show(value, still, wide) return render(value, { wide = wide }, 0, "", still) end

-- two values as lines with - and +
local function differing(expected, actual)
  if type(expected) == "string" and type(actual) == "string" and (expected:find "\n" or actual:find "\n") then
    return diff(expected, actual)
  end
  local one, other = show(expected), show(actual)
  if one:find "\n" or other:find "\n" then one, other = show(expected, false, true), show(actual, false, true) end
  if one == other then
    local of = function(v) return math_type(v) or type(v) end
    return diff(one .. "  (" .. of(expected) .. ")", other .. "  (" .. of(actual) .. ", another one)")
  end
  return diff(one, other)
end

local matcher = { __name = "match" }
function matcher.__tostring(m) return "match." .. rawget(m, "name") end

local function same(a, b, seen)
  if rawequal(a, b) then return true end
  if getmetatable(a) == matcher then return a.fits(b) end
  local ta, tb = type(a), type(b)
  if ta ~= tb then return false end
  if ta ~= "table" then return a == b end
  seen = seen or { }
  local known = seen[a]
  if known and known[b] then return true end
  known = known or { }
  known[b], seen[a] = true, known
  for key, value in next, a do
    if not same(value, rawget(b, key), seen) then
      -- a key that is a table is found by what is in it
      if type(key) ~= "table" or rawget(b, key) ~= nil then return false end
      local found = false
      for other, there in next, b do
        if type(other) == "table" and same(key, other, seen) and same(value, there, seen) then found = true break end
      end
      if not found then return false end
    end
  end
  for key in next, b do
    if rawget(a, key) == nil and type(key) ~= "table" then return false end
  end
  local count_a, count_b = 0, 0
  for key in next, a do if type(key) == "table" then count_a = count_a + 1 end end
  for key in next, b do if type(key) == "table" then count_b = count_b + 1 end end
  return count_a == count_b
end

-- what was raised against what was expected: a text, a pattern's parts, some fields of an error
local function same_error(expected, raised)
  if type(expected) == "string" then
    if type(raised) == "string" then
      return raised == expected or raised:gsub("^[^\n]-:%d+: ", "", 1) == expected
    end
    if type(raised) == "table" then return rawget(raised, "message") == expected or tostring(raised) == expected end
    return false
  end
  if type(expected) == "table" and type(raised) == "table" and rawequal(getmetatable(raised), error_metatable) then
    for key, value in next, expected do
      if not same(value, rawget(raised, key)) then return false end
    end
    return true
  end
  return same(expected, raised)
end

local function text_of_error(raised)
  if raised == nil then return "nil" end
  if type(raised) == "string" then return raised end
  if type(raised) == "table" and rawequal(getmetatable(raised), error_metatable) then
    return "[" .. tostring(rawget(raised, "code")) .. "] " .. tostring(raised)
  end
  return show(raised)
end

return {
  show = show, differing = differing, diff = diff, same = same, same_error = same_error, text_of_error = text_of_error,
  matcher = matcher, error_metatable = error_metatable,
}
