//! What a request sends: bytes and files, which can be sent again for a redirect or a retry.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use mlua::{Function, Lua, LuaString, ObjectLike as _, Table, Value};
use reqwest::Body;
use reqwest::header::HeaderValue;

use super::fields::{pairs, scalar, urlencoded};
use super::media;
use crate::lua::error::LibError;
use crate::lua::module::call;
use crate::lua::options::Options;
use crate::lua::std::{env, json, path};

/// Read and sent at once.
const STEP: u64 = 64 << 10;
/// Of an iterator: more than this goes to a file.
const MOST_IN_MEMORY: usize = 1 << 20;

#[derive(Clone)]
enum Piece {
    Bytes(Bytes),
    File(Arc<File>, u64),
}

/// A body, and its kind where it has one.
#[derive(Clone, Default)]
pub(super) struct Payload {
    /// None: the request has no body; empty: it has one of no bytes.
    pieces: Option<Vec<Piece>>,
    pub kind: Option<HeaderValue>,
}

impl Payload {
    /// Of the options `body`, `json`, `form` and `multipart`, of which one may be given.
    ///
    /// # Errors
    /// On wrong values, and on files that cannot be read.
    pub fn read(lua: &Lua, options: &mut Options) -> Result<Self, LibError> {
        let body = options.value("body")?;
        let json = options.value("json")?;
        let form = options.table("form")?;
        let parts = options.table("multipart")?;
        let given = [body.is_some(), json.is_some(), form.is_some(), parts.is_some()];
        if given.into_iter().filter(|given| *given).count() > 1 {
            return Err(LibError::invalid(
                "only one of the options `body`, `json`, `form` and `multipart` can be given",
            ));
        }
        if let Some(body) = body {
            return Ok(Self { pieces: Some(of_value(lua, body)?), kind: None });
        }
        if let Some(json) = json {
            let text = json::compact(lua, &json)
                .map_err(|error| LibError::invalid(format!("option `json`: {}", error.message())))?;
            return Ok(Self::text(text, "application/json"));
        }
        if let Some(form) = form {
            let text = urlencoded(&pairs("form", &form)?);
            return Ok(Self::text(text.into_bytes(), "application/x-www-form-urlencoded"));
        }
        match parts {
            Some(parts) => multipart(&parts),
            None => Ok(Self::default()),
        }
    }

    fn text(text: Vec<u8>, kind: &'static str) -> Self {
        let kind = Some(HeaderValue::from_static(kind));
        Self { pieces: Some(vec![Piece::Bytes(text.into())]), kind }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        let is_empty = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.is_empty(),
            Piece::File(_, length) => *length == 0,
        };
        self.pieces.as_ref().is_none_or(|pieces| pieces.iter().all(is_empty))
    }

    /// All of it, for whoever stands in for the network.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    pub fn bytes(&self) -> Result<Vec<u8>, LibError> {
        let mut all = Vec::new();
        for piece in self.pieces.iter().flatten() {
            match piece {
                Piece::Bytes(bytes) => all.extend_from_slice(bytes),
                Piece::File(file, length) => {
                    let start = all.len();
                    all.resize(start + *length as usize, 0);
                    file.read_exact_at(&mut all[start..], 0)?;
                }
            }
        }
        Ok(all)
    }

    /// A body to send; each call gives the same bytes.
    pub fn body(&self) -> Option<Body> {
        let pieces = self.pieces.as_ref()?;
        Some(match pieces.as_slice() {
            [] => Body::from(""),
            [Piece::Bytes(bytes)] => Body::from(bytes.clone()),
            _ => Body::wrap(Sending { pieces: pieces.clone().into(), at: 0 }),
        })
    }
}

fn of_value(lua: &Lua, value: Value) -> Result<Vec<Piece>, LibError> {
    match value {
        Value::String(text) => Ok(vec![Piece::Bytes(Bytes::copy_from_slice(&text.as_bytes()))]),
        Value::Function(next) => spool(lua, || call(lua, &next, ())),
        // A file of `io.open`, or whatever else has a method `read`.
        Value::UserData(file) => {
            let read: Function = file
                .get("read")
                .map_err(|_| LibError::invalid("option `body` is an object without a method `read`"))?;
            spool(lua, || call(lua, &read, (&file, STEP)))
        }
        Value::Table(table) => {
            let mut options = Options::new(Some(table));
            let file = options.bytes("path")?;
            options
                .finish()
                .map_err(|error| LibError::invalid(format!("option `body`: {}", error.message())))?;
            let file = file.ok_or_else(|| {
                LibError::invalid("option `body` must be a string, {path=}, a file or a function")
            })?;
            Ok(vec![of_file(&path::of(&file))?])
        }
        other => Err(LibError::invalid(format!(
            "option `body` must be a string, {{path=}}, a file or a function, got {}",
            other.type_name()
        ))),
    }
}

fn of_file(path: &Path) -> Result<Piece, LibError> {
    let failed = |error: io::Error| LibError::file(&error, path);
    let file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    if !facts.is_file() {
        return Err(LibError::invalid("only a file can be sent").path(path));
    }
    Ok(Piece::File(Arc::new(file), facts.len()))
}

/// Takes all that an iterator gives. It is kept, in a file when it is large, so that it can be sent again.
fn spool(lua: &Lua, next: impl Fn() -> Result<Value, LibError>) -> Result<Vec<Piece>, LibError> {
    let mut memory: Vec<u8> = Vec::new();
    let mut file: Option<File> = None;
    let mut written = 0;
    loop {
        match next()? {
            Value::Nil => break,
            Value::String(text) => memory.extend_from_slice(&text.as_bytes()),
            other => {
                let got = other.type_name();
                return Err(LibError::invalid(format!("option `body` must give strings, got {got}")));
            }
        }
        if memory.len() >= MOST_IN_MEMORY {
            let folder = env(lua)?.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
            let failed = |error: io::Error| LibError::file(&error, &folder);
            let file = match &mut file {
                Some(file) => file,
                // Has no name: it is gone with the request.
                None => file.insert(tempfile::tempfile_in(&folder).map_err(failed)?),
            };
            file.write_all(&memory).map_err(failed)?;
            written += memory.len() as u64;
            memory.clear();
        }
    }
    let mut pieces = Vec::new();
    pieces.extend(file.map(|file| Piece::File(Arc::new(file), written)));
    if !memory.is_empty() {
        pieces.push(Piece::Bytes(memory.into()));
    }
    Ok(pieces)
}

/// `multipart/form-data` (RFC 7578), names as browsers write them.
fn multipart(parts: &Table) -> Result<Payload, LibError> {
    let random = RandomState::new();
    let boundary = format!("mpms-{:016x}{:016x}", random.hash_one(1), random.hash_one(2));
    let mut pieces = Vec::new();
    for (index, part) in parts.sequence_values::<Table>().enumerate() {
        let named = |error: LibError| {
            let text = error.message().to_owned();
            LibError::invalid(format!("option `multipart`: part {}: {text}", index + 1))
        };
        let part = part.map_err(|_| named(LibError::invalid("must be a table")))?;
        let (head, piece) = one_part(part).map_err(|error| match error.code() {
            "invalid" => named(error),
            _ => error,
        })?;
        pieces.push(Piece::Bytes(format!("--{boundary}\r\n{head}\r\n\r\n").into()));
        pieces.push(piece);
        pieces.push(Piece::Bytes(Bytes::from_static(b"\r\n")));
    }
    if pieces.is_empty() {
        return Err(LibError::invalid("option `multipart` must be a list of parts, as {{name=, data=}}"));
    }
    pieces.push(Piece::Bytes(format!("--{boundary}--\r\n").into()));
    let kind = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}")).ok();
    Ok(Payload { pieces: Some(pieces), kind })
}

fn one_part(part: Table) -> Result<(String, Piece), LibError> {
    let mut options = Options::new(Some(part));
    let name = options.string("name")?.ok_or_else(|| LibError::invalid("option `name` is needed"))?;
    let data = options.value("data")?;
    let file = options.bytes("path")?.map(|file: LuaString| path::of(&file));
    let filename = options.string("filename")?;
    let kind = options.string("type")?;
    options.finish()?;
    let filename = filename.or_else(|| Some(file.as_ref()?.file_name()?.to_string_lossy().into_owned()));
    let piece = match (data, &file) {
        (Some(data), None) => {
            let data = scalar(&data).ok_or_else(|| {
                LibError::invalid(format!("option `data` must be a string, got {}", data.type_name()))
            })?;
            Piece::Bytes(Bytes::from(data.into_owned()))
        }
        (None, Some(file)) => of_file(file)?,
        _ => return Err(LibError::invalid("one of the options `data` and `path` is needed")),
    };
    let kind = kind.or_else(|| filename.as_ref().map(|name| media::type_of(Path::new(name)).to_owned()));
    let mut head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(&name));
    if let Some(filename) = filename {
        head.push_str(&format!("; filename=\"{}\"", quoted(&filename)));
    }
    if let Some(kind) = kind {
        if HeaderValue::from_str(&kind).is_err() {
            return Err(LibError::invalid("option `type` cannot be sent"));
        }
        head.push_str(&format!("\r\nContent-Type: {kind}"));
    }
    Ok((head, piece))
}

/// As the HTML standard has it.
fn quoted(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

/// A body on its way.
struct Sending {
    pieces: std::collections::VecDeque<Piece>,
    /// How much of the first piece is sent.
    at: u64,
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        loop {
            match this.pieces.front_mut() {
                None => return Poll::Ready(None),
                Some(Piece::Bytes(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    this.pieces.pop_front();
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                }
                Some(Piece::File(_, length)) if *length == this.at => {
                    this.pieces.pop_front();
                    this.at = 0;
                }
                Some(Piece::File(file, length)) => {
                    let mut step = vec![0; (*length - this.at).min(STEP) as usize];
                    // A file that has become shorter is an error: its length was told already.
                    return Poll::Ready(Some(file.read_exact_at(&mut step, this.at).map(|()| {
                        this.at += step.len() as u64;
                        Frame::data(Bytes::from(step))
                    })));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let lengths = self.pieces.iter().map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::File(_, length) => *length,
        });
        SizeHint::with_exact(lengths.sum::<u64>() - self.at)
    }
}
