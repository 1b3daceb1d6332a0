//! A thread of a worker: takes a task, runs it, says how it ended; one after another.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::attempt::Current;
use super::command::CommandBody;
use super::cooperative;
use super::memory::limit_state;
use super::queue::Taken;
use super::{Shared, in_role, role_failed};
use crate::lua::call::{self, Bridge, Held};
use crate::lua::role::{self, worker::Attempts};
use crate::lua::script::{self, Roles};
use crate::lua::started;
use crate::lua::state::{Around, State};
use crate::lua::std::fs::{Temporary, take_temporary};
use crate::lua::std::log::Sinks;
use crate::lua::watchdog;
use crate::model::job::Script;
use crate::model::{Failure, Handle, Value};
use crate::os::allocator;
use crate::os::clock::monotonic_ns;
use crate::os::exit::exit_now;
use crate::os::slots::Slot;
use crate::wire::from_worker::Line;
use crate::wire::to_worker::{Body, Bounds, TaskRecord};
use crate::wire::value;

/// What runs an attempt: fills the encoded list of results.
trait Runner {
    fn run(&mut self, task: &TaskRecord<'_>, results: &mut Vec<u8>) -> Result<(), Ended>;
}

/// An attempt that did not return.
pub enum Ended {
    Failed(Failure),
    Skipped(String),
}

/// The life of thread `index`.
pub fn run(shared: &'static Shared, index: usize) {
    let slot = &shared.slots[index * shared.setup.coroutines as usize];
    allocator::blame(slot);
    let current = Rc::new(Current::new(shared, slot, 0));
    let ended = match &shared.setup.body {
        Body::Lua(script) if shared.setup.coroutines > 1 => match cooperative::run(shared, index, script) {
            Ok(ended) => ended,
            Err(failure) => shared.outbox.push_broken(&failure).and_then(|()| exit_now(1)),
        },
        Body::Lua(script) => match LuaBody::new(shared, script, &current) {
            Ok(mut body) => {
                if let Some(timeout_ns) = shared.setup.bounds.timeout_ns {
                    watchdog::watch_slot(Some(&body.loaded.state.bridge), slot, timeout_ns);
                }
                let ended = attempts(shared, slot, &current, &mut body);
                body.loaded.exit(shared);
                ended
            }
            Err(failure) => shared.outbox.push_broken(&failure).and_then(|()| exit_now(1)),
        },
        Body::Command(argv) => {
            let Bounds { timeout_ns, grace_ns, .. } = shared.setup.bounds;
            if let Some(timeout_ns) = timeout_ns {
                watchdog::watch_slot(None, slot, timeout_ns);
            }
            let grace = timeout_ns.map(|_| Duration::from_nanos(grace_ns / 2));
            let mut body = CommandBody::new(argv, &shared.setup.job, grace);
            attempts(shared, slot, &current, &mut body)
        }
    };
    if ended.and_then(|()| shared.outbox.flush()).is_err() {
        // the coordinator is gone
        exit_now(1);
    }
}

/// Runs tasks until the queue is closed.
fn attempts(shared: &Shared, slot: &Slot, current: &Current, body: &mut dyn Runner) -> io::Result<()> {
    let mut results = Vec::new();
    let mut now_ns = monotonic_ns();
    loop {
        let mut taken = shared.queue.take(&mut current.buffer());
        if matches!(taken, Taken::Empty) {
            shared.outbox.flush()?;
            taken = shared.queue.wait(&mut current.buffer());
            now_ns = monotonic_ns();
        } else {
            shared.outbox.nudge();
        }
        if !matches!(taken, Taken::Task) {
            return Ok(());
        }
        results.clear();
        let start_ns = now_ns;
        let ran = current.with(|task| {
            slot.begin(task.handle.bits(), start_ns);
            current.set_running(true);
            let result = body
                .run(task, &mut results)
                .and_then(|()| current.has_room(results.len()).map_err(Ended::Failed));
            current.set_running(false);
            (task.handle, result)
        });
        let (handle, result) = ran.map_err(io::Error::other)?;
        let effects = current.take_effects();
        now_ns = monotonic_ns();
        let elapsed_ns = now_ns.saturating_sub(start_ns);
        match result {
            Ok(()) => shared.outbox.push_done(handle, elapsed_ns, now_ns, &results, effects.as_ref())?,
            Err(ended) => push_ended(shared, handle, elapsed_ns, now_ns, ended)?,
        }
        slot.end();
        watchdog::settle();
        if results.capacity() > 1 << 20 {
            results = Vec::new();
        }
    }
}

/// Tells of an attempt that did not return.
pub fn push_ended(
    shared: &Shared,
    handle: Handle,
    elapsed_ns: u64,
    now_ns: u64,
    ended: Ended,
) -> io::Result<()> {
    match ended {
        Ended::Failed(failure) => shared.outbox.push_failed(handle, elapsed_ns, now_ns, &failure),
        Ended::Skipped(reason) => shared.outbox.push_skipped(handle, elapsed_ns, now_ns, &reason),
    }
}

/// How a call has ended that failed.
pub fn ended(bridge: &Bridge, failure: Failure) -> Ended {
    match bridge.take_skipped() && failure.code != watchdog::TIMEOUT {
        true => Ended::Skipped(failure.message),
        false => Ended::Failed(failure),
    }
}

/// The thread's state, with the roles of its script, after the `init` role.
pub struct Loaded {
    pub state: State,
    roles: Roles,
    pub worker: Held,
    meta: Held,
    /// Files of the `init` role, which stay as long as the thread.
    temporary: Option<Temporary>,
    /// Runs what an attempt deferred, by its number.
    pub deferred: Held,
    role_ns: u64,
    /// For all that an attempt deferred.
    pub deferred_ns: u64,
}

/// The `worker` role of a script, called for one attempt after another.
struct LuaBody {
    loaded: Loaded,
    seed: i64,
    current: Rc<Current>,
    /// The arguments of `deferred`.
    number: Vec<u8>,
}

impl Loaded {
    /// `attempts` are what the script sees of them; `running` is which of them runs.
    pub fn new(
        shared: &'static Shared,
        script: &Script,
        attempts: &Rc<dyn Attempts>,
        running: impl Fn() -> Option<Handle> + 'static,
    ) -> Result<Self, Failure> {
        let job = &shared.setup.job;
        let memory = call::unavailable;
        let state = State::new(job, script, "worker", &around(shared, running)).map_err(memory)?;
        let deferred = role::worker::install(&state, attempts).map_err(memory)?;
        limit_state(&state, &shared.setup);
        let Bounds { role_ns, grace_ns, .. } = shared.setup.bounds;
        let roles = script::load_within(role_ns, &state, script, "worker")?;
        let worker = roles
            .get("worker")
            .ok_or_else(|| Failure::new("role", format!("{} has no role `worker`", script.name)))?;
        let meta = state.read_only(&job.meta, "meta").and_then(|meta| state.hold(meta)).map_err(memory)?;
        if let Some(init) = roles.get("init") {
            watchdog::during(&state.bridge, role_ns, || state.bridge.call_for_effect(init, Some(meta), &[]))
                .map_err(|failure| in_role("init", failure))?;
        }
        let temporary = take_temporary(state.lua());
        started::keep_all();
        // the coordinator kills at the end of the grace
        let deferred_ns = grace_ns / 2;
        state.bridge.set_leave_ns(deferred_ns);
        Ok(Loaded { state, roles, worker, meta, temporary, deferred, role_ns, deferred_ns })
    }

    /// Runs the `exit` role.
    pub fn exit(mut self, shared: &Shared) {
        if let Some(exit) = self.roles.get("exit")
            && let Err(failure) = watchdog::during(&self.state.bridge, self.role_ns, || {
                self.state.bridge.call_for_effect(exit, Some(self.meta), &[])
            })
        {
            shared.outbox.push_line(role_failed("exit", &failure));
        }
        drop((self.temporary.take(), take_temporary(self.state.lua())));
    }
}

/// What the log says of deferred functions that were stopped.
pub fn not_finished(failure: &Failure) -> String {
    format!("what the task deferred was not finished: {}", failure.message)
}

impl LuaBody {
    fn new(shared: &'static Shared, script: &Script, current: &Rc<Current>) -> Result<Self, Failure> {
        let attempts: Rc<dyn Attempts> = Rc::clone(current) as _;
        let here = Rc::clone(current);
        let loaded = Loaded::new(shared, script, &attempts, move || here.handle())?;
        let number = value::encode_list([Value::Int(0)].iter());
        Ok(LuaBody { loaded, seed: shared.setup.job.seed, current: Rc::clone(current), number })
    }

    #[cold]
    fn run_deferred(&self) {
        let (bridge, deferred) = (&self.loaded.state.bridge, self.loaded.deferred);
        let ended = watchdog::during(bridge, self.loaded.deferred_ns, || {
            bridge.call_for_effect(deferred, None, &self.number)
        });
        if let Err(failure) = ended {
            self.current.complain(not_finished(&failure));
        }
        self.current.take_deferring();
    }
}

impl Runner for LuaBody {
    fn run(&mut self, task: &TaskRecord<'_>, results: &mut Vec<u8>) -> Result<(), Ended> {
        let state = &self.loaded.state;
        state.random.borrow_mut().seed(self.seed, task.id.bits());
        let result = state.bridge.call(self.loaded.worker, None, task.args, results);
        let result = watchdog::checked(result).map_err(|failure| ended(&state.bridge, failure));
        if self.current.take_deferring() {
            self.run_deferred();
        }
        started::end_all();
        drop(take_temporary(state.lua()));
        result
    }
}

impl Runner for CommandBody {
    fn run(&mut self, task: &TaskRecord<'_>, results: &mut Vec<u8>) -> Result<(), Ended> {
        self.execute(task.args, results).map_err(Ended::Failed)
    }
}

/// What a state of this process shares with the others; its lines carry the task that is running.
pub fn around(shared: &'static Shared, running: impl Fn() -> Option<Handle> + 'static) -> Around {
    let push = |task, level, text: &str, fields| {
        shared.outbox.push_line(Line { task, level, text: text.to_owned(), fields });
    };
    let here = Rc::new(move |level, text: &str, fields| {
        push(running(), level, text, fields);
    });
    let background = Arc::new(move |level, text: &str, fields| push(None, level, text, fields));
    let outbox = Arc::clone(&shared.outbox);
    let secret = Arc::new(move |name: &[u8]| outbox.push_secret(name));
    let logs = Sinks { here, background, metrics: Arc::clone(shared.outbox.metrics()), secret };
    Around { logs, frozen: shared.frozen.clone() }
}
