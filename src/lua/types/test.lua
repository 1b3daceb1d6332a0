---@meta mpms.test

---What specs have besides the words of busted: roles of a script played without a run, a mocked network, a clock,
---snapshots. For files that `mpms test` runs; there it is the global `test` too. Everything that a test sets is undone
---after it, and what a `setup` sets, after its block.
---
---```lua
---it("completes a row", function()
---  test.http { ["GET https://api.example/rate/USD"] = { json = { rate = 2 } } }
---  local row, effects = test.worker("scripts/api.lua", { { price = 5, currency = "USD" } })
---  assert.equal("10.00", row.euros)
---  assert.is_nil(effects.error)
---end)
---```
---@class mpms.test
local test = {}

---What all roles take.
---@class test.JobOptions
---@field params? table   `job.params`
---@field dir? string   the folder in which the role runs, as a run does in that of its manifest; while it does, no other can
---@field seed? integer   of `math.random`; that of `test.seed` unless it is given
---@field name? string   `job.name`; default `test`
---@field env? table<string, string>   the job's `env`
---@field timeout? duration   for each call; that of the test unless it is given

---@class test.WorkerOptions: test.JobOptions
---@field key? string   `task.key`
---@field id? integer   the position from which `task.id` is made; default 1
---@field attempt? integer   default 1
---@field max_attempts? integer   default `attempt`
---@field cancelled? boolean   what `task.cancelled()` says
---@field state? any   `task.state`: what an attempt before saved

---A script of `test.handler` with its options: the file comes first, without a name.
---@class test.HandlerScript: test.JobOptions
---@field [1] string   the file
---@field role? "handler"|"failed"|"start"|"finish"   which one is called; default `handler`
---@field args? any[]   `meta.task`: the arguments that the task had
---@field key? string
---@field id? integer   the position from which `meta.task_id` is made; default 1
---@field attempt? integer   `meta.attempt`; default 1
---@field worker? integer   `meta.worker`; default 1
---@field duration? duration   `meta.duration`

---A put of a role: the arguments of the task, and its options where it has some.
---@class test.Put
---@field [integer] any   the arguments
---@field key? string
---@field priority? integer
---@field delay? number   seconds

---@class test.Error: mpms.error
---@field traceback? string

---What an attempt did besides returning. Puts and rows count when it succeeds, as in a run.
---@class test.Effects
---@field results any[]   all that it returned
---@field puts test.Put[]   `task.put`, `task.put_with`
---@field emits any[]   the rows of `emit`
---@field logs {level: string, text: string, fields: table<string, string>}[]   `mpms.log`, and `print` with the level `print`
---@field progress {done: number, total?: number, message?: string}[]   every call of `task.progress`
---@field retries {after?: number, reason: string}[]   one, when it asked for another attempt by `task.retry`
---@field verb? "retry"|"skip"|"fail"|"abort"   how the task itself ended the attempt
---@field reason? string   what it said then
---@field after? number   seconds until the next attempt, when it asks for that
---@field error test.Error   why it failed; nil when it succeeded
---@field died? string   the reason of `task.die`
---@field saved? any   the last state of `task.save`; it stays, also when the attempt fails
---@field cancels string[]   the keys of `task.cancel`; they count as puts do

---Plays the `worker` role for one attempt, as a worker does: in a new state, after `init`, with `task`, `emit` and `job`,
---and with what it deferred. Gives its first result (nil when it failed), and all its effects. A script that cannot be
---loaded or has no such role is an error in the effects too, of the code `syntax`, `lua_error` or `role`.
---
---```lua
---local result, effects = test.worker("scripts/crawl.lua", { 7, "https://x.example/" }, {}, { dir = test.tmp() })
---assert.equal("http_status", effects.error.code)
---```
---@async
---@param script string   its file: beside the spec, where the tests were started, or in the folder of the project
---@param args any[]   the arguments of the task; with `n` when there is a nil among them
---@param meta? table   the read-only copy that `init` gets
---@param options? test.WorkerOptions
---@return any result
---@return test.Effects effects
function test.worker(script, args, meta, options) end

---Plays the `handler` role, or another one of the handler's thread, after `start`. Gives `meta` as it is then, what was put
---and emitted by this call, and what the role returned (the text of `finish`). Raises what the role raised.
---
---```lua
---local meta, puts = test.handler("scripts/spider.lua", { pages = 0, links = 0 }, url, 1, { "https://x.example/2" })
---local _, _, _, said = test.handler({ "scripts/spider.lua", role = "finish" }, meta, { elapsed = 2 })
---```
---@async
---@param script string|test.HandlerScript
---@param meta? table   as it is before
---@param ... any   what the role is called with: results of the worker, the error of `failed`, the summary of `finish`
---@return table meta
---@return test.Put[] puts
---@return any[] emits
---@return any result
function test.handler(script, meta, ...) end

---The tasks that a generator put.
---@class test.Tasks
---@field [integer] test.Put
---@field more? boolean   it was stopped at the limit

---@class test.TasksOptions: test.JobOptions
---@field limit? integer   tasks after which the generator is stopped; default 1000
---@field meta? table   the read-only copy that it gets

---The tasks that the `tasks` role puts, in their order. One that would go on beyond the limit is stopped, and the list has
---`more = true`. Raises what the role raised.
---
---```lua
---assert.same({ { 1, "https://x.example/?q=1" } }, test.tasks("scripts/crawl.lua", { count = 1, base = "https://x.example" }))
---```
---@async
---@param script string
---@param params? table   `job.params`
---@param options? test.TasksOptions
---@return test.Tasks
function test.tasks(script, params, options) end

---A reply of a mock. A string is a body, an integer a status; a list gives one reply after another, the last again and again;
---a function gets the request and returns one of these.
---@class test.Reply
---@field status? integer   default 200
---@field body? string
---@field json? any   the body as JSON
---@field file? string   the body from a file, looked for as scripts are
---@field headers? table<string, string|integer|string[]>
---@field delay? duration   before it comes
---@field error? string   no reply, but this code is raised: `timeout`, `connect`, `dns`, `tls`

---@class test.Request
---@field method string
---@field url string
---@field path string
---@field query table<string, string>
---@field headers table<string, string>   names in small letters
---@field body string
---@field status? integer   of the reply, in `test.requests`

---Answers requests of the spec, and of the scripts that it plays, in place of the network: redirects, retries, cookies and
---robots.txt work on these replies as on any. It takes the place of earlier mocks. A key is a method and an address, or an address for
---all methods; `*` in it stands for any letters, and the key `"*"` is for all that is left. What is not mocked raises `denied`.
---`"loopback"`, alone or as the reply of `"*"`, lets requests and `mpms.net` reach this machine, for `http.serve`; `"deny"` takes all
---of it back.
---
---```lua
---test.http {
---  ["GET https://x.example/p/1"] = { status = 200, file = "p1.html", headers = { ETag = '"1"' } },
---  ["GET https://x.example/p/2"] = { 503, { error = "timeout" }, "third time" },
---  ["POST https://x.example/*"] = function(request) return { json = { got = request.body } } end,
---}
---```
---@param rules table<string, test.Reply|test.Reply[]|string|integer|fun(request: test.Request): any>|"loopback"|"deny"
function test.http(rules) end

---The requests of this test so far, those that were denied too.
---@nodiscard
---@return test.Request[]
function test.requests() end

---Sets the clock of `mpms.time`, `sleep`, and the waits between retries. It stands still, but a wait moves it on at once, the shortest
---first. Time limits, `os.time` and `os.clock` go by the system's clock.
---
---```lua
---test.clock(1e9)
---sleep "1h"
---assert.equal(1e9 + 3600, mpms.time.now())
---```
---@param time number|false   seconds since 1970; false: the system's clock
function test.clock(time) end

---Seeds `math.random` of the spec, and of the roles that it plays from now on. Without it every test has a seed of its own, the same
---each time.
---@param seed integer
function test.seed(seed) end

---A new folder, removed after the test; one that a `setup` makes, after its block.
---@nodiscard
---@return string
function test.tmp() end

---Compares a value with the one that `mpms test --update` wrote to `__snapshots__/SPEC/NAME.snap` beside the spec: a string as it
---is, anything else as assertions show it, keys sorted. One that was not written yet fails, and is written by `--update` alone.
---@param name string   once in a test; letters that no file name should have become `_`
---@param value any
function test.snapshot(name, value) end

---How two texts differ, line by line, as assertions show it: `-` what was expected, `+` what is there.
---@nodiscard
---@param expected string
---@param actual string
---@return string
function test.diff(expected, actual) end

return test
