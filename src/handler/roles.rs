//! The script's roles in the handler's thread: `start`, `handler`, `failed`, `finish`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::at_hand::Desk;
use super::places::Places;
use super::rows::Rows;
use crate::lua::call::{self, Held};
use crate::lua::role::{self, AtHand};
use crate::lua::script;
use crate::lua::state::{Around, State};
use crate::lua::std::fs::take_temporary;
use crate::lua::watchdog;
use crate::model::event::{Summary, TaskLabel};
use crate::model::job::{Job, Script};
use crate::model::{Delivery, Failure, StopCause, Task, Value, Verdict};
use crate::wire::value;

/// Characters of a task's arguments in its name, as in every report.
const NAME: usize = 60;

/// The loaded roles, or none when there is no script.
pub struct HandlerRoles(Option<Loaded>);

struct Loaded {
    timeout_ns: u64,
    calls: watchdog::Calls,
    state: State,
    meta: Held,
    desk: Rc<Desk>,
    start: Option<Held>,
    handler: Option<Held>,
    failed: Option<Held>,
    finish: Option<Held>,
    /// Kept for the next call, so that its memory is used again.
    failure_list: RefCell<Vec<u8>>,
    /// A role has been called since `meta` was encoded.
    was_called: Cell<bool>,
    snapshot: RefCell<Vec<u8>>,
}

impl HandlerRoles {
    /// Without a script.
    pub fn none() -> Self {
        HandlerRoles(None)
    }

    /// Loads the script into a state of its own. `meta` is the encoded one of the last session.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub fn load(
        job: &Job,
        script: Option<&Script>,
        timeout_ns: u64,
        around: &Around,
        places: &Rc<Places>,
        meta: Option<&[u8]>,
    ) -> Result<Self, StopCause> {
        let Some(script) = script else { return Ok(HandlerRoles(None)) };
        let loaded = (|| {
            let memory = call::unavailable;
            let state = State::new(job, script, "handler", around).map_err(memory)?;
            state.random.borrow_mut().seed(job.seed, u128::MAX);
            let desk = Rc::new(Desk::new(Rc::clone(places)));
            let at_hand: Rc<dyn AtHand> = Rc::clone(&desk) as _;
            let first = meta.map_or_else(|| encoded(&job.meta), <[u8]>::to_vec);
            let meta = role::handler::install(&state, &first, &at_hand).map_err(memory)?;
            let roles = script::load_within(timeout_ns, &state, script, "handler")?;
            let calls = watchdog::Calls::new(&state.bridge, timeout_ns);
            Ok(Loaded {
                timeout_ns,
                calls,
                start: roles.get("start"),
                handler: roles.get("handler"),
                failed: roles.get("failed"),
                finish: roles.get(script::FINISH),
                state,
                meta,
                desk,
                failure_list: RefCell::default(),
                was_called: Cell::new(true),
                snapshot: RefCell::default(),
            })
        })();
        loaded.map(|loaded| HandlerRoles(Some(loaded))).map_err(|failure| broken("handler", None, &failure))
    }

    /// Whether results go to a `handler`.
    pub fn has_handler(&self) -> bool {
        self.0.as_ref().is_some_and(|loaded| loaded.handler.is_some())
    }

    /// `start(meta)`; what it puts and emits is dropped when an earlier session has kept it.
    ///
    /// # Errors
    /// What it raised.
    pub fn start(&self, was_started: bool) -> Result<(), StopCause> {
        let Some((loaded, start)) = self.0.as_ref().and_then(|loaded| Some((loaded, loaded.start?))) else {
            return Ok(());
        };
        let bridge = &loaded.state.bridge;
        loaded.desk.begin(None);
        loaded.desk.take_nothing(was_started);
        let ended = watchdog::during(bridge, loaded.timeout_ns, || {
            bridge.call_for_effect(start, Some(loaded.meta), &[])
        });
        loaded.desk.take_nothing(false);
        ended.map_err(|failure| broken("start", None, &failure))
    }

    /// `handler(meta, ...)` or `failed(meta, err)`
    ///
    /// # Errors
    /// What it raised. What the call put and emitted before is still to be taken.
    pub fn handle(&self, delivery: Delivery, now_ns: u64) -> Result<(), Box<Raised>> {
        let Some(loaded) = &self.0 else { return Ok(()) };
        let (role, name) = match delivery.verdict {
            Verdict::Done(_) => (loaded.handler, "handler"),
            Verdict::Failed(_) => (loaded.failed, "failed"),
            Verdict::Skipped(_) => (None, ""),
        };
        let Some(role) = role else { return Ok(()) };
        loaded.was_called.set(true);
        loaded.desk.begin(Some(delivery));
        loaded.calls.begin(now_ns);
        let ended = loaded.desk.with(|delivery| {
            let call = |list: &[u8]| loaded.state.bridge.call_for_effect(role, Some(loaded.meta), list);
            let ended = match &delivery.verdict {
                Verdict::Done(done) => call(&done.values),
                Verdict::Skipped(_) => Ok(()),
                Verdict::Failed(failure) => {
                    let mut list = loaded.failure_list.borrow_mut();
                    list.clear();
                    list.push(1);
                    value::encode(&mut list, &error_value(failure, delivery.attempt));
                    call(&list)
                }
            };
            ended
                .map_err(watchdog::as_timeout)
                .map_err(|failure| Box::new(Raised { role: name, task: label(delivery), failure }))
        });
        loaded.calls.end();
        loaded.desk.end();
        ended.unwrap_or(Ok(()))
    }

    /// What the last call put, without the parts that are out.
    pub fn take_puts(&self) -> Vec<Task> {
        self.0.as_ref().map(|loaded| loaded.desk.take_puts()).unwrap_or_default()
    }

    /// Moves what the last call emitted.
    pub fn take_rows(&self, rows: &mut Rows) {
        if let Some(loaded) = &self.0 {
            loaded.desk.take_rows(rows);
        }
    }

    /// Drops what the last call put and emitted.
    pub fn drop_call(&self) {
        if let Some(loaded) = &self.0 {
            loaded.desk.clear();
        }
    }

    /// Whether a role was called since [`encode_meta`](Self::encode_meta).
    pub fn may_have_changed_meta(&self) -> bool {
        self.0.as_ref().is_some_and(|loaded| loaded.was_called.get())
    }

    /// Encodes `meta` as it is now. When that is not what `last` holds, it is put there, and this is true.
    ///
    /// # Errors
    /// When something in it cannot be kept.
    pub fn encode_meta(&self, last: &mut Vec<u8>) -> Result<bool, StopCause> {
        let Some(loaded) = &self.0 else { return Ok(false) };
        loaded.was_called.set(false);
        let mut snapshot = loaded.snapshot.borrow_mut();
        snapshot.clear();
        role::handler::snapshot(&loaded.state, loaded.meta, &mut snapshot).map_err(|sentence| {
            let out =
                "keep it in a local variable of the script and open it in `start`, or run with --no-journal";
            StopCause::Broken(format!("{sentence}; {out}"))
        })?;
        let changed = *snapshot != *last;
        if changed {
            std::mem::swap(&mut *snapshot, last);
        }
        Ok(changed)
    }

    /// Removes the temporary files of the roles, which are over.
    pub fn remove_temporary(&self) {
        drop(self.0.as_ref().map(|loaded| take_temporary(loaded.state.lua())));
    }

    /// `finish(meta, summary)`; what it returned, as text.
    ///
    /// # Errors
    /// What it raised.
    pub fn finish(&self, summary: &Summary) -> Result<Option<String>, StopCause> {
        let Some((loaded, finish)) = self.0.as_ref().and_then(|loaded| Some((loaded, loaded.finish?))) else {
            return Ok(None);
        };
        loaded.desk.close();
        loaded.was_called.set(true);
        let list = value::encode_list([summary_value(summary)].iter());
        let mut results = Vec::new();
        let bridge = &loaded.state.bridge;
        watchdog::during(bridge, loaded.timeout_ns, || {
            bridge.call(finish, Some(loaded.meta), &list, &mut results)
        })
        .map_err(|failure| broken("finish", None, &failure))?;
        let values = value::decode_list(&results).unwrap_or_default();
        let said = values.iter().filter(|value| **value != Value::Nil).map(value::describe);
        Ok(Some(said.collect::<Vec<_>>().join("\t")).filter(|text| !text.is_empty()))
    }
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    value::encode(&mut bytes, value);
    bytes
}

/// A call for a task that raised.
pub struct Raised {
    /// `handler` or `failed`.
    pub role: &'static str,
    /// The task at hand.
    pub task: TaskLabel,
    /// What it raised.
    pub failure: Failure,
}

impl Raised {
    /// The end of a run that does not go on after it.
    pub fn into_cause(self) -> StopCause {
        broken(self.role, Some(&self.task.id), &self.failure)
    }
}

fn label(delivery: &Delivery) -> TaskLabel {
    let name = match &delivery.key {
        Some(key) => String::from_utf8_lossy(key).into_owned(),
        None => value::describe_list(&delivery.args, NAME),
    };
    TaskLabel { id: delivery.id.to_string(), name, attempt: delivery.attempt, worker: delivery.worker }
}

/// What `failed` gets as `err`; `retryable` only when the error itself said so.
fn error_value(failure: &Failure, attempt: u32) -> Value {
    let mut fields = vec![
        (Value::text("attempt"), Value::Int(i64::from(attempt))),
        (Value::text("code"), Value::text(failure.code.as_str())),
        (Value::text("message"), Value::text(failure.message.as_str())),
    ];
    if let Some(traceback) = &failure.traceback {
        fields.push((Value::text("traceback"), Value::text(traceback.as_str())));
    }
    if let Some(retryable) = failure.retryable {
        fields.push((Value::text("retryable"), Value::Bool(retryable)));
    }
    Value::Map(fields)
}

/// What `finish` gets as `summary`; times in seconds.
fn summary_value(summary: &Summary) -> Value {
    let counts = &summary.counts;
    let elapsed = counts.elapsed_ns as f64 / 1e9;
    let count = |name: &str, number: u64| (Value::text(name), Value::Int(number.cast_signed()));
    let ended = counts.done + counts.failed;
    let mut fields = vec![
        (Value::text("elapsed"), Value::Float(elapsed)),
        (Value::text("rate"), Value::Float(if elapsed > 0.0 { ended as f64 / elapsed } else { 0.0 })),
        count("tasks", ended),
        count("done", counts.done),
        count("failed", counts.failed),
        count("skipped", counts.skipped),
        count("duplicates", counts.duplicates),
        count("again", summary.again),
        count("crashes", summary.crashes),
    ];
    if let Some(times) = summary.times_ns {
        for (name, time) in ["p50", "p95", "p99", "max"].into_iter().zip(times) {
            fields.push((Value::text(name), Value::Float(time as f64 / 1e9)));
        }
    }
    Value::Map(fields)
}

fn broken(role: &str, task: Option<&str>, failure: &Failure) -> StopCause {
    let task = task.map(|id| format!(" at task {id}")).unwrap_or_default();
    let traceback = failure.traceback.as_deref().unwrap_or_default();
    let at = traceback.lines().map(|line| format!("\n    {line}")).collect::<String>();
    StopCause::Broken(format!("role `{role}` raised{task}: {}{at}", failure.message))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::rc::Rc;

    use super::HandlerRoles;
    use crate::handler::places::Places;
    use crate::lua::frozen::Frozen;
    use crate::lua::state::Around;
    use crate::lua::std::log::Sinks;
    use crate::model::event::Summary;
    use crate::model::job::{Job, Script};
    use crate::model::outcome::{Done, Left};
    use crate::model::{Delivery, Failure, Payload, StopCause, TaskId, Value, Verdict};
    use crate::os::clock::monotonic_ns;

    fn roles(code: &str) -> Result<HandlerRoles, StopCause> {
        let job = Job {
            name: "test".into(),
            description: String::new(),
            manifest: PathBuf::from("/test.toml"),
            dir: PathBuf::from("/"),
            seed: 0,
            params: Value::Map(Vec::new()),
            meta: Value::Map(Vec::new()),
            env: Vec::new(),
            lua_path: None,
        };
        let script =
            Script { name: "test.lua".into(), dir: PathBuf::from("/"), text: code.as_bytes().into() };
        let around = Around { logs: Sinks::none(), frozen: Frozen::new(&[], |_, _| {}) };
        let places = Rc::new(Places::new(0, crossbeam_channel::unbounded().0));
        HandlerRoles::load(&job, Some(&script), 30_000_000, &around, &places, None)
    }

    fn delivery(verdict: Verdict) -> Delivery {
        let id = TaskId::at(1);
        let args = Payload::copy_from(&[]);
        let left = Left::default();
        Delivery { id, seq: None, args, key: None, attempt: 1, worker: 1, left, elapsed_ns: 0, verdict }
    }

    fn said<R>(result: Result<R, StopCause>) -> String {
        match result {
            Err(StopCause::Broken(text)) => text.lines().next().unwrap_or_default().to_owned(),
            Err(other) => format!("{other:?}"),
            Ok(_) => "it ended".into(),
        }
    }

    #[test]
    fn a_loop_in_any_role_of_the_handler_ends_and_is_named() {
        let text = "role `handler` raised: timeout after 30ms while test.lua was loaded";
        assert_eq!(said(roles("while true do pcall(error) end")), text);
        let code = "local function forever() while true do pcall(error) end end
                    local calls = 0
                    return {
                      start = forever, failed = forever, finish = forever,
                      handler = function() calls = calls + 1 if calls == 2 then forever() end end,
                    }";
        let roles = roles(code).expect("loads");
        assert_eq!(said(roles.start(false)), "role `start` raised: timeout after 30ms");
        let handle = |delivery| roles.handle(delivery, monotonic_ns()).map_err(|raised| raised.into_cause());
        let done = || delivery(Verdict::Done(Done::default()));
        let id = done().id;
        assert_eq!(handle(done()), Ok(()));
        assert_eq!(said(handle(done())), format!("role `handler` raised at task {id}: timeout after 30ms"));
        assert_eq!(handle(done()), Ok(()), "the next call has its own time");
        let failed = delivery(Verdict::Failed(Box::new(Failure::new("x", "y"))));
        assert_eq!(said(handle(failed)), format!("role `failed` raised at task {id}: timeout after 30ms"));
        assert_eq!(said(roles.finish(&Summary::default())), "role `finish` raised: timeout after 30ms");
    }
}
