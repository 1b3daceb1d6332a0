//! Journals of every version of the format open for ever. `UPDATE=1` writes the one of this version anew.

use std::fs;
use std::path::{Path, PathBuf};

use mpms::journal::record::{EndKind, EndedPosition, EndedTask, FailedTask, Group, OutputMark, SessionEnd};
use mpms::journal::{Seen, View};
use mpms::model::handling::{Cancel, StoredPuts};
use mpms::model::task::TaskOptions;
use mpms::model::{Failure, Task, TaskId, Tried};

use crate::build::{Place, args, begin, ended, given, hash, keyed, place, put, put_ended, put_with, seq};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journal/samples")
}

fn keyed_task(position: u64, key: &str) -> Task {
    Task { options: Some(Box::new(keyed(key))), ..given(position) }
}

fn failed() -> FailedTask {
    FailedTask {
        id: TaskId::at(3),
        key: None,
        args: args(3),
        attempt: 2,
        worker: 4,
        elapsed_ns: 1_000_000,
        failure: Failure {
            traceback: Some("here".into()),
            retryable: Some(true),
            ..Failure::new("crashed", "oh")
        },
    }
}

fn write() {
    let place = place();
    let (mut writer, _reader) = place.create().split();
    let kinds = [EndKind::Done, EndKind::Skipped, EndKind::Failed];
    let first = Group {
        positions: kinds.iter().zip(1..).map(|(kind, n)| EndedPosition { kind: *kind, ..ended(n) }).collect(),
        ended: vec![EndedTask { id: TaskId::at(4), seq: None, key: Some(hash("four")), kind: EndKind::Done }],
        failed: vec![failed()],
        puts: vec![
            put(1),
            put_with(2, TaskOptions { priority: -5, ..keyed("two") }),
            put_with(3, TaskOptions { delay_ns: 1_000_000_000_000_000, ..TaskOptions::default() }),
            put(4),
        ],
        tried: vec![(TaskId::at(6), Tried { starts: 2, failures: 1, crashes: 1, doubtful_crashes: 3 })],
        meta: Some(vec![1, 2, 3]),
        started: true,
        known: Some((10, true)),
        output: Some(OutputMark { position: 77, rows: 3 }),
        elapsed_ns: 5_000,
        ..Group::default()
    };
    writer.commit(&first).unwrap();
    let end = SessionEnd { complete: false, stopped: Some("stopped".into()), finish: None };
    let second = Group {
        positions: vec![ended(100_000)],
        ended: vec![put_ended(1)],
        cancels: vec![Cancel { key: hash("two"), after: 4 }, Cancel { key: hash("nine"), after: 4 }],
        saved: vec![(TaskId::at(6), Some(state().into())), (TaskId::at(7), None)],
        given: Some(100_000),
        end: Some(end),
        ..Group::default()
    };
    writer.commit(&second).unwrap();
    writer.close().unwrap();
    fs::create_dir_all(samples()).unwrap();
    fs::copy(place.database(), samples().join("version-2.db")).unwrap();
}

fn state() -> Vec<u8> {
    b"\x05".to_vec()
}

#[test]
fn version_1_opens_and_goes_on_as_the_newest() {
    let place = opens(1);
    let (journal, past) = place.reopen();
    assert_eq!(past.saved, []);
    let (mut writer, mut reader) = journal.split();
    let saved = vec![(TaskId::at(6), Some(state().into()))];
    writer.commit(&Group { saved, ..Group::default() }).unwrap();
    let cancels = vec![Cancel { key: hash("two"), after: 4 }];
    writer.commit(&Group { cancels, ..Group::default() }).unwrap();
    drop(writer);
    let mut out = Vec::new();
    reader.fetch(-5, 0, 4, 9, &mut out).unwrap();
    assert!(out[0].1.options.as_ref().is_some_and(|options| options.cancelled));
    drop(reader);
    assert_eq!(place.reopen().1.saved, [(TaskId::at(6), state().into())]);
    View::open(&place.run()).unwrap();
}

#[test]
fn version_2_opens() {
    if std::env::var_os("UPDATE").is_some() {
        write();
    }
    let place = opens(2);
    let (_journal, mut past) = place.reopen();
    assert_eq!(past.saved, [(TaskId::at(6), state().into())]);
    assert_eq!(past.known.check(&keyed_task(9, "nine")).unwrap(), Seen::Ended);
}

fn opens(version: u8) -> Place {
    let place = place();
    let folder = place.home.path().join("runs/abcd");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(samples().join(format!("version-{version}.db")), folder.join("journal.db")).unwrap();
    let run = place.run();
    let (journal, mut past) = place.reopen();
    assert_eq!(past.begin, begin());
    assert_eq!((past.done, past.skipped, past.failed, past.sessions, past.last_seq), (5, 1, 1, 1, 4));
    assert_eq!(
        (past.started, past.complete, past.finish.is_none(), past.elapsed_ns),
        (true, false, true, 5_000)
    );
    assert_eq!((past.meta, past.given, past.known_count), (Some(vec![1, 2, 3]), Some(100_000), 10));
    assert_eq!(past.output, Some(OutputMark { position: 77, rows: 3 }));
    assert_eq!(
        past.tried,
        [(TaskId::at(6), Tried { starts: 2, failures: 1, crashes: 1, doubtful_crashes: 3 })]
    );
    let stored =
        |priority, first, last, count| StoredPuts { priority, first: seq(first), last: seq(last), count };
    assert_eq!(past.pending, [stored(0, 3, 4, 2), stored(-5, 2, 2, 1)]);
    for (task, seen) in [
        (given(1), Seen::Ended),
        (given(3), Seen::Ended),
        (given(100_000), Seen::Ended),
        (given(5), Seen::New),
        (Task { args: args(9), ..given(2) }, Seen::Changed),
        (keyed_task(4, "four"), Seen::Ended),
        (keyed_task(7, "two"), Seen::Ended),
        (keyed_task(8, "eight"), Seen::New),
    ] {
        assert_eq!(past.known.check(&task).unwrap(), seen, "{task:?}");
    }
    let (_writer, mut reader) = journal.split();
    let mut out = Vec::new();
    reader.fetch(-5, 0, 4, 9, &mut out).unwrap();
    reader.fetch(0, 0, 4, 9, &mut out).unwrap();
    let cancelled = version > 1;
    assert_eq!(out[0], put_with(2, TaskOptions { priority: -5, cancelled, ..keyed("two") }));
    assert_eq!((out[1].0, out[1].1.id, out[2].clone()), (seq(3), put(3).1.id, put(4)));
    let mut seen = Vec::new();
    View::open(&run).unwrap().failed(&mut |task| seen.push(task)).unwrap();
    assert_eq!(seen, [failed()]);
    place
}
