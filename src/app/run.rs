//! `mpms run` and `mpms resume`.

use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::carry::carry_out;
use super::exit::Code;
use super::order::Order;
use super::prepare::{Ready, prepare};
use super::{complain, surroundings};
use crate::cli::{Color, ResumeArgs, RunArgs};
use crate::os::exit::exit_now;
use crate::os::limits;
use crate::os::signals::{self, Signal, Signals};
use crate::plan::Surroundings;

/// How long a signal may go unnoticed before the run has begun.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// Runs the jobs, one after the other. Stops at the first that cannot be run to its end.
pub fn run(arguments: &RunArgs) -> Code {
    let (around, signals) = match begin(arguments.display.color) {
        Ok(begun) => begun,
        Err(code) => return code,
    };
    let mut last = Code::Success;
    for job in &arguments.jobs {
        let code = match Order::run(job, arguments, &around.cwd) {
            Ok(order) => run_one(&order, &around, &signals),
            Err(code) => code,
        };
        if !code.goes_on() {
            return code;
        }
        last = if code == Code::Success { last } else { code };
    }
    last
}

/// Goes on with a run.
pub fn resume(arguments: &ResumeArgs) -> Code {
    let (around, signals) = match begin(arguments.display.color) {
        Ok(begun) => begun,
        Err(code) => return code,
    };
    match Order::resume(arguments, &around.cwd) {
        Ok(order) => run_one(&order, &around, &signals),
        Err(code) => code,
    }
}

fn begin(color: Color) -> Result<(Surroundings, Signals), Code> {
    let begun = surroundings().and_then(|around| {
        signals::ignore_sigpipe()?;
        let signals = Signals::block()?;
        limits::raise_open_files()?;
        Ok((around, signals))
    });
    begun.map_err(|error| {
        complain(color, &format!("the system refuses what every run needs: {error}"), None);
        Code::State
    })
}

fn run_one(order: &Order, around: &Surroundings, signals: &Signals) -> Code {
    let ready = match prepare_interruptibly(order, around, signals) {
        Ok(ready) => ready,
        Err(code) => return code,
    };
    match carry_out(ready, order, &around.cwd, signals) {
        Ok(summary) => Code::of(&summary),
        Err(error) => {
            complain(order.display.color, &format!("the run cannot go on: {error}"), None);
            Code::State
        }
    }
}

/// Prepares on a thread of its own: a loop in a script's top-level code, or a standard input that says nothing, must not
/// keep a signal from ending it.
fn prepare_interruptibly(order: &Order, around: &Surroundings, signals: &Signals) -> Result<Ready, Code> {
    std::thread::scope(|scope| {
        let (done, prepared) = bounded(1);
        let preparing = move || {
            let _ = done.send(prepare(order, around));
        };
        if let Err(error) = std::thread::Builder::new().name("prepare".into()).spawn_scoped(scope, preparing)
        {
            complain(order.display.color, &format!("cannot start a thread: {error}"), None);
            return Err(Code::State);
        }
        loop {
            match prepared.recv_timeout(SIGNAL_CHECK) {
                Ok(prepared) => return prepared,
                Err(RecvTimeoutError::Disconnected) => return Err(Code::Bug),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(signal) = next_stop(signals) {
                        // nothing has begun, and the thread may never end
                        exit_now(Code::Signal(signal.number()).number());
                    }
                }
            }
        }
    })
}

/// The next signal that asks for an end. There are no workers yet: Ctrl-Z stops this process alone.
pub fn next_stop(signals: &Signals) -> Option<Signal> {
    loop {
        match signals.next()? {
            Signal::Status => {}
            Signal::Suspend => {
                // one that cannot be stopped goes on
                let _ = signals::suspend();
            }
            signal => return Some(signal),
        }
    }
}
