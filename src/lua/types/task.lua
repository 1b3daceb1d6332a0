---@meta mpms.task

---The task that runs here: what it is, how it ends, what it leaves for its next attempt. Role `worker` only.
---
---The global `task` is the same object. In the other roles `require "mpms.task"` raises `invalid`, and outside of a task,
---as in `init`, so does what is about one. A task is attempted again when it failed and `retries` allow it, when its
---worker died, and when the run was killed and resumed.
---
---```lua
---local s = task.state or { page = 1, found = 0 }
---while s.page do
---  local page = http.get(task.args[1] .. "?page=" .. s.page):json()
---  s.found, s.page = s.found + #page.items, page.next
---  task.save(s)
---end
---return s.found
---```
---@class mpms.task
---@field id string   its position in the source; of a task that was put, 12 hexadecimal digits
---@field key string|nil   its key, if it has one
---@field args any[]   its arguments, a new copy each time
---@field attempt integer   which start of the task this is, from 1
---@field max_attempts integer   how many it has, with `retries`; those that its worker did not survive come on top
---@field stage string   the pool that runs it: `"worker"`
---@field deadline number|nil   when `timeout` will stop the attempt, in seconds since 1970; nil without a timeout
---@field dir string   a folder of its own, made when it is first asked for
---@field state any   what it saved last, in this attempt or in an earlier one; nil at first
local task = {}

---Puts another task with these arguments. It counts when this attempt succeeds, and once.
---@param ... any   what can cross: no functions, no userdata, no cycles
function task.put(...) end

---The same with options.
---
---```lua
---task.put_with({ key = url, priority = 5 }, url, depth + 1)
---```
---@param options mpms.PutOptions
---@param ... any   the task's arguments
function task.put_with(options, ...) end

---Saves `state` for the next attempt, which finds it in `task.state`; the last one counts, and nil takes it back.
---
---It takes what can cross, up to 1 MiB; `task.dir` is for more, and 256 MiB is the most for all tasks together. It
---leaves the worker at once (when very much is saved, within 10 ms), and is not lost by a death of the worker then. The
---journal gets it with its next commit, for which nobody waits: after a crash of the machine or a kill of the run it may
---be a moment old. Without a journal it is as lasting as the run. It ends with the task, also when that fails for good.
---@param state? any
function task.save(state) end

---Drops the task with this key if it waits, for its first attempt or for another one: it ends as skipped.
---
---It counts when this attempt succeeds, as `task.put` does. From then on the key is known, and a task with it that comes
---later is dropped as a duplicate, wherever it comes from. One that a worker has been given already goes on, unless the
---run is killed before it ends: then it does not start again. Of all that nothing is told here.
---
---```lua
---if page.gone then
---  for _, url in ipairs(children) do task.cancel(url) end
---end
---```
---@param key string|number|boolean
function task.cancel(key) end

---Tells how far the task is; shown by the bar, at most ten times a second.
---@param done number   units done
---@param total? number   units in all
---@param message? string
function task.progress(done, total, message) end

---@class task.RetryOptions
---@field after? duration   until the next attempt; default as `retries` says
---@field reason? string

---Ends the attempt; the task is tried again, as often as `retries` says, or 3 times when it says nothing. Does not return.
---
---It raises an error of the code `retry`, so that `pcall` stops it and `error(e)` sends it on; so do the next three.
---@param options? task.RetryOptions
function task.retry(options) end

---@class task.FailOptions
---@field retry? boolean   whether `retries` may try again; default false

---Ends the attempt as failed. Does not return.
---@param reason? string
---@param options? task.FailOptions
function task.fail(reason, options) end

---Ends the task as one that had nothing to do: neither `handler` nor `failed` hears of it. Does not return.
---@param reason? string
function task.skip(reason) end

---Fails the task for good and stops the run, which can be resumed. Does not return.
---@param reason? string
function task.abort(reason) end

---Calls `f` when the attempt ends, however it ends; the last deferred first. An error in it is logged.
---@param f fun()
function task.defer(f) end

---Whether the attempt should end: its time is over, or the run stops.
---@nodiscard
---@return boolean
function task.cancelled() end

---Asks that this worker process be replaced: it takes no more tasks, and ends what it runs.
---@param reason? string
function task.die(reason) end

return task
