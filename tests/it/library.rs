//! What library functions do to the machine, as seen from outside of the program.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn lua(folder: &Path, code: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpms"));
    command.args(["lua", "-e", code]).current_dir(folder);
    command
}

#[track_caller]
fn text(said: &Output) -> String {
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).into_owned()
}

#[test]
fn a_command_reads_nothing_of_the_input_of_the_program() {
    let folder = TempDir::new().expect("a folder");
    let code = r#"
        local proc = mpms.proc
        local n = #proc.run({ "cat" }).stdout + #proc.pipe({ { "cat" }, { "cat" } }).stdout
        for line in proc.lines { "cat" } do n = n + #line end
        print(n, io.read("a"))"#;
    let mut child = lua(folder.path(), code)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("mpms can be started");
    child.stdin.take().expect("piped").write_all(b"for the script").expect("written");
    assert_eq!(text(&child.wait_with_output().expect("it ends")), "0\tfor the script\n");
}

#[test]
fn the_ground_that_a_script_stands_on_is_not_removed() {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("a/b");
    fs::create_dir_all(&place).expect("folders");
    fs::create_dir(folder.path().join("ab")).expect("a folder");
    let code = r#"
        local fs = mpms.fs
        for _, path in ipairs { ".", "..", "../../a", "../b/../../a/b", "../../a/b/" } do
          local _, e = try(fs.remove, path, { recursive = true })
          assert(e and e.code == "invalid" and e.message:find "working directory", path)
        end
        print(fs.remove("../../ab", { recursive = true }))"#;
    assert_eq!(text(&lua(&place, code).output().expect("it runs")), "true\n");
    assert!(place.is_dir() && !folder.path().join("ab").exists());
}

#[test]
fn files_of_commands_need_no_more_than_there_are() {
    let folder = TempDir::new().expect("a folder");
    let code = r#"
        -- what has ended is not kept
        for i = 1, 300 do
          local f = assert(io.popen("exit 3"))
          assert(f:read("a") == "" and select(3, f:close()) == 3, i)
        end
        -- where others run a wait takes descriptors, or blocks
        local other = mpms.co.spawn(function() sleep(60) end)
        local f, all = io.popen("sleep 0.1; echo word; exit 4"), {}
        repeat all[#all + 1] = io.open "/dev/null" until not io.open "/dev/null"
        local word, _, _, status = f:read(), f:close()
        other:cancel()
        print(word, status)"#;
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 200 && exec \"$0\" lua -e \"$1\"", env!("CARGO_BIN_EXE_mpms"), code]);
    assert_eq!(text(&limited.current_dir(folder.path()).output().expect("it runs")), "word\t4\n");
}

/// The calls that decide what a power cut leaves, in their order.
#[test]
fn a_synced_write_is_on_the_disk_before_it_has_its_name() {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().canonicalize().expect("a folder");
    let calls = |code: &str| -> Vec<String> {
        let own = lua(&root, code);
        let done = crate::tool("strace", "strace")
            .args(["-f", "-y", "-qq", "-e", "trace=fsync,fdatasync,rename,renameat,renameat2", "-o", "calls"])
            .arg(own.get_program())
            .args(own.get_args())
            .current_dir(&root)
            .output()
            .expect("strace runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let calls = fs::read_to_string(root.join("calls")).expect("what it saw");
        let calls = calls.lines().filter(|line| line.contains(&*root.to_string_lossy())).map(|line| {
            let call = line.split(' ').find(|word| word.contains('(')).unwrap_or(line);
            match (call.split('(').next().unwrap_or_default(), line) {
                ("fsync" | "fdatasync", line) if line.contains(".part>") => "sync of the new file".to_owned(),
                ("fsync" | "fdatasync", line) if line.contains(&format!("<{}>", root.display())) => {
                    "sync of the folder".to_owned()
                }
                ("fsync" | "fdatasync", _) => "sync of the file".to_owned(),
                _ => "rename".to_owned(),
            }
        });
        calls.collect()
    };
    let path = root.join("x");
    let write = |options: &str| calls(&format!("mpms.fs.write({path:?}, 'text', {options})"));
    assert_eq!(write("{ sync = true }"), ["sync of the new file", "rename", "sync of the folder"]);
    assert_eq!(write("{ sync = true, atomic = false }"), ["sync of the file"]);
    assert_eq!(write("{}"), ["rename"]);
}
