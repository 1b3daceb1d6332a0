//! For the tests of the library: a state with everything installed, and short ways to run Lua in it.

use std::path::Path;

use mlua::{FromLuaMulti, Lua, Value};

use super::{StdEnv, install};
use crate::lua::error::{Raised, describe};
use crate::lua::require::{Roots, install_require};

/// A state with the library, and `require` with its roots in `folder`.
pub fn state_in(folder: &Path) -> Lua {
    let lua = Lua::new();
    install(&lua, &StdEnv::quiet("test")).expect("the library installs");
    let roots = Roots { script_dir: folder.join("scripts"), root: folder.to_path_buf(), lua_path: None };
    install_require(&lua, &roots, None).expect("require installs");
    lua
}

/// A state for code that needs no files of the job.
pub fn state() -> Lua {
    state_in(Path::new("/nonexistent"))
}

/// Runs `code`; it must not fail.
pub fn run<R: FromLuaMulti>(lua: &Lua, code: &str) -> R {
    match lua.load(code).set_name("=test").eval() {
        Ok(results) => results,
        Err(error) => panic!("{error}\nin {code}"),
    }
}

/// What the expressions are, as `tbl.inspect` shows them on one line.
pub fn shown(lua: &Lua, expressions: &str) -> String {
    let code = format!(
        "local all = table.pack({expressions}) \
         for i = 1, all.n do all[i] = mpms.tbl.inspect(all[i], {{ newline = '', indent = '' }}) end \
         return table.concat(all, ', ')"
    );
    run(lua, &code)
}

/// Runs `code` with the value as its argument `...`.
pub fn run_with<R: FromLuaMulti>(lua: &Lua, code: &str, argument: impl mlua::IntoLuaMulti) -> R {
    match lua.load(code).set_name("=test").call(argument) {
        Ok(results) => results,
        Err(error) => panic!("{error}\nin {code}"),
    }
}

/// Runs `code`; it must raise, and this is what.
pub fn fails(lua: &Lua, code: &str) -> Raised {
    let body = lua.load(code).set_name("=test").into_function().expect("the code is Lua");
    let (ok, error): (bool, Value) =
        lua.globals().get::<mlua::Function>("pcall").and_then(|pcall| pcall.call(body)).expect("pcall works");
    assert!(!ok, "did not fail: {code}");
    describe(&error)
}

/// A program that the tests compare with, installed where that can be.
pub fn program(name: &str) -> std::process::Command {
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    INSTALLED.call_once(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library/data.sh");
        let status = std::process::Command::new(script).status().expect("the script runs");
        assert!(status.success(), "tests/library/data.sh says what is missing");
    });
    std::process::Command::new(name)
}

/// Runs it; it must not fail. What it wrote.
pub fn output(command: &mut std::process::Command) -> Vec<u8> {
    let done = command.output().expect("the program starts");
    let words = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{command:?}: {words}{}", String::from_utf8_lossy(&done.stdout));
    done.stdout
}
