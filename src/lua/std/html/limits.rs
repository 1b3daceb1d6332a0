//! How much of a document is read before it is refused.

use bytesize::ByteSize;

use crate::lua::error::LibError;
use crate::lua::options::Options;

/// Of one document.
pub(super) struct Limits {
    /// Bytes of the source.
    pub size: usize,
    /// Elements inside of each other.
    pub depth: usize,
    /// Elements, texts and comments; an attribute counts half.
    pub nodes: usize,
}

/// The tree keeps places in the text as 32 bits.
const MOST_BYTES: u64 = 1 << 30;

/// Beyond it, closing a document costs minutes.
const MOST_DEPTH: usize = 10_000;

/// Comparisons of attribute names: the parser compares each of a tag with those before it.
const MOST_COMPARISONS: u64 = 1_000_000_000;

impl Default for Limits {
    /// Browsers stop at a depth of 512; a node takes about 200 bytes.
    fn default() -> Self {
        Self { size: 32 << 20, depth: 1_000, nodes: 1_000_000 }
    }
}

impl Limits {
    /// # Errors
    /// On wrong options.
    pub fn read(options: &mut Options) -> Result<Self, LibError> {
        let usual = Self::default();
        let size = options.size("max_size")?.unwrap_or(usual.size as u64);
        let depth = options.count("max_depth")?.unwrap_or(usual.depth);
        if size > MOST_BYTES {
            return Err(LibError::invalid("option `max_size` must be 1 GiB or less"));
        }
        if depth > MOST_DEPTH {
            return Err(LibError::invalid(format!("option `max_depth` must be {MOST_DEPTH} or less")));
        }
        Ok(Self { size: size as usize, depth, nodes: options.count("max_nodes")?.unwrap_or(usual.nodes) })
    }

    /// # Errors
    /// `too_large`.
    pub fn check_size(&self, size: usize) -> Result<(), LibError> {
        if size > self.size {
            let (size, most) = (ByteSize::b(size as u64), ByteSize::b(self.size as u64));
            return Err(too_large(format!("the document has {size}, more than `max_size` ({most})")));
        }
        Ok(())
    }
}

pub(super) fn too_large(message: String) -> LibError {
    LibError::new("too_large", message)
}

/// # Errors
/// `too_large` for tags with so many attributes that reading them takes seconds.
pub(super) fn check_attributes(text: &str) -> Result<(), LibError> {
    let mut work = 0u64;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let (words, length) = tag(rest.as_bytes());
        work += words * words / 2;
        rest = rest.get(length..).unwrap_or_default();
        if work > MOST_COMPARISONS {
            return Err(too_large(format!("the document has a tag with {words} attributes")));
        }
    }
    Ok(())
}

/// Words outside of quotes up to the end of the tag, and the length to there.
fn tag(bytes: &[u8]) -> (u64, usize) {
    let (mut words, mut quote, mut value, mut inside) = (0, None, false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (Some(end), _) if byte == end => quote = None,
            (Some(_), _) => {}
            (None, b'>') => return (words, at),
            (None, b'"' | b'\'') if value => (quote, value) = (Some(byte), false),
            (None, b'=') => value = true,
            (None, _) if byte.is_ascii_whitespace() || byte == b'/' => inside = false,
            (None, _) => {
                words += u64::from(!inside);
                (inside, value) = (true, false);
            }
        }
    }
    (words, bytes.len())
}
