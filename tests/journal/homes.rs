//! The folder of all runs.

use std::collections::BTreeSet;
use std::fs;

use mpms::journal::record::{Group, SessionEnd};
use mpms::journal::{Home, Journal, JournalError};

use crate::build::{disk, place};

fn complete(journal: Journal) {
    let (mut writer, _reader) = journal.split();
    let end = Some(SessionEnd { complete: true, stopped: None, finish: None });
    writer.commit(&Group { end, ..Group::default() }).unwrap();
    writer.close().unwrap();
}

#[test]
fn the_nearest_folder_upwards_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b/c");
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir(folder.path().join("a/.git")).unwrap();
    assert_eq!(Home::of(&deep).path(), folder.path().join("a/.mpms"));
    fs::create_dir(folder.path().join("a/b/.mpms")).unwrap();
    assert_eq!(Home::of(&deep).path(), folder.path().join("a/b/.mpms"));
    assert_eq!(Home::of(&deep).runs().unwrap(), []);
}

#[test]
fn git_ignores_it_and_ids_are_short() {
    let place = place();
    let id = place.create().id().unwrap().to_owned();
    assert_eq!(fs::read_to_string(place.home.path().join(".gitignore")).unwrap(), "*\n");
    assert!(
        id.len() == 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()),
        "{id}"
    );
}

#[test]
fn a_run_is_found_by_its_prefix_or_as_the_latest() {
    let place = place();
    let error = place.home.find("latest").unwrap_err();
    assert!(error.help().contains("mpms run"), "{}", error.help());
    let ids: Vec<String> = (0..40).map(|_| place.create().id().unwrap().to_owned()).collect();
    let newest_first: Vec<String> = place.home.runs().unwrap().into_iter().map(|run| run.id).collect();
    assert!(newest_first.iter().eq(ids.iter().rev()), "{newest_first:?} {ids:?}");
    assert_eq!(place.home.find("latest").unwrap().id, ids[39]);
    for id in &ids {
        assert_eq!(&place.home.find(id).unwrap().id, id);
        let is_unique = ids.iter().filter(|other| other[..3] == id[..3]).count() == 1;
        assert_eq!(place.home.find(&id[..3]).is_ok(), is_unique);
    }
    // 40 ids cannot all begin otherwise
    let several = place.home.runs().unwrap().iter().any(|run| {
        matches!(place.home.find(&run.id[..1]), Err(JournalError::Ambiguous { runs, .. }) if runs.len() > 1)
    });
    assert!(several);
    let error = place.home.find("xyz").unwrap_err();
    assert!(
        error.to_string().contains("no run `xyz`") && error.help().contains(&ids[39]),
        "{}",
        error.help()
    );
    assert!(place.home.find("").is_err());
}

#[test]
fn two_who_begin_at_once_get_two_runs() {
    let place = place();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| (0..10).map(|_| place.create().id().unwrap().to_owned()).collect::<Vec<_>>())
            })
            .collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 80);
    assert_eq!(place.home.runs().unwrap().len(), 80);
}

#[test]
fn only_old_complete_runs_are_pruned() {
    let place = place();
    let mut ids = Vec::new();
    for n in 0..8 {
        let journal = place.create();
        ids.push(journal.id().unwrap().to_owned());
        if n == 1 {
            continue; // interrupted
        }
        complete(journal);
    }
    // one that somebody takes up
    let (held, _past) = mpms::journal::reopen(&place.home.find(&ids[2]).unwrap(), &disk()).unwrap();
    let mut removed = place.home.prune(3).unwrap();
    removed.sort();
    let mut expected = vec![ids[0].clone(), ids[3].clone(), ids[4].clone()];
    expected.sort();
    assert_eq!(removed, expected);
    drop(held);
    assert_eq!(place.home.prune(3).unwrap(), [ids[2].clone()]);
    assert_eq!(place.home.runs().unwrap().len(), 4);
    assert!(!place.home.path().join("runs").join(&ids[0]).exists());
}

#[test]
fn a_complete_run_is_known_without_its_journal_until_it_goes_on() {
    let place = place();
    let journal = place.create();
    assert!(!place.run().is_marked_complete());
    complete(journal);
    assert!(place.run().is_marked_complete());
    let (mut writer, _reader) = place.reopen().0.split();
    assert!(place.run().is_marked_complete(), "nothing has changed yet");
    writer.commit(&Group::default()).unwrap();
    assert!(!place.run().is_marked_complete());
}

#[test]
fn a_run_that_is_worked_on_is_not_removed() {
    let place = place();
    let journal = place.create();
    let error = place.home.remove(&place.run()).unwrap_err();
    assert!(error.is_locked() && error.to_string().contains(&std::process::id().to_string()), "{error}");
    drop(journal);
    let run = place.run();
    place.home.remove(&run).unwrap();
    assert!(!run.path.exists());
    assert_eq!(place.home.runs().unwrap(), []);
}

#[test]
fn what_was_never_begun_is_no_run() {
    let place = place();
    drop(place.create());
    let run = place.run();
    let runs = place.home.path().join("runs");
    // killed before the database was whole; or the power went before it was on the disk
    fs::create_dir(runs.join("aaaa")).unwrap();
    fs::create_dir(runs.join("bbbb")).unwrap();
    fs::write(runs.join("bbbb/new"), "").unwrap();
    fs::write(runs.join("bbbb/new.db"), "half").unwrap();
    fs::create_dir(runs.join("cccc")).unwrap();
    fs::write(runs.join("cccc/new"), "").unwrap();
    fs::write(runs.join("cccc/journal.db"), "").unwrap();
    assert_eq!(place.home.runs().unwrap(), std::slice::from_ref(&run));
    // a mark beside a sound journal means nothing but that it has to be synced again
    fs::write(run.path.join("new"), "").unwrap();
    assert_eq!(place.home.runs().unwrap(), std::slice::from_ref(&run));
    let (journal, _past) = place.reopen();
    journal.split().0.commit(&Group::default()).unwrap();
    assert!(!run.path.join("new").exists());
    // without the mark it is damage
    fs::remove_file(runs.join("cccc/new")).unwrap();
    assert_eq!(place.home.runs().unwrap().len(), 2);
}

#[test]
fn half_made_runs_go_when_they_are_old() {
    let place = place();
    drop(place.create());
    let runs = place.home.path().join("runs");
    for id in ["aaaa", "bbbb"] {
        fs::create_dir(runs.join(id)).unwrap();
    }
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    fs::File::open(runs.join("aaaa")).unwrap().set_modified(long_ago).unwrap();
    place.home.prune(20).unwrap();
    assert!(!runs.join("aaaa").exists() && runs.join("bbbb").exists());
}
