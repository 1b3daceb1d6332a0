//! What the editor asks while a line is typed: whether it is whole, and what a name may become.

use std::rc::Rc;

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use crate::lua::hand::Hand;
use crate::lua::types;

/// Commands of the editor itself.
const COMMANDS: [&str; 3] = [":doc ", ":help", ":quit"];

/// Knows the live tables.
pub struct Words {
    hand: Rc<Hand>,
}

impl Words {
    pub fn new(hand: Rc<Hand>) -> Self {
        Words { hand }
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..pos];
        if let Some(name) = before.strip_prefix(":doc ") {
            let names = names().filter(|one| one.starts_with(name)).collect();
            return Ok((pos - name.len(), names));
        }
        if before.starts_with(':') {
            let commands = COMMANDS.iter().filter(|one| one.starts_with(before));
            return Ok((0, commands.map(|one| (*one).to_owned()).collect()));
        }
        Ok(self.hand.complete(before))
    }
}

/// What can be asked for.
fn names() -> impl Iterator<Item = String> {
    types::library().iter().flat_map(|module| {
        let functions = module.functions.iter().map(|function| function.name.clone());
        let methods =
            module.classes.iter().flat_map(|class| &class.methods).map(|method| method.name.clone());
        std::iter::once(module.name.clone()).chain(functions).chain(methods)
    })
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input().trim();
        let is_whole = text.is_empty() || text.starts_with(':') || self.hand.is_whole(text);
        Ok(if is_whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Helper for Words {}
