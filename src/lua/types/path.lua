---@meta mpms.path

---Names of files, by their text alone: but for `abs`, `rel` and `expand` nothing is asked of the system, and no link is
---followed. Names are bytes.
---@class mpms.path
local path = {}

---The parts with slashes between them; an absolute part drops what is before it.
---
---```lua
---path.join("a", "b/", "c.txt")  --> a/b/c.txt
---```
---@nodiscard
---@param ... string
---@return string
function path.join(...) end

---The path without its last part; "." when there is only one.
---@nodiscard
---@param path string
---@return string
function path.dirname(path) end

---The last part; "" of "/" and of "..".
---@nodiscard
---@param path string
---@return string
function path.basename(path) end

---The last part without its extension: "b.tar" of "a/b.tar.gz".
---@nodiscard
---@param path string
---@return string
function path.stem(path) end

---The extension without its dot, "" when there is none: "gz" of "a/b.tar.gz".
---@nodiscard
---@param path string
---@return string
function path.ext(path) end

---The path with another extension; "" takes it away. Raises `invalid` for a path without a file name.
---
---```lua
---path.with_ext("a/b.txt", "md")  --> a/b.md
---```
---@nodiscard
---@param path string
---@param ext string   with or without a dot
---@return string
function path.with_ext(path, ext) end

---The path from the root, normalized.
---@nodiscard
---@param path string
---@return string
function path.abs(path) end

---The way to a path from a folder.
---
---```lua
---path.rel("/a/b/c", "/a/d")  --> ../b/c
---```
---@nodiscard
---@param path string
---@param base? string   default: the working directory
---@return string
function path.rel(path, base) end

---The path without ".", "..", and doubled slashes, as far as its text tells.
---
---```lua
---path.normalize("a/./b/../c//d")  --> a/c/d
---```
---@nodiscard
---@param path string
---@return string
function path.normalize(path) end

---The parts of a path; an absolute one begins with "/".
---@nodiscard
---@param path string
---@return string[]
function path.split(path) end

---Whether it begins at the root.
---@nodiscard
---@param path string
---@return boolean
function path.is_abs(path) end

---The path with `~` at its start replaced by one's home. Raises `invalid` for somebody else's.
---@nodiscard
---@param path string
---@return string
function path.expand(path) end

return path
