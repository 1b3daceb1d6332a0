//! Frames: a length, a kind, a body. Many messages travel in one frame.

/// Bytes of the length and the kind in front of a body.
pub const HEADER: usize = 5;

/// Largest body: a value of 64 MiB and what stands around it.
pub const MAX_BODY: usize = (64 << 20) + (1 << 20);

/// A frame is sent at the latest when its body has this many bytes.
pub const FULL: usize = 128 << 10;

/// Why a stream cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// The length is over [`MAX_BODY`].
    #[error("a frame of {0} bytes announced, at most {MAX_BODY} are allowed")]
    Large(u32),
}

/// Begins a frame at the end of `out` and gives its place, for [`end`].
#[must_use]
pub fn begin(out: &mut Vec<u8>, kind: u8) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind]);
    at
}

/// Writes the length of the frame that began at `at` and ends with `out`.
pub fn end(out: &mut [u8], at: usize) {
    let length = (out.len() - at - HEADER) as u32;
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// Collects bytes of a stream and gives out whole frames.
#[derive(Default)]
pub struct Reader {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Reader {
    /// Bytes read at once when no larger frame is under way.
    const CHUNK: usize = 256 << 10;

    /// Room for the next read; say [`Reader::filled`] afterwards.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > 8 * Self::CHUNK {
                // a rare large value must not keep its memory
                self.buffer = Vec::new();
            }
        }
        let wanted = self.wanted();
        if self.buffer.len() - self.start < wanted || self.buffer.len() - self.end < Self::CHUNK / 4 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let size = wanted.max(self.end + Self::CHUNK);
            if self.buffer.len() < size {
                self.buffer.resize(size, 0);
            }
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes came.
    pub fn filled(&mut self, count: usize) {
        self.end += count;
    }

    /// The next whole frame: kind and body.
    ///
    /// # Errors
    /// When the announced length is not allowed; the stream is of no use then.
    #[expect(clippy::should_implement_trait, reason = "the frame borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<(u8, &[u8])>, BadFrame> {
        let Some(length) = self.announced() else { return Ok(None) };
        if length as usize > MAX_BODY {
            return Err(BadFrame::Large(length));
        }
        let whole = HEADER + length as usize;
        if self.end - self.start < whole {
            return Ok(None);
        }
        let frame = &self.buffer[self.start..self.start + whole];
        self.start += whole;
        Ok(Some((frame[4], &frame[HEADER..])))
    }

    /// Whether bytes of an unfinished frame are left.
    pub fn is_torn(&self) -> bool {
        self.start < self.end
    }

    fn announced(&self) -> Option<u32> {
        let header = self.buffer[self.start..self.end].first_chunk::<4>()?;
        (self.end - self.start >= HEADER).then(|| u32::from_le_bytes(*header))
    }

    fn wanted(&self) -> usize {
        // one that is refused gets no memory
        let length = self.announced().map_or(0, |length| length as usize);
        if length > MAX_BODY { 0 } else { HEADER + length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cut_stream_never_yields_a_short_frame(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..8),
            pieces in prop::collection::vec(1usize..700, 1..50),
        ) {
            let mut stream = Vec::new();
            for body in &bodies {
                let at = begin(&mut stream, 7);
                stream.extend_from_slice(body);
                end(&mut stream, at);
            }
            let mut reader = Reader::default();
            let mut seen = Vec::new();
            let mut rest = &stream[..];
            for length in pieces.iter().cycle() {
                if rest.is_empty() { break }
                let (piece, later) = rest.split_at((*length).min(rest.len()));
                rest = later;
                reader.room()[..piece.len()].copy_from_slice(piece);
                reader.filled(piece.len());
                while let Ok(Some((kind, body))) = reader.next() {
                    prop_assert_eq!(kind, 7);
                    seen.push(body.to_vec());
                }
            }
            prop_assert_eq!(seen, bodies);
            prop_assert!(!reader.is_torn());
        }
    }

    #[test]
    fn an_absurd_length_is_refused_before_memory_is_taken() {
        let mut reader = Reader::default();
        reader.room()[..5].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 1]);
        reader.filled(5);
        assert_eq!(reader.next(), Err(BadFrame::Large(u32::MAX)));
        assert!(reader.room().len() < MAX_BODY);
    }
}
