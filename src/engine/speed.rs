//! What the engine costs, to be run by hand: `cargo test --release --lib engine::speed -- --ignored --nocapture`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::{Action, Config, Engine, Input, WorkerId};
use crate::model::handling::Puts;
use crate::model::outcome::Done;
use crate::model::{Handle, Outcome, Payload, Seq, Task, TaskId, Verdict};

/// Two processes whose tasks cost nothing; the other side of the engine is not counted.
struct Flow {
    engine: Engine,
    now: u64,
    sent: VecDeque<(WorkerId, Vec<Handle>)>,
    delivered: usize,
    finished: bool,
    spent: Duration,
}

impl Flow {
    fn new() -> Self {
        let config = Config { queue: 4_096, handler_backlog: 16 << 10, ..Config::plain(2, 1) };
        let engine = Engine::new(config, 0);
        Flow { engine, now: 0, sent: VecDeque::new(), delivered: 0, finished: false, spent: Duration::ZERO }
    }

    fn step(&mut self, input: Input) {
        self.now += 1_000;
        let mut actions = Vec::new();
        let began = Instant::now();
        self.engine.step(self.now, input, &mut actions);
        self.spent += began.elapsed();
        for action in actions {
            match action {
                Action::StartWorker { worker } => self.step(Input::WorkerStarted { worker, pid: 1 }),
                Action::StopWorker { worker } => {
                    let (running, death) = (Vec::new(), "ended".into());
                    self.step(Input::WorkerGone { worker, running, death, last_words: None });
                }
                Action::Send { worker, tasks } => self.sent.push_back((worker, tasks)),
                Action::Deliver(deliveries) => self.delivered += deliveries.len(),
                Action::Finished(_) => self.finished = true,
                _ => {}
            }
        }
    }

    /// The oldest tasks in workers end; false when there are none.
    fn end_some(&mut self) -> bool {
        let Some((worker, handles)) = self.sent.pop_front() else { return false };
        let done = || Verdict::Done(Done { values: Payload::copy_from(&[3; 9]), effects: None });
        let outcome = |handle| Outcome { handle, elapsed_ns: 700, verdict: done() };
        self.step(Input::Outcomes { worker, outcomes: handles.into_iter().map(outcome).collect() });
        true
    }

    fn handle(&mut self, seq: u64) {
        let count = std::mem::take(&mut self.delivered);
        self.step(Input::Handled { count, puts: Puts::default(), known: Vec::new() });
        self.step(Input::Committed { count, seq });
    }
}

fn some(first: u64, count: u64) -> Vec<Task> {
    (first..first + count).map(|n| Task::plain(TaskId::at(n), Payload::copy_from(&[3; 9]))).collect()
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stderr, reason = "its result")]
fn generated_tasks() {
    const COUNT: u64 = 1 << 21;
    for _ in 0..5 {
        let mut flow = Flow::new();
        let mut given = 0;
        while !flow.finished {
            if given < COUNT && flow.engine.wants_tasks() {
                let tasks = some(given + 1, 256);
                given += 256;
                flow.step(Input::Offered { tasks, known: Vec::new(), last: given == COUNT });
            } else if !flow.end_some() || flow.delivered > 4_000 {
                flow.handle(0);
            }
        }
        eprintln!("{:.1} ns a task", flow.spent.as_nanos() as f64 / COUNT as f64);
    }
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stderr, reason = "its result")]
fn a_million_puts() {
    const COUNT: u64 = 1_000_000;
    let before = crate::os::memory::rss(std::process::id().cast_signed()).expect("proc");
    let (mut flow, mut most) = (Flow::new(), 0);
    flow.step(Input::Offered { tasks: Vec::new(), known: Vec::new(), last: false });
    for place in (1..=COUNT).step_by(1_000) {
        let puts = Puts { first: Seq::new(place), tasks: some(place, 1_000), ..Puts::default() };
        flow.step(Input::Handled { count: 0, puts, known: Vec::new() });
        flow.step(Input::Committed { count: 0, seq: place + 999 });
    }
    flow.step(Input::Offered { tasks: Vec::new(), known: Vec::new(), last: true });
    while !flow.finished {
        most = most.max(flow.engine.tasks.len());
        if let Some(fetch) = flow.engine.wants_stored() {
            let last = (fetch.after + fetch.at_most as u64).min(fetch.until);
            let places = (fetch.after + 1..=last).filter_map(Seq::new);
            let tasks = places.zip(some(fetch.after + 1, last - fetch.after)).collect();
            flow.step(Input::Stored { priority: 0, until: fetch.until, tasks });
        } else if !flow.end_some() || flow.delivered > 4_000 {
            flow.handle(COUNT);
        }
    }
    let grown =
        crate::os::memory::rss(std::process::id().cast_signed()).expect("proc").saturating_sub(before);
    let ns = flow.spent.as_nanos() as f64 / COUNT as f64;
    eprintln!("{ns:.1} ns a put; {most} in memory at most; {:.1} MB more", grown as f64 / 1e6);
}
