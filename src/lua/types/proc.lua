---@meta mpms.proc

---External commands, without a shell unless one is asked for. Each leads a process group of its own, which is killed when
---the command has ended; whatever a task has started ends with the task.
---@class mpms.proc
local proc = {}

---@class proc.PipeOptions
---@field cwd? string   folder to run in; default: that of the job
---@field env? table<string, string|number|false>   variables beside those of the job; `false` removes one
---@field clear_env? boolean   nothing of this process's environment, only the job's and `env`; default false
---@field stdin? string|proc.File   what it reads: a text, or a file; default: nothing (`spawn`: what you write)
---@field timeout? duration   after this time its group gets SIGTERM, and the call raises `timeout`
---@field grace? duration   from SIGTERM to SIGKILL; default "2s"
---@field check? boolean   raise `exit_status` unless it ends with status 0; default true
---@field capture? boolean   false: output goes where that of the task goes; default true
---@field stdout? string   a file for its standard output, replaced if it is there
---@field stderr? string   "merge": with standard output; else a file
---@field max_output? size   of each captured stream, for `lines` of one line; more raises `too_large` and kills it; default "16MiB"
---@field nice? integer   added to its niceness
---@field memory? size   address space that each of its processes may have

---@class proc.Options: proc.PipeOptions
---@field shell? boolean   the first argument is a text for `/bin/sh`; default false

---@class proc.File
---@field path string

---@class proc.Result
---@field ok boolean   it ended with status 0
---@field code? integer   exit status; nil when a signal ended it
---@field signal? integer   the signal that ended it
---@field stdout? string   what it wrote, when captured
---@field stderr? string   the same of standard error
---@field elapsed number   seconds
---@field max_rss integer   bytes of memory at its peak

---Runs a command to its end. A text in place of the list is refused without `shell = true`.
---
---Raises `not_found` and `permission` when it cannot be started, `exit_status` (`e.status`, `e.cmd`, and in `e.stderr` the
---last 4 KB of standard error) when it fails, `timeout`, `too_large`. A command that reads less than it is given is no
---error. What it left running in its group is killed, and nobody waits for what has left the group.
---
---```lua
---local r = proc.run({ "git", "log", "-1", "--format=%H" }, { cwd = "repo", timeout = "10s" })
---print(r.stdout)
---```
---@async
---@param argv string[]|string
---@param options? proc.Options
---@return proc.Result
function proc.run(argv, options) end

---The lines of a command's standard output, while it runs. Raises as `run` does, after the last line; a loop that is left
---earlier kills the command.
---
---```lua
---for line in proc.lines { "zcat", "log.gz" } do count = count + 1 end
---```
---@param argv string[]|string
---@param options? proc.Options
---@return async fun(): string?
function proc.lines(argv, options) end

---Starts a command beside the script. Its time limit is looked at while the script waits for it or talks with it.
---
---```lua
---local p = proc.spawn { "bc" }
---p.stdin:write("6 * 7\n")
---print(p.stdout:read())  --> 42
---p:wait()
---```
---@param argv string[]|string
---@param options? proc.Options
---@return proc.Process
function proc.spawn(argv, options) end

---Runs commands each of which reads what the one before it writes. The result is that of the last one that failed, with the
---output of the last; one that is cut short because the next reads no more has not failed.
---
---```lua
---proc.pipe({ { "zcat", "log.gz" }, { "sort", "-u" } }, { stdout = "unique.txt" })
---```
---@async
---@param commands string[][]
---@param options? proc.PipeOptions
---@return proc.Result
function proc.pipe(commands, options) end

---The file that a program's name stands for in `PATH`; nil when there is none that may be run.
---@nodiscard
---@param name string
---@return string?
function proc.which(name) end

---A list, or one string, as text that a shell reads back as the same words.
---
---```lua
---proc.quote { "ls", "a b" }  --> ls 'a b'
---```
---@nodiscard
---@param argv (string|number)[]|string
---@return string
function proc.quote(argv) end

---The words of a text, as a shell would see them without expanding anything. Raises `parse` when a quote is left open.
---
---```lua
---proc.split("ls 'a b'")  --> { "ls", "a b" }
---```
---@nodiscard
---@param text string
---@return string[]
function proc.split(text) end

---A command that runs beside the script.
---@class proc.Process
---@field pid integer   its number, which is that of its group too
---@field stdin proc.Input   what it reads; nil when given beforehand
---@field stdout proc.Output   what it writes; nil when not captured
---@field stderr proc.Output   the same of standard error
local Process = {}

---Closes its input, reads the rest of its output and waits for its end. Raises as `run` does, but not for a command that
---`kill` has sent a signal to.
---@async
---@return proc.Result
function Process:wait() end

---Sends a signal to its group: a number, or a name as "KILL"; default "TERM". False when it has ended already.
---@param signal? string|integer
---@return boolean
function Process:kill(signal) end

---The signal that ended it; nil while it runs, and when it ended by itself.
---@nodiscard
---@return integer?
function Process:signal() end

---What a command reads.
---@class proc.Input
local Input = {}

---Writes all of it. False when the command reads no more.
---@async
---@param data string
---@return boolean
function Input:write(data) end

---Ends what the command reads. Twice does no harm.
function Input:close() end

---What a command writes. While one stream is read the other is kept, up to `max_output`, so that the command need not wait.
---@class proc.Output
local Output = {}

---The next line ("l", the default; "L" with its end), all the rest ("a"), or at most so many bytes; nil at the end.
---@async
---@param what? "l"|"L"|"a"|integer
---@return string?
function Output:read(what) end

---An iterator over the lines that are left.
---@nodiscard
---@return async fun(): string?
function Output:lines() end

---Reads no more; a command that writes on is told by SIGPIPE.
function Output:close() end

return proc
