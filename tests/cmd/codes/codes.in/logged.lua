return {
  worker = function(n)
    if n == job.params.bad then error("no four") end
    return n
  end,
  handler = function(meta, n)
    meta.calls = meta.calls + 1
    emit { n = n }
    if n == 3 then meta.self:put(6) end
    if n == 3 then error("no three") end
  end,
  failed = function(meta, err)
    error(("attempt %d: %s %s"):format(err.attempt, err.code, err.message:gsub("^.-: ", "")))
  end,
  finish = function(meta) return meta.calls .. " calls" end,
}
