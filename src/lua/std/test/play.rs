//! A role of a script, called as a run calls it: in a state of its own, on a thread of its own, without a run.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::stage::Stage;
use crate::lua::call::{self, Held};
use crate::lua::error::{Carried, LibError};
use crate::lua::frozen::Frozen;
use crate::lua::role::worker::Attempts;
use crate::lua::role::{self, AtHand};
use crate::lua::script::{self, FINISH, Roles};
use crate::lua::started;
use crate::lua::state::{Around, State};
use crate::lua::std::fs::take_temporary;
use crate::lua::std::http::mock::{self, Answer, Asked, StandIn};
use crate::lua::std::log::{Fields, Level, Sinks};
use crate::lua::std::runtime::{self, Interrupt};
use crate::lua::watchdog;
use crate::model::job::{Job, Script};
use crate::model::task::TaskOptions;
use crate::model::{Failure, TaskId, Value};
use crate::wire::value;

/// What is to be played.
pub struct Order {
    pub script: Script,
    pub job: Job,
    pub part: Part,
    /// For each call.
    pub limit_ns: u64,
}

/// The role, and what it gets.
pub enum Part {
    /// `init`, `worker`, what was deferred, `exit`.
    Worker(Task),
    /// `start`, and one role of the handler after it.
    Handler { role: &'static str, meta: Vec<u8>, task: Task },
    /// `tasks`, up to so many of them.
    Tasks { limit: usize },
}

/// The task at hand.
pub struct Task {
    pub id: TaskId,
    pub key: Option<Vec<u8>>,
    /// Encoded. Of a handler: what its role is called with.
    pub args: Vec<u8>,
    /// What `meta.task` is: encoded too.
    pub own_args: Vec<u8>,
    pub attempt: u32,
    pub max_attempts: u32,
    pub worker: u32,
    pub elapsed_ns: u64,
    pub cancelled: bool,
    /// Encoded: what an attempt before this one saved.
    pub state: Option<Vec<u8>>,
}

/// What came of it.
#[derive(Default)]
pub struct Played {
    /// The encoded list of results.
    pub results: Vec<u8>,
    /// Encoded argument lists, with their options.
    pub puts: Vec<(Vec<u8>, Option<TaskOptions>)>,
    /// Encoded.
    pub rows: Vec<Vec<u8>>,
    pub lines: Vec<Line>,
    pub progress: Vec<Progress>,
    pub failure: Option<Failure>,
    pub skipped: bool,
    /// The reason of `task.die`.
    pub died: Option<String>,
    /// Encoded, the last one.
    pub saved: Option<Vec<u8>>,
    /// Keys.
    pub cancels: Vec<String>,
    /// Of the handler, afterwards.
    pub meta: Vec<u8>,
    /// The generator would have gone on.
    pub more: bool,
}

/// A call of `task.progress`: done, of all, in words.
pub type Progress = (f64, Option<f64>, Option<String>);

/// What was logged or printed.
pub struct Line {
    pub level: Level,
    pub text: String,
    pub fields: Fields,
}

/// From the thread that plays.
pub enum Message {
    /// A request, for whoever stands in for the network.
    Asked(Asked, oneshot::Sender<Result<Answer, Carried>>),
    /// The end.
    Over(Box<Played>),
}

type Lines = Arc<Mutex<Vec<Line>>>;

/// A role that is played.
pub struct Playing {
    hear: mpsc::UnboundedReceiver<Message>,
    /// How to stop it, once it has begun.
    begun: std::sync::mpsc::Receiver<Arc<Interrupt>>,
    thread: JoinHandle<()>,
}

impl Playing {
    /// Starts to play.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(order: Order) -> Result<Self, LibError> {
        let ((tell, hear), (begin, begun)) = (mpsc::unbounded_channel(), std::sync::mpsc::channel());
        let thread = std::thread::Builder::new().name("test.play".to_owned());
        let thread = thread.spawn(move || {
            let _ = begin.send(runtime::interrupt());
            mock::install(Some(stand_in(tell.clone())));
            let played = play(&order);
            // whoever listened may have gone: then nobody wants it
            let _ = tell.send(Message::Over(Box::new(played)));
        })?;
        Ok(Self { hear, begun, thread })
    }

    /// What happens next.
    pub async fn next(&mut self) -> Option<Message> {
        self.hear.recv().await
    }

    /// Nobody waits for it any more: it ends at its next call that waits, or at its limit. `until_ended`, when it must not
    /// see what comes after it.
    pub fn stop(self, until_ended: bool) {
        if let Ok(interrupt) = self.begun.recv() {
            interrupt.raise();
        }
        // a request that waits for its answer gets none
        drop(self.hear);
        if until_ended {
            let _ = self.thread.join();
        }
    }
}

fn stand_in(tell: mpsc::UnboundedSender<Message>) -> StandIn {
    Rc::new(move |asked| {
        let tell = tell.clone();
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let gone = |_| runtime::cancelled();
            tell.send(Message::Asked(asked, answer)).map_err(|_| runtime::cancelled())?;
            Ok(answered.await.map_err(gone)??)
        })
    })
}

fn play(order: &Order) -> Played {
    let stage = Rc::new(Stage::new(order));
    let lines = Lines::default();
    let ended = match &order.part {
        Part::Worker(task) => worker(order, task, &stage, &lines),
        Part::Handler { role, meta, task } => handler(order, role, meta, task, &stage, &lines),
        Part::Tasks { .. } => tasks(order, &stage, &lines),
    };
    started::end_all();
    let mut played = ended.unwrap_or_else(|failure| Played { failure: Some(failure), ..Played::default() });
    let counts = played.failure.is_none() && !played.skipped;
    if counts {
        played.puts = stage.puts.take();
        played.rows = stage.rows.take();
        played.cancels = stage.cancels.take();
    }
    played.progress = stage.progress.take();
    played.died = stage.died.take();
    played.saved = stage.saved.take();
    played.more = stage.full.get();
    played.lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    played
}

fn state(order: &Order, role: &str, lines: &Lines) -> Result<State, Failure> {
    let lines = Arc::clone(lines);
    let logs = Sinks::of(move |level, text, fields| {
        let line = Line { level, text: text.to_owned(), fields };
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    });
    let around = Around { logs, frozen: Frozen::default() };
    State::new(&order.job, &order.script, role, &around).map_err(call::unavailable)
}

fn role_of(order: &Order, roles: &Roles, role: &str) -> Result<Held, Failure> {
    let missing = || Failure::new("role", format!("{} has no role `{role}`", order.script.name));
    roles.get(role).ok_or_else(missing)
}

/// Calls a role that is there, for its effect.
fn effect(
    order: &Order,
    state: &State,
    name: &str,
    role: Option<Held>,
    first: Option<Held>,
) -> Result<(), Failure> {
    let Some(role) = role else { return Ok(()) };
    let called = watchdog::during(&state.bridge, order.limit_ns, || {
        watchdog::checked(state.bridge.call_for_effect(role, first, &[]))
    });
    called.map_err(|failure| Failure {
        message: format!("role `{name}` raised: {}", failure.message),
        ..failure
    })
}

fn worker(order: &Order, task: &Task, stage: &Rc<Stage>, lines: &Lines) -> Result<Played, Failure> {
    let state = state(order, "worker", lines)?;
    let attempts: Rc<dyn Attempts> = Rc::clone(stage) as _;
    let deferred = role::worker::install(&state, &attempts).map_err(call::unavailable)?;
    let roles = script::load_within(order.limit_ns, &state, &order.script, "worker")?;
    let worker = role_of(order, &roles, "worker")?;
    let meta = state.read_only(&order.job.meta, "meta").and_then(|meta| state.hold(meta));
    let meta = meta.map_err(call::unavailable)?;
    effect(order, &state, "init", roles.get("init"), Some(meta))?;
    let of_init = take_temporary(state.lua());
    started::keep_all();
    state.random.borrow_mut().seed(order.job.seed, task.id.bits());
    let mut played = Played::default();
    stage.running.set(true);
    let result = watchdog::during(&state.bridge, order.limit_ns, || {
        watchdog::checked(state.bridge.call(worker, None, &task.args, &mut played.results))
    });
    if let Err(failure) = result {
        played.skipped = state.bridge.take_skipped() && failure.code != watchdog::TIMEOUT;
        played.failure = Some(failure);
    }
    if stage.deferring.take() {
        let number = value::encode_list([Value::Int(0)].iter());
        let ended = watchdog::during(&state.bridge, order.limit_ns, || {
            state.bridge.call_for_effect(deferred, None, &number)
        });
        if let Err(failure) = ended {
            let text = format!("what the task deferred was not finished: {}", failure.message);
            let line = Line { level: Level::Error, text, fields: Vec::new() };
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }
    stage.running.set(false);
    started::end_all();
    drop(take_temporary(state.lua()));
    effect(order, &state, "exit", roles.get("exit"), Some(meta))?;
    drop((of_init, take_temporary(state.lua())));
    Ok(played)
}

fn handler(
    order: &Order,
    role: &'static str,
    meta: &[u8],
    task: &Task,
    stage: &Rc<Stage>,
    lines: &Lines,
) -> Result<Played, Failure> {
    let state = state(order, "handler", lines)?;
    state.random.borrow_mut().seed(order.job.seed, u128::MAX);
    let at_hand: Rc<dyn AtHand> = Rc::clone(stage) as _;
    let meta = role::handler::install(&state, meta, &at_hand).map_err(call::unavailable)?;
    let roles = script::load_within(order.limit_ns, &state, &order.script, "handler")?;
    let called = role_of(order, &roles, role)?;
    if role != "start" {
        effect(order, &state, "start", roles.get("start"), Some(meta))?;
        stage.puts.take();
        stage.rows.take();
    }
    stage.closed.set(role == FINISH);
    stage.running.set(!matches!(role, "start" | FINISH));
    let mut played = Played::default();
    let result = watchdog::during(&state.bridge, order.limit_ns, || {
        watchdog::checked(state.bridge.call(called, Some(meta), &task.args, &mut played.results))
    });
    stage.running.set(false);
    played.failure = result.err();
    drop(take_temporary(state.lua()));
    role::handler::snapshot(&state, meta, &mut played.meta).map_err(|text| Failure::new("value", text))?;
    Ok(played)
}

fn tasks(order: &Order, stage: &Rc<Stage>, lines: &Lines) -> Result<Played, Failure> {
    let state = state(order, "tasks", lines)?;
    state.random.borrow_mut().seed(order.job.seed, u128::MAX - 1);
    let roles = script::load_within(order.limit_ns, &state, &order.script, "tasks")?;
    let tasks = role_of(order, &roles, "tasks")?;
    let call = role::generator::bind(&state, tasks, &order.job.meta, stage).map_err(call::unavailable)?;
    let result = watchdog::during(&state.bridge, order.limit_ns, || {
        watchdog::checked(state.bridge.call_for_effect(call, None, &[]))
    });
    drop(take_temporary(state.lua()));
    match result {
        // the error that ended it was our own way to end it
        Err(failure) if !stage.full.get() => Err(failure),
        _ => Ok(Played::default()),
    }
}
