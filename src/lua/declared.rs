//! In tests: what the functions of the library were made from, and what options they know. The types of the library are
//! held against it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;

use mlua::{Function, Lua, Table};

thread_local! {
    static OPTIONS: RefCell<Option<Vec<&'static str>>> = const { RefCell::new(None) };
}

/// What is known of a function of Rust.
#[derive(Clone, Debug)]
pub struct Declared {
    /// `url, options`
    pub arguments: &'static str,
    pub waits: bool,
}

/// Of one state.
#[derive(Default)]
struct All {
    functions: HashMap<*const c_void, Declared>,
    /// Names of kinds of objects, with the tables of their methods.
    methods: Vec<(String, Table)>,
}

fn with<R>(lua: &Lua, body: impl FnOnce(&mut All) -> R) -> R {
    if lua.app_data_ref::<All>().is_none() {
        lua.set_app_data(All::default());
    }
    body(&mut lua.app_data_mut::<All>().expect("it was just made"))
}

/// A function was made.
pub(super) fn tell_function(lua: &Lua, function: &Function, arguments: &'static str, waits: bool) {
    with(lua, |all| all.functions.insert(function.to_pointer(), Declared { arguments, waits }));
}

/// A kind of object was made.
pub(super) fn tell_methods(lua: &Lua, name: &str, fields: &Table) {
    with(lua, |all| all.methods.push((name.to_owned(), fields.clone())));
}

/// A call was refused for an option that is none of these.
pub(super) fn tell_options(known: &[&'static str]) {
    OPTIONS.with(|options| options.replace(Some(known.to_vec())));
}

/// What is known of a function, unless it is one of Lua.
pub fn function(lua: &Lua, function: &Function) -> Option<Declared> {
    with(lua, |all| all.functions.get(&function.to_pointer()).cloned())
}

/// The kinds of objects.
pub fn methods(lua: &Lua) -> Vec<(String, Table)> {
    with(lua, |all| all.methods.clone())
}

/// The options of the last call that was refused for one that it does not know.
pub fn take_options() -> Option<Vec<&'static str>> {
    OPTIONS.with(RefCell::take)
}
