---@meta mpms.hash

---Sums of texts and files. `md5`, `sha1`, `crc32` and `xxh3` find accidents, and are no protection against anybody.
---@class mpms.hash
local hash = {}

---@alias hash.Algorithm "blake3"|"crc32"|"md5"|"sha1"|"sha256"|"sha512"|"xxh3"

---@class hash.Options
---@field raw? boolean   true: bytes in place of hexadecimal digits

---The BLAKE3 sum, 256 bits.
---@nodiscard
---@param text string
---@param options? hash.Options
---@return string
function hash.blake3(text, options) end

---The CRC-32 of gzip and zip, 32 bits.
---@nodiscard
---@param text string
---@param options? hash.Options
---@return string
function hash.crc32(text, options) end

---The MD5 sum, 128 bits.
---@nodiscard
---@param text string
---@param options? hash.Options
---@return string
function hash.md5(text, options) end

---The SHA-1 sum, 160 bits.
---@nodiscard
---@param text string
---@param options? hash.Options
---@return string
function hash.sha1(text, options) end

---The SHA-256 sum.
---
---```lua
---hash.sha256 "abc"  --> ba7816bf8f01cfea…
---```
---@nodiscard
---@param text string
---@param options? hash.Options
---@return string
function hash.sha256(text, options) end

---The SHA-512 sum.
---@nodiscard
---@param text string
---@param options? hash.Options
---@return string
function hash.sha512(text, options) end

---The XXH3 sum, 64 bits: the quickest.
---@nodiscard
---@param text string
---@param options? hash.Options
---@return string
function hash.xxh3(text, options) end

---The sum of a file, which is read beside other coroutines.
---@async
---@nodiscard
---@param algorithm hash.Algorithm
---@param path string
---@param options? hash.Options
---@return string
function hash.file(algorithm, path, options) end

---The authentication code of a text under a key (RFC 2104).
---@nodiscard
---@param algorithm "md5"|"sha1"|"sha256"|"sha512"
---@param key string
---@param text string
---@param options? hash.Options
---@return string
function hash.hmac(algorithm, key, text, options) end

---A sum of pieces.
---
---```lua
---local sum = hash.new "sha256"
---for line in fs.lines(path) do sum:update(line) end
---print(sum:hex())
---```
---@nodiscard
---@param algorithm hash.Algorithm
---@return hash.Hash
function hash.new(algorithm) end

---Whether two texts are the same, in a time that does not tell where they differ.
---@nodiscard
---@param a string
---@param b string
---@return boolean
function hash.equal(a, b) end

---What `hash.new` gives.
---@class hash.Hash
local Hash = {}

---Adds a piece; gives the object again.
---@param text string
---@return hash.Hash
function Hash:update(text) end

---The sum so far, as hexadecimal digits. More pieces may follow.
---@nodiscard
---@return string
function Hash:hex() end

---The sum so far, as bytes.
---@nodiscard
---@return string
function Hash:raw() end

return hash
