//! The spec that a state runs: what `mpms.test` has to know, and what is undone after each test.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use mlua::Lua;

use super::mocks::Mocks;
use crate::lua::error::LibError;
use crate::lua::random::Random;
use crate::lua::std::clock;
use crate::lua::std::http::mock::Asked;
use crate::lua::std::http::robots;
use crate::lua::std::log::Sinks;
use crate::lua::std::reach::{self, Reach};

/// Of a state that runs a spec.
pub struct Context {
    /// The spec, absolute.
    pub file: PathBuf,
    /// The folder in which the tests were started.
    pub cwd: PathBuf,
    /// That of the project.
    pub root: PathBuf,
    /// For each test, and each call in it.
    pub limit_ns: u64,
    /// Snapshots are written.
    pub update: bool,
    /// Where lines go that a played script says.
    pub logs: Sinks,
    /// `math.random` of the spec.
    pub random: Cell<Random>,
    /// Of played scripts.
    pub seed: Cell<i64>,
    /// The stand-in for the network.
    pub mocks: RefCell<Rc<Mocks>>,
    /// What it was asked, in this test.
    pub requests: RefCell<Vec<(Asked, Option<u16>)>>,
    /// Requests that it answered, in all.
    pub answered: Cell<u64>,
    /// Snapshots that were written.
    pub written: Cell<u64>,
    /// Snapshots of this test.
    pub snapshots: RefCell<BTreeSet<String>>,
    /// Calls of `worker`, `handler` and `tasks` that have not ended; one in another folder is alone.
    pub playing: Cell<u32>,
    /// A role runs in another folder.
    pub elsewhere: Cell<bool>,
}

/// What a test may change, as it was.
pub struct World {
    mocks: Rc<Mocks>,
    reach: Reach,
    clock: Option<clock::Set>,
    seed: i64,
}

impl Context {
    /// That of the state.
    ///
    /// # Errors
    /// `invalid` where no spec runs.
    pub fn of(lua: &Lua) -> Result<Rc<Self>, LibError> {
        let found = lua.app_data_ref::<Rc<Self>>().map(|found| Rc::clone(&found));
        found.ok_or_else(|| {
            LibError::invalid("mpms.test is for specs: write it in a `*_spec.lua` and run `mpms test`")
        })
    }

    /// As it is now.
    pub fn world(&self) -> World {
        World {
            mocks: Rc::clone(&self.mocks.borrow()),
            reach: reach::get(),
            clock: clock::take(),
            seed: self.seed.get(),
        }
    }

    /// As it was then.
    pub fn give_back(&self, world: World) {
        self.mocks.replace(world.mocks);
        reach::set(world.reach);
        clock::give(world.clock);
        self.seed.set(world.seed);
        robots::forget();
        self.requests.take();
        self.snapshots.take();
    }

    /// A file that a spec names: beside the spec, in the folder where the tests were started, in that of the project.
    pub fn find(&self, name: &Path) -> PathBuf {
        let beside = self.file.parent().unwrap_or(&self.cwd);
        if name.is_absolute() {
            return name.to_path_buf();
        }
        if name.starts_with(".") || name.starts_with("..") {
            return beside.join(name);
        }
        let places = [beside, &self.cwd, &self.root];
        let found = places.iter().map(|place| place.join(name)).find(|file| file.is_file());
        found.unwrap_or_else(|| self.cwd.join(name))
    }

    /// As people write it.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.cwd).unwrap_or(path).to_string_lossy().into_owned()
    }
}
