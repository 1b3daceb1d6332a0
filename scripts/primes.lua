-- The script of jobs/primes.toml: a worker that computes, a handler that adds up.

local function is_prime(n)
  if n < 4 then return n > 1 end
  if n % 2 == 0 or n % 3 == 0 then return false end
  local divisor = 5
  while divisor * divisor <= n do
    if n % divisor == 0 or n % (divisor + 2) == 0 then return false end
    divisor = divisor + 6
  end
  return true
end

return {
  -- One chunk of numbers is one task: large enough that starting it costs nothing against it.
  worker = function(first)
    local count = 0
    for n = first, first + job.params.chunk - 1 do
      if is_prime(n) then count = count + 1 end
    end
    return count
  end,

  handler = function(meta, count)
    meta.primes = meta.primes + count
  end,

  finish = function(meta)
    return ("%d primes"):format(meta.primes)
  end,
}
