//! Bodies of replies: bytes that are there, or a file that is read as it is sent; at once, slowly, or not to the end.

use std::fs::File;
use std::future::Future as _;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::Response;
use hyper::body::{Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::time::{Instant, Sleep, sleep_until};

use super::line::Reset;

/// What is sent at once.
const PIECE: u64 = 64 << 10;
/// Between two pieces of a slow body.
const TICK: Duration = Duration::from_millis(20);

/// The body of a reply.
pub(super) struct Body {
    content: Content,
    /// Bytes a second.
    rate: Option<u64>,
    cut: Option<Cut>,
    wait: Option<Pin<Box<Sleep>>>,
}

enum Content {
    Bytes(Bytes),
    File { file: File, left: u64 },
}

/// The end of a body that comes too early.
struct Cut {
    left: u64,
    reset: Option<Reset>,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { content: Content::Bytes(bytes), rate: None, cut: None, wait: None }
    }
}

impl Body {
    /// The next `left` bytes of a file.
    pub fn file(file: File, left: u64) -> Self {
        Self { content: Content::File { file, left }, rate: None, cut: None, wait: None }
    }

    /// So many bytes a second.
    pub fn slow(&mut self, rate: u64) {
        self.rate = Some(rate.max(1));
    }

    /// Ends after `bytes` (half of it, if not said), by a reset or in silence.
    pub fn cut(&mut self, bytes: Option<u64>, reset: Option<Reset>) {
        self.cut = Some(Cut { left: bytes.unwrap_or(self.left() / 2), reset });
    }

    /// Only these bytes of it.
    ///
    /// # Errors
    /// When the file cannot be read there.
    pub fn part(&mut self, start: u64, length: u64) -> io::Result<()> {
        match &mut self.content {
            Content::Bytes(bytes) => {
                let start = bytes.len().min(start as usize);
                let end = bytes.len().min(start + length as usize);
                *bytes = bytes.slice(start..end);
            }
            Content::File { file, left } => {
                file.seek(SeekFrom::Start(start))?;
                *left = length;
            }
        }
        Ok(())
    }

    /// All of it, where it is in memory.
    pub fn bytes_mut(&mut self) -> Option<&mut Bytes> {
        match &mut self.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::File { .. } => None,
        }
    }

    pub fn left(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File { left, .. } => *left,
        }
    }

    fn take(&mut self, most: u64) -> io::Result<Bytes> {
        match &mut self.content {
            Content::Bytes(bytes) => Ok(bytes.split_to(bytes.len().min(most as usize))),
            Content::File { file, left } => {
                let mut piece = vec![0; (*left).min(most).min(PIECE) as usize];
                file.read_exact(&mut piece)?;
                *left -= piece.len() as u64;
                Ok(Bytes::from(piece))
            }
        }
    }

    fn rest(&mut self, cx: &mut Context<'_>, pause: Duration) -> Poll<()> {
        let wait = self.wait.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + pause)));
        ready!(wait.as_mut().poll(cx));
        self.wait = None;
        Poll::Ready(())
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let mut most = u64::MAX;
        if let Some(cut) = &this.cut {
            most = cut.left;
            if most == 0 {
                // Meanwhile what came before is sent.
                ready!(this.rest(cx, TICK));
                if let Some(reset) = this.cut.as_ref().and_then(|cut| cut.reset.as_ref()) {
                    reset.set(true);
                }
                return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
            }
        }
        if this.left() == 0 {
            return Poll::Ready(None);
        }
        if let Some(rate) = this.rate {
            let piece = (rate / 50).max(1);
            ready!(this.rest(cx, Duration::from_secs_f64(piece as f64 / rate as f64)));
            most = most.min(piece);
        }
        let piece = this.take(most);
        if let (Some(cut), Ok(piece)) = (&mut this.cut, &piece) {
            cut.left -= piece.len() as u64;
        }
        Poll::Ready(Some(piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0 && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

/// A short text with a status.
pub(super) fn plain(status: u16, text: impl Into<String>) -> Response<Body> {
    let mut reply = Response::new(Body::from(Bytes::from(text.into())));
    *reply.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}
