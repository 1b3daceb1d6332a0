//! Rocks without C parts load from a `lua_modules` tree and work: Penlight, all of it.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Where the distribution has it; `luarocks --tree lua_modules` makes the same tree.
const PENLIGHT: &str = "/usr/share/lua/5.4/pl";

fn here(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rocks").join(name)
}

#[test]
fn every_module_of_penlight_loads_and_works() {
    let tools = Command::new(here("tools.sh")).output().expect("tools.sh can be started");
    assert!(tools.status.success(), "{}", String::from_utf8_lossy(&tools.stderr));
    let folder = tempfile::tempdir().expect("a folder");
    let tree = folder.path().join("lua_modules/share/lua/5.4/pl");
    fs::create_dir_all(&tree).expect("a folder can be made");
    for entry in fs::read_dir(PENLIGHT).expect("Penlight") {
        let entry = entry.expect("an entry");
        // the distribution links its versions to each other
        let text = fs::read(entry.path()).expect("a module");
        fs::write(tree.join(entry.file_name()), text).expect("a file can be written");
    }
    fs::write(folder.path().join("mpms.toml"), "").expect("a file can be written");
    fs::copy(here("penlight.lua"), folder.path().join("penlight.lua")).expect("a file can be copied");
    let mut mpms = Command::new(env!("CARGO_BIN_EXE_mpms"));
    let ran =
        mpms.args(["lua", "penlight.lua"]).current_dir(&folder).env("LUA_PATH", "/nowhere/?.lua").output();
    let ran = ran.expect("mpms can be started");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let count: usize = said.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
    assert!(count >= 38, "{said}");
}
