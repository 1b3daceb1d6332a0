//! How a function of Rust becomes one of the library: arguments that are checked, errors that scripts can read, waits.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::FutureExt as _;
use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, MultiValue, Table, Value};

use crate::lua::border::{self, Call};
#[cfg(test)]
use crate::lua::declared;
use crate::lua::error::{LibError, expectation};
use crate::lua::scheduler::{Begun, Finish, Scheduler, Wait};

/// The Lua side of the library in one state: see `shim.lua`.
#[derive(Clone)]
pub(in crate::lua) struct Shim {
    /// Calls in protected mode and gives the raised value back as it is.
    pcall: Function,
    /// `try` of the scripts.
    pub try_: Function,
    /// Of the error tables.
    pub error_metatable: Table,
}

impl Shim {
    /// The shim of this state, made at first use.
    pub fn of(lua: &Lua) -> mlua::Result<Self> {
        if let Some(shim) = lua.app_data_ref::<Self>() {
            return Ok(shim.clone());
        }
        let globals = lua.globals();
        let base = |name: &str| globals.raw_get::<Value>(name);
        let (error_metatable, try_, pcall) = lua.load(include_str!("shim.lua")).set_name("=mpms").call((
            base("pcall")?,
            base("rawget")?,
            base("tostring")?,
        ))?;
        let shim = Self { pcall, try_, error_metatable };
        lua.set_app_data(shim.clone());
        Ok(shim)
    }
}

/// What a function does, without its types: so all that surrounds it is there once, and not for each function.
pub(super) type Body = Box<dyn Fn(&Lua, Call, &Signature) -> mlua::Result<()>>;

/// The same of a function that waits.
pub(super) type WaitingBody = Box<dyn Fn(&Lua, Call, &Rc<Signature>) -> Result<Wait, LibError>>;

/// `get(url, options)`: a function's name and the names of its arguments, for errors.
#[derive(Clone)]
pub(super) struct Signature {
    /// With the module, as errors show it: `http.get`.
    pub op: String,
    pub arguments: &'static str,
    /// A method's object is not counted.
    pub method: bool,
}

impl Signature {
    pub fn new(module: &str, signature: &'static str, method: bool) -> (&'static str, Self) {
        let (name, rest) = signature.split_once('(').unwrap_or((signature, ""));
        let short = module.strip_prefix("mpms.").unwrap_or(module);
        let joint = if method { ':' } else { '.' };
        let op = if short.is_empty() { name.to_owned() } else { format!("{short}{joint}{name}") };
        (name, Self { op, arguments: rest.trim_end_matches(')'), method })
    }

    /// Names position and argument of a failed conversion.
    fn complaint(&self, error: mlua::Error) -> LibError {
        let mlua::Error::BadArgument { pos, .. } = &error else {
            return LibError::from(error).op(self.op.clone());
        };
        let wanted = expectation(&error);
        if self.method && *pos == 1 {
            let name = self.op.rsplit(':').next().unwrap_or_default();
            let text = format!("call it with a colon, as in object:{name}(...): the object {wanted}");
            return LibError::invalid(text).op(self.op.clone());
        }
        let pos = if self.method { pos - 1 } else { *pos };
        let message = match self.arguments.split(',').map(str::trim).nth(pos - 1) {
            Some(name) if !name.is_empty() && name != "..." => {
                format!("argument {pos} ({name}) {wanted}")
            }
            _ => format!("argument {pos} {wanted}"),
        };
        LibError::invalid(message).op(self.op.clone())
    }
}

/// What a call leaves behind: its results, or its error with the function's name.
fn reply<R: IntoLuaMulti>(lua: &Lua, call: Call, op: &str, result: Result<R, LibError>) -> mlua::Result<()> {
    match result {
        Ok(results) => call.give(lua, results),
        Err(error) => raise(lua, call, op, error),
    }
}

fn raise(lua: &Lua, call: Call, op: &str, error: LibError) -> mlua::Result<()> {
    call.raise(lua, error.op(op.to_owned()).into_value(lua)?)
}

/// What scripts call.
fn outer(lua: &Lua, inner: Function) -> mlua::Result<Function> {
    border::outer(lua, inner, |lua| {
        lua.create_function(|lua, ()| Scheduler::of(lua).take_finished(lua, Call::here()?))
    })
}

pub(super) fn function<A, R>(
    lua: &Lua,
    signature: Signature,
    body: impl Fn(&Lua, A) -> Result<R, LibError> + 'static,
) -> mlua::Result<Function>
where
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    bind(lua, signature, untyped(body))
}

pub(super) fn untyped<A, R>(body: impl Fn(&Lua, A) -> Result<R, LibError> + 'static) -> Body
where
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    Box::new(move |lua, call, signature| {
        let result = arguments(lua, call, signature).and_then(|arguments| body(lua, arguments));
        reply(lua, call, &signature.op, result)
    })
}

fn arguments<A: FromLuaMulti>(lua: &Lua, call: Call, signature: &Signature) -> Result<A, LibError> {
    call.arguments(lua).map_err(|error| signature.complaint(error))
}

pub(super) fn bind(lua: &Lua, signature: Signature, body: Body) -> mlua::Result<Function> {
    #[cfg(test)]
    let names = signature.arguments;
    let inner = lua.create_function(move |lua, ()| body(lua, Call::here()?, &signature))?;
    let made = outer(lua, inner)?;
    #[cfg(test)]
    declared::tell_function(lua, &made, names, false);
    Ok(made)
}

/// A function that waits: it yields where it can, and blocks where it cannot.
///
/// # Errors
/// When Lua has no memory left.
pub(in crate::lua) fn waiting_function<A, R, F>(
    lua: &Lua,
    signature: &'static str,
    body: impl Fn(&Lua, A) -> F + 'static,
) -> mlua::Result<Function>
where
    A: FromLuaMulti,
    R: IntoLuaMulti + 'static,
    F: Future<Output = Result<R, LibError>> + 'static,
{
    waiting(lua, Signature::new("", signature, false).1, body)
}

fn waiting<A, R, F>(
    lua: &Lua,
    signature: Signature,
    body: impl Fn(&Lua, A) -> F + 'static,
) -> mlua::Result<Function>
where
    A: FromLuaMulti,
    R: IntoLuaMulti + 'static,
    F: Future<Output = Result<R, LibError>> + 'static,
{
    bind_waiting(lua, signature, untyped_waiting(body))
}

pub(super) fn untyped_waiting<A, R, F>(body: impl Fn(&Lua, A) -> F + 'static) -> WaitingBody
where
    A: FromLuaMulti,
    R: IntoLuaMulti + 'static,
    F: Future<Output = Result<R, LibError>> + 'static,
{
    Box::new(move |lua, call, signature| {
        let future = body(lua, arguments(lua, call, signature)?);
        let signature = Rc::clone(signature);
        Ok(Box::pin(future.map(move |result| finish(signature, result))) as Wait)
    })
}

fn finish<R: IntoLuaMulti + 'static>(signature: Rc<Signature>, result: Result<R, LibError>) -> Finish {
    Box::new(move |lua: &Lua, call: Call| reply(lua, call, &signature.op, result))
}

pub(super) fn bind_waiting(lua: &Lua, signature: Signature, body: WaitingBody) -> mlua::Result<Function> {
    let signature = Rc::new(signature);
    #[cfg(test)]
    let names = signature.arguments;
    let inner = lua.create_function(move |lua, ()| {
        let call = Call::here()?;
        let begun =
            body(lua, call, &signature).and_then(|wait| Scheduler::of(lua).wait(lua, &signature.op, wait));
        match begun {
            Ok(Begun::Done(finish)) => finish(lua, call),
            Ok(Begun::Yields) => {
                call.wait();
                Ok(())
            }
            Err(error) => raise(lua, call, &signature.op, error),
        }
    })?;
    let made = outer(lua, inner)?;
    #[cfg(test)]
    declared::tell_function(lua, &made, names, true);
    Ok(made)
}

/// One library function outside of any module, as `sleep`.
///
/// # Errors
/// When Lua has no memory left.
pub fn global_function<A, R>(
    lua: &Lua,
    signature: &'static str,
    body: impl Fn(&Lua, A) -> Result<R, LibError> + 'static,
) -> mlua::Result<Function>
where
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    function(lua, Signature::new("", signature, false).1, body)
}

/// An iterator for the generic `for`: `next` gives nil at the end. `op` is what errors name.
///
/// # Errors
/// When Lua has no memory left.
pub fn iterator<R: IntoLuaMulti>(
    lua: &Lua,
    op: &'static str,
    next: impl FnMut(&Lua) -> Result<R, LibError> + 'static,
) -> mlua::Result<Function> {
    let next = RefCell::new(next);
    let signature = Signature { op: op.into(), arguments: "", method: false };
    function(lua, signature, move |lua, (): ()| match next.try_borrow_mut() {
        Ok(mut next) => next(lua),
        Err(_) => Err(LibError::new("busy", "the iterator was called by itself")),
    })
}

/// The same, with a `next` that waits.
///
/// # Errors
/// When Lua has no memory left.
pub fn waiting_iterator<R, F>(
    lua: &Lua,
    op: &'static str,
    next: impl Fn(&Lua) -> F + 'static,
) -> mlua::Result<Function>
where
    R: IntoLuaMulti + 'static,
    F: Future<Output = Result<R, LibError>> + 'static,
{
    waiting(lua, Signature { op: op.into(), arguments: "", method: false }, move |lua, (): ()| next(lua))
}

/// Lua's own `pcall`, whatever the script has made of the global.
pub(in crate::lua) fn plain_pcall(lua: &Lua) -> mlua::Result<Function> {
    Ok(Shim::of(lua)?.pcall)
}

/// Calls a function of the script. What it raises is passed on as the same object.
///
/// # Errors
/// What the function raised.
pub fn call<R: FromLuaMulti>(lua: &Lua, f: &Function, arguments: impl IntoLuaMulti) -> Result<R, LibError> {
    let mut values = arguments.into_lua_multi(lua)?;
    values.push_front(Value::Function(f.clone()));
    let mut results: MultiValue = Shim::of(lua)?.pcall.call(values)?;
    match results.pop_front() {
        Some(Value::Boolean(true)) => Ok(R::from_lua_multi(results, lua)?),
        _ => Err(LibError::raised(results.pop_front().unwrap_or(Value::Nil))),
    }
}

/// `wrong(op, message)` for library code that is Lua: raises `invalid`, as a wrong argument of a Rust function does.
///
/// # Errors
/// When Lua has no memory left.
pub(in crate::lua) fn complainer(lua: &Lua) -> mlua::Result<Function> {
    global_function(lua, "wrong(op, message)", |_, (op, message): (String, String)| -> Result<(), LibError> {
        Err(LibError::invalid(message).op(op))
    })
}
