//! Colours and columns.

use std::io::Stderr;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// The column of the status word, as in cargo and nextest.
pub(super) const WORD: usize = 12;

/// What a status word means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Warn,
    Note,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    colored: bool,
}

impl Look {
    /// As chosen; `Auto` asks the environment and whether it is a terminal.
    pub fn new(choice: ColorChoice, stderr: &Stderr) -> Self {
        let choice = if choice == ColorChoice::Auto { AutoStream::choice(stderr) } else { choice };
        Look { colored: choice != ColorChoice::Never }
    }

    /// Without colours.
    #[cfg(test)]
    pub(super) fn plain() -> Self {
        Look { colored: false }
    }

    /// A line with its word right-aligned in 12 columns.
    pub(super) fn line(self, tone: Tone, word: &str, rest: &str) -> String {
        let style = self.style(match tone {
            Tone::Good => AnsiColor::Green.on_default().bold(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Warn => AnsiColor::Yellow.on_default().bold(),
            Tone::Note => AnsiColor::Cyan.on_default().bold(),
        });
        format!("{style}{word:>WORD$}{style:#} {rest}\n")
    }

    /// A line under one with a word.
    pub(super) fn under(self, rest: &str) -> String {
        format!("{:WORD$} {rest}\n", "")
    }

    /// The same, to be read last.
    pub(super) fn dim(self, rest: &str) -> String {
        let style = self.style(Style::new().dimmed());
        format!("{:WORD$} {style}{rest}{style:#}\n", "")
    }

    fn style(self, style: Style) -> Style {
        if self.colored { style } else { Style::new() }
    }
}
