//! Options that one request may have, or all requests of a client.

use std::time::Duration;

use mlua::{Table, Value};
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::client::{Kind, Pool};
use super::fields::{cookie_line, pairs, read_headers};
use super::retries::Retries;
use crate::lua::error::LibError;
use crate::lua::options::Options;

/// See the field names in the library's documentation.
#[derive(Clone)]
pub(super) struct Settings {
    pub headers: HeaderMap,
    pub query: Vec<(String, String)>,
    /// For one attempt, with its redirects and the body. None: the usual one of the function.
    pub timeout: Option<Duration>,
    /// Between two signs of life of the other side.
    pub read_timeout: Duration,
    pub kind: Kind,
    /// Most redirects that are followed; none at all without.
    pub redirects: Option<usize>,
    /// Statuses from 400 on that raise nothing.
    pub allow: Vec<u16>,
    /// Whether any status raises.
    pub raise: bool,
    /// Most bytes of a body. None: the usual limit of the function.
    pub max_size: Option<u64>,
    /// As in the header.
    pub cookies: String,
    pub retries: Retries,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            headers: HeaderMap::new(),
            query: Vec::new(),
            timeout: None,
            read_timeout: Duration::from_secs(30),
            kind: Kind { connect_timeout: Duration::from_secs(10), decompress: true },
            redirects: Some(10),
            allow: Vec::new(),
            raise: true,
            max_size: None,
            cookies: String::new(),
            retries: Retries::default(),
        }
    }
}

impl Settings {
    /// What holds for a body that is read whole, or for a single line of one.
    pub const MAX_SIZE: u64 = 256 << 20;
    /// What holds for a reply that is read whole.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// These settings where the options of a request say nothing else.
    ///
    /// # Errors
    /// On wrong values.
    pub fn for_request(&self, options: &mut Options) -> Result<Self, LibError> {
        match options.value("cookies")? {
            None | Some(Value::Table(_)) => self.override_with(options),
            Some(_) => Err(LibError::invalid(
                "option `cookies` must be a table as {name = value}; true and files are for http.client",
            )),
        }
    }

    /// The same for a client, which has more to say about cookies.
    ///
    /// # Errors
    /// On wrong values.
    pub fn override_with(&self, options: &mut Options) -> Result<Self, LibError> {
        let mut new = self.clone();
        if let Some(table) = options.table("headers")? {
            read_headers(&mut new.headers, &table)?;
        }
        if let Some(query) = options.table("query")? {
            let more = pairs("query", &query)?;
            new.query.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
            new.query.extend(more);
        }
        if let Some(auth) = options.table("auth")? {
            new.headers.insert(AUTHORIZATION, authorization(auth)?);
        }
        new.redirects = match options.value("redirects")? {
            None => self.redirects,
            Some(Value::Boolean(false)) => None,
            Some(Value::Integer(most @ 0..=100)) => Some(most as usize),
            Some(_) => {
                return Err(LibError::invalid("option `redirects` must be false or 0 to 100"));
            }
        };
        if let Some(list) = options.table("allow")? {
            new.allow = list
                .sequence_values::<u16>()
                .collect::<mlua::Result<_>>()
                .map_err(|_| LibError::invalid("option `allow` must be a list of statuses, as {404}"))?;
        }
        if let Some(Value::Table(table)) = options.value("cookies")? {
            new.cookies = cookie_line(&table)?;
        }
        if let Some(retries) = options.value("retries")? {
            new.retries = Retries::read(&retries)?;
        }
        new.timeout = options.duration("timeout")?.or(self.timeout);
        new.read_timeout = options.duration("read_timeout")?.unwrap_or(self.read_timeout);
        new.kind.connect_timeout = options.duration("connect_timeout")?.unwrap_or(self.kind.connect_timeout);
        new.kind.decompress = options.bool("decompress")?.unwrap_or(self.kind.decompress);
        new.raise = options.bool("raise")?.unwrap_or(self.raise);
        new.max_size = options.size("max_size")?.or(self.max_size);
        Ok(new)
    }

    /// Whether a status is an error to the script.
    pub fn is_bad(&self, status: u16) -> bool {
        self.raise && status >= 400 && !self.allow.contains(&status)
    }
}

/// `{user, password}`, `{user=, pass=}` or `{bearer=}`.
fn authorization(table: Table) -> Result<HeaderValue, LibError> {
    let bad = || LibError::invalid("option `auth` must be {user, password}, {user=, pass=} or {bearer=}");
    let (first, second): (Option<String>, Option<String>) =
        (table.raw_get(1).map_err(|_| bad())?, table.raw_get(2).map_err(|_| bad())?);
    let asked = if first.is_some() {
        (first, second.unwrap_or_default(), None)
    } else {
        let mut options = Options::new(Some(table));
        let named =
            (options.string("user")?, options.string("pass")?.unwrap_or_default(), options.string("bearer")?);
        options.finish().map_err(|error| LibError::invalid(format!("option `auth`: {}", error.message())))?;
        named
    };
    match asked {
        (Some(user), pass, None) => header_of(|request| request.basic_auth(user, Some(pass))),
        (None, _, Some(token)) => header_of(|request| request.bearer_auth(token)),
        _ => Err(bad()),
    }
}

/// `Authorization` for a user and a password.
///
/// # Errors
/// When they cannot be sent.
pub(super) fn basic(user: &str, password: Option<&str>) -> Result<HeaderValue, LibError> {
    header_of(|request| request.basic_auth(user, password))
}

/// reqwest knows how the header is written; the address is not used.
fn header_of(write: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Result<HeaderValue, LibError> {
    let bad = || LibError::invalid("option `auth` cannot be sent: control signs are not allowed");
    let client = Pool::shared().client(Settings::default().kind)?;
    let mut request = write(client.get("http://localhost/")).build().map_err(|_| bad())?;
    request.headers_mut().remove(AUTHORIZATION).ok_or_else(bad)
}
