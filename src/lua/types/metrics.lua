---@meta mpms.metrics

---Figures of a run: counters, gauges, rates and trends, added up over all workers and the handler.
---
---They stand below the summary of the run, and in `run_finished` of `--format json`. Every call counts once, when it is
---made: also in an attempt that fails and is repeated, as figures tell what happened. A worker process that is killed
---takes what it counted in its last 0.2 seconds with it. Outside of a run nothing is shown.
---
---A series is a name with its labels. A run has 1000 of them at most (`too_large`), and a name has one kind (`invalid`).
---Names are letters, digits and `_.:/-`. Labels are at most 10, with strings, numbers or booleans.
---@class mpms.metrics
local metrics = {}

---Adds to a counter.
---
---```lua
---metrics.counter("bytes", #body, { host = host })
---```
---@param name string
---@param value? number   0 or more; default 1
---@param labels? table<string, string|number|boolean>
function metrics.counter(name, value, labels) end

---Sets a gauge, of which the last value counts; the least and the greatest are kept too.
---@param name string
---@param value number
---@param labels? table<string, string|number|boolean>
function metrics.gauge(name, value, labels) end

---Counts how often something is true, of how many.
---@param name string
---@param value boolean
---@param labels? table<string, string|number|boolean>
function metrics.rate(name, value, labels) end

---Takes a value into a distribution: its mean, least, greatest and quantiles (to a percent) are shown.
---@param name string
---@param value number
---@param labels? table<string, string|number|boolean>
function metrics.trend(name, value, labels) end

---The results of `f()`, whose seconds go into a trend, also when it raises. `f` may wait.
---
---```lua
---local page = metrics.time("fetch", function() return http.get(url) end)
---```
---@async
---@param name string
---@param f async fun(): ...
---@param labels? table<string, string|number|boolean>
---@return any ...
function metrics.time(name, f, labels) end

return metrics
