//! Commands that run to their end: one, or several that work together.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::rc::Rc;

use mlua::{Lua, Table};

use super::flow::{Clock, Drain, Enough, Feed, Keep, Watch, Work};
use super::order::{Input, Order, failed};
use super::outcome::{self, Outcome};
use super::words;
use crate::lua::error::LibError;
use crate::os::command::{Child, Started};

/// Commands that have been started, with our ends of their pipes. Dropped, they are killed.
pub(super) struct Running {
    pub children: Vec<Rc<Child>>,
    pub feed: Option<Feed>,
    pub stdout: Option<Drain>,
    pub stderr: Option<Drain>,
    pub clock: RefCell<Clock>,
    pub watch: Watch,
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &self.children {
            // scripts may hold it still
            let _ = child.end();
        }
    }
}

impl Running {
    /// Starts one.
    pub fn start(order: &Order, keep_stderr: Keep) -> Result<Self, LibError> {
        let started = order.to_start()?.start().map_err(failed)?;
        Self::of(order, vec![started], keep_stderr)
    }

    /// The first has our end of the input, the last those of the output.
    pub fn of(order: &Order, all: Vec<Started>, keep_stderr: Keep) -> Result<Self, LibError> {
        let clock = Clock::new(order.limits);
        let (mut children, mut stdin, mut stdout, mut stderr) = (Vec::new(), None, None, None);
        for started in all {
            children.push(Rc::new(started.child));
            stdin = stdin.or(started.stdin);
            stdout = started.stdout;
            stderr = started.stderr.or(stderr);
        }
        let limit = order.limits.max_output;
        let mut feed = stdin.map(Feed::new).transpose()?;
        if let (Some(feed), Input::Text(text)) = (&mut feed, &order.input) {
            feed.set(text.clone());
        }
        let out = |file: File| Drain::new(file, Keep::All, limit, "standard output");
        let err = |file: File| Drain::new(file, keep_stderr, limit, "standard error");
        let (stdout, stderr) = (stdout.map(out).transpose()?, stderr.map(err).transpose()?);
        Ok(Self { children, feed, stdout, stderr, clock: RefCell::new(clock), watch: Watch::default() })
    }

    /// All that there is to do, with so much of standard output.
    pub fn work(&mut self, enough: Enough) -> Work<'_> {
        Work {
            children: &self.children,
            watch: &mut self.watch,
            clock: &self.clock,
            feed: self.feed.as_mut(),
            drains: [
                self.stdout.as_mut().map(|drain| (drain, enough)),
                self.stderr.as_mut().map(|drain| (drain, Enough::End)),
            ],
        }
    }
}

pub(super) async fn run(lua: &Lua, order: Order) -> Result<Table, LibError> {
    let running = Running::start(&order, Keep::All).map_err(|error| order.named(error))?;
    to_end(lua, running, &order, std::slice::from_ref(&order.argv)).await
}

/// Waits for all of them; `argvs` are for errors.
pub(super) async fn to_end(
    lua: &Lua,
    mut running: Running,
    order: &Order,
    argvs: &[Vec<OsString>],
) -> Result<Table, LibError> {
    let named = |error: LibError| order.named(error);
    running.work(Enough::End).done().await.map_err(named)?;
    let mut outcome = Outcome::of(&running.children).map_err(named)?;
    outcome.stdout = running.stdout.as_mut().map(Drain::take_all);
    outcome.stderr = running.stderr.as_mut().map(Drain::take_all);
    if running.clock.borrow().is_over() {
        return Err(named(outcome::timed_out(&order.limits, outcome.stderr.unwrap_or_default())));
    }
    if order.check && !outcome.is_ok() {
        let error = outcome.error();
        return Err(error.cmd(argvs.get(outcome.which).map_or_else(String::new, |argv| words::shown(argv))));
    }
    outcome.into_table(lua)
}
