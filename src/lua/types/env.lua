---@meta mpms.env

---Variables of the environment: those of the manifest's `env` first, then of its `env_file`, then of the shell.
---
---Commands that a job starts have the same. What nobody may see is read by `secret.get`.
---@class mpms.env
local env = {}

---The value of a variable, or `default` when it is not set.
---@nodiscard
---@param name string
---@param default? any
---@return any
function env.get(name, default) end

---The value of a variable. Raises `not_found` when it is not set or empty.
---@nodiscard
---@param name string
---@return string
function env.require(name) end

---All variables.
---@nodiscard
---@return table<string, string>
function env.all() end

return env
