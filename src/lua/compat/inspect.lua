-- `require "inspect"`: any value as text, as the rock of that name writes it.
local inspect = { _VERSION = "inspect.lua 3.1.0 (mpms)" }
inspect.KEY = setmetatable({ }, { __tostring = function() return "inspect.KEY" end })
inspect.METATABLE = setmetatable({ }, { __tostring = function() return "inspect.METATABLE" end })

local words = { }
for word in
  ("and break do else elseif end false for function goto if in local nil not or repeat return then true until while"):gmatch "%a+"
do
  words[word] = true
end

local function quoted(text)
  text = text:gsub("[%c\\\127]", function(sign)
    local short = { ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\a"] = "\\a", ["\b"] = "\\b", ["\f"] = "\\f", ["\v"] = "\\v" }
    return short[sign] or ("\\%03d"):format(sign:byte())
  end)
  if text:find '"' and not text:find "'" then return "'" .. text .. "'" end
  return '"' .. text:gsub('"', '\\"') .. '"'
end

local order = { number = 1, boolean = 2, string = 3, table = 4, ["function"] = 5, userdata = 6, thread = 7 }

local function before(a, b)
  local one, two = type(a), type(b)
  if one == two and (one == "number" or one == "string") then return a < b end
  local first, second = order[one] or 8, order[two] or 8
  if first ~= second then return first < second end
  return tostring(a) < tostring(b)
end

local function is_name(key) return type(key) == "string" and key:find "^[%a_][%w_]*$" and not words[key] end

-- keys that are not of the list 1..n, sorted
local function keys_of(t)
  local count = 0
  while rawget(t, count + 1) ~= nil do count = count + 1 end
  local keys = { }
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= count) then keys[#keys + 1] = key end
  end
  table.sort(keys, before)
  return keys, count
end

local function count_uses(value, uses)
  if type(value) ~= "table" then return end
  uses[value] = (uses[value] or 0) + 1
  if uses[value] > 1 then return end
  for key, item in next, value do
    count_uses(key, uses)
    count_uses(item, uses)
  end
  count_uses(getmetatable(value), uses)
end

local function processed(process, item, path, seen)
  if item == nil then return nil end
  local done = process(item, path)
  if type(done) ~= "table" then return done end
  if seen[done] then return seen[done] end
  local copy = { }
  seen[item], seen[done] = copy, copy
  local function at(key)
    local longer = table.move(path, 1, #path, 1, { })
    longer[#longer + 1] = key
    return longer
  end
  for key, value in next, done do
    local longer = at(key)
    longer[#longer + 1] = inspect.KEY
    local new = processed(process, key, longer, seen)
    if new ~= nil then copy[new] = processed(process, value, at(new), seen) end
  end
  local meta = processed(process, getmetatable(done), at(inspect.METATABLE), seen)
  return setmetatable(copy, type(meta) == "table" and meta or nil)
end

function inspect.inspect(root, options)
  options = options or { }
  local depth, newline, indent = options.depth or math.huge, options.newline or "\n", options.indent or "  "
  if options.process then root = processed(options.process, root, { }, { }) end
  local uses, ids, last, out, level = { }, { }, { }, { }, 0
  count_uses(root, uses)
  local function put(text) out[#out + 1] = text end
  local function id(value)
    local kind = type(value)
    if not ids[value] then
      last[kind] = (last[kind] or 0) + 1
      ids[value] = last[kind]
    end
    return ids[value]
  end
  local function tab() put(newline .. indent:rep(level)) end
  local write
  local function body(t)
    local keys, count = keys_of(t)
    local meta = getmetatable(t)
    put "{"
    level = level + 1
    for i = 1, count do
      put(i > 1 and ", " or " ")
      write(t[i])
    end
    for i, key in ipairs(keys) do
      if count > 0 or i > 1 then put "," end
      tab()
      if is_name(key) then
        put(key)
      else
        put "["
        write(key)
        put "]"
      end
      put " = "
      write(t[key])
    end
    if type(meta) == "table" then
      if count + #keys > 0 then put "," end
      tab()
      put "<metatable> = "
      write(meta)
    end
    level = level - 1
    if #keys > 0 or type(meta) == "table" then
      tab()
    elseif count > 0 then
      put " "
    end
    put "}"
  end
  function write(value)
    local kind = type(value)
    if kind == "string" then
      put(quoted(value))
    elseif kind == "number" or kind == "boolean" or kind == "nil" then
      put(tostring(value))
    elseif value == mpms.null then
      put "mpms.null"
    elseif kind ~= "table" then
      put(("<%s %d>"):format(kind, id(value)))
    elseif ids[value] then
      put(("<table %d>"):format(ids[value]))
    elseif level >= depth then
      put "{...}"
    else
      if uses[value] and uses[value] > 1 then put(("<%d>"):format(id(value))) end
      body(value)
    end
  end
  write(root)
  return table.concat(out)
end

return setmetatable(inspect, { __call = function(_, root, options) return inspect.inspect(root, options) end })
