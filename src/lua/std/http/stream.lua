-- Iterators over the body of a stream.
local function chunks(stream, size)
  return function() return stream:read(size) end
end

local function lines(stream)
  return function() return stream:line() end
end

return chunks, lines
