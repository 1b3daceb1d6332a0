---@meta _

---What every script has besides Lua's own: the library, the job, and a few functions.

---Seconds, or a text with units: `0.5`, `"250ms"`, `"1m30s"`, `"2h"`.
---@alias duration number|string

---Bytes, or a text with a unit: `4096`, `"64MiB"`.
---@alias size integer|string

---What a function of the library raises. `tostring(e)` is its whole text: the function, what it was about, the message.
---
---```lua
---local page, e = try(http.get, url)
---if not page and e.code == "timeout" then log.warn("slow", { url = e.url }) end
---```
---@class mpms.error
---@field code string   what kind of error it is: `"timeout"`, `"not_found"`, `"invalid"`, `"http_status"`, …
---@field message string   one sentence
---@field retryable boolean   whether the same call may work later; the `retries` of a manifest go by it
---@field op? string   the function that failed: `"http.get"`
---@field path? string   the file or folder
---@field url? string   the address
---@field cmd? string   the command
---@field status? integer   the status of an HTTP reply
---@field retry_after? number   seconds that the other side asks to wait
---@field cause? string   the error below this one
---@field at? string   `file:line` of the script

---The library. Its modules are made when they are first named, here or by `require "mpms.http"`.
---@class mpms
---@field null lightuserdata   the null of JSON, YAML and SQL, which can stand in a table
---@field archive mpms.archive
---@field co mpms.co
---@field codec mpms.codec
---@field compress mpms.compress
---@field csv mpms.csv
---@field env mpms.env
---@field feed mpms.feed
---@field fs mpms.fs
---@field hash mpms.hash
---@field html mpms.html
---@field http mpms.http
---@field json mpms.json
---@field log mpms.log
---@field metrics mpms.metrics
---@field net mpms.net
---@field path mpms.path
---@field proc mpms.proc
---@field random mpms.random
---@field re mpms.re
---@field robots mpms.robots
---@field secret mpms.secret
---@field sqlite mpms.sqlite
---@field str mpms.str
---@field task mpms.task
---@field tbl mpms.tbl
---@field test mpms.test
---@field time mpms.time
---@field toml mpms.toml
---@field url mpms.url
---@field uuid mpms.uuid
---@field xml mpms.xml
---@field yaml mpms.yaml
mpms = {}

---The job whose script this is; nothing of it can be changed.
---@class mpms.Job
---@field name string   `name` of the manifest
---@field params table<string, any>   `[params]`, with what `-p` says
---@field seed integer   base of all random numbers
---@field dir string   the folder of the manifest, where the script works
job = {}

---The task that runs here. Role `worker`.
---@type mpms.task
task = nil

---The results of `f(...)`, or nil and what it raised.
---
---`assert(try(f))` raises the same error again.
---
---```lua
---local text, e = try(fs.read, "settings.json")
---```
---@param f function
---@param ... any
---@return any ...
function try(f, ...) end

---Waits. Other coroutines of the thread run meanwhile.
---@async
---@param duration duration
function sleep(duration) end

---Adds a row to `[output]`; in a worker it counts when the attempt succeeds. Roles `worker` and `handler`.
---@param row any
function emit(row) end

---How a task is put.
---@class mpms.PutOptions
---@field key? string|number|boolean   its identity: a second task with the same key is dropped
---@field priority? integer   higher ones start first; default 0
---@field delay? duration   it does not start before

---As the `put` that the role `tasks` is called with, and with options. Role `tasks`.
---
---```lua
---put_with({ key = url, delay = "5s" }, url, depth + 1)
---```
---@async
---@param options mpms.PutOptions
---@param ... any   the task's arguments
function put_with(options, ...) end

---What `handler` and `failed` get as `meta` besides the table of the manifest.
---@class mpms.Meta
---@field task any[]   the task's arguments
---@field task_id string
---@field attempt integer   from 1
---@field worker integer   the number of the process
---@field duration number   seconds that the attempt took
---@field self mpms.Putter   puts more tasks
---@field mpmt mpms.Putter   the same
---@field [string] any

---Puts tasks from a handler.
---@class mpms.Putter
local Putter = {}

---Puts a task with these arguments.
---@param ... any
function Putter:put(...) end

---The same with options.
---@param options mpms.PutOptions
---@param ... any
function Putter:put_with(options, ...) end

---What `failed` gets.
---@class mpms.Failure
---@field code string
---@field message string
---@field traceback? string
---@field retryable? boolean   what the error itself said of it
---@field attempt integer   how many there were

---What `finish` gets. Times are seconds.
---@class mpms.Summary
---@field elapsed number
---@field rate number   tasks a second
---@field tasks integer   those that have ended
---@field done integer
---@field failed integer
---@field skipped integer   of those that are done: ended by `task.skip`, or cancelled
---@field duplicates integer   dropped for their key
---@field again integer   results that came more than once
---@field crashes integer   processes that died
---@field p50? number
---@field p95? number
---@field p99? number
---@field max? number

---What a script returns: the roles that it plays.
---@class mpms.Roles
---@field tasks? fun(put: async fun(...), meta: table)   puts the tasks; once, in the coordinator
---@field process_init? fun()   called in each worker process, before its threads
---@field process_exit? fun()   and after them
---@field init? fun(meta: table)   called in each thread of a worker, before its first task
---@field exit? fun(meta: table)   and after its last
---@field worker? fun(...): ...   for each attempt, with the task's arguments
---@field start? fun(meta: mpms.Meta)   before the first result, also when a run goes on
---@field handler? fun(meta: mpms.Meta, ...)   for each task that succeeded, with what `worker` returned
---@field failed? fun(meta: mpms.Meta, err: mpms.Failure)   for each task that has failed for good
---@field finish? fun(meta: mpms.Meta, summary: mpms.Summary): any   at the end; what it returns is shown
