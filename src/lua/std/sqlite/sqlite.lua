-- Transactions and loops: the parts of `mpms.sqlite` that call back into the script.
local begin, commit, open, fetch_of, type, wrong = ...

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

-- The rows of one batch after the other. While one coroutine fetches, another may come and fetch too: a batch that comes
-- before the last one is used up is put behind it.
local function steps(fetch)
  local items, at, count, over, columns = nil, 0, 0, false, nil
  return function()
    while true do
      if at < count then
        at = at + 1
        local item = items[at]
        items[at] = false
        return item, columns
      end
      if over then return nil end
      local more, size, names = fetch()
      if more == nil then
        over = true
      elseif at >= count then
        items, at, count, columns = more, 0, size, names
      else
        for i = 1, size do items[count + i] = more[i] end
        count = count + size
      end
    end
  end
end

-- the cursor comes as the closing value of the loop
local function rows(db, sql, params, options)
  local cursor = open(db, sql, params, options)
  return steps(fetch_of(cursor)), nil, nil, cursor
end

return tx, rows
