-- The items of one batch after the other. While one coroutine fetches, another may come and fetch too: a batch that
-- comes before the last one is used up is put behind it.
local fetch = ...
local items, at, count, over, beside = { }, 0, 0, false, nil

return function()
  while true do
    if at < count then
      at = at + 1
      local item = items[at]
      items[at] = false
      return item, beside
    end
    if over then return nil end
    local more, size, other = fetch()
    if more == nil then
      over = true
    elseif at >= count then
      items, at, count, beside = more, 0, size, other
    else
      for i = 1, size do items[count + i] = more[i] end
      count = count + size
    end
  end
end
