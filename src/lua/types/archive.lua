---@meta mpms.archive

---Archives: zip and tar, the latter also packed (`.tar.gz`, `.tgz`, `.tar.zst`, `.tar.br`).
---
---Archives that are read are told by their first bytes. Raises `parse` for what is damaged or cut short, also when only a
---checksum or the mark of the end is wrong, and `invalid` for formats that are not built in.
---@class mpms.archive
local archive = {}

---@class archive.Entry
---@field name string   as it is in the archive, which may be anything
---@field type "file"|"dir"|"symlink"|"hardlink"|"device"|"fifo"|"other"
---@field size integer   of a file; 0 for others
---@field mode integer   the nine bits of permissions
---@field mtime? integer   seconds since 1970
---@field target? string   where a link leads

---@class archive.ListOptions
---@field max_size? integer|string   of all files together; default: 1 GiB, or 200 times the archive's size
---@field max_entries? integer   default 1000000

---What is in an archive, in its order.
---@async
---@nodiscard
---@param path string
---@param options? archive.ListOptions
---@return archive.Entry[]
function archive.list(path, options) end

---@class archive.ReadOptions
---@field max_size? integer|string   of the file; default "1GiB"
---@field max_entries? integer   default 1000000

---The content of one file. Raises `not_found`, and `is_directory`. Of several files with one name it is the last, as an
---extraction leaves it.
---@async
---@nodiscard
---@param path string
---@param name string
---@param options? archive.ReadOptions
---@return string
function archive.read(path, name, options) end

---@class archive.ExtractOptions
---@field strip? integer   so many leading parts of each name are left out; default 0
---@field glob? string|string[]   only names that fit: with a slash the whole name, before `strip`, without one its last part
---@field overwrite? boolean   files that are there are replaced, else `exists` is raised; default false
---@field unsafe? "refuse"|"skip"   what becomes of entries that lead out of the folder and of devices; default "refuse"
---@field max_size? integer|string   of all files together; default: 1 GiB, or 200 times the archive's size
---@field max_entries? integer   default 1000000

---@class archive.Extracted
---@field files integer
---@field dirs integer
---@field links integer
---@field size integer   bytes of all files

---Extracts an archive into a folder, which is made if it is not there.
---
---Names with `..`, absolute names, links that lead out of the folder (also by way of others), hard links to what is not in
---the archive, devices and fifos raise `permission`. Files are made in a hidden folder and moved when all are there: an
---extraction that fails leaves nothing, and changes no file that was there. Times are kept; permissions too, but only the
---owner may write; owners are not.
---
---```lua
---archive.extract("release.tar.gz", "vendor/release", { strip = 1, glob = "*.lua" })
---```
---@async
---@param path string
---@param dir string
---@param options? archive.ExtractOptions
---@return archive.Extracted
function archive.extract(path, dir, options) end

---@class archive.Data
---@field data string

---@class archive.CreateOptions
---@field base? string   paths are below this folder, and names begin there
---@field level? integer   as of compress.gzip (zip, .tar.gz), compress.zstd, compress.brotli
---@field mtime? integer   of all entries, seconds since 1970; default 1980-01-01
---@field overwrite? boolean   an archive that is there is replaced, else `exists` is raised; default false

---Makes an archive, whose name says its format; gives its size. It is there whole or not at all.
---
---Files are a list of paths, or a table from names in the archive to paths or to `{ data = "..." }`. Folders come with all
---that is in them, links as links. The same files give the same bytes: names are sorted, times and owners fixed, and of the
---permissions only counts whether a file can be run. Names in a zip must be UTF-8.
---
---```lua
---archive.create("out.zip", { "report", "index.html" }, { base = "build" })
---archive.create("out.tar.zst", { ["data/pages.csv"] = "/tmp/x.csv", ["VERSION"] = { data = "1.2\n" } })
---```
---@async
---@param path string
---@param files string[]|table<string, string|archive.Data>
---@param options? archive.CreateOptions
---@return integer size
function archive.create(path, files, options) end

return archive
