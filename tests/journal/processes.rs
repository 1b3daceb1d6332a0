//! Other processes: one that has the run, one that is killed, one whose disk is full. A child is this test binary again.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mpms::journal::record::Group;
use mpms::journal::{Home, JournalError, create, reopen};

use crate::build::{begin, disk, place, positions, put};

const ROLE: &str = "JOURNAL_TEST_ROLE";
const FOLDER: &str = "JOURNAL_TEST_FOLDER";

fn child(role: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "processes::role", "--ignored", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(FOLDER, folder)
        .stdout(Stdio::piped());
    command
}

/// What a child says with `say`, until it ends.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("say: ")?.1.to_owned()))
}

#[expect(clippy::print_stdout, reason = "what a child says to its parent")]
fn say(what: impl std::fmt::Display) {
    println!("say: {what}");
    std::io::stdout().flush().unwrap();
}

#[test]
#[ignore = "what a child does; not a test by itself"]
fn role() {
    let (Ok(role), Some(folder)) = (std::env::var(ROLE), std::env::var_os(FOLDER)) else { return };
    let home = Home::of(Path::new(&folder));
    match role.as_str() {
        "commit for ever" => {
            let journal = match home.find("latest") {
                Ok(run) => reopen(&run, &disk()).unwrap().0,
                Err(_) => create(&home, &begin(), &disk()).unwrap(),
            };
            say(journal.id().unwrap());
            let (mut writer, _reader) = journal.split();
            for n in std::env::var("FROM").unwrap().parse::<u64>().unwrap().. {
                let puts = vec![put(2 * n + 1), put(2 * n + 2)];
                let meta = Some(n.to_le_bytes().repeat(500));
                writer.commit(&Group { puts, meta, ..positions(n * 10 + 1..=n * 10 + 10) }).unwrap();
                say(n);
            }
        }
        "hold" => {
            let (journal, _past) = reopen(&home.find("latest").unwrap(), &disk()).unwrap();
            say("held");
            let _ = std::io::stdin().read_line(&mut String::new());
            drop(journal);
        }
        "fill the disk" => {
            let (mut writer, _reader) = create(&home, &begin(), &disk()).unwrap().split();
            let error = (0..).find_map(|n| {
                let meta = Some(vec![n as u8; 20_000]);
                let result = writer.commit(&Group { meta, ..positions(n * 1000 + 1..=n * 1000 + 1000) });
                if result.is_ok() {
                    say(n);
                }
                result.err()
            });
            let error = error.unwrap();
            say(format!("full: {} {error}", error.is_full()));
            let again = writer.commit(&positions(1..=1)).unwrap_err();
            assert_eq!(again.to_string(), error.to_string());
            assert_eq!(writer.part(&[put(1)]).unwrap_err().to_string(), error.to_string());
            assert_eq!(writer.abandon().unwrap_err().to_string(), error.to_string());
            let log = home.find("latest").unwrap().path.join("journal.db-wal");
            let before = fs::read(&log).unwrap();
            assert_eq!(writer.close().unwrap_err().to_string(), error.to_string());
            assert_eq!(fs::read(&log).unwrap(), before, "nothing is written after an error");
        }
        other => panic!("no role {other}"),
    }
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let place = place();
    let mut acknowledged: Option<u64> = None;
    for round in 0..12 {
        let from = acknowledged.map_or(0, |n| n + 1);
        // a group that was kept and not told is done too: go on behind what is kept
        let from = place.home.find("latest").ok().map_or(from, |run| {
            let (_journal, past) = reopen(&run, &disk()).unwrap();
            assert!(past.done >= from * 10 && past.done <= (from + 1) * 10, "{} after {from}", past.done);
            past.done / 10
        });
        let mut process =
            child("commit for ever", place.folder.path()).env("FROM", from.to_string()).spawn().unwrap();
        let mut said = lines(&mut process);
        said.next().unwrap();
        for _ in 0..(1 + round * 7) {
            acknowledged = Some(said.next().unwrap().parse().unwrap());
        }
        process.kill().unwrap();
        acknowledged = said.filter_map(|line| line.parse().ok()).last().or(acknowledged);
        process.wait().unwrap();
        let (mut last, run) = (acknowledged.unwrap(), place.run());
        let (journal, mut past) = reopen(&run, &disk()).unwrap();
        let kept = past.done / 10;
        assert!(kept > last, "{kept} groups are kept, and {last} was told");
        last = kept - 1;
        assert_eq!(past.meta, Some(last.to_le_bytes().repeat(500)));
        assert_eq!((past.known.ended(), past.last_seq), (kept * 10, kept * 2));
        assert!(past.known.is_complete(kept * 10) && !past.known.is_complete(kept * 10 + 1));
        assert_eq!(past.pending[0].count, kept * 2);
        let mut out = Vec::new();
        journal.split().1.fetch(0, 0, u64::MAX, usize::MAX, &mut out).unwrap();
        assert!(out.iter().zip(1..).all(|(found, n)| *found == put(n)) && out.len() as u64 == kept * 2);
        past.known.check(&put(1).1).unwrap();
    }
}

#[test]
fn a_second_process_is_refused_and_told_which_one_has_it() {
    let place = place();
    drop(place.create());
    let mut process = child("hold", place.folder.path()).stdin(Stdio::piped()).spawn().unwrap();
    assert_eq!(lines(&mut process).next().as_deref(), Some("held"));
    let error = reopen(&place.run(), &disk()).map(drop).unwrap_err();
    assert!(matches!(error, JournalError::Locked { pid: Some(pid), .. } if pid == process.id()), "{error}");
    assert!(error.help().contains(&format!("kill {}", process.id())));
    // the lock of a dead one is free
    process.kill().unwrap();
    process.wait().unwrap();
    drop(place.reopen());
}

#[test]
fn of_two_who_resume_at_once_one_has_it() {
    let place = place();
    drop(place.create());
    let run = place.run();
    let mut rounds = 0;
    while rounds < 20 {
        let barrier = std::sync::Barrier::new(2);
        let have: Vec<bool> = std::thread::scope(|scope| {
            let both: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let journal = reopen(&run, &disk());
                        barrier.wait();
                        journal.map(drop).inspect_err(|error| assert!(error.is_locked(), "{error}")).is_ok()
                    })
                })
                .collect();
            both.into_iter().map(|one| one.join().unwrap()).collect()
        });
        // between the fork and the exec of a process that another test starts, that has it
        let count = have.iter().filter(|has| **has).count();
        assert!(count <= 1, "both have it");
        rounds += count;
    }
}

/// A command that runs `command` with a file system of `size` at `folder`; none where that is not allowed.
fn with_tmpfs(command: &Command, folder: &Path, size: &str) -> Option<Command> {
    let mount = format!("mount -t tmpfs -o size={size} none {} && ", folder.display());
    let allowed = Command::new("unshare")
        .args(["-m", "sh", "-c", &format!("{mount}true")])
        .stderr(Stdio::null())
        .status();
    if !allowed.is_ok_and(|status| status.success()) {
        return None;
    }
    let mut inside = Command::new("unshare");
    inside.args(["-m", "sh", "-c", &format!("{mount}exec \"$@\"; "), "sh"]).arg(command.get_program());
    inside.args(command.get_args()).stdout(Stdio::piped());
    for (name, value) in command.get_envs() {
        inside.env(name, value.unwrap_or_default());
    }
    Some(inside)
}

#[test]
fn a_full_disk_is_told_and_nothing_is_written_after_it() {
    let folder = tempfile::tempdir().unwrap();
    for size in ["300k", "1m", "6m"] {
        let Some(mut command) = with_tmpfs(&child("fill the disk", folder.path()), folder.path(), size)
        else {
            return;
        };
        let mut process = command.spawn().unwrap();
        let said: Vec<String> = lines(&mut process).collect();
        assert!(process.wait().unwrap().success(), "{said:?}");
        assert!(said.len() > 3, "{said:?}");
        assert!(said.last().unwrap().starts_with("full: true the disk is full"), "{said:?}");
    }
}

#[test]
fn a_read_only_folder_is_an_error_with_a_way_out() {
    // root writes everywhere; so a mount that is read-only, where that is allowed, else a folder without permissions
    let folder = tempfile::tempdir().unwrap();
    let home = Home::of(folder.path());
    fs::create_dir(home.path()).unwrap();
    let script =
        format!("mount --bind -o ro {0} {0} && mount -o remount,bind,ro {0}", folder.path().display());
    let allowed = Command::new("unshare").args(["-m", "sh", "-c", &script]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return;
    }
    let me: PathBuf = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &format!("{script} && exec \"$@\""), "sh"])
        .arg(me)
        .args(["--exact", "processes::read_only", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "what a child does; not a test by itself"]
fn read_only() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let error = create(&Home::of(Path::new(&folder)), &begin(), &disk()).map(drop).unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error:?}");
    assert!(error.help().contains("--no-journal"));
}
