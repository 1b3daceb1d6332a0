---@meta _

---What specs have besides: the words of busted, for files that `mpms test` runs.

---A block of tests, in which blocks may be too. Names of blocks stand before those of their tests: `crawl: follows links`.
---
---```lua
---describe("prices", function()
---  it("are rounded", function() assert.equal("2.50", prices.text(2.499)) end)
---end)
---```
---@param name string
---@param body fun()
function describe(name, body) end

---The same as `describe`.
---@param name string
---@param body fun()
function context(name, body) end

---A block after which globals and loaded modules are as they were.
---@param name string   may be left out
---@param body fun()
---@overload fun(body: fun())
function insulate(name, body) end

---A block whose globals and modules stay, also inside of `insulate`.
---@param name string   may be left out
---@param body fun()
---@overload fun(body: fun())
function expose(name, body) end

---A test. Without a body it is still to be written.
---@param name string
---@param body? async fun()
function it(name, body) end

---The same as `it`.
---@param name string
---@param body? async fun()
function spec(name, body) end

---A test that is still to be written; inside of a test: it ends here, and counts as that.
---@param name? string   what is missing
---@param body? fun()   never called
function pending(name, body) end

---Before each test of the block and of those in it.
---@param body async fun()
function before_each(body) end

---After each test of the block and of those in it, also when it failed.
---@param body async fun()
function after_each(body) end

---Once, before the first test of the block that runs.
---@param body async fun()
function setup(body) end

---Once, after its last one.
---@param body async fun()
function teardown(body) end

---The same as `setup`.
---@param body async fun()
function lazy_setup(body) end

---The same as `teardown`.
---@param body async fun()
function lazy_teardown(body) end

---The same as `setup`.
---@param body async fun()
function strict_setup(body) end

---The same as `teardown`.
---@param body async fun()
function strict_teardown(body) end

---After the test that calls it, however that ends.
---@param body async fun()
function finally(body) end

---For files that busted runs too: does nothing, tests run in the order of the file.
---@param ... any
function randomize(...) end

---`mpms.test`; a call of it is one of `it`.
---@class spec.Test: mpms.test
---@overload fun(name: string, body?: async fun())
test = {}

---A function that remembers how it was called.
---@class spec.Spy
---@field calls {vals: any[], refs: any[]}[]   its arguments: copies, and what was passed
---@field returnvals {vals: any[], refs: any[]}[]   and what it returned
---@overload fun(...: any): ...any
local Spy = {}

---Forgets the calls so far.
---@return spec.Spy
function Spy:clear() end

---Puts back what it took the place of; after the test that happens by itself.
---@return function
function Spy:revert() end

---Whether it was called, or so many times; and how many times it was.
---@param times? integer
---@return boolean
---@return integer
function Spy:called(times) end

---Whether one of the calls was with these arguments.
---@param ... any   or matchers: `match._`
---@return boolean
function Spy:called_with(...) end

---Whether one of the calls returned these values.
---@param ... any
---@return boolean
function Spy:returned_with(...) end

---A spy that answers by itself. Its functions are called with a dot.
---@class spec.Stub: spec.Spy
---@field returns fun(...: any): spec.Stub   from now on it returns that
---@field invokes fun(f: function): spec.Stub   from now on it calls that
---@field by_default spec.Answer   the same
---@field on_call_with fun(...: any): spec.Answer   for calls with these arguments alone

---@class spec.Answer
---@field returns fun(...: any): spec.Stub
---@field invokes fun(f: function): spec.Stub

---Makes functions that remember how they were called.
---
---```lua
---local write = spy.on(fs, "write")
---report.save()
---assert.spy(write).was.called_with("out/report.txt", match._)
---```
---@class spec.Spies
---@overload fun(target?: function): spec.Spy
spy = {}

---A spy around a function.
---@param target? function
---@return spec.Spy
function spy.new(target) end

---Puts a spy in the place of a function of a table, which it calls.
---@param object table
---@param key any
---@return spec.Spy
function spy.on(object, key) end

---Whether it is a spy or a stub.
---@param value any
---@return boolean
function spy.is_spy(value) end

---Puts functions that answer by themselves in the place of others.
---
---```lua
---stub(os, "time").returns(0)
---```
---@class spec.Stubs
---@overload fun(object?: table, key?: any, ...: any): spec.Stub
stub = {}

---Puts one in the place of a function of a table.
---@param object? table   without it the stub stands alone
---@param key? any
---@param ... any   what it returns, or one function that it calls
---@return spec.Stub
function stub.new(object, key, ...) end

---Puts spies in the place of all functions of a table.
---@class spec.Mocks
---@overload fun(object: table, with_stubs?: boolean): table
mock = {}

---Puts spies in the place of all functions of a table and of the tables in it.
---@param object table
---@param with_stubs? boolean   functions that do nothing; default false: the old ones are called
---@return table object
function mock.new(object, with_stubs) end

---Puts back all of them.
---@param object table
---@return table object
function mock.revert(object) end

---Lets all of them forget their calls.
---@param object table
---@return table object
function mock.clear(object) end

---Stands for arguments of `called_with`: `match._` for any, `match.is_number()`, `match.matches("^a")`: an assertion
---without the value.
---@class spec.Matchers
---@field _ table
---@field [string] fun(...: any): table
match = {}

---What holds.
---
---The last argument, which may be left out, is shown when it does not. Before each name may stand `is`, `are`, `was`, `has`,
---`does`, `be`, and `not` and `no` for the opposite, with a dot or `_` behind: `assert.is_not_nil(v)`, `assert.are.same(a, b)`.
---Of an error that is expected as a table the fields count that are in the table. All of them return what they got.
---@class spec.Assert
---@overload fun<T>(value?: T, message?: any, ...: any): std.NotNull<T>
---@field same fun(expected: any, actual: any, message?: any): ...any   the same content, at any depth
---@field equal fun(expected: any, actual: any, message?: any): ...any   `==`
---@field equals fun(expected: any, actual: any, message?: any): ...any   the same
---@field near fun(expected: number, actual: any, tolerance: number, message?: any): ...any
---@field is_true fun(value: any, message?: any): ...any   `true` itself
---@field is_false fun(value: any, message?: any): ...any   `false` itself
---@field is_nil fun(value: any, message?: any): ...any
---@field truthy fun(value: any, message?: any): ...any   neither nil nor false
---@field falsy fun(value: any, message?: any): ...any
---@field falsey fun(value: any, message?: any): ...any   the same
---@field boolean fun(value: any, message?: any): ...any
---@field number fun(value: any, message?: any): ...any
---@field integer fun(value: any, message?: any): ...any   a number of that kind: `3`, not `3.0`
---@field string fun(value: any, message?: any): ...any
---@field table fun(value: any, message?: any): ...any
---@field is_function fun(value: any, message?: any): ...any   or what can be called
---@field userdata fun(value: any, message?: any): ...any
---@field thread fun(value: any, message?: any): ...any
---@field matches fun(pattern: string, text: any, init?: integer, plain?: boolean, message?: any): ...any   a pattern of Lua
---@field match fun(pattern: string, text: any, init?: integer, plain?: boolean, message?: any): ...any   the same
---@field unique fun(list: table, deep?: boolean, message?: any): ...any   no value is in it twice
---@field property fun(name: any, object: table, message?: any): ...any   the table has it
---@field error fun(f: function, expected?: any, message?: any): any   it raises that; returns what it raised
---@field errors fun(f: function, expected?: any, message?: any): any   the same
---@field has_error fun(f: function, expected?: any, message?: any): any   the same
---@field error_matches fun(f: function, pattern: string, init?: integer, plain?: boolean, message?: any): any   it raises that
---@field error_match fun(f: function, pattern: string, init?: integer, plain?: boolean, message?: any): any   the same
---@field matches_error fun(f: function, pattern: string, init?: integer, plain?: boolean, message?: any): any   the same
---@field match_error fun(f: function, pattern: string, init?: integer, plain?: boolean, message?: any): any   the same
---@field returned_arguments fun(count: integer, ...: any): ...any   so many values
---@field fail fun(message?: any)
---@field spy fun(spy: spec.Spy): spec.AssertSpy   of its calls
---@field stub fun(stub: spec.Spy): spec.AssertSpy   the same
---@field is spec.Assert
---@field are spec.Assert
---@field was spec.Assert
---@field has spec.Assert
---@field does spec.Assert
---@field no spec.Assert
---@field is_not spec.Assert
---@field are_not spec.Assert
---@field has_no spec.Assert
---@field does_not spec.Assert
---@field [string] fun(...: any): ...any
assert = {}

---What holds of the calls of a spy. `was`, `has`, `not` and so on stand before a name as in `assert`.
---@class spec.AssertSpy
---@field called fun(times?: integer)   or at all
---@field called_times fun(times: integer)
---@field called_at_least fun(times: integer)
---@field called_at_most fun(times: integer)
---@field called_more_than fun(times: integer)
---@field called_less_than fun(times: integer)
---@field called_with fun(...: any)   one of them had these; `match._` stands for any argument
---@field returned_with fun(...: any)
---@field was spec.AssertSpy
---@field was_not spec.AssertSpy
---@field has spec.AssertSpy
---@field has_not spec.AssertSpy
---@field is spec.AssertSpy
---@field is_not spec.AssertSpy
---@field [string] fun(...: any)
