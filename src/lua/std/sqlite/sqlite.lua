-- Transactions and loops: the parts of `mpms.sqlite` that call back into the script.
local begin, commit, open, steps_of, type, wrong = ...

local function finish(hold, ...)
  commit(hold)
  return ...
end

-- leaving the block by an error, or by the end of the coroutine, rolls back what was not committed
local function tx(db, f)
  if type(f) ~= "function" then wrong("argument 1 (fn) must be a function, got " .. type(f)) end
  local hold <close>, inside = begin(db)
  return finish(hold, f(inside))
end

-- the cursor comes as the closing value of the loop
local function rows(db, sql, params, options)
  local cursor = open(db, sql, params, options)
  return steps_of(cursor), nil, nil, cursor
end

return tx, rows
