//! The shims as the rocks' own readers use them.

use crate::lua::std::testing::{fails, run, state};

#[test]
fn inspect_writes_as_the_rock_does() {
    let lua = state();
    for (value, text) in [
        ("nil", "nil"),
        ("'a\\n\"b\\0'", r#"'a\n"b\0'"#),
        ("{}", "{}"),
        ("{ 1, 2, 'x' }", r#"{ 1, 2, "x" }"#),
        ("{ a = 1, b = 2 }", "{\n  a = 1,\n  b = 2\n}"),
        ("{ 1, 2, a = { b = true } }", "{ 1, 2,\n  a = {\n    b = true\n  }\n}"),
        ("{ ['end'] = 1, [1.5] = 2, ['a b'] = 3 }", "{\n  [1.5] = 2,\n  [\"a b\"] = 3,\n  [\"end\"] = 1\n}"),
        ("{ print, print, sleep }", "{ <function 1>, <function 1>, <function 2> }"),
        ("mpms.null", "mpms.null"),
        ("setmetatable({}, { x = 1 })", "{\n  <metatable> = {\n    x = 1\n  }\n}"),
    ] {
        assert_eq!(run::<String>(&lua, &format!("return (require 'inspect')({value})")), text, "{value}");
    }
    let cycle: String = run(&lua, "local t = { 1 } t.t = t return (require 'inspect').inspect(t)");
    assert_eq!(cycle, "<1>{ 1,\n  t = <table 1>\n}");
    let options = "local i = require 'inspect' \
                   local t = { a = { b = { c = 1 } } } \
                   local p = i({ a = 1, b = 2 }, { newline = '', indent = '', process = function(v, path) \
                     if path[#path] ~= i.KEY and v == 2 then return 'two' end return v end }) \
                   return i(t, { depth = 2, newline = '', indent = '' }), p";
    let (shallow, processed): (String, String) = run(&lua, options);
    assert_eq!((shallow.as_str(), processed.as_str()), ("{a = {b = {...}}}", r#"{a = 1,b = "two"}"#));
}

#[test]
fn lfs_gives_what_the_rock_gives() {
    let lua = state();
    let folder = tempfile::tempdir().expect("a folder");
    lua.globals().set("d", folder.path().to_str().expect("text")).expect("set");
    let code = r#"
        local lfs = require "lfs"
        assert(lfs.mkdir(d .. "/a") and select(3, lfs.mkdir(d .. "/a")) == 17)
        assert(lfs.mkdir(d .. "/x/y") == nil)
        mpms.fs.write(d .. "/f.txt", "hello")
        assert(lfs.attributes(d .. "/f.txt", "size") == 5 and lfs.attributes(d .. "/f.txt").mode == "file")
        assert(lfs.attributes(d).mode == "directory")
        assert(#lfs.attributes(d .. "/f.txt", "permissions") == 9)
        assert(math.type(lfs.attributes(d, "modification")) == "integer")
        local none, problem, number = lfs.attributes(d .. "/none")
        assert(none == nil and problem:find "No such file" and number == 2)
        assert(lfs.touch(d .. "/f.txt", 1000) and lfs.attributes(d .. "/f.txt", "modification") == 1000)
        assert(lfs.link("f.txt", d .. "/l", true) and lfs.symlinkattributes(d .. "/l", "mode") == "link")
        assert(lfs.attributes(d .. "/l", "mode") == "file" and lfs.attributes "/dev/null".mode == "char device")
        assert(lfs.symlinkattributes(d .. "/l", "target") == "f.txt" and lfs.symlinkattributes(d .. "/l").target == "f.txt")
        assert(select(3, lfs.symlinkattributes(d, "target")) == 22 and not pcall(lfs.attributes, d .. "/l", "target"))
        local names = {}
        for name in lfs.dir(d) do names[#names + 1] = name end
        assert(table.concat(names, " ") == ". .. a f.txt l", table.concat(names, " "))
        assert(lfs.rmdir(d .. "/a") and lfs.rmdir(d .. "/a") == nil and lfs.rmdir(d .. "/f.txt") == nil)
        assert(select(2, lfs.rmdir(d .. "/a")) == "No such file or directory")
        assert(lfs.currentdir():sub(1, 1) == "/" and lfs.chdir("/") == nil)
        assert(not pcall(lfs.dir, d .. "/none") and not pcall(lfs.attributes, d, "color"))
        return true
    "#;
    assert!(run::<bool>(&lua, code));
}

#[test]
fn socket_has_its_two_functions_and_names_the_rest() {
    let lua = state();
    let code =
        "local s = require 'socket' local t = s.gettime() s.sleep(0.01) return s.gettime() - t >= 0.01";
    assert!(run::<bool>(&lua, code));
    assert!(fails(&lua, "require 'socket'.tcp()").message.contains("mpms.net"));
}
