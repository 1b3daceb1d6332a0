-- `assert` and `match` of a spec, with the names of busted and luassert. Called once.
local values, spies = ...
local show, differing, diff, same, same_error, text_of_error, matcher, error_metatable =
  values.show, values.differing, values.diff, values.same, values.same_error, values.text_of_error, values.matcher, values.error_metatable
local callable = spies.callable

local type, tostring, pairs, ipairs, next, select, setmetatable = type, tostring, pairs, ipairs, next, select, setmetatable
local rawset, pcall, error = rawset, pcall, error
local concat, unpack, pack, math_type = table.concat, table.unpack, table.pack, math.type

local function fail(message)
  error(setmetatable({ code = "assertion", message = message, retryable = false }, error_metatable), 0)
end

local function with_message(op, message)
  if message == nil then return op end
  if type(message) == "function" then message = message() end
  return op .. ": " .. (type(message) == "string" and message or show(message))
end

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
    if not spies.is_spy(s) then error(("%s: argument 1 must be a spy or a stub, got %s"):format(op, type(s)), 2) end
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

_G.assert, _G.spy, _G.stub, _G.mock, _G.match = assert, spies.spy, spies.stub, spies.mock, match
local loaded = package.loaded
loaded["luassert"], loaded["luassert.spy"], loaded["luassert.stub"] = assert, spies.spy, spies.stub
loaded["luassert.mock"], loaded["luassert.match"] = spies.mock, match

return { show = show, mark = spies.mark, revert_to = spies.revert_to, save = save, restore = restore, checks = checks }
