//! One attempt, up to the head of its last reply: redirects are followed here, since cookies, robots.txt and what may
//! be told to a stranger are looked at on each hop.

use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use reqwest::{Client, Method, Request, Response, StatusCode, Url};

use super::clock::Clock;
use super::fail;
use super::mock;
use super::payload::Payload;
use super::request::{Target, shown, takes_http};
use crate::lua::error::LibError;

/// The reply, with its body still to be read.
///
/// # Errors
/// When there is none; also when robots.txt forbids a hop, and when there are too many of them.
pub(super) async fn send(target: &Target, clock: &Clock) -> Result<Response, LibError> {
    let session = &target.session;
    let client = session.client(target.settings.kind)?;
    let mut method = target.method.clone();
    let mut url = target.url.clone();
    let mut headers = target.headers.clone();
    let mut payload = Some(&target.payload);
    let mut at_home = true;
    let mut hops = 0;
    loop {
        if let Some(robots) = &session.robots {
            robots.allow(target, &url).await?;
        }
        let own = if at_home { target.settings.cookies.as_str() } else { "" };
        let cookies = cookies(target, &url, own, headers.get(COOKIE))?;
        let make = || {
            let mut request = Request::new(method.clone(), without_user(&url));
            *request.headers_mut() = headers.clone();
            if let Some(cookies) = &cookies {
                request.headers_mut().insert(COOKIE, cookies.clone());
            }
            *request.body_mut() = payload.and_then(Payload::body);
            let needs_length = matches!(method, Method::POST | Method::PUT | Method::PATCH);
            if needs_length && payload.is_none_or(Payload::is_empty) {
                // RFC 9110, section 8.6; some servers insist on it.
                request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            request
        };
        let reply = exchange(&client, make, payload, clock).await.map_err(|error| error.url(shown(&url)))?;
        if let Some(jar) = &session.jar {
            jar.store(&url, reply.headers())?;
        }
        let Some((most, next)) = target.settings.redirects.zip(next(&reply, &url)?) else {
            return Ok(reply);
        };
        if hops == most {
            return Err(LibError::new("redirect", format!("more than {most} redirects")).url(shown(&url)));
        }
        hops += 1;
        let status = reply.status();
        drain(reply, clock).await;
        let forget_body = match status {
            StatusCode::SEE_OTHER => method != Method::GET && method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
            _ => false,
        };
        if forget_body {
            method = Method::GET;
            payload = None;
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
                headers.remove(name);
            }
        }
        if next.origin() != url.origin() {
            // Meant for the one that was asked.
            at_home = false;
            for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST] {
                headers.remove(name);
            }
        }
        url = next;
    }
}

/// Sends the request. One that does no harm twice is sent again when its connection ends without a reply: as a rule the
/// other side has closed it at the same moment because it was idle.
async fn exchange(
    client: &Client,
    make: impl Fn() -> Request,
    payload: Option<&Payload>,
    clock: &Clock,
) -> Result<Response, LibError> {
    let request = make();
    if let Some(reply) = mock::exchange(&request, payload, clock).await? {
        return Ok(reply);
    }
    let harmless = request.method().is_idempotent();
    let reply = match clock.wait(client.execute(request)).await? {
        Err(error) if harmless && fail::is_lost(&error) => clock.wait(client.execute(make())).await?,
        reply => reply,
    };
    reply.map_err(|error| fail::from_reqwest(&error))
}

/// Name and password are in a header already.
fn without_user(url: &Url) -> Url {
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // Fails only for addresses that cannot have them.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    url
}

/// Where a redirect leads.
fn next(reply: &Response, url: &Url) -> Result<Option<Url>, LibError> {
    if !matches!(reply.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(place) = reply.headers().get(LOCATION) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(place.as_bytes());
    let next = url.join(&text).ok().filter(takes_http);
    let next = next.ok_or_else(|| {
        LibError::new("redirect", format!("leads to `{text}`, which is no address of HTTP")).url(shown(url))
    })?;
    Ok(Some(next))
}

/// The cookies of the jar, of the options and of the header that was given, in one header; none: as it was given.
fn cookies(
    target: &Target,
    url: &Url,
    own: &str,
    given: Option<&HeaderValue>,
) -> Result<Option<HeaderValue>, LibError> {
    let kept = target.session.jar.as_ref().map(|jar| jar.line(url)).unwrap_or_default();
    if kept.is_empty() && own.is_empty() {
        return Ok(None);
    }
    let mut line = Vec::new();
    for part in [kept.as_bytes(), own.as_bytes(), given.map_or(b"", HeaderValue::as_bytes)] {
        if !line.is_empty() && !part.is_empty() {
            line.extend_from_slice(b"; ");
        }
        line.extend_from_slice(part);
    }
    let line = HeaderValue::from_bytes(&line);
    Ok(Some(
        line.map_err(|_| {
            LibError::invalid("option `cookies` cannot be sent: control signs are not allowed")
        })?,
    ))
}

/// Reads the rest of a small body, so that its connection can be used again.
pub(super) async fn drain(mut reply: Response, clock: &Clock) {
    let mut left = 64usize << 10;
    while let Ok(Ok(Some(chunk))) = clock.wait(reply.chunk()).await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => break,
        }
    }
}

/// The error that a status is to the script, or to its retries; `tried` attempts came before.
pub(super) fn judge(target: &Target, reply: &Response, tried: u32) -> Option<LibError> {
    let settings = &target.settings;
    let status = reply.status();
    let code = status.as_u16();
    let bad = settings.is_bad(code);
    let passing = fail::may_pass(code) && !settings.allow.contains(&code);
    let again = settings.retries.are_left(tried) && settings.retries.wants_status(code, passing);
    if !bad && !again {
        return None;
    }
    let wait = reply.headers().get(reqwest::header::RETRY_AFTER);
    let wait = wait.and_then(|value| fail::retry_after(value.to_str().ok()?));
    let error = fail::from_status(code, status.canonical_reason().unwrap_or_default(), wait);
    let error = error.url(shown(reply.url()));
    (bad || settings.retries.pause(tried, &error).is_some()).then_some(error)
}
