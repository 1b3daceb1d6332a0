//! Strings, packed and unpacked.

use std::io::{Read, Write as _};
use std::pin::Pin;

use mlua::{Lua, LuaString, Table};

use super::format::{BLOCK, Format, unreadable};
use super::{raw, small};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::outside;
use crate::lua::pool::{self, Stop};

/// Up to here a string is packed at once: it takes as long as the way to the pool.
const SMALL: usize = 8 << 10;
/// And unpacked, where this is the result.
const SMALL_RESULT: usize = 64 << 10;

type Result_<T> = Result<T, LibError>;
type Waiting = Pin<Box<dyn Future<Output = Result_<LuaString>>>>;

pub(super) fn pack(lua: &Lua, data: &LuaString, options: Option<Table>, format: Format) -> Waiting {
    let asked = (|| {
        let mut options = Options::new(options);
        let level = options.int("level")?;
        let format = raw(&mut options, format)?;
        options.finish()?;
        Ok::<_, LibError>((format, format.level(level)?))
    })();
    let (format, level) = match asked {
        Ok(asked) => asked,
        Err(error) => return Box::pin(async { Err(error) }),
    };
    let lua = lua.clone();
    if data.as_bytes().len() <= SMALL {
        let packed = match small::packed(&data.as_bytes(), format, level) {
            Ok(None) => packed(&data.as_bytes(), format, level, None),
            Ok(Some(packed)) => Ok(packed),
            Err(error) => Err(error),
        };
        return Box::pin(async move { Ok(lua.create_string(packed?)?) });
    }
    let data = data.as_bytes().to_vec();
    let work = pool::run(&lua, move |stop| packed(&data, format, level, Some(stop)));
    Box::pin(async move { Ok(lua.create_string(work.await?)?) })
}

fn packed(data: &[u8], format: Format, level: u32, stop: Option<&Stop>) -> Result_<Vec<u8>> {
    let mut writer = format.writer(level, Vec::with_capacity(data.len() / 4 + 64))?;
    for block in data.chunks(BLOCK) {
        stop.map_or(Ok(()), Stop::check)?;
        writer.write_all(block)?;
    }
    Ok(writer.finish()?)
}

/// What may become of packed data.
#[derive(Clone, Copy)]
struct Limits {
    /// As the script has it.
    most: usize,
    /// Bytes that there is memory for.
    room: usize,
}

pub(super) fn unpack(lua: &Lua, data: &LuaString, options: Option<Table>, format: Format) -> Waiting {
    let asked = (|| {
        let mut options = Options::new(options);
        let most = options.size("max_size")?.unwrap_or(1 << 30);
        let format = raw(&mut options, format)?;
        options.finish()?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        // the result is there twice for a moment: here, and as a string of Lua
        let room = outside::room(lua, data.as_bytes().len().saturating_mul(8))? / 2;
        Ok::<_, LibError>((format, Limits { most, room }))
    })();
    let (format, limits) = match asked {
        Ok(asked) => asked,
        Err(error) => return Box::pin(async { Err(error) }),
    };
    let lua = lua.clone();
    if data.as_bytes().len() <= SMALL {
        let little = Limits { most: limits.most.min(SMALL_RESULT), ..limits };
        match unpacked(&data.as_bytes(), format, little, None) {
            Err(error) if error.code() == "too_large" && limits.most > SMALL_RESULT => {}
            done => return Box::pin(async move { Ok(lua.create_string(done?)?) }),
        }
    }
    let data = data.as_bytes().to_vec();
    let work = pool::run(&lua, move |stop| unpacked(&data, format, limits, Some(stop)));
    Box::pin(async move { Ok(lua.create_string(work.await?)?) })
}

fn unpacked(data: &[u8], format: Format, limits: Limits, stop: Option<&Stop>) -> Result_<Vec<u8>> {
    let wrong = |error| unreadable(&error, format.name());
    // raw data has no head; what has one is read by it
    let format = match (format, data) {
        (Format::Zlib, [first, second, ..]) if !is_zlib(*first, *second) => Format::Deflate,
        _ => format,
    };
    let mut reader = format.reader(data).map_err(wrong)?;
    let mut result = Vec::new();
    let mut block = vec![0; BLOCK.min(data.len().saturating_mul(8).max(512))];
    loop {
        stop.map_or(Ok(()), Stop::check)?;
        let count = reader.read(&mut block).map_err(wrong)?;
        if count == 0 {
            return Ok(result);
        }
        if result.len() + count > limits.most {
            return Err(LibError::new(
                "too_large",
                format!("the data is more than {} bytes: max_size allows more", limits.most),
            ));
        }
        if result.len() + count > limits.room {
            return Err(LibError::new("memory", "not enough memory for the data"));
        }
        result.extend_from_slice(&block[..count]);
    }
}

/// RFC 1950: the method is 8, and the two bytes are a multiple of 31.
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && (u16::from(first) << 8 | u16::from(second)) % 31 == 0
}
