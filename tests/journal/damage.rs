//! Files that are not what was written: an error that names the file, or all that is needed; never a panic.

use std::fs;
use std::path::Path;

use mpms::journal::record::{FailedTask, Group};
use mpms::journal::{JournalError, View, reopen};
use mpms::model::Failure;

use crate::build::{Place, args, disk, keyed, place, positions, put, put_with};

fn with_all_tables() -> Place {
    let place = place();
    let (mut writer, _reader) = place.create().split();
    for n in 0..4 {
        let failed = FailedTask {
            id: put(1).1.id,
            key: None,
            args: args(n),
            attempt: 1,
            worker: 1,
            elapsed_ns: 5,
            failure: Failure::new("lua_error", "no"),
        };
        let puts = (n * 10 + 1..=n * 10 + 10).map(|n| put_with(n, keyed(&n.to_string()))).collect();
        let tried = vec![(put(n + 1).1.id, mpms::model::Tried { starts: 1, ..Default::default() })];
        let meta = Some(vec![7; 3000]);
        let saved = vec![(put(n + 1).1.id, Some(vec![3; 700].into()))];
        let group =
            Group { puts, tried, saved, meta, failed: vec![failed], ..positions(n * 50 + 1..=n * 50 + 50) };
        writer.commit(&group).unwrap();
    }
    writer.close().unwrap();
    place
}

/// Everything that reads; whatever fails names the file and the way out.
fn read_all(place: &Place) -> Result<(), JournalError> {
    let run = place.run();
    let all = || {
        let view = View::open(&run)?;
        view.info()?;
        view.meta()?;
        view.failed(&mut |_| {})?;
        let (journal, mut past) = reopen(&run, &disk())?;
        assert_eq!(past.known.ended(), 200);
        past.known.check(&put_with(1, keyed("1")).1)?;
        let (mut writer, mut reader) = journal.split();
        reader.fetch(0, 0, u64::MAX, usize::MAX, &mut Vec::new())?;
        writer.commit(&positions(900..=901))
    };
    all().inspect_err(|error: &JournalError| {
        assert!(error.to_string().contains("journal.db"), "{error}");
        assert!(!error.help().is_empty());
    })
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_flipped_byte_is_an_error_or_does_no_harm() {
    let sound = with_all_tables();
    read_all(&sound).unwrap();
    let sound = with_all_tables();
    let bytes = fs::read(sound.database()).unwrap();
    let target = place();
    let folder = target.home.path().join("runs/abcd");
    fs::create_dir_all(&folder).unwrap();
    let mut refused = 0;
    let mut flips = 0;
    for at in (0..bytes.len()).step_by(127) {
        for entry in fs::read_dir(&folder).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        copy(&sound.run().path, &folder);
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(folder.join("journal.db"), damaged).unwrap();
        flips += 1;
        refused += u32::from(read_all(&target).is_err());
    }
    assert!(flips > 300 && refused > 30, "{refused} of {flips} refused");
}

#[test]
fn a_cut_file_is_an_error() {
    let sound = with_all_tables();
    let bytes = fs::read(sound.database()).unwrap();
    for length in
        [0, 1, 100, 511, 512, 1000, 4096, 8192, bytes.len() / 2, bytes.len() - 4096, bytes.len() - 1]
    {
        let place = with_all_tables();
        fs::write(place.database(), &bytes[..length]).unwrap();
        let error = read_all(&place).unwrap_err();
        assert!(error.is_damaged(), "{length}: {error}");
    }
}

#[test]
fn an_empty_file_does_not_cost_the_log_beside_it() {
    let place = place();
    let (mut writer, _reader) = place.create().split();
    writer.commit(&positions(1..=10)).unwrap();
    drop(writer);
    let log = place.run().path.join("journal.db-wal");
    let before = fs::read(&log).unwrap();
    assert!(before.len() > 4096);
    fs::write(place.database(), b"").unwrap();
    assert!(read_all(&place).unwrap_err().to_string().ends_with("damaged: it has 0 bytes"));
    assert_eq!(fs::read(&log).unwrap(), before);
}

#[test]
fn what_is_no_database_is_damaged() {
    let place = with_all_tables();
    fs::write(place.database(), "no database at all, but long enough for one. ".repeat(512)).unwrap();
    let error = read_all(&place).unwrap_err();
    assert!(error.is_damaged() && error.to_string().contains("not a database"), "{error}");
}

fn change(place: &Place, statement: &str) {
    rusqlite::Connection::open(place.database()).unwrap().execute_batch(statement).unwrap();
}

#[test]
fn what_is_missing_is_named() {
    for table in ["about", "texts", "state", "meta", "ended", "keys", "queue", "failed", "tried"] {
        let place = with_all_tables();
        change(&place, &format!("DROP TABLE {table}"));
        let error = read_all(&place).unwrap_err();
        assert!(error.is_damaged() && error.to_string().contains("no such"), "{table}: {error}");
    }
    for (statement, said) in [
        ("DELETE FROM ended WHERE number = 2", "part 2: it is missing"),
        ("DELETE FROM ended WHERE number = 4", "200 tasks should have ended, and it has 150"),
        ("UPDATE ended SET positions = x'01' WHERE number = 3", "part 3: too short"),
        ("DELETE FROM queue", "40 tasks should wait"),
        ("DELETE FROM about WHERE name = 'seed'", "does not say its `seed`"),
        ("UPDATE queue SET task = zeroblob(30) WHERE seq = 3", "waiting task 3: the check sum is wrong"),
        ("UPDATE failed SET number = 9 WHERE number = 4", "failed task 9: the check sum is wrong"),
        ("UPDATE state SET done = -1", "damaged"),
        ("DELETE FROM state", "damaged"),
        ("INSERT INTO tried VALUES (x'00', 1, 1, 1, 1)", "damaged"),
        ("PRAGMA journal_mode = DELETE", "its log is of the kind `delete`"),
    ] {
        let place = with_all_tables();
        change(&place, statement);
        let error = read_all(&place).unwrap_err();
        assert!(error.is_damaged() && error.to_string().contains(said), "{statement}: {error}");
    }
}

#[test]
fn a_foreign_and_a_newer_file_are_refused() {
    let place = with_all_tables();
    change(&place, "PRAGMA user_version = 7");
    let error = read_all(&place).unwrap_err();
    assert!(error.to_string().ends_with("has format 7, and this mpms reads formats up to 2"), "{error}");
    change(&place, "PRAGMA application_id = 99");
    let error = read_all(&place).unwrap_err();
    assert!(matches!(error, JournalError::Foreign { found: 99, .. }), "{error}");
}
