//! Why bytes cannot be read.

/// Bytes that are no value code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end inside of a value.
    #[error("the bytes end inside of a value")]
    Cut,
    /// A tag that means nothing.
    #[error("unknown tag {0:#04x}")]
    Tag(u8),
    /// A varint of more than 64 bits.
    #[error("a number of more than 64 bits")]
    Number,
    /// Tables deeper than [`MAX_DEPTH`](crate::wire::value::MAX_DEPTH).
    #[error("tables nested deeper than 200")]
    Deep,
    /// A key that Lua does not allow: nil or NaN.
    #[error("a table key that is nil or NaN")]
    Key,
    /// A count that the rest of the bytes cannot hold.
    #[error("a count of {0} with too few bytes behind it")]
    Count(u64),
    /// Bytes behind the last value.
    #[error("bytes behind the last value")]
    Rest,
}
