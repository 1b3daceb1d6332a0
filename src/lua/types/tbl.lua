---@meta mpms.tbl

---Work on tables. Nothing that is given is changed, and every function that is given may wait.
---
---A list is a table with the keys 1 to n and no other. Lists are gone through from 1 to n, other tables by their sorted
---keys, so that the order is the same each time. Metatables are kept by `copy` and `deep_copy`, and not looked at elsewhere.
---@class mpms.tbl
local tbl = {}

---A table with `f(value, key)` under each key. A nil leaves the key out; in a list that makes a hole.
---@generic K, V, R
---@param table table<K, V>
---@param f async fun(value: V, key: K): R
---@return table<K, R>
function tbl.map(table, f) end

---The items for which `f(value, key)` is true: a list without gaps, or a table with the same keys.
---@generic K, V
---@param table table<K, V>
---@param f async fun(value: V, key: K): boolean?
---@return table<K, V>
function tbl.filter(table, f) end

---What `f(result, value, key)` makes of all items, one after the other.
---
---Without `initial` the first item is where it begins; an empty table raises then.
---
---```lua
---tbl.reduce({ 1, 2, 3 }, function(sum, n) return sum + n end, 0)  --> 6
---```
---@generic K, V, R
---@param table table<K, V>
---@param f async fun(result: R, value: V, key: K): R
---@param initial? R
---@return R
function tbl.reduce(table, f, initial) end

---Calls `f(value, key)` for each item.
---@generic K, V
---@param table table<K, V>
---@param f async fun(value: V, key: K)
function tbl.each(table, f) end

---The first item for which `f(value, key)` is true, and its key; or nil.
---@generic K, V
---@param table table<K, V>
---@param f async fun(value: V, key: K): boolean?
---@return V? value
---@return K? key
function tbl.find(table, f) end

---The keys, sorted: numbers, booleans, strings, then what has no order.
---@generic K
---@param table table<K, any>
---@return K[]
function tbl.keys(table) end

---The values, in the order of their keys.
---@generic V
---@param table table<any, V>
---@return V[]
function tbl.values(table) end

---For the generic `for`: keys and values in the order of the keys.
---@generic K, V
---@param table table<K, V>
---@param compare? fun(a: K, b: K): boolean   whether `a` comes first
---@return fun(): K, V
function tbl.pairs_sorted(table, compare) end

---One table with all keys of the given ones; the later wins.
---@param ... table
---@return table
function tbl.merge(...) end

---The same, with tables inside of tables merged too. Lists are replaced as a whole.
---
---```lua
---tbl.deep_merge(defaults, { retry = { times = 5 } })
---```
---@param ... table
---@return table
function tbl.deep_merge(...) end

---A new table with the same items and metatable.
---@generic T: table
---@param table T
---@return T
function tbl.copy(table) end

---A copy down to the last table. A table that is met twice is one in the copy as well, and so are cycles.
---@generic T
---@param value T
---@return T
function tbl.deep_copy(value) end

---Whether two values are the same down to the last table. Cycles are compared too; `__eq` counts, other metamethods do not.
---@nodiscard
---@param a any
---@param b any
---@return boolean
function tbl.equal(a, b) end

---A part of a list, both ends included; negative places count from its end.
---
---```lua
---tbl.slice({ 1, 2, 3, 4 }, 2, -2)  --> { 2, 3 }
---```
---@generic V
---@param list V[]
---@param from? integer   default 1
---@param to? integer   default -1
---@return V[]
function tbl.slice(list, from, to) end

---Lists of `size` items each, the last one with the rest.
---@generic V
---@param list V[]
---@param size integer
---@return V[][]
function tbl.chunk(list, size) end

---Lists of the items by what `f(value, key)` gives, or by the field of that name. A nil raises.
---
---```lua
---tbl.group_by(rows, "country")  --> { cz = { … }, de = { … } }
---```
---@generic V, G
---@param table table<any, V>
---@param f string|async fun(value: V, key: any): G
---@return table<G, V[]>
function tbl.group_by(table, f) end

---The first of the items that are the same, or of those with the same `f(value, index)` or field.
---@generic V
---@param list V[]
---@param f? string|async fun(value: V, index: integer): any
---@return V[]
function tbl.uniq(list, f) end

---@class tbl.SortOptions
---@field desc? boolean   the greatest first; default false

---The list sorted by what `f(value, index)` gives, or by the field of that name: all numbers, or all strings.
---
---Items with equal keys stay in their order. `f` is called once for each.
---@generic V
---@param list V[]
---@param f string|async fun(value: V, index: integer): number|string
---@param options? tbl.SortOptions
---@return V[]
function tbl.sort_by(list, f, options) end

---The list with the items of its lists in their place, `depth` levels down.
---@param list any[]
---@param depth? integer   0 to 200; default 1
---@return any[]
function tbl.flatten(list, depth) end

---A list of numbers: `range(n)` is 1 to n.
---
---```lua
---tbl.range(4, 1, -2)  --> { 4, 2 }
---```
---@param from number
---@param to? number
---@param step? number   default 1
---@return number[]
function tbl.range(from, to, step) end

---Rows of the first, second, … items of each list, as many as the shortest has.
---@param ... any[]
---@return any[][]
function tbl.zip(...) end

---@class tbl.InspectOptions
---@field depth? number   tables below are `{...}`; default without end
---@field indent? string   a level; default two blanks
---@field newline? string   default a line end
---@field metatable? boolean   whether metatables are shown; default true

---A value as a person reads it, the same each time. Cycles are shown as `<table 1>`.
---
---```lua
---tbl.inspect { 1, 2, name = "x" }
-----> { 1, 2,
----->   name = "x"
-----> }
---```
---@nodiscard
---@param value any
---@param options? tbl.InspectOptions
---@return string
function tbl.inspect(value, options) end

---Steps over the items of a table or of another iterator, each item made when it is asked for.
---
---A list gives its values, any other table its keys and values, a function all that it returns.
---
---```lua
---local long = tbl.iter(fs.lines(path)):filter(function(l) return #l > 80 end):take(10):totable()
---```
---@param source table|async fun(...): ...
---@param state? any   as in the generic `for`
---@param start? any   as in the generic `for`
---@return tbl.Iter
function tbl.iter(source, state, start) end

---What `tbl.iter` gives; the generic `for` takes it. Functions get all values of an item.
---@class tbl.Iter
local Iter = {}

---`f(...)` of each item. A nil leaves the item out.
---@param f async fun(...): ...
---@return tbl.Iter
function Iter:map(f) end

---The items for which `f(...)` is true.
---@param f async fun(...): boolean?
---@return tbl.Iter
function Iter:filter(f) end

---The first items.
---@param count integer
---@return tbl.Iter
function Iter:take(count) end

---The items up to the first for which `f(...)` is not true.
---@param f async fun(...): boolean?
---@return tbl.Iter
function Iter:take_while(f) end

---All but the first items.
---@param count integer
---@return tbl.Iter
function Iter:skip(count) end

---Each item with its number before it, from 1.
---@return tbl.Iter
function Iter:enumerate() end

---The items of items that are lists, and the others as they are.
---@return tbl.Iter
function Iter:flatten() end

---Lists of `size` items each, the last one with the rest.
---@param size integer
---@return tbl.Iter
function Iter:chunk(size) end

---Calls `f(...)` for each item.
---@param f async fun(...)
function Iter:each(f) end

---What `f(result, ...)` makes of all items; without `initial` the first one is where it begins.
---@param f async fun(result: any, ...): any
---@param initial? any
---@return any
function Iter:reduce(f, initial) end

---The first item for which `f(...)` is true, or nil.
---@param f async fun(...): boolean?
---@return any ...
function Iter:find(f) end

---Whether `f(...)` is true for an item.
---@param f async fun(...): boolean?
---@return boolean
function Iter:any(f) end

---Whether `f(...)` is true for all items.
---@param f async fun(...): boolean?
---@return boolean
function Iter:all(f) end

---How many items there are.
---@return integer
function Iter:count() end

---The items as one text.
---@param separator? string   default none
---@return string
function Iter:join(separator) end

---A list of the items; an item of several values is a list itself.
---@return any[]
function Iter:totable() end

---A table of items that are a key and a value.
---@return table
function Iter:tomap() end

return tbl
