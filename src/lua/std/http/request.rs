//! From a URL and an options table to a request.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, LuaString, Table, Value};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Body, Method, Request, RequestBuilder, Url};

use super::client::{self, Kind};
use super::fail;
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::std::json;

/// What may be said for one request or for all of a session.
#[derive(Clone)]
pub(super) struct Settings {
    headers: HeaderMap,
    timeout: Duration,
    kind: Kind,
    /// Statuses from 400 on that raise nothing.
    pub allow: Vec<u16>,
    /// Whether any status raises.
    pub raise: bool,
    /// Most bytes of a body.
    pub max_size: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            headers: HeaderMap::new(),
            timeout: Duration::from_secs(30),
            kind: Kind { redirects: Some(10), connect_timeout: Duration::from_secs(10) },
            allow: Vec::new(),
            raise: true,
            max_size: 256 << 20,
        }
    }
}

impl Settings {
    fn override_with(&self, options: &mut Options) -> Result<Self, LibError> {
        let mut headers = self.headers.clone();
        if let Some(table) = options.table("headers")? {
            read_headers(&mut headers, &table)?;
        }
        if let Some(auth) = options.table("auth")? {
            headers.insert(AUTHORIZATION, authorization(auth)?);
        }
        let redirects = match options.value("redirects")? {
            None => self.kind.redirects,
            Some(Value::Boolean(false)) => None,
            Some(Value::Integer(most @ 0..=100)) => Some(most as usize),
            Some(_) => {
                return Err(LibError::invalid("option `redirects` must be false or 0 to 100"));
            }
        };
        let connect_timeout = options.duration("connect_timeout")?.unwrap_or(self.kind.connect_timeout);
        Ok(Self {
            headers,
            timeout: options.duration("timeout")?.unwrap_or(self.timeout),
            kind: Kind { redirects, connect_timeout },
            allow: match options.table("allow")? {
                Some(list) => list
                    .sequence_values::<u16>()
                    .collect::<mlua::Result<_>>()
                    .map_err(|_| LibError::invalid("option `allow` must be a list of statuses, as {404}"))?,
                None => self.allow.clone(),
            },
            raise: options.bool("raise")?.unwrap_or(self.raise),
            max_size: options.size("max_size")?.unwrap_or(self.max_size),
        })
    }
}

fn read_headers(headers: &mut HeaderMap, table: &Table) -> Result<(), LibError> {
    let mut pairs: Vec<(LuaString, Value)> = Vec::new();
    table.for_each(|name: Value, value: Value| match name {
        Value::String(name) => {
            pairs.push((name, value));
            Ok(())
        }
        _ => Err(mlua::Error::external(LibError::invalid("option `headers` must have names as keys"))),
    })?;
    for (name, value) in pairs {
        let bad = |what: &str| LibError::invalid(format!("header `{}` {what}", name.to_string_lossy()));
        let key = HeaderName::from_bytes(&name.as_bytes())
            .map_err(|_| bad("has a name that HTTP does not allow"))?;
        let values: Vec<Value> = match value {
            Value::Table(list) => list.sequence_values::<Value>().collect::<mlua::Result<_>>()?,
            one => vec![one],
        };
        headers.remove(&key);
        for value in values {
            let text = scalar(&value).ok_or_else(|| bad("must be a string, a number or a list of them"))?;
            let text = HeaderValue::from_bytes(&text)
                .map_err(|_| bad("has a line end or another control sign in it"))?;
            headers.append(key.clone(), text);
        }
    }
    Ok(())
}

/// `{user, password}`, `{user=, pass=}` or `{bearer=}`.
fn authorization(table: Table) -> Result<HeaderValue, LibError> {
    let (first, second): (Option<String>, Option<String>) = (table.raw_get(1)?, table.raw_get(2)?);
    let asked = if first.is_some() {
        (first, second.unwrap_or_default(), None)
    } else {
        let mut options = Options::new(Some(table));
        let named =
            (options.string("user")?, options.string("pass")?.unwrap_or_default(), options.string("bearer")?);
        options.finish().map_err(|error| LibError::invalid(format!("option `auth`: {}", error.message())))?;
        named
    };
    let bad = || LibError::invalid("option `auth` must be {user, password}, {user=, pass=} or {bearer=}");
    // reqwest knows how the header is written; the address is not used.
    let client = client::of_kind(Settings::default().kind)?;
    let builder: RequestBuilder = client.get("http://localhost/");
    let builder = match asked {
        (Some(user), pass, None) => builder.basic_auth(user, Some(pass)),
        (None, _, Some(token)) => builder.bearer_auth(token),
        _ => return Err(bad()),
    };
    let mut request = builder.build().map_err(|_| bad())?;
    request.headers_mut().remove(AUTHORIZATION).ok_or_else(bad)
}

/// The bytes of a string, a number or a boolean.
fn scalar(value: &Value) -> Option<Cow<'static, [u8]>> {
    match value {
        Value::String(text) => Some(Cow::Owned(text.as_bytes().to_vec())),
        Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => {
            Some(Cow::Owned(value.to_string().ok()?.into_bytes()))
        }
        _ => None,
    }
}

/// Settings of a session, and what its addresses begin with.
#[derive(Default)]
pub(super) struct Base {
    settings: Rc<Settings>,
    url: Option<String>,
}

impl Base {
    /// # Errors
    /// On wrong options.
    pub fn read(options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let mut settings = Settings::default().override_with(&mut options)?;
        if let Some(agent) = options.string("user_agent")? {
            let agent = HeaderValue::from_str(&agent);
            settings.headers.insert(
                USER_AGENT,
                agent.map_err(|_| LibError::invalid("option `user_agent` is no header"))?,
            );
        }
        let url = options.string("base_url")?;
        options.finish()?;
        if let Some(url) = &url {
            parse_url(url)?;
        }
        Ok(Self { settings: Rc::new(settings), url })
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

fn parse_url(text: &str) -> Result<Url, LibError> {
    let url = Url::parse(text)
        .map_err(|error| LibError::invalid(format!("the address is wrong: {error}")).url(text))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => {
            Err(LibError::invalid(format!("the address must begin with http:// or https://, not {other}:"))
                .url(text))
        }
    }
}

/// A request that is ready to go.
pub(super) struct Target {
    pub client: reqwest::Client,
    pub request: Request,
    pub settings: Rc<Settings>,
}

impl Target {
    /// # Errors
    /// On wrong addresses and options.
    pub fn new(
        lua: &Lua,
        base: &Base,
        method: Method,
        url: &LuaString,
        options: Option<Table>,
    ) -> Result<Self, LibError> {
        let url = url.to_str().map_err(|_| LibError::invalid("the address is not UTF-8"))?;
        Self::build(lua, base, method, &url, options.map(|table| Options::new(Some(table))))
            .map_err(|error| error.url(&*url))
    }

    /// `http.request`: method and address are options too.
    ///
    /// # Errors
    /// On wrong addresses and options.
    pub fn from_table(lua: &Lua, base: &Base, table: Table) -> Result<Self, LibError> {
        let mut options = Options::new(Some(table));
        let method = options.string("method")?.unwrap_or_else(|| "GET".to_owned());
        let method = Method::from_bytes(method.to_uppercase().as_bytes())
            .map_err(|_| LibError::invalid("option `method` is no method of HTTP"))?;
        let url = options.string("url")?.ok_or_else(|| LibError::invalid("option `url` is needed"))?;
        Self::build(lua, base, method, &url, Some(options)).map_err(|error| error.url(url))
    }

    fn build(
        lua: &Lua,
        base: &Base,
        method: Method,
        url: &str,
        options: Option<Options>,
    ) -> Result<Self, LibError> {
        let mut request = Request::new(method, base.resolve(url)?);
        let settings = match options {
            None => Rc::clone(&base.settings),
            Some(mut options) => {
                let settings = base.settings.override_with(&mut options)?;
                payload(lua, &mut request, &mut options)?;
                options.finish()?;
                Rc::new(settings)
            }
        };
        for name in settings.headers.keys() {
            // A header that the script names wins over that of the body's kind.
            request.headers_mut().remove(name);
            for value in settings.headers.get_all(name) {
                request.headers_mut().append(name.clone(), value.clone());
            }
        }
        *request.timeout_mut() = Some(settings.timeout);
        Ok(Self { client: client::of_kind(settings.kind)?, request, settings })
    }

    /// The address for errors, without a password in it.
    pub fn shown_url(&self) -> String {
        shown(self.request.url())
    }
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

fn payload(lua: &Lua, request: &mut Request, options: &mut Options) -> Result<(), LibError> {
    if let Some(query) = options.table("query")? {
        let pairs = pairs("query", &query)?;
        if !pairs.is_empty() {
            request.url_mut().query_pairs_mut().extend_pairs(pairs);
        }
    }
    let body = options.bytes("body")?;
    let json = options.value("json")?;
    let form = options.table("form")?;
    if usize::from(body.is_some()) + usize::from(json.is_some()) + usize::from(form.is_some()) > 1 {
        return Err(LibError::invalid("only one of the options `body`, `json` and `form` can be given"));
    }
    if let Some(body) = body {
        *request.body_mut() = Some(Body::from(body.as_bytes().to_vec()));
    } else if let Some(json) = json {
        let text = json::compact(lua, &json)
            .map_err(|error| LibError::invalid(format!("option `json`: {}", error.message())))?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(Body::from(text));
    } else if let Some(form) = form {
        let mut writer =
            Url::parse("http://localhost/").map_err(|error| LibError::invalid(error.to_string()))?;
        writer.query_pairs_mut().extend_pairs(pairs("form", &form)?);
        let text = writer.query().unwrap_or_default().to_owned();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        *request.body_mut() = Some(Body::from(text));
    }
    Ok(())
}

/// `{name = value}` in the order of the names; a list as a value repeats the name.
fn pairs(option: &str, table: &Table) -> Result<Vec<(String, String)>, LibError> {
    let wrong = |what: String| LibError::invalid(format!("option `{option}` {what}"));
    let mut entries: Vec<(Value, Value)> = Vec::new();
    table.for_each(|key, value| {
        entries.push((key, value));
        Ok(())
    })?;
    let mut pairs = Vec::new();
    for (key, value) in entries {
        let Value::String(key) = key else {
            return Err(wrong("must have names as keys".to_owned()));
        };
        let name = key.to_str().map_err(|_| wrong("must be UTF-8".to_owned()))?.to_owned();
        let values: Vec<Value> = match value {
            Value::Table(list) => list.sequence_values().collect::<mlua::Result<_>>()?,
            one => vec![one],
        };
        for value in values {
            let text = scalar(&value)
                .ok_or_else(|| wrong(format!("has a {} as `{name}`", value.type_name())))?
                .into_owned();
            pairs.push((
                name.clone(),
                String::from_utf8(text).map_err(|_| wrong("must be UTF-8".to_owned()))?,
            ));
        }
    }
    // Stable: the values of one name keep their order.
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(pairs)
}

/// The error of a failed exchange, with the address where it failed.
pub(super) fn failed(error: &reqwest::Error) -> LibError {
    let found = fail::from_reqwest(error);
    match error.url() {
        Some(url) => found.url(shown(url)),
        None => found,
    }
}
