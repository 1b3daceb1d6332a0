//! From a URL and an options table to a request.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, LuaString, Table, Value};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Client, Method, Url};

use super::client::{Kind, Pool};
use super::cookies::Jar;
use super::fail;
use super::payload::Payload;
use super::robots::Robots;
use super::settings::{Settings, basic};
use crate::lua::error::LibError;
use crate::lua::options::Options;

/// `http.client`: what its requests have in common.
pub(super) struct Session {
    pub settings: Rc<Settings>,
    /// What addresses begin with.
    url: Option<String>,
    pool: Rc<Pool>,
    pub jar: Option<Jar>,
    pub robots: Option<Robots>,
    closed: Cell<bool>,
}

impl Default for Session {
    /// The one behind `http.get`.
    fn default() -> Self {
        Self {
            settings: Rc::default(),
            url: None,
            pool: Pool::shared(),
            jar: None,
            robots: None,
            closed: Cell::new(false),
        }
    }
}

impl Session {
    /// One that asks robots.txt, and is else as any.
    pub fn polite(robots: Robots) -> Self {
        Self { robots: Some(robots), ..Self::default() }
    }

    /// # Errors
    /// On wrong options.
    pub fn read(options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let mut settings = Settings::default().override_with(&mut options)?;
        let agent = options.string("user_agent")?;
        if let Some(agent) = &agent {
            let agent = HeaderValue::from_str(agent);
            settings.headers.insert(
                USER_AGENT,
                agent.map_err(|_| LibError::invalid("option `user_agent` is no header"))?,
            );
        }
        let url = options.string("base_url")?;
        if let Some(url) = &url {
            parse_url(url)?;
        }
        let jar = match options.value("cookies")? {
            None | Some(Value::Boolean(false) | Value::Table(_)) => None,
            Some(Value::Boolean(true)) => Some(Jar::default()),
            Some(Value::String(file)) => Some(Jar::open(&crate::lua::std::path::of(&file))?),
            Some(_) => {
                return Err(LibError::invalid("option `cookies` must be true, a file or a table of cookies"));
            }
        };
        let robots = options.bool("robots")?.unwrap_or(false).then(|| Robots::new(agent.as_deref()));
        let pool = Pool::read(&mut options)?;
        options.finish()?;
        Ok(Self { settings: Rc::new(settings), url, pool, jar, robots, closed: Cell::new(false) })
    }

    /// # Errors
    /// When the session is closed, and when the environment names a proxy that is none.
    pub fn client(&self, kind: Kind) -> Result<Client, LibError> {
        if self.closed.get() {
            return Err(LibError::invalid("the client is closed"));
        }
        self.pool.client(kind)
    }

    /// Its own connections are closed; those that it shares stay.
    pub fn close(&self) {
        self.closed.set(true);
        if !Rc::ptr_eq(&self.pool, &Pool::shared()) {
            self.pool.close();
        }
    }

    /// A path is put behind the base with one slash between; a whole address stands for itself.
    fn resolve(&self, url: &str) -> Result<Url, LibError> {
        match &self.url {
            Some(base) if !url.contains("://") => {
                let joint = if url.starts_with('?') || url.is_empty() { "" } else { "/" };
                parse_url(&format!("{}{joint}{}", base.trim_end_matches('/'), url.trim_start_matches('/')))
            }
            _ => parse_url(url),
        }
    }
}

/// # Errors
/// On anything that is no address of HTTP.
pub(super) fn parse_url(text: &str) -> Result<Url, LibError> {
    let url = Url::parse(text)
        .map_err(|error| LibError::invalid(format!("the address is wrong: {error}")).url(text))?;
    if takes_http(&url) {
        return Ok(url);
    }
    let scheme = url.scheme();
    Err(LibError::invalid(format!("the address must begin with http:// or https://, not {scheme}:"))
        .url(text))
}

pub(super) fn takes_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// A request that is ready to go, several times if need be.
#[derive(Clone)]
pub(super) struct Target {
    pub session: Rc<Session>,
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub payload: Payload,
    pub settings: Rc<Settings>,
    /// False for robots.txt itself.
    pub asks_robots: bool,
}

impl Target {
    /// # Errors
    /// On wrong addresses and options.
    pub fn new(
        lua: &Lua,
        session: &Rc<Session>,
        method: Method,
        url: &LuaString,
        options: Option<Table>,
    ) -> Result<Self, LibError> {
        let Some(options) = options else {
            let url = url.to_str().map_err(|_| LibError::invalid("the address is not UTF-8"))?;
            return Self::bare(session, method, &url, Rc::clone(&session.settings));
        };
        let mut options = Options::new(Some(options));
        let target = Self::read(lua, session, method, url, &mut options)?;
        options.finish().map_err(|error| error.url(target.shown_url()))?;
        Ok(target)
    }

    /// Leaves the options that belong to the caller for it to read.
    ///
    /// # Errors
    /// On wrong addresses and options.
    pub fn read(
        lua: &Lua,
        session: &Rc<Session>,
        method: Method,
        url: &LuaString,
        options: &mut Options,
    ) -> Result<Self, LibError> {
        let url = url.to_str().map_err(|_| LibError::invalid("the address is not UTF-8"))?;
        Self::build(lua, session, &session.settings, method, &url, options).map_err(|error| error.url(&*url))
    }

    /// `http.request`: method and address are options too.
    ///
    /// # Errors
    /// On wrong addresses and options.
    pub fn from_table(
        lua: &Lua,
        session: &Rc<Session>,
        settings: &Settings,
        table: Table,
    ) -> Result<Self, LibError> {
        let mut options = Options::new(Some(table));
        let method = options.string("method")?.unwrap_or_else(|| "GET".to_owned());
        let method = Method::from_bytes(method.to_uppercase().as_bytes())
            .map_err(|_| LibError::invalid("option `method` is no method of HTTP"))?;
        let url = options.string("url")?.ok_or_else(|| LibError::invalid("option `url` is needed"))?;
        let target = Self::build(lua, session, settings, method, &url, &mut options)
            .and_then(|target| options.finish().map(|()| target));
        target.map_err(|error| error.url(url))
    }

    fn build(
        lua: &Lua,
        session: &Rc<Session>,
        settings: &Settings,
        method: Method,
        url: &str,
        options: &mut Options,
    ) -> Result<Self, LibError> {
        let settings = Rc::new(settings.for_request(options)?);
        // Before the address, so that a body is taken only once everything else fits.
        let mut target = Self::bare(session, method, url, settings)?;
        target.payload = Payload::read(lua, options)?;
        if let Some(kind) = &target.payload.kind {
            // A header that the script names wins over that of the body's kind.
            target.headers.entry(CONTENT_TYPE).or_insert_with(|| kind.clone());
        }
        Ok(target)
    }

    /// A request without a body.
    ///
    /// # Errors
    /// On wrong addresses.
    pub fn bare(
        session: &Rc<Session>,
        method: Method,
        url: &str,
        settings: Rc<Settings>,
    ) -> Result<Self, LibError> {
        let mut url = session.resolve(url)?;
        let mut headers = settings.headers.clone();
        if !settings.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&settings.query);
        }
        if !url.username().is_empty() || url.password().is_some() {
            // `http://user:password@host/`
            let (user, password) = (decoded(url.username()), url.password().map(decoded));
            if !headers.contains_key(AUTHORIZATION) {
                headers.insert(AUTHORIZATION, basic(&user, password.as_deref())?);
            }
        }
        let session = Rc::clone(session);
        Ok(Self { session, method, url, headers, payload: Payload::default(), settings, asks_robots: true })
    }

    /// The address for errors, without a password in it.
    pub fn shown_url(&self) -> String {
        shown(&self.url)
    }
}

fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&super::percent_decoded(text)).into_owned()
}

/// An address without a password in it.
pub(super) fn shown(url: &Url) -> String {
    match url.password() {
        None => url.as_str().to_owned(),
        Some(_) => {
            let mut masked = url.clone();
            // Fails only for addresses that cannot have one.
            let _ = masked.set_password(Some("***"));
            masked.into()
        }
    }
}

/// The error of a failed exchange, with the address where it failed.
pub(super) fn failed(error: &reqwest::Error) -> LibError {
    let found = fail::from_reqwest(error);
    match error.url() {
        Some(url) => found.url(shown(url)),
        None => found,
    }
}
