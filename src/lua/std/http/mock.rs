//! Where requests go in a spec: to whoever stands in for the network of the thread. Everything above it (redirects,
//! retries, cookies, robots.txt) works on these replies as on any.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Request, Response, ResponseBuilderExt as _, Url};

use super::clock::Clock;
use super::payload::Payload;
use crate::lua::error::LibError;
use crate::lua::std::{clock, reach};

/// A request on its way out.
#[derive(Clone, Debug)]
pub struct Asked {
    /// In capitals.
    pub method: String,
    /// Whole.
    pub url: Url,
    /// In order; names in small letters.
    pub headers: Vec<(String, Vec<u8>)>,
    /// All of it.
    pub body: Vec<u8>,
}

/// What comes back.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A reply.
    Reply {
        /// From 100 to 999.
        status: u16,
        /// In order.
        headers: Vec<(String, Vec<u8>)>,
        /// All of it.
        body: Vec<u8>,
        /// Before it comes.
        delay: Duration,
    },
    /// Nobody stands in: it goes out.
    Pass,
}

/// Answers later, or fails as the network would.
pub type Answering = Pin<Box<dyn Future<Output = Result<Answer, LibError>>>>;

/// Who stands in.
pub type StandIn = Rc<dyn Fn(Asked) -> Answering>;

thread_local! {
    static STAND_IN: RefCell<Option<StandIn>> = const { RefCell::new(None) };
}

/// All requests of this thread go to `stand_in` first.
pub fn install(stand_in: Option<StandIn>) {
    STAND_IN.set(stand_in);
}

/// The reply of whoever stands in; none: the request goes out.
///
/// # Errors
/// `denied`, and what the stand-in says.
pub(super) async fn exchange(
    request: &Request,
    payload: Option<&Payload>,
    time: &Clock,
) -> Result<Option<Response>, LibError> {
    let reaches = || reach::check(request.url().host_str().unwrap_or_default());
    let Some(stand_in) = STAND_IN.with_borrow(Clone::clone) else {
        reaches()?;
        return Ok(None);
    };
    let asked = Asked {
        method: request.method().as_str().to_owned(),
        url: request.url().clone(),
        headers: request
            .headers()
            .iter()
            .map(|(k, v)| (k.as_str().to_owned(), v.as_bytes().to_vec()))
            .collect(),
        body: payload.map(Payload::bytes).transpose()?.unwrap_or_default(),
    };
    let url = asked.url.clone();
    let answered = time.wait(async move {
        let answer = stand_in(asked).await?;
        if let Answer::Reply { delay, .. } = &answer
            && !delay.is_zero()
        {
            clock::sleep(*delay).await;
        }
        Ok::<_, LibError>(answer)
    });
    match answered.await?? {
        Answer::Pass => reaches().map(|()| None),
        Answer::Reply { status, headers, body, .. } => reply(url, status, headers, body).map(Some),
    }
}

fn reply(
    url: Url,
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
) -> Result<Response, LibError> {
    let mut builder = hyper::Response::builder().status(status).url(url);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let made = builder.body(Bytes::from(body));
    made.map(Response::from).map_err(|error| LibError::invalid(format!("a mocked reply: {error}")))
}
