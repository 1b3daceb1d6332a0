//! What a task has lying about in its thread: temporary files, started commands, text without a line's end. With many
//! tasks at once, it is put away while another task runs.

use mlua::Lua;

use super::prelude::{Lines, OpenLines};
use super::started::{self, Started};
use super::std::fs::{Temporary, give_temporary, take_temporary};

/// The place where a state's tasks leave such things.
pub struct Belongings {
    lua: &'static Lua,
    lines: OpenLines,
}

/// What belongs to one task. Dropped, files are removed and commands end.
pub struct Away {
    temporary: Option<Temporary>,
    started: Option<Started>,
    lines: Option<Lines>,
}

impl Belongings {
    pub(super) fn new(lua: &'static Lua, lines: &OpenLines) -> Self {
        Belongings { lua, lines: OpenLines::clone(lines) }
    }

    /// Takes what lies about, if anything.
    #[inline]
    pub fn take(&self) -> Option<Away> {
        let (temporary, started) = (take_temporary(self.lua), started::take_started());
        let has_lines = !self.lines.borrow().is_empty();
        let lines = has_lines.then(|| self.lines.take());
        let any = temporary.is_some() || started.is_some() || lines.is_some();
        any.then_some(Away { temporary, started, lines })
    }

    /// Puts it back.
    pub fn give(&self, away: Away) {
        if let Some(temporary) = away.temporary {
            give_temporary(self.lua, temporary);
        }
        if let Some(started) = away.started {
            started::give_started(started);
        }
        if let Some(lines) = away.lines {
            self.lines.replace(lines);
        }
    }
}

impl Away {
    /// The task has ended, and with it all of this. Text without an end ends now.
    pub fn end(self, line: impl FnMut(&[u8])) {
        let Away { temporary, started, lines } = self;
        if let Some(mut lines) = lines {
            lines.end(line);
        }
        drop(started);
        drop(temporary);
    }
}
