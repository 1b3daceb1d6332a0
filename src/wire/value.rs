//! The value code: how values cross between processes.
//!
//! One tag byte, then what the tag needs. `lua::stack` reads and writes the same code straight from and
//! to the Lua stack; this file does it for [`Value`], for sources, outputs and reports. A *list* (the
//! arguments of a task, the results of a worker) is a count and that many values.
//!
//! | tag | value |
//! |---|---|
//! | `0x00..=0x7f` | the integer 0 to 127 |
//! | `0x80..=0xbf` | a string of 0 to 63 bytes, which follow |
//! | [`NIL`], [`FALSE`], [`TRUE`], [`NULL`] | themselves |
//! | [`INT`] | a zigzag varint |
//! | [`FLOAT`] | 8 bytes, little endian, all bits kept |
//! | [`BYTES`] | a varint length and the bytes |
//! | [`ARRAY`] | a varint count and the values of the keys 1 to n |
//! | [`MAP`] | a varint count and that many keys and values |
//! | [`MIXED`] | two varint counts, the values of the keys 1 to n, then keys and values |

use crate::model::Value;
pub use crate::wire::malformed::Malformed;
use crate::wire::varint;

/// First tag of the strings that carry their length in the tag.
pub const SHORT: u8 = 0x80;
/// Longest such string.
pub const SHORT_MAX: usize = 0x3f;
/// `nil`
pub const NIL: u8 = 0xc0;
/// `false`
pub const FALSE: u8 = 0xc1;
/// `true`
pub const TRUE: u8 = 0xc2;
/// An integer outside of 0 to 127.
pub const INT: u8 = 0xc3;
/// A float.
pub const FLOAT: u8 = 0xc4;
/// A string of more than [`SHORT_MAX`] bytes.
pub const BYTES: u8 = 0xc5;
/// A table with the keys `1..=n` only.
pub const ARRAY: u8 = 0xc6;
/// A table without a sequence.
pub const MAP: u8 = 0xc7;
/// A table with both.
pub const MIXED: u8 = 0xc8;
/// `mpms.null`
pub const NULL: u8 = 0xc9;

/// Deepest nesting of tables that crosses.
pub const MAX_DEPTH: usize = 200;
/// Largest encoded list: 64 MiB.
pub const MAX_BYTES: usize = 64 << 20;

/// Appends one value.
pub fn encode(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Nil => out.push(NIL),
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Int(number) => encode_int(out, *number),
        Value::Float(number) => encode_float(out, *number),
        Value::Bytes(bytes) => encode_bytes(out, bytes),
        Value::Array(items) => {
            out.push(ARRAY);
            varint::put(out, items.len() as u64);
            for item in items {
                encode(out, item);
            }
        }
        Value::Map(pairs) => {
            out.push(MAP);
            varint::put(out, pairs.len() as u64);
            for (key, item) in pairs {
                encode(out, key);
                encode(out, item);
            }
        }
    }
}

/// Appends an integer.
#[inline]
pub fn encode_int(out: &mut Vec<u8>, number: i64) {
    if (0..=0x7f).contains(&number) {
        out.push(number as u8);
    } else {
        out.push(INT);
        varint::put(out, varint::zigzag(number));
    }
}

/// Appends a float.
#[inline]
pub fn encode_float(out: &mut Vec<u8>, number: f64) {
    out.push(FLOAT);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a byte string.
#[inline]
pub fn encode_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= SHORT_MAX {
        out.push(SHORT | bytes.len() as u8);
    } else {
        out.push(BYTES);
        varint::put(out, bytes.len() as u64);
    }
    out.extend_from_slice(bytes);
}

/// A list as a payload holds it: the count, then the values.
pub fn encode_list<'a>(values: impl ExactSizeIterator<Item = &'a Value>) -> Vec<u8> {
    let mut out = Vec::new();
    varint::put(&mut out, values.len() as u64);
    for value in values {
        encode(&mut out, value);
    }
    out
}

/// Reads one value at `*at` and moves `*at` behind it.
///
/// # Errors
/// When the bytes are no value code. Memory stays in proportion to the bytes, whatever they announce.
pub fn decode(bytes: &[u8], at: &mut usize) -> Result<Value, Malformed> {
    decode_at(bytes, at, 0)
}

/// Reads a whole payload: a list and nothing behind it.
///
/// # Errors
/// As [`decode`], and when bytes are left over.
pub fn decode_list(bytes: &[u8]) -> Result<Vec<Value>, Malformed> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let at = &mut 0;
    let count = take_count(bytes, at, 1)?;
    let values = take_items(bytes, at, 0, count)?;
    if *at == bytes.len() { Ok(values) } else { Err(Malformed::Rest) }
}

fn decode_at(bytes: &[u8], at: &mut usize, depth: usize) -> Result<Value, Malformed> {
    let tag = *bytes.get(*at).ok_or(Malformed::Cut)?;
    *at += 1;
    if matches!(tag, ARRAY | MAP | MIXED) && depth >= MAX_DEPTH {
        return Err(Malformed::Deep);
    }
    Ok(match tag {
        0..=0x7f => Value::Int(i64::from(tag)),
        SHORT..=0xbf => Value::Bytes(take_slice(bytes, at, u64::from(tag & 0x3f))?.to_vec()),
        NIL => Value::Nil,
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INT => Value::Int(varint::unzigzag(varint::take(bytes, at)?)),
        FLOAT => Value::Float(take_float(bytes, at)?),
        BYTES => {
            let length = varint::take(bytes, at)?;
            Value::Bytes(take_slice(bytes, at, length)?.to_vec())
        }
        ARRAY => {
            let count = take_count(bytes, at, 1)?;
            Value::Array(take_items(bytes, at, depth + 1, count)?)
        }
        MAP => {
            let count = take_count(bytes, at, 2)?;
            let mut pairs = Vec::with_capacity(count);
            take_pairs(bytes, at, depth, count, &mut pairs)?;
            Value::Map(pairs)
        }
        MIXED => {
            let sequence = take_count(bytes, at, 1)?;
            let rest = take_count(without(bytes, sequence), at, 2)?;
            let mut pairs = Vec::with_capacity(sequence + rest);
            for index in 1..=sequence {
                let own = without(bytes, sequence - index + 2 * rest);
                pairs.push((Value::Int(index as i64), decode_at(own, at, depth + 1)?));
            }
            take_pairs(bytes, at, depth, rest, &mut pairs)?;
            Value::Map(pairs)
        }
        tag => return Err(Malformed::Tag(tag)),
    })
}

fn take_items(bytes: &[u8], at: &mut usize, depth: usize, count: usize) -> Result<Vec<Value>, Malformed> {
    (1..=count).map(|index| decode_at(without(bytes, count - index), at, depth)).collect()
}

/// The bytes that a value may use when so many more follow it.
///
/// Without this each of 200 nested tables could announce as many values as there are bytes, and memory is taken
/// for them before they are read.
#[inline]
pub fn without(bytes: &[u8], needed_later: usize) -> &[u8] {
    &bytes[..bytes.len().saturating_sub(needed_later)]
}

fn take_pairs(
    bytes: &[u8],
    at: &mut usize,
    depth: usize,
    count: usize,
    pairs: &mut Vec<(Value, Value)>,
) -> Result<(), Malformed> {
    for index in 1..=count {
        let later = 2 * (count - index);
        let key = decode_at(without(bytes, later + 1), at, depth + 1)?;
        if key == Value::Nil || matches!(key, Value::Float(number) if number.is_nan()) {
            return Err(Malformed::Key);
        }
        pairs.push((key, decode_at(without(bytes, later), at, depth + 1)?));
    }
    Ok(())
}

/// A count whose values, of `least` bytes each, fit into the rest of the bytes.
///
/// # Errors
/// When they do not fit.
#[inline]
pub fn take_count(bytes: &[u8], at: &mut usize, least: u64) -> Result<usize, Malformed> {
    let count = varint::take(bytes, at)?;
    let room = bytes.len().saturating_sub(*at) as u64 / least;
    if count > room { Err(Malformed::Count(count)) } else { Ok(count as usize) }
}

/// The next `length` bytes.
///
/// # Errors
/// When there are fewer.
#[inline]
pub fn take_slice<'a>(bytes: &'a [u8], at: &mut usize, length: u64) -> Result<&'a [u8], Malformed> {
    let rest = bytes.get(*at..).ok_or(Malformed::Cut)?;
    let length = usize::try_from(length).map_err(|_| Malformed::Cut)?;
    let slice = rest.get(..length).ok_or(Malformed::Cut)?;
    *at += length;
    Ok(slice)
}

/// The 8 bytes of a float.
///
/// # Errors
/// When there are fewer.
#[inline]
pub fn take_float(bytes: &[u8], at: &mut usize) -> Result<f64, Malformed> {
    let slice = take_slice(bytes, at, 8)?;
    let mut raw = [0; 8];
    raw.copy_from_slice(slice);
    Ok(f64::from_le_bytes(raw))
}

/// A payload in short, at most `limit` characters, for lines that people read.
pub fn describe_list(bytes: &[u8], limit: usize) -> String {
    let Ok(values) = decode_list(bytes) else { return "(unreadable)".into() };
    let mut text = values.iter().map(describe).collect::<Vec<_>>().join(", ");
    if text.chars().count() > limit {
        text = text.chars().take(limit.saturating_sub(1)).chain(['…']).collect();
    }
    text
}

/// A value in short, for people: strings plain, tables like JSON.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => nested(other),
    }
}

fn nested(value: &Value) -> String {
    match value {
        Value::Nil => "nil".into(),
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Bytes(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Value::Array(items) => format!("[{}]", items.iter().map(nested).collect::<Vec<_>>().join(", ")),
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, item)| format!("{}: {}", describe(key), nested(item)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan()).prop_map(Value::Float),
            prop::collection::vec(any::<u8>(), 0..100).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            let key = prop_oneof![any::<i64>().prop_map(Value::Int), "[a-z]{0,8}".prop_map(Value::text)];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
                prop::collection::vec((key, inner), 0..8).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(values in prop::collection::vec(any_value(), 0..5)) {
            let bytes = encode_list(values.iter());
            prop_assert_eq!(decode_list(&bytes), Ok(values));
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_list(&bytes);
        }

        #[test]
        fn a_cut_list_is_refused(values in prop::collection::vec(any_value(), 1..5), cut in any::<prop::sample::Index>()) {
            let bytes = encode_list(values.iter());
            let short = &bytes[..cut.index(bytes.len())];
            prop_assert!(short.is_empty() || decode_list(short).is_err());
        }
    }

    #[test]
    fn nan_keeps_its_bits() {
        let odd = f64::from_bits(0x7ff8_0000_0000_1234);
        let bytes = encode_list([Value::Float(odd)].iter());
        let Ok(values) = decode_list(&bytes) else { panic!("refused") };
        assert!(matches!(values[..], [Value::Float(number)] if number.to_bits() == odd.to_bits()));
    }

    #[test]
    fn ten_million_elements_in_ten_bytes_are_refused() {
        let mut bytes = vec![1, ARRAY];
        varint::put(&mut bytes, 10_000_000);
        assert_eq!(decode_list(&bytes), Err(Malformed::Count(10_000_000)));
    }

    #[test]
    fn a_million_open_tables_are_refused() {
        let mut bytes = vec![1];
        bytes.extend([ARRAY, 1].repeat(1_000_000));
        assert_eq!(decode_list(&bytes), Err(Malformed::Deep));
    }

    #[test]
    fn nested_tables_cannot_all_announce_the_same_bytes() {
        let zeros = [0; 1000];
        let mut bytes = vec![1];
        for _ in 0..3 {
            bytes.push(ARRAY);
            varint::put(&mut bytes, 900);
        }
        bytes.extend(zeros);
        assert_eq!(decode_list(&bytes), Err(Malformed::Count(900)));
    }

    #[test]
    fn tables_nest_to_the_same_depth_everywhere() {
        let nested = |depth: usize| {
            let mut bytes = vec![1u8];
            bytes.extend([ARRAY, 1].repeat(depth - 1));
            bytes.extend_from_slice(&[ARRAY, 0]);
            bytes
        };
        assert!(decode_list(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(decode_list(&nested(MAX_DEPTH + 1)), Err(Malformed::Deep));
    }
}
