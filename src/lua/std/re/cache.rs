//! The compiled patterns of one state, the latest used ones.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use mlua::{Lua, LuaString};

use super::pattern::{Flags, Pattern};
use crate::lua::error::LibError;

/// Patterns that are kept.
pub(super) const MOST: usize = 512;
/// Bytes that they may count for together.
const MOST_BYTES: usize = 32 << 20;

#[derive(Default)]
pub(super) struct Cache {
    /// By flags, then by text: so that a look needs no key of its own.
    kept: HashMap<Flags, HashMap<Box<[u8]>, Kept>>,
    count: usize,
    bytes: usize,
    clock: u64,
}

struct Kept {
    pattern: Rc<Pattern>,
    used: u64,
}

/// The pattern, compiled when it is new.
pub(super) fn pattern(lua: &Lua, text: &LuaString, flags: Flags) -> Result<Rc<Pattern>, LibError> {
    let cache = of(lua);
    let text = text.as_bytes();
    if let Some(pattern) = cache.borrow_mut().find(&text, flags) {
        return Ok(pattern);
    }
    let compiled = match Pattern::compile(lua, &text, flags) {
        Err(error) if error.code() == "memory" => {
            cache.take();
            Pattern::compile(lua, &text, flags)
        }
        compiled => compiled,
    };
    let pattern = Rc::new(compiled?);
    cache.borrow_mut().keep(&text, flags, Rc::clone(&pattern));
    Ok(pattern)
}

fn of(lua: &Lua) -> Rc<RefCell<Cache>> {
    if let Some(found) = lua.app_data_ref::<Rc<RefCell<Cache>>>() {
        return Rc::clone(&found);
    }
    let made = Rc::<RefCell<Cache>>::default();
    lua.set_app_data(Rc::clone(&made));
    made
}

impl Cache {
    fn find(&mut self, text: &[u8], flags: Flags) -> Option<Rc<Pattern>> {
        let kept = self.kept.get_mut(&flags)?.get_mut(text)?;
        self.clock += 1;
        kept.used = self.clock;
        Some(Rc::clone(&kept.pattern))
    }

    fn keep(&mut self, text: &[u8], flags: Flags, pattern: Rc<Pattern>) {
        while self.count > 0 && (self.count >= MOST || self.bytes + pattern.size > MOST_BYTES) {
            self.drop_oldest();
        }
        self.clock += 1;
        self.count += 1;
        self.bytes += pattern.size;
        let kept = Kept { pattern, used: self.clock };
        self.kept.entry(flags).or_default().insert(text.into(), kept);
    }

    fn drop_oldest(&mut self) {
        let all = self
            .kept
            .iter()
            .flat_map(|(flags, kept)| kept.iter().map(move |(text, one)| (one.used, flags, text)));
        let Some((_, flags, text)) = all.min_by_key(|(used, ..)| *used) else {
            return;
        };
        let (flags, text) = (*flags, text.clone());
        if let Some(gone) = self.kept.get_mut(&flags).and_then(|kept| kept.remove(&text)) {
            self.count -= 1;
            self.bytes -= gone.pattern.size;
        }
    }
}

/// How many patterns the state keeps.
#[cfg(test)]
pub(super) fn count(lua: &Lua) -> usize {
    of(lua).borrow().count
}
