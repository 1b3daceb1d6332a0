//! Why a test failed, and where.

use serde::{Deserialize, Serialize};

use crate::model::Failure;
use crate::os::secrets;

/// Why a test failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// One line, or a line and how two values differ below it.
    pub message: String,
    /// `file:line`
    pub place: Option<String>,
    /// The public code of the error; `assertion` for those.
    pub code: String,
    /// From the innermost call.
    pub traceback: Vec<String>,
}

/// A failure with its place: the innermost line of the spec itself, or else of whatever raised.
pub(super) fn problem_of(spec: &str, failure: &Failure) -> Problem {
    let failure = &mut failure.clone();
    secrets::scrub_failure(failure);
    let traceback: Vec<String> =
        failure.traceback.as_deref().unwrap_or_default().lines().map(str::to_owned).collect();
    let (at, mut message) = split_place(&failure.message);
    // an error that came through a coroutine says twice where it was
    while let (Some(again), rest) = split_place(message)
        && Some(again) == at
    {
        message = rest;
    }
    let mut places = traceback.iter().filter_map(|line| split_place(line.trim()).0);
    let own = places.clone().find(|place| is_of(spec, place));
    let first = at.filter(|at| is_of(spec, at)).or(own).or(at).or_else(|| places.next());
    let place = first.map(|place| whole_name(spec, place));
    // the place stays in front where it is another one
    let message = match (at, &place) {
        (Some(at), Some(place)) if whole_name(spec, at) != *place => failure.message.as_str(),
        _ => message,
    };
    Problem { message: message.to_owned(), place, code: failure.code.clone(), traceback }
}

/// `file:line` in front of a text, and the rest.
fn split_place(text: &str) -> (Option<&str>, &str) {
    let first = text.lines().next().unwrap_or_default();
    let mut from = 0;
    while let Some(colon) = first[from..].find(':').map(|at| at + from) {
        let digits = first[colon + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let end = colon + 1 + digits;
        if digits > 0 && first[end..].starts_with(':') && !first[..colon].contains(' ') {
            return (Some(&text[..end]), text[end + 1..].trim_start_matches(' '));
        }
        from = colon + 1;
    }
    (None, text)
}

/// Lua shortens long names to `...their end`.
fn is_of(spec: &str, place: &str) -> bool {
    let file = place.rsplit_once(':').map_or(place, |(file, _)| file);
    file == spec || file.strip_prefix("...").is_some_and(|end| spec.ends_with(end))
}

fn whole_name(spec: &str, place: &str) -> String {
    match place.rsplit_once(':') {
        Some((_, line)) if is_of(spec, place) => format!("{spec}:{line}"),
        _ => place.to_owned(),
    }
}

#[cfg(test)]
mod tests;
