//! The two threads as the loop sees them, with a real journal and real files.
#![cfg(test)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;

use super::*;
use crate::journal::{self, Begin, Disk, Home, Past as Kept};
use crate::lua::frozen::Frozen;
use crate::lua::std::log::Sinks;
use crate::model::event::{Counts, Summary};
use crate::model::handling::Puts;
use crate::model::outcome::{Done, Left};
use crate::model::task::PutBy;
use crate::model::{Delivery, Failure, Payload, Seq, Task, TaskId, Value, Verdict};
use crate::os::memory::peak_rss_self;
use crate::os::wake::{WakeReceiver, wake_pair};
use crate::plan::{OutputFormat, OutputMode, OutputPlan, OutputTarget};
use crate::wire::value::{decode, encode, encode_list};

/// What takes longer hangs.
const HANG: Duration = Duration::from_secs(30);

/// A run in a folder of its own; sessions follow one another.
struct Run {
    folder: tempfile::TempDir,
    output: Option<OutputPlan>,
    on_error: OnError,
}

/// One session.
struct Session {
    to: Option<Sender<ToHandler>>,
    from: Receiver<FromHandler>,
    _wake: WakeReceiver,
}

#[derive(Debug, Default, PartialEq)]
struct Heard {
    handled: usize,
    committed: usize,
    seq: u64,
    puts: Vec<Puts>,
}

fn disk() -> Disk {
    Disk { network_allowed: true }
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(".git")).expect("a folder");
        Run { folder, output: None, on_error: OnError::Abort }
    }

    fn rows_to(mut self, name: &str, format: OutputFormat) -> Self {
        let path = if name.starts_with('/') { PathBuf::from(name) } else { self.folder.path().join(name) };
        let (name, target) = (path.display().to_string(), OutputTarget::File(path));
        self.output = Some(OutputPlan { target, name, format, fields: None, mode: OutputMode::Error });
        self
    }

    fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    fn rows(&self) -> String {
        let Some(OutputTarget::File(path)) = self.output.as_ref().map(|plan| &plan.target) else {
            panic!("no file")
        };
        std::fs::read_to_string(path).expect("rows")
    }

    fn home(&self) -> Home {
        Home::of(self.folder.path())
    }

    fn kept(&self) -> Kept {
        let run = self.home().find("latest").expect("a run");
        journal::reopen(&run, &disk()).expect("a journal").1
    }

    fn new_journal(&self) -> Writer {
        let begin = Begin {
            job: "test".into(),
            description: String::new(),
            manifest: PathBuf::from("/test.toml"),
            seed: 0,
            params: Vec::new(),
            meta: Vec::new(),
            settings: String::new(),
            texts: Vec::new(),
            output: Some("rows".into()),
            keyed: false,
            command: String::new(),
        };
        journal::create(&self.home(), &begin, &disk()).expect("a journal").split().0
    }

    fn first(&self, code: &str) -> Session {
        let sink = self.output.as_ref().map(|plan| Sink::open(plan).expect("an output"));
        self.session(code, self.new_journal(), sink, Past::default())
    }

    fn without_journal(&self, code: &str) -> Session {
        let sink = self.output.as_ref().map(|plan| Sink::open(plan).expect("an output"));
        self.session(code, journal::scratch().split().0, sink, Past::default())
    }

    fn again(&self, code: &str) -> Session {
        let run = self.home().find("latest").expect("a run");
        let (journal, kept) = journal::reopen(&run, &disk()).expect("a journal");
        let open = |plan| Sink::open_resumed(plan, kept.output).expect("an output");
        let sink = self.output.as_ref().map(open);
        let past = Past {
            meta: kept.meta.clone(),
            last_seq: kept.last_seq,
            started: kept.started,
            has_mark: kept.output.is_some(),
        };
        self.session(code, journal.split().0, sink, past)
    }

    fn session(&self, code: &str, writer: Writer, sink: Option<Sink>, past: Past) -> Session {
        let job = Job {
            name: "test".into(),
            description: String::new(),
            manifest: PathBuf::from("/test.toml"),
            dir: self.folder.path().to_path_buf(),
            seed: 0,
            params: Value::Map(Vec::new()),
            meta: Value::Map(vec![(Value::text("sum"), Value::Int(0))]),
            env: Vec::new(),
            lua_path: None,
        };
        let dir = PathBuf::from("/");
        let script =
            (!code.is_empty()).then(|| Script { name: "test.lua".into(), dir, text: code.as_bytes().into() });
        let (waker, wake) = wake_pair().expect("a waker");
        let (to, deliveries) = unbounded();
        let (replies, from) = unbounded();
        let around = || Around { logs: Sinks::none(), frozen: Frozen::new(&[], |_, _| {}) };
        let handler = Handler {
            job,
            script,
            on_error: self.on_error,
            tell: Box::new(|_| {}),
            timeout_ns: 60_000_000_000,
            sink,
            writer,
            past,
            dirs: std::env::temp_dir().join("mpms-test-of-handlers"),
            deliveries,
            replies,
            waker,
        };
        spawn(handler, around).expect("threads");
        Session { to: Some(to), from, _wake: wake }
    }
}

impl Session {
    fn next(&self) -> FromHandler {
        self.from.recv_timeout(HANG).expect("it says something")
    }

    fn started(&self) -> Puts {
        match self.next() {
            FromHandler::Started { puts } => puts,
            other => panic!("{other:?}"),
        }
    }

    fn failed(&self) -> String {
        loop {
            match self.next() {
                FromHandler::Failed(StopCause::Broken(words) | StopCause::Unwritable(words)) => return words,
                FromHandler::Failed(cause) => panic!("{cause:?}"),
                _ => {}
            }
        }
    }

    fn say(&self, message: ToHandler) {
        self.to.as_ref().expect("open").send(message).expect("the handler is there");
    }

    fn deliver(&self, deliveries: Vec<Delivery>) {
        self.say(ToHandler::Deliver(deliveries));
    }

    /// Until so many deliveries are committed.
    fn committed(&self, count: usize) -> Heard {
        let mut heard = Heard::default();
        while heard.committed < count {
            match self.next() {
                FromHandler::Handled { count, puts } => {
                    heard.handled += count;
                    heard.puts.extend(Some(puts).filter(|puts| *puts != Puts::default()));
                }
                FromHandler::Committed { count, seq } => {
                    assert!(seq >= heard.seq);
                    (heard.committed, heard.seq) = (heard.committed + count, seq);
                    assert!(heard.committed <= heard.handled, "handled first");
                }
                other => panic!("{other:?}"),
            }
        }
        heard
    }

    /// Its end; what `finish` said, and rows.
    fn closed(self) -> (Option<String>, u64) {
        loop {
            match self.next() {
                FromHandler::Closed { finish, output, .. } => {
                    return (finish, output.map_or(0, |(_, rows)| rows));
                }
                FromHandler::Failed(cause) => panic!("{cause:?}"),
                _ => {}
            }
        }
    }

    fn finish(self) -> (Option<String>, u64) {
        self.say(ToHandler::Finish(Box::new(summary(None))));
        self.closed()
    }

    fn stop(self) -> (Option<String>, u64) {
        self.say(ToHandler::Close(Box::new(summary(Some(StopCause::Signal(2))))));
        self.closed()
    }

    /// The handler's thread takes nothing any more.
    fn is_gone(&self) {
        let began = Instant::now();
        while self.to.as_ref().expect("open").send(ToHandler::Flush).is_ok() {
            assert!(began.elapsed() < HANG, "the handler's thread has not ended");
            std::thread::yield_now();
        }
    }
}

fn summary(stopped: Option<StopCause>) -> Summary {
    Summary { counts: Counts::default(), stopped, ..Summary::default() }
}

fn done(position: u64) -> Delivery {
    let list = encode_list([Value::Int(position.cast_signed())].iter());
    let values = Payload::copy_from(&list);
    let (id, args) = (TaskId::at(position), values.clone());
    let verdict = Verdict::Done(Done { values, effects: None });
    let left = Left::default();
    Delivery { id, seq: None, args, key: None, attempt: 1, worker: 1, left, elapsed_ns: 1, verdict }
}

fn failed(position: u64) -> Delivery {
    let failure = Box::new(Failure::new("x", "y"));
    Delivery { verdict: Verdict::Failed(failure), ..done(position) }
}

fn meta(kept: &Kept) -> Value {
    decode(kept.meta.as_ref().expect("a snapshot"), &mut 0).expect("a value")
}

const SUM: &str = "return { handler = function(meta, n) meta.sum = meta.sum + n end,
    finish = function(meta) return meta.sum end }";

#[test]
fn what_is_handled_is_kept_and_a_session_goes_on_with_it() {
    let run = Run::new();
    let session = run.first(SUM);
    assert_eq!(session.started(), Puts::default());
    session.deliver(vec![done(1), done(2), failed(3)]);
    // nothing more comes, and the group is closed all the same
    let heard = session.committed(3);
    assert_eq!((heard.handled, heard.seq), (3, 0));
    session.deliver(vec![done(5)]);
    session.stop();
    let kept = run.kept();
    assert_eq!((kept.done, kept.failed, kept.started, kept.complete), (3, 1, true, false));
    assert_eq!(meta(&kept).get("sum"), Some(&Value::Int(8)));
    let session = run.again(SUM);
    session.started();
    session.deliver(vec![done(4)]);
    session.committed(1);
    assert_eq!(session.finish().0.as_deref(), Some("12"));
    let kept = run.kept();
    assert_eq!((kept.done, kept.complete, kept.finish.as_deref()), (4, true, Some("12")));
}

#[test]
fn a_session_that_was_killed_keeps_whole_groups_only() {
    let run = Run::new().rows_to("rows.jsonl", OutputFormat::Jsonl);
    let code = "return { handler = function(meta, n) meta.sum = meta.sum + n emit{ n = n } end }";
    let mut session = run.first(code);
    session.started();
    session.deliver((1..=10).map(done).collect());
    session.committed(10);
    // as if killed: the next group is open when the loop goes
    session.deliver((11..=12).map(done).collect());
    session.to = None;
    while session.from.recv_timeout(HANG).is_ok() {}
    let kept = run.kept();
    let sum: u64 = (1..=kept.done).sum();
    assert_eq!(meta(&kept).get("sum"), Some(&Value::Int(sum.cast_signed())));
    assert_eq!(kept.output.expect("a mark").rows, kept.done);
    let session = run.again(code);
    session.started();
    session.deliver((kept.done + 1..=12).map(done).collect());
    assert_eq!(session.finish().1, 12);
    assert_eq!(run.rows(), (1..=12).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>());
}

#[test]
fn start_puts_and_emits_once_in_a_run() {
    let run = Run::new().rows_to("rows.json", OutputFormat::Json);
    let code = "return { start = function(meta) meta.sum = meta.sum + 1 emit(meta.sum) put = nil
        for i = 1, 3 do meta.self:put(i) end end, finish = function(meta) return meta.sum end }";
    let session = run.first(code);
    let puts = session.started();
    assert_eq!((puts.first, puts.tasks.len()), (Seq::new(1), 3));
    assert_eq!(puts.tasks[2].id, TaskId::child(TaskId::ROOT, PutBy::Start, 2));
    session.stop();
    assert_eq!(run.rows(), "[\n1\n]\n");
    let kept = run.kept();
    assert_eq!((kept.last_seq, kept.pending[0].count), (3, 3));
    let session = run.again(code);
    assert_eq!(session.started(), Puts::default());
    assert_eq!(session.finish().0.as_deref(), Some("2"), "it is called with the meta that was kept");
    assert_eq!((run.rows(), run.kept().last_seq), ("[\n1\n]\n".into(), 3));
}

#[test]
fn meta_comes_back_as_it_was() {
    let values = [
        "1",
        "-1",
        "math.maxinteger",
        "math.mininteger",
        "1.0",
        "0.1",
        "-0.0",
        "1/0",
        "'text'",
        "'\\0\\xff'",
        "true",
        "false",
        "{}",
        "{1,2,3}",
        "{a={b={c={1}}}}",
        "{1,2,x=3}",
        "{[5]=1,[2.5]=2,[true]=3}",
    ];
    for value in values {
        let run = Run::new();
        let session = run.first(&format!("return {{ start = function(meta) meta.x = {value} end }}"));
        session.started();
        session.stop();
        let same = format!(
            "local function same(a, b)
               if type(a) ~= 'table' then return a == b and math.type(a) == math.type(b) and tostring(a) == tostring(b) end
               for k, v in pairs(a) do if not same(v, b[k]) then return false end end
               for k in pairs(b) do if a[k] == nil then return false end end
               return true
             end
             return {{ finish = function(meta) return tostring(same(meta.x, {value})) end }}"
        );
        let session = run.again(&same);
        session.started();
        assert_eq!(session.finish().0.as_deref(), Some("true"), "{value}");
    }
    // a table in two places becomes two; what meta knows of a task is not in it
    let run = Run::new();
    let code = "return { start = function(meta) local t = { 1 } meta.a, meta.b = t, { t } end,
        handler = function(meta) assert(meta.task_id and meta.self and meta.task[1] == 1) end }";
    let session = run.first(code);
    session.started();
    session.deliver(vec![done(1)]);
    session.committed(1);
    session.stop();
    let Value::Map(pairs) = meta(&run.kept()) else { panic!("a table") };
    let mut names: Vec<_> = pairs.iter().map(|(name, _)| name.as_text().expect("text")).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "sum"]);
    let session = run.again("return { finish = function(meta) meta.a[1] = 2 return meta.b[1][1] end }");
    session.started();
    assert_eq!(session.finish().0.as_deref(), Some("1"));
}

#[test]
fn what_meta_cannot_keep_is_named_before_anything_runs() {
    let cases = [
        (
            "meta.log = io.tmpfile()",
            "meta.log is an open file or another object, which a journal cannot keep",
        ),
        ("meta.a = { b = { print } }", "meta.a.b[1] is a function, which a journal cannot keep"),
        ("meta.co = coroutine.create(print)", "meta.co is a coroutine, which a journal cannot keep"),
        (
            "meta.t = {} meta.t.t = meta.t",
            "meta.t.t is a table that contains itself, which a journal cannot keep",
        ),
        ("meta.me = meta.self", "meta.me.put"),
        (
            "local t = {} meta.t = t for i = 1, 300 do t.t = {} t = t.t end",
            "is nested deeper than 200 tables",
        ),
    ];
    for (start, words) in cases {
        let code = format!("return {{ start = function(meta) {start} end, handler = function() end }}");
        let session = Run::new().first(&code);
        let said = session.failed();
        assert!(said.contains(words) && said.contains("keep it in a local variable of the script"), "{said}");
        session.is_gone();
        // nobody needs it there
        Run::new().without_journal(&code).started();
    }
    let run = Run::new();
    let code = "return { handler = function(meta, n) meta.sum = meta.sum + n if n == 3 then meta.f = print end end }";
    let session = run.first(code);
    session.started();
    session.deliver(vec![done(1), done(2)]);
    session.committed(2);
    session.deliver(vec![done(3)]);
    assert!(session.failed().starts_with("meta.f is a function"));
    let kept = run.kept();
    assert_eq!((kept.done, meta(&kept).get("sum")), (2, Some(&Value::Int(3))));
}

#[test]
fn the_same_meta_is_not_written_again() {
    let run = Run::new();
    let session = run.first("return { handler = function(meta, n) if n == 2 then meta.sum = 7 end end }");
    session.started();
    session.deliver(vec![done(9)]);
    session.committed(1);
    let database =
        rusqlite::Connection::open(run.home().find("latest").expect("a run").path.join("journal.db"));
    let database = database.expect("a database");
    let watch = "CREATE TABLE seen (n INTEGER PRIMARY KEY); CREATE TRIGGER watch AFTER INSERT ON meta BEGIN
        INSERT INTO seen VALUES (NULL); END";
    database.execute_batch(watch).expect("a trigger");
    let writes =
        || database.query_row("SELECT count(*) FROM seen", (), |row| row.get::<_, i64>(0)).expect("a count");
    for (n, wanted) in [(1, 0), (2, 1), (3, 1)] {
        session.deliver(vec![done(n)]);
        session.committed(1);
        assert_eq!(writes(), wanted);
    }
}

#[test]
fn a_handler_that_raises_takes_its_group_back_or_only_its_call() {
    let code = "return { handler = function(meta, n) meta.sum = meta.sum + n meta.self:put(n) emit(n)
        if n == 3 then error('no') end end, finish = function(meta) return meta.sum end }";
    let run = Run::new().rows_to("rows.jsonl", OutputFormat::Jsonl);
    let session = run.first(code);
    session.started();
    session.deliver(vec![done(1)]);
    session.committed(1);
    session.deliver(vec![done(2), done(3)]);
    assert!(session.failed().starts_with("role `handler` raised at task 3"));
    session.is_gone();
    let kept = run.kept();
    assert_eq!((kept.done, kept.last_seq, kept.complete), (1, 1, false));
    assert_eq!(meta(&kept).get("sum"), Some(&Value::Int(1)));
    assert_eq!(run.rows(), "1\n");
    let view = journal::View::open(&run.home().find("latest").expect("a run")).expect("a view");
    let state = format!("{:?}", view.info().expect("infos").state);
    assert!(state.contains("role `handler` raised at task 3"), "{state}");

    let run = Run::new().rows_to("rows.jsonl", OutputFormat::Jsonl).on_error(OnError::Log);
    let session = run.first(code);
    session.started();
    session.deliver(vec![done(2), done(3), done(4)]);
    let heard = session.committed(3);
    assert_eq!(heard.puts.iter().map(|puts| puts.tasks.len()).sum::<usize>(), 2);
    assert_eq!(session.finish(), (Some("9".into()), 2));
    let kept = run.kept();
    assert_eq!((kept.done, kept.pending[0].count, run.rows()), (3, 2, "2\n4\n".into()));
}

#[test]
fn finish_that_raises_is_called_again() {
    let run = Run::new();
    let session = run.first("return { finish = function() error('no') end }");
    session.started();
    session.deliver(vec![done(1)]);
    session.committed(1);
    session.say(ToHandler::Finish(Box::new(summary(None))));
    assert!(session.failed().starts_with("role `finish` raised"));
    assert_eq!((run.kept().done, run.kept().complete), (1, false));
    let session = run.again("return { finish = function() return 'well' end }");
    session.started();
    assert_eq!(session.finish().0.as_deref(), Some("well"));
    assert!(run.kept().complete);
}

/// A call that puts `count` tasks, those with odd numbers to priority 1.
fn huge(count: usize, then: &str) -> String {
    format!(
        "return {{ handler = function(meta, n)
           meta.self:put(n)
           if n == 2 then for i = 1, {count} do
             if i % 2 == 0 then meta.self:put(i) else meta.self:put_with({{ priority = 1 }}, i) end
           end {then} end
         end }}"
    )
}

#[test]
fn a_call_that_puts_very_many_leaves_them_in_the_journal() {
    for is_durable in [true, false] {
        let run = Run::new();
        let code = huge(200_000, "");
        let session = if is_durable { run.first(&code) } else { run.without_journal(&code) };
        session.started();
        session.deliver(vec![done(1)]);
        session.committed(1);
        session.deliver(vec![done(3), done(2), done(4)]);
        let heard = session.committed(3);
        let told: usize = heard.puts.iter().map(|puts| puts.tasks.len()).sum();
        assert_eq!(told, 2, "what was put before and after it");
        let stored: Vec<_> = heard.puts.iter().flat_map(|puts| puts.stored.clone()).collect();
        let of = |priority| stored.iter().find(|puts| puts.priority == priority).expect("this priority");
        let places = |priority| (of(priority).first.number(), of(priority).last.number(), of(priority).count);
        // one of each delivery, then 200,000
        assert_eq!((places(0), places(1)), ((3, 200_003, 100_001), (4, 200_002, 100_000)));
        assert_eq!(heard.seq, 200_004);
        session.stop();
        if is_durable {
            let kept = run.kept();
            assert_eq!((kept.last_seq, kept.done), (200_004, 4));
            assert_eq!(kept.pending.iter().map(|puts| puts.count).sum::<u64>(), 200_004);
        }
    }
}

#[test]
fn a_huge_call_that_raises_leaves_nothing() {
    let run = Run::new().on_error(OnError::Log);
    let session = run.first(&huge(200_000, "error('no')"));
    session.started();
    session.deliver(vec![done(1), done(2), done(3)]);
    let heard = session.committed(3);
    assert_eq!(heard.seq, 2, "places are used again");
    session.deliver(vec![done(4)]);
    assert_eq!(session.committed(1).seq, 3);
    session.stop();
    let kept = run.kept();
    assert_eq!((kept.done, kept.last_seq, kept.pending[0].count), (4, 3, 3));
    let run = Run::new();
    let session = run.first(&huge(200_000, "error('no')"));
    session.started();
    session.deliver(vec![done(1), done(2)]);
    session.failed();
    session.is_gone();
    assert_eq!((run.kept().done, run.kept().pending.len()), (0, 0));
}

#[test]
fn start_may_put_very_many() {
    let run = Run::new();
    let code = "return { start = function(meta) for i = 1, 150000 do meta.self:put_with({ key = i % 100000 }, i) end end }";
    let session = run.first(code);
    let puts = session.started();
    assert_eq!((puts.tasks.len(), puts.stored.len()), (0, 1));
    assert_eq!((puts.stored[0].count, puts.stored[0].last.number()), (100_000, 100_000), "a key counts once");
    session.stop();
    assert_eq!((run.kept().pending[0].count, run.kept().started), (100_000, true));
}

#[test]
fn an_output_that_cannot_be_written_ends_both_threads() {
    for durable in [true, false] {
        let run = Run::new().rows_to("/dev/full", OutputFormat::Jsonl);
        let session = if durable { run.first("") } else { run.without_journal("") };
        session.started();
        session.deliver(vec![done(1)]);
        let words = session.failed();
        assert!(words.contains("No space left on device") && words.contains("make room"), "{words}");
        session.is_gone();
        if durable {
            assert_eq!(run.kept().done, 0, "nothing of the group is kept");
        }
    }
}

#[test]
fn a_journal_that_cannot_be_written_ends_both_threads() {
    let run = Run::new().rows_to("rows.jsonl", OutputFormat::Jsonl);
    let session =
        run.first("return { handler = function(meta, n) emit(n) if n > 1 then meta.self:put(n) end end }");
    session.started();
    session.deliver(vec![done(1)]);
    session.committed(1);
    let path = run.home().find("latest").expect("a run").path.join("journal.db");
    let database = rusqlite::Connection::open(path).expect("a database");
    let refuse = "CREATE TRIGGER no BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'no'); END";
    database.execute_batch(refuse).expect("a trigger");
    session.deliver(vec![done(2)]);
    let words = session.failed();
    assert!(words.contains("journal") && words.contains("; "), "{words}");
    session.is_gone();
    assert!(!session.from.try_iter().any(|reply| matches!(reply, FromHandler::Failed(_))), "it is told once");
}

#[test]
fn a_call_that_waits_for_a_journal_that_fails_ends_too() {
    let run = Run::new();
    let session = run.first(&huge(100_000_000, ""));
    session.started();
    session.deliver(vec![done(1)]);
    session.committed(1);
    let path = run.home().find("latest").expect("a run").path.join("journal.db");
    let database = rusqlite::Connection::open(path).expect("a database");
    let refuse = "CREATE TRIGGER no BEFORE INSERT ON queue BEGIN SELECT RAISE(ABORT, 'no'); END";
    database.execute_batch(refuse).expect("a trigger");
    session.deliver(vec![done(2)]);
    assert!(session.failed().contains("journal"));
    session.is_gone();
}

#[test]
fn without_a_journal_nothing_waits_for_a_commit() {
    let run = Run::new();
    let session = run.without_journal(SUM);
    session.started();
    session.deliver((1..=1000).map(done).collect());
    assert_eq!(session.committed(1000).handled, 1000);
    // with something to keep, it is kept first
    let session = run.without_journal("return { handler = function(meta, n) meta.self:put(n) end }");
    session.started();
    session.deliver((1..=10).map(done).collect());
    let heard = session.committed(10);
    assert_eq!((heard.seq, heard.puts[0].first), (10, Seq::new(1)));
    assert_eq!(session.finish(), (None, 0));
}

#[test]
fn puts_of_workers_and_of_the_handler_follow_each_other() {
    let run = Run::new();
    let session = run.first("return { handler = function(meta, n) meta.self:put('h') end }");
    session.started();
    let put = |text: &str| {
        let mut args = vec![1];
        encode(&mut args, &Value::text(text));
        Task::plain(TaskId::ROOT, Payload::copy_from(&args))
    };
    let mut delivery = done(7);
    if let Verdict::Done(done) = &mut delivery.verdict {
        let effects = crate::model::outcome::Effects { puts: vec![put("a"), put("b")], ..Default::default() };
        done.effects = Some(Box::new(effects));
    }
    session.deliver(vec![delivery]);
    let heard = session.committed(1);
    let ids: Vec<_> = heard.puts[0].tasks.iter().map(|task| task.id).collect();
    let child = |by, n| TaskId::child(TaskId::at(7), by, n);
    assert_eq!(ids, [child(PutBy::Worker, 0), child(PutBy::Worker, 1), child(PutBy::Handler, 0)]);
    assert_eq!((heard.puts[0].first, heard.seq), (Seq::new(1), 3));
}

#[test]
#[ignore = "a measurement of the whole process; run it alone"]
fn a_call_that_puts_very_many_needs_flat_memory() {
    let run = Run::new();
    let session = run.first(&huge(3_000_000, ""));
    session.started();
    session.deliver(vec![done(1)]);
    session.committed(1);
    let (before, began) = (peak_rss_self(), Instant::now());
    session.to.as_ref().expect("open").send(ToHandler::Deliver(vec![done(2)])).expect("the handler is there");
    while !matches!(session.from.recv().expect("news"), FromHandler::Committed { .. }) {}
    let grown = peak_rss_self().saturating_sub(before) >> 20;
    let line = format!("3,000,000 puts: {:?}, {grown} MiB\n", began.elapsed());
    io::Write::write_all(&mut io::stderr(), line.as_bytes()).expect("standard error is open");
    assert!(grown < 100, "{grown} MiB");
}

#[test]
fn a_large_group_is_closed_at_once_and_told_before_it_is_committed() {
    let run = Run::new();
    let session = run.first("");
    session.started();
    session.deliver((1..=200_000).map(done).collect());
    assert_eq!(session.committed(200_000).handled, 200_000);
    session.finish();
    assert_eq!(run.kept().done, 200_000);
}

#[test]
fn the_journal_knows_what_was_in_the_file_before_any_row_is_written() {
    let mut run = Run::new().rows_to("rows.jsonl", OutputFormat::Jsonl);
    run.output.as_mut().expect("a plan").mode = OutputMode::Append;
    std::fs::write(run.folder.path().join("rows.jsonl"), "old\n").expect("a file");
    let go = run.folder.path().join("go");
    let code = format!("return {{ start = function() while not io.open('{}') do end end }}", go.display());
    let session = run.first(&code);
    let view = journal::View::open(&run.home().find("latest").expect("a run")).expect("a view");
    let began = Instant::now();
    while view.info().expect("infos").output.is_none_or(|(_, mark)| mark.position != 4) {
        assert!(began.elapsed() < HANG, "there is no mark");
        std::thread::yield_now();
    }
    std::fs::write(go, "").expect("a file");
    session.started();
    session.stop();
}
