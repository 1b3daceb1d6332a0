-- Calls the function at hand and keeps what came of it, with all that an error was.
local xpcall, take, seen, keep = ...

return function(...)
  return keep(xpcall(take(), seen, ...))
end
