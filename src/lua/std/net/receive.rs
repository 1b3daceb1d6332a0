//! Sending and receiving, with the patterns and results of LuaSocket: `nil, "timeout"` or `nil, "closed"`, and what came
//! before.

use std::io::{self, ErrorKind};

use bytes::BytesMut;
use mlua::{IntoLua as _, Lua, LuaString, MultiValue, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::socket::{Reader, Socket, Stop};
use crate::lua::error::LibError;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pattern {
    /// Up to a line end, which is taken away.
    Line,
    /// Up to the end.
    All,
    /// So many bytes.
    Exactly(usize),
}

impl Pattern {
    /// `"*l"` (also without a pattern), `"*a"` or a number; the star may be missing.
    ///
    /// # Errors
    /// `invalid` on anything else.
    pub fn read(value: &Value) -> Result<Self, LibError> {
        let wrong = |got: String| {
            Err(LibError::invalid(format!(
                "argument 1 (pattern) must be \"*l\", \"*a\" or a number of bytes, got {got}"
            )))
        };
        match value {
            Value::Nil => Ok(Self::Line),
            Value::Integer(count @ 0..) => Ok(Self::Exactly(usize::try_from(*count).unwrap_or(usize::MAX))),
            Value::Integer(count) => wrong(count.to_string()),
            Value::String(text) => match &*text.as_bytes() {
                b"*l" | b"l" => Ok(Self::Line),
                b"*a" | b"a" => Ok(Self::All),
                _ => wrong(format!("`{}`", text.to_string_lossy())),
            },
            other => wrong(other.type_name().to_owned()),
        }
    }

    /// The bytes that answer it, out of what came.
    fn take(self, ahead: &mut BytesMut, seen: &mut usize) -> Option<BytesMut> {
        match self {
            Self::All => None,
            Self::Exactly(count) => (ahead.len() >= count).then(|| ahead.split_to(count)),
            Self::Line => {
                let at = ahead[*seen..].iter().position(|byte| *byte == b'\n');
                let Some(at) = at.map(|at| *seen + at) else {
                    *seen = ahead.len();
                    return None;
                };
                let mut line = ahead.split_to(at + 1);
                line.truncate(at);
                if line.last() == Some(&b'\r') {
                    line.truncate(at - 1);
                }
                Some(line)
            }
        }
    }
}

/// How reading ended.
enum Ended {
    Done(BytesMut),
    /// The other side has said that nothing more comes.
    End,
    /// Cut off, or closed here.
    Closed,
    Timeout,
}

async fn read(socket: &Socket, reader: &mut Reader, pattern: Pattern) -> Result<Ended, LibError> {
    let too_large = || {
        let most = bytesize::ByteSize::b(socket.max_size as u64);
        LibError::new("too_large", format!("more than `max_size` ({most})")).url(&socket.url)
    };
    if matches!(pattern, Pattern::Exactly(count) if count > socket.max_size) {
        return Err(too_large());
    }
    let mut seen = 0;
    loop {
        if let Some(bytes) = pattern.take(&mut reader.ahead, &mut seen) {
            return Ok(Ended::Done(bytes));
        }
        if reader.ahead.len() > socket.max_size {
            return Err(too_large());
        }
        reader.ahead.reserve(16 << 10);
        match socket.wait(reader.half.read_buf(&mut reader.ahead)).await {
            Ok(Ok(0)) => return Ok(Ended::End),
            Ok(Ok(_)) => {}
            Ok(Err(error)) if is_cut(&error) => return Ok(Ended::Closed),
            Ok(Err(error)) => return Err(super::secure::failed(error).url(&socket.url)),
            Err(Stop::Closed) => return Ok(Ended::Closed),
            Err(Stop::Timeout) => return Ok(Ended::Timeout),
        }
    }
}

/// The other side is gone without a farewell.
fn is_cut(error: &io::Error) -> bool {
    use ErrorKind as K;
    matches!(
        error.kind(),
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof | K::NotConnected
    )
}

/// `receive`.
///
/// # Errors
/// What is neither the end nor a lack of time.
pub(super) async fn receive(lua: &Lua, socket: &Socket, pattern: Pattern) -> Result<MultiValue, LibError> {
    let mut reader = socket.reader.lend()?;
    let why = match read(socket, &mut reader, pattern).await? {
        Ended::Done(bytes) => return Ok(one(lua.create_string(&bytes)?)),
        Ended::End if matches!(pattern, Pattern::All) => {
            return Ok(one(lua.create_string(reader.ahead.split())?));
        }
        Ended::End | Ended::Closed => "closed",
        Ended::Timeout => "timeout",
    };
    let partial = lua.create_string(reader.ahead.split())?;
    failed(lua, why, Value::String(partial))
}

/// The next line of `lines`; nil at the end, and the last line also without its end.
///
/// # Errors
/// `timeout`, and `connect` when the connection is cut.
pub(super) async fn line(lua: &Lua, socket: &Socket) -> Result<Value, LibError> {
    let mut reader = socket.reader.lend()?;
    match read(socket, &mut reader, Pattern::Line).await? {
        Ended::Done(bytes) => Ok(Value::String(lua.create_string(&bytes)?)),
        Ended::End if reader.ahead.is_empty() => Ok(Value::Nil),
        Ended::End => Ok(Value::String(lua.create_string(reader.ahead.split())?)),
        Ended::Closed if socket.reader.is_closed() => Ok(Value::Nil),
        Ended::Closed => {
            Err(LibError::new("connect", "the connection was cut").retryable(true).url(&socket.url))
        }
        Ended::Timeout => Err(LibError::timeout("no line within the time").url(&socket.url)),
    }
}

/// `send`: the number of bytes.
///
/// # Errors
/// What is neither the end nor a lack of time.
pub(super) async fn send(lua: &Lua, socket: &Socket, data: &LuaString) -> Result<MultiValue, LibError> {
    let mut writer = socket.writer.lend()?;
    let data = data.as_bytes();
    let mut sent = 0;
    while sent < data.len() {
        let why = match socket.wait(writer.write(&data[sent..])).await {
            Ok(Ok(0)) | Err(Stop::Closed) => "closed",
            Ok(Ok(count)) => {
                sent += count;
                continue;
            }
            Ok(Err(error)) if is_cut(&error) => "closed",
            Ok(Err(error)) => return Err(super::secure::failed(error).url(&socket.url)),
            Err(Stop::Timeout) => "timeout",
        };
        return failed(lua, why, Value::Integer(sent as i64));
    }
    // TLS may hold back the last record.
    match socket.wait(writer.flush()).await {
        Ok(Ok(())) => Ok(one(sent as i64)),
        Ok(Err(error)) if !is_cut(&error) => Err(super::secure::failed(error).url(&socket.url)),
        Ok(Err(_)) | Err(Stop::Closed) => failed(lua, "closed", Value::Integer(sent as i64)),
        Err(Stop::Timeout) => failed(lua, "timeout", Value::Integer(sent as i64)),
    }
}

fn one(value: impl Into<One>) -> MultiValue {
    MultiValue::from_iter([value.into().0])
}

struct One(Value);

impl From<LuaString> for One {
    fn from(text: LuaString) -> Self {
        Self(Value::String(text))
    }
}

impl From<i64> for One {
    fn from(number: i64) -> Self {
        Self(Value::Integer(number))
    }
}

fn failed(lua: &Lua, why: &str, partial: Value) -> Result<MultiValue, LibError> {
    Ok(MultiValue::from_iter([Value::Nil, why.into_lua(lua)?, partial]))
}
