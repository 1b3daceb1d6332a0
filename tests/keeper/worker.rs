//! A worker that does what it is told, a line a command, and answers each with a line.

use std::fs;
use std::process::{Command, Stdio};

use mpms::os;
use mpms::os::clock::monotonic_ns;
use mpms::os::exit::exit_now;
use mpms::os::keeper::WorkerSeat;
use mpms::os::socket::Socket;

pub fn run(seat: WorkerSeat) -> ! {
    while let Some(line) = read_line(&seat.socket) {
        let answer = obey(&seat, &line);
        seat.socket.write_all(format!("{answer}\n").as_bytes()).expect("the coordinator reads");
    }
    exit_now(0)
}

/// A line of the other side, without its end; `None` at the end of the stream.
pub fn read_line(socket: &Socket) -> Option<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while socket.read(&mut byte).expect("a blocking socket") == 1 {
        if byte == *b"\n" {
            return Some(String::from_utf8(line).expect("text"));
        }
        line.push(byte[0]);
    }
    None
}

fn obey(seat: &WorkerSeat, line: &str) -> String {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "say" => rest.to_owned(),
        "descriptors" => descriptors(),
        "exit" => exit_now(rest.parse().expect("a number")),
        "abort" => std::process::abort(),
        "panic" => panic!("as asked"),
        "print" => {
            print(rest);
            "printed".to_owned()
        }
        "begin" => {
            seat.slots.slot(seat.slots.len() - 1).begin(rest.parse().expect("a number"), monotonic_ns());
            "begun".to_owned()
        }
        // Returns when the shell has ended and left something behind, or with the pid of one that runs on.
        "sh" => shell(rest),
        "start" => start(rest),
        "run" => run_command(rest),
        // In a thread of its own, since nobody waits for its end.
        "run-on" => {
            let script = rest.to_owned();
            std::thread::spawn(move || run_command(&script));
            "started".to_owned()
        }
        "threads" => {
            std::thread::spawn(|| {
                loop {
                    std::thread::park()
                }
            });
            "started".to_owned()
        }
        "signals" => signals(),
        "input" => std::io::read_to_string(std::io::stdin()).expect("an end at once"),
        other => format!("unknown: {other}"),
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what a task prints is what is tested")]
fn print(text: &str) {
    println!("{text}");
    eprintln!("{text}");
}

/// Numbers of all open descriptors but the one that reads the folder.
fn descriptors() -> String {
    let folder = fs::read_dir("/proc/self/fd").expect("proc");
    let links =
        folder.flatten().filter_map(|entry| Some((entry.file_name(), fs::read_link(entry.path()).ok()?)));
    let kept = links.filter(|(_, target)| !target.to_string_lossy().contains("/fd"));
    let mut all: Vec<String> = kept.map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    all.sort();
    all.join(" ")
}

fn shell(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).stderr(Stdio::inherit()).output().expect("sh");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn start(script: &str) -> String {
    Command::new("sh").args(["-c", script]).spawn().expect("sh").id().to_string()
}

/// As a task's command runs, with an empty environment.
fn run_command(script: &str) -> String {
    let command =
        os::command::Command { clear_env: true, ..os::command::Command::new(["/bin/sh", "-c", script]) };
    let done = command.run().expect("sh");
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// Blocked and ignored signals, as the kernel shows them, without the two (32 and 33) that libc keeps to itself.
fn signals() -> String {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let set = |name| {
        let hex = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line").trim();
        u64::from_str_radix(hex, 16).expect("a set") & !(0b11 << 31)
    };
    format!("blocked {:x} ignored {:x}", set("SigBlk:"), set("SigIgn:"))
}
