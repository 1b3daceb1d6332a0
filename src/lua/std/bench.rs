//! Measurements, run by hand: `cargo test --release --lib lua::std::bench -- --ignored --nocapture`.
#![expect(clippy::print_stdout, reason = "a measurement tells its figure")]

use std::time::Instant;

use super::testing::{run, state};

#[test]
#[ignore = "a measurement"]
fn a_call() {
    let lua = state();
    let per: f64 = run(
        &lua,
        "local f, n = mpms.path.is_abs, 2000000
         local t = os.clock() for i = 1, n do f('/a') end return (os.clock() - t) / n * 1e9",
    );
    let raw = lua.create_function(|_, s: mlua::LuaString| Ok(s.as_bytes().starts_with(b"/"))).expect("made");
    lua.globals().set("raw", raw).expect("set");
    let bare: f64 = run(
        &lua,
        "local f, n = raw, 2000000
         local t = os.clock() for i = 1, n do f('/a') end return (os.clock() - t) / n * 1e9",
    );
    let failing: f64 = run(
        &lua,
        "local f, n = mpms.path.is_abs, 200000
         local t = os.clock() for i = 1, n do try(f) end return (os.clock() - t) / n * 1e9",
    );
    println!("library call {per:.0} ns, bare mlua call {bare:.0} ns, failing call in try {failing:.0} ns");
}

#[test]
#[ignore = "a measurement"]
fn a_state() {
    let states: Vec<mlua::Lua> = (0..200).map(|_| mlua::Lua::new()).collect();
    let start = Instant::now();
    for lua in &states {
        super::install(lua, &super::StdEnv::quiet("test")).expect("installs");
    }
    let library = start.elapsed() / 200;
    let start = Instant::now();
    for lua in &states {
        let roots = crate::lua::require::Roots { script_dir: ".".into(), root: ".".into(), on_load: None };
        crate::lua::require::install_require(lua, &roots).expect("installs");
    }
    println!("install {library:?}, require {:?} a state", start.elapsed() / 200);
}
