-- Every module of Penlight loads from `lua_modules`, and works: run by tests/rocks/main.rs in a folder with that tree.
local fs, path = mpms.fs, mpms.path

local loaded = 0
for _, file in ipairs(fs.list "lua_modules/share/lua/5.4/pl") do
  local name = path.stem(file)
  if name ~= "init" and name ~= "strict" then
    assert(require("pl." .. name) ~= nil, name)
    loaded = loaded + 1
  end
end
require "pl"
-- last, as it makes unknown globals errors
require "pl.strict"
loaded = loaded + 2

local List, Map, Set, OrderedMap = require "pl.List", require "pl.Map", require "pl.Set", require "pl.OrderedMap"
local tablex, stringx, pretty, utils = require "pl.tablex", require "pl.stringx", require "pl.pretty", require "pl.utils"
local function same(a, b) assert(tablex.deepcompare(a, b), pretty.write(a) .. " is not " .. pretty.write(b)) end

-- containers and texts
same(List { 3, 1, 2 }:sorted(), List { 1, 2, 3 })
same(List.range(1, 6):filter(function(x) return x % 2 == 0 end):map("*", 10), List { 20, 40, 60 })
assert(Set { 1, 2 } + Set { 2, 3 } == Set { 1, 2, 3 } and Map { a = 1 }:get "a" == 1)
same(OrderedMap({ { b = 1 }, { a = 2 } }):keys(), List { "b", "a" })
same(tablex.merge({ a = 1 }, { b = 2 }, true), { a = 1, b = 2 })
same(stringx.split("a,b,c", ","), List { "a", "b", "c" })
assert(stringx.strip "  x " == "x" and ("abc"):find "b" == 2)
assert(require "pl.template".substitute("# for i = 1, 2 do\n$(i);\n# end\n") == "1;\n2;\n")
same(require "pl.sip".match("$v=$i", "x=10", { }) and "x", "x")
same(require "pl.lexer".lua "x = 1" () , "iden")
local seq, func = require "pl.seq", require "pl.func"
same(seq.copy(seq.map(func._1 * 2, { 1, 2 })), { 2, 4 })
same(require "pl.data".read(require "pl.stringio".open "a,b\n1,2\n").fieldnames, { "a", "b" })
same(require "pl.config".read(require "pl.stringio".open "[x]\ny=1\n"), { x = { y = 1 } })
local doc = require "pl.xml".parse "<a><b c='1'>x</b></a>"
assert(doc[1].tag == "b" and doc[1].attr.c == "1")
local Date = require "pl.Date"
assert(Date { year = 2026, month = 2, day = 28 }:add { day = 1 }:month() == 3)
local class = require "pl.class"
local Animal = class { _init = function(self, name) self.name = name end }
assert(class(Animal) ~= nil and Animal "x".name == "x")

-- what stands on `lfs`: files and folders
local plpath, dir, file = require "pl.path", require "pl.dir", require "pl.file"
assert(dir.makepath "made/by/penlight" and plpath.isdir "made/by/penlight" and not plpath.isfile "made")
assert(file.write("made/a.txt", "hello") and file.read "made/a.txt" == "hello" and plpath.getsize "made/a.txt" == 5)
assert(file.write("made/by/b.txt", "") and file.copy("made/a.txt", "made/by/c.txt"))
local names = dir.getallfiles("made", "*.txt"):map(plpath.basename):sort()
same(names, List { "a.txt", "b.txt", "c.txt" })
same(dir.getdirectories "made":map(plpath.basename), List { "by" })
local walked = 0
for root, dirs, files in dir.walk "made" do walked = walked + #dirs + #files + (root and 0 or 1) end
assert(walked == 5, walked)
assert(plpath.abspath "made" == plpath.join(plpath.currentdir(), "made") and plpath.relpath(plpath.abspath "made/by") == "made/by")
assert(math.type(file.modified_time "made/a.txt") == "integer")
assert(dir.rmtree "made" and not plpath.exists "made")

-- what stands on `debug`: tables from text, in which strings have no methods; comprehensions; environments of functions
same(pretty.read "-- a comment\n{ 1, x = { 'two' } }", { 1, x = { "two" } })
local function message(...) return select(2, ...) end
assert(message(pretty.read "{ ('x'):rep(9) }"):find "attempt to index a string value")
assert(message(pretty.read "{ function() end }"):find "cannot have functions" and ("x"):rep(2) == "xx")
same(pretty.load "a = 2 t = { 1 }", { a = 2, t = { 1 } })
assert(message(pretty.load("while true do ('x'):rep(1) end", { }, true)):find "attempt to index a string value")
assert(message(pretty.load("for i = 1, 1e9 do end", { }, true)) == "looping not allowed")
local C = require "pl.comprehension".new()
same(C "x ^ 2 for x if x % 2 == 0" { 1, 2, 4 }, { 4.0, 16.0 })
assert(C "sum(x * y for x for y)"({ 2, 3 }, { 4, 5 }) == 45 and C "max(x for x)" { 3, 5, 2 } == 5)
same(C "table(v, k for k, v in pairs(_1))" { a = 1 }, { "a" })
local function reads() return some_name end
local other = reads
assert(utils.getfenv(reads) == _G)
utils.setfenv(reads, { some_name = "own" })
assert(reads() == "own" and other() == "own" and utils.getfenv(print) == nil and utils.getfenv(function() end) == nil)
class.Named()
function Named:_init() self.is = true end
assert(rawget(_G, "Named") == Named and Named().is)
rawset(_G, "Named", nil)
seq.import()
same(("3 1 2"):gmatch "%d":copy(), { "3", "1", "2" })
debug.setmetatable(print, nil)
assert(not pcall(function() return print.copy end))

-- modules that run again, and whose environment is not that of all
local compat, fs_lfs = require "pl.compat", require "lfs"
package.loaded["pl.compat"] = nil
assert(require "pl.compat" ~= compat and require "pl.compat" == package.loaded["pl.compat"])
assert(require "pl.import_into"().List == List and fs_lfs.attributes("penlight.lua", "mode") == "file")
assert(package.searchpath("pl.List", package.path):find "lua_modules/share/lua/5.4/pl/List.lua")

-- what stands on the words of the command
local app = require "pl.app"
local command, program = app.lua()
assert(app.script_name() == "penlight.lua" and command:find "lua$" and arg[-2] == program)
mpms.fs.mkdir "linked"
mpms.fs.write("linked/start.lua", "")
mpms.fs.symlink("linked/start.lua", "start.lua")
local was, own = package.path, arg[0]
arg[0] = "start.lua"
local here = plpath.currentdir() .. "/"
assert(app.require_here() == here .. "linked/" and app.require_here(nil, true) == here)
arg[0], package.path, package.cpath = own, was, ""
local ran, status, said, complaint = utils.executeex(command .. " -e 'print(6 * 7)'")
assert(ran and status == 0 and said == "42\n")
local quits = "require 'pl.utils'.quit(3, 'no %s', 'more')"
ran, status, said, complaint = utils.executeex(command .. " -e " .. utils.quote_arg(quits))
assert(not ran and status == 3 and complaint == "no more\n")

-- and on the standard library as it is here
assert(utils.execute "exit 0" == true)
local ok, code, out = utils.executeex "echo hi"
assert(ok and code == 0 and out == "hi\n")
assert(type(debug.traceback()) == "string" and debug.getinfo(1).currentline > 0)
assert(rawget(debug, "getlocal") == nil and not pcall(debug.sethook, print, "l") and package.cpath == "")
assert(not pcall(function() return a_global_that_is_not_there end))
-- which also makes the tables of all globals strict; those of the library are it already
require "pl.strict".make_all_strict(_G)
assert(message(pcall(function() return math.sine end)):find "variable 'sine' is not declared in 'math'")
assert(tostring(message(pcall(function() return mpms.jsno end))):find "did you mean" and mpms.json.encode { 1 } == "[1]")

print(loaded .. " modules")
