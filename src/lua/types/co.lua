---@meta mpms.co

---Coroutines within a task, which wait at the same time. They need no `coroutines` in the manifest.
---
---They begin when the task waits, and end with it: none outlives the attempt that started it. Each has its own
---`math.random`. A call that waits in a cancelled coroutine raises `cancelled`, then and ever after. An error of a
---spawned coroutine for which nobody waited is logged when the task ends.
---@class mpms.co
local co = {}

---Starts `f(...)` beside the caller, which goes on.
---
---```lua
---local page = co.spawn(http.get, url)
---local other = http.get(url2)
---print(page:await().status, other.status)
---```
---@param f async fun(...): ...
---@param ... any
---@return co.Handle
function co.spawn(f, ...) end

---A list of the first results of `functions`, which run at the same time. The first error ends the others, and is raised.
---@async
---@param functions (async fun(): any)[]
---@return any[]
function co.all(functions) end

---@class co.MapOptions
---@field concurrency? integer   how many run at once; default 8

---A list of `f(item, index)` for each item, in the order of the list. The first error ends the others, and is raised.
---
---```lua
---local pages = co.map(urls, function(url) return http.get(url).body end, { concurrency = 4 })
---```
---@async
---@generic T, R
---@param list T[]
---@param f async fun(item: T, index: integer): R
---@param options? co.MapOptions
---@return R[]
function co.map(list, f, options) end

---The results of the first of `functions` that ends, or its error. The others are ended.
---@async
---@param functions (async fun(): ...)[]
---@return any ...
function co.race(functions) end

---The results of `f(...)`, unless it takes longer: then it is ended, and `timeout` is raised.
---@async
---@param duration duration
---@param f async fun(...): ...
---@param ... any
---@return any ...
function co.timeout(duration, f, ...) end

---Calls `f` with a scope, and waits for all that it started there. The first error ends the others, and is raised.
---
---```lua
---co.scope(function(s)
---  for _, url in ipairs(urls) do s:spawn(fetch, url) end
---end)
---```
---@async
---@param body async fun(scope: co.Scope): ...
---@return any ...   the results of `body`
function co.scope(body) end

---Values from one coroutine to another, in their order; `size` (1) of them may wait in between.
---@param size? integer   1 to 1,000,000
---@return co.Channel
function co.channel(size) end

---Waits, as the global `sleep`.
---@async
---@param duration duration
function co.sleep(duration) end

---What `co.spawn` gives.
---@class co.Handle
local Handle = {}

---The results of the coroutine, when it has ended; its error is raised.
---@async
---@return any ...
function Handle:await() end

---Ends it at its next wait.
function Handle:cancel() end

---How it is.
---@return "running"|"done"|"failed"|"cancelled"
function Handle:status() end

---What the function of `co.scope` gets.
---@class co.Scope
local Scope = {}

---Starts `f(...)`, which the scope waits for.
---@param f async fun(...): ...
---@param ... any
---@return co.Handle
function Scope:spawn(f, ...) end

---What `co.channel` gives.
---@class co.Channel
local Channel = {}

---Adds a value; waits while the channel is full. Raises `closed` when it is closed, and `invalid` for nil.
---@async
---@param value any
function Channel:put(value) end

---The next value; waits while there is none. Nil at the end, nil and `"timeout"` when none came in time.
---@async
---@param timeout? duration
---@return any value
---@return "timeout"? reason
function Channel:get(timeout) end

---The end: what is in the channel can still be taken.
function Channel:close() end

---How many values wait.
---@return integer
function Channel:size() end

---An iterator over the values, to the end.
---@return async fun(): any
function Channel:values() end

return co
