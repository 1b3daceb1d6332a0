---@meta mpms.uuid

---Names that are unique without asking anybody (RFC 9562). They come from the system's randomness, not from the run's seed.
---@class mpms.uuid
local uuid = {}

---@class uuid.Parts
---@field text string   written with small letters
---@field bytes string   the 16 bytes
---@field version integer
---@field time? number   seconds since 1970, of the versions 1, 6 and 7

---A random UUID.
---
---```lua
---uuid.v4()  --> 0b9a3b4e-6c3f-4a5e-9f0b-6f0d5d0c8f5a
---```
---@nodiscard
---@return string
function uuid.v4() end

---A UUID that begins with the time: those of one process rise, so they sort as they were made.
---@nodiscard
---@return string
function uuid.v7() end

---The parts of a UUID in its usual form, in either case. Raises `parse` for anything else.
---@nodiscard
---@param text string
---@return uuid.Parts
function uuid.parse(text) end

---Whether `uuid.parse` would read it.
---@nodiscard
---@param text string
---@return boolean
function uuid.is_valid(text) end

return uuid
