//! What went wrong with a request, as a public code.

use std::error::Error as StdError;
use std::io;

use crate::lua::error::LibError;

/// Statuses that another try may cure: Scrapy's retry list, and 425.
const PASSING: [u16; 9] = [408, 425, 429, 500, 502, 503, 504, 522, 524];

/// Whether another try may cure the status.
pub(super) fn may_pass(status: u16) -> bool {
    PASSING.contains(&status)
}

/// The error of a reply with status 400 or above.
pub(super) fn from_status(status: u16, reason: &str, retry_after: Option<f64>) -> LibError {
    let message = format!("status {status} {reason}");
    LibError::new("http_status", message.trim_end())
        .status(status)
        .retryable(may_pass(status))
        .retry_after(retry_after)
}

/// The error of an exchange that gave no reply, or a part of one.
pub(super) fn from_reqwest(error: &reqwest::Error) -> LibError {
    let chain = || std::iter::successors(error.source(), |below| (*below).source());
    let io = chain().find_map(|below| below.downcast_ref::<io::Error>());
    let tls = chain().find_map(tls_of);
    let hyper = chain().find_map(|below| below.downcast_ref::<hyper::Error>());
    let last = chain().last().map_or_else(|| error.to_string(), ToString::to_string);
    let found = if let Some(tls) = tls {
        let refused = matches!(tls, rustls::Error::InvalidCertificate(_));
        LibError::new("tls", tls.to_string()).retryable(!refused)
    } else if error.is_timeout() {
        LibError::timeout(if error.is_connect() {
            "no connection within the time"
        } else {
            "no reply within the time"
        })
    } else if error.is_dns() {
        LibError::new("dns", last).retryable(true)
    } else if error.is_redirect() {
        LibError::new("redirect", last)
    } else if error.is_builder() {
        LibError::invalid(last)
    } else if let Some(io) = io.filter(|io| io.get_ref().is_none()) {
        let named = LibError::from(io);
        LibError::new("connect", named.message()).retryable(true)
    } else if hyper.is_some_and(|hyper| hyper.is_parse()) {
        LibError::new("protocol", format!("the reply is no HTTP: {last}")).retryable(true)
    } else if hyper.is_some() || error.is_connect() {
        LibError::new("connect", last).retryable(true)
    } else if error.is_decode() {
        LibError::new("protocol", format!("the body cannot be decoded: {last}")).retryable(true)
    } else {
        LibError::new("connect", last).retryable(true)
    };
    let whole = std::iter::once(error.to_string()).chain(chain().map(ToString::to_string));
    found.cause(whole.collect::<Vec<_>>().join(": "))
}

/// Whether a connection that was made ended before a reply began.
pub(super) fn is_lost(error: &reqwest::Error) -> bool {
    let lost = |below: &(dyn StdError + 'static)| {
        let by_hyper = below.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message);
        let by_system = below.downcast_ref::<io::Error>().is_some_and(|io| {
            matches!(io.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
        });
        by_hyper || by_system
    };
    !error.is_connect() && std::iter::successors(error.source(), |below| (*below).source()).any(lost)
}

/// rustls packs its errors into those of the system, sometimes twice.
fn tls_of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<io::Error>() {
        Some(io) => tls_of(io.get_ref()?),
        None => error.downcast_ref(),
    }
}

/// Seconds of a `Retry-After` header: a number, or a date.
pub(super) fn retry_after(value: &str) -> Option<f64> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(f64::from(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    let left = date.timestamp().duration_since(jiff::Timestamp::now()).as_secs_f64();
    Some(left.max(0.0))
}
