---@meta mpms.csv

---Comma-separated values (RFC 4180), a row at a time.
---
---A row is a table with the names of the header as its keys, or a list of cells without a header. Cells are strings of
---any bytes. A byte order mark is passed over, and one of UTF-16 is believed. Blank lines are no rows.
---@class mpms.csv
local csv = {}

---@class csv.Options
---@field header? boolean|string[]   the first row names the columns (true, the default), there are no names (false), or these
---@field sep? string   between cells, one character; default `","`
---@field quote? string|false   around cells, one character, written twice inside of them; false for none; default `'"'`
---@field comment? string   lines that begin with this character are passed over
---@field trim? boolean   no blanks around cells; default false
---@field types? boolean|table<string|integer, "string"|"integer"|"number"|"boolean">   see `csv.rows`; default false
---@field null? any   what empty cells of typed columns become; default nil
---@field flexible? boolean   rows may have fewer or more cells, which then have numbers as keys; default false
---@field encoding? string   as `"latin1"` or `"utf-16le"`; without it bytes stay as they are
---@field max_size? integer|string   of one row; default 64 MiB

---@class csv.EncodeOptions
---@field fields? string[]   the columns in their order; without it all names of the rows, sorted
---@field sep? string   default `","`
---@field header? boolean   the names as the first row, when there are some; default true
---@field quote_all? boolean   also around cells that need none; default false
---@field crlf? boolean   lines end as in RFC 4180 and not with a line feed alone; default false
---@field bom? boolean   begin with a byte order mark, for Excel; default false
---@field escape_formulas? boolean   an apostrophe before `=`, `+`, `-`, `@`, unless it is a number; default false

---@class csv.WriterOptions
---@field fields? string[]   the columns in their order; needed for rows with names
---@field sep? string   default `","`
---@field header? boolean   `fields` as the first row; default true
---@field quote_all? boolean   also around cells that need none; default false
---@field crlf? boolean   lines end as in RFC 4180 and not with a line feed alone; default false
---@field bom? boolean   begin with a byte order mark, for Excel; default false
---@field escape_formulas? boolean   an apostrophe before `=`, `+`, `-`, `@`, unless it is a number; default false
---@field mkdir? boolean   make missing folders; default false

---An iterator over the rows of a file, or of a text in `{ text = … }`: each row and its number.
---
---The loop waits for the disk about once in 1000 rows; other coroutines run meanwhile, and may take from the same iterator.
---The file is closed when the loop is left. `types = true` makes numbers and
---booleans of cells that are written as such and lose nothing (`007` stays a string); a table names the type of columns,
---by name or by number, and then an empty cell is nil. Raises `parse` with row and line for a row of another length, a
---cell of another type, a quote that is not closed, and a header that has a name twice; `too_large` for a huge row.
---
---```lua
---for row, n in csv.rows("people.csv", { sep = ";", types = { age = "integer" } }) do
---  print(n, row.name, row.age)
---end
---```
---@nodiscard
---@param source string|{ text: string }   a path, or the text itself
---@param options? csv.Options
---@return fun(): table, integer
function csv.rows(source, options) end

---A list of the rows of a text.
---@nodiscard
---@param text string
---@param options? csv.Options
---@return table[]
function csv.decode(text, options) end

---The text of a list of rows. Raises `invalid` with the path of what is no cell.
---
---```lua
---csv.encode({ { name = "Ada", age = 36 }, { name = "Bob" } })
----->  age,name
----->  36,Ada
----->  ,Bob
---```
---@nodiscard
---@param rows table[]   all with names, or all lists
---@param options? csv.EncodeOptions
---@return string
function csv.encode(rows, options) end

---Writes a file row by row. It is there when the writer is closed: whole, or not at all.
---
---A scope that is left by an error discards what `local w <close>` has written; so does the end of the task.
---
---```lua
---local w <close> = csv.writer("out.csv", { fields = { "id", "name" } })
---w:row({ id = 1, name = "Ada" })
---```
---@nodiscard
---@param path string
---@param options? csv.WriterOptions
---@return csv.Writer
function csv.writer(path, options) end

---A file that is being written.
---@class csv.Writer
local Writer = {}

---Adds a row: a list of cells, or a table with the names of `fields`; a name that is not there gives an empty cell.
---
---Cells are strings, numbers, booleans, nil or null. A wrong row raises `invalid` and is not in the file.
---@param values table
function Writer:row(values) end

---Gives the file its name. Later calls do nothing.
function Writer:close() end

return csv
