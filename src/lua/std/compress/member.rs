//! Readers that know where their data ends: what comes after it is looked at.

use std::io::{self, BufRead, Read};

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

/// One packed piece.
enum One<R: BufRead> {
    Gzip(GzDecoder<R>),
    Zlib(ZlibDecoder<R>),
    Deflate(DeflateDecoder<R>),
    Brotli(Box<brotli::Decompressor<R>>),
}

/// Packed pieces up to the end of what they are read from. Only gzip may have several, and zeros behind them, as tapes
/// do; anything else behind the data is an error, since it is either garbage or data that would be lost.
pub(super) struct Members<R: BufRead> {
    /// None: at the end.
    one: Option<One<R>>,
}

fn wrong(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl<R: BufRead> Members<R> {
    pub fn gzip(from: R) -> Self {
        Self { one: Some(One::Gzip(GzDecoder::new(from))) }
    }

    pub fn zlib(from: R) -> Self {
        Self { one: Some(One::Zlib(ZlibDecoder::new(from))) }
    }

    pub fn deflate(from: R) -> Self {
        Self { one: Some(One::Deflate(DeflateDecoder::new(from))) }
    }

    pub fn brotli(from: R) -> Self {
        Self { one: Some(One::Brotli(Box::new(brotli::Decompressor::new(from, super::format::BLOCK)))) }
    }

    /// A piece is at its end: is there another?
    fn next(&mut self) -> io::Result<()> {
        match self.one.take() {
            Some(One::Gzip(one)) => {
                let mut rest = one.into_inner();
                if !rest.fill_buf()?.is_empty() {
                    self.one = after_gzip(rest)?.map(|rest| One::Gzip(GzDecoder::new(rest)));
                }
                Ok(())
            }
            Some(One::Zlib(one)) => at_end(one.into_inner()),
            Some(One::Deflate(one)) => at_end(one.into_inner()),
            Some(One::Brotli(mut one)) => {
                // it reads ahead, and complains of that at the second read after the end
                match one.read(&mut [0])? {
                    0 => at_end(one.into_inner()),
                    _ => Err(wrong("there is something after the end of the data")),
                }
            }
            None => Ok(()),
        }
    }
}

fn at_end(mut rest: impl BufRead) -> io::Result<()> {
    match rest.fill_buf()?.is_empty() {
        true => Ok(()),
        false => Err(wrong("there is something after the end of the data")),
    }
}

/// The next piece begins at once, or there are only zeros.
fn after_gzip<R: BufRead>(mut rest: R) -> io::Result<Option<R>> {
    if rest.fill_buf()?.first() == Some(&0x1f) {
        return Ok(Some(rest));
    }
    loop {
        let ahead = rest.fill_buf()?;
        if ahead.is_empty() {
            return Ok(None);
        }
        if ahead.iter().any(|byte| *byte != 0) {
            return Err(wrong("there is something after the end of the data"));
        }
        let length = ahead.len();
        rest.consume(length);
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            let count = match &mut self.one {
                None => return Ok(0),
                Some(One::Gzip(one)) => one.read(into),
                Some(One::Zlib(one)) => one.read(into),
                Some(One::Deflate(one)) => one.read(into),
                Some(One::Brotli(one)) => one.read(into),
            }?;
            if count > 0 {
                return Ok(count);
            }
            self.next()?;
        }
    }
}
