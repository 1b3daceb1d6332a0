//! Those who look from outside.

use std::fs;

use mpms::journal::record::{EndKind, EndedPosition, FailedTask, Group, OutputMark, SessionEnd};
use mpms::journal::{RunState, View};
use mpms::model::Failure;

use crate::build::{args, begin, ended, given, place, positions, put};

fn failed(position: u64, code: &str, message: &str) -> (EndedPosition, FailedTask) {
    let task = FailedTask {
        id: given(position).id,
        key: Some(b"k".as_slice().into()),
        args: args(position),
        attempt: 3,
        worker: 2,
        elapsed_ns: 77,
        failure: Failure {
            traceback: Some("at line 1".into()),
            after_ns: Some(5),
            ..Failure::new(code, message)
        },
    };
    (EndedPosition { kind: EndKind::Failed, ..ended(position) }, task)
}

#[test]
fn a_view_tells_how_it_stands() {
    let place = place();
    let (mut writer, reader) = place.create().split();
    let view = View::open(&place.run()).unwrap();
    assert_eq!(view.state().unwrap(), RunState::Running { pid: Some(std::process::id()) });
    let all: Vec<_> =
        (1..=700).map(|n| failed(n, "lua_error", if n % 3 == 0 { "no" } else { "never" })).collect();
    let group = Group {
        positions: all.iter().map(|(ended, _)| *ended).collect(),
        failed: all.iter().map(|(_, task)| task.clone()).collect(),
        puts: vec![put(1), put(2)],
        known: Some((702, true)),
        output: Some(OutputMark { position: 100, rows: 4 }),
        elapsed_ns: 5000,
        ..Group::default()
    };
    writer.commit(&group).unwrap();
    let info = view.info().unwrap();
    assert_eq!((info.done, info.failed, info.known, info.more, info.pending), (0, 700, 702, true, 2));
    assert_eq!(info.output, Some(("out/pages.jsonl".into(), OutputMark { position: 100, rows: 4 })));
    assert_eq!((info.begin.job.as_str(), info.elapsed_ns, info.sessions), ("crawl", 5000, 1));
    assert!(info.created_ms > 1_600_000_000_000 && info.updated_ms >= info.created_ms);
    let mut seen = Vec::new();
    view.failed(&mut |task| seen.push(task)).unwrap();
    assert_eq!(seen, group.failed);
    let groups = view.failures_grouped(10).unwrap();
    let counts: Vec<_> = groups.iter().map(|group| (group.message.as_str(), group.count)).collect();
    assert_eq!(counts, [("never", 467), ("no", 233)]);
    assert_eq!(groups[1].first, group.failed[2]);
    assert_eq!(view.failures_grouped(1).unwrap().len(), 1);
    assert_eq!(view.meta().unwrap(), Some(begin().meta));
    writer.commit(&Group { meta: Some(vec![8]), ..Group::default() }).unwrap();
    assert_eq!(view.meta().unwrap(), Some(vec![8]));
    assert_eq!(view.begin().unwrap(), begin());

    drop((writer, reader));
    assert_eq!(view.state().unwrap(), RunState::Interrupted);
    let (journal, _past) = place.reopen();
    let (mut writer, _reader) = journal.split();
    let end = |complete: bool, stopped: Option<&str>| {
        let finish = complete.then(|| "fine".to_owned());
        Group {
            end: Some(SessionEnd { complete, stopped: stopped.map(str::to_owned), finish }),
            ..Group::default()
        }
    };
    writer.commit(&end(false, Some("stopped by Ctrl-C"))).unwrap();
    writer.close().unwrap();
    assert_eq!(view.state().unwrap(), RunState::Stopped { why: "stopped by Ctrl-C".into() });
    // to take it up changes nothing before something is kept
    drop(place.reopen());
    assert_eq!(view.state().unwrap(), RunState::Stopped { why: "stopped by Ctrl-C".into() });
    let (mut writer, _reader) = place.reopen().0.split();
    writer.commit(&Group { elapsed_ns: 7, ..Group::default() }).unwrap();
    drop(writer);
    let info = view.info().unwrap();
    assert_eq!((info.state, info.sessions, info.elapsed_ns), (RunState::Interrupted, 3, 5007));
    let (mut writer, _reader) = place.reopen().0.split();
    writer.commit(&end(true, None)).unwrap();
    writer.close().unwrap();
    let info = view.info().unwrap();
    assert_eq!((info.state, info.finish.as_deref()), (RunState::Complete, Some("fine")));
}

#[test]
fn a_view_and_a_writer_do_not_wait_for_each_other() {
    let place = place();
    let (mut writer, _reader) = place.create().split();
    let run = place.run();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut last = 0;
            let mut looks = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let info = View::open(&run).unwrap().info().unwrap();
                assert!(info.done >= last && info.done.is_multiple_of(5000), "{} after {last}", info.done);
                assert!(matches!(info.state, RunState::Running { .. }));
                last = info.done;
                looks += 1;
            }
            looks
        });
        for n in 0..200 {
            writer.commit(&positions(n * 5000 + 1..=n * 5000 + 5000)).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(looking.join().unwrap() > 3);
    });
    let file = run.path.join("journal.db").metadata().unwrap().len();
    assert!(file > 2 << 20, "{file}: the log of 6 MB was not moved into the file meanwhile");
    writer.close().unwrap();
    let log = run.path.join("journal.db-wal").metadata().unwrap().len();
    assert_eq!(log, 0);
}

#[test]
fn a_view_changes_nothing() {
    let place = place();
    let (mut writer, _reader) = place.create().split();
    writer.commit(&positions(1..=100)).unwrap();
    drop(writer);
    let run = place.run();
    let read = |name: &str| fs::read(run.path.join(name)).unwrap();
    let before = (read("journal.db"), read("journal.db-wal"), read("lock"));
    for _ in 0..2 {
        let view = View::open(&run).unwrap();
        assert_eq!(view.info().unwrap().done, 100);
    }
    assert_eq!((read("journal.db"), read("journal.db-wal"), read("lock")), before);
}
