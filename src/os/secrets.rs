//! What this process must not say: values of the environment that a job names as secrets, or fetches as such.
//!
//! One set for the whole process, since a secret that one thread has fetched may be said by any other. Whatever leaves
//! the process as words goes through [`scrub`]: lines and failures where a worker sends them, and every event before a
//! report hears of it. As long as there is no secret it costs one load of a flag.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::model::event::{Event, LogLine, Summary};
use crate::model::{Failure, StopCause};

/// Shorter values cannot be hidden: too much else would be.
pub const SHORTEST: usize = 4;
/// Longer values are no secrets.
pub const LONGEST: usize = 64 << 10;
/// Values at most.
const MOST: usize = 1_000;
/// Bytes of base64 are looked for from this length on: less of it occurs by chance.
const CODED: usize = 6;
/// A line of a value of several lines is looked for by itself from this length on.
const LINE: usize = 8;
/// What is shown in place of a secret.
pub const MASK: &str = "***";

static ANY: AtomicBool = AtomicBool::new(false);
static KNOWN: RwLock<Known> =
    RwLock::new(Known { values: BTreeSet::new(), forms: BTreeSet::new(), search: None });

struct Known {
    values: BTreeSet<Vec<u8>>,
    /// All that is looked for.
    forms: BTreeSet<Vec<u8>>,
    search: Option<AhoCorasick>,
}

/// Why a value cannot be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is none, or it is empty.
    #[error("is not set")]
    Missing,
    /// It has so many bytes.
    #[error("has {0} bytes: a secret of fewer than {SHORTEST} cannot be hidden")]
    Short(usize),
    /// It has so many bytes.
    #[error("has {0} bytes: a secret has {LONGEST} at most")]
    Long(usize),
    /// There are too many others.
    #[error("is one more than the {MOST} secrets that can be hidden")]
    Full,
}

/// The value of a variable: as the job sets it, else as the process has it.
pub fn variable(job: &[(String, String)], name: &[u8]) -> Option<Vec<u8>> {
    // the last one wins, as for processes
    let of_job = job.iter().rev().find(|(known, _)| known.as_bytes() == name);
    if let Some((_, value)) = of_job {
        return Some(value.clone().into_bytes());
    }
    // `var_os` panics at names that no variable can have
    if name.is_empty() || name.contains(&b'=') || name.contains(&0) {
        return None;
    }
    std::env::var_os(OsStr::from_bytes(name)).map(OsStringExt::into_vec)
}

/// The value of that variable, which nobody gets to see from now on.
///
/// # Errors
/// When there is none, or none that can be hidden.
pub fn fetch(job: &[(String, String)], name: &[u8]) -> Result<Vec<u8>, Unfit> {
    let value = variable(job, name).filter(|value| !value.is_empty()).ok_or(Unfit::Missing)?;
    hide(&value)?;
    Ok(value)
}

fn hide(value: &[u8]) -> Result<(), Unfit> {
    match value.len() {
        length if length < SHORTEST => return Err(Unfit::Short(length)),
        length if length > LONGEST => return Err(Unfit::Long(length)),
        _ => {}
    }
    if KNOWN.read().unwrap_or_else(PoisonError::into_inner).values.contains(value) {
        return Ok(());
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.values.len() >= MOST {
        return Err(Unfit::Full);
    }
    known.values.insert(value.to_vec());
    known.forms.extend(forms(value));
    known.search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&known.forms).ok();
    ANY.store(true, Ordering::Release);
    Ok(())
}

/// How the value may stand in a text.
fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    // what `encodeURIComponent` and most libraries leave as it is
    const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    let mut forms = vec![value.to_vec(), value.trim_ascii().to_vec()];
    let lossy = String::from_utf8_lossy(value);
    forms.push(lossy.as_bytes().to_vec());
    // a log has a line of it at a time
    let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    forms.extend(lines.filter(|line| line.len() >= LINE).map(<[u8]>::to_vec));
    let json = serde_json::Value::from(&*lossy).to_string();
    forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
    let percent = percent_encode(value, &PLAIN).to_string();
    forms.push(percent.replace("%20", "+").into_bytes());
    forms.push(percent.to_ascii_lowercase().into_bytes());
    forms.push(percent.into_bytes());
    forms.extend([HEXLOWER.encode(value).into_bytes(), HEXUPPER.encode(value).into_bytes()]);
    if value.len() >= CODED {
        forms.extend(base64(value));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// As it stands in base64 of a longer text, where it may begin at any of three places of a group.
fn base64(value: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..3).flat_map(move |before| {
        let mut whole = vec![0; before];
        whole.extend_from_slice(value);
        // only characters that the neighbours have no part in
        let (first, last) = ((before * 8).div_ceil(6), whole.len() * 8 / 6);
        [&BASE64_NOPAD, &BASE64URL_NOPAD].map(|code| code.encode(&whole).as_bytes()[first..last].to_vec())
    })
}

/// Masks every secret in the text.
#[inline]
pub fn scrub(text: &mut String) {
    if ANY.load(Ordering::Acquire) {
        masked(text);
    }
}

#[cold]
fn masked(text: &mut String) {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let Some(search) = known.search.as_ref().filter(|search| search.is_match(text.as_str())) else { return };
    let mut clean = Vec::with_capacity(text.len());
    search.replace_all_with_bytes(text.as_bytes(), &mut clean, |_, _, out| {
        out.extend_from_slice(MASK.as_bytes());
        true
    });
    // a value may be a part of a character
    *text = String::from_utf8_lossy(&clean).into_owned();
}

/// How many bytes at the end of a text may be the beginning of a secret: whoever cuts the text there shows a part that
/// nobody can know as one.
pub fn begun(text: &[u8]) -> usize {
    longest(|form| {
        let tail = &text[text.len().saturating_sub(form.len() - 1)..];
        memchr::memchr_iter(form[0], tail).map(|at| &tail[at..]).find(|part| form.starts_with(part))
    })
}

/// The same for the end of a secret, at the beginning of a text that was cut there.
pub fn ending(text: &[u8]) -> usize {
    longest(|form| {
        let head = &text[..text.len().min(form.len() - 1)];
        let last = form[form.len() - 1];
        memchr::memrchr_iter(last, head).map(|at| &head[..=at]).find(|part| form.ends_with(part))
    })
}

fn longest<'t>(part: impl Fn(&[u8]) -> Option<&'t [u8]>) -> usize {
    if !ANY.load(Ordering::Acquire) {
        return 0;
    }
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.forms.iter().filter_map(|form| part(form)).map(<[u8]>::len).max().unwrap_or(0)
}

/// Cuts a text to its last bytes, `most` or a few less: not within a secret.
pub fn keep_end(text: &mut Vec<u8>, most: usize) {
    let over = text.len().saturating_sub(most);
    if over > 0 {
        text.drain(..over + ending(&text[over..]));
    }
}

/// The same for all words of a failure.
pub fn scrub_failure(failure: &mut Failure) {
    scrub(&mut failure.code);
    scrub(&mut failure.message);
    failure.traceback.iter_mut().for_each(scrub);
}

/// The same for why a run stops.
pub fn scrub_cause(cause: &mut StopCause) {
    match cause {
        StopCause::Aborted { task: text, reason } => {
            scrub(text);
            scrub(reason);
        }
        StopCause::Empty(text)
        | StopCause::Changed(text)
        | StopCause::Broken(text)
        | StopCause::Unwritable(text)
        | StopCause::Bug(text) => scrub(text),
        StopCause::Signal(_) | StopCause::MaxFail { .. } | StopCause::Deadline(_) => {}
    }
}

/// The same for all words of an event.
pub fn scrub_event(event: &mut Event) {
    if !ANY.load(Ordering::Acquire) {
        return;
    }
    match event {
        Event::RunStarted { resumed, .. } => {
            resumed.iter_mut().flat_map(|resumed| &mut resumed.changes).for_each(scrub);
        }
        Event::TaskStarted(task) | Event::TaskFinished { task, .. } | Event::TaskSlow { task, .. } => {
            scrub(&mut task.name);
        }
        Event::TaskFailed { task, failure, .. }
        | Event::TaskRetry { task, failure, .. }
        | Event::HandlerRaised { task, failure, .. } => {
            scrub(&mut task.name);
            scrub_failure(failure);
        }
        Event::TaskProgress { task, message, .. } => {
            scrub(&mut task.name);
            message.iter_mut().for_each(scrub);
        }
        Event::Log(LogLine { from, text, fields, .. }) => {
            scrub(from);
            scrub(text);
            for (name, text) in fields {
                scrub(name);
                scrub(text);
            }
        }
        Event::WorkerRecycled { why, .. } => scrub(why),
        Event::WorkerExited { unexpected, .. } => unexpected.iter_mut().for_each(scrub),
        Event::Stopping { cause, .. } => scrub_cause(cause),
        Event::RunFinished(summary) => scrub_summary(summary),
        Event::Progress(_) | Event::WorkerStarted { .. } => {}
    }
}

fn scrub_summary(summary: &mut Summary) {
    summary.stopped.iter_mut().for_each(scrub_cause);
    summary.finish.iter_mut().for_each(scrub);
    for metric in &mut summary.metrics {
        scrub(&mut metric.name);
        for (name, value) in &mut metric.labels {
            scrub(name);
            scrub(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Level, LogPlace, TaskLabel};
    use crate::model::metrics::{Figure, Metric};

    fn hidden(text: &str) -> String {
        let mut text = text.to_owned();
        scrub(&mut text);
        text
    }

    #[test]
    fn a_value_is_masked_in_every_form() {
        let value = "tök=n \"9\"/+?";
        hide(value.as_bytes()).expect("it can be hidden");
        assert_eq!(hidden(&format!("a {value} b {value}")), "a *** b ***");
        assert_eq!(hidden("nothing of it"), "nothing of it");
        let in_json = serde_json::json!({ "x": value }).to_string();
        assert_eq!(hidden(&in_json), r#"{"x":"***"}"#);
        assert_eq!(hidden("q=t%C3%B6k%3Dn%20%229%22%2F%2B%3F&"), "q=***&");
        assert_eq!(hidden("q=t%c3%b6k%3dn%20%229%22%2f%2b%3f&"), "q=***&");
        assert_eq!(hidden("q=t%C3%B6k%3Dn+%229%22%2F%2B%3F&"), "q=***&");
        assert_eq!(hidden(&HEXLOWER.encode(value.as_bytes())), "***");
        for before in ["", "u", "us", "use", "user"] {
            for after in ["", "1", "12", "123"] {
                let whole = format!("{before}{value}{after}");
                for code in [&BASE64_NOPAD, &BASE64URL_NOPAD] {
                    let coded = code.encode(whole.as_bytes());
                    let clean = hidden(&coded);
                    assert!(clean.contains("***"), "{coded}");
                    assert!(clean.len() <= before.len() * 2 + after.len() * 2 + 7, "{coded}: {clean}");
                }
            }
        }
    }

    #[test]
    fn lines_of_a_long_value_are_masked_alone() {
        hide(b"-----BEGIN-----\nMIIEvQIBADANBg\r\nkqhkiG9w0\n").expect("it can be hidden");
        assert_eq!(hidden("1: MIIEvQIBADANBg"), "1: ***");
        assert_eq!(hidden("kqhkiG9w0."), "***.");
    }

    #[test]
    fn the_longer_of_two_is_masked_and_short_forms_are_not() {
        hide(b"long-secret").expect("it can be hidden");
        hide(b"long-secret-and-longer").expect("it can be hidden");
        assert_eq!(hidden("a long-secret-and-longer b long-secret."), "a *** b ***.");
        // a value of four bytes with blanks around it: what is left of it is too much to hide
        hide(b" qz ").expect("it can be hidden");
        assert_eq!(hidden("qz, and x qz y"), "qz, and x***y");
        // as commands and files have it at the end of a line
        hide(b"with-an-end\n").expect("it can be hidden");
        assert_eq!(hidden("is with-an-end."), "is ***.");
        hide(b" ends-7\n").expect("it can be hidden");
        assert_eq!(hidden("it ends-7."), "it ***.");
        hide(b"no\xFF\"text").expect("it can be hidden");
        assert_eq!(hidden(&String::from_utf8_lossy(b"is no\xFF\"text.")), "is ***.");
        assert_eq!(hidden(&HEXUPPER.encode(b"no\xFF\"text")), "***");
    }

    #[test]
    fn a_cut_within_a_secret_shows_nothing_of_it() {
        hide(b"Qcutsecret-7").expect("it can be hidden");
        for (text, begins) in [
            ("a Qcutsecret-", 11),
            ("a Q", 1),
            ("Qcut", 4),
            ("a Qcutsecret-7!", 0),
            ("a QcutQcut", 4),
            ("a Qcut!", 0),
            ("", 0),
            // as base64
            ("x UWN1dHNlY3Jld", 13),
        ] {
            assert_eq!(begun(text.as_bytes()), begins, "{text}");
        }
        for (text, ends) in [
            ("cutsecret-7 a", 11),
            ("-7 a", 2),
            ("7", 1),
            ("!Qcutsecret-7 a", 0),
            ("!-7", 0),
            ("7 -7", 1),
            ("", 0),
        ] {
            assert_eq!(ending(text.as_bytes()), ends, "{text}");
        }
        let kept = |text: &str, most| {
            let mut text = text.as_bytes().to_vec();
            keep_end(&mut text, most);
            String::from_utf8(text).expect("text")
        };
        let whole = "say !Qcutsecret-7 b";
        assert_eq!([8, 15, 19].map(|most| kept(whole, most)), [" b", "!Qcutsecret-7 b", whole]);
    }

    #[test]
    fn every_text_of_an_event_is_masked() {
        hide(b"event-secret-8").expect("it can be hidden");
        let text = || "x event-secret-8".to_owned();
        let task = || TaskLabel { id: "1".into(), name: text(), attempt: 1, worker: 1 };
        let failure =
            || Failure { traceback: Some(text()), ..Failure::new(text(), "the message: x event-secret-8") };
        let mut causes = [
            StopCause::Aborted { task: text(), reason: text() },
            StopCause::Empty(text()),
            StopCause::Changed(text()),
            StopCause::Broken(text()),
            StopCause::Unwritable(text()),
            StopCause::Bug(text()),
        ];
        let mut events: Vec<Event> =
            causes.iter().map(|cause| Event::Stopping { cause: cause.clone(), running: 0 }).collect();
        let line = LogLine {
            level: Level::Info,
            from: text(),
            text: text(),
            fields: vec![(text(), text())],
            at: LogPlace::default(),
        };
        let metric = Metric { name: text(), labels: vec![(text(), text())], figure: Figure::Counter(1.0) };
        let summary = Summary {
            stopped: Some(StopCause::Bug(text())),
            finish: Some(text()),
            metrics: vec![metric],
            ..Summary::default()
        };
        events.extend([
            Event::TaskStarted(task()),
            Event::TaskFinished { task: task(), elapsed_ns: 0 },
            Event::TaskSlow { task: task(), elapsed_ns: 0, holds_thread: false },
            Event::TaskFailed { task: task(), elapsed_ns: 0, failure: failure() },
            Event::TaskRetry { task: task(), elapsed_ns: 0, failure: failure(), attempts: 1, next_ns: 0 },
            Event::HandlerRaised { role: "handler", task: task(), failure: failure() },
            Event::TaskProgress { task: task(), done: 1.0, total: None, message: Some(text()) },
            Event::Log(line),
            Event::WorkerRecycled { worker: 1, why: text() },
            Event::WorkerExited { worker: 1, pid: 1, unexpected: Some(text()), suspects: 0 },
            Event::RunFinished(Box::new(summary)),
        ]);
        let mut told = failure();
        scrub_failure(&mut told);
        causes.iter_mut().for_each(scrub_cause);
        events.iter_mut().for_each(scrub_event);
        let shown = events.iter().map(|event| format!("{event:?}"));
        for shown in shown.chain(causes.iter().map(|cause| format!("{cause:?}"))).chain([format!("{told:?}")])
        {
            assert!(shown.contains("x ***") && !shown.contains("event-secret"), "{shown}");
        }
    }

    #[test]
    fn what_cannot_be_hidden_is_refused() {
        assert_eq!(hide(b"abc"), Err(Unfit::Short(3)));
        assert_eq!(hide(&[b'x'; LONGEST + 1]), Err(Unfit::Long(LONGEST + 1)));
        let job = [("A_S", ""), ("B_S", "not this one"), ("B_S", "of the job")];
        let job = job.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fetch(&job, b"A_S"), Err(Unfit::Missing));
        assert_eq!(fetch(&job, b"NO_SUCH_VARIABLE"), Err(Unfit::Missing));
        assert_eq!(fetch(&job, b"a=b\0"), Err(Unfit::Missing));
        assert_eq!(fetch(&job, b"B_S").as_deref(), Ok(&b"of the job"[..]));
        assert_eq!(hidden("this is of the job"), "this is ***");
        assert_eq!(variable(&job, b"PATH"), std::env::var_os("PATH").map(OsStringExt::into_vec));
    }
}
