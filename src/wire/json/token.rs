//! The value code read in place: one token after the other, nothing is built.

use std::borrow::Cow;

use crate::wire::value::{
    ARRAY, BYTES, FALSE, FLOAT, INT, MAP, MIXED, Malformed, NIL, NULL, SHORT, TRUE, take_count, take_float,
    take_slice,
};
use crate::wire::varint;

/// A plain value, or the head of a table whose values follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    /// `nil`, or `mpms.null`, which is the same to every format of rows.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Bytes(&'a [u8]),
    /// So many values follow.
    Array(usize),
    /// So many values of the keys `1..=n`, then so many pairs of key and value.
    Table(usize, usize),
}

/// Reads the token at `*at` and moves `*at` behind it.
///
/// # Errors
/// When the bytes are no value code.
#[inline]
pub fn take<'a>(bytes: &'a [u8], at: &mut usize) -> Result<Token<'a>, Malformed> {
    let tag = *bytes.get(*at).ok_or(Malformed::Cut)?;
    *at += 1;
    Ok(match tag {
        0..=0x7f => Token::Int(i64::from(tag)),
        SHORT..=0xbf => Token::Bytes(take_slice(bytes, at, u64::from(tag & 0x3f))?),
        NIL | NULL => Token::Nil,
        FALSE => Token::Bool(false),
        TRUE => Token::Bool(true),
        INT => Token::Int(varint::unzigzag(varint::take(bytes, at)?)),
        FLOAT => Token::Float(take_float(bytes, at)?),
        BYTES => {
            let length = varint::take(bytes, at)?;
            Token::Bytes(take_slice(bytes, at, length)?)
        }
        ARRAY => Token::Array(take_count(bytes, at, 1)?),
        MAP => Token::Table(0, take_count(bytes, at, 2)?),
        MIXED => Token::Table(take_count(bytes, at, 1)?, take_count(bytes, at, 2)?),
        tag => return Err(Malformed::Tag(tag)),
    })
}

/// Moves `*at` behind the value that begins there, however deep it is.
///
/// # Errors
/// When the bytes are no value code.
pub fn skip(bytes: &[u8], at: &mut usize) -> Result<(), Malformed> {
    let mut open = 1;
    while open > 0 {
        open -= 1;
        open += match take(bytes, at)? {
            Token::Array(count) => count,
            Token::Table(sequence, pairs) => sequence + 2 * pairs,
            _ => 0,
        };
    }
    Ok(())
}

/// The bytes of the value at `*at`, which moves behind it.
///
/// # Errors
/// When the bytes are no value code.
pub fn slice<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a [u8], Malformed> {
    let start = *at;
    skip(bytes, at)?;
    Ok(&bytes[start..*at])
}

/// A table's key as formats with named columns write it. Numbers come before names, in their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name<'a> {
    /// An integer key.
    Int(i64),
    /// A string key as it is; any other as Lua would print it.
    Text(Cow<'a, [u8]>),
}

impl Name<'_> {
    /// The key as bytes; integers in decimal.
    pub fn text(&self) -> Cow<'_, [u8]> {
        match self {
            Name::Int(number) => Cow::Owned(number.to_string().into_bytes()),
            Name::Text(text) => Cow::Borrowed(text),
        }
    }
}

/// The pairs of a table that is no array, in the order of the code.
pub struct Pairs<'a> {
    bytes: &'a [u8],
    at: usize,
    next: i64,
    sequence: usize,
    rest: usize,
}

impl<'a> Pairs<'a> {
    /// Behind the head of a table ([`Token::Table`]) at `at`.
    pub fn new(bytes: &'a [u8], at: usize, sequence: usize, rest: usize) -> Self {
        Pairs { bytes, at, next: 1, sequence, rest }
    }

    /// Where the next pair begins; behind the table, once there is none left.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next key and the bytes of its value.
    ///
    /// # Errors
    /// When the bytes are no value code, or the key is nil, NaN or a table.
    pub fn take(&mut self) -> Result<Option<(Name<'a>, &'a [u8])>, Malformed> {
        let name = if self.sequence > 0 {
            self.sequence -= 1;
            self.next += 1;
            Name::Int(self.next - 1)
        } else if self.rest > 0 {
            self.rest -= 1;
            match take(self.bytes, &mut self.at)? {
                Token::Int(number) => Name::Int(number),
                Token::Bytes(text) => Name::Text(Cow::Borrowed(text)),
                Token::Bool(flag) => Name::Text(Cow::Owned(flag.to_string().into_bytes())),
                Token::Float(number) if !number.is_nan() => {
                    Name::Text(Cow::Owned(format!("{number:?}").into_bytes()))
                }
                _ => return Err(Malformed::Key),
            }
        } else {
            return Ok(None);
        };
        Ok(Some((name, slice(self.bytes, &mut self.at)?)))
    }
}
