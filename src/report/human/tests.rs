//! Golden texts: what a person sees of a run, without colours.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::model::StopCause;
use crate::model::event::Counts;
use crate::report::options::ColorChoice;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All that is written of `events`.
fn told(verbosity: Verbosity, events: &[Event]) -> String {
    let page = Page::default();
    let command = Some("mpms run jobs/crawl.toml".to_owned());
    let options = ReportOptions { verbosity, command, ..ReportOptions::default() };
    let mut human = Human::new(Box::new(page.clone()), Look::plain(), Shown::Plain, &options);
    for event in events {
        human.event(event).expect("a page takes all");
        human.tick().expect("a page takes all");
    }
    human.end().expect("a page takes all");
    let bytes = page.0.lock().expect("not poisoned").clone();
    String::from_utf8(bytes).expect("reports are text")
}

fn task(name: &str) -> TaskLabel {
    TaskLabel { id: name.trim_start_matches("/p/").into(), name: name.into(), attempt: 1, worker: 3 }
}

fn failed(name: &str, message: &str) -> Event {
    let traceback = "stack traceback:\n\t[C]: in function 'error'\n\tcrawl.lua:9: in function <crawl.lua:3>";
    let failure = Failure { traceback: Some(traceback.into()), ..Failure::new("http_status", message) };
    Event::TaskFailed { task: task(name), elapsed_ns: 210_000_000, failure }
}

fn log(level: Level, from: &str, text: &str) -> Event {
    let fields = vec![("size".to_owned(), "4".to_owned()), ("kind".to_owned(), "a".to_owned())];
    Event::Log(LogLine { level, from: from.into(), text: text.into(), fields, at: Default::default() })
}

fn crash(worker: u32) -> Event {
    let unexpected = Some("killed by signal 9 (SIGKILL)".to_owned());
    Event::WorkerExited { worker, pid: 41_214, unexpected, suspects: 10 }
}

fn started() -> Event {
    let (job, run, resumed) = ("crawl".into(), None, None);
    Event::RunStarted { job, processes: 5, threads: 10, coroutines: 1, seed: 0, run, resumed }
}

fn summary() -> Summary {
    Summary {
        counts: Counts {
            known: 1_200,
            done: 1_198,
            failed: 2,
            elapsed_ns: 14_200_000_000,
            ..Counts::default()
        },
        again: 5,
        times_ns: Some([84_000_000, 411_000_000, 1_900_000_000, 9_800_000_000]),
        cpu_seconds: 44.0,
        peak_rss_bytes: 214 << 20,
        crashes: 1,
        output: Some(("out/pages.jsonl".into(), 1_198)),
        finish: Some("pages: 1,198\nwords: 7\u{1b}[2J".into()),
        ..Summary::default()
    }
}

fn finished(summary: Summary) -> Event {
    Event::RunFinished(Box::new(summary))
}

#[test]
fn a_run_with_failures() {
    let text = told(
        Verbosity::Normal,
        &[
            started(),
            log(Level::Print, "37", "got \u{1b}[31m404"),
            log(Level::Print, "38", "all is well"),
            log(Level::Debug, "handler", "not shown"),
            log(Level::Warn, "handler", "slow"),
            failed("/p/37", "404"),
            crash(3),
            failed("/p/731", "500"),
            finished(summary()),
        ],
    );
    let expected = "     Running crawl  5 processes × 10 threads · seed 0
        WARN handler: slow  size=4 kind=a
        FAIL [  0.21s] /p/37   http_status 404   crawl.lua:9
             stack traceback:
               [C]: in function 'error'
               crawl.lua:9: in function <crawl.lua:3>
             printed:
               got \\x1b[31m404
       CRASH worker 3 (pid 41214) killed by signal 9 (SIGKILL); 10 tasks start again
        FAIL [  0.21s] /p/731   http_status 500   crawl.lua:9
     Summary [ 14.2s] 1,200 tasks: 1,193 ok, 5 ok after retry, 2 failed
             rate 84.5/s · latency p50 84ms p95 411ms p99 1.9s max 9.8s · cpu 3.1 cores · peak memory 214.0 MiB · 1 worker crash
      Output out/pages.jsonl  1,198 rows
      Finish pages: 1,198
             words: 7\\x1b[2J

        FAIL /p/37   http_status 404   crawl.lua:9   x2
        Next mpms run jobs/crawl.toml -j 1 -v
";
    assert_eq!(text, expected);
}

#[test]
fn after_three_of_a_kind_the_others_are_counted() {
    let mut events: Vec<_> = (0..481).map(|n| failed(&format!("/p/{n}"), &format!("{}", 400 + n))).collect();
    events.extend((0..50).map(crash));
    events.push(finished(summary()));
    let text = told(Verbosity::Normal, &events);
    let (live, end) = text.split_once("Summary").expect("a summary");
    assert_eq!(live.matches("FAIL").count(), 3);
    assert_eq!(live.matches("CRASH").count(), 3);
    assert_eq!(live.matches("(more like this are counted, not shown)").count(), 2);
    assert_eq!(live.matches("stack traceback").count(), 1);
    assert!(end.contains("        FAIL /p/0   http_status 400   crawl.lua:9   x481\n"), "{end}");
    assert!(end.contains("       CRASH killed by signal 9 (SIGKILL)   x50\n"), "{end}");
}

#[test]
fn a_stop_says_why_and_what_is_left() {
    let cause = StopCause::Signal(2);
    let stopped = Summary {
        counts: Counts {
            known: 1_200,
            more: true,
            done: 812,
            failed: 0,
            elapsed_ns: 9_100_000_000,
            ..Counts::default()
        },
        not_started: 387,
        stopped: Some(cause.clone()),
        ..Summary::default()
    };
    let text = told(Verbosity::Normal, &[Event::Stopping { cause, running: 256 }, finished(stopped.clone())]);
    let expected = "   Stopping… interrupted: 256 running tasks may still end (Ctrl-C again: end now)
     Stopped [  9.1s] 1,200 tasks: 812 ok, 387 not started, 1 not finished, the source had more
       Cause interrupted
             rate 89.2/s
";
    assert_eq!(text, expected);
    let quiet = told(Verbosity::Quiet, &[started(), finished(stopped)]);
    assert_eq!(quiet.lines().count(), 2, "{quiet}");
}

#[test]
fn quiet_shows_errors_and_the_failures_at_the_end() {
    let text = told(
        Verbosity::Quiet,
        &[
            started(),
            log(Level::Print, "37", "kept"),
            log(Level::Warn, "handler", "slow"),
            log(Level::Error, "worker 3", "panicked"),
            failed("/p/37", "404"),
            finished(summary()),
        ],
    );
    let expected = "       ERROR worker 3: panicked  size=4 kind=a
        FAIL /p/37   http_status 404   crawl.lua:9   x1
             stack traceback:
               [C]: in function 'error'
               crawl.lua:9: in function <crawl.lua:3>
             printed:
               kept
        Next mpms run jobs/crawl.toml -j 1 -v
";
    // The line break between summary and failures goes with the summary.
    assert_eq!(text, expected);
    let clean = Summary { counts: Counts { done: 3, known: 3, ..Counts::default() }, ..summary() };
    assert_eq!(told(Verbosity::Quiet, &[started(), finished(clean)]), "");
}

#[test]
fn verbose_shows_prints_and_workers_as_they_come() {
    let text = told(
        Verbosity::Verbose,
        &[
            Event::WorkerStarted { worker: 1, pid: 7 },
            log(Level::Print, "37", "a\nb"),
            log(Level::Debug, "handler", "x"),
            failed("/p/37", "404"),
        ],
    );
    assert!(
        text.starts_with("      Worker 1 (pid 7) started\n       PRINT 37: a\\nb  size=4 kind=a\n"),
        "{text}"
    );
    assert!(text.contains("       DEBUG handler: x"));
    assert!(!text.contains("printed:"));
}

#[test]
fn without_a_terminal_a_counter_line_comes_after_ten_seconds() {
    let page = Page::default();
    let options = ReportOptions::default();
    let mut human = Human::new(Box::new(page.clone()), Look::plain(), Shown::Plain, &options);
    human.event(&started()).expect("a page takes all");
    let counts = Counts { known: 1_200, more: true, done: 812, running: 256, ..Counts::default() };
    human.event(&Event::Progress(counts)).expect("a page takes all");
    for second in 0..=25 {
        human.tick_at(Instant::now() + Duration::from_secs(second)).expect("a page takes all");
    }
    let text = String::from_utf8(page.0.lock().expect("not poisoned").clone()).expect("text");
    assert_eq!(text.matches("    Progress 812/1,200+ · 256 running\n").count(), 2, "{text}");
}

#[test]
fn colours_are_put_around_words_only() {
    let look = Look::new(ColorChoice::Always, &io::stderr());
    let line = look.line(Tone::Bad, "FAIL", "x");
    assert_eq!(line, "\u{1b}[1m\u{1b}[31m        FAIL\u{1b}[0m x\n");
    assert_eq!(anstream::adapter::strip_str(&line).to_string(), Look::plain().line(Tone::Bad, "FAIL", "x"));
}

struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_standard_error_that_is_gone_costs_the_report_only() {
    let options = ReportOptions::default();
    for shown in [Shown::Bar, Shown::Plain, Shown::Nothing] {
        let mut reports = crate::report::Reports::default();
        reports.add("standard error", Box::new(Human::new(Box::new(Gone), Look::plain(), shown, &options)));
        for event in [started(), failed("/p/37", "404"), finished(summary())] {
            reports.event(&event);
            reports.tick();
        }
        let dropped = reports.end();
        assert_eq!(dropped.len(), 1);
        assert!(dropped[0].reader_left());
    }
}

#[test]
fn a_thousand_kinds_of_failure_do_not_flood() {
    let kind = |n: usize| failed("/p/1", &"x".repeat(n));
    let text =
        told(Verbosity::Normal, &(1..=1_000).map(kind).chain([finished(summary())]).collect::<Vec<_>>());
    let (live, end) = text.split_once("Summary").expect("a summary");
    assert_eq!(live.matches("FAIL").count(), 200);
    assert_eq!(live.matches("stack traceback").count(), 20);
    assert_eq!(end.matches("FAIL").count(), 20);
    assert!(end.contains("             and 980 failures of other kinds\n"), "{end}");
}

fn retry(name: &str, attempt: u32, message: &str) -> Event {
    let task = TaskLabel { attempt, ..task(name) };
    let failure = Failure::new("timeout", message);
    Event::TaskRetry { task, elapsed_ns: 10_000_000_000, failure, attempts: 4, next_ns: 1_000_000_000 }
}

fn slow(name: &str) -> Event {
    Event::TaskSlow {
        task: TaskLabel { attempt: 2, ..task(name) },
        elapsed_ns: 60_000_000_000,
        holds_thread: false,
    }
}

fn recycled() -> Event {
    Event::WorkerRecycled { worker: 2, why: "after 1,000 tasks".into() }
}

fn raised(name: &str) -> Event {
    let traceback = "handler.lua:3: in function <handler.lua:3>";
    let failure =
        Failure { traceback: Some(traceback.into()), ..Failure::new("lua_error", "handler.lua:3: no sum") };
    Event::HandlerRaised { role: "handler", task: task(name), failure }
}

#[test]
fn retries_and_slow_tasks_are_told_as_they_happen() {
    let summary = Summary {
        counts: Counts { known: 20, done: 20, skipped: 3, elapsed_ns: 20_000_000_000, ..Counts::default() },
        again: 5,
        ..Summary::default()
    };
    let events = [
        retry("/p/52", 1, "after 10s"),
        slow("/p/61"),
        recycled(),
        raised("/p/7"),
        finished(summary.clone()),
    ];
    let expected = "       RETRY [ 10.00s] /p/52   timeout after 10s, attempt 1/4, next in 1.0s
        SLOW [>60.00s] /p/61   still running: attempt 2 in worker 3
       ERROR role `handler` raised at /p/7   lua_error no sum   handler.lua:3
             handler.lua:3: in function <handler.lua:3>
     Summary [ 20.0s] 20 tasks: 12 ok, 5 ok after retry, 3 skipped
             rate 1.0/s · handler raised once
";
    assert_eq!(told(Verbosity::Normal, &events), expected);
    let verbose = told(Verbosity::Verbose, &events);
    assert!(verbose.contains("    RECYCLED worker 2 after 1,000 tasks\n"), "{verbose}");
    let quiet = told(Verbosity::Quiet, &events);
    assert!(quiet.starts_with("       ERROR role") && !quiet.contains("RETRY"), "{quiet}");
}

#[test]
fn many_retries_slow_tasks_and_errors_are_counted() {
    let mut events = Vec::new();
    for n in 0..500 {
        let name = format!("/p/{n}");
        events.extend([retry(&name, 1, &format!("after {n}s")), slow(&name), raised(&name)]);
    }
    events.push(finished(Summary::default()));
    let text = told(Verbosity::Normal, &events);
    let (live, end) = text.split_once("Summary").expect("a summary");
    assert_eq!((live.matches("RETRY").count(), live.matches("ERROR").count()), (3, 3));
    let shown = live.matches("SLOW").count();
    assert!((10..20).contains(&shown), "{shown}");
    assert!(end.contains("handler raised 500 times"), "{end}");
    assert!(end.contains("       RETRY timeout after 0s   x500\n"), "{end}");
    assert!(
        end.contains(&format!("        SLOW and {} attempts of other tasks took long\n", 500 - shown)),
        "{end}"
    );
    assert!(
        end.contains("       ERROR role `handler` raised   lua_error no sum   handler.lua:3   x500\n"),
        "{end}"
    );
}

#[test]
fn a_stop_by_policy_says_what_did_not_start_and_what_to_type() {
    let stopped = |cause| Summary {
        counts: Counts { known: 100, done: 10, elapsed_ns: 5_400_000_000_000, ..Counts::default() },
        not_started: 90,
        stopped: Some(cause),
        ..Summary::default()
    };
    let hour = 3_600_000_000_000;
    let deadline = StopCause::Deadline(hour + hour / 2);
    let aborted = StopCause::Aborted { task: "7".into(), reason: "the disk\nis full".into() };
    let expected = "     Stopped [1h 30m] 100 tasks: 10 ok, 90 not started
       Cause the deadline of 1h 30m is over
             rate 6.7/h
        Next mpms run jobs/crawl.toml --set run.deadline=3h
";
    assert_eq!(told(Verbosity::Normal, &[finished(stopped(deadline))]), expected);
    let text = told(Verbosity::Normal, &[finished(stopped(aborted))]);
    assert!(text.contains("       Cause task 7 stopped the run: the disk\n             is full\n"), "{text}");
    assert!(text.ends_with("        Next mpms run jobs/crawl.toml -j 1 -v\n"), "{text}");
}

fn told_of_kept(events: &[Event]) -> String {
    let page = Page::default();
    let kept =
        Some(crate::report::Kept { resume: "mpms resume 7f3a".into(), show: "mpms runs show 7f3a".into() });
    let options = ReportOptions { kept, command: Some("mpms run a.toml".into()), ..ReportOptions::default() };
    let mut human = Human::new(Box::new(page.clone()), Look::plain(), Shown::Plain, &options);
    for event in events {
        human.event(event).expect("a page takes all");
    }
    let bytes = page.0.lock().expect("not poisoned").clone();
    String::from_utf8(bytes).expect("reports are text")
}

fn resumed() -> Event {
    let changes = vec!["crawl.lua changed since run 7f3a (2 lines)".into(), "parameter n was 1, is 2".into()];
    let resumed = crate::model::event::Resumed { done: 812, failed: 1, again: 2, left: Some(388), changes };
    Event::RunStarted {
        job: "crawl".into(),
        processes: 1,
        threads: 1,
        coroutines: 1,
        seed: 0,
        run: Some("7f3a".into()),
        resumed: Some(resumed),
    }
}

#[test]
fn a_resume_says_what_is_done_and_what_has_changed_and_its_rate_is_its_own() {
    let counts = Counts {
        known: 1_200,
        done: 1_198,
        failed: 2,
        before: 812,
        before_ns: 60_000_000_000,
        elapsed_ns: 10_000_000_000,
        ..Counts::default()
    };
    let text = told_of_kept(&[resumed(), finished(Summary { counts, ..Summary::default() })]);
    let expected = "    Resuming crawl run 7f3a: 812 done, 1 failed, 2 failed to run again, 388 to run
     Changed crawl.lua changed since run 7f3a (2 lines)
     Changed parameter n was 1, is 2
             --strict refuses what has changed, --restart begins anew
     Running crawl  1 process × 1 thread · run 7f3a · seed 0
     Summary [ 10.0s] 1,200 tasks: 1,198 ok, 2 failed
             rate 38.8/s
        Next mpms runs show 7f3a --failed  ·  mpms resume 7f3a --retry-failed
";
    assert_eq!(text, expected);
}

#[test]
fn a_stop_of_a_durable_run_says_that_it_is_saved_and_how_it_goes_on() {
    let stopped = |cause| {
        let counts = Counts { known: 2, done: 1, elapsed_ns: 1_000_000_000, ..Counts::default() };
        told_of_kept(&[
            resumed(),
            finished(Summary { counts, not_started: 1, stopped: Some(cause), ..Summary::default() }),
        ])
    };
    let text = stopped(StopCause::Signal(2));
    assert!(text.contains("2 tasks: 1 ok, 1 not started · state saved (run 7f3a)\n"), "{text}");
    assert!(text.ends_with("        Next mpms resume 7f3a\n"), "{text}");
    assert!(!stopped(StopCause::Unwritable("no".into())).contains("saved"));
    assert!(!stopped(StopCause::Changed("no".into())).contains("Next"));
}
