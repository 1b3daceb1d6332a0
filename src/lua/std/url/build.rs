//! From the parts of an address to its text.

use ::url::Url;
use mlua::{Table, Value};

use super::query;
use crate::lua::error::LibError;
use crate::lua::options::Options;

/// `url.build`. What a part must not hold is encoded; `params` wins over `query`.
pub(super) fn build(parts: Table) -> Result<Url, LibError> {
    let mut options = Options::new(Some(parts));
    let scheme = options.string("scheme")?.unwrap_or_else(|| "https".to_owned());
    let host = options.string("host")?;
    let port = options.count("port")?;
    let path = options.string("path")?.unwrap_or_default();
    let query = options.value("query")?;
    let params = options.table("params")?;
    let fragment = options.string("fragment")?;
    let (username, password) = (options.string("username")?, options.string("password")?);
    options.finish()?;

    let host = host.ok_or_else(|| LibError::invalid("the part `host` is needed"))?;
    let mut url = Url::parse(&format!("{scheme}://{}/", bracketed(&host)))
        .map_err(|error| LibError::invalid(format!("`{scheme}://{host}`: {error}")))?;
    // Anything but the host itself, as in `a/b` or `user@a`, would have become another part.
    if url.path().len() > 1 || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty()
    {
        return Err(LibError::invalid(format!("the part `host` is no host name: `{host}`")));
    }
    let wrong = |name: &str| LibError::invalid(format!("the part `{name}` does not fit `{scheme}://{host}`"));
    if let Some(port) = port {
        let port = u16::try_from(port)
            .map_err(|_| LibError::invalid(format!("the part `port` must be 0 to 65535, got {port}")))?;
        url.set_port(Some(port)).map_err(|()| wrong("port"))?;
    }
    if let Some(username) = username {
        url.set_username(&username).map_err(|()| wrong("username"))?;
    }
    if let Some(password) = password {
        url.set_password(Some(&password)).map_err(|()| wrong("password"))?;
    }
    url.set_path(&path);
    let query = match (params, query) {
        (Some(params), Some(Value::String(text))) if same(&params, &text.as_bytes())? => {
            Some(text.to_string_lossy())
        }
        (Some(params), _) | (None, Some(Value::Table(params))) => Some(query::write(&params)?),
        (None, Some(Value::String(text))) => Some(text.to_string_lossy()),
        (None, None) => None,
        (None, Some(other)) => {
            let got = other.type_name();
            return Err(LibError::invalid(format!(
                "the part `query` must be a string or a table, got {got}"
            )));
        }
    };
    let query = query.filter(|query| !query.is_empty());
    url.set_query(query.as_deref().map(|query| query.strip_prefix('?').unwrap_or(query)));
    url.set_fragment(fragment.as_deref());
    Ok(url)
}

/// IPv6 as one writes it without a port.
fn bracketed(host: &str) -> String {
    let numbers = host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_ok();
    if numbers { format!("[{host}]") } else { host.to_owned() }
}

/// Whether the parameters are still those of the text: then its own spelling is kept.
fn same(params: &Table, text: &[u8]) -> Result<bool, LibError> {
    let text = text.strip_prefix(b"?").unwrap_or(text);
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = ::url::form_urlencoded::parse(text)
        .map(|(name, value)| (name.into_owned().into_bytes(), value.into_owned().into_bytes()))
        .collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let mut told = String::new();
    for (name, value) in &pairs {
        let joint = if told.is_empty() { "" } else { "&" };
        told.push_str(joint);
        told.extend(::url::form_urlencoded::byte_serialize(name));
        told.push('=');
        told.extend(::url::form_urlencoded::byte_serialize(value));
    }
    Ok(told == query::write(params)?)
}
