-- Values as a person reads them, in the form of the rock `inspect` 3: a list on one line, every other key on its own,
-- sorted; a table that is met again is `<table 1>`.
local frame, array_metatable, null = ...
local type, rawget, getmetatable, tostring, concat = type, rawget, getmetatable, tostring, table.concat
local math_type, huge = math.type, math.huge

local reserved = { }
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true until while"):gmatch("%a+") do
  reserved[word] = true
end

local short, long = { ["\127"] = "\\127" }, { ["\127"] = "\\127" }
for code = 0, 31 do
  local char = string.char(code)
  short[char], long[char] = "\\" .. code, ("\\%03d"):format(code)
end
for char, escape in next, { ["\a"] = "\\a", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\v"] = "\\v" } do
  short[char] = escape
end

local function quoted(text)
  local escaped = text:gsub("\\", "\\\\"):gsub("(%c)%f[0-9]", long):gsub("%c", short)
  if escaped:find('"', 1, true) and not escaped:find("'", 1, true) then return "'" .. escaped .. "'" end
  return '"' .. escaped:gsub('"', '\\"') .. '"'
end

local function is_name(key) return type(key) == "string" and key:find("^[_%a][_%w]*$") and not reserved[key] end

-- how long the part from 1 on is
local function row(t)
  local count = 0
  while rawget(t, count + 1) ~= nil do count = count + 1 end
  return count
end

local function metatable_of(t, options)
  local meta = options.metatable ~= false and getmetatable(t)
  -- one that says what getmetatable gives instead of it is not the real one
  return type(meta) == "table" and meta ~= array_metatable and type(rawget(meta, "__metatable")) ~= "string" and meta or nil
end

-- how often each table is met
local function count_tables(value, options, seen)
  if type(value) ~= "table" then return seen end
  local times = seen[value]
  seen[value] = (times or 0) + 1
  if times then return seen end
  for key, inner in next, value do
    count_tables(key, options, seen)
    count_tables(inner, options, seen)
  end
  return count_tables(metatable_of(value, options), options, seen)
end

local Writer = { }
Writer.__index = Writer

function Writer:put(text)
  self.count = self.count + 1
  self[self.count] = text
end

function Writer:number_of(value)
  local kind = type(value)
  local number = self.numbers[value]
  if not number then
    number = (self.last[kind] or 0) + 1
    self.last[kind], self.numbers[value] = number, number
  end
  return number
end

function Writer:line(level) self:put(self.newline .. self.indent:rep(level)) end

function Writer:table(t, level)
  if self.numbers[t] then return self:put(("<table %d>"):format(self.numbers[t])) end
  if level >= self.depth then return self:put("{...}") end
  if self.seen[t] > 1 then self:put(("<%d>"):format(self:number_of(t))) end
  local count, meta = row(t), metatable_of(t, self.options)
  local others = false
  self:put("{")
  for at = 1, count do
    self:put(at > 1 and ", " or " ")
    self:value(t[at], level + 1)
  end
  for _, key in next, (frame.sorted_keys(t)) do
    if not (math_type(key) == "integer" and key >= 1 and key <= count) then
      if count > 0 or others then self:put(",") end
      others = true
      self:line(level + 1)
      if is_name(key) then
        self:put(key)
      else
        self:put("[")
        self:value(key, level + 1)
        self:put("]")
      end
      self:put(" = ")
      self:value(rawget(t, key), level + 1)
    end
  end
  if meta then
    if count > 0 or others then self:put(",") end
    others = true
    self:line(level + 1)
    self:put("<metatable> = ")
    self:value(meta, level + 1)
  end
  if others then self:line(level) elseif count > 0 then self:put(" ") end
  self:put("}")
end

function Writer:value(value, level)
  local kind = type(value)
  if kind == "string" then
    self:put(quoted(value))
  elseif value == null then
    self:put("mpms.null")
  elseif value == huge or value == -huge then
    self:put(value == huge and "math.huge" or "-math.huge")
  elseif kind == "number" or kind == "boolean" or kind == "nil" then
    self:put(tostring(value))
  elseif kind == "table" then
    self:table(value, level)
  else
    self:put(("<%s %d>"):format(kind, self:number_of(value)))
  end
end

frame.define("inspect(value, options)", "any?", function(value, options)
  options = frame.read_options("tbl.inspect", 2, options, {
    depth = "number", indent = "string", newline = "string", metatable = "boolean",
  })
  local writer = setmetatable({
    count = 0, last = { }, numbers = { }, options = options, depth = options.depth or huge,
    indent = options.indent or "  ", newline = options.newline or "\n",
  }, Writer)
  writer.seen = count_tables(value, options, { })
  writer:value(value, 0)
  return concat(writer, "", 1, writer.count)
end)
