---@meta mpms.yaml

---YAML 1.2 text to Lua values and back.
---
---Scalars follow the core schema: `no`, `on` and `2026-11-22` are strings. Of YAML 1.1 there are merge keys (`<<`) and
---`!!binary`. Integers beyond 64 bits become floats. Anchors and aliases are followed; each alias is a copy, and copies
---are bounded. Tags that are not YAML's own are passed over. Nesting goes 200 deep, in both directions.
---@class mpms.yaml
local yaml = {}

---@class yaml.DecodeOptions
---@field null? any   what null becomes; default `mpms.null`

---@class yaml.EncodeOptions
---@field sort_keys? boolean   the same value gives the same text; default true

---@class yaml.ReadOptions
---@field null? any   what null becomes; default `mpms.null`
---@field max_size? integer|string   of the file, as `"1MiB"`; default 256 MiB

---@class yaml.WriteOptions
---@field sort_keys? boolean   default true
---@field atomic? boolean   readers see the old file or the new one; default true
---@field mkdir? boolean   make missing folders; default false
---@field mode? string   permissions in octal, as `"644"`
---@field sync? boolean   on the disk before it returns; default false

---The value of a text with one document; an empty text is null. Raises `parse` with line and column.
---
---Keys that are there twice are an error, and so are lists and maps as keys, and aliases within what they name.
---`too_large` is raised when aliases copy more than 1 MiB and 16 times the text.
---
---```lua
---print(yaml.decode("answer: no\nsizes: [1, 2]").answer)  --> no
---```
---@nodiscard
---@param text string   UTF-8; a byte order mark is passed over
---@param options? yaml.DecodeOptions
---@return any
function yaml.decode(text, options) end

---A list of the values of all documents of a text.
---@nodiscard
---@param text string
---@param options? yaml.DecodeOptions
---@return any[]
function yaml.decode_all(text, options) end

---The text of a value, keys sorted. Raises `invalid` for what YAML cannot hold, with its path.
---
---Strings that some reader of YAML 1.1 or 1.2 could take for anything else get quotes, those that are not UTF-8 are
---written as `!!binary`. Tables are lists and maps as in `json.encode`, and keys may also be numbers and booleans.
---
---```lua
---yaml.encode({ b = { 1, "no" }, a = "x" })
----->  a: x
----->  b:
----->    - 1
----->    - "no"
---```
---@nodiscard
---@param value any
---@param options? yaml.EncodeOptions
---@return string
function yaml.encode(value, options) end

---The value of a whole file with one document. Raises `parse`, `too_large`, and what the system says.
---@async
---@nodiscard
---@param path string
---@param options? yaml.ReadOptions
---@return any
function yaml.read(path, options) end

---Writes a value into a file, as `fs.write` does: whole or not at all.
---@async
---@param path string
---@param value any
---@param options? yaml.WriteOptions
function yaml.write(path, value, options) end

return yaml
