//! What the keeper promises.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use mpms::os::keeper::{Death, KeeperReport};
use mpms::os::process::{is_alive, kill_orphans};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::pool::{Pool, command_line, kill_9, time_until_dead, wait_until};

/// What is never ended lives for longer.
const SOON: Duration = Duration::from_secs(10);

/// Name and case.
pub type Case = (&'static str, fn());

macro_rules! cases {
    ($($name:ident)*) => { &[$((stringify!($name), $name)),*] };
}

pub const ALL: &[Case] = cases! {
    a_forked_worker_answers_over_its_socket
    a_worker_has_four_descriptors_and_no_more
    a_worker_does_not_keep_the_keepers_signal_settings
    what_a_worker_prints_comes_through_its_pipe
    titles_are_seen_in_the_process_list
    the_slots_of_a_dead_worker_can_still_be_read
    a_status_is_reported
    a_kill_is_reported_with_what_the_worker_used
    an_abort_is_reported
    a_panic_ends_the_worker_only
    a_requested_kill_ends_the_worker_and_its_group
    a_handle_kills_the_group_too
    leftovers_end_with_their_worker
    leftovers_of_living_workers_stay
    a_running_command_ends_with_its_worker
    orphans_of_a_worker_that_end_by_themselves_are_reaped
    impossible_requests_fail_and_the_keeper_goes_on
    two_hundred_workers_come_and_go
    a_burst_of_requests_is_answered_whole
    few_descriptors_fail_some_requests_and_forget_none
    a_shutdown_leaves_nobody
    a_killed_keeper_takes_its_workers_along
    a_killed_coordinator_leaves_nobody
    a_stopped_keeper_still_ends_all_when_its_coordinator_is_killed
    the_keeper_ignores_the_signals_of_the_terminal
};

/// A daemon: out of its session and its process group, an orphan. Says its pid, and the shell ends only when it is all that.
const DAEMON: &str = "echo $(setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1' &)";

fn a_forked_worker_answers_over_its_socket() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    assert_eq!(worker.ask("say hello"), "hello");
    assert_eq!(worker.ask("input"), "");
    assert_eq!(worker.ask("sh echo $MPMS_WORKER"), format!("{}.1", pool.link.pid().expect("running")));
}

fn a_worker_has_four_descriptors_and_no_more() {
    let mut pool = Pool::start();
    let workers = [pool.fork(1), pool.fork(2), pool.fork(3)];
    for worker in &workers {
        assert_eq!(worker.ask("descriptors"), "0 1 2 3");
        assert_eq!(
            worker.ask("sh ls /proc/self/fd | tr '\\n' ' '"),
            "0 1 2 3",
            "3 is the folder that ls reads"
        );
    }
}

fn a_worker_does_not_keep_the_keepers_signal_settings() {
    let mut pool = Pool::start();
    // SIGPIPE, 13, is ignored.
    assert_eq!(pool.fork(1).ask("signals"), "blocked 0 ignored 1000");
}

fn what_a_worker_prints_comes_through_its_pipe() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    assert_eq!(worker.ask("print hello"), "printed");
    worker.tell("exit 0");
    pool.death(1);
    assert_eq!(worker.output(), "hello\nhello\n");
}

fn titles_are_seen_in_the_process_list() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    assert_eq!(worker.ask("say ready"), "ready");
    assert_eq!(command_line(worker.process.pid), "mpms: test worker 1");
    assert_eq!(command_line(pool.link.pid().expect("running")), "mpms: keeper");
}

fn the_slots_of_a_dead_worker_can_still_be_read() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    assert_eq!(worker.ask("begin 77"), "begun");
    worker.process.kill().expect("kill");
    pool.death(1);
    let handles: Vec<_> =
        worker.process.slots.iter().map(|slot| slot.running().map(|it| it.handle)).collect();
    assert_eq!(handles, [None, Some(77)]);
}

fn a_status_is_reported() {
    let mut pool = Pool::start();
    pool.fork(1).tell("exit 7");
    assert_eq!(pool.death(1).0, "exited with status 7");
}

fn a_kill_is_reported_with_what_the_worker_used() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    kill_9(worker.process.pid);
    let (death, peak) = pool.death(1);
    assert_eq!(death, "killed by signal 9 (SIGKILL)");
    assert!(peak > 100_000, "{peak} bytes");
    assert!(worker.process.pidfd.is_dead().expect("poll"));
}

fn an_abort_is_reported() {
    let mut pool = Pool::start();
    pool.fork(1).tell("abort");
    assert_eq!(pool.death(1).0, "killed by signal 6 (SIGABRT)");
}

fn a_panic_ends_the_worker_only() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    worker.tell("panic");
    assert_eq!(pool.death(1).0, "exited with status 101");
    assert!(worker.output().contains("as asked"));
    assert_eq!(pool.fork(2).ask("say next"), "next");
}

fn a_requested_kill_ends_the_worker_and_its_group() {
    let mut pool = Pool::start();
    let worker = pool.fork(5);
    let member = worker.ask_pid("start exec sleep 1000");
    pool.link.request_kill(5).expect("request");
    pool.link.request_kill(6).expect("nobody has this number");
    assert_eq!(pool.death(5).0, "killed by signal 9 (SIGKILL)");
    time_until_dead(&[member]);
}

fn a_handle_kills_the_group_too() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    let member = worker.ask_pid("start exec sleep 1000");
    worker.process.kill().expect("kill");
    worker.process.kill().expect("a dead one is no error");
    pool.death(1);
    worker.process.kill().expect("nor is a reaped one");
    time_until_dead(&[member]);
}

fn leftovers_end_with_their_worker() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    let member = worker.ask_pid("start exec sleep 1000");
    let daemon = worker.ask_pid(&format!("sh {DAEMON}"));
    // A chain of three, each in a session of its own, none of them an orphan yet.
    let chain = worker.ask_pid(
        "sh setsid sh -c 'echo $$; exec >/dev/null 2>&1; setsid -w sh -c \"setsid -w sleep 1000\"' &",
    );
    assert!([member, daemon, chain].into_iter().all(is_alive));
    kill_9(worker.process.pid);
    pool.death(1);
    let took = time_until_dead(&[member, daemon, chain]);
    assert!(took < SOON, "{took:?}");
    wait_until("the keeper alone is left", || children_of(pool.link.pid().expect("running")) == 0);
}

fn leftovers_of_living_workers_stay() {
    let mut pool = Pool::start();
    let (first, second) = (pool.fork(1), pool.fork(2));
    let of_first = [first.ask_pid(&format!("sh {DAEMON}")), first.ask_pid(&format!("run {DAEMON}"))];
    let of_second = [second.ask_pid(&format!("sh {DAEMON}")), second.ask_pid(&format!("run {DAEMON}"))];
    kill_9(first.process.pid);
    pool.death(1);
    time_until_dead(&of_first);
    // Whatever the keeper does about the first worker's leftovers it has done before it forks again.
    pool.fork(3);
    assert!(of_second.into_iter().all(is_alive));
}

fn a_running_command_ends_with_its_worker() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    let file = tempfile::NamedTempFile::new().expect("file");
    let path = file.path().display();
    worker.ask(&format!("run-on trap '' TERM; sleep 1000 & echo $$ $! > {path}; wait"));
    let read = || std::fs::read_to_string(file.path()).expect("text");
    wait_until("the command runs", || read().ends_with('\n'));
    let pids: Vec<i32> = read().split_whitespace().map(|pid| pid.parse().expect("a pid")).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| is_alive(*pid)));
    worker.process.kill().expect("kill");
    pool.death(1);
    let took = time_until_dead(&pids);
    assert!(took < SOON, "{took:?}");
}

fn orphans_of_a_worker_that_end_by_themselves_are_reaped() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    let keeper = pool.link.pid().expect("running");
    let orphan = worker.ask_pid("sh setsid sh -c 'echo $$; exec sleep 0.05 >/dev/null 2>&1' &");
    wait_until("the orphan is reaped", || !std::path::Path::new(&format!("/proc/{orphan}")).exists());
    assert_eq!(children_of(keeper), 1);
    assert_eq!(worker.ask("say on"), "on");
}

fn impossible_requests_fail_and_the_keeper_goes_on() {
    let mut pool = Pool::start();
    for slots in [0, u32::MAX] {
        pool.link.request_fork(9, slots, "mpms: impossible").expect("request");
        assert!(matches!(pool.report(), KeeperReport::ForkFailed { id: 9, .. }));
    }
    assert_eq!(pool.fork(1).ask("say on"), "on");
}

fn two_hundred_workers_come_and_go() {
    let mut pool = Pool::start();
    for id in 0..200 {
        let worker = pool.fork(id);
        assert_eq!(worker.ask("threads"), "started");
        worker.tell(&format!("exit {}", id % 100));
        assert_eq!(pool.death(id).0, format!("exited with status {}", id % 100));
    }
}

fn a_burst_of_requests_is_answered_whole() {
    assert_eq!(burst(), 0, "requests failed");
}

fn few_descriptors_fail_some_requests_and_forget_none() {
    let program = std::env::current_exe().expect("path");
    let script = "ulimit -n 40; exec \"$0\" burst";
    let status = Command::new("sh").args(["-c", script]).arg(program).status().expect("sh");
    assert!(status.success());
}

/// The part that has few descriptors.
pub fn burst_of_few_descriptors() -> ExitCode {
    if burst() > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Asks for many workers at once and for the death of each; holds all handles until the end. Returns how many failed.
fn burst() -> usize {
    const MANY: u32 = 600;
    let mut pool = Pool::start();
    for id in 0..MANY {
        let title = "mpms: one of very many workers ".repeat(10);
        pool.link.request_fork(id, 1, &title).expect("request");
        pool.link.request_kill(id).expect("request");
    }
    let (mut workers, mut dead, mut failed) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    while dead.len() + failed.len() < usize::try_from(MANY).expect("small") {
        match pool.report() {
            KeeperReport::Started(worker) => assert!(workers.insert(worker.id, worker).is_none()),
            KeeperReport::Died { id, death, .. } => {
                assert_eq!(death, Death::Killed { signal: 9, core_dumped: false });
                assert!(workers.contains_key(&id) && dead.insert(id));
            }
            KeeperReport::ForkFailed { id, .. } => assert!(failed.insert(id)),
            gone @ KeeperReport::Gone { .. } => panic!("{gone:?}"),
        }
    }
    assert!(workers.keys().eq(&dead));
    failed.len()
}

fn a_shutdown_leaves_nobody() {
    let mut pool = Pool::start();
    let (first, second) = (pool.fork(1), pool.fork(2));
    let daemon = first.ask_pid(&format!("sh {DAEMON}"));
    let keeper = pool.link.pid().expect("running");
    let start = Instant::now();
    pool.link.shutdown().expect("shutdown");
    assert!([keeper, first.process.pid, second.process.pid, daemon].into_iter().all(|pid| !is_alive(pid)));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

fn a_killed_keeper_takes_its_workers_along() {
    let mut own = Command::new("sleep").arg("1000").spawn_registered();
    let mut pool = Pool::start();
    let (first, second) = (pool.fork(1), pool.fork(2));
    let daemon = second.ask_pid(&format!("sh {DAEMON}"));
    kill_9(pool.link.pid().expect("running"));
    let took = time_until_dead(&[first.process.pid, second.process.pid]);
    assert!(took < SOON, "{took:?}");
    let KeeperReport::Gone { death } = pool.report() else { panic!("it is gone") };
    assert_eq!(death, Death::Killed { signal: 9, core_dumped: false });
    assert!(pool.link.receive().expect("receive").is_none() && pool.link.fd().is_none());
    kill_orphans().expect("kill");
    assert!(!is_alive(daemon), "the coordinator adopted it and ended it");
    assert!(own.is_running(), "a command of the coordinator itself is none of the orphans");
    assert_eq!(Pool::start().fork(1).ask("say again"), "again");
}

fn a_killed_coordinator_leaves_nobody() {
    let (mut coordinator, pids) = start_coordinator();
    coordinator.kill().expect("kill");
    let took = time_until_dead(&pids);
    assert!(took < SOON, "{took:?}");
    coordinator.wait().expect("wait");
}

fn a_stopped_keeper_still_ends_all_when_its_coordinator_is_killed() {
    let (mut coordinator, pids) = start_coordinator();
    for pid in &pids {
        kill(Pid::from_raw(*pid), Signal::SIGSTOP).expect("stop");
    }
    coordinator.kill().expect("kill");
    let took = time_until_dead(&pids);
    assert!(took < SOON, "{took:?}");
    coordinator.wait().expect("wait");
}

/// A coordinator in a process of its own, and the living processes below it.
fn start_coordinator() -> (Child, Vec<i32>) {
    let program = std::env::current_exe().expect("path");
    let mut coordinator =
        Command::new(program).arg("coordinator").stdout(Stdio::piped()).spawn().expect("spawn");
    let mut line = String::new();
    BufReader::new(coordinator.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let pids: Vec<i32> = line.split_whitespace().map(|pid| pid.parse().expect("a pid")).collect();
    assert!(pids.len() == 5 && pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");
    (coordinator, pids)
}

/// The part that is killed: says the pids of its keeper, two workers, a command and a daemon.
#[expect(clippy::print_stdout, reason = "it tells its parent")]
pub fn coordinator() -> ! {
    let mut pool = Pool::start();
    let (first, second) = (pool.fork(1), pool.fork(2));
    let command = first.ask_pid("start trap '' TERM; sleep 1000");
    let daemon = second.ask_pid(&format!("sh {DAEMON}"));
    let keeper = pool.link.pid().expect("running");
    println!("{keeper} {} {} {command} {daemon}", first.process.pid, second.process.pid);
    loop {
        std::thread::park();
    }
}

fn the_keeper_ignores_the_signals_of_the_terminal() {
    let mut pool = Pool::start();
    let worker = pool.fork(1);
    let keeper = Pid::from_raw(pool.link.pid().expect("running"));
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP] {
        killpg(keeper, signal).expect("signal");
    }
    assert_eq!(worker.ask("say on"), "on");
    assert_eq!(pool.fork(2).ask("say on"), "on");
}

/// Number of processes whose parent is `pid`, the dead ones that are not reaped among them.
fn children_of(pid: i32) -> usize {
    let output = Command::new("ps").args(["-o", "pid=", "--ppid", &pid.to_string()]).output().expect("ps");
    String::from_utf8_lossy(&output.stdout).lines().count()
}

/// A child of this process that is entered as its own.
struct Own {
    child: std::process::Child,
    _entry: mpms::os::process::OwnChild,
}

trait SpawnRegistered {
    fn spawn_registered(&mut self) -> Own;
}

impl SpawnRegistered for Command {
    fn spawn_registered(&mut self) -> Own {
        let spawning = mpms::os::process::begin_spawn();
        let child = self.spawn().expect("spawn");
        let entry = spawning.born(i32::try_from(child.id()).expect("pid"));
        Own { child, _entry: entry }
    }
}

impl Own {
    fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
