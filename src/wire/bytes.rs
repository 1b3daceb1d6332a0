//! Small parts of messages: numbers, byte strings, failures, puts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::value::{Malformed, take_count, take_slice};
use super::varint;
use crate::model::task::TaskOptions;
use crate::model::{Failure, Payload, Task, TaskId};

/// Appends a length and the bytes.
#[inline]
pub fn put_slice(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what [`put_slice`] wrote.
///
/// # Errors
/// When the bytes end before.
#[inline]
pub fn take_sized<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a [u8], Malformed> {
    let length = varint::take(bytes, at)?;
    take_slice(bytes, at, length)
}

/// Reads text; what is not UTF-8 in it is replaced.
///
/// # Errors
/// When the bytes end before.
pub fn take_text(bytes: &[u8], at: &mut usize) -> Result<String, Malformed> {
    Ok(String::from_utf8_lossy(take_sized(bytes, at)?).into_owned())
}

/// The next byte.
///
/// # Errors
/// When there is none.
#[inline]
pub fn take_byte(bytes: &[u8], at: &mut usize) -> Result<u8, Malformed> {
    let byte = *bytes.get(*at).ok_or(Malformed::Cut)?;
    *at += 1;
    Ok(byte)
}

/// Eight bytes, little endian.
///
/// # Errors
/// When there are fewer.
#[inline]
pub fn take_u64(bytes: &[u8], at: &mut usize) -> Result<u64, Malformed> {
    let slice = take_slice(bytes, at, 8)?;
    let mut raw = [0; 8];
    raw.copy_from_slice(slice);
    Ok(u64::from_le_bytes(raw))
}

/// Sixteen bytes, little endian.
///
/// # Errors
/// When there are fewer.
#[inline]
pub fn take_u128(bytes: &[u8], at: &mut usize) -> Result<u128, Malformed> {
    let slice = take_slice(bytes, at, 16)?;
    let mut raw = [0; 16];
    raw.copy_from_slice(slice);
    Ok(u128::from_le_bytes(raw))
}

/// Reads a path.
///
/// # Errors
/// When the bytes end before.
pub fn take_path(bytes: &[u8], at: &mut usize) -> Result<PathBuf, Malformed> {
    Ok(PathBuf::from(OsStr::from_bytes(take_sized(bytes, at)?)))
}

/// Appends a file and the hash of its text.
pub fn put_file(out: &mut Vec<u8>, path: &Path, hash: u128) {
    put_slice(out, path.as_os_str().as_encoded_bytes());
    out.extend_from_slice(&hash.to_le_bytes());
}

/// Reads what [`put_file`] wrote.
///
/// # Errors
/// When the bytes end before.
pub fn take_file(bytes: &[u8], at: &mut usize) -> Result<(PathBuf, u128), Malformed> {
    Ok((take_path(bytes, at)?, take_u128(bytes, at)?))
}

/// Appends a failure.
pub fn put_failure(out: &mut Vec<u8>, failure: &Failure) {
    put_slice(out, failure.code.as_bytes());
    put_slice(out, failure.message.as_bytes());
    put_slice(out, failure.traceback.as_deref().unwrap_or_default().as_bytes());
    let retryable = match failure.retryable {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    };
    out.push(retryable | u8::from(failure.asked) << 2 | u8::from(failure.abort) << 3);
    varint::put(out, failure.after_ns.map_or(0, |after| after.saturating_add(1)));
}

/// Reads a failure.
///
/// # Errors
/// When the bytes end before.
pub fn take_failure(bytes: &[u8], at: &mut usize) -> Result<Failure, Malformed> {
    let code = take_text(bytes, at)?;
    let message = take_text(bytes, at)?;
    let traceback = Some(take_text(bytes, at)?).filter(|text| !text.is_empty());
    let flags = take_byte(bytes, at)?;
    let retryable = match flags & 3 {
        0 => None,
        1 => Some(false),
        2 => Some(true),
        flag => return Err(Malformed::Tag(flag)),
    };
    let after_ns = varint::take(bytes, at)?.checked_sub(1);
    let (asked, abort) = (flags & 4 != 0, flags & 8 != 0);
    Ok(Failure { code, message, traceback, retryable, after_ns, asked, abort })
}

const KEY: u8 = 1;
const PRIORITY: u8 = 2;
const DELAY: u8 = 4;

/// Appends a put: options and arguments. Its id is not sent; the parent gives it.
pub fn put_task(out: &mut Vec<u8>, task: &Task) {
    let none = TaskOptions::default();
    let options = task.options.as_deref().unwrap_or(&none);
    let flag = |on: bool, flag: u8| if on { flag } else { 0 };
    out.push(
        flag(options.key.is_some(), KEY)
            | flag(options.priority != 0, PRIORITY)
            | flag(options.delay_ns != 0, DELAY),
    );
    if let Some(key) = &options.key {
        put_slice(out, key);
    }
    if options.priority != 0 {
        varint::put(out, varint::zigzag(i64::from(options.priority)));
    }
    if options.delay_ns != 0 {
        varint::put(out, options.delay_ns);
    }
    put_slice(out, &task.args);
}

/// Reads puts, without ids.
///
/// # Errors
/// When the bytes are no puts.
pub fn take_tasks(bytes: &[u8], at: &mut usize) -> Result<Vec<Task>, Malformed> {
    let count = take_count(bytes, at, 2)?;
    (0..count).map(|_| take_task(bytes, at)).collect()
}

fn take_task(bytes: &[u8], at: &mut usize) -> Result<Task, Malformed> {
    let flags = take_byte(bytes, at)?;
    if flags & !(KEY | PRIORITY | DELAY) != 0 {
        return Err(Malformed::Tag(flags));
    }
    let mut options = TaskOptions::default();
    if flags & KEY != 0 {
        options.key = Some(take_sized(bytes, at)?.into());
    }
    if flags & PRIORITY != 0 {
        let priority = varint::unzigzag(varint::take(bytes, at)?);
        options.priority = i32::try_from(priority).map_err(|_| Malformed::Number)?;
    }
    if flags & DELAY != 0 {
        options.delay_ns = varint::take(bytes, at)?;
    }
    let args = Payload::copy_from(take_sized(bytes, at)?);
    if args.is_empty() {
        // a list has at least its length
        return Err(Malformed::Cut);
    }
    let options = (options != TaskOptions::default()).then(|| Box::new(options));
    Ok(Task { id: TaskId::ROOT, args, options })
}
