//! How a module of the library is made: a strict, read-only table of functions that raise structured errors.

mod function;

use mlua::{AnyUserData, FromLuaMulti, Function, IntoLua, IntoLuaMulti, Lua, Table, UserDataRegistry, Value};

#[cfg(test)]
use super::declared;
use super::error::LibError;
use function::{Body, Signature, WaitingBody, bind, bind_waiting, function, untyped, untyped_waiting};
pub(super) use function::{Shim, complainer, plain_pcall, waiting_function};
pub use function::{call, global_function, iterator, waiting_iterator};

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
