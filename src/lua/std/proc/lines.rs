//! What a command says, line by line while it runs.

use std::rc::Rc;

use mlua::{AnyUserData, Function, Lua, LuaString, UserDataRef, Value};

use super::flow::{Enough, Keep};
use super::order::Order;
use super::outcome::{self, Outcome};
use super::run::Running;
use crate::lua::error::LibError;
use crate::lua::module::{Methods, batched_iterator, object};
use crate::lua::started;
use crate::lua::std::lent::Slot;

struct Lines {
    running: Slot<Running>,
    order: Order,
}

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "proc.Lines")
        .method("close()", |_, lines: UserDataRef<Rc<Lines>>| {
            drop(lines.running.close());
            Ok(())
        })
        .userdata::<Rc<Lines>>()
}

/// For the generic `for`: the last of the four ends the command when the loop is left.
type ForLoop = (Function, Value, Value, AnyUserData);

pub(super) fn lines(lua: &Lua, order: Order) -> Result<ForLoop, LibError> {
    let running = Running::start(&order, Keep::Tail).map_err(|error| order.named(error))?;
    for child in &running.children {
        started::add(Rc::clone(child));
    }
    let lines = Rc::new(Lines { running: Slot::new("the iterator", running), order });
    let (take, fill) = (Rc::clone(&lines), Rc::clone(&lines));
    let next = batched_iterator(
        lua,
        "proc.lines",
        move |lua| take.take(lua),
        move |_| {
            let lines = Rc::clone(&fill);
            async move { lines.fill().await.map_err(|error| lines.order.named(error)) }
        },
    )?;
    Ok((next, Value::Nil, Value::Nil, object(lua, lines)?))
}

impl Lines {
    fn take(&self, lua: &Lua) -> Result<Option<LuaString>, LibError> {
        if self.running.is_closed() {
            return Ok(None);
        }
        let mut running = self.running.lend()?;
        let Some(line) = running.stdout.as_mut().and_then(|stdout| stdout.take_line()) else {
            return Ok(None);
        };
        Ok(Some(lua.create_string(line.strip_suffix(b"\n").unwrap_or(line))?))
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
