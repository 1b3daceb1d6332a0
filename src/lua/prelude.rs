//! What every state changes of stock Lua: captured output, text chunks only.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{Function, Lua, Table};

use super::std::log::{Level, Sink};

/// What was written and has no line's end yet.
pub type OpenLines = Rc<RefCell<Lines>>;

/// The variables of the job, which commands get too.
pub struct JobEnv(pub Arc<[(String, String)]>);

/// Runs the prelude for a role of a job. Its functions for the roles are in the returned table.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(lua: &Lua, env: &[(String, String)], log: Sink) -> mlua::Result<(Table, OpenLines)> {
    let lines = OpenLines::default();
    let warn = Rc::clone(&log);
    let warn = lua.create_function(move |_, text: String| {
        warn(Level::Warn, &text, Vec::new());
        Ok(())
    })?;
    let open = Rc::clone(&lines);
    let write = lua.create_function(move |_, (stream, text): (mlua::LuaString, mlua::LuaString)| {
        let is_error = stream.as_bytes().as_ref() == b"stderr";
        lines.borrow_mut().write(is_error, &text.as_bytes(), |line| {
            log(Level::Print, &String::from_utf8_lossy(line), Vec::new());
        });
        Ok(())
    })?;
    Ok((run(lua, env, Some((write, warn)), None)?, open))
}

/// The same for a script that somebody runs by hand: the standard streams are its own, and `exit` is its `os.exit`.
///
/// # Errors
/// When Lua has no memory left.
pub fn install_by_hand(lua: &Lua, exit: Function) -> mlua::Result<Table> {
    run(lua, &[], None, Some(exit))
}

fn run(
    lua: &Lua,
    env: &[(String, String)],
    said: Option<(Function, Function)>,
    exit: Option<Function>,
) -> mlua::Result<Table> {
    let (write, warn) = said.unzip();
    let env: Arc<[(String, String)]> = env.into();
    lua.set_app_data(JobEnv(Arc::clone(&env)));
    let getenv = lua.create_function(move |_, name: mlua::LuaString| {
        let found = env.iter().find(|(key, _)| key.as_bytes() == name.as_bytes().as_ref());
        Ok(found.map(|(_, value)| value.clone()))
    })?;
    lua.load(include_str!("prelude.lua")).set_name("=mpms").call((write, getenv, exit, warn))
}

/// Pieces of text made into lines, for each of the two streams.
#[derive(Default)]
pub struct Lines {
    open: [Vec<u8>; 2],
}

impl Lines {
    /// A line without an end is given out when it reaches this many bytes.
    const LONGEST: usize = 8 << 10;

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.open.iter().all(Vec::is_empty)
    }

    /// Gives out what there is, as lines.
    pub fn end(&mut self, mut line: impl FnMut(&[u8])) {
        for open in self.open.iter_mut().filter(|open| !open.is_empty()) {
            line(open);
            open.clear();
        }
    }

    fn write(&mut self, is_error: bool, text: &[u8], mut line: impl FnMut(&[u8])) {
        let open = &mut self.open[usize::from(is_error)];
        for mut piece in text.split_inclusive(|byte| *byte == b'\n') {
            while let Some((part, rest)) = piece.split_at_checked(Self::LONGEST - open.len()) {
                open.extend_from_slice(part);
                line(open.strip_suffix(b"\n").unwrap_or(open));
                open.clear();
                piece = if rest == b"\n" { &[] } else { rest };
            }
            open.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                open.pop();
                line(open);
                open.clear();
            }
        }
    }
}
