//! The thread that hears the run.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, select, tick};

use crate::model::event::Event;
use crate::os::secrets;
use crate::report::human::{Human, Look, Shown};
use crate::report::json::Json;
use crate::report::pump::{Direct, Pump};
use crate::report::{Dropped, Format, Listener, ProgressStyle, ReportOptions, Reports};

const TICK: Duration = Duration::from_millis(100);
/// How long a reader of standard error may take nothing before the report goes without it.
const PERSON: Duration = Duration::from_secs(10);
/// A program that reads events may think longer; it slows only the report, never the run.
const PROGRAM: Duration = Duration::from_secs(60);
/// Longer than any listener waits, so that only a stopped terminal (Ctrl-S) reaches it.
const GIVE_UP: Duration = Duration::from_secs(65);

/// The running report.
#[must_use = "join it, or the last lines may be lost"]
pub struct Reporter {
    ended: Receiver<Vec<Dropped>>,
    beats: Arc<AtomicU64>,
}

/// Starts the report; `others` listen besides the one of the options, each with what it writes to. It ends with [`Event::RunFinished`] or with the end of `events`, whose sender must
/// not mind when nobody receives.
///
/// # Errors
/// No thread can be made.
pub fn spawn(
    options: ReportOptions,
    others: Vec<(&'static str, Box<dyn Listener + Send>)>,
    events: Receiver<Vec<Event>>,
) -> io::Result<Reporter> {
    let (tell, ended) = bounded(1);
    let beats = Arc::new(AtomicU64::new(0));
    let beat = Arc::clone(&beats);
    thread::Builder::new().name("report".into()).spawn(move || {
        let mut reports = listeners(&options);
        for (name, listener) in others {
            reports.add(name, listener);
        }
        hear(&mut reports, &events, &beat);
        let dropped = reports.end();
        name(&dropped);
        // Fails only when the reporter was given up.
        let _ = tell.send(dropped);
    })?;
    Ok(Reporter { ended, beats })
}

impl Reporter {
    /// Waits for the last line. Gives up on a terminal that has taken nothing for over a minute.
    /// Who was dropped on the way.
    pub fn join(self) -> Vec<Dropped> {
        let mut seen = self.beats.load(Ordering::Relaxed);
        loop {
            match self.ended.recv_timeout(GIVE_UP) {
                Ok(dropped) => return dropped,
                Err(RecvTimeoutError::Disconnected) => return Vec::new(),
                Err(RecvTimeoutError::Timeout) => {
                    let now = self.beats.load(Ordering::Relaxed);
                    if now == seen {
                        return vec![Dropped { listener: "terminal", error: io::ErrorKind::TimedOut.into() }];
                    }
                    seen = now;
                }
            }
        }
    }
}

fn hear(reports: &mut Reports, events: &Receiver<Vec<Event>>, beat: &AtomicU64) {
    let ticks = tick(TICK);
    loop {
        select! {
            recv(events) -> batch => {
                let Ok(mut batch) = batch else { return };
                for event in &mut batch {
                    // whoever sent it may not have known that it tells a secret
                    secrets::scrub_event(event);
                    let event = &*event;
                    reports.event(event);
                    beat.fetch_add(1, Ordering::Relaxed);
                    if matches!(event, Event::RunFinished(_)) {
                        return;
                    }
                }
            }
            recv(ticks) -> _ => reports.tick(),
        }
    }
}

fn listeners(options: &ReportOptions) -> Reports {
    let mut reports = Reports::default();
    match options.format {
        Format::Human => match human(options) {
            Ok(human) => reports.add("standard error", Box::new(human)),
            Err(error) => reports.drop_at_once("standard error", error),
        },
        Format::Json => match Pump::new(io::stdout(), PROGRAM) {
            Ok(pump) => reports.add("standard output", Box::new(Json::new(pump))),
            Err(error) => reports.drop_at_once("standard output", error),
        },
    }
    reports
}

fn human(options: &ReportOptions) -> io::Result<Human> {
    let stderr = io::stderr();
    let terminal = stderr.is_terminal();
    let look = Look::new(options.color, &stderr);
    let shown = match options.progress {
        ProgressStyle::None => Shown::Nothing,
        ProgressStyle::Auto | ProgressStyle::Bar if terminal && draws() => Shown::Bar,
        ProgressStyle::Auto | ProgressStyle::Bar | ProgressStyle::Plain => Shown::Plain,
    };
    let out: Box<dyn Write + Send> = if terminal {
        // Lines and bar take turns, and Ctrl-S may hold a terminal as long as the person likes.
        Box::new(Direct::new(&stderr)?)
    } else {
        Box::new(Pump::new(&stderr, PERSON)?)
    };
    Ok(Human::new(out, look, shown, options))
}

/// Whether the terminal can move its cursor.
fn draws() -> bool {
    env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// Says who was dropped, where it can be said.
fn name(dropped: &[Dropped]) {
    for one in dropped.iter().filter(|one| !one.reader_left() && one.listener != "standard error") {
        let _ =
            writeln!(io::stderr(), "     warning: the report to {} ended early: {}", one.listener, one.error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Counts;
    use crossbeam_channel::unbounded;

    struct Ticking {
        ticks: usize,
        tell: crossbeam_channel::Sender<usize>,
    }

    impl Listener for Ticking {
        fn event(&mut self, _: &Event) -> io::Result<()> {
            Ok(())
        }
        fn tick(&mut self) -> io::Result<()> {
            self.ticks += 1;
            self.tell.send(self.ticks).map_err(io::Error::other)
        }
    }

    #[test]
    fn a_silent_run_still_ticks_and_the_end_of_the_channel_ends_the_report() {
        let (tell, ticks) = unbounded();
        let (events, received) = unbounded();
        let hearing = thread::spawn(move || {
            let mut reports = Reports::default();
            reports.add("a test", Box::new(Ticking { ticks: 0, tell }));
            hear(&mut reports, &received, &AtomicU64::new(0));
            reports.end().len()
        });
        while ticks.recv().expect("it ticks") < 3 {}
        drop(events);
        assert_eq!(hearing.join().expect("it ends"), 0);
    }

    #[test]
    fn the_last_event_ends_the_report_though_the_channel_is_open() {
        let (events, received) = unbounded();
        let last = Event::RunFinished(Box::default());
        events.send(vec![Event::Progress(Counts::default()), last]).expect("it hears");
        hear(&mut Reports::default(), &received, &AtomicU64::new(0));
        drop(events);
    }
}
