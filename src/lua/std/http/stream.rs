//! `http.stream`: a reply whose body is read piece by piece.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Buf as _, Bytes, BytesMut};
use mlua::{Lua, LuaString, Table, UserDataRef, Value};
use reqwest::Response;

use super::clock::Clock;
use super::hops;
use super::request::Target;
use super::response::{head, piece, too_large};
use super::settings::Settings;
use crate::lua::error::LibError;
use crate::lua::module::{Methods, object};
use crate::lua::std::runtime;

/// What is still to be read.
struct Reader {
    reply: Response,
    clock: Clock,
    /// Read and not yet given out.
    buffer: BytesMut,
    seen: u64,
    max_size: Option<u64>,
    ended: bool,
}

enum State {
    Open(Box<Reader>),
    /// Taken by a call that waits.
    Busy,
    Ended,
    Closed,
}

struct Handle(Rc<RefCell<State>>);

struct Metatable(Table);

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "http.StreamHandle").userdata::<Handle>()?;
    let meta = Methods::new(lua, "http.Stream")
        .waiting("read(size)", |lua, (this, size): (Table, Option<usize>)| {
            let (lua, handle) = (lua.clone(), handle(&this));
            async move {
                let bytes = match size {
                    Some(size) if size == 0 || size as u64 > Settings::MAX_SIZE => {
                        return Err(LibError::invalid("argument 1 (size) must be 1 byte to 256 MiB"));
                    }
                    Some(size) => read(handle?, async |reader| reader.exactly(size).await).await?,
                    None => read(handle?, async |reader| reader.some().await).await?,
                };
                text(&lua, bytes)
            }
        })
        .waiting("line()", |lua, this: Table| {
            let (lua, handle) = (lua.clone(), handle(&this));
            async move {
                let line = read(handle?, async |reader| reader.line().await).await?;
                text(&lua, line)
            }
        })
        .method("close()", |_, this: Table| {
            let closed = handle(&this)?.replace(State::Closed);
            if matches!(closed, State::Open(_)) {
                drop(closed);
                settle();
            }
            Ok(())
        })
        .metatable()?;
    let methods: Table = meta.raw_get("__index")?;
    meta.raw_set("__close", methods.raw_get::<Value>("close")?)?;
    // Iterators in Lua, around methods that wait.
    let (chunks, lines): (Value, Value) = lua.load(include_str!("stream.lua")).set_name("=mpms").eval()?;
    methods.raw_set("chunks", chunks)?;
    methods.raw_set("lines", lines)?;
    lua.set_app_data(Metatable(meta));
    Ok(())
}

/// Lets closed connections be gone; where that cannot be waited for, they are with the next call that waits.
pub(super) fn settle() {
    let _ = runtime::block_on(async {
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    });
}

fn handle(this: &Table) -> Result<Rc<RefCell<State>>, LibError> {
    let handle: Result<UserDataRef<Handle>, _> = this.raw_get("handle");
    let handle = handle.map_err(|_| LibError::invalid("call it with a colon, as in reply:read()"))?;
    Ok(Rc::clone(&handle.0))
}

fn text(lua: &Lua, bytes: Option<Bytes>) -> Result<Option<LuaString>, LibError> {
    Ok(bytes.map(|bytes| lua.create_string(bytes)).transpose()?)
}

/// Takes the reader for the time of the call: it is gone when the call is cancelled or fails.
async fn read(
    state: Rc<RefCell<State>>,
    next: impl AsyncFnOnce(&mut Reader) -> Result<Option<Bytes>, LibError>,
) -> Result<Option<Bytes>, LibError> {
    let mut reader = {
        let mut now = state.borrow_mut();
        match std::mem::replace(&mut *now, State::Busy) {
            State::Open(reader) => reader,
            State::Busy => return Err(LibError::new("busy", "the body is being read by another call")),
            State::Ended => {
                *now = State::Ended;
                return Ok(None);
            }
            State::Closed => {
                *now = State::Closed;
                return Err(LibError::invalid("the stream is closed"));
            }
        }
    };
    let mut turn = Turn { state, after: State::Closed };
    let result = next(&mut reader).await;
    turn.after = match &result {
        Ok(Some(_)) => State::Open(reader),
        Ok(None) => State::Ended,
        Err(_) => State::Closed,
    };
    result
}

/// A call that reads. When it ends, however it ends, the stream is what it should be then.
struct Turn {
    state: Rc<RefCell<State>>,
    after: State,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut now = self.state.borrow_mut();
        // Otherwise it was closed meanwhile.
        if matches!(*now, State::Busy) {
            *now = std::mem::replace(&mut self.after, State::Closed);
        }
    }
}

/// Sends the request, again where `retries` says so, until a reply begins.
///
/// # Errors
/// As `fetch`, but for the body.
pub(super) async fn open(lua: &Lua, target: &Target) -> Result<Table, LibError> {
    let mut tried = 0;
    loop {
        // A body has all the time that it needs, so long as something comes.
        let clock = Clock::start(&target.settings, None);
        let error = match hops::send(target, &clock).await {
            Ok(reply) => match hops::judge(target, &reply, tried) {
                None => return table(lua, target, reply, clock),
                Some(error) => {
                    hops::drain(reply, &clock).await;
                    error
                }
            },
            Err(error) => error,
        };
        match target.settings.retries.pause(tried, &error) {
            Some(pause) => crate::lua::std::clock::sleep(pause).await,
            None => return Err(error),
        }
        tried += 1;
    }
}

fn table(lua: &Lua, target: &Target, reply: Response, clock: Clock) -> Result<Table, LibError> {
    let table = head(lua, &reply, 8)?;
    let max_size = target.settings.max_size;
    let buffer = BytesMut::new();
    let reader = Box::new(Reader { reply, clock, buffer, seen: 0, max_size, ended: false });
    table.raw_set("handle", object(lua, Handle(Rc::new(RefCell::new(State::Open(reader)))))?)?;
    table.set_metatable(lua.app_data_ref::<Metatable>().map(|meta| meta.0.clone()))?;
    Ok(table)
}

impl Reader {
    /// More bytes from the other side; none at the end.
    async fn fill(&mut self) -> Result<Option<Bytes>, LibError> {
        if self.ended {
            return Ok(None);
        }
        let Some(bytes) = piece(&mut self.reply, &self.clock).await? else {
            self.ended = true;
            return Ok(None);
        };
        self.seen += bytes.len() as u64;
        match self.max_size {
            Some(most) if self.seen > most => Err(too_large(&self.reply, most)),
            _ => Ok(Some(bytes)),
        }
    }

    async fn some(&mut self) -> Result<Option<Bytes>, LibError> {
        if !self.buffer.is_empty() {
            return Ok(Some(self.buffer.split().freeze()));
        }
        loop {
            match self.fill().await? {
                Some(bytes) if bytes.is_empty() => {}
                other => return Ok(other),
            }
        }
    }

    async fn exactly(&mut self, size: usize) -> Result<Option<Bytes>, LibError> {
        while self.buffer.len() < size {
            match self.fill().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Ok(Some(self.buffer.split().freeze())),
            }
        }
        Ok(Some(self.buffer.split_to(size).freeze()))
    }

    /// Without its end, which is LF or CR LF.
    async fn line(&mut self) -> Result<Option<Bytes>, LibError> {
        let mut looked_at = 0;
        loop {
            let end = self.buffer[looked_at..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = end {
                let mut line = self.buffer.split_to(looked_at + end);
                self.buffer.advance(1);
                if line.last() == Some(&b'\r') {
                    line.truncate(line.len() - 1);
                }
                return Ok(Some(line.freeze()));
            }
            looked_at = self.buffer.len();
            if looked_at as u64 > Settings::MAX_SIZE {
                return Err(LibError::new("too_large", "a line does not end"));
            }
            match self.fill().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Ok(Some(self.buffer.split().freeze())),
            }
        }
    }
}
