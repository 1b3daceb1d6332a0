use std::time::{Duration, Instant};

use super::{Command, CommandError, Finished, Start};
use crate::os::process::is_alive;

/// A time that only a hang can reach.
const FOR_EVER: &str = "1000";

fn sh(script: &str) -> Command {
    Command::new(["sh", "-c", script])
}

fn run(command: &Command) -> Finished {
    command.run().expect("run")
}

fn pid_in(output: &[u8]) -> i32 {
    String::from_utf8_lossy(output).trim().parse().expect("a pid")
}

fn wait_until_dead(pid: i32) {
    let start = Instant::now();
    while is_alive(pid) {
        assert!(start.elapsed() < Duration::from_secs(10), "process {pid} is still alive");
        std::thread::yield_now();
    }
}

#[test]
fn status_and_both_streams_come_back() {
    let done = run(&sh("echo out; echo err >&2; exit 3"));
    assert_eq!((done.code, done.signal), (Some(3), None));
    assert_eq!((&done.stdout[..], &done.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    assert!(!done.truncated && !done.timed_out && done.usage.max_rss_bytes > 0);
}

#[test]
fn a_signal_is_told() {
    assert_eq!(run(&sh("kill -9 $$")).signal, Some(9));
}

#[test]
fn a_large_input_goes_through_a_filter_without_a_deadlock() {
    let input = vec![b'x'; 3_000_000];
    let done = run(&Command { stdin: Some(input.clone()), ..Command::new(["cat"]) });
    assert!(done.stdout == input);
}

#[test]
fn a_command_that_does_not_read_its_input_is_no_error() {
    let done = run(&Command { stdin: Some(vec![0; 1_000_000]), ..sh("exec true") });
    assert_eq!(done.code, Some(0));
}

#[test]
fn without_input_it_reads_nothing() {
    assert_eq!(run(&Command::new(["cat"])).stdout, b"");
}

#[test]
fn long_output_is_cut_and_the_command_still_ends() {
    let done = run(&Command { max_output: 1000, ..sh("head -c 5000000 /dev/zero; echo end >&2") });
    assert_eq!((done.stdout.len(), done.truncated, done.code), (1000, true, Some(0)));
    assert_eq!(done.stderr, b"end\n");
}

#[test]
fn environment_and_folder_are_as_asked() {
    let env = vec![("A".into(), "b c".into())];
    let command = Command {
        env,
        clear_env: true,
        cwd: Some("/".into()),
        ..Command::new(["/bin/sh", "-c", "echo $A $HOME; pwd"])
    };
    assert_eq!(run(&command).stdout, b"b c\n/\n");
}

#[test]
fn at_its_timeout_it_may_clean_up() {
    // long enough for a busy machine to come to the trap
    let timeout = Some(Duration::from_secs(3));
    let done =
        run(&Command { timeout, ..sh(&format!("trap 'echo bye; exit 4' TERM; sleep {FOR_EVER} & wait")) });
    assert!(done.timed_out);
    assert_eq!((done.code, &done.stdout[..]), (Some(4), &b"bye\n"[..]));
}

#[test]
fn one_that_ignores_the_timeout_is_killed_with_its_group() {
    // long enough for a busy machine to come to the trap
    let (timeout, grace) = (Some(Duration::from_secs(3)), Duration::from_millis(100));
    let done = run(&Command {
        timeout,
        grace,
        ..sh(&format!("trap '' TERM; sleep {FOR_EVER} & echo $!; wait; wait"))
    });
    assert_eq!((done.timed_out, done.signal), (true, Some(9)));
    wait_until_dead(pid_in(&done.stdout));
}

#[test]
fn what_it_leaves_in_its_group_ends_with_it() {
    let done = run(&sh(&format!("sleep {FOR_EVER} & echo $!")));
    assert_eq!(done.code, Some(0));
    wait_until_dead(pid_in(&done.stdout));
}

#[test]
fn it_dies_with_the_thread_that_started_it() {
    let started = std::thread::spawn(|| Start::new(["sleep", FOR_EVER]).start().expect("it starts"));
    let started = started.join().expect("no panic");
    // nobody has killed it: it is still held
    wait_until_dead(started.child.pid());
}

#[test]
fn a_pipe_held_open_by_a_daemon_does_not_hang_it() {
    let start = Instant::now();
    let done = run(&sh(&format!(
        "setsid sleep {FOR_EVER} & echo $!; while [ $(ps -o sid= -p $!) != $! ]; do :; done"
    )));
    assert!(start.elapsed() < Duration::from_secs(20));
    let daemon = pid_in(&done.stdout);
    assert!(is_alive(daemon), "it has left the group");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(daemon), nix::sys::signal::Signal::SIGKILL)
        .expect("kill");
}

#[test]
fn the_caller_can_stop_it() {
    let asked = std::cell::Cell::new(0);
    let go_on = || {
        asked.set(asked.get() + 1);
        asked.get() < 3
    };
    let done = sh(&format!("exec sleep {FOR_EVER}")).run_while(&go_on).expect("run");
    assert_eq!((done.stopped, done.timed_out, done.signal), (true, false, Some(15)));
}

#[test]
fn what_cannot_be_started_is_named() {
    let told = |command: Command| command.run().expect_err("cannot start").to_string();
    assert!(matches!(Command::new([""; 0]).run(), Err(CommandError::Empty)));
    let path = std::env::var("PATH").expect("a path");
    assert_eq!(
        told(Command::new(["no-such-program"])),
        format!("`no-such-program` is not a program in PATH ({path}): install it, or give its path")
    );
    let lost = Command { cwd: Some("/no/folder".into()), ..sh("true") };
    assert_eq!(told(lost), "cannot run `sh` in /no/folder: there is no such folder");
    let mark = "it is no program, or not marked as one (chmod +x)";
    assert_eq!(told(Command::new(["/etc/passwd"])), format!("cannot run `/etc/passwd`: {mark}"));
    assert_eq!(told(Command::new(["/no/such"])), "cannot run `/no/such`: there is no such file");
    assert_eq!(told(Command::new(["/"])), format!("cannot run `/`: {mark}"));
    assert_eq!(told(Command::new(["/bin/ls\0"])), "cannot run `/bin/ls\0`");
    let folder = tempfile::tempdir().expect("folder");
    let script = folder.path().join("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).expect("mode");
    let said = told(Command::new([&script]));
    assert!(said.ends_with("the interpreter that its first line names is not there"), "{said}");
}

/// A file in the folder that can be run.
fn program(folder: &std::path::Path, name: &str, text: &str) -> std::path::PathBuf {
    let file = folder.join(name);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    std::fs::write(&file, text).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&file, mode).expect("mode");
    file
}

#[test]
fn a_file_without_an_interpreter_is_a_script_of_the_shell() {
    let folder = tempfile::tempdir().expect("folder");
    program(folder.path(), "plain", "echo \"$#: $1, $2\"\n");
    let env = vec![("PATH".into(), folder.path().into())];
    let command = Command { env, ..Command::new(["plain", "a b", "c"]) };
    assert_eq!(run(&command).stdout, b"2: a b, c\n");
}

#[test]
fn a_program_is_looked_for_in_the_path_that_it_gets() {
    let folder = tempfile::tempdir().expect("folder");
    let denied = program(folder.path(), "first/tool", "#!/bin/sh\necho first\n");
    std::fs::set_permissions(&denied, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("mode");
    program(folder.path(), "second/tool", "#!/bin/sh\necho second\n");
    program(folder.path(), "third/tool", "#!/bin/sh\necho third\n");
    let at = |names: &[&str]| names.iter().map(|name| folder.path().join(name)).collect::<Vec<_>>();
    let with = |names: &[&str]| {
        let path = std::env::join_paths(at(names)).expect("a path");
        Command { env: vec![("PATH".into(), path)], ..Command::new(["tool"]) }
    };
    assert_eq!(run(&with(&["none", "first", "second", "third"])).stdout, b"second\n");
    let why = with(&["first", "none"]).run().expect_err("denied");
    assert_eq!(why.to_string(), "cannot run `tool`: it is no program, or not marked as one (chmod +x)");
    let here = Command { cwd: Some(folder.path().join("third")), ..with(&[]) };
    assert_eq!(run(&here).stdout, b"third\n", "an empty piece is the folder");
    let bare = Command { clear_env: true, ..Command::new(["echo", "found"]) };
    assert_eq!(run(&bare).stdout, b"found\n", "without a path, that of the system");
}

#[test]
fn it_has_the_signals_of_a_new_program() {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
    let status = || String::from_utf8(run(&Command::new(["cat", "/proc/self/status"])).stdout).expect("text");
    let number = |status: &str, name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is there");
        u64::from_str_radix(line.trim(), 16).expect("a number")
    };
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGUSR2);
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None).expect("blocked");
    let status = status();
    assert_eq!((number(&status, "SigBlk:"), number(&status, "SigCgt:")), (0, 0), "{status}");
    let pipe = 1 << (Signal::SIGPIPE as u64 - 1);
    assert_eq!(number(&status, "SigIgn:") & pipe, 0, "this program ignores it");
    let own = std::fs::read_to_string("/proc/thread-self/status").expect("this thread");
    let usr2 = 1 << (Signal::SIGUSR2 as u64 - 1);
    assert_eq!((number(&own, "SigBlk:"), number(&own, "SigIgn:") & pipe), (usr2, pipe), "as before");
}

#[test]
fn what_cannot_be_started_leaves_no_process() {
    let born = std::thread::spawn(|| {
        for _ in 0..20 {
            Command::new(["/no/such"]).run().expect_err("no such file");
        }
        let children = std::fs::read_to_string("/proc/thread-self/children").expect("those of this thread");
        assert_eq!(children, "");
    });
    born.join().expect("no panic");
}

#[test]
fn a_start_does_not_copy_the_memory_of_this_process() {
    const PAGE: usize = 4096;
    let faults = || {
        let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_THREAD);
        usage.expect("it is known").minor_page_faults()
    };
    let mut memory = vec![1_u8; 16_384 * PAGE];
    let before = faults();
    run(&Command::new(["true"]));
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte += 1);
    let count = faults() - before;
    std::hint::black_box(&memory);
    assert!(count < 2000, "{count} pages were copied, of {}", memory.len() / PAGE);
}
