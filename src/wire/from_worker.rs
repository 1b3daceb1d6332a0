//! What a worker says to the coordinator, which believes nothing before it has checked it.

use std::path::{Path, PathBuf};

use super::bytes::{
    put_failure, put_file, put_slice, put_task, take_byte, take_failure, take_file, take_sized, take_tasks,
    take_text, take_u64, take_u128,
};
use super::json::token;
use super::value::{Malformed, NIL, take_count, take_float};
use super::{frame, varint};
use crate::model::event::Level;
use crate::model::outcome::{Done, Effects};
use crate::model::{Failure, Handle, Outcome, Payload, Verdict};

/// Kind of a frame of outcomes.
pub const OUTCOMES: u8 = 16;
/// Kind of a frame of handles: the answer to a recall.
pub const RETURNED: u8 = 17;
/// Kind of a frame with one line.
pub const LOG: u8 = 18;
/// Kind of a frame with one failure: the process cannot work.
pub const BROKEN: u8 = 19;
/// Kind of a frame that says how far a task is.
pub const PROGRESS: u8 = 20;

/// Kind of a frame that says which file came in by `require`.
pub const LOADED: u8 = 21;

/// Kind of a frame with a reason: the process takes no more tasks and wants to be replaced (`task.die`).
pub const RETIRE: u8 = 22;

/// Kind of a frame with a task and the state that it saved.
pub const SAVED: u8 = 23;

/// Kind of a frame with a task that uses its folder.
pub const HOUSED: u8 = 24;

const DONE: u8 = 0;
const DONE_WITH_EFFECTS: u8 = 1;
const FAILED: u8 = 2;
const SKIPPED: u8 = 3;

/// Appends the outcome of an attempt that returned.
#[inline]
pub fn put_done(out: &mut Vec<u8>, handle: u64, elapsed_ns: u64, values: &[u8], effects: Option<&Effects>) {
    out.extend_from_slice(&handle.to_le_bytes());
    varint::put(out, elapsed_ns);
    out.push(if effects.is_some() { DONE_WITH_EFFECTS } else { DONE });
    put_slice(out, values);
    if let Some(effects) = effects {
        varint::put(out, effects.puts.len() as u64);
        for task in &effects.puts {
            put_task(out, task);
        }
        varint::put(out, effects.rows.len() as u64);
        for row in &effects.rows {
            put_slice(out, row);
        }
        varint::put(out, effects.cancels.len() as u64);
        for key in &effects.cancels {
            out.extend_from_slice(&key.to_le_bytes());
        }
    }
}

/// Appends the outcome of an attempt that failed.
pub fn put_failed(out: &mut Vec<u8>, handle: u64, elapsed_ns: u64, failure: &Failure) {
    out.extend_from_slice(&handle.to_le_bytes());
    varint::put(out, elapsed_ns);
    out.push(FAILED);
    put_failure(out, failure);
}

/// Appends the outcome of an attempt that had nothing to do.
pub fn put_skipped(out: &mut Vec<u8>, handle: u64, elapsed_ns: u64, reason: &str) {
    out.extend_from_slice(&handle.to_le_bytes());
    varint::put(out, elapsed_ns);
    out.push(SKIPPED);
    put_slice(out, reason.as_bytes());
}

/// Reads all outcomes of a frame's body into `outcomes`.
///
/// # Errors
/// When the bytes are none; what was read by then stays in `outcomes`.
pub fn take_outcomes(bytes: &[u8], outcomes: &mut Vec<Outcome>) -> Result<(), Malformed> {
    let at = &mut 0;
    while *at < bytes.len() {
        let handle = Handle::new(take_u64(bytes, at)?).ok_or(Malformed::Number)?;
        let elapsed_ns = varint::take(bytes, at)?;
        let verdict = match take_byte(bytes, at)? {
            FAILED => Verdict::Failed(Box::new(take_failure(bytes, at)?)),
            SKIPPED => Verdict::Skipped(take_text(bytes, at)?.into()),
            tag @ (DONE | DONE_WITH_EFFECTS) => {
                let values = Payload::copy_from(take_sized(bytes, at)?);
                let effects = if tag == DONE { None } else { Some(Box::new(take_effects(bytes, at)?)) };
                Verdict::Done(Done { values, effects })
            }
            tag => return Err(Malformed::Tag(tag)),
        };
        outcomes.push(Outcome { handle, elapsed_ns, verdict });
    }
    Ok(())
}

fn take_effects(bytes: &[u8], at: &mut usize) -> Result<Effects, Malformed> {
    let puts = take_tasks(bytes, at)?;
    let count = take_count(bytes, at, 1)?;
    let rows = (0..count)
        .map(|_| Ok(Payload::copy_from(take_sized(bytes, at)?)))
        .collect::<Result<_, Malformed>>()?;
    let count = take_count(bytes, at, 16)?;
    let cancels = (0..count).map(|_| take_u128(bytes, at)).collect::<Result<_, _>>()?;
    Ok(Effects { puts, rows, cancels })
}

/// Reads the handles of a frame of kind [`RETURNED`].
///
/// # Errors
/// When the bytes are none.
pub fn take_handles(bytes: &[u8]) -> Result<Vec<Handle>, Malformed> {
    let at = &mut 0;
    let mut handles = Vec::with_capacity(bytes.len() / 8);
    while *at < bytes.len() {
        handles.push(Handle::new(take_u64(bytes, at)?).ok_or(Malformed::Number)?);
    }
    Ok(handles)
}

/// A line of a script in a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The task that wrote it, if one was running.
    pub task: Option<Handle>,
    /// How loud.
    pub level: Level,
    /// The text.
    pub text: String,
    /// Fields of `mpms.log`.
    pub fields: Vec<(String, String)>,
}

/// Appends a frame with a line.
pub fn put_line(out: &mut Vec<u8>, line: &Line) {
    let at = frame::begin(out, LOG);
    out.extend_from_slice(&line.task.map_or(0, Handle::bits).to_le_bytes());
    out.push(line.level as u8);
    put_slice(out, line.text.as_bytes());
    varint::put(out, line.fields.len() as u64);
    for (name, text) in &line.fields {
        put_slice(out, name.as_bytes());
        put_slice(out, text.as_bytes());
    }
    frame::end(out, at);
}

/// Reads the body of a line's frame.
///
/// # Errors
/// When the bytes are none.
pub fn take_line(bytes: &[u8]) -> Result<Line, Malformed> {
    let at = &mut 0;
    let task = Handle::new(take_u64(bytes, at)?);
    let level = match take_byte(bytes, at)? {
        0 => Level::Debug,
        1 => Level::Print,
        2 => Level::Info,
        3 => Level::Warn,
        4 => Level::Error,
        tag => return Err(Malformed::Tag(tag)),
    };
    let text = take_text(bytes, at)?;
    let count = take_count(bytes, at, 2)?;
    let fields = (0..count)
        .map(|_| Ok((take_text(bytes, at)?, take_text(bytes, at)?)))
        .collect::<Result<_, Malformed>>()?;
    Ok(Line { task, level, text, fields })
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Which one.
    pub task: Handle,
    /// Units done.
    pub done: f64,
    /// Units in all.
    pub total: Option<f64>,
    /// Its words.
    pub message: Option<String>,
}

/// Appends a frame with a progress.
pub fn put_progress(out: &mut Vec<u8>, progress: &Progress) {
    let at = frame::begin(out, PROGRESS);
    out.extend_from_slice(&progress.task.bits().to_le_bytes());
    out.extend_from_slice(&progress.done.to_le_bytes());
    out.extend_from_slice(&progress.total.unwrap_or(f64::NAN).to_le_bytes());
    put_slice(out, progress.message.as_deref().unwrap_or_default().as_bytes());
    frame::end(out, at);
}

/// Reads the body of a progress frame.
///
/// # Errors
/// When the bytes are none.
pub fn take_progress(bytes: &[u8]) -> Result<Progress, Malformed> {
    let at = &mut 0;
    let task = Handle::new(take_u64(bytes, at)?).ok_or(Malformed::Number)?;
    let done = take_float(bytes, at)?;
    let total = Some(take_float(bytes, at)?).filter(|total| !total.is_nan());
    let message = Some(take_text(bytes, at)?).filter(|text| !text.is_empty());
    Ok(Progress { task, done, total, message })
}

/// Appends a frame with the state that a task saved: the code of one value.
pub fn put_saved(out: &mut Vec<u8>, task: Handle, state: &[u8]) {
    let at = frame::begin(out, SAVED);
    out.extend_from_slice(&task.bits().to_le_bytes());
    out.extend_from_slice(state);
    frame::end(out, at);
}

/// Reads the body of such a frame; no state when the value is nil.
///
/// # Errors
/// When the bytes are none.
pub fn take_saved(bytes: &[u8]) -> Result<(Handle, Option<&[u8]>), Malformed> {
    let at = &mut 0;
    let task = Handle::new(take_u64(bytes, at)?).ok_or(Malformed::Number)?;
    let start = *at;
    token::skip(bytes, at)?;
    let state = &bytes[start..];
    if *at < bytes.len() {
        return Err(Malformed::Tag(bytes[*at]));
    }
    Ok((task, Some(state).filter(|state| *state != [NIL])))
}

/// Appends a frame that says that a task uses its folder.
pub fn put_housed(out: &mut Vec<u8>, task: Handle) {
    let at = frame::begin(out, HOUSED);
    out.extend_from_slice(&task.bits().to_le_bytes());
    frame::end(out, at);
}

/// Reads the body of such a frame.
///
/// # Errors
/// When the bytes are none.
pub fn take_housed(bytes: &[u8]) -> Result<Handle, Malformed> {
    Handle::new(take_u64(bytes, &mut 0)?).ok_or(Malformed::Number)
}

/// Appends a frame that says why the process cannot work.
pub fn put_broken(out: &mut Vec<u8>, failure: &Failure) {
    let at = frame::begin(out, BROKEN);
    put_failure(out, failure);
    frame::end(out, at);
}

/// Appends a frame by which a process asks to be replaced.
pub fn put_retire(out: &mut Vec<u8>, reason: &str) {
    let at = frame::begin(out, RETIRE);
    put_slice(out, reason.as_bytes());
    frame::end(out, at);
}

/// Reads the reason in such a frame.
///
/// # Errors
/// When the bytes are none.
pub fn take_retire(bytes: &[u8]) -> Result<String, Malformed> {
    take_text(bytes, &mut 0)
}

/// Appends a frame that names a file and the hash of its text.
pub fn put_loaded(out: &mut Vec<u8>, path: &Path, hash: u128) {
    let at = frame::begin(out, LOADED);
    put_file(out, path, hash);
    frame::end(out, at);
}

/// Reads the body of such a frame.
///
/// # Errors
/// When the bytes are none.
pub fn take_loaded(bytes: &[u8]) -> Result<(PathBuf, u128), Malformed> {
    take_file(bytes, &mut 0)
}

/// Reads the body of such a frame.
///
/// # Errors
/// When the bytes are none.
pub fn take_broken(bytes: &[u8]) -> Result<Failure, Malformed> {
    take_failure(bytes, &mut 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::task::TaskOptions;
    use crate::model::{Task, TaskId};
    use crate::wire::value::ARRAY;
    use proptest::prelude::*;

    #[test]
    fn outcomes_cross_whole() {
        let key = TaskOptions { key: Some((*b"k").into()), priority: -3, delay_ns: 7, cancelled: false };
        let put =
            Task { id: TaskId::ROOT, args: Payload::copy_from(b"\x01\x05"), options: Some(Box::new(key)) };
        let rows = vec![Payload::copy_from(b"row")];
        let effects = Effects { puts: vec![put], rows, cancels: vec![3, u128::MAX] };
        let failure =
            Failure { traceback: Some("at 1".into()), retryable: Some(true), ..Failure::new("c", "m") };
        let mut bytes = Vec::new();
        put_done(&mut bytes, 5, 1000, b"\x01\x07", Some(&effects));
        put_failed(&mut bytes, 6, 2000, &failure);
        let mut outcomes = Vec::new();
        assert_eq!(take_outcomes(&bytes, &mut outcomes), Ok(()));
        let done = Done { values: Payload::copy_from(b"\x01\x07"), effects: Some(Box::new(effects)) };
        let handle = |bits| Handle::new(bits).expect("not 0");
        assert_eq!(
            outcomes,
            [
                Outcome { handle: handle(5), elapsed_ns: 1000, verdict: Verdict::Done(done) },
                Outcome { handle: handle(6), elapsed_ns: 2000, verdict: Verdict::Failed(Box::new(failure)) },
            ]
        );
    }

    #[test]
    fn states_cross_and_only_whole_values_are_states() {
        let handle = Handle::new(7).expect("not 0");
        let frame = |state: &[u8]| {
            let mut bytes = Vec::new();
            put_saved(&mut bytes, handle, state);
            bytes.split_off(frame::HEADER)
        };
        let text = b"\x83abc";
        assert_eq!(take_saved(&frame(text)), Ok((handle, Some(&text[..]))));
        assert_eq!(take_saved(&frame(&[NIL])), Ok((handle, None)));
        for wrong in [&b""[..], b"\x83ab", b"\x05\x05", &[ARRAY, 0xff, 0xff, 0xff, 0x7f], b"\xff"] {
            assert!(take_saved(&frame(wrong)).is_err(), "{wrong:?}");
        }
        assert!(take_saved(&[0; 8]).is_err(), "no task");
        let mut bytes = Vec::new();
        put_housed(&mut bytes, handle);
        assert_eq!(take_housed(&bytes[frame::HEADER..]), Ok(handle));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = take_outcomes(&bytes, &mut Vec::new());
            let _ = take_line(&bytes);
            let _ = take_progress(&bytes);
            let _ = take_handles(&bytes);
            let _ = take_broken(&bytes);
            let _ = take_loaded(&bytes);
            let _ = take_retire(&bytes);
            let _ = take_saved(&bytes);
            let _ = take_housed(&bytes);
            let _ = crate::wire::to_worker::take_setup(&bytes);
            let _ = crate::wire::to_worker::take_task(&bytes, &mut 0);
        }
    }
}
