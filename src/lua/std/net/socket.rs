//! A connection of either kind.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::{Either, select};
use mlua::Table;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::std::lent::Slot;

/// What all connections are.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Wire for T {}

/// What may be said of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// For each call that waits; as long as it takes without.
    pub timeout: Option<Duration>,
    /// Most bytes of a line, or of all of it.
    pub max_size: usize,
}

impl Settings {
    /// # Errors
    /// On wrong options.
    pub fn read(options: &mut Options) -> Result<Self, LibError> {
        let timeout = options.duration("timeout")?.unwrap_or(Duration::from_secs(30));
        let max_size = options.size("max_size")?.unwrap_or(64 << 20);
        Ok(Self {
            timeout: Some(at_least(timeout)),
            max_size: usize::try_from(max_size).unwrap_or(usize::MAX),
        })
    }

    /// Where there are no other options.
    ///
    /// # Errors
    /// On wrong options.
    pub fn alone(options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let settings = Self::read(&mut options)?;
        options.finish()?;
        Ok(settings)
    }
}

/// With no time at all the system is not even asked what is there.
fn at_least(timeout: Duration) -> Duration {
    timeout.max(Duration::from_millis(1))
}

/// The two addresses of a connection; none for one over a file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ends {
    peer: Option<SocketAddr>,
    own: Option<SocketAddr>,
}

impl Ends {
    pub fn of(stream: &TcpStream) -> Self {
        Self { peer: stream.peer_addr().ok(), own: stream.local_addr().ok() }
    }

    pub fn peer(&self) -> (Option<String>, Option<u16>) {
        shown(self.peer)
    }

    pub fn own(&self) -> (Option<String>, Option<u16>) {
        shown(self.own)
    }
}

fn shown(address: Option<SocketAddr>) -> (Option<String>, Option<u16>) {
    (address.map(|address| address.ip().to_string()), address.map(|address| address.port()))
}

/// The side that reads, with what came and was not asked for yet.
pub(super) struct Reader {
    pub half: ReadHalf<Box<dyn Wire>>,
    pub ahead: BytesMut,
}

/// Reading and writing may go on at the same time, each once.
pub(super) struct Socket {
    pub reader: Slot<Reader>,
    pub writer: Slot<WriteHalf<Box<dyn Wire>>>,
    pub ends: Ends,
    pub max_size: usize,
    timeout: Cell<Option<Duration>>,
    /// For errors.
    pub url: String,
    closing: Rc<Notify>,
}

/// Why a wait ended before its time.
pub(super) enum Stop {
    Timeout,
    Closed,
}

impl Socket {
    pub fn new(stream: impl Wire + 'static, url: String, settings: Settings) -> Self {
        let (read, write) = tokio::io::split(Box::new(stream) as Box<dyn Wire>);
        Self {
            reader: Slot::new("the socket", Reader { half: read, ahead: BytesMut::new() }),
            writer: Slot::new("the socket", write),
            ends: Ends::default(),
            max_size: settings.max_size,
            timeout: Cell::new(settings.timeout),
            url,
            closing: Rc::default(),
        }
    }

    pub fn between(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }

    pub fn set_timeout(&self, timeout: Option<Duration>) {
        self.timeout.set(timeout.map(at_least));
    }

    /// Waits for `step`, within the time, and while the socket is open.
    pub async fn wait<F: Future>(&self, step: F) -> Result<F::Output, Stop> {
        let closing = Rc::clone(&self.closing);
        let step = std::pin::pin!(step);
        let closed = std::pin::pin!(closing.notified());
        let either = select(step, closed);
        let ended = match self.timeout.get() {
            None => either.await,
            Some(limit) => tokio::time::timeout(limit, either).await.map_err(|_| Stop::Timeout)?,
        };
        match ended {
            Either::Left((output, _)) => Ok(output),
            Either::Right(_) => Err(Stop::Closed),
        }
    }

    /// Nothing more is sent; the other side sees the end.
    ///
    /// # Errors
    /// What the system says.
    pub async fn shutdown(&self) -> Result<(), LibError> {
        let mut writer = self.writer.lend()?;
        match self.wait(writer.shutdown()).await {
            Ok(Ok(())) | Err(Stop::Closed) => Ok(()),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotConnected => Ok(()),
            Ok(Err(error)) => Err(LibError::from(error).url(&self.url)),
            Err(Stop::Timeout) => Err(LibError::timeout("not ended within the time").url(&self.url)),
        }
    }

    /// Also in the middle of a call of somebody else, which ends then.
    pub async fn close(&self) {
        let writer = self.writer.close();
        let reader = self.reader.close();
        self.closing.notify_waiters();
        if let Some(mut writer) = writer {
            // The farewell of TLS; who does not listen any more misses nothing.
            let _ = tokio::time::timeout(Duration::from_secs(1), writer.shutdown()).await;
        }
        drop(reader);
    }
}
