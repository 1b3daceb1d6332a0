//! Where files are found, and which are refused.

use std::fs;
use std::rc::Rc;

use tempfile::TempDir;

use super::{Roots, install_require, loaded_files};
use crate::lua::std::testing::{fails, run, state_in};
use crate::lua::std::{StdEnv, install};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

#[test]
fn the_places_are_searched_in_order() {
    let folder = folder(&[
        ("scripts/a.lua", "return 'script'"),
        ("lib/a.lua", "return 'lib'"),
        ("lib/b/init.lua", "return 'b'"),
        ("c/d.lua", "return 'root'"),
        ("lua_modules/share/lua/5.4/pl/x.lua", "return ..."),
    ]);
    let lua = state_in(folder.path());
    let got: Vec<String> = run(&lua, "return { require 'a', require 'b', require 'c.d', (require 'pl.x') }");
    assert_eq!(got, ["script", "b", "root", "pl.x"]);
    let (name, path): (String, String) = run(&lua, "package.loaded['pl.x'] = nil return require 'pl.x'");
    assert_eq!(name, "pl.x");
    assert!(path.ends_with("lua_modules/share/lua/5.4/pl/x.lua"), "{path}");
    assert_eq!(run::<String>(&lua, "return package.cpath"), "");
}

#[test]
fn a_file_runs_once_under_all_its_names() {
    let folder = folder(&[
        ("scripts/a.lua", "return { require './n', require 'n', require './sub/n' }"),
        ("scripts/n.lua", "count = (count or 0) + 1 return { count }"),
        ("scripts/sub/n.lua", "return require '../n'"),
    ]);
    let lua = state_in(folder.path());
    assert!(run::<bool>(&lua, "local t = require 'a' return t[1] == t[2] and t[2] == t[3] and count == 1"));
    let files = loaded_files(&lua);
    assert_eq!(files.len(), 3);
    assert_eq!(files[0].name, "a");
    assert_eq!(files[1].hash, xxhash_rust::xxh3::xxh3_128(&fs::read(&files[1].path).expect("read")));
}

#[test]
fn a_name_that_was_taken_out_of_package_loaded_runs_its_file_again() {
    let folder = folder(&[
        ("scripts/n.lua", "count = (count or 0) + 1 if count == 2 then error 'no' end return { count }"),
        ("scripts/m.lua", "return require './n'"),
    ]);
    let lua = state_in(folder.path());
    let code = "local first = require 'n'
        assert(require 'm' == first and require './n' == first and count == 1)
        package.loaded.n = nil
        assert(not pcall(require, 'n') and count == 2)
        local third = require 'n'
        assert(third ~= first and third[1] == 3 and require 'n' == third and require './n' == third)
        assert(require 'm' == first and count == 3)
        package.loaded.lfs = nil
        return require 'lfs' == package.loaded.lfs";
    assert!(run::<bool>(&lua, code));
}

#[test]
fn a_path_can_be_searched_by_hand() {
    let folder = folder(&[("lib/a/b.lua", "")]);
    let lua = state_in(folder.path());
    let (found, none, why): (String, Option<String>, String) = run(
        &lua,
        "local none, why = package.searchpath('x', '/nowhere/?.lua') \
         return package.searchpath('a.b', package.path), none, why",
    );
    assert!(found.ends_with("lib/a/b.lua"), "{found}");
    assert!(none.is_none() && why.contains("no file '/nowhere/x.lua'"), "{why}");
}

#[test]
fn a_cycle_is_named() {
    let folder =
        folder(&[("scripts/a.lua", "return require 'b'"), ("scripts/b.lua", "return require './a'")]);
    let lua = state_in(folder.path());
    let e = fails(&lua, "require 'a'");
    assert!(e.message.contains("scripts/a.lua → "), "{}", e.message);
    assert!(e.message.ends_with("scripts/a.lua"), "{}", e.message);
    // The list of what is being loaded was left behind clean.
    assert!(fails(&lua, "require 'a'").message.contains("require each other"));
}

#[test]
fn a_file_that_is_not_there_lists_the_places_and_the_replacement() {
    let folder = folder(&[]);
    let lua = state_in(folder.path());
    let e = fails(&lua, "require 'cjson.util'");
    assert_eq!(e.code, "not_found");
    assert!(e.message.contains("use mpms.json instead"), "{}", e.message);
    assert!(e.message.contains("lib/cjson/util.lua'"), "{}", e.message);
    assert!(fails(&lua, "require 'mpms.tiem'").message.contains("did you mean `mpms.time`?"));
    assert_eq!(fails(&lua, "require(nil)").code, "invalid");
}

#[test]
fn a_rock_with_a_c_part_is_named() {
    let folder = folder(&[("lua_modules/lib/lua/5.4/term/core.so", "\x7fELF")]);
    let lua = state_in(folder.path());
    let e = fails(&lua, "require 'term.core'");
    assert!(e.message.contains("lua_modules/lib/lua/5.4/term/core.so is a C module"), "{}", e.message);
    assert!(run::<bool>(&lua, "return package.loadlib == nil and package.searchers == nil"));
}

#[test]
fn what_is_outside_of_the_project_is_refused() {
    let outside = folder(&[("secret.lua", "return 'secret'"), ("m/init.lua", "return 'linked folder'")]);
    let folder = folder(&[("scripts/a.lua", "return require '../../secret'"), ("lib/x.lua", "return 1")]);
    let name = outside.path().file_name().expect("a name").to_string_lossy().into_owned();
    let lua = state_in(folder.path());
    let beside = folder.path().parent().expect("a folder").join("secret.lua");
    let made = fs::write(&beside, "return 'beside'");
    let e = fails(&lua, &format!("require '../../{name}/secret'"));
    assert_eq!(e.code, "permission");
    assert!(e.message.contains("outside of the project"), "{}", e.message);
    assert!(made.is_err() || fails(&lua, "require 'a'").code == "permission");
    let _ = fs::remove_file(beside);
    std::os::unix::fs::symlink(outside.path().join("secret.lua"), folder.path().join("lib/s.lua"))
        .expect("link");
    assert_eq!(fails(&lua, "require 's'").code, "permission");
    let e = fails(&lua, &format!("package.path = '{}/?.lua' require 'secret'", outside.path().display()));
    assert_eq!(e.code, "permission");
    // a folder of the project may be a link
    fs::create_dir_all(folder.path().join("lua_modules/share/lua")).expect("made");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("lua_modules/share/lua/5.4"))
        .expect("link");
    let lua = state_in(folder.path());
    assert_eq!(run::<String>(&lua, "return (require 'm')"), "linked folder");
}

#[test]
fn names_of_known_rocks_are_there_unless_a_file_has_them() {
    let mine = folder(&[("lib/lfs.lua", "return 'mine'")]);
    let lua = state_in(mine.path());
    assert_eq!(run::<String>(&lua, "return (require 'lfs')"), "mine");
    assert!(run::<bool>(
        &lua,
        "return require 'cjson' == require 'cjson' and select(2, require 'inspect') == ':mpms:inspect'"
    ));
    let code = "local c, s = require 'cjson', require 'cjson.safe' \
                assert(c.encode { a = c.null } == '{\"a\":null}' and c.decode '[1]'[1] == 1) \
                assert(c.encode(setmetatable({}, c.array_mt)) == '[]' and c.encode(c.empty_array) == '[]') \
                local v, e = s.decode '{' assert(v == nil and type(e) == 'string') \
                assert(s.null == mpms.null and s.encode { 1 } == '[1]') \
                assert(not pcall(function() return c.encode_max_depth(5) end)) return true";
    assert!(run::<bool>(&lua, code));
}

#[test]
fn only_text_runs_and_errors_keep_their_place() {
    let folder =
        folder(&[("scripts/raise.lua", "#!/usr/bin/lua\nerror('here')"), ("scripts/bad.lua", "x =")]);
    fs::write(
        folder.path().join("scripts/byte.lua"),
        mlua::Lua::new().load("return 1").into_function().expect("f").dump(true),
    )
    .expect("written");
    let lua = state_in(folder.path());
    assert!(fails(&lua, "require 'raise'").message.ends_with("raise.lua:2: here"));
    assert_eq!(fails(&lua, "require 'bad'").code, "parse");
    let e = fails(&lua, "require 'byte'");
    assert!(e.message.contains("binary chunk"), "{}", e.message);
}

#[test]
fn a_builtin_is_never_shadowed_and_the_top_level_may_yield() {
    let folder = folder(&[
        ("scripts/mpms/time.lua", "return 'shadow'"),
        ("scripts/y.lua", "return coroutine.yield(1)"),
    ]);
    let lua = state_in(folder.path());
    assert!(run::<bool>(&lua, "return require 'mpms.time' == mpms.time"));
    let ok = run::<bool>(
        &lua,
        "local co = coroutine.wrap(function() return (require 'y') end) return co() == 1 and co(7) == 7 and require 'y' == 7",
    );
    assert!(ok);
}

#[test]
fn a_file_that_changed_is_refused_by_the_hook() {
    let folder = folder(&[("a.lua", "return 1")]);
    let lua = mlua::Lua::new();
    install(&lua, &StdEnv::quiet("worker")).expect("installs");
    let on_load =
        Rc::new(|file: &super::LoadedFile| Err(format!("{} changed since the run began", file.name)));
    let roots = Roots { script_dir: folder.path().into(), root: folder.path().into(), lua_path: None };
    install_require(&lua, &roots, Some(on_load)).expect("installs");
    let e = fails(&lua, "require 'a'");
    assert_eq!(e.code, "changed");
    assert!(e.message.ends_with("a changed since the run began"));
}

/// Outside of the project: modules that refer to each other, and one that is a link.
fn vendor() -> TempDir {
    let vendor = folder(&[
        ("share/v.lua", "return { require './pl/w', require 'own' }"),
        ("share/pl/w.lua", "return 'w'"),
        ("share/up.lua", "return require '../secret'"),
        ("share/lib.lua", "return 'vendored'"),
        ("stored/linked.lua", "return 'linked'"),
        ("secret.lua", "return 'secret'"),
    ]);
    std::os::unix::fs::symlink("../stored/linked.lua", vendor.path().join("share/linked.lua")).expect("link");
    vendor
}

fn state_with(project: &TempDir, lua_path: &str) -> mlua::Lua {
    let lua = mlua::Lua::new();
    install(&lua, &StdEnv::quiet("worker")).expect("installs");
    let lua_path = Some(lua_path.parse().expect("a path"));
    let roots = Roots { script_dir: project.path().into(), root: project.path().into(), lua_path };
    install_require(&lua, &roots, None).expect("installs");
    lua
}

#[test]
fn places_of_the_command_line_go_before_the_usual_ones_or_instead() {
    let (vendor, project) =
        (vendor(), folder(&[("own.lua", "return 'own'"), ("lib/lib.lua", "return 'lib'")]));
    let share = vendor.path().join("share");
    let lua = state_with(&project, &format!("{}/?.lua;;", share.display()));
    let got: Vec<String> =
        run(&lua, "local v = require 'v' return { v[1], v[2], require 'linked', (require 'lib') }");
    assert_eq!(got, ["w", "own", "linked", "vendored"]);
    assert!(run::<bool>(
        &lua,
        "return package.path:find('share/?.lua;', 1, true) ~= nil and require 'mpms.json' == mpms.json"
    ));
    let lua = state_with(&project, &format!(";;{}/?.lua", share.display()));
    assert_eq!(run::<String>(&lua, "return (require 'lib')"), "lib");
    let lua = state_with(&project, &format!("{}/?.lua", share.display()));
    let e = fails(&lua, "require 'own'");
    assert!(
        e.message.contains("share/own.lua'\n\tand nowhere else: --lua-path has no `;;`"),
        "{}",
        e.message
    );
    assert_eq!(run::<String>(&lua, "return type(require 'lfs')"), "table");
}

#[test]
fn the_folders_of_the_command_line_are_open_and_no_others() {
    let (vendor, project) = (vendor(), folder(&[]));
    let share = vendor.path().join("share");
    let lua = state_with(&project, &format!("{}/?.lua;;", share.display()));
    for code in ["require 'up'", "package.path = package.path:gsub('share', '.') require 'secret'"] {
        let e = fails(&lua, code);
        assert_eq!(e.code, "permission", "{code}");
        assert!(e.message.contains("or name its folder with --lua-path"), "{}", e.message);
    }
    // the name is no way out
    let lua = state_with(&project, &format!("{}/?.lua;;", share.display()));
    assert_eq!(fails(&lua, "require '..secret'").code, "not_found");
}
