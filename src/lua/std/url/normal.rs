//! One spelling for all addresses of a page.

use ::url::Url;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use mlua::Table;

use super::query;
use crate::lua::error::LibError;
use crate::lua::options::Options;

/// `url.normalize`: what the standard does when it parses, and unreserved characters without their codes, codes in
/// capitals, the query sorted (`sort_query`), without the parameters of `strip`, without the fragment (`fragment`).
pub(super) fn normalize(mut url: Url, options: Option<Table>) -> Result<String, LibError> {
    let mut options = Options::new(options);
    let strip = match options.table("strip")? {
        Some(list) => Some(globs(&list)?),
        None => None,
    };
    let sort = options.bool("sort_query")?.unwrap_or(true);
    let fragment = options.bool("fragment")?.unwrap_or(false);
    options.finish()?;

    if !fragment {
        url.set_fragment(None);
    }
    if !url.cannot_be_a_base() {
        let path = recoded(url.path());
        url.set_path(&path);
    }
    if let Some(text) = url.query() {
        let text = recoded(text);
        let mut pairs: Vec<&str> = text.split('&').filter(|pair| !pair.is_empty()).collect();
        if let Some(strip) = &strip {
            pairs.retain(|pair| {
                let name = pair.split('=').next().unwrap_or_default();
                !strip.is_match(String::from_utf8_lossy(&query::decode(name.as_bytes(), true)).as_ref())
            });
        }
        if sort {
            pairs.sort_by_cached_key(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (query::decode(name.as_bytes(), true), query::decode(value.as_bytes(), true))
            });
        }
        let joined = pairs.join("&");
        url.set_query(Some(joined.as_str()).filter(|text| !text.is_empty()));
    }
    Ok(url.into())
}

fn globs(list: &Table) -> Result<GlobSet, LibError> {
    let mut set = GlobSetBuilder::new();
    for pattern in list.sequence_values::<String>() {
        let pattern =
            pattern.map_err(|_| LibError::invalid("option `strip` must be a list as {\"utm_*\"}"))?;
        let glob = GlobBuilder::new(&pattern).build();
        set.add(glob.map_err(|error| LibError::invalid(format!("option `strip`: {error}")))?);
    }
    set.build().map_err(|error| LibError::invalid(format!("option `strip`: {error}")))
}

/// `%7e` to `~`, `%c3` to `%C3`; every other character as it is.
fn recoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        let sign = rest.as_bytes().get(at + 1) == Some(&b'+');
        rest = match code.filter(|_| !sign) {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
                &rest[at + 3..]
            }
            Some(byte) => {
                out.push_str(&format!("%{byte:02X}"));
                &rest[at + 3..]
            }
            None => {
                out.push('%');
                &rest[at + 1..]
            }
        };
    }
    out.push_str(rest);
    out
}
