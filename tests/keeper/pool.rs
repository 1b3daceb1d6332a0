//! A coordinator for the tests: waits for conditions, with a bound that only a hang reaches.

use std::fs;
use std::io::Read as _;
use std::time::{Duration, Instant};

use mpms::os::keeper::{KeeperLink, KeeperOptions, KeeperReport, WorkerProcess};
use mpms::os::poll::{Interest, until_ready};
use mpms::os::process::is_alive;
use mpms::os::socket::Socket;

use crate::worker::read_line;

const HANG: Duration = Duration::from_secs(20);

pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HANG, "not yet after {HANG:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits, and says how long it took.
pub fn time_until_dead(pids: &[i32]) -> Duration {
    let start = Instant::now();
    wait_until(&format!("death of {pids:?}"), || pids.iter().all(|pid| !is_alive(*pid)));
    start.elapsed()
}

pub fn kill_9(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).expect("kill");
}

pub fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()
}

pub struct Pool {
    pub link: KeeperLink,
}

impl Pool {
    pub fn start() -> Self {
        Self { link: KeeperLink::start(&KeeperOptions::default()).expect("a keeper") }
    }

    pub fn report(&mut self) -> KeeperReport {
        loop {
            if let Some(report) = self.link.receive().expect("receive") {
                return report;
            }
            let fd = self.link.fd().expect("the keeper is not gone");
            assert!(until_ready(fd, Interest::Read, Some(HANG)).expect("poll"), "no report after {HANG:?}");
        }
    }

    pub fn fork(&mut self, id: u32) -> Worker {
        self.link.request_fork(id, 2, &format!("mpms: test worker {id}")).expect("request");
        match self.report() {
            KeeperReport::Started(process) => Worker { process },
            other => panic!("not started: {other:?}"),
        }
    }

    /// The next report, which tells of the death of worker `id`, in words, with its peak memory.
    pub fn death(&mut self, id: u32) -> (String, u64) {
        match self.report() {
            KeeperReport::Died { id: dead, death, usage, .. } if dead == id => {
                (death.to_string(), usage.max_rss_bytes)
            }
            other => panic!("expected the death of {id}: {other:?}"),
        }
    }
}

pub struct Worker {
    pub process: WorkerProcess,
}

impl Worker {
    pub fn tell(&self, line: &str) {
        self.process.socket.write_all(format!("{line}\n").as_bytes()).expect("the worker reads");
    }

    pub fn ask(&self, line: &str) -> String {
        self.tell(line);
        self.answer()
    }

    pub fn ask_pid(&self, line: &str) -> i32 {
        self.ask(line).parse().expect("a pid")
    }

    /// All that it printed, when its end has come.
    pub fn output(mut self) -> String {
        mpms::os::socket::set_nonblocking(&self.process.output, false).expect("flag");
        let mut text = String::new();
        self.process.output.read_to_string(&mut text).expect("text");
        text
    }

    fn answer(&self) -> String {
        let socket: &Socket = &self.process.socket;
        assert!(until_ready(socket, Interest::Read, Some(HANG)).expect("poll"), "no answer after {HANG:?}");
        read_line(socket).expect("the worker lives")
    }
}
