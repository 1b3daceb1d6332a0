//! A command that runs beside the script, which talks with it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{AnyUserData, Function, Lua, LuaString, Table, UserDataFields as _, UserDataRef, Value};

use super::flow::{self, Clock, Drain, Enough, Feed, Keep, Watch, Work};
use super::order::{self, Order};
use super::outcome::{self, Outcome};
use super::run::Running;
use crate::lua::error::LibError;
use crate::lua::module::{Methods, object};
use crate::lua::started;
use crate::lua::std::batches::{Gives, steps};
use crate::lua::std::lent::Slot;
use crate::os::command::Child;
use crate::os::signals;

/// What the objects of one command share.
struct Shared {
    children: [Rc<Child>; 1],
    clock: RefCell<Clock>,
    stdin: Option<Slot<Feed>>,
    stdout: Option<Slot<Drain>>,
    stderr: Option<Slot<Drain>>,
    order: Order,
    /// The script has sent it a signal.
    signalled: Cell<bool>,
}

/// `proc.Process`.
struct Process {
    shared: Rc<Shared>,
    stdin: Option<AnyUserData>,
    stdout: Option<AnyUserData>,
    stderr: Option<AnyUserData>,
}

/// `proc.Input`.
struct Input(Rc<Shared>);

/// `proc.Output`: standard error or output.
#[derive(Clone)]
struct Output {
    shared: Rc<Shared>,
    is_error: bool,
}

pub(super) fn spawn(lua: &Lua, order: Order) -> Result<AnyUserData, LibError> {
    let mut running = Running::start(&order, Keep::All).map_err(|error| order.named(error))?;
    let children = std::mem::take(&mut running.children);
    let children: [Rc<Child>; 1] =
        children.try_into().map_err(|_| LibError::new("lua_error", "one command was started"))?;
    started::add(Rc::clone(&children[0]));
    let shared = Rc::new(Shared {
        children,
        clock: RefCell::new(Clock::new(order.limits)),
        stdin: running.feed.take().map(|feed| Slot::new("the input", feed)),
        stdout: running.stdout.take().map(|drain| Slot::new("the output", drain)),
        stderr: running.stderr.take().map(|drain| Slot::new("the output", drain)),
        order,
        signalled: Cell::new(false),
    });
    let output = |is_error| object(lua, Output { shared: Rc::clone(&shared), is_error });
    let stdin =
        matches!(shared.order.input, order::Input::Written).then(|| object(lua, Input(Rc::clone(&shared))));
    let process = Process {
        stdin: stdin.transpose()?,
        stdout: shared.stdout.as_ref().map(|_| output(false)).transpose()?,
        stderr: shared.stderr.as_ref().map(|_| output(true)).transpose()?,
        shared,
    };
    Ok(object(lua, process)?)
}

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "proc.Process")
        .waiting("wait()", |lua, process: UserDataRef<Process>| {
            let (lua, shared) = (lua.clone(), Rc::clone(&process.shared));
            async move { shared.wait(&lua).await.map_err(|error| shared.order.named(error)) }
        })
        .method("kill(signal)", |_, (process, signal): (UserDataRef<Process>, Option<Value>)| {
            process.shared.kill(signal.as_ref())
        })
        .method("signal()", |_, process: UserDataRef<Process>| Ok(process.shared.ending_signal()))
        .userdata_and::<Process>(|registry| {
            registry.add_field_method_get("pid", |_, process| Ok(process.shared.child().pid()));
            registry.add_field_method_get("stdin", |_, process| Ok(process.stdin.clone()));
            registry.add_field_method_get("stdout", |_, process| Ok(process.stdout.clone()));
            registry.add_field_method_get("stderr", |_, process| Ok(process.stderr.clone()));
        })?;
    Methods::new(lua, "proc.Input")
        .waiting("write(data)", |_, (input, data): (UserDataRef<Input>, LuaString)| {
            let shared = Rc::clone(&input.0);
            async move { shared.write(data).await.map_err(|error| shared.order.named(error)) }
        })
        .method("close()", |_, input: UserDataRef<Input>| {
            input.0.close_input();
            Ok(())
        })
        .userdata::<Input>()?;
    Methods::new(lua, "proc.Output")
        .waiting("read(what)", |lua, (output, what): (UserDataRef<Output>, Option<Value>)| {
            let (lua, output, what) = (lua.clone(), output.clone(), What::read(what.as_ref()));
            async move { output.read(&lua, what?).await.map_err(|error| output.shared.order.named(error)) }
        })
        .method("lines()", |lua, output: UserDataRef<Output>| output.clone().lines(lua))
        .method("close()", |_, output: UserDataRef<Output>| {
            if let Some(slot) = output.slot() {
                slot.lend()?.close();
            }
            Ok(())
        })
        .userdata::<Output>()
}

impl Shared {
    fn child(&self) -> &Rc<Child> {
        &self.children[0]
    }

    async fn write(&self, data: LuaString) -> Result<bool, LibError> {
        let Some(slot) = &self.stdin else { return Ok(false) };
        let mut feed = slot.lend()?;
        if !feed.is_open() {
            return Ok(false);
        }
        feed.set(data);
        // it may have to say something before it reads on
        let mut outputs =
            [&self.stdout, &self.stderr].map(|slot| slot.as_ref().and_then(|one| one.lend().ok()));
        let work = Work {
            children: &self.children,
            watch: &mut Watch::default(),
            clock: &self.clock,
            feed: Some(&mut feed),
            drains: outputs.each_mut().map(|one| one.as_deref_mut().map(|drain| (drain, Enough::Aside))),
        };
        work.written().await
    }

    fn close_input(&self) {
        if let Some(mut feed) = self.stdin.as_ref().and_then(|slot| slot.lend().ok()) {
            feed.close();
        }
    }

    async fn wait(&self, lua: &Lua) -> Result<Table, LibError> {
        let mut feed = self.stdin.as_ref().and_then(|slot| slot.lend().ok());
        let mut stdout = self.stdout.as_ref().and_then(|slot| slot.lend().ok());
        let mut stderr = self.stderr.as_ref().and_then(|slot| slot.lend().ok());
        if !self.child().is_reaped() {
            let work = Work {
                children: &self.children,
                watch: &mut Watch::default(),
                clock: &self.clock,
                feed: feed.as_deref_mut(),
                drains: [
                    stdout.as_deref_mut().map(|drain| (drain, Enough::End)),
                    stderr.as_deref_mut().map(|drain| (drain, Enough::End)),
                ],
            };
            work.done().await?;
        }
        let mut outcome =
            Outcome::of(&self.children).map_err(|_| LibError::new("cancelled", "was ended with its task"))?;
        outcome.stdout = stdout.as_deref_mut().map(Drain::take_all);
        outcome.stderr = stderr.as_deref_mut().map(Drain::take_all);
        if self.clock.borrow().is_over() {
            return Err(outcome::timed_out(&self.order.limits, outcome.stderr.unwrap_or_default()));
        }
        if self.order.check && !outcome.is_ok() && !self.signalled.get() {
            return Err(outcome.error());
        }
        outcome.into_table(lua)
    }

    fn kill(&self, signal: Option<&Value>) -> Result<bool, LibError> {
        let number = match signal {
            None | Some(Value::Nil) => Some(15),
            Some(Value::String(name)) => signals::number(&name.to_string_lossy()),
            Some(Value::Integer(number)) => {
                i32::try_from(*number).ok().filter(|number| (1..32).contains(number))
            }
            Some(_) => None,
        };
        let Some(number) = number else {
            return Err(LibError::invalid(
                "argument 1 (signal) must be a name as \"TERM\", or a number from 1 to 31",
            ));
        };
        if self.child().has_died() {
            return Ok(false);
        }
        self.signalled.set(true);
        self.child().signal_group(number)?;
        Ok(true)
    }

    /// Of a command that has ended, reaped or not.
    fn ending_signal(&self) -> Option<i32> {
        let child = self.child();
        match child.is_reaped() {
            true => child.ending_signal(),
            false => child.status().ok().flatten().map(|status| status & 0x7f).filter(|signal| *signal != 0),
        }
    }
}

/// What `read` is asked for, in the words of Lua's files.
#[derive(Clone, Copy)]
enum What {
    Line { with_end: bool },
    All,
    Bytes(usize),
}

impl What {
    fn read(value: Option<&Value>) -> Result<Self, LibError> {
        match value {
            None | Some(Value::Nil) => Ok(What::Line { with_end: false }),
            Some(Value::String(word)) => match &*word.as_bytes() {
                b"l" => Ok(What::Line { with_end: false }),
                b"L" => Ok(What::Line { with_end: true }),
                b"a" => Ok(What::All),
                _ => Err(wrong_what()),
            },
            Some(Value::Integer(count)) => {
                Ok(What::Bytes(usize::try_from(*count).map_err(|_| wrong_what())?))
            }
            Some(_) => Err(wrong_what()),
        }
    }

    fn enough(self) -> Enough {
        match self {
            What::Line { .. } => Enough::Line,
            What::All => Enough::End,
            What::Bytes(count) => Enough::Bytes(count),
        }
    }
}

fn wrong_what() -> LibError {
    LibError::invalid("argument 1 (what) must be \"l\", \"L\", \"a\" or a number of bytes")
}

impl Output {
    fn slot(&self) -> Option<&Slot<Drain>> {
        let shared = &self.shared;
        if self.is_error { shared.stderr.as_ref() } else { shared.stdout.as_ref() }
    }

    async fn read(&self, lua: &Lua, what: What) -> Result<Option<LuaString>, LibError> {
        let Some(slot) = self.slot() else { return Ok(None) };
        let mut drain = slot.lend()?;
        self.fill(&mut drain, what.enough()).await?;
        let bytes = match what {
            What::All => return Ok(Some(lua.create_string(drain.take_all())?)),
            What::Line { with_end } => match drain.take_line() {
                Some(line) if !with_end => line.strip_suffix(b"\n").unwrap_or(line),
                Some(line) => line,
                None => return Ok(None),
            },
            What::Bytes(count) if drain.left().is_empty() && count > 0 => return Ok(None),
            What::Bytes(count) => drain.take_bytes(count),
        };
        Ok(Some(lua.create_string(bytes)?))
    }

    async fn fill(&self, drain: &mut Drain, enough: Enough) -> Result<(), LibError> {
        let shared = &self.shared;
        let other = if self.is_error { &shared.stdout } else { &shared.stderr };
        // so that the command does not wait until somebody reads what it says there
        let mut other = other.as_ref().and_then(|slot| slot.lend().ok());
        // or for what the script gave it beforehand
        let given = shared.stdin.as_ref().filter(|_| matches!(shared.order.input, order::Input::Text(_)));
        let mut given = given.and_then(|slot| slot.lend().ok());
        let work = Work {
            children: &shared.children,
            watch: &mut Watch::default(),
            clock: &shared.clock,
            feed: given.as_deref_mut(),
            drains: [Some((drain, enough)), other.as_deref_mut().map(|drain| (drain, Enough::Aside))],
        };
        work.done().await
    }

    fn lines(self, lua: &Lua) -> Result<Function, LibError> {
        let fill = move |lua: &Lua| {
            let (lua, output) = (lua.clone(), self.clone());
            async move {
                let Some(slot) = output.slot() else { return Ok(None) };
                let mut drain = slot.lend()?;
                let filled = output.fill(&mut drain, Enough::Line).await;
                filled.map_err(|error| output.shared.order.named(error))?;
                flow::lines(&lua, &mut drain)
            }
        };
        Ok(steps(lua, "proc.Output:lines", Gives::Value, fill)?)
    }
}
