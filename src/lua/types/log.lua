---@meta mpms.log

---Lines with fields in the log of the run.
---
---`debug` lines are shown with `-v`. With `--format json`, and in the events that `mpms runs logs` reads, each line has
---the task, the attempt and the worker that wrote it.
---@class mpms.log
local log = {}

---A line that is shown with `-v`.
---
---```lua
---log.debug("cached", { url = url, age = 12 })
---```
---@param message any
---@param fields? table<string, any>   shown as `name=value`, in the order of their names
function log.debug(message, fields) end

---A line for whoever runs the job.
---@param message any
---@param fields? table<string, any>
function log.info(message, fields) end

---A warning.
---@param message any
---@param fields? table<string, any>
function log.warn(message, fields) end

---An error that does not end the task.
---@param message any
---@param fields? table<string, any>
function log.error(message, fields) end

---A logger whose lines all have these fields. Those of a line go before them.
---
---```lua
---local l = log.with { host = host }
---l:info("fetched", { bytes = #body })
---```
---@nodiscard
---@param fields table<string, any>
---@return log.Logger
function log.with(fields) end

---The results of `f(...)`, of which the beginning (`debug`) and the end (`info`, with `elapsed`) are logged.
---
---What `f` raises is logged as a warning and passed on. `f` may wait.
---@async
---@param name string
---@param f async fun(...): ...
---@param ... any
---@return any ...
function log.span(name, f, ...) end

---A logger with fixed fields.
---@class log.Logger
local Logger = {}

---A line that is shown with `-v`.
---@param message any
---@param fields? table<string, any>
function Logger:debug(message, fields) end

---A line for whoever runs the job.
---@param message any
---@param fields? table<string, any>
function Logger:info(message, fields) end

---A warning.
---@param message any
---@param fields? table<string, any>
function Logger:warn(message, fields) end

---An error that does not end the task.
---@param message any
---@param fields? table<string, any>
function Logger:error(message, fields) end

---A logger with more fields.
---@nodiscard
---@param fields table<string, any>
---@return log.Logger
function Logger:with(fields) end

---As `log.span`, with the fields of the logger.
---@async
---@param name string
---@param f async fun(...): ...
---@param ... any
---@return any ...
function Logger:span(name, f, ...) end

return log
