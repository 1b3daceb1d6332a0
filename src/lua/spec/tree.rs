//! The blocks and tests of a spec, as `describe` and `it` have named them.

use std::cell::{Cell, RefCell};

use mlua::Function;
use serde::{Deserialize, Serialize};

/// `file:line`
pub type Place = String;

/// A test, for whoever chooses and reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Of the blocks around it, outermost first, and its own.
    pub names: Vec<String>,
    /// Where it is written.
    pub place: Place,
}

/// Functions around tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hooks {
    /// Once, before the first test of the block.
    Setup,
    /// Once, after its last.
    Teardown,
    /// Before each.
    Before,
    /// After each.
    After,
}

#[derive(Default)]
struct Block {
    name: String,
    /// None: the file itself.
    parent: Option<usize>,
    insulated: bool,
    hooks: Vec<(Hooks, Function)>,
}

struct Test {
    block: usize,
    name: String,
    place: Place,
    body: Option<Function>,
}

/// All of a file; block 0 is the file itself.
pub(super) struct Tree {
    blocks: RefCell<Vec<Block>>,
    tests: RefCell<Vec<Test>>,
    /// The block whose body runs; none once the file is loaded.
    current: Cell<Option<usize>>,
    /// `finally` of the test that runs.
    finally: RefCell<Option<Vec<Function>>>,
}

impl Default for Tree {
    fn default() -> Self {
        Tree {
            blocks: RefCell::new(vec![Block::default()]),
            tests: RefCell::default(),
            current: Cell::new(Some(0)),
            finally: RefCell::default(),
        }
    }
}

impl Tree {
    /// A block begins; none when the file is loaded. Close it with the block around it, which is given back.
    pub fn open(&self, name: String, insulated: bool) -> Option<usize> {
        let parent = self.current.get()?;
        let mut blocks = self.blocks.borrow_mut();
        blocks.push(Block { name, parent: Some(parent), insulated, hooks: Vec::new() });
        self.current.set(Some(blocks.len() - 1));
        Some(parent)
    }

    /// The block's body has ended.
    pub fn reopen(&self, block: usize) {
        self.current.set(Some(block));
    }

    /// The file is loaded.
    pub fn close(&self) {
        self.current.set(None);
    }

    /// A test; whether it came in time.
    pub fn add_test(&self, name: String, place: Place, body: Option<Function>) -> bool {
        let Some(block) = self.current.get() else { return false };
        self.tests.borrow_mut().push(Test { block, name, place, body });
        true
    }

    /// A function around tests; whether it came in time.
    pub fn add_hook(&self, kind: Hooks, function: Function) -> bool {
        let Some(block) = self.current.get() else { return false };
        self.blocks.borrow_mut()[block].hooks.push((kind, function));
        true
    }

    /// A test runs from now on.
    pub fn begin_test(&self) {
        self.finally.replace(Some(Vec::new()));
    }

    /// For the end of the test that runs; whether one does.
    pub fn add_finally(&self, function: Function) -> bool {
        self.finally.borrow_mut().as_mut().map(|list| list.push(function)).is_some()
    }

    /// The test has ended; what it left for its end.
    pub fn end_test(&self) -> Vec<Function> {
        self.finally.take().unwrap_or_default()
    }

    /// The blocks around a test, the file first.
    pub fn path_of(&self, test: usize) -> Vec<usize> {
        let blocks = self.blocks.borrow();
        let mut path = vec![self.tests.borrow()[test].block];
        while let Some(parent) = path.last().and_then(|last| blocks[*last].parent) {
            path.push(parent);
        }
        path.reverse();
        path
    }

    /// Functions of one kind; `teardown` and `after_each` in the order in which they were written too.
    pub fn hooks(&self, block: usize, kind: Hooks) -> Vec<Function> {
        let blocks = self.blocks.borrow();
        blocks[block]
            .hooks
            .iter()
            .filter(|(one, _)| *one == kind)
            .map(|(_, function)| function.clone())
            .collect()
    }

    pub fn is_insulated(&self, block: usize) -> bool {
        self.blocks.borrow()[block].insulated
    }

    /// `crawl › pages`
    pub fn name_of(&self, block: usize) -> String {
        let blocks = self.blocks.borrow();
        let mut names = Vec::new();
        let mut next = Some(block);
        while let Some(one) = next {
            names.push(blocks[one].name.clone());
            next = blocks[one].parent;
        }
        names.reverse();
        let name = names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(": ");
        if name.is_empty() { "the file".to_owned() } else { name }
    }

    pub fn body(&self, test: usize) -> Option<Function> {
        self.tests.borrow()[test].body.clone()
    }

    pub fn plan(&self) -> Vec<Planned> {
        let blocks = self.blocks.borrow();
        let tests = self.tests.borrow();
        let planned = tests.iter().map(|test| {
            let mut names = vec![test.name.clone()];
            let mut next = Some(test.block);
            while let Some(block) = next {
                names.push(blocks[block].name.clone());
                next = blocks[block].parent;
            }
            names.reverse();
            names.retain(|name| !name.is_empty());
            Planned { names, place: test.place.clone() }
        });
        planned.collect()
    }
}
