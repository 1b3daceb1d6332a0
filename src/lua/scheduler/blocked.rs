//! Calls that wait where no coroutine can yield: they hold up their thread.

use std::pin::pin;
use std::task::Poll;

use mlua::Lua;

use super::{DEEPEST, Family, Finish, Scheduler, Wait};
use crate::lua::coroutine;
use crate::lua::error::LibError;
use crate::lua::std::log::Level;
use crate::lua::std::{env, runtime};

/// Places that are told at most.
const MOST_PLACES: usize = 1_000;

/// Functions of C through which a coroutine can yield.
const TRANSPARENT: [&str; 4] = ["pcall", "xpcall", "dofile", "error"];

impl Scheduler {
    /// Waits on the thread. Other coroutines of the family, if any, go on meanwhile.
    ///
    /// # Errors
    /// When it is interrupted, or nested too deep.
    pub(super) fn block(&self, lua: &Lua, op: &str, wait: Wait) -> Result<Finish, LibError> {
        if self.has_families() && self.running.get().is_some() {
            self.tell(lua, op);
        }
        let family = self.current_family();
        if !self.has_children(family) {
            return runtime::block_on(wait);
        }
        if self.depth.get() < DEEPEST {
            self.depth.set(self.depth.get() + 1);
            let output = self.block_among(lua, family, wait);
            self.depth.set(self.depth.get() - 1);
            return output;
        }
        match op.starts_with("co.") {
            // it waits for coroutines, which would have to run inside of this call
            true => Err(LibError::new("busy", "too many calls that wait inside each other")),
            false => runtime::block_on(wait),
        }
    }

    fn block_among(&self, lua: &Lua, family: Family, mut wait: Wait) -> Result<Finish, LibError> {
        let interrupt = runtime::interrupt();
        loop {
            let over = runtime::block_on_turn(async {
                let mut woken = pin!(interrupt.woken());
                std::future::poll_fn(|cx| {
                    if interrupt.is_raised() {
                        return Poll::Ready(Some(Err(runtime::cancelled())));
                    }
                    if let Poll::Ready(output) = wait.as_mut().poll(cx) {
                        return Poll::Ready(Some(Ok(output)));
                    }
                    self.poll_woken(cx);
                    if self.has_ready_of(family) {
                        return Poll::Ready(None);
                    }
                    while woken.as_mut().poll(cx).is_ready() {
                        if interrupt.is_raised() {
                            return Poll::Ready(Some(Err(runtime::cancelled())));
                        }
                        woken.set(interrupt.woken());
                    }
                    Poll::Pending
                })
                .await
            })?;
            if let Some(output) = over {
                return output;
            }
            if let Some(index) = self.next_ready(Some(family)) {
                self.step(lua, index);
            }
        }
    }

    fn has_ready_of(&self, family: Family) -> bool {
        let (ready, fibers) = (self.ready.borrow(), self.fibers.borrow());
        let of = |index: &usize| {
            fibers.get(*index).and_then(Option::as_ref).is_some_and(|one| one.family == family)
        };
        ready.iter().any(of)
    }

    /// Says so, once for each place.
    fn tell(&self, lua: &Lua, op: &str) {
        let Ok(text) = lua.traceback(None, 0) else { return };
        let text = text.to_string_lossy();
        let place = place(&text).unwrap_or_default();
        let mut told = self.told.borrow_mut();
        if told.len() >= MOST_PLACES || !told.insert(format!("{op} {place}")) {
            return;
        }
        drop(told);
        let inside = match around(&text) {
            _ if self.loading.get() > 0 => "while a file was loaded".to_owned(),
            Some((function, place)) => format!("called inside {function} at {place}"),
            None if coroutine::has_base() => format!("called at {place}, where it cannot yield"),
            None => format!("called at {place}"),
        };
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("a thread");
        if let Ok(env) = env(lua) {
            (env.log.here)(Level::Warn, &format!("{op} blocked {thread} ({inside})"), Vec::new());
        }
    }
}

/// `file:line` of the innermost line of a traceback that is the script's.
fn place(traceback: &str) -> Option<String> {
    traceback.lines().find_map(place_of)
}

fn place_of(line: &str) -> Option<String> {
    let (place, _) = line.trim().split_once(": in ")?;
    (!place.starts_with("[C]") && !place.starts_with("mpms:")).then(|| place.to_owned())
}

/// The function of C inside of which the script was called, and where that was.
fn around(traceback: &str) -> Option<(String, String)> {
    let mut lines = traceback.lines().skip_while(|line| place_of(line).is_none());
    while let Some(line) = lines.next() {
        let Some(name) = line.trim().strip_prefix("[C]: in ") else { continue };
        let name = name.split('\'').nth(1).unwrap_or("a function of C");
        if !TRANSPARENT.contains(&name) {
            return lines.find_map(place_of).map(|place| (name.to_owned(), place));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{around, place};

    #[test]
    fn the_function_that_cannot_be_left_is_found() {
        let text = "stack traceback:\n\t[C]: in ?\n\tmpms:9: in function 'sleep'\n\tcrawl.lua:4: in function <crawl.lua:3>\n\
                    \t[C]: in function 'pcall'\n\tcrawl.lua:3: in function <crawl.lua:2>\n\
                    \t[C]: in function 'string.gsub'\n\tcrawl.lua:18: in function <crawl.lua:1>";
        assert_eq!(place(text).as_deref(), Some("crawl.lua:4"));
        assert_eq!(around(text), Some(("string.gsub".into(), "crawl.lua:18".into())));
    }
}
