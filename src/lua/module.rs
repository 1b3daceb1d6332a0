//! How a module of the library is made: a strict, read-only table of functions that raise structured errors.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::FutureExt as _;
use mlua::{
    AnyUserData, FromLuaMulti, Function, IntoLua, IntoLuaMulti, Lua, MultiValue, Table, UserDataRegistry,
    Value,
};

use super::border::{self, Call};
#[cfg(test)]
use super::declared;
use super::error::{LibError, expectation};
use super::scheduler::{Begun, Finish, Scheduler, Wait};

/// The Lua side of the library in one state: see `shim.lua`.
#[derive(Clone)]
pub(super) struct Shim {
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
type Body = Box<dyn Fn(&Lua, Call, &Signature) -> mlua::Result<()>>;

/// The same of a function that waits.
type WaitingBody = Box<dyn Fn(&Lua, Call, &Rc<Signature>) -> Result<Wait, LibError>>;

/// `get(url, options)`: a function's name and the names of its arguments, for errors.
#[derive(Clone)]
struct Signature {
    /// With the module, as errors show it: `http.get`.
    op: String,
    arguments: &'static str,
    /// A method's object is not counted.
    method: bool,
}

impl Signature {
    fn new(module: &str, signature: &'static str, method: bool) -> (&'static str, Self) {
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

fn function<A, R>(
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

fn untyped<A, R>(body: impl Fn(&Lua, A) -> Result<R, LibError> + 'static) -> Body
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

fn bind(lua: &Lua, signature: Signature, body: Body) -> mlua::Result<Function> {
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
pub(super) fn waiting_function<A, R, F>(
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

fn untyped_waiting<A, R, F>(body: impl Fn(&Lua, A) -> F + 'static) -> WaitingBody
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

fn bind_waiting(lua: &Lua, signature: Signature, body: WaitingBody) -> mlua::Result<Function> {
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
pub(super) fn plain_pcall(lua: &Lua) -> mlua::Result<Function> {
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
pub(super) fn complainer(lua: &Lua) -> mlua::Result<Function> {
    global_function(lua, "wrong(op, message)", |_, (op, message): (String, String)| -> Result<(), LibError> {
        Err(LibError::invalid(message).op(op))
    })
}

/// Builds a module's table. The first error of a step is given by [`Module::build`].
pub struct Module<'lua> {
    lua: &'lua Lua,
    name: &'static str,
    fields: mlua::Result<Table>,
}

impl<'lua> Module<'lua> {
    /// `name` is what `require` takes: `mpms.http`.
    pub fn new(lua: &'lua Lua, name: &'static str) -> Self {
        Self { lua, name, fields: lua.create_table() }
    }

    /// A function that returns at once. `signature` names it and its arguments: `get(url, options)`.
    pub fn function<A, R>(
        self,
        signature: &'static str,
        body: impl Fn(&Lua, A) -> Result<R, LibError> + 'static,
    ) -> Self
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.bind(signature, untyped(body))
    }

    fn bind(mut self, signature: &'static str, body: Body) -> Self {
        let (name, signature) = Signature::new(self.name, signature, false);
        set(&mut self.fields, name, bind(self.lua, signature, body));
        self
    }

    /// A function that waits: it yields where it can, and blocks where it cannot.
    pub fn waiting<A, R, F>(self, signature: &'static str, body: impl Fn(&Lua, A) -> F + 'static) -> Self
    where
        A: FromLuaMulti,
        R: IntoLuaMulti + 'static,
        F: Future<Output = Result<R, LibError>> + 'static,
    {
        self.bind_waiting(signature, untyped_waiting(body))
    }

    fn bind_waiting(mut self, signature: &'static str, body: WaitingBody) -> Self {
        let (name, signature) = Signature::new(self.name, signature, false);
        set(&mut self.fields, name, bind_waiting(self.lua, signature, body));
        self
    }

    /// A constant.
    pub fn value(mut self, name: &str, value: impl IntoLua) -> Self {
        set(&mut self.fields, name, value.into_lua(self.lua));
        self
    }

    /// The table that `require` gives.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn build(self) -> mlua::Result<Table> {
        let fields = self.fields?;
        #[cfg(test)]
        if let Some(part) = self.name.strip_prefix("mpms.").filter(|name| name.contains('.')) {
            declared::tell_methods(self.lua, part, &fields);
        }
        strict(self.lua, self.name, &fields, &[])
    }
}

/// The first error stays.
fn set(fields: &mut mlua::Result<Table>, name: &str, value: mlua::Result<impl IntoLua>) {
    let Ok(table) = fields else { return };
    if let Err(error) = value.and_then(|value| table.raw_set(name, value)) {
        *fields = Err(error);
    }
}

/// Makes the table of a module.
pub(super) type Make = fn(&Lua) -> mlua::Result<Table>;

/// An empty table in front of `fields`: unknown names and assignments raise. Names in `lazy` are known, but made by
/// `__index` of the fields if they have one.
pub(super) fn strict(
    lua: &Lua,
    name: &'static str,
    fields: &Table,
    lazy: &'static [(&'static str, Make)],
) -> mlua::Result<Table> {
    let known = fields.clone();
    let unknown = Signature { op: name.into(), arguments: "", method: false };
    let meta = lua.create_table()?;
    meta.raw_set(
        "__index",
        function(lua, unknown, move |lua, (_, key): (Value, Value)| {
            let word = shown(&key);
            if let Some((found, make)) = lazy.iter().find(|(one, _)| *one == word) {
                let made = make(lua)?;
                known.raw_set(*found, &made)?;
                return Ok(made);
            }
            let mut names: Vec<String> = lazy.iter().map(|(one, _)| (*one).to_owned()).collect();
            known.for_each(|key: Value, _: Value| {
                names.push(shown(&key));
                Ok(())
            })?;
            let kind = if lazy.is_empty() { "function" } else { "module" };
            Err(LibError::invalid(format!("`{name}` has no {kind} `{word}`{}", did_you_mean(&word, &names))))
        })?,
    )?;
    fields.set_metatable(Some(meta))?;

    let refused = Signature { op: name.into(), arguments: "", method: false };
    let front = lua.create_table()?;
    let meta = lua.create_table()?;
    meta.raw_set("__index", fields)?;
    meta.raw_set(
        "__newindex",
        function(lua, refused, move |_, (_, key): (Value, Value)| -> Result<(), LibError> {
            Err(LibError::invalid(format!("`{name}` is read-only: cannot set `{}`", shown(&key))))
        })?,
    )?;
    let listed = fields.clone();
    meta.raw_set(
        "__pairs",
        lua.create_function(move |lua, _: Value| {
            Ok((lua.globals().raw_get::<Value>("next")?, listed.clone(), Value::Nil))
        })?,
    )?;
    meta.raw_set("__name", name)?;
    meta.raw_set("__metatable", shield(lua, name)?)?;
    front.set_metatable(Some(meta))?;
    Ok(front)
}

/// What `getmetatable` gives of something whose metatable nobody may have: a table, as generic code expects, that changes
/// nothing. Its own `__metatable` tells it from a real one.
fn shield(lua: &Lua, name: &str) -> mlua::Result<Table> {
    let shield = lua.create_table()?;
    shield.raw_set("__metatable", name)?;
    Ok(shield)
}

/// Builds the methods of an object, strict as a module.
pub struct Methods<'lua> {
    lua: &'lua Lua,
    name: &'static str,
    fields: mlua::Result<Table>,
}

impl<'lua> Methods<'lua> {
    /// `name` is what `__name` and the errors say: `fs.Lock`.
    pub fn new(lua: &'lua Lua, name: &'static str) -> Self {
        Self { lua, name, fields: lua.create_table() }
    }

    /// A method; its first argument is the object.
    pub fn method<A, R>(
        self,
        signature: &'static str,
        body: impl Fn(&Lua, A) -> Result<R, LibError> + 'static,
    ) -> Self
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.bind(signature, untyped(body))
    }

    fn bind(mut self, signature: &'static str, body: Body) -> Self {
        let (name, signature) = Signature::new(self.name, signature, true);
        set(&mut self.fields, name, bind(self.lua, signature, body));
        self
    }

    /// A method that waits.
    pub fn waiting<A, R, F>(self, signature: &'static str, body: impl Fn(&Lua, A) -> F + 'static) -> Self
    where
        A: FromLuaMulti,
        R: IntoLuaMulti + 'static,
        F: Future<Output = Result<R, LibError>> + 'static,
    {
        self.bind_waiting(signature, untyped_waiting(body))
    }

    fn bind_waiting(mut self, signature: &'static str, body: WaitingBody) -> Self {
        let (name, signature) = Signature::new(self.name, signature, true);
        set(&mut self.fields, name, bind_waiting(self.lua, signature, body));
        self
    }

    /// A function that is made already.
    pub fn value(mut self, name: &str, value: impl IntoLua) -> Self {
        set(&mut self.fields, name, value.into_lua(self.lua));
        self
    }

    /// The metatable for objects that are tables: methods, strictness, the name.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn metatable(self) -> mlua::Result<Table> {
        let (lua, name) = (self.lua, self.name);
        let meta = lua.create_table()?;
        meta.raw_set("__index", self.strict_fields()?)?;
        meta.raw_set("__name", name)?;
        Ok(meta)
    }

    /// Gives the methods to the userdata of `T`. A method `close` or `release` is also what leaves scope with
    /// `local x <close>`.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn userdata<T: 'static>(self) -> mlua::Result<()> {
        self.userdata_and::<T>(|_| {})
    }

    /// The same, with fields that `more` adds.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn userdata_and<T: 'static>(
        self,
        more: impl FnOnce(&mut UserDataRegistry<T>) + 'static,
    ) -> mlua::Result<()> {
        let (lua, name) = (self.lua, self.name);
        let fields = self.strict_fields()?;
        let closing: Option<Function> = match fields.raw_get("close")? {
            Some(close) => Some(close),
            None => fields.raw_get("release")?,
        };
        lua.register_userdata_type::<T>(move |registry| {
            use mlua::UserDataFields as _;
            registry.add_meta_field("__index", fields);
            registry.add_meta_field("__name", name);
            if let Some(close) = closing {
                registry.add_meta_field("__close", close);
            }
            more(registry);
        })
    }

    fn strict_fields(self) -> mlua::Result<Table> {
        let (lua, name, fields) = (self.lua, self.name, self.fields?);
        #[cfg(test)]
        declared::tell_methods(lua, name, &fields);
        let known = fields.clone();
        let meta = lua.create_table()?;
        let signature = Signature { op: name.into(), arguments: "", method: false };
        meta.raw_set(
            "__index",
            function(lua, signature, move |_, (_, key): (Value, Value)| -> Result<(), LibError> {
                let word = shown(&key);
                let mut names = Vec::new();
                known.for_each(|key: Value, _: Value| {
                    names.push(shown(&key));
                    Ok(())
                })?;
                Err(LibError::invalid(format!("no field or method `{word}`{}", did_you_mean(&word, &names))))
            })?,
        )?;
        fields.set_metatable(Some(meta))?;
        Ok(fields)
    }
}

/// A value of Rust as an object whose methods were registered by [`Methods::userdata`].
///
/// # Errors
/// When Lua has no memory left.
pub fn object<T: 'static>(lua: &Lua, value: T) -> mlua::Result<AnyUserData> {
    lua.create_any_userdata(value)
}

fn shown(key: &Value) -> String {
    match key {
        Value::String(text) => text.to_string_lossy(),
        other => other.to_string().unwrap_or_else(|_| other.type_name().to_owned()),
    }
}

/// `; did you mean `x`?` when a known word is near, else nothing.
pub(super) fn did_you_mean<S: AsRef<str>>(word: &str, known: &[S]) -> String {
    let far = word.chars().count() / 3 + 1;
    known
        .iter()
        .map(|one| (strsim::damerau_levenshtein(word, one.as_ref()), one.as_ref()))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map_or_else(String::new, |(_, one)| format!("; did you mean `{one}`?"))
}
