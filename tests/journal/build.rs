//! Words in which the tests are written.

use std::path::PathBuf;

use mpms::journal::record::{EndKind, EndedPosition, EndedTask, Group, args_hash, key_hash};
use mpms::journal::{Begin, Disk, Home, Journal, Past, RunDir, Text, create, reopen};
use mpms::model::task::TaskOptions;
use mpms::model::{Payload, Seq, Task, TaskId};
use tempfile::TempDir;

/// A folder with a `.mpms` of its own.
pub struct Place {
    pub folder: TempDir,
    pub home: Home,
}

pub fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".git")).unwrap();
    let home = Home::of(folder.path());
    Place { folder, home }
}

impl Place {
    pub fn create(&self) -> Journal {
        create(&self.home, &begin(), &disk()).unwrap()
    }

    /// The only run.
    pub fn run(&self) -> RunDir {
        self.home.find("latest").unwrap()
    }

    pub fn database(&self) -> PathBuf {
        self.run().path.join("journal.db")
    }

    /// Between the fork and the exec of a process that another test starts, its child holds our locks too.
    pub fn reopen(&self) -> (Journal, Past) {
        let run = self.run();
        loop {
            match reopen(&run, &disk()) {
                Err(error) if error.is_locked() => std::thread::yield_now(),
                other => return other.unwrap(),
            }
        }
    }
}

/// Whatever the machine has.
pub fn disk() -> Disk {
    Disk { network_allowed: true }
}

pub fn begin() -> Begin {
    Begin {
        job: "crawl".into(),
        description: "crawls".into(),
        manifest: PathBuf::from("/somewhere/jobs/crawl.toml"),
        seed: -7,
        params: vec![1, 2],
        meta: vec![9, 0],
        settings: "{\"processes\":2}".into(),
        texts: vec![text("jobs/crawl.toml", "name = \"crawl\""), text("scripts/crawl.lua", "return 1")],
        output: Some("out/pages.jsonl".into()),
        keyed: true,
        command: "mpms run jobs/crawl.toml".into(),
    }
}

pub fn text(name: &str, text: &str) -> Text {
    Text { name: name.into(), text: text.as_bytes().to_vec() }
}

pub fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

pub fn args(number: u64) -> Payload {
    Payload::copy_from(&number.to_le_bytes())
}

/// The generated task at a position.
pub fn given(position: u64) -> Task {
    Task::plain(TaskId::at(position), args(position))
}

pub fn ended(position: u64) -> EndedPosition {
    EndedPosition { position, hash: args_hash(&args(position)), kind: EndKind::Done }
}

pub fn put_id(number: u64) -> TaskId {
    TaskId::child(TaskId::ROOT, mpms::model::task::PutBy::Start, number)
}

pub fn put(number: u64) -> (Seq, Task) {
    (seq(number), Task::plain(put_id(number), args(number)))
}

pub fn put_with(number: u64, options: TaskOptions) -> (Seq, Task) {
    (seq(number), Task { options: Some(Box::new(options)), ..put(number).1 })
}

pub fn keyed(key: &str) -> TaskOptions {
    TaskOptions { key: Some(key.as_bytes().into()), ..TaskOptions::default() }
}

pub fn hash(key: &str) -> u128 {
    key_hash(key.as_bytes())
}

pub fn put_ended(number: u64) -> EndedTask {
    EndedTask { id: put_id(number), seq: Some(seq(number)), key: None, kind: EndKind::Done }
}

pub fn positions(range: std::ops::RangeInclusive<u64>) -> Group {
    Group { positions: range.map(ended).collect(), ..Group::default() }
}
