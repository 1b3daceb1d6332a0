//! Events on their way to the reports. The loop never waits for a report.

use std::collections::VecDeque;
use std::mem;

use crossbeam_channel::Sender;

use crate::engine::drive::PROGRESS_NS;
use crate::engine::{Retry, TaskView, WorkerId};
use crate::model::event::{Counts, Event, Level, LogLine, LogPlace, Summary, TaskLabel};
use crate::model::{Delivery, Payload, TaskId, Verdict};
use crate::wire::from_worker::Progress;
use crate::wire::value;

/// Lines, and words on progress, that may wait for a slow report; further lines are dropped, and counted.
const MOST_LINES: usize = 20_000;
/// Bytes of them that may wait.
const MOST_BYTES: usize = 16 << 20;
/// Characters of a task's arguments in its name.
const NAME: usize = 60;

pub(super) struct Reporting {
    events: Sender<Vec<Event>>,
    batch: Vec<Event>,
    /// What scripts and processes said in it, and in each of the batches that wait for the reports.
    said: Said,
    sent: VecDeque<Said>,
    sent_said: Said,
    single_tasks: bool,
    /// Ends of tasks that are not kept yet, when single tasks were asked for.
    unkept: VecDeque<Event>,
    next_ns: u64,
    dropped: u64,
}

/// How much was said.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    lines: usize,
    bytes: usize,
}

impl Reporting {
    pub fn new(events: Sender<Vec<Event>>, single_tasks: bool) -> Self {
        Reporting {
            events,
            batch: Vec::new(),
            said: Said::default(),
            sent: VecDeque::new(),
            sent_said: Said::default(),
            single_tasks,
            unkept: VecDeque::new(),
            next_ns: 0,
            dropped: 0,
        }
    }

    pub fn push(&mut self, event: Event) {
        if let Event::Log(line) = &event
            && !self.has_room(weight(line))
        {
            return self.drop_line();
        }
        self.batch.push(event);
    }

    /// A line of the run itself, or of a process.
    pub fn say(&mut self, level: Level, from: String, text: String) {
        self.push(Event::Log(LogLine { level, from, text, fields: Vec::new(), at: LogPlace::default() }));
    }

    /// A line that nobody will see.
    pub fn drop_line(&mut self) {
        self.dropped += 1;
    }

    /// Takes room for one more thing that is said.
    fn has_room(&mut self, bytes: usize) -> bool {
        let (lines, waiting) =
            (self.said.lines + self.sent_said.lines, self.said.bytes + self.sent_said.bytes);
        let has_room = lines < MOST_LINES && waiting + bytes <= MOST_BYTES;
        if has_room {
            self.said.lines += 1;
            self.said.bytes += bytes;
        }
        has_room
    }

    /// When the counters are due.
    pub fn next_ns(&self) -> Option<u64> {
        Some(self.next_ns)
    }

    pub fn progress(&mut self, now_ns: u64, counts: Counts) {
        self.next_ns = now_ns + PROGRESS_NS;
        self.batch.push(Event::Progress(counts));
    }

    pub fn started(&mut self, task: TaskView<'_>, worker: WorkerId) {
        if self.single_tasks {
            let label = label(task.id, task.key, task.args, task.attempt, worker);
            self.batch.push(Event::TaskStarted(label));
        }
    }

    /// One that finds no room is not missed: the next one says more.
    pub fn task_progress(&mut self, task: TaskView<'_>, worker: WorkerId, progress: Progress) {
        let words = progress.message.as_ref().map_or(0, String::len);
        if !self.has_room(words + task.key.map_or(4 * NAME, <[u8]>::len) + mem::size_of::<Event>()) {
            return;
        }
        let task = label(task.id, task.key, task.args, task.attempt, worker);
        let Progress { done, total, message, .. } = progress;
        self.batch.push(Event::TaskProgress { task, done, total, message });
    }

    pub fn retried(&mut self, task: TaskView<'_>, retry: Retry) {
        let Retry { worker, attempt, elapsed_ns, failure, attempts, next_ns, .. } = retry;
        let task = label(task.id, task.key, task.args, attempt, worker);
        self.batch.push(Event::TaskRetry { task, elapsed_ns, failure, attempts, next_ns });
    }

    pub fn slow(&mut self, task: TaskView<'_>, worker: WorkerId, elapsed_ns: u64, holds_thread: bool) {
        let task = label(task.id, task.key, task.args, task.attempt, worker);
        self.batch.push(Event::TaskSlow { task, elapsed_ns, holds_thread });
    }

    /// Failures always; the others when single tasks were asked for. Whoever asks for those is told of each end once
    /// it is kept, as it may be repeated after a crash until then; a person sees failures at once.
    pub fn finished(&mut self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            if self.single_tasks {
                self.unkept.push_back(end_of(delivery));
            } else if let Verdict::Failed(_) = &delivery.verdict {
                self.batch.push(end_of(delivery));
            }
        }
    }

    /// So many deliveries are kept.
    pub fn committed(&mut self, count: usize) {
        let count = count.min(self.unkept.len());
        self.batch.extend(self.unkept.drain(..count));
    }

    /// Hands over what was collected.
    pub fn flush(&mut self) {
        while self.sent.len() > self.events.len()
            && let Some(taken) = self.sent.pop_front()
        {
            self.sent_said.lines -= taken.lines;
            self.sent_said.bytes -= taken.bytes;
        }
        if !self.batch.is_empty() {
            let said = mem::take(&mut self.said);
            self.sent.push_back(said);
            self.sent_said.lines += said.lines;
            self.sent_said.bytes += said.bytes;
            // the reports may be gone; the run goes on without them
            let _ = self.events.send(mem::take(&mut self.batch));
        }
    }

    /// The last event.
    pub fn end(mut self, summary: Summary) {
        if self.dropped > 0 {
            let text = format!(
                "{} lines were dropped, as they came faster than they could be written",
                self.dropped
            );
            let (level, from) = (Level::Warn, "mpms".into());
            let at = LogPlace::default();
            self.batch.push(Event::Log(LogLine { level, from, text, fields: Vec::new(), at }));
        }
        self.batch.push(Event::RunFinished(Box::new(summary)));
        self.flush();
    }
}

fn end_of(delivery: &Delivery) -> Event {
    let key = delivery.key.as_deref();
    let task = label(delivery.id, key, &delivery.args, delivery.attempt, delivery.worker);
    let elapsed_ns = delivery.elapsed_ns;
    match &delivery.verdict {
        Verdict::Failed(failure) => Event::TaskFailed { task, elapsed_ns, failure: (**failure).clone() },
        Verdict::Done(_) | Verdict::Skipped(_) => Event::TaskFinished { task, elapsed_ns },
    }
}

/// Bytes that a line takes, about.
fn weight(line: &LogLine) -> usize {
    let field = |(name, text): &(String, String)| name.len() + text.len() + 2 * mem::size_of::<String>();
    mem::size_of::<Event>() + line.text.len() + line.fields.iter().map(field).sum::<usize>()
}

fn label(id: TaskId, key: Option<&[u8]>, args: &Payload, attempt: u32, worker: WorkerId) -> TaskLabel {
    let name = match key {
        Some(key) => String::from_utf8_lossy(key).into_owned(),
        None => value::describe_list(args, NAME),
    };
    TaskLabel { id: id.to_string(), name, attempt, worker }
}
