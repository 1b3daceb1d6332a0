//! A reader that gives UTF-8, whatever encoding is below.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use crate::lua::error::LibError;

/// Enough for a byte order mark and for the declaration of an XML document.
const HEAD: usize = 1024;
const CHUNK: usize = 64 << 10;

/// Which encoding the first bytes tell of; `None` passes all bytes on as they are.
type Pick = Box<dyn FnOnce(&[u8]) -> Result<Option<&'static Encoding>, String> + Send>;

/// A byte order mark wins over what was picked, and is not given on.
pub(super) struct Transcode<R> {
    inner: R,
    pick: Option<Pick>,
    decoder: Option<(Decoder, &'static Encoding)>,
    /// Read and not used: from `at` on.
    input: Vec<u8>,
    at: usize,
    ended: bool,
    /// The decoder has given all.
    finished: bool,
    output: Vec<u8>,
    given: usize,
}

/// # Errors
/// `invalid` for an unknown one.
pub(super) fn encoding(label: &str) -> Result<&'static Encoding, LibError> {
    Encoding::for_label(label.as_bytes())
        .ok_or_else(|| LibError::invalid(format!("the encoding `{label}` is not known")))
}

impl<R: Read> Transcode<R> {
    pub fn new(
        inner: R,
        pick: impl FnOnce(&[u8]) -> Result<Option<&'static Encoding>, String> + Send + 'static,
    ) -> Self {
        Self {
            inner,
            pick: Some(Box::new(pick)),
            decoder: None,
            input: Vec::new(),
            at: 0,
            ended: false,
            finished: false,
            output: Vec::new(),
            given: 0,
        }
    }

    fn begin(&mut self, pick: Pick) -> io::Result<()> {
        while self.input.len() < HEAD && !self.ended {
            self.more(HEAD)?;
        }
        let picked = match Encoding::for_bom(&self.input) {
            Some((encoding, length)) => {
                self.at = length;
                // only what is not UTF-8 by its mark has to be decoded, unless all is to be checked
                match pick(&self.input) {
                    Ok(None) if encoding == UTF_8 => None,
                    _ => Some(encoding),
                }
            }
            None => pick(&self.input).map_err(wrong)?,
        };
        self.decoder = picked.map(|encoding| (encoding.new_decoder_without_bom_handling(), encoding));
        Ok(())
    }

    fn more(&mut self, size: usize) -> io::Result<()> {
        let length = self.input.len();
        self.input.resize(length + size, 0);
        let read = loop {
            match self.inner.read(&mut self.input[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let read = read.inspect_err(|_| self.input.truncate(length))?;
        self.input.truncate(length + read);
        self.ended = read == 0;
        Ok(())
    }

    /// More output. Nothing may be decoded behind the end.
    fn decode(&mut self) -> io::Result<()> {
        let Some((decoder, encoding)) = &mut self.decoder else { return Ok(()) };
        let source = &self.input[self.at..];
        let room = decoder.max_utf8_buffer_length_without_replacement(source.len()).unwrap_or(CHUNK);
        self.output.resize(room.max(16), 0);
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(source, &mut self.output, self.ended);
        self.at += read;
        self.output.truncate(written);
        self.given = 0;
        match result {
            DecoderResult::Malformed(..) => Err(wrong(format!("the text is not {}", encoding.name()))),
            DecoderResult::InputEmpty => {
                self.finished = self.ended;
                Ok(())
            }
            DecoderResult::OutputFull => Ok(()),
        }
    }
}

fn wrong(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl<R: Read> Read for Transcode<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(pick) = self.pick.take() {
            self.begin(pick)?;
        }
        if self.decoder.is_none() {
            if self.at < self.input.len() {
                let count = (&self.input[self.at..]).read(buffer)?;
                self.at += count;
                return Ok(count);
            }
            return self.inner.read(buffer);
        }
        while self.given == self.output.len() {
            if self.finished {
                return Ok(0);
            }
            if self.at == self.input.len() && !self.ended {
                self.input.clear();
                self.at = 0;
                self.more(CHUNK)?;
            }
            self.decode()?;
        }
        let count = (&self.output[self.given..]).read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::{Transcode, encoding};

    /// Gives a byte at a time, so that every letter is cut.
    struct Slow<'a>(&'a [u8]);

    impl std::io::Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(1);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn read(bytes: &[u8], label: Option<&'static str>) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let pick = move |_: &[u8]| Ok(label.map(|label| encoding(label).expect("known")));
        Transcode::new(Slow(bytes), pick).read_to_end(&mut out).map_err(|error| error.to_string())?;
        Ok(out)
    }

    #[test]
    fn every_encoding_comes_out_as_utf8() {
        assert_eq!(read(b"", None), Ok(Vec::new()));
        assert_eq!(read(b"", Some("latin1")), Ok(Vec::new()));
        assert_eq!(read(b"\xff\xfe", None), Ok(Vec::new()));
        assert_eq!(read(b"a\xff", None), Ok(b"a\xff".to_vec()), "bytes stay bytes");
        assert_eq!(read(b"\xef\xbb\xbfa\xff", None), Ok(b"a\xff".to_vec()));
        assert_eq!(read(b"\xff\xfea\0\xe4\0", None), Ok("aä".as_bytes().to_vec()));
        assert_eq!(read(b"\xfe\xff\0a\xd8\x3d\xde\0", None), Ok("a😀".as_bytes().to_vec()));
        assert_eq!(read(b"na\xefve", Some("latin1")), Ok("naïve".as_bytes().to_vec()));
        assert_eq!(read(b"\x83\x65", Some("shift_jis")), Ok("テ".as_bytes().to_vec()));
        let long = "äö".repeat(100_000);
        let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(&long);
        assert_eq!(read(&bytes, Some("windows-1252")), Ok(long.into_bytes()));
        assert_eq!(read(b"ab\xff", Some("utf-8")), Err("the text is not UTF-8".to_owned()));
        assert_eq!(read(b"ab\xc3", Some("utf-8")), Err("the text is not UTF-8".to_owned()));
        assert_eq!(read(b"\xff\xfea\0\xe4", None), Err("the text is not UTF-16LE".to_owned()));
        assert_eq!(encoding("klingon").expect_err("none").code(), "invalid");
    }
}
