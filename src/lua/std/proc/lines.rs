//! What a command says, line by line while it runs.

use std::rc::Rc;

use mlua::Lua;

use super::flow::{self, Enough, Keep};
use super::order::Order;
use super::outcome::{self, Outcome};
use super::run::Running;
use crate::lua::error::LibError;
use crate::lua::started;
use crate::lua::std::batches::{self, Filled, Gives, Loop, steps};
use crate::lua::std::lent::Slot;

struct Lines {
    running: Slot<Running>,
    order: Order,
}

pub(super) fn lines(lua: &Lua, order: Order) -> Result<Loop, LibError> {
    let running = Running::start(&order, Keep::Tail).map_err(|error| order.named(error))?;
    for child in &running.children {
        started::add(Rc::clone(child));
    }
    let lines = Rc::new(Lines { running: Slot::new("the iterator", running), order });
    let filled = Rc::clone(&lines);
    let next = steps(lua, "proc.lines", Gives::Value, move |lua| {
        let (lua, lines) = (lua.clone(), Rc::clone(&filled));
        async move {
            let more = lines.fill().await.map_err(|error| lines.order.named(error))?;
            if more { lines.at_hand(&lua) } else { Ok(None) }
        }
    })?;
    // a loop that is left ends the command
    batches::until_left(lua, next, move || drop(lines.running.close()))
}

impl Lines {
    fn at_hand(&self, lua: &Lua) -> Result<Option<Filled>, LibError> {
        let mut running = self.running.lend()?;
        running.stdout.as_mut().map_or(Ok(None), |stdout| flow::lines(lua, stdout))
    }

    /// Whether there is one more.
    async fn fill(&self) -> Result<bool, LibError> {
        if self.running.is_closed() {
            return Ok(false);
        }
        let mut running = self.running.lend()?;
        let worked = running.work(Enough::Line).done().await;
        if let (Ok(()), Some(stdout)) = (&worked, &running.stdout)
            && (!stdout.is_at_end() || !stdout.left().is_empty())
        {
            return Ok(true);
        }
        // from here on it is this call's: it ends with it, also when the loop is left by an error
        self.running.close();
        worked?;
        // it may go on without its output
        running.work(Enough::End).done().await?;
        self.check(&mut running)
    }

    fn check(&self, running: &mut Running) -> Result<bool, LibError> {
        let mut outcome = Outcome::of(&running.children)?;
        outcome.stderr = running.stderr.as_mut().map(|stderr| stderr.take_all());
        if running.clock.borrow().is_over() {
            return Err(outcome::timed_out(&self.order.limits, outcome.stderr.unwrap_or_default()));
        }
        if self.order.check && !outcome.is_ok() {
            return Err(outcome.error());
        }
        Ok(false)
    }
}
