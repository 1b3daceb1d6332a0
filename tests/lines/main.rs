//! `mpms lua` on a terminal.

use std::path::Path;
use std::process::Command;

#[test]
fn a_person_types_lines() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lines/session.py");
    let ran = Command::new("python3").arg(script).arg(env!("CARGO_BIN_EXE_mpms")).output();
    let ran = ran.expect("python3, which plays the terminal, can be started");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
