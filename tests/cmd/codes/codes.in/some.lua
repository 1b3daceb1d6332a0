return {
  worker = function(n)
    if n % 3 == 0 then error("three does not like " .. n) end
    return n
  end,
  handler = function() end,
}
