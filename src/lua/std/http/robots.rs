//! `robots = true`: what robots.txt forbids is not asked for (RFC 9309).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, USER_AGENT};
use reqwest::{Method, StatusCode, Url};
use robotxt::{AccessResult, Agent, BYTE_LIMIT};

use super::clock::Clock;
use super::payload::Payload;
use super::request::{Session, Target, failed, parse_url};
use super::settings::Settings;
use super::{fail, hops};
use crate::lua::error::LibError;

/// RFC 9309, section 2.4: no longer than a day.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);
/// Hosts that are remembered.
const MOST_HOSTS: usize = 10_000;
const OWN_NAME: &str = "mpms";

/// The rules of the hosts that a client has met.
pub(super) struct Robots {
    agent: String,
    known: RefCell<HashMap<String, (Instant, Rc<robotxt::Robots>)>>,
}

impl Robots {
    /// `user_agent` is a whole header; its first word is what robots.txt calls us.
    pub fn new(user_agent: Option<&str>) -> Self {
        let word = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_alphabetic() && c != '-' && c != '_');
            text[..end.unwrap_or(text.len())].to_owned()
        };
        let agent = user_agent.map(word).filter(|word| !word.is_empty());
        Self { agent: agent.unwrap_or_else(|| OWN_NAME.to_owned()), known: RefCell::default() }
    }

    /// # Errors
    /// `robots`, when the address is forbidden, and when nobody knows: the host does not answer for its robots.txt.
    pub async fn allow(&self, target: &Target, url: &Url) -> Result<(), LibError> {
        if !target.asks_robots {
            return Ok(());
        }
        let rules = self.rules(target, url).await?;
        if rules.is_url_allowed(url) {
            return Ok(());
        }
        Err(LibError::new("robots", format!("robots.txt forbids it to `{}`", self.agent)).url(url.as_str()))
    }

    async fn rules(&self, target: &Target, url: &Url) -> Result<Rc<robotxt::Robots>, LibError> {
        let origin = url.origin().ascii_serialization();
        let found = self.known.borrow().get(&origin).cloned();
        if let Some((read, rules)) = found
            && read.elapsed() < FRESH
        {
            return Ok(rules);
        }
        let rules = Rc::new(self.fetch(target, &origin).await.map_err(|error| {
            match error.code() {
                "cancelled" | "invalid" => error,
                _ => LibError::new("robots", format!("robots.txt cannot be had: {}", error.message()))
                    .retryable(true)
                    .cause(error.to_string())
                    .url(url.as_str()),
            }
        })?);
        let mut known = self.known.borrow_mut();
        if known.len() == MOST_HOSTS {
            known.clear();
        }
        known.insert(origin, (Instant::now(), Rc::clone(&rules)));
        Ok(rules)
    }

    async fn fetch(&self, target: &Target, origin: &str) -> Result<robotxt::Robots, LibError> {
        let mut headers = HeaderMap::new();
        if let Some(agent) = target.headers.get(USER_AGENT) {
            headers.insert(USER_AGENT, agent.clone());
        }
        let asked = Target {
            session: Rc::clone(&target.session),
            method: Method::GET,
            url: parse_url(&format!("{origin}/robots.txt"))?,
            headers,
            payload: Payload::default(),
            settings: Rc::new(Settings {
                redirects: Some(5),
                kind: target.settings.kind,
                timeout: target.settings.timeout,
                read_timeout: target.settings.read_timeout,
                ..Settings::default()
            }),
            asks_robots: false,
        };
        let agent = Agent::Exact(&self.agent);
        let clock = Clock::start(&asked.settings, Some(Settings::TIMEOUT));
        // In a box, since a request asks for robots.txt by a request.
        let reply = match Box::pin(hops::send(&asked, &clock)).await {
            Err(error) if error.code() == "redirect" => {
                return Ok(robotxt::Robots::from_access(AccessResult::TooManyRedirects, agent));
            }
            reply => reply?,
        };
        let status = reply.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let reason = status.canonical_reason().unwrap_or_default();
            return Err(fail::from_status(status.as_u16(), reason, None));
        }
        if !status.is_success() {
            hops::drain(reply, &clock).await;
            return Ok(robotxt::Robots::from_access(AccessResult::Unavailable, agent));
        }
        let mut text = Vec::new();
        let mut reply = reply;
        while text.len() < BYTE_LIMIT {
            let piece = clock.wait(reply.chunk()).await?.map_err(|error| failed(&error))?;
            let Some(piece) = piece else { break };
            text.extend_from_slice(&piece);
        }
        Ok(robotxt::Robots::parse(&text, agent))
    }
}

thread_local! {
    static ASKERS: RefCell<HashMap<String, Rc<Session>>> = RefCell::default();
}

/// Everything that was read is read again.
pub fn forget() {
    ASKERS.take();
}

/// What robots.txt of the host of `url` says to `agent` (mpms itself, when there is none), read at most once a day in
/// each thread: for `mpms.robots`.
///
/// # Errors
/// `robots` when the host does not answer for its robots.txt; `invalid` on a wrong address.
pub async fn rules_of(url: &str, agent: Option<&str>) -> Result<Rc<robotxt::Robots>, LibError> {
    let name = agent.unwrap_or(OWN_NAME);
    let session = ASKERS.with_borrow_mut(|askers| {
        let asker = askers.entry(name.to_owned());
        Rc::clone(asker.or_insert_with(|| Rc::new(Session::polite(Robots::new(Some(name))))))
    });
    let target = Target::bare(&session, Method::GET, url, Rc::clone(&session.settings))?;
    match &session.robots {
        Some(robots) => robots.rules(&target, &target.url).await,
        None => Ok(Rc::new(robotxt::Robots::allow_all())),
    }
}
