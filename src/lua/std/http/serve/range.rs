//! Parts of a body (RFC 9110, section 14): one range of bytes a request.

use std::time::SystemTime;

use hyper::header::{
    ACCEPT_RANGES, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use super::body::{Body, plain};

/// Turns a whole reply into the part that the request asks for, if it asks for one and its `If-Range` fits.
pub(super) fn answer(head: &Parts, mut reply: Response<Body>) -> Response<Body> {
    reply.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let whole = reply.body().left();
    let asked = head.headers.get(RANGE).and_then(|range| wanted(range.to_str().ok()?, whole));
    let Some(asked) = asked else { return reply };
    if head.method != Method::GET || reply.status() != StatusCode::OK || !is_same(head, reply.headers()) {
        return reply;
    }
    let Some((start, end)) = asked else {
        let mut refused = plain(416, "");
        put(&mut refused, format!("bytes */{whole}"));
        return refused;
    };
    if reply.body_mut().part(start, end - start).is_err() {
        return plain(500, "the file cannot be read");
    }
    put(&mut reply, format!("bytes {start}-{}/{whole}", end - 1));
    *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
    reply
}

fn put(reply: &mut Response<Body>, range: String) {
    if let Ok(range) = HeaderValue::try_from(range) {
        reply.headers_mut().insert(CONTENT_RANGE, range);
    }
}

fn is_same(head: &Parts, headers: &HeaderMap) -> bool {
    let Some(known) = head.headers.get(IF_RANGE) else { return true };
    headers.get(ETAG) == Some(known) || headers.get(LAST_MODIFIED) == Some(known)
}

/// Start and end, without the end itself. `Some(None)`: there are no such bytes; `None`: not one range of bytes.
fn wanted(range: &str, whole: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.trim(), last.trim()) {
        ("", last) => (whole.saturating_sub(last.parse().ok()?), whole),
        (first, "") => (first.parse().ok()?, whole),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.saturating_add(1).min(whole)),
    };
    Some((start < end).then_some((start, end)))
}

/// As `Last-Modified` writes it.
pub(super) fn date(time: SystemTime) -> Option<HeaderValue> {
    let time = jiff::Timestamp::try_from(time).ok()?;
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()?;
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn one_range_of_bytes_is_understood() {
        for (range, part) in [
            ("bytes=0-4", Some(Some((0, 5)))),
            ("bytes=5-", Some(Some((5, 10)))),
            ("bytes=-3", Some(Some((7, 10)))),
            ("bytes=-30", Some(Some((0, 10)))),
            ("bytes=8-90", Some(Some((8, 10)))),
            ("bytes=10-", Some(None)),
            ("bytes=5-4", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=0-1,3-4", None),
            ("lines=1-2", None),
            ("bytes=a-b", None),
        ] {
            assert_eq!(wanted(range, 10), part, "{range}");
        }
        assert_eq!(wanted("bytes=0-", 0), Some(None));
    }
}
