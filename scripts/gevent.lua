-- The script of jobs/gevent.toml.

local time, co = require "mpms.time", require "mpms.co"

return {
  -- With `coroutines` above 1 a call that waits (`sleep`, `http.get`, a lock, ...) holds no thread: other tasks run
  -- meanwhile. Variables of the script are shared by all tasks of a thread, so what a task needs is `local` in it.
  worker = function(no)
    local begin = time.mono()
    if no % 1000 == 0 then
      -- a task may have coroutines of its own: here two waits at the same time, which end with the task
      co.all {
        function() sleep(job.params.seconds) end,
        function() sleep(job.params.seconds / 2) end,
      }
    else
      sleep(job.params.seconds)
    end
    return no, time.mono() - begin
  end,

  start = function(meta) meta.begun = time.mono() end,

  handler = function(meta, _, seconds)
    meta.tasks = meta.tasks + 1
    meta.waited = meta.waited + seconds
  end,

  finish = function(meta)
    local seconds = time.mono() - meta.begun
    return ("%d tasks waited, at the same time about %.0f of them"):format(meta.tasks, meta.waited / seconds)
  end,
}
