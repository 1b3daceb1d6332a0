//! The commands that scripts have started and have not waited for: they end with the attempt.
//!
//! A command that a call waits for belongs to that call alone, and ends with it. With many attempts on a thread, what
//! belongs to one is put away while another runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::os::command::Child;

/// Ended commands whose group is still watched; beyond, the oldest is done away with.
const MOST_ENDED: usize = 64;

struct One {
    child: Rc<Child>,
    /// It has ended itself; what it left behind may go on until the attempt ends.
    ended: bool,
    /// Not started by an attempt: it lives as long as the thread.
    kept: bool,
}

impl Drop for One {
    fn drop(&mut self) {
        // scripts may hold the object still
        let _ = self.child.end();
    }
}

thread_local! {
    static OPEN: RefCell<Vec<One>> = const { RefCell::new(Vec::new()) };
    /// Whether there is anything that ends with the attempt.
    static ANY: Cell<bool> = const { Cell::new(false) };
    /// As many make it worth a look which of them are reaped.
    static LOOK_AT: Cell<usize> = const { Cell::new(MOST_ENDED) };
}

/// From now on it belongs to the attempt that runs.
pub fn add(child: Rc<Child>) {
    push(One { child, ended: false, kept: false });
}

/// The same for one that has ended, whose group may still hold others.
pub fn add_ended(child: Rc<Child>) {
    push(One { child, ended: true, kept: false });
}

/// It has ended; what it left behind goes on until the attempt ends.
pub fn set_ended(child: &Rc<Child>) {
    let over = OPEN.with_borrow_mut(|open| {
        open.iter_mut().filter(|one| Rc::ptr_eq(&one.child, child)).for_each(|one| one.ended = true);
        take_oldest_ended(open)
    });
    drop(over);
}

/// If there are more than are watched.
fn take_oldest_ended(open: &mut Vec<One>) -> Option<One> {
    let ended = open.iter().filter(|one| one.ended).count();
    let oldest = open.iter().position(|one| one.ended).filter(|_| ended > MOST_ENDED);
    oldest.map(|at| open.remove(at))
}

fn push(one: One) {
    let mut over = OPEN.with_borrow_mut(|open| {
        open.push(one);
        let mut over = Vec::new();
        if open.len() >= LOOK_AT.get() {
            over.extend(open.extract_if(.., |one| one.child.is_reaped()));
            LOOK_AT.set(open.len() * 2 + MOST_ENDED);
        }
        if open.last().is_some_and(|one| one.ended) {
            over.extend(take_oldest_ended(open));
        }
        over
    });
    ANY.set(true);
    over.clear();
}

/// The attempt has ended, and with it all that it started.
#[inline]
pub fn end_all() {
    drop(take_started());
}

/// Commands of an attempt, put away while another one runs. Dropped, they end.
pub struct Started(Vec<One>);

/// Puts the commands of the attempt away, if there are any.
#[inline]
pub fn take_started() -> Option<Started> {
    ANY.replace(false)
        .then(|| Started(OPEN.with_borrow_mut(|open| open.extract_if(.., |one| !one.kept).collect())))
}

/// Gives them back.
pub fn give_started(mut started: Started) {
    OPEN.with_borrow_mut(|open| open.append(&mut started.0));
    ANY.set(true);
}

/// What runs now was not started by an attempt, and stays.
pub fn keep_all() {
    OPEN.with_borrow_mut(|open| open.iter_mut().for_each(|one| one.kept = true));
    ANY.set(false);
}
