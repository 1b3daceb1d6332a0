//! Encoded values on their way, opaque to everything but the value code and Lua.

use std::fmt;
use std::ops::Deref;

/// Bytes up to this length need no allocation: an integer or two and a short string fit.
const INLINE: usize = 22;

/// The encoded argument list of a task, the encoded results of a worker, or an encoded row.
///
/// Most tasks of a fast job are a few bytes long; those live in the payload itself, so that the
/// coordinator allocates nothing for them.
#[derive(Clone)]
pub enum Payload {
    /// Up to 22 bytes, in place.
    Inline(u8, [u8; INLINE]),
    /// Longer ones, on the heap.
    Heap(Box<[u8]>),
}

impl Payload {
    /// A copy of `bytes`.
    #[inline]
    pub fn copy_from(bytes: &[u8]) -> Self {
        if bytes.len() <= INLINE {
            let mut inline = [0; INLINE];
            inline[..bytes.len()].copy_from_slice(bytes);
            #[expect(clippy::cast_possible_truncation, reason = "at most 22")]
            Payload::Inline(bytes.len() as u8, inline)
        } else {
            Payload::Heap(bytes.into())
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Payload::copy_from(&[])
    }
}

impl Deref for Payload {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Payload::Inline(length, bytes) => &bytes[..usize::from(*length)],
            Payload::Heap(bytes) => bytes,
        }
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}
