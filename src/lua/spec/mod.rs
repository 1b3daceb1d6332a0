//! A spec: a Lua file with tests in the words of busted, loaded into a state of its own and run there, one test after
//! another. The process that it runs in is its own, too: it may end, and the others never notice.

mod output;
mod problem;
mod tree;
mod words;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{Function, Table};
use serde::{Deserialize, Serialize};

use super::call;
use super::error::LibError;
use super::frozen::Frozen;
use super::require::project_root;
use super::script;
use super::started::{self, Started, give_started, take_started};
use super::state::{Around, State};
use super::std::fs::{Temporary, give_temporary, take_temporary};
use super::std::http::mock;
use super::std::log::Sinks;
use super::std::reach::{self, Reach};
use super::std::test::{self, Context, context::World, mocks};
use super::watchdog;
use crate::model::job::{Job, Script};
use crate::model::lua_path::LuaPath;
use crate::model::{Failure, Value};
use crate::os::clock::monotonic_ns;
use output::Output;
pub use problem::Problem;
use problem::problem_of;
use tree::{Hooks, Tree};
pub use tree::{Place, Planned};

/// How a spec is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file, absolute.
    pub file: PathBuf,
    /// The folder in which the tests were started.
    pub cwd: PathBuf,
    /// For a test, and for each function around it.
    pub limit_ns: u64,
    /// Snapshots are written.
    pub update: bool,
    /// `--lua-path`: absolute.
    pub lua_path: Option<LuaPath>,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Status {
    /// Well.
    Passed,
    /// Not.
    Failed(Problem),
    /// It is still to be written, or said that it cannot run: why.
    Pending(String),
}

/// What happens while a spec runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A function of the spec is about to run, for the limit at most.
    Step,
    /// A test begins.
    Begun(usize),
    /// It has ended.
    Ended {
        /// Which one.
        index: usize,
        /// How.
        status: Status,
        /// With the functions around it.
        elapsed_ns: u64,
        /// What was printed and logged.
        output: Vec<String>,
    },
    /// A `teardown` failed.
    Trouble {
        /// Of which block.
        block: String,
        /// Why.
        problem: Problem,
        /// What was printed and logged.
        output: Vec<String>,
    },
}

/// What there is to say of all of them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Requests that were answered by mocks.
    pub mocked: u64,
    /// Snapshots that were written.
    pub written: u64,
}

/// A spec with its tests.
pub struct Spec {
    state: State,
    tree: Rc<Tree>,
    context: Rc<Context>,
    output: Output,
    functions: Table,
    limit_ns: u64,
    name: String,
    /// Blocks that were entered, outermost first.
    open: RefCell<Vec<Open>>,
    random: Cell<super::random::Random>,
}

/// A block that was entered.
struct Open {
    block: usize,
    world: Option<World>,
    spies: i64,
    globals: Option<Table>,
    temporary: Option<Temporary>,
    started: Option<Started>,
    broken: Option<Problem>,
}

impl Spec {
    /// Loads the file.
    ///
    /// # Errors
    /// When it cannot be read, is no Lua, or raised.
    pub fn load(settings: &Settings) -> Result<Self, Problem> {
        let name = settings.file.strip_prefix(&settings.cwd).unwrap_or(&settings.file);
        let name = name.to_string_lossy().into_owned();
        let text = std::fs::read(&settings.file).map_err(|error| Problem {
            message: format!("cannot be read: {}", LibError::from(error).message()),
            place: Some(name.clone()),
            code: "io".into(),
            traceback: Vec::new(),
        })?;
        let dir = settings.file.parent().unwrap_or(&settings.cwd).to_path_buf();
        let script = Script { name: name.clone(), dir, text: Arc::from(text) };
        let shown = |failure: Failure| problem_of(&name, &failure);
        let spec = Self::prepare(settings, &script).map_err(|error| shown(call::unavailable(error)))?;
        let loaded = watchdog::during(&spec.state.bridge, settings.limit_ns, || {
            script::load_text(&spec.state, &script)
                .and_then(|chunk| watchdog::checked(spec.state.bridge.call_for_effect(chunk, None, &[])))
        });
        spec.tree.close();
        loaded.map_err(|failure| {
            let mut problem = shown(failure);
            for line in spec.output.take() {
                problem.traceback.push(format!("printed: {line}"));
            }
            problem
        })?;
        Ok(spec)
    }

    fn prepare(settings: &Settings, script: &Script) -> mlua::Result<Self> {
        reach::set(Reach::Nobody);
        let output = Output::default();
        let logs: Sinks = output.sinks();
        let job = Job {
            name: "test".into(),
            description: String::new(),
            manifest: settings.file.clone(),
            dir: settings.cwd.clone(),
            seed: 0,
            params: Value::Map(Vec::new()),
            meta: Value::Map(Vec::new()),
            env: Vec::new(),
            lua_path: settings.lua_path.clone(),
        };
        let around = Around { logs: logs.clone(), frozen: Frozen::default() };
        let state = State::new(&job, script, "test", &around)?;
        state.bridge.limit_memory(MOST_MEMORY, "the spec uses more than 2 GiB of memory".into())?;
        let random = *state.random.borrow();
        let context = Rc::new(Context {
            file: settings.file.clone(),
            cwd: settings.cwd.clone(),
            root: project_root(&script.dir),
            limit_ns: settings.limit_ns,
            update: settings.update,
            logs,
            random: Cell::new(random),
            seed: Cell::new(0),
            mocks: RefCell::default(),
            requests: RefCell::default(),
            answered: Cell::default(),
            written: Cell::default(),
            snapshots: RefCell::default(),
            playing: Cell::default(),
            elsewhere: Cell::default(),
        });
        let lua = state.lua();
        lua.set_app_data(Rc::clone(&context));
        let here = Rc::clone(&context);
        mock::install(Some(Rc::new(move |asked| {
            let answer = mocks::answer(lua, &here, &asked);
            Box::pin(async move { answer })
        })));
        let tree = Rc::new(Tree::default());
        let functions = words::install(lua, &tree)?;
        test::set_show(lua, &functions)?;
        Ok(Spec {
            state,
            tree,
            context,
            output,
            functions,
            limit_ns: settings.limit_ns,
            name: script.name.clone(),
            open: RefCell::default(),
            random: Cell::new(random),
        })
    }

    /// Its tests, in their order.
    pub fn plan(&self) -> Vec<Planned> {
        self.tree.plan()
    }

    /// What happened in all tests so far.
    pub fn totals(&self) -> Totals {
        Totals { mocked: self.context.answered.get(), written: self.context.written.get() }
    }

    /// Runs these tests, which are in order.
    pub fn run(&self, indices: &[usize], tell: &mut dyn FnMut(Event)) {
        for index in indices {
            tell(Event::Begun(*index));
            let started_ns = monotonic_ns();
            let path = self.tree.path_of(*index);
            self.leave_all_but(&path, tell);
            self.output.take();
            let status =
                self.enter(&path, tell).map_or_else(Status::Failed, |()| self.one(*index, &path, tell));
            let elapsed_ns = monotonic_ns().saturating_sub(started_ns);
            tell(Event::Ended { index: *index, status, elapsed_ns, output: self.output.take() });
        }
        self.leave_all_but(&[], tell);
    }

    /// Ends blocks that are not on the path.
    fn leave_all_but(&self, path: &[usize], tell: &mut dyn FnMut(Event)) {
        loop {
            let left = {
                let mut open = self.open.borrow_mut();
                let stays = open.last().is_none_or(|last| path.get(open.len() - 1) == Some(&last.block));
                if stays { None } else { open.pop() }
            };
            let Some(mut left) = left else { return };
            self.output.take();
            if let Some(temporary) = left.temporary.take() {
                give_temporary(self.state.lua(), temporary);
            }
            if let Some(started) = left.started.take() {
                give_started(started);
            }
            for function in self.tree.hooks(left.block, Hooks::Teardown) {
                if let Err(problem) = self.call(&function, tell) {
                    let block = self.tree.name_of(left.block);
                    tell(Event::Trouble { block, problem, output: self.output.take() });
                }
            }
            started::end_all();
            drop(take_temporary(self.state.lua()));
            if let Some(globals) = &left.globals {
                let _ = self.functions.call_named::<()>("restore", globals);
            }
            self.revert(left.spies, left.world.take());
        }
    }

    /// Begins blocks of the path that are not open yet.
    fn enter(&self, path: &[usize], tell: &mut dyn FnMut(Event)) -> Result<(), Problem> {
        for (depth, block) in path.iter().enumerate() {
            if self.open.borrow().len() == depth {
                let opened = self.begin(*block, tell);
                self.open.borrow_mut().push(opened);
            }
            if let Some(broken) = self.open.borrow().get(depth).and_then(|open| open.broken.clone()) {
                return Err(broken);
            }
        }
        Ok(())
    }

    fn begin(&self, block: usize, tell: &mut dyn FnMut(Event)) -> Open {
        let (world, spies) = (self.context.world(), self.spies());
        let insulated = self.tree.is_insulated(block);
        let globals = insulated.then(|| self.functions.call_named::<Table>("save", ()).ok()).flatten();
        let mut broken = None;
        for function in self.tree.hooks(block, Hooks::Setup) {
            if let Err(problem) = self.call(&function, tell) {
                let message = format!("in the setup of `{}`: {}", self.tree.name_of(block), problem.message);
                broken = Some(Problem { message, ..problem });
                break;
            }
        }
        let (temporary, started) = (take_temporary(self.state.lua()), take_started());
        Open { block, world: Some(world), spies, globals, temporary, started, broken }
    }

    /// One test with the functions around it.
    fn one(&self, index: usize, path: &[usize], tell: &mut dyn FnMut(Event)) -> Status {
        let Some(body) = self.tree.body(index) else { return Status::Pending(String::new()) };
        let (world, spies) = (self.context.world(), self.spies());
        self.random.get().clone().seed(0, index as u128 + 1);
        self.tree.begin_test();
        let mut ended = Ok(());
        for function in path.iter().flat_map(|block| self.tree.hooks(*block, Hooks::Before)) {
            ended = ended.and_then(|()| self.call(&function, tell));
        }
        ended = ended.and_then(|()| self.call(&body, tell));
        let after = path.iter().rev().flat_map(|block| self.tree.hooks(*block, Hooks::After));
        for function in self.tree.end_test().into_iter().rev().chain(after) {
            // what failed first is told
            ended = match (ended, self.call(&function, tell)) {
                (Ok(()), other) => other,
                (first, _) => first,
            };
        }
        started::end_all();
        drop(take_temporary(self.state.lua()));
        self.revert(spies, Some(world));
        match ended {
            Ok(()) => Status::Passed,
            Err(problem) if problem.code == words::PENDING => Status::Pending(problem.message),
            Err(problem) => Status::Failed(problem),
        }
    }

    fn call(&self, function: &Function, tell: &mut dyn FnMut(Event)) -> Result<(), Problem> {
        tell(Event::Step);
        let bridge = &self.state.bridge;
        let called = self.state.hold(function).map_err(call::unavailable).and_then(|held| {
            watchdog::during(bridge, self.limit_ns, || {
                watchdog::checked(bridge.call_for_effect(held, None, &[]))
            })
        });
        called.map_err(|failure| problem_of(&self.name, &failure))
    }

    fn spies(&self) -> i64 {
        self.functions.call_named("mark", ()).unwrap_or_default()
    }

    fn revert(&self, spies: i64, world: Option<World>) {
        // a spy that cannot be taken off has nothing to be taken off from
        let _ = self.functions.call_named::<()>("revert_to", spies);
        if let Some(world) = world {
            self.context.give_back(world);
        }
    }
}

/// For the values of a spec.
const MOST_MEMORY: usize = 2 << 30;

/// Functions of `assert.lua`.
trait Named {
    fn call_named<R: mlua::FromLuaMulti>(&self, name: &str, args: impl mlua::IntoLuaMulti)
    -> mlua::Result<R>;
}

impl Named for Table {
    fn call_named<R: mlua::FromLuaMulti>(
        &self,
        name: &str,
        args: impl mlua::IntoLuaMulti,
    ) -> mlua::Result<R> {
        self.raw_get::<Function>(name)?.call(args)
    }
}
