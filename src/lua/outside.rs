//! Memory that Lua values hold outside of Lua, as parsed documents do: it counts for the state's share, and garbage is
//! collected before it piles up. Lua itself sees a few bytes of each.

use std::cell::Cell;
use std::rc::Rc;

use mlua::Lua;

use super::error::LibError;

/// No collection for less than this.
const LITTLE: usize = 16 << 20;

struct Outside {
    /// What the state may use, its own memory included.
    share: Cell<usize>,
    held: Cell<usize>,
    /// A collection at the next charge that brings `held` here: twice what the last one left.
    collect_at: Cell<usize>,
}

impl Default for Outside {
    fn default() -> Self {
        Self { share: Cell::new(usize::MAX), held: Cell::new(0), collect_at: Cell::new(LITTLE) }
    }
}

fn of(lua: &Lua) -> Rc<Outside> {
    if let Some(found) = lua.app_data_ref::<Rc<Outside>>() {
        return Rc::clone(&found);
    }
    let made = Rc::<Outside>::default();
    lua.set_app_data(Rc::clone(&made));
    made
}

/// The state's memory and what its values hold outside may not be more than `share` bytes together.
pub(super) fn limit(lua: &Lua, share: usize) {
    of(lua).share.set(share);
}

/// Bytes that are counted until it is dropped.
pub struct Charge {
    of: Rc<Outside>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.of.held.set(self.of.held.get().saturating_sub(self.bytes));
    }
}

/// Bytes that the state may still take, garbage not counted when there is little left.
///
/// # Errors
/// When a finalizer failed.
pub fn room(lua: &Lua, wanted: usize) -> Result<usize, LibError> {
    let of = of(lua);
    let left = || of.share.get().saturating_sub(of.held.get()).saturating_sub(lua.used_memory());
    if left() < wanted {
        collect(lua, &of)?;
    }
    Ok(left())
}

/// Counts `bytes` for the state.
///
/// # Errors
/// `memory` when the share does not hold them even without garbage.
pub fn charge(lua: &Lua, bytes: usize) -> Result<Charge, LibError> {
    if room(lua, bytes)? < bytes {
        return Err(LibError::new("memory", "not enough memory"));
    }
    let of = of(lua);
    of.held.set(of.held.get() + bytes);
    let charge = Charge { of: Rc::clone(&of), bytes };
    if of.held.get() >= of.collect_at.get() {
        collect(lua, &of)?;
    }
    Ok(charge)
}

/// A text in the making, outside of Lua until it is whole: asks at each doubling whether the state may have it.
pub struct Growth {
    ask_at: usize,
}

impl Default for Growth {
    fn default() -> Self {
        Self { ask_at: 1 << 20 }
    }
}

impl Growth {
    /// It has so many bytes now.
    ///
    /// # Errors
    /// `memory` when the share does not hold them twice, as it must when Lua makes its copy.
    pub fn reached(&mut self, lua: &Lua, bytes: usize) -> Result<(), LibError> {
        if bytes < self.ask_at {
            return Ok(());
        }
        self.ask_at = bytes.saturating_mul(2);
        let wanted = bytes.saturating_mul(2);
        if room(lua, wanted)? < wanted {
            return Err(LibError::new("memory", "not enough memory"));
        }
        Ok(())
    }
}

fn collect(lua: &Lua, of: &Outside) -> Result<(), LibError> {
    lua.gc_collect()?;
    of.collect_at.set((of.held.get() * 2).max(LITTLE));
    Ok(())
}

/// Bytes held outside now.
#[cfg(test)]
pub fn held(lua: &Lua) -> usize {
    of(lua).held.get()
}
