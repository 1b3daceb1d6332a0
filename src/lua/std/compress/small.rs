//! Short strings, packed by what was set up for the last one: that takes longer than the packing. The bytes are those of
//! the format's writer.

use std::cell::RefCell;

use flate2::{Compress, Compression, FlushCompress, Status};

use super::format::Format;
use crate::lua::error::LibError;

struct Spare {
    format: Format,
    level: u32,
    compress: Compress,
}

thread_local! {
    static SPARE: RefCell<Option<Spare>> = const { RefCell::new(None) };
}

/// None: the format has nothing that could be used again.
///
/// # Errors
/// None that could come.
pub(super) fn packed(data: &[u8], format: Format, level: u32) -> Result<Option<Vec<u8>>, LibError> {
    if !matches!(format, Format::Gzip | Format::Zlib | Format::Deflate) {
        return Ok(None);
    }
    SPARE.with_borrow_mut(|spare| {
        if !spare.as_ref().is_some_and(|one| one.format == format && one.level == level) {
            let compress = Compress::new(Compression::new(level), format == Format::Zlib);
            *spare = Some(Spare { format, level, compress });
        }
        let Some(Spare { compress, .. }) = spare else { return Ok(None) };
        compress.reset();
        let mut out = Vec::with_capacity(data.len() / 4 + 64);
        if format == Format::Gzip {
            out.extend_from_slice(&gzip_head(level));
        }
        deflate(compress, data, &mut out)?;
        if format == Format::Gzip {
            out.extend_from_slice(&crc32fast::hash(data).to_le_bytes());
            // of a short string
            out.extend_from_slice(&(data.len() as u32).to_le_bytes());
        }
        Ok(Some(out))
    })
}

/// RFC 1952, without a time and a system: the same data gives the same bytes.
fn gzip_head(level: u32) -> [u8; 10] {
    let effort = match level {
        0 | 1 => 4,
        9.. => 2,
        _ => 0,
    };
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, effort, 255]
}

fn deflate(compress: &mut Compress, data: &[u8], out: &mut Vec<u8>) -> Result<(), LibError> {
    loop {
        let taken = usize::try_from(compress.total_in()).unwrap_or(usize::MAX).min(data.len());
        let flush = if taken < data.len() { FlushCompress::None } else { FlushCompress::Finish };
        let status = compress.compress_vec(&data[taken..], out, flush);
        match status.map_err(|error| LibError::new("lua_error", error.to_string()))? {
            Status::StreamEnd => return Ok(()),
            Status::Ok | Status::BufError => out.reserve(out.capacity().max(64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::packed;
    use crate::lua::std::compress::format::Format;

    /// Some of it random, some of it not.
    fn data(length: usize, seed: u32) -> Vec<u8> {
        let mut number = seed;
        let mut next = || {
            number = number.wrapping_mul(1_103_515_245).wrapping_add(12345);
            (number >> 16) as u8
        };
        (0..length).map(|at| if at % 7 < 4 { b'a' + (at % 23) as u8 } else { next() }).collect()
    }

    #[test]
    fn the_bytes_are_those_of_the_writer() {
        for format in [Format::Gzip, Format::Zlib, Format::Deflate] {
            for level in 0..=9 {
                for (seed, length) in [0, 1, 10, 63, 64, 65, 500, 1000, 4096, 8192].into_iter().enumerate() {
                    for data in [data(length, seed as u32), vec![b'x'; length]] {
                        let mut writer = format.writer(level, Vec::new()).expect("a writer");
                        writer.write_all(&data).expect("into memory");
                        let wanted = writer.finish().expect("into memory");
                        let small = packed(&data, format, level).expect("packed").expect("of this format");
                        assert!(small == wanted, "{format:?} {level} {length}");
                    }
                }
            }
        }
        assert!(packed(b"x", Format::Zstd, 3).expect("no error").is_none());
    }
}
