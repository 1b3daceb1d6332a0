---@meta mpms.json

---JSON text to Lua values and back (RFC 8259).
---
---Whole numbers become integers, those beyond 64 bits floats; numbers that no float can hold are refused. Objects and
---arrays become tables, `null` becomes `mpms.null`. Of equal keys the last one counts. Decoded arrays that are empty
---remember that they are arrays. Nesting goes 200 deep, in both directions.
---@class mpms.json
---@field null lightuserdata   JSON's null, the same as `mpms.null`
---@field array_mt table   the metatable of marked arrays, as `setmetatable({}, json.array_mt)`
local json = {}

---@class json.DecodeOptions
---@field null? any   what `null` becomes; default `mpms.null`

---@class json.EncodeOptions
---@field pretty? boolean|integer   two blanks a level, or that many; default false
---@field sort_keys? boolean   the same value gives the same text; default true

---@class json.ReadOptions
---@field null? any   what `null` becomes; default `mpms.null`
---@field max_size? integer|string   of the file, as `"1GiB"`; default 256 MiB

---@class json.WriteOptions
---@field pretty? boolean|integer   two blanks a level, or that many; default false
---@field sort_keys? boolean   default true
---@field atomic? boolean   readers see the old file or the new one; default true
---@field mkdir? boolean   make missing folders; default false
---@field mode? string   permissions in octal, as `"644"`
---@field sync? boolean   on the disk before it returns; default false

---@class json.AppendOptions
---@field sort_keys? boolean   default true

---@class json.LinesOptions
---@field null? any   what `null` becomes; default `mpms.null`
---@field max_size? integer|string   of one line; default 64 MiB

---The value of a text. Raises `parse` with line and column.
---
---```lua
---print(json.decode('{"id":9007199254740993}').id)  --> 9007199254740993
---```
---@nodiscard
---@param text string   UTF-8; a byte order mark is passed over
---@param options? json.DecodeOptions
---@return any
function json.decode(text, options) end

---The text of a value, keys sorted. Raises `invalid` for what JSON cannot hold, with its path.
---
---Tables with the keys 1 to n and no other are arrays, others are objects; an empty table is an object unless
---`json.array` marked it. Holes, NaN, infinities, functions, cycles and strings that are not UTF-8 are refused.
---
---```lua
---json.encode({ b = 1, a = { 1, 2 } })  --> {"a":[1,2],"b":1}
---```
---@nodiscard
---@param value any
---@param options? json.EncodeOptions
---@return string
function json.encode(value, options) end

---The value of a whole file. Raises `parse`, `too_large`, and what the system says.
---@async
---@nodiscard
---@param path string
---@param options? json.ReadOptions
---@return any
function json.read(path, options) end

---Writes a value and a line end into a file, as `fs.write` does: whole or not at all.
---@async
---@param path string
---@param value any
---@param options? json.WriteOptions
function json.write(path, value, options) end

---Adds a value as one line to the end of a file, in one write: lines of several writers never mix.
---@param path string
---@param value any
---@param options? json.AppendOptions
function json.append(path, value, options) end

---An iterator over a file with a value a line (JSON Lines): each value and its number.
---
---Blank lines are passed over. The loop waits for the disk about once in 1000 values; other coroutines run meanwhile. A
---wrong line raises `parse` with its number, behind the values before it.
---
---```lua
---for event in json.lines("events.jsonl") do print(event.id) end
---```
---@nodiscard
---@param path string
---@param options? json.LinesOptions
---@return fun(): any, integer
function json.lines(path, options) end

---What a JSON pointer (RFC 6901) names, nil where there is nothing.
---
---```lua
---json.pointer({ a = { 10, 20 } }, "/a/1")  --> 20
---```
---@nodiscard
---@param value any
---@param pointer string   empty for the value itself, else with a leading `/`; list places count from 0
---@return any
function json.pointer(value, pointer) end

---Marks a table as an array, so that it is written as `[]` when it is empty; makes one without an argument.
---@param table? table
---@return table
function json.array(table) end

return json
