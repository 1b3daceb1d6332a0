---@meta mpms.fs

---Files and folders. Names and contents are bytes. What could take long lets other coroutines go on.
---@class mpms.fs
local fs = {}

---@alias fs.Kind "file"|"dir"|"link"|"fifo"|"socket"|"block"|"char"

---@class fs.ReadOptions
---@field max_size? size   more raises `too_large`; default "1GiB"

---The whole content of a file.
---@async
---@nodiscard
---@param path string
---@param options? fs.ReadOptions
---@return string
function fs.read(path, options) end

---@class fs.WriteOptions
---@field atomic? boolean   readers see the old file or the new one, never a part; default true
---@field mkdir? boolean   missing folders are made; default false
---@field mode? string   octal digits, as "644"; default: that of the old file, or the system's for a new one
---@field sync? boolean   on the disk before the call returns; default false

---Writes a whole file. When it fails the old file is still there, and nothing of the new one; a link stays a link.
---
---```lua
---fs.write("out/report.txt", text, { mkdir = true, sync = true })
---```
---@async
---@param path string
---@param data string
---@param options? fs.WriteOptions
function fs.write(path, data, options) end

---Adds to the end of a file in one write, so that lines of several writers do not mix. Makes the file if there is none.
---@async
---@param path string
---@param data string
function fs.append(path, data) end

---The lines of a file without their ends. A line of more than 256 MiB raises `too_large`. The file is closed when the loop
---is left. Several coroutines may take from one iterator: each line comes once.
---
---```lua
---for line in fs.lines("hosts.txt") do put(line) end
---```
---@nodiscard
---@param path string
---@return async fun(): string?
function fs.lines(path) end

---@class fs.CopyOptions
---@field overwrite? boolean   replace what is there; default false, which raises `exists`
---@field preserve? boolean   mode and times of the source; default true
---@field progress? boolean|fun(done: integer, total: integer)   called for each MiB; true is `task.progress` of a worker
---@field verify? boolean   read both again and compare; default false

---Copies a file and gives its size. The copy appears when it is complete; where the file system can share the blocks of both,
---it does. Folders, devices and pipes are refused; of a link the file is copied.
---@async
---@param from string
---@param to string   the name of the copy, not its folder
---@param options? fs.CopyOptions
---@return integer
function fs.copy(from, to, options) end

---@class fs.MoveOptions
---@field overwrite? boolean   replace what is there; default false, which raises `exists`

---Renames a file or folder. To another file system files and links are copied and removed; folders raise `is_directory`.
---@async
---@param from string
---@param to string
---@param options? fs.MoveOptions
function fs.move(from, to, options) end

---A second name for a file.
---@param target string
---@param path string   the new name
function fs.link(target, path) end

---A link to a path, which need not exist.
---@param target string
---@param path string   the name of the link
function fs.symlink(target, path) end

---Cuts a file, or fills it with zeros, to a size.
---@param path string
---@param size? size   default 0
function fs.truncate(path, size) end

---Whether there is something of that name; of a link, whether its target is there.
---@nodiscard
---@param path string
---@return boolean
function fs.exists(path) end

---Whether it is a file, or a link to one.
---@nodiscard
---@param path string
---@return boolean
function fs.is_file(path) end

---Whether it is a folder, or a link to one.
---@nodiscard
---@param path string
---@return boolean
function fs.is_dir(path) end

---@class fs.StatOptions
---@field follow? boolean   false: a link itself, not its target; default true

---@class fs.Facts
---@field type fs.Kind
---@field size integer   bytes
---@field mtime number   when it was last written, seconds since 1970
---@field atime number   when it was last read
---@field ctime number   when these facts last changed
---@field mode string   permissions in octal digits, as "644"
---@field uid integer   its owner
---@field gid integer   its group
---@field nlink integer   its names
---@field ino integer   its number in its file system
---@field dev integer   its file system
---@field rdev integer   of a device, which one
---@field blocks integer   units of 512 bytes that it takes
---@field blksize integer   bytes that are best read at once
---@field target? string   of a link, what it says

---Facts about a file or folder; nil when there is none.
---@nodiscard
---@param path string
---@param options? fs.StatOptions
---@return fs.Facts?
function fs.stat(path, options) end

---Sets the permissions.
---@param path string
---@param mode string   octal digits, as "644"
function fs.chmod(path, mode) end

---@class fs.TouchOptions
---@field mtime? number   seconds since 1970; default: now
---@field atime? number   default: the same as `mtime`

---Sets the times of a file or folder; makes an empty file if there is nothing.
---@param path string
---@param options? fs.TouchOptions
function fs.touch(path, options) end

---@class fs.Space
---@field free integer   bytes that this user may still write
---@field total integer   bytes in all

---The room on the file system of a file or folder.
---@nodiscard
---@param path string
---@return fs.Space
function fs.disk(path) end

---The names in a folder, sorted, without `.` and `..`.
---@async
---@nodiscard
---@param path string
---@return string[]
function fs.list(path) end

---@class fs.WalkOptions
---@field glob? string|string[]   patterns: with a slash for the path below the start, else for the name
---@field type? "file"|"dir"|"link"|"any"   default "file"
---@field ignore? boolean   leave out what `.gitignore` and `.ignore` files below the start name; default true
---@field hidden? boolean   also names that begin with a dot; default false
---@field depth? integer   1: only what is in the folder itself
---@field follow? boolean   go into folders by links, a circle raises; default false

---The files below a folder and their kinds, in the order of their names.
---
---```lua
---for path in fs.walk("pages", { glob = "*.html" }) do put(path) end
---```
---@nodiscard
---@param path string
---@param options? fs.WalkOptions
---@return async fun(): string?, fs.Kind?
function fs.walk(path, options) end

---@class fs.GlobOptions
---@field type? "file"|"dir"|"link"|"any"   default "file"
---@field ignore? boolean   leave out what ignore files name; default false
---@field hidden? boolean   also names that begin with a dot; default: when the pattern names one
---@field follow? boolean   go into folders by links; default true

---The files that a pattern names, sorted. `*` stays within a name, `**` goes through folders, `{a,b}` is one of them.
---
---```lua
---fs.glob("img/**/*.{png,jpg}")
---```
---@async
---@nodiscard
---@param pattern string
---@param options? fs.GlobOptions
---@return string[]
function fs.glob(pattern, options) end

---Makes a folder and those above it. One that is there is no error.
---@param path string
function fs.mkdir(path) end

---@class fs.RemoveOptions
---@field recursive? boolean   a folder with all that is in it, links themselves and not their targets; default false

---Removes a file, a link or an empty folder; false when there was none. The working directory and folders above it are
---refused.
---@async
---@param path string
---@param options? fs.RemoveOptions
---@return boolean
function fs.remove(path, options) end

---@class fs.TempOptions
---@field prefix? string   of its name; default "mpms-"
---@field suffix? string   of its name

---A new empty folder, which is removed with all that is in it when the task ends.
---@nodiscard
---@param options? fs.TempOptions
---@return string
function fs.temp_dir(options) end

---A new empty file, which is removed when the task ends.
---@nodiscard
---@param options? fs.TempOptions
---@return string
function fs.temp_file(options) end

---@class fs.LockOptions
---@field timeout? duration   how long to wait; default: for ever
---@field shared? boolean   beside others that are shared; default false

---A lock on a file (`flock`), which is made if there is none; nil and "timeout" when it was not to be had in time. It holds
---against other processes and other tasks, until it is released, or its process ends.
---
---```lua
---local lock <close> = fs.lock("out/.lock")
---```
---@async
---@param path string
---@param options? fs.LockOptions
---@return fs.Lock? lock
---@return "timeout"? why
function fs.lock(path, options) end

---A lock that is held.
---@class fs.Lock
local Lock = {}

---Gives it back. Twice does no harm.
function Lock:release() end

return fs
