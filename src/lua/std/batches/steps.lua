-- Steps through the values of batches. `refill` waits for the next one: the values, their count, how many came before and
-- what they were filled with; false at the end; nothing when another coroutine has taken it.
local refill, gives = ...
local values, at, count, before, with = nil, 0, 0, 0, nil

local function more()
  values, at, count = nil, 0, 0
  repeat
    local new, size, first, other = refill()
    if new then
      values, at, count, before, with = new, 0, size, first, other
    elseif new == false then
      return false
    end
  until at < count
  return true
end

if gives == "pair" then
  return function()
    if at == count and not more() then return nil end
    at = at + 1
    return values[2 * at - 1], values[2 * at]
  end
end

if gives == "number" then
  return function()
    if at == count and not more() then return nil end
    at = at + 1
    return values[at], before + at
  end
end

if gives == "with" then
  -- a row that was given is let go: all that is left of a result may come in one batch
  return function()
    if at == count and not more() then return nil end
    at = at + 1
    local value = values[at]
    values[at] = false
    return value, with
  end
end

return function()
  if at == count and not more() then return nil end
  at = at + 1
  return values[at]
end
