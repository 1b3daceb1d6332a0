//! The forked child: one thread that reads, and the threads that run attempts.
//!
//! ```text
//! socket ─▶ reader (this thread) ─▶ queue ─▶ thread: slot, call, outcome ─▶ outbox ─▶ socket
//! ```
//!
//! A process leaves by `_exit` only; its Lua states are never closed.

mod attempt;
mod command;
mod cooperative;
mod memory;
mod outbox;
mod queue;
mod thread;

use std::io;
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::lua::frozen::Frozen;
use crate::lua::script::{self, Roles};
use crate::lua::state::State;
use crate::lua::watchdog;
use crate::model::{Failure, Handle};
use crate::os::allocator;
use crate::os::clock::monotonic_ns;
use crate::os::exit::exit_now;
use crate::os::keeper::WorkerSeat;
use crate::os::poll::{Interest, Poller};
use crate::os::secrets;
use crate::os::slots::Slot;
use crate::os::socket::Socket;
use crate::os::wake::{WakeReceiver, wake_pair};
use crate::wire::from_worker::{self, Line};
use crate::wire::to_worker::{self, Body, Setup};
use crate::wire::{frame, to_worker as wire};
use outbox::Outbox;
use queue::Queue;

/// What the threads of the process have in common.
struct Shared {
    setup: Setup,
    queue: Queue,
    outbox: Arc<Outbox>,
    frozen: Frozen,
    slots: &'static [Slot],
    /// The coordinator wants no more of this process.
    stopping: AtomicBool,
}

/// An outcome waits this long at most while its thread runs the next task.
const LINGER: Duration = Duration::from_millis(1);

/// The life of a worker process.
pub fn run(seat: WorkerSeat) -> ! {
    let WorkerSeat { socket, slots, .. } = seat;
    let status = match serve(Arc::new(socket), slots.leak()) {
        Ok(()) => 0,
        // the coordinator is gone, and with it everyone who could be told
        Err(_) => 1,
    };
    exit_now(status)
}

fn serve(socket: Arc<Socket>, slots: &'static [Slot]) -> io::Result<()> {
    let mut frames = frame::Reader::default();
    let setup = read_setup(&socket, &mut frames)?;
    for name in &setup.secrets {
        // that each is there was checked before the run began
        let _ = secrets::fetch(&setup.job.env, name.as_bytes());
    }
    memory::limit_process(&setup.bounds, setup.threads);
    allocator::blame(&slots[0]);
    let (waker, mut wake) = wake_pair()?;
    let outbox = Arc::new(Outbox::new(Arc::clone(&socket), waker));
    let tell = Arc::clone(&outbox);
    let frozen = Frozen::new(&setup.frozen, move |path, hash| tell.push_loaded(path, hash));
    let shared =
        Shared { setup, queue: Queue::default(), outbox, frozen, slots, stopping: AtomicBool::new(false) };
    let shared: &'static Shared = Box::leak(Box::new(shared));
    if let Err(error) = std::env::set_current_dir(&shared.setup.job.dir) {
        let dir = shared.setup.job.dir.display();
        return broken(
            shared,
            &Failure::new("not_found", format!("cannot work in the folder {dir}: {error}")),
        );
    }
    let process = match process_state(shared) {
        Ok(process) => process,
        Err(failure) => return broken(shared, &failure),
    };
    let threads = (0..shared.setup.threads as usize)
        .map(|index| {
            let name = format!("thread {}", index + 1);
            std::thread::Builder::new().name(name).spawn(move || {
                // a thread that is gone would leave its task running for ever; the panic hook has told why
                if catch_unwind(AssertUnwindSafe(|| thread::run(shared, index))).is_err() {
                    exit_now(101);
                }
            })
        })
        .collect::<io::Result<Vec<_>>>();
    let threads = match threads {
        Ok(threads) => threads,
        Err(error) => {
            return broken(shared, &Failure::new("crashed", format!("cannot start a thread: {error}")));
        }
    };
    socket.set_nonblocking(true)?;
    read_frames(shared, &socket, &mut frames, &mut wake)?;
    for thread in threads {
        if thread.join().is_err() {
            return broken(shared, &Failure::new("crashed", "a thread of the worker panicked"));
        }
    }
    if let Some((state, roles)) = process
        && let Some(exit) = roles.get("process_exit")
        && let Err(failure) = watchdog::during(&state.bridge, shared.setup.bounds.role_ns, || {
            state.bridge.call_for_effect(exit, None, &[])
        })
    {
        shared.outbox.push_line(role_failed("process_exit", &failure));
    }
    shared.outbox.push_metrics(monotonic_ns());
    shared.outbox.flush()
}

fn read_setup(socket: &Socket, frames: &mut frame::Reader) -> io::Result<Setup> {
    loop {
        match frames.next().map_err(io::Error::other)? {
            Some((wire::SETUP, body)) => return to_worker::take_setup(body).map_err(io::Error::other),
            Some((kind, _)) => {
                return Err(io::Error::other(format!("frame of kind {kind} before the setup")));
            }
            None => {}
        }
        match socket.read(frames.room())? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => frames.filled(count),
        }
    }
}

/// The state of `process_init` and `process_exit`, on this thread, when the script has one of them.
fn process_state(shared: &'static Shared) -> Result<Option<(State, Roles)>, Failure> {
    let Body::Lua(script) = &shared.setup.body else { return Ok(None) };
    if !shared.setup.process_roles {
        return Ok(None);
    }
    let state = State::new(&shared.setup.job, script, "process_init", &thread::around(shared, || None))
        .map_err(|error| Failure::new("memory", error.to_string()))?;
    memory::limit_state(&state, &shared.setup);
    let limit_ns = shared.setup.bounds.role_ns;
    let roles = script::load_within(limit_ns, &state, script, "worker")?;
    if let Some(init) = roles.get("process_init") {
        watchdog::during(&state.bridge, limit_ns, || state.bridge.call_for_effect(init, None, &[]))
            .map_err(|failure| in_role("process_init", failure))?;
    }
    Ok(Some((state, roles)))
}

/// Reads until the coordinator says stop, and flushes outcomes that no thread flushes.
fn read_frames(
    shared: &'static Shared,
    socket: &Socket,
    frames: &mut frame::Reader,
    wake: &mut WakeReceiver,
) -> io::Result<()> {
    let poller = Poller::new()?;
    poller.add(socket.as_fd(), 0, Interest::Read)?;
    wake.register(&poller, 1)?;
    let mut ready = Vec::new();
    loop {
        while let Some((kind, body)) = frames.next().map_err(io::Error::other)? {
            match kind {
                wire::TASKS => shared.queue.push(body),
                wire::RECALL => shared.outbox.push_returned(&shared.queue.recall())?,
                wire::STOP => {
                    shared.stopping.store(true, Ordering::Relaxed);
                    shared.queue.close();
                    return Ok(());
                }
                kind => return Err(io::Error::other(format!("unknown frame of kind {kind}"))),
            }
        }
        if shared.outbox.has_pending() {
            poller.wait(&mut ready, Some(LINGER))?;
            shared.outbox.flush_older_than(LINGER, monotonic_ns())?;
        } else {
            let sleep = wake.prepare_sleep();
            let timeout = if shared.outbox.has_pending() { Some(LINGER) } else { until_metrics(shared) };
            poller.wait(&mut ready, timeout)?;
            drop(sleep);
        }
        if until_metrics(shared).is_some_and(|due| due.is_zero()) {
            shared.outbox.push_metrics(monotonic_ns());
        }
        if ready.iter().any(|one| one.token == 0) {
            match socket.read(frames.room()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => frames.filled(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Until metrics are to be sent, if they are.
fn until_metrics(shared: &Shared) -> Option<Duration> {
    let due_ns = shared.outbox.metrics_due_ns()?;
    Some(Duration::from_nanos(due_ns.saturating_sub(monotonic_ns())))
}

/// Says why this process cannot work, and ends.
fn broken(shared: &Shared, failure: &Failure) -> io::Result<()> {
    shared.outbox.push_broken(failure)?;
    exit_now(1)
}

/// Names the role in a failure outside of any task.
fn in_role(role: &str, failure: Failure) -> Failure {
    Failure { message: format!("role `{role}` raised: {}", failure.message), ..failure }
}

fn role_failed(role: &str, failure: &Failure) -> Line {
    Line {
        task: None,
        level: crate::model::event::Level::Error,
        text: in_role(role, failure.clone()).message,
        fields: Vec::new(),
    }
}

/// Handles as a frame of [`from_worker::RETURNED`] holds them.
fn put_handles(out: &mut Vec<u8>, handles: &[Handle]) {
    let at = frame::begin(out, from_worker::RETURNED);
    for handle in handles {
        out.extend_from_slice(&handle.bits().to_le_bytes());
    }
    frame::end(out, at);
}
