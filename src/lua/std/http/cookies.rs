//! The cookies of a client, in memory or in a file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use cookie_store::{CookieDomain, CookieExpiration, CookieStore, RawCookie, StoreAction};
use mlua::{Lua, Table};
use reqwest::Url;
use reqwest::header::{HeaderMap, SET_COOKIE};

use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::std::fs;

/// Larger ones are not kept (RFC 6265, section 6.1, asks for 4096 at least).
const MOST_BYTES: usize = 8192;
/// That one host may set; further ones are not kept.
const MOST_OF_HOST: usize = 300;

#[derive(Default)]
pub(super) struct Jar {
    store: RefCell<CookieStore>,
    /// How many each host has set.
    counts: RefCell<HashMap<String, usize>>,
    /// Written after each change.
    file: Option<PathBuf>,
}

impl Jar {
    /// With what the file holds, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub fn open(file: &Path) -> Result<Self, LibError> {
        let store = match File::open(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => CookieStore::default(),
            Err(error) => return Err(LibError::file(&error, file)),
            Ok(opened) => cookie_store::serde::json::load(BufReader::new(opened))
                .map_err(|error| LibError::parse(format!("is no file of cookies: {error}")).path(file))?,
        };
        Ok(Self { store: RefCell::new(store), file: Some(file.to_path_buf()), ..Self::default() })
    }

    /// Keeps what a reply sets.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn store(&self, url: &Url, headers: &HeaderMap) -> Result<(), LibError> {
        let mut changed = false;
        for value in headers.get_all(SET_COOKIE) {
            // What is no cookie is dropped, as browsers do.
            let Ok(text) = value.to_str() else { continue };
            let Ok(cookie) = RawCookie::parse(text) else { continue };
            if text.len() > MOST_BYTES || is_for_many(&cookie, url) {
                continue;
            }
            let mut counts = self.counts.borrow_mut();
            let count = counts.entry(url.host_str().unwrap_or_default().to_owned()).or_default();
            if *count == MOST_OF_HOST {
                continue;
            }
            let stored = self.store.borrow_mut().insert_raw(&cookie, url);
            *count += usize::from(matches!(stored, Ok(StoreAction::Inserted)));
            changed |= stored.is_ok();
        }
        match &self.file {
            Some(file) if changed => self.save(file),
            _ => Ok(()),
        }
    }

    fn save(&self, file: &Path) -> Result<(), LibError> {
        let mut text = Vec::new();
        cookie_store::serde::json::save_incl_expired_and_nonpersistent(&self.store.borrow(), &mut text)
            .map_err(|error| LibError::new("io", error.to_string()).path(file))?;
        fs::write(file, &text, &fs::WriteOptions::read(&mut Options::new(None))?)
    }

    /// The value of the header `Cookie`; empty when there is none to send.
    pub fn line(&self, url: &Url) -> String {
        let store = self.store.borrow();
        let mut found = store.matches(url);
        // RFC 6265, section 5.4: longer paths first, then those that came first.
        found.sort_by_key(|cookie| std::cmp::Reverse(String::from(&cookie.path).len()));
        let pairs = found.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value()));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// `c:cookies()`
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn list(&self, lua: &Lua) -> Result<Table, LibError> {
        let store = self.store.borrow();
        let mut found: Vec<_> = store.iter_unexpired().collect();
        found.sort_by_key(|cookie| {
            (String::from(&cookie.domain), String::from(&cookie.path), cookie.name().to_owned())
        });
        let list = lua.create_table_with_capacity(found.len(), 0)?;
        for cookie in found {
            let table = lua.create_table()?;
            table.raw_set("name", cookie.name())?;
            table.raw_set("value", cookie.value())?;
            table.raw_set("domain", String::from(&cookie.domain))?;
            table.raw_set("path", String::from(&cookie.path))?;
            table.raw_set("secure", cookie.secure().unwrap_or(false))?;
            table.raw_set("http_only", cookie.http_only().unwrap_or(false))?;
            table.raw_set("host_only", matches!(cookie.domain, CookieDomain::HostOnly(_)))?;
            if let CookieExpiration::AtUtc(time) = cookie.expires {
                table.raw_set("expires", time.unix_timestamp())?;
            }
            list.raw_push(table)?;
        }
        Ok(list)
    }
}

/// Whether the cookie is meant for all of `.com` or `.co.uk`.
fn is_for_many(cookie: &RawCookie<'_>, url: &Url) -> bool {
    let Some(domain) = cookie.domain() else { return false };
    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
    if url.host_str().is_some_and(|host| host == domain) {
        return false;
    }
    psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.as_bytes() == domain.as_bytes())
}

#[cfg(test)]
mod tests {
    use reqwest::Url;
    use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};

    use super::{Jar, MOST_OF_HOST};

    fn line(jar: &Jar, url: &str) -> String {
        jar.line(&Url::parse(url).expect("an address"))
    }

    fn set(jar: &Jar, url: &str, cookie: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(SET_COOKIE, HeaderValue::from_str(cookie).expect("a header"));
        jar.store(&Url::parse(url).expect("an address"), &headers).expect("no file");
    }

    #[test]
    fn a_cookie_for_a_whole_registry_is_dropped() {
        let jar = Jar::default();
        for domain in ["com", ".co.uk", "uk", "github.io"] {
            set(&jar, "https://shop.example.co.uk/", &format!("a=1; Domain={domain}"));
            set(&jar, "https://me.github.io/", &format!("a=1; Domain={domain}"));
            set(&jar, "https://www.example.com/", &format!("a=1; Domain={domain}"));
        }
        assert_eq!(line(&jar, "https://other.co.uk/") + &line(&jar, "https://you.github.io/"), "");
        assert_eq!(line(&jar, "https://www.example.com/"), "");
        set(&jar, "https://shop.example.co.uk/", "a=1; Domain=Example.CO.uk");
        assert_eq!(line(&jar, "https://www.example.co.uk/"), "a=1");
    }

    #[test]
    fn secure_cookies_stay_secure_and_hosts_are_bounded() {
        let jar = Jar::default();
        set(&jar, "https://example.com/", "s=1; Secure");
        assert_eq!(
            (line(&jar, "http://example.com/"), line(&jar, "https://example.com/")),
            (String::new(), "s=1".into())
        );
        for number in 0..2 * MOST_OF_HOST {
            set(&jar, "https://many.example/", &format!("n{number}=1"));
        }
        assert_eq!(line(&jar, "https://many.example/").split("; ").count(), MOST_OF_HOST);
    }
}
