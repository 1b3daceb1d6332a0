---@meta mpms.sqlite

---Databases in a file, with SQLite.
---
---A database is opened once for each thread, best at the top of the script file, and kept open: tasks of one thread share
---it. Several processes and threads may have one file open; writers wait for each other up to `busy_timeout`. Open it in
---the process that uses it: one that was opened before a fork is refused.
---
---Values: integers, floats and strings come back as they were given. A string that is UTF-8 is kept as text, any other as
---a blob; booleans are kept as 1 and 0. NULL is nil in rows and `mpms.null` in parameters. NaN, tables and other values
---are refused.
---
---Errors: `busy` (another process has the lock; retryable), `constraint` (`cause` says which, as
---`SQLITE_CONSTRAINT_UNIQUE`), `parse` for mistakes in SQL, with line and column, `no_space`, `corrupt`, `permission`
---(read-only), `cancelled`.
---@class mpms.sqlite
local sqlite = {}

---@class sqlite.OpenOptions
---@field readonly? boolean   the file must be there, and is not changed; default false
---@field wal? boolean   a write-ahead log: readers and a writer do not wait for each other; false changes nothing; default true
---@field busy_timeout? number|string   the longest wait for another process or another coroutine's transaction; default "5s"
---@field foreign_keys? boolean   whether they are enforced; default true

---Opens a database, which is made when there is none. `:memory:` is one without a file. Raises `not_found`, `permission`,
---`is_directory`, and `corrupt` for a file that is no database.
---
---```lua
---local db = sqlite.open("pages.db")
---db:exec "CREATE TABLE IF NOT EXISTS page (url PRIMARY KEY, title, size)"
---db:insert("page", { url = "https://example.org/", title = "Example", size = 1256 }, { ["or"] = "replace" })
---local row = db:one("SELECT title FROM page WHERE url = ?", { "https://example.org/" })
---```
---@async
---@nodiscard
---@param path string
---@param options? sqlite.OpenOptions
---@return sqlite.Database
function sqlite.open(path, options) end

---@alias sqlite.Value string|number|boolean|lightuserdata

---A database. Calls of several coroutines take turns, and those of others wait while a transaction is open. `close` is
---called when a `local db <close>` leaves its block.
---@class sqlite.Database
local Database = {}

---@class sqlite.QueryOptions
---@field list? boolean   rows are lists in the order of the columns, also of columns with the same name; default false

---Runs one statement; gives how many rows it changed, and the rowid that was inserted last.
---
---Parameters are a list for `?`, or a table for `:name`, `@name` and `$name`. Each must have a value, and no other may be
---there. PRAGMA and ATTACH work as they do in SQLite; extensions cannot be loaded. BEGIN and COMMIT are the business of
---`tx`.
---
---```lua
---local changes = db:exec("UPDATE page SET title = :t WHERE url = :u", { t = "New", u = url })
---```
---@async
---@param sql string
---@param params? sqlite.Value[]|table<string, sqlite.Value>
---@return integer changes
---@return integer last_id
function Database:exec(sql, params) end

---All rows of a query, by the names of the columns, and those names in their order. For many rows, `rows` needs less
---memory.
---@async
---@nodiscard
---@param sql string
---@param params? sqlite.Value[]|table<string, sqlite.Value>
---@param options? sqlite.QueryOptions
---@return table[] rows
---@return string[] columns
function Database:query(sql, params, options) end

---Goes over the rows of a query, for a loop; gives each row, and the names of the columns.
---
---Rows are read in batches. They are those of the beginning of the loop, whatever its body writes: before a call that
---writes, the rest is read into memory, and it is `too_large` when that is more than 256 MiB. A `break` ends the query.
---
---```lua
---for row in db:rows("SELECT url, size FROM page WHERE size > ?", { 1000 }) do print(row.url, row.size) end
---```
---@async
---@nodiscard
---@param sql string
---@param params? sqlite.Value[]|table<string, sqlite.Value>
---@param options? sqlite.QueryOptions
---@return fun(): table?, string[]? next
function Database:rows(sql, params, options) end

---The first row of a query, or nil, and the names of the columns.
---@async
---@nodiscard
---@param sql string
---@param params? sqlite.Value[]|table<string, sqlite.Value>
---@param options? sqlite.QueryOptions
---@return table? row
---@return string[] columns
function Database:one(sql, params, options) end

---The first value of the first row; nil when there is no row, or the value is NULL.
---@async
---@nodiscard
---@param sql string
---@param params? sqlite.Value[]|table<string, sqlite.Value>
---@return any
function Database:scalar(sql, params) end

---Runs a function within a transaction, which is kept when the function returns and rolled back when it raises or is
---cancelled; gives what the function returns.
---
---The transaction begins at once as a writer, and beginning and end are tried again for `busy_timeout` while another
---process has the lock. The function may wait. Its argument is the database within the transaction: coroutines that the
---function starts use that one. `tx` inside of `tx` is undone alone.
---
---```lua
---db:tx(function(tx)
---  tx:exec("UPDATE account SET sum = sum - ? WHERE id = ?", { 10, from })
---  tx:exec("UPDATE account SET sum = sum + ? WHERE id = ?", { 10, to })
---end)
---```
---@async
---@param fn async fun(tx: sqlite.Database): ...
---@return any ...   the results of `fn`
function Database:tx(fn) end

---@class sqlite.InsertOptions
---@field or? "ignore"|"replace"   what becomes of a row that breaks a constraint; without it, the error is raised

---Inserts a row, or a list of rows in one transaction: all of them or none. Gives how many were inserted, and the last
---rowid. Columns that a row does not name get their defaults; mpms.null is NULL.
---
---```lua
---db:insert("page", { { url = "a", size = 1 }, { url = "b", size = 2 } }, { ["or"] = "ignore" })
---```
---@async
---@param table string
---@param rows table<string, sqlite.Value>|table<string, sqlite.Value>[]
---@param options? sqlite.InsertOptions
---@return integer changes
---@return integer last_id
function Database:insert(table, rows, options) end

---Runs several statements, without parameters, as for a schema.
---@async
---@param sql string
function Database:script(sql) end

---@class sqlite.BackupOptions
---@field overwrite? boolean   a file that is there is replaced; default false

---Copies the database into one new file, also while others write; gives its size. The file is there whole or not at all.
---Raises `exists`.
---@async
---@param path string
---@param options? sqlite.BackupOptions
---@return integer size
function Database:backup(path, options) end

---Closes it, after the calls before have returned. Closing twice is closing once.
---@async
function Database:close() end

return sqlite
