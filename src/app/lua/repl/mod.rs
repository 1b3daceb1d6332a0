//! Lines in, answers out.

mod helper;
mod history;

use std::io::{self, Write as _};
use std::rc::Rc;

use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};

use super::script::sinks;
use super::stop::Stops;
use crate::app::exit::Code;
use crate::app::{complain, doc};
use crate::cli::Color;
use crate::lua::hand::{Answer, Hand, Raised};
use crate::model::lua_path::LuaPath;
use helper::Words;
use history::History;

const PROMPT: &str = "> ";

/// Characters of an answer that are shown.
const MOST: usize = 64 << 10;

const HELP: &str = "\
An expression shows its values; statements run. Names are completed with Tab.
  :doc NAME   what the library has of that name; :doc alone lists the modules
  :help       this
  :quit       ends it, as Ctrl-D does; Ctrl-C ends what runs
";

/// Reads until the end.
pub fn read(color: Color, lua_path: Option<LuaPath>) -> Code {
    let begun = Stops::begin().map_err(|error| format!("cannot watch signals: {error}")).and_then(|stops| {
        let here = std::env::current_dir().map_err(|error| format!("there is no current folder: {error}"))?;
        let hand = Hand::new("lua", &here, lua_path, sinks()).map_err(|failure| failure.message)?;
        hand.set_arguments(&[], b"lua", &[]).map_err(|failure| failure.message)?;
        stops.watch(hand.stopper());
        let session = Session { hand: Rc::new(hand), stops, color };
        let editor = editor(&session.hand).map_err(|error| format!("cannot read lines: {error}"))?;
        Ok((session, editor))
    });
    match begun {
        Ok((session, editor)) => session.read(editor),
        Err(message) => {
            complain(color, &message, None);
            Code::Bug
        }
    }
}

type Lines = Editor<Words, DefaultHistory>;

fn editor(hand: &Rc<Hand>) -> rustyline::Result<Lines> {
    let config = Config::builder().completion_type(CompletionType::List).build();
    let mut editor = Editor::with_config(config)?;
    editor.set_max_history_size(history::MOST)?;
    editor.set_helper(Some(Words::new(Rc::clone(hand))));
    Ok(editor)
}

struct Session {
    hand: Rc<Hand>,
    stops: Stops,
    color: Color,
}

impl Session {
    fn read(&self, mut editor: Lines) -> Code {
        let history = History::of_user();
        for line in history.lines() {
            let _ = editor.add_history_entry(line);
        }
        say(&format!("mpms {}, Lua 5.4; :help tells more\n", env!("CARGO_PKG_VERSION")));
        loop {
            match editor.readline(PROMPT) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => {
                    if matches!(editor.add_history_entry(text.as_str()), Ok(true)) {
                        history.add(&text);
                    }
                    if !self.line(text.trim()) {
                        break;
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(error) => {
                    complain(self.color, &format!("cannot read lines: {error}"), None);
                    self.hand.leave();
                    return Code::Bug;
                }
            }
        }
        self.hand.leave();
        Code::Success
    }

    /// Whether there are more to come.
    fn line(&self, text: &str) -> bool {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match word {
            ":quit" | ":q" => return false,
            ":help" | ":h" => say(HELP),
            ":doc" | ":d" => {
                doc::show(Some(rest.trim()).filter(|name| !name.is_empty()), self.color);
            }
            // `::label::` is Lua
            _ if word.starts_with(':') && !word.starts_with("::") => {
                complain(self.color, &format!("unknown command `{word}`"), Some(":help lists them"));
            }
            _ => self.run(text),
        }
        true
    }

    fn run(&self, text: &str) {
        // whatever came while nothing ran
        self.stops.came();
        match self.hand.answer(text) {
            Answer::Values(values) => {
                let mut shown = values.join("\t");
                if let Some((at, _)) = shown.char_indices().nth(MOST) {
                    shown.truncate(at);
                    shown.push_str("\n… (more than is shown)");
                }
                if !values.is_empty() {
                    shown.push('\n');
                    say(&shown);
                }
            }
            Answer::Raised(raised) => self.tell(&raised),
        }
        self.stops.came();
    }

    fn tell(&self, raised: &Raised) {
        complain(self.color, &raised.failure.message, None);
        let mut more = String::new();
        for (name, value) in &raised.fields {
            more.push_str(&format!("  {name}: {value}\n"));
        }
        let traceback = raised.failure.traceback.as_deref().unwrap_or_default();
        // of a line that was typed, the place says nothing
        let lines: Vec<&str> = traceback.lines().filter(|line| !line.contains("in main chunk")).collect();
        if lines.iter().any(|line| !line.starts_with("[C]") && !line.starts_with("(...")) {
            lines.iter().for_each(|line| more.push_str(&format!("  {line}\n")));
        }
        let _ = io::stderr().lock().write_all(more.as_bytes());
    }
}

fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
