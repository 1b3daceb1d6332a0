//! Coroutines that a task spawns. They belong to its family, and end with it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Value};
use tokio::sync::Notify;

use super::fiber::{self, Body, Fiber, Phase};
use super::{Family, Scheduler};
use crate::lua::error::describe;
use crate::lua::random;
use crate::lua::std::runtime;

/// A spawned coroutine, as the one that spawned it knows it.
#[derive(Default)]
pub struct Child {
    /// Its number while it lives.
    index: Cell<Option<usize>>,
    family: Cell<Family>,
    how: RefCell<How>,
    ended: Notify,
    cancelled: Cell<bool>,
    /// Somebody takes care of what it raises.
    is_awaited: Cell<bool>,
    then: RefCell<Option<Then>>,
}

/// What happens when a child has ended.
pub type Then = Box<dyn FnOnce(&Child)>;

#[derive(Default)]
enum How {
    #[default]
    Running,
    Returned(MultiValue),
    Raised(Value),
    /// Killed, or out of memory.
    Lost(String),
}

impl Child {
    /// `running`, `done`, `failed` or `cancelled`.
    pub fn status(&self) -> &'static str {
        match &*self.how.borrow() {
            How::Running => "running",
            How::Returned(_) => "done",
            How::Raised(_) | How::Lost(_) if self.cancelled.get() => "cancelled",
            How::Raised(_) | How::Lost(_) => "failed",
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        !matches!(&*self.how.borrow(), How::Running)
    }

    /// Whether it has ended without results, and nobody cancelled it.
    pub fn has_failed(&self) -> bool {
        !self.cancelled.get() && matches!(&*self.how.borrow(), How::Raised(_) | How::Lost(_))
    }

    /// What it raises is somebody's business.
    pub fn set_awaited(&self) {
        self.is_awaited.set(true);
    }

    /// Until it has ended.
    pub async fn until_over(&self) {
        loop {
            let told = self.ended.notified();
            if self.is_over() {
                return;
            }
            told.await;
        }
    }

    /// Its results, or what it raised.
    ///
    /// # Errors
    /// What it raised.
    pub fn outcome(&self) -> Result<MultiValue, crate::lua::error::LibError> {
        use crate::lua::error::LibError;
        match &*self.how.borrow() {
            How::Running => Err(LibError::new("busy", "it has not ended")),
            How::Returned(values) => Ok(values.clone()),
            How::Raised(error) => Err(LibError::raised(error.clone())),
            How::Lost(_) if self.cancelled.get() => Err(runtime::cancelled()),
            How::Lost(why) => Err(LibError::new("memory", why.clone())),
        }
    }
}

impl Scheduler {
    /// A coroutine of the family that runs; it begins when its parent waits.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub(crate) fn spawn(
        &self,
        lua: &Lua,
        pcall: &Function,
        function: &Function,
        arguments: MultiValue,
        then: Option<Then>,
    ) -> mlua::Result<Rc<Child>> {
        let (thread, count) = fiber::with_function(lua, pcall, function, arguments)?;
        let family = self.current_family();
        let child =
            Rc::new(Child { family: Cell::new(family), then: RefCell::new(then), ..Child::default() });
        let words = match self.random.borrow_mut().as_mut() {
            Some(random) => {
                let (words, own) = random::of_child(random.words());
                random.exchange(own);
                words
            }
            None => [0; 4],
        };
        let index = self.add(Fiber::new(thread, family, Body::Child(Rc::clone(&child)), count, words));
        child.index.set(Some(index));
        self.children.borrow_mut().entry(family).or_default().push(Rc::clone(&child));
        self.ready.borrow_mut().push_back(index);
        if self.is_cancelled() {
            self.cancel(&child);
        }
        Ok(child)
    }

    /// Its waits raise from now on.
    pub(crate) fn cancel(&self, child: &Rc<Child>) {
        let Some(index) = child.index.get() else { return };
        child.cancelled.set(true);
        let has_begun = {
            let mut fibers = self.fibers.borrow_mut();
            let Some(one) = fibers.get_mut(index).and_then(Option::as_mut) else { return };
            one.cancelled = true;
            one.phase != Phase::Ready || one.count == 0
        };
        if has_begun {
            self.end_wait(index);
        } else {
            // it has not begun, and has nothing to close
            drop(self.remove(index));
            self.over(child, How::Lost("cancelled".into()));
        }
    }

    pub(super) fn child_ended(&self, child: &Rc<Child>, results: mlua::Result<MultiValue>) {
        let how = match results {
            Ok(mut values) => match values.pop_front() {
                Some(Value::Boolean(true)) => How::Returned(values),
                _ => How::Raised(values.pop_front().unwrap_or(Value::Nil)),
            },
            Err(error) => How::Lost(error.to_string()),
        };
        self.over(child, how);
    }

    fn over(&self, child: &Rc<Child>, how: How) {
        child.index.set(None);
        child.how.replace(how);
        let family = child.family.get();
        let mut children = self.children.borrow_mut();
        if let Some(those) = children.get_mut(&family) {
            those.retain(|one| !Rc::ptr_eq(one, child));
            if those.is_empty() {
                children.remove(&family);
            }
        }
        drop(children);
        if child.has_failed() {
            self.failed.borrow_mut().entry(family).or_default().push(Rc::clone(child));
        }
        if let Some(then) = child.then.take() {
            then(child);
        }
        child.ended.notify_waiters();
    }

    /// Whether the child is the coroutine that runs.
    pub(crate) fn runs(&self, child: &Child) -> bool {
        self.running.get().is_some() && self.running.get() == child.index.get()
    }

    /// Whether the family has coroutines besides its head, or had one that failed.
    #[inline]
    pub fn has_children(&self, family: Family) -> bool {
        let children = self.children.borrow();
        !children.is_empty() && children.contains_key(&family)
    }

    /// Whether the family has something to be ended or told.
    #[inline]
    pub fn has_left(&self, family: Family) -> bool {
        self.has_children(family) || {
            let failed = self.failed.borrow();
            !failed.is_empty() && failed.contains_key(&family)
        }
    }

    /// Cancels the children of a family.
    pub fn cancel_children(&self, family: Family) {
        let those = self.children.borrow().get(&family).cloned().unwrap_or_default();
        those.iter().for_each(|child| self.cancel(child));
    }

    /// Until a family has no children any more.
    pub(crate) async fn until_alone(&self, family: Family) {
        loop {
            let child = self.children.borrow().get(&family).and_then(|those| those.first().cloned());
            let Some(child) = child else { return };
            child.until_over().await;
        }
    }

    /// Ends the children of a family where they are.
    pub fn kill_children(&self, family: Family) {
        let those = self.children.borrow().get(&family).cloned().unwrap_or_default();
        for child in those {
            child.cancelled.set(true);
            if let Some(mut one) = child.index.get().and_then(|index| self.remove(index)) {
                runtime::drop_within(one.wait.take());
                if one.phase != Phase::Runs {
                    fiber::end(one.base());
                }
            }
            self.over(&child, How::Lost("cancelled".into()));
        }
    }

    /// What children raised for which nobody waited.
    pub fn take_unheard(&self, family: Family) -> Vec<String> {
        let failed = self.failed.borrow_mut().remove(&family).unwrap_or_default();
        let unheard = failed.iter().filter(|child| !child.is_awaited.get());
        unheard
            .map(|child| match &*child.how.borrow() {
                How::Raised(error) => describe(error).message,
                How::Lost(why) => why.clone(),
                How::Running | How::Returned(_) => String::new(),
            })
            .collect()
    }
}
