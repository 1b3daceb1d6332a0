---@meta mpms.compress

---Strings and files, packed and unpacked: gzip, zstd, brotli, deflate.
---
---The same data and level give the same bytes. What unpacks raises `parse` for data that is damaged, cut short or
---followed by something else (zeros behind gzip are allowed, and so are several packed pieces of gzip or zstd behind each
---other), and `too_large` before it takes the memory.
---@class mpms.compress
local compress = {}

---@class compress.PackOptions
---@field level? integer   gzip 0 to 9 (6), zstd 1 to 22 (3), brotli 0 to 11 (6)

---@class compress.UnpackOptions
---@field max_size? integer|string   more than this is `too_large`; default "1GiB"

---@class compress.DeflateOptions
---@field level? integer   0 to 9; default 6
---@field raw? boolean   without head and checksum (RFC 1951), as within a zip; default false

---@class compress.InflateOptions
---@field max_size? integer|string   more than this is `too_large`; default "1GiB"
---@field raw? boolean   the data has no head; default: as its first bytes say

---Packs a string as the program gzip does, without a name and a time.
---@async
---@nodiscard
---@param data string
---@param options? compress.PackOptions
---@return string
function compress.gzip(data, options) end

---Unpacks what gzip packed.
---@async
---@nodiscard
---@param data string
---@param options? compress.UnpackOptions
---@return string
function compress.gunzip(data, options) end

---Packs a string with Zstandard: faster than gzip, and smaller.
---@async
---@nodiscard
---@param data string
---@param options? compress.PackOptions
---@return string
function compress.zstd(data, options) end

---Unpacks what zstd packed.
---@async
---@nodiscard
---@param data string
---@param options? compress.UnpackOptions
---@return string
function compress.unzstd(data, options) end

---Packs a string with Brotli: small texts, above all.
---@async
---@nodiscard
---@param data string
---@param options? compress.PackOptions
---@return string
function compress.brotli(data, options) end

---Unpacks what brotli packed.
---@async
---@nodiscard
---@param data string
---@param options? compress.UnpackOptions
---@return string
function compress.unbrotli(data, options) end

---Packs a string as zlib does (RFC 1950), which is what HTTP calls deflate.
---@async
---@nodiscard
---@param data string
---@param options? compress.DeflateOptions
---@return string
function compress.deflate(data, options) end

---Unpacks what deflate packed.
---@async
---@nodiscard
---@param data string
---@param options? compress.InflateOptions
---@return string
function compress.inflate(data, options) end

---@class compress.FileOptions
---@field level? integer   as for strings
---@field overwrite? boolean   a file that is there is replaced; default false

---Packs a file into another, whose name says how: `.gz`, `.zst`, `.br`, `.zz`; gives its size. The new file has the mode of
---the old one, and is there whole or not at all.
---
---```lua
---compress.file("log.txt", "log.txt.zst", { level = 10 })
---```
---@async
---@param src string
---@param dst string
---@param options? compress.FileOptions
---@return integer size
function compress.file(src, dst, options) end

---@class compress.DecompressFileOptions
---@field max_size? integer|string   more than this is `too_large`; default: 1 GiB, or 200 times the file's size
---@field overwrite? boolean   a file that is there is replaced; default false

---Unpacks a file into another; gives its size. Its first bytes say how it is packed, or else its name.
---@async
---@param src string
---@param dst string
---@param options? compress.DecompressFileOptions
---@return integer size
function compress.decompress_file(src, dst, options) end

---@class compress.LinesOptions
---@field max_line? integer|string   a longer line is `too_large`; default "64MiB"

---Goes over the lines of a file, packed or not, without their line ends; gives each line and its number. The first bytes
---say how the file is packed, or else its name.
---
---```lua
---for line in compress.lines("access.log.1.gz") do print(line) end
---```
---@async
---@nodiscard
---@param path string
---@param options? compress.LinesOptions
---@return fun(): string?, integer? next
function compress.lines(path, options) end

return compress
