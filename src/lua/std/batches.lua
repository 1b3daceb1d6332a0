-- Steps through the values of a batch; `refill` waits for the next one: values, their count, how many came before.
local refill = ...
local values, at, count, before = nil, 0, 0, 0
return function()
  if at == count then
    values, at, count = nil, 0, 0
    values, count, before = refill()
    if count == 0 then
      return nil
    end
  end
  at = at + 1
  return values[at], before + at
end
