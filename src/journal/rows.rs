//! How a waiting and a failed task lie in their rows: a version, fields as on the wire, a check sum. The check sum
//! covers the number of the row too.

use std::time::{SystemTime, UNIX_EPOCH};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::record::FailedTask;
use crate::model::task::TaskOptions;
use crate::model::{Payload, Seq, Task, TaskId};
use crate::wire::bytes::{put_failure, put_slice, take_byte, take_failure, take_sized, take_u128};
use crate::wire::malformed::Malformed;
use crate::wire::varint;

const VERSION: u8 = 1;

const KEY: u8 = 1;
const DELAY: u8 = 2;
const CANCELLED: u8 = 4;

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Writes a waiting task over `out`. Its priority has a column of its own. A delay becomes a time of day, so that a
/// later session waits for the rest of it.
pub(super) fn write_task(out: &mut Vec<u8>, seq: Seq, task: &Task, now_ms: u64) {
    out.clear();
    let key = task.key();
    let delay_ns = task.options.as_ref().map_or(0, |options| options.delay_ns);
    let is_cancelled = task.options.as_ref().is_some_and(|options| options.cancelled);
    let flag = |on: bool, flag: u8| if on { flag } else { 0 };
    out.push(VERSION);
    out.push(flag(key.is_some(), KEY) | flag(delay_ns > 0, DELAY) | flag(is_cancelled, CANCELLED));
    out.extend_from_slice(&task.id.bits().to_le_bytes());
    if let Some(key) = key {
        put_slice(out, key);
    }
    if delay_ns > 0 {
        varint::put(out, now_ms);
        varint::put(out, delay_ns);
    }
    out.extend_from_slice(&task.args);
    seal(out, seq.number());
}

/// Reads what [`write_task`] wrote; what is left of its delay is left of it at `now_ms`.
pub(super) fn read_task(bytes: &[u8], seq: Seq, priority: i32, now_ms: u64) -> Result<Task, String> {
    let bytes = opened(bytes, seq.number())?;
    parse_task(bytes, priority, now_ms).map_err(|malformed| malformed.to_string())
}

fn parse_task(bytes: &[u8], priority: i32, now_ms: u64) -> Result<Task, Malformed> {
    let mut at = 0;
    if take_byte(bytes, &mut at)? != VERSION {
        return Err(Malformed::Tag(bytes[0]));
    }
    let flags = take_byte(bytes, &mut at)?;
    if flags & !(KEY | DELAY | CANCELLED) != 0 {
        return Err(Malformed::Tag(flags));
    }
    let id = TaskId::from_bits(take_u128(bytes, &mut at)?);
    let cancelled = flags & CANCELLED != 0;
    let mut options = TaskOptions { priority, cancelled, ..TaskOptions::default() };
    if flags & KEY != 0 {
        options.key = Some(take_sized(bytes, &mut at)?.into());
    }
    if flags & DELAY != 0 {
        let put_ms = varint::take(bytes, &mut at)?;
        let delay_ns = varint::take(bytes, &mut at)?;
        // a clock that was set back makes nobody wait longer than was asked
        let waited_ns = now_ms.saturating_sub(put_ms).saturating_mul(1_000_000);
        options.delay_ns = delay_ns.saturating_sub(waited_ns);
    }
    let options = (options != TaskOptions::default()).then(|| Box::new(options));
    Ok(Task { id, args: Payload::copy_from(&bytes[at..]), options })
}

/// Writes a failed task over `out`.
pub(super) fn write_failed(out: &mut Vec<u8>, number: u64, task: &FailedTask) {
    out.clear();
    out.extend_from_slice(&[VERSION, u8::from(task.key.is_some())]);
    out.extend_from_slice(&task.id.bits().to_le_bytes());
    if let Some(key) = &task.key {
        put_slice(out, key);
    }
    put_slice(out, &task.args);
    varint::put(out, u64::from(task.attempt));
    varint::put(out, u64::from(task.worker));
    varint::put(out, task.elapsed_ns);
    put_failure(out, &task.failure);
    seal(out, number);
}

/// Reads what [`write_failed`] wrote.
pub(super) fn read_failed(bytes: &[u8], number: u64) -> Result<FailedTask, String> {
    let bytes = opened(bytes, number)?;
    parse_failed(bytes).map_err(|malformed| malformed.to_string())
}

fn parse_failed(bytes: &[u8]) -> Result<FailedTask, Malformed> {
    let mut at = 0;
    if take_byte(bytes, &mut at)? != VERSION {
        return Err(Malformed::Tag(bytes[0]));
    }
    let has_key = take_byte(bytes, &mut at)? != 0;
    let id = TaskId::from_bits(take_u128(bytes, &mut at)?);
    let key = if has_key { Some(take_sized(bytes, &mut at)?.into()) } else { None };
    let args = Payload::copy_from(take_sized(bytes, &mut at)?);
    let small = |number: u64| u32::try_from(number).map_err(|_| Malformed::Number);
    let attempt = small(varint::take(bytes, &mut at)?)?;
    let worker = small(varint::take(bytes, &mut at)?)?;
    let elapsed_ns = varint::take(bytes, &mut at)?;
    let failure = take_failure(bytes, &mut at)?;
    Ok(FailedTask { id, key, args, attempt, worker, elapsed_ns, failure })
}

/// Writes what a task saved over `out`.
pub(super) fn write_state(out: &mut Vec<u8>, id: TaskId, state: &[u8]) {
    out.clear();
    out.push(VERSION);
    out.extend_from_slice(state);
    seal(out, half(id));
}

/// Reads what [`write_state`] wrote.
pub(super) fn read_state(bytes: &[u8], id: TaskId) -> Result<&[u8], String> {
    match opened(bytes, half(id))?.split_first() {
        Some((&VERSION, state)) => Ok(state),
        _ => Err("it is of another version".to_owned()),
    }
}

fn half(id: TaskId) -> u64 {
    let bits = id.bits();
    (bits >> 64) as u64 ^ bits as u64
}

fn seal(out: &mut Vec<u8>, number: u64) {
    let sum = xxh3_64_with_seed(out, number) as u32;
    out.extend_from_slice(&sum.to_le_bytes());
}

fn opened(bytes: &[u8], number: u64) -> Result<&[u8], String> {
    let (bytes, sum) = bytes.split_last_chunk::<4>().ok_or("too short")?;
    let is_right = xxh3_64_with_seed(bytes, number) as u32 == u32::from_le_bytes(*sum);
    if is_right { Ok(bytes) } else { Err("the check sum is wrong".to_owned()) }
}
