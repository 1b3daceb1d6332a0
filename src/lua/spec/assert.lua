-- `assert`, `spy`, `stub`, `mock` and `match` of a spec, with the names of busted and luassert. Called once.
local diff, error_metatable = ...

local type, tostring, pairs, next, select, setmetatable, getmetatable = type, tostring, pairs, next, select, setmetatable, getmetatable
local rawget, rawset, rawequal, rawlen, pcall, error = rawget, rawset, rawequal, rawlen, pcall, error
local concat, sort, unpack, pack = table.concat, table.sort, table.unpack, table.pack
local math_type, floor, huge = math.type, math.floor, math.huge

---------------------------------------------------------------------------------------------------- values as text

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

---------------------------------------------------------------------------------------------------- comparing

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

---------------------------------------------------------------------------------------------------- failing

local function fail(message)
  error(setmetatable({ code = "assertion", message = message, retryable = false }, error_metatable), 0)
end

local function with_message(op, message)
  if message == nil then return op end
  if type(message) == "function" then message = message() end
  return op .. ": " .. (type(message) == "string" and message or show(message))
end

---------------------------------------------------------------------------------------------------- spies

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
      table.insert(made.on_call, 1, { with = with, answer = answer })
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

---------------------------------------------------------------------------------------------------- assertions

-- each: how many arguments it has, whether it holds, and what is said when it does not, and when it does and should not
local checks = { }

local function check(names, arguments, holds, says, says_not)
  for name in names:gmatch "%S+" do
    checks[name] = { arguments = arguments, holds = holds, says = says, says_not = says_not }
  end
end

local function got(_, value) return "got " .. show(value) end
local function both(_, expected, actual) return differing(expected, actual) end
local function the_same(_, expected) return "both are " .. show(expected) end

check("same", 2, function(expected, actual) return same(expected, actual) end, both, the_same)
check("equal equals", 2, function(expected, actual) return expected == actual end, both, the_same)
check("near", 3, function(expected, actual, tolerance)
  return type(actual) == "number" and actual >= expected - tolerance and actual <= expected + tolerance
end, function(_, expected, actual, tolerance)
  return ("%s is not within %s of %s"):format(show(actual), show(tolerance), show(expected))
end, function(_, expected, actual, tolerance)
  return ("%s is within %s of %s"):format(show(actual), show(tolerance), show(expected))
end)
check("true", 1, function(value) return value == true end, got, got)
check("false", 1, function(value) return value == false end, got, got)
check("nil", 1, function(value) return value == nil end, got, got)
check("truthy", 1, function(value) return value ~= nil and value ~= false end, got, got)
check("falsy falsey", 1, function(value) return value == nil or value == false end, got, got)
for kind in ("boolean number string table function userdata thread"):gmatch "%a+" do
  check(kind, 1, function(value) return type(value) == kind or (kind == "function" and callable(value)) end, got, got)
end
check("integer", 1, function(value) return math_type(value) == "integer" end, got, got)
check("matches match", 4, function(pattern, text, init, plain)
  return (type(text) == "string" or type(text) == "number") and tostring(text):find(pattern, init, plain) ~= nil
end, function(_, pattern, text) return ("%s is not in %s"):format(show(pattern), show(text)) end,
  function(_, pattern, text) return ("%s is in %s"):format(show(pattern), show(text)) end)
check("unique", 2, function(list, deep)
  local seen = { }
  for _, value in pairs(list) do
    for _, other in next, seen do
      if other == value or (deep and same(other, value)) then return false end
    end
    seen[#seen + 1] = value
  end
  return true
end, got, got)
check("property", 2, function(name, object) return object[name] ~= nil end,
  function(_, name, object) return ("no %s in %s"):format(show(name), show(object)) end,
  function(_, name, object) return ("%s is in %s"):format(show(name), show(object)) end)

-- functions that must raise: what they raise is given back
local function raises(f)
  if not callable(f) then error("argument 1 must be a function, got " .. type(f), 0) end
  local results = pack(pcall(f))
  return not results[1], results[2]
end
check("error errors", 2, function(f, expected)
  local raised, e = raises(f)
  if not raised then return false, nil, e end
  if expected ~= nil and not same_error(expected, e) then return false, true, e end
  return true, true, e
end, function(answer, _, expected)
  if not answer[2] then return "no error was raised" end
  return diff(type(expected) == "string" and expected or show(expected), text_of_error(answer[3]))
end, function(answer) return text_of_error(answer[3]) end)
check("error_matches error_match match_error matches_error", 4, function(f, pattern, init, plain)
  local raised, e = raises(f)
  local text = type(e) == "string" and e or text_of_error(e)
  return raised and text:find(pattern, init, plain) ~= nil, raised, e
end, function(answer, _, pattern)
  if not answer[2] then return "no error was raised" end
  return ("%s is not in the error: %s"):format(show(pattern), text_of_error(answer[3]))
end, function(answer, _, pattern) return ("%s is in the error: %s"):format(show(pattern), text_of_error(answer[3])) end)
check("returned_arguments", 0, function(count, ...) return select("#", ...) == count end,
  function(_, count) return "wanted " .. show(count) .. " of them" end, function(_, count) return "there are " .. show(count) end)

-- of a spy
local function calls_of(s)
  local list = { }
  for i, call in next, s.calls do
    local values = { }
    for at = 1, call.vals.n do values[at] = show(call.vals[at]) end
    list[i] = "  (" .. concat(values, ", ") .. ")"
    if i == 10 and #s.calls > 10 then list[11] = ("  … %d more"):format(#s.calls - 10) break end
  end
  return #list == 0 and "it was never called" or "it was called with\n" .. concat(list, "\n")
end
local function times(count) return count == 1 and "once" or ("%s times"):format(count) end
local function counted(names, fits, word)
  check(names, 1, function(s, count) return fits(#s.calls, count) end, function(_, s, count)
    return ("wanted %s%s, it was called %s"):format(word, count and times(count) or "a call", times(#s.calls))
  end, function(_, s) return "it was called " .. times(#s.calls) end)
end
counted("spy_called spy_called_times", function(n, count) if count then return n == count end return n > 0 end, "")
counted("spy_called_at_least", function(n, count) return n >= count end, "at least ")
counted("spy_called_at_most", function(n, count) return n <= count end, "at most ")
counted("spy_called_more_than", function(n, count) return n > count end, "more than ")
counted("spy_called_less_than", function(n, count) return n < count end, "less than ")
check("spy_called_with", 0, function(s, ...) return s:called_with(...) end, function(_, s, ...)
  local values = pack(...)
  for i = 1, values.n do values[i] = show(values[i]) end
  return "wanted (" .. concat(values, ", ", 1, values.n) .. "); " .. calls_of(s)
end, function(_, s) return calls_of(s) end)
check("spy_returned_with", 0, function(s, ...) return s:returned_with(...) end, function(_, s)
  return "it has not returned that; " .. calls_of(s)
end, function(_, s) return "it has returned that; " .. calls_of(s) end)

local modifiers = { is = 0, are = 0, was = 0, were = 0, has = 0, have = 0, does = 0, ["do"] = 0, a = 0, an = 0, be = 0, to = 0, ["not"] = 1, no = 1 }

local function run(op, one, negated, ...)
  local answer = pack(one.holds(...))
  local ok = answer[1] and true or false
  if ok ~= negated then
    if one.says == checks.error.says or one.says == checks.error_matches.says then return answer[3] end
    return ...
  end
  local message
  local count = one.arguments
  if count > 0 and select("#", ...) > count then message = (select(count + 1, ...)) end
  local said = (negated and one.says_not or one.says)(answer, ...)
  local head = with_message(op, message)
  fail(head .. (said:find "^[%-+ ] " and "\n" or (message == nil and ": " or "\n")) .. said)
end

local function near_name(name)
  local best, least
  for known in next, checks do
    if not known:find "^spy_" and known:sub(1, 2) == name:sub(1, 2) and (not least or math.abs(#known - #name) < least) then
      best, least = known, math.abs(#known - #name)
    end
  end
  return best and ("; did you mean `%s`?"):format(best) or ""
end

local chain
local function step(op, name, negated, subject)
  local rest = name:lower()
  op = op .. "." .. name
  while true do
    local word, after = rest:match "^(%a+)_(.+)$"
    if not word then word, after = rest, "" end
    local modifier = modifiers[word]
    if not modifier or (checks[rest] and not subject) then break end
    if modifier == 1 then negated = not negated end
    rest = after
    if rest == "" then return chain(op, negated, subject) end
  end
  local one = checks[(subject and "spy_" or "") .. rest]
  if not one then error(("`%s` is no assertion%s"):format(op, near_name(rest)), 3) end
  if subject then
    return function(...) return run(op, one, negated, subject, ...) end
  end
  return function(...)
    if select("#", ...) < (one.arguments > 2 and 2 or 1) and one.arguments > 1 then
      error(op .. " needs more arguments", 2)
    end
    return run(op, one, negated, ...)
  end
end

function chain(op, negated, subject)
  return setmetatable({ }, {
    __index = function(_, name) return step(op, tostring(name), negated, subject) end,
    __call = function(_, ...)
      if subject then return run(op, checks.spy_called, negated, subject, ...) end
      error(op .. " is not a whole assertion", 2)
    end,
  })
end

local function of_spy(op)
  return function(s)
    if not spies[s] then error(("%s: argument 1 must be a spy or a stub, got %s"):format(op, type(s)), 2) end
    return chain(op .. "(…)", false, s)
  end
end

local known = { spy = of_spy "assert.spy", stub = of_spy "assert.stub" }
local assert = setmetatable({ }, {
  __index = function(_, name)
    if known[name] then return known[name] end
    return step("assert", tostring(name), false)
  end,
  __newindex = function(_, name, value) known[name] = value end,
  __call = function(_, value, ...)
    if value then return value, ... end
    if select("#", ...) == 0 then error("assertion failed!", 2) end
    error((...), 2)
  end,
})
known.fail = function(message) fail(with_message("assert.fail", message)) end

---------------------------------------------------------------------------------------------------- matchers

local match = setmetatable({ _ = setmetatable({ name = "_", fits = function() return true end }, matcher) }, {
  __index = function(_, name)
    local rest, negated = tostring(name):lower(), false
    while true do
      local word, after = rest:match "^(%a+)_(.+)$"
      if not word or not modifiers[word] or checks[rest] then break end
      if modifiers[word] == 1 then negated = not negated end
      rest = after
    end
    local one = checks[rest]
    if not one then error(("`match.%s` is no matcher"):format(name), 2) end
    return function(...)
      local given = pack(...)
      local function fits(value)
        -- the value that was passed stands behind what is expected
        local arguments = { }
        if one.arguments == 1 then arguments = { value } else
          arguments = { given[1], value, unpack(given, 2, given.n) }
        end
        local ok = one.holds(unpack(arguments, 1, one.arguments == 1 and 1 or given.n + 1))
        return (ok and true or false) ~= negated
      end
      return setmetatable({ name = name .. "(…)", fits = fits }, matcher)
    end
  end,
})

local function revert_to(mark)
  for i = #reverts, mark + 1, -1 do
    local made = reverts[i]
    reverts[i] = nil
    made:revert()
  end
end

-- of blocks that are insulated
local function save()
  local globals, loaded = { }, { }
  for key, value in next, _G do globals[key] = value end
  for key, value in next, package.loaded do loaded[key] = value end
  return { globals, loaded }
end
local function restore(saved)
  for i, now in ipairs { _G, package.loaded } do
    for key in next, now do if saved[i][key] == nil then rawset(now, key, nil) end end
    for key, value in next, saved[i] do rawset(now, key, value) end
  end
end

_G.assert, _G.spy, _G.stub, _G.mock, _G.match = assert, spy, stub, mock, match
local loaded = package.loaded
loaded["luassert"], loaded["luassert.spy"], loaded["luassert.stub"] = assert, spy, stub
loaded["luassert.mock"], loaded["luassert.match"] = mock, match

return { show = show, mark = function() return #reverts end, revert_to = revert_to, save = save, restore = restore }
