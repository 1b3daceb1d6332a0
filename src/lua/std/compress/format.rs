//! The formats: how each is read and written, and what its levels are.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use super::member::Members;
use crate::lua::error::LibError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lua::std) enum Format {
    Gzip,
    Zstd,
    Brotli,
    /// RFC 1950: deflate with a head and a checksum.
    Zlib,
    /// RFC 1951.
    Deflate,
}

/// Blocks that go through readers and writers.
pub(in crate::lua::std) const BLOCK: usize = 64 << 10;
/// Of brotli: 4 MiB, as its program has it.
const BROTLI_WINDOW: u32 = 22;

impl Format {
    /// For errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Brotli => "brotli",
            Self::Zlib | Self::Deflate => "deflate",
        }
    }

    /// By the end of a file's name.
    pub fn of_name(path: &Path) -> Option<Self> {
        let end = path.extension()?.to_str()?.to_ascii_lowercase();
        match &*end {
            "gz" | "tgz" => Some(Self::Gzip),
            "zst" | "tzst" => Some(Self::Zstd),
            "br" => Some(Self::Brotli),
            "zz" | "zlib" => Some(Self::Zlib),
            _ => None,
        }
    }

    /// By the first bytes of a file; brotli has none of its own.
    pub fn of_head(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // a frame that is passed over may come first
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The level as it was given, or the usual one.
    ///
    /// # Errors
    /// `invalid` when the format has no such level.
    pub fn level(self, given: Option<i64>) -> Result<u32, LibError> {
        let (least, most, usual) = match self {
            Self::Gzip | Self::Zlib | Self::Deflate => (0, 9, 6),
            Self::Zstd => (1, 22, 3),
            Self::Brotli => (0, 11, 6),
        };
        let level = given.unwrap_or(usual);
        if !(least..=most).contains(&level) {
            let name = self.name();
            return Err(LibError::invalid(format!(
                "option `level` of {name} must be {least} to {most}, got {level}"
            )));
        }
        Ok(u32::try_from(level).unwrap_or_default())
    }

    /// What is in `packed`, to its end: what comes after the data is an error of the reader.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn reader<'a>(self, packed: impl BufRead + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(match self {
            Self::Gzip => Box::new(Members::gzip(packed)),
            Self::Zlib => Box::new(Members::zlib(packed)),
            Self::Deflate => Box::new(Members::deflate(packed)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
            Self::Brotli => Box::new(Members::brotli(packed)),
        })
    }

    /// Packs what is written into it; [`Writer::finish`] ends it.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn writer<W: Write>(self, level: u32, to: W) -> io::Result<Writer<W>> {
        use flate2::Compression;
        Ok(match self {
            Self::Gzip => Writer::Gzip(flate2::write::GzEncoder::new(to, Compression::new(level))),
            Self::Zlib => Writer::Zlib(flate2::write::ZlibEncoder::new(to, Compression::new(level))),
            Self::Deflate => Writer::Deflate(flate2::write::DeflateEncoder::new(to, Compression::new(level))),
            Self::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(to, level.cast_signed())?;
                encoder.include_checksum(true)?;
                Writer::Zstd(encoder)
            }
            Self::Brotli => {
                Writer::Brotli(Box::new(brotli::CompressorWriter::new(to, BLOCK, level, BROTLI_WINDOW)))
            }
        })
    }
}

/// Packs what is written.
pub(in crate::lua::std) enum Writer<W: Write> {
    Gzip(flate2::write::GzEncoder<W>),
    Zlib(flate2::write::ZlibEncoder<W>),
    Deflate(flate2::write::DeflateEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
    Brotli(Box<brotli::CompressorWriter<W>>),
}

impl<W: Write> Writer<W> {
    fn inner(&mut self) -> &mut dyn Write {
        match self {
            Self::Gzip(one) => one,
            Self::Zlib(one) => one,
            Self::Deflate(one) => one,
            Self::Zstd(one) => one,
            Self::Brotli(one) => one,
        }
    }

    /// Writes the end.
    ///
    /// # Errors
    /// Those of what it is written to.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Gzip(one) => one.finish(),
            Self::Zlib(one) => one.finish(),
            Self::Deflate(one) => one.finish(),
            Self::Zstd(one) => one.finish(),
            Self::Brotli(mut one) => {
                one.flush()?;
                Ok(one.into_inner())
            }
        }
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.inner().write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

/// Why packed data cannot be read: `parse` for what is wrong with the data itself.
pub(in crate::lua::std) fn unreadable(error: &io::Error, what: &str) -> LibError {
    use io::ErrorKind as K;
    match error.kind() {
        K::UnexpectedEof => LibError::parse(format!("the {what} data is cut short")),
        // its decoder makes no difference
        K::InvalidData if what == "brotli" => {
            LibError::parse("the brotli data is cut short, damaged or followed by something")
        }
        K::InvalidData | K::InvalidInput | K::Other => {
            LibError::parse(format!("no valid {what} data: {error}"))
        }
        _ => LibError::from(error),
    }
}
