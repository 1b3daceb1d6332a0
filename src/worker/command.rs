//! `[worker] command`: an external command for each task, without Lua.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::lua::watchdog;
use crate::model::job::Job;
use crate::model::{Failure, Value};
use crate::os::command::{Command, how};
use crate::os::secrets;
use crate::wire::value;

/// Bytes of standard error that the failure shows.
const LAST_WORDS: usize = 4 << 10;

/// An argument vector with placeholders.
pub struct CommandBody {
    argv: Vec<Vec<Piece>>,
    dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    /// From the soft stop to the kill of the command, when attempts have a timeout.
    grace: Option<Duration>,
}

/// A part of one argument.
#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    /// `{}`: the only argument.
    Whole,
    /// `{2}`: an argument by its number.
    Number(usize),
    /// `{name}`: a field of the first argument.
    Field(String),
}

impl CommandBody {
    /// `{field}`, `{}` and `{1}` are replaced, `{{` is a brace; other braces stay as they are.
    pub fn new(argv: &[String], job: &Job, grace: Option<Duration>) -> Self {
        let env = job.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        CommandBody { argv: argv.iter().map(|word| pieces(word)).collect(), dir: job.dir.clone(), env, grace }
    }

    /// Runs the command of one task; appends `{code, stdout, stderr}` as the encoded results.
    ///
    /// # Errors
    /// When a placeholder has no value, the command cannot start, or it ends with another status than 0.
    pub fn execute(&self, args: &[u8], results: &mut Vec<u8>) -> Result<(), Failure> {
        self.run(args, results).map_err(watchdog::as_timeout)
    }

    fn run(&self, args: &[u8], results: &mut Vec<u8>) -> Result<(), Failure> {
        let args = value::decode_list(args).map_err(|error| Failure::new("value", error.to_string()))?;
        let argv = self.argv.iter().map(|word| fill(word, &args)).collect::<Result<Vec<_>, _>>()?;
        let mut command = Command::new(argv);
        command.cwd = Some(self.dir.clone());
        command.env = self.env.clone();
        let finished = match self.grace {
            Some(grace) => {
                command.grace = grace;
                command.run_while(&|| !watchdog::is_over())
            }
            None => command.run(),
        };
        let finished = finished.map_err(|error| Failure::new("command", error.to_string()))?;
        if finished.code != Some(0) || finished.stopped {
            let how = how(finished.code, finished.signal);
            let mut words = finished.stderr;
            secrets::keep_end(&mut words, LAST_WORDS);
            let words = String::from_utf8_lossy(&words).trim().to_owned();
            let line = words.lines().last().map_or_else(|| how.clone(), |last| format!("{how}: {last}"));
            let traceback = (words.lines().count() > 1).then_some(words);
            return Err(Failure { traceback, ..Failure::new("exit_status", line) });
        }
        let result = Value::Map(vec![
            (Value::text("code"), Value::Int(0)),
            (Value::text("stdout"), Value::Bytes(finished.stdout)),
            (Value::text("stderr"), Value::Bytes(finished.stderr)),
        ]);
        results.extend_from_slice(&value::encode_list([result].iter()));
        Ok(())
    }
}

fn pieces(word: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = word;
    while let Some(open) = rest.find('{') {
        text.push_str(&rest[..open]);
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            text.push('{');
            rest = after;
            continue;
        }
        let name = rest.split_once('}').map(|(name, _)| name);
        let placeholder = name.and_then(|name| match name {
            "" => Some(Piece::Whole),
            name if name.bytes().all(|byte| byte.is_ascii_digit()) => name.parse().ok().map(Piece::Number),
            name if is_identifier(name) => Some(Piece::Field(name.to_owned())),
            _ => None,
        });
        let Some((placeholder, name)) = placeholder.zip(name) else {
            text.push('{');
            continue;
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(placeholder);
        rest = &rest[name.len() + 1..];
    }
    text.push_str(rest);
    if !text.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn fill(word: &[Piece], args: &[Value]) -> Result<OsString, Failure> {
    let missing = |what: String| Failure::new("value", what);
    let mut bytes = Vec::new();
    for piece in word {
        let value = match piece {
            Piece::Text(text) => {
                bytes.extend_from_slice(text.as_bytes());
                continue;
            }
            Piece::Whole => {
                args.first().ok_or_else(|| missing("{} in the command: the task has no argument".into()))?
            }
            Piece::Number(number) => {
                number.checked_sub(1).and_then(|index| args.get(index)).ok_or_else(|| {
                    missing(format!("{{{number}}} in the command: the task has {} arguments", args.len()))
                })?
            }
            Piece::Field(name) => args.first().and_then(|first| first.get(name)).ok_or_else(|| {
                missing(format!(
                    "{{{name}}} in the command: the task has no such field; it has {}",
                    fields(args)
                ))
            })?,
        };
        match value {
            Value::Bytes(text) => bytes.extend_from_slice(text),
            other => bytes.extend_from_slice(value::describe(other).as_bytes()),
        }
    }
    Ok(OsString::from_vec(bytes))
}

fn fields(args: &[Value]) -> String {
    match args.first() {
        Some(Value::Map(pairs)) => {
            pairs.iter().map(|(key, _)| value::describe(key)).collect::<Vec<_>>().join(", ")
        }
        _ => "no fields: use {} or {1}".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(word: &str, args: &[Value]) -> Result<String, String> {
        fill(&pieces(word), args)
            .map(|word| word.to_string_lossy().into_owned())
            .map_err(|failure| failure.message)
    }

    #[test]
    fn placeholders_are_replaced_and_other_braces_stay() {
        let row = [Value::Map(vec![(Value::text("path"), Value::text("a b.txt"))])];
        assert_eq!(filled("in/{path}.gz", &row), Ok("in/a b.txt.gz".into()));
        assert_eq!(filled("{print $1}", &row), Ok("{print $1}".into()));
        assert_eq!(filled("{{path}", &row), Ok("{path}".into()));
        let two = [Value::text("x"), Value::Int(7)];
        assert_eq!(filled("{}-{2}", &two), Ok("x-7".into()));
        assert_eq!(filled("", &two), Ok(String::new()));
    }

    #[test]
    fn a_placeholder_without_a_value_names_what_there_is() {
        let row = [Value::Map(vec![(Value::text("path"), Value::text("a"))])];
        let message = filled("{pth}", &row).expect_err("no such field");
        assert_eq!(message, "{pth} in the command: the task has no such field; it has path");
    }
}
