---@meta mpms.toml

---TOML 1.1 text to Lua tables and back.
---
---Dates and times become `toml.Date` objects, which are written as dates again. Integers beyond 64 bits are refused.
---@class mpms.toml
local toml = {}

---A date or a time as its text: `tostring(date)`, `..` and `==` work. JSON, YAML and CSV write it as a string.
---@class toml.Date
local Date = {}

---The text, as RFC 3339 writes it.
---@nodiscard
---@return string
function Date:text() end

---What it tells: `datetime` with an offset, `local_datetime` without, `date`, or `time`.
---@nodiscard
---@return "datetime"|"local_datetime"|"date"|"time"
function Date:kind() end

---@class toml.ReadOptions
---@field max_size? integer|string   of the file, as `"1MiB"`; default 256 MiB

---@class toml.WriteOptions
---@field atomic? boolean   readers see the old file or the new one; default true
---@field mkdir? boolean   make missing folders; default false
---@field mode? string   permissions in octal, as `"644"`
---@field sync? boolean   on the disk before it returns; default false

---The table of a document. Raises `parse` with line and column.
---
---```lua
---print(toml.decode("[server]\nport = 80").server.port)  --> 80
---```
---@nodiscard
---@param text string   UTF-8; a byte order mark is passed over
---@return table
function toml.decode(text) end

---The document of a table, keys sorted. Raises `invalid` for what TOML cannot hold (as null), with its path.
---@nodiscard
---@param value table
---@return string
function toml.encode(value) end

---The table of a whole file. Raises `parse`, `too_large`, and what the system says.
---@async
---@nodiscard
---@param path string
---@param options? toml.ReadOptions
---@return table
function toml.read(path, options) end

---Writes a table into a file, as `fs.write` does: whole or not at all.
---@async
---@param path string
---@param value table
---@param options? toml.WriteOptions
function toml.write(path, value, options) end

---A date to be written as such. Raises `parse` when the text is none.
---
---```lua
---toml.encode({ day = toml.date("2026-11-22") })  --> day = 2026-11-22
---```
---@nodiscard
---@param text string   as `2026-11-22T13:30:00Z`, without offset, or a part of it
---@return toml.Date
function toml.date(text) end

return toml
