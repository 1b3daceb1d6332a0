---@meta mpms.codec

---Bytes as text and back, and MessagePack. What does not belong raises `parse` with its place.
---@class mpms.codec
---@field base64 codec.base64   RFC 4648, with padding
---@field base64url codec.base64url   the same for addresses and file names, without padding
---@field base32 codec.base32   RFC 4648, with padding; either case is read
---@field hex codec.hex   small letters; either case is read
---@field msgpack codec.msgpack   values as compact bytes
local codec = {}

---@class codec.EncodeOptions
---@field pad? boolean   whether it ends in `=` signs to a full group

---@class codec.DecodeOptions
---@field pad? boolean   whether it ends in `=` signs to a full group; the other way is refused
---@field whitespace? boolean   true: blanks, tabs and line ends are passed over; default false, they are refused

---@class codec.HexDecodeOptions
---@field whitespace? boolean   true: blanks, tabs and line ends are passed over; default false, they are refused

---Bytes as base64.
---@class codec.base64
local base64 = {}

---The bytes as base64. `pad` is true unless it is given.
---
---```lua
---codec.base64.encode "foo"  --> Zm9v
---```
---@nodiscard
---@param bytes string
---@param options? codec.EncodeOptions
---@return string
function base64.encode(bytes, options) end

---The bytes of a text of base64. `pad` is true unless it is given.
---@nodiscard
---@param text string
---@param options? codec.DecodeOptions
---@return string
function base64.decode(text, options) end

---Bytes as base64url.
---@class codec.base64url
local base64url = {}

---The bytes as base64url. `pad` is false unless it is given.
---@nodiscard
---@param bytes string
---@param options? codec.EncodeOptions
---@return string
function base64url.encode(bytes, options) end

---The bytes of a text of base64url. `pad` is false unless it is given.
---@nodiscard
---@param text string
---@param options? codec.DecodeOptions
---@return string
function base64url.decode(text, options) end

---Bytes as base32.
---@class codec.base32
local base32 = {}

---The bytes as base32. `pad` is true unless it is given.
---@nodiscard
---@param bytes string
---@param options? codec.EncodeOptions
---@return string
function base32.encode(bytes, options) end

---The bytes of a text of base32. `pad` is true unless it is given.
---@nodiscard
---@param text string
---@param options? codec.DecodeOptions
---@return string
function base32.decode(text, options) end

---Bytes as hexadecimal digits.
---@class codec.hex
local hex = {}

---The bytes as hexadecimal digits.
---@nodiscard
---@param bytes string
---@return string
function hex.encode(bytes) end

---The bytes of a text of hexadecimal digits.
---@nodiscard
---@param text string
---@param options? codec.HexDecodeOptions
---@return string
function hex.decode(text, options) end

---MessagePack.
---@class codec.msgpack
local msgpack = {}

---The bytes of a value, each part in its shortest form and keys sorted.
---
---A string that is UTF-8 becomes a `str`, any other a `bin`. A table with the keys 1 to n is an array, one without the key 1
---a map; an empty one is a map unless `json.array` marks it. Raises `invalid`, with the path, for functions and objects, for
---a list with other keys, for a table that contains itself, and below 200 levels.
---
---```lua
---codec.msgpack.encode { id = 7, tags = { "a", "b" } }
---```
---@nodiscard
---@param value any
---@return string
function msgpack.encode(value) end

---The value of bytes. Nil becomes `mpms.null`; an integer from 2^63 on becomes a float.
---
---Raises `parse` for extension types, for keys that a table cannot have, below 200 levels, and for what follows the value.
---@nodiscard
---@param bytes string
---@return any
function msgpack.decode(bytes) end

return codec
