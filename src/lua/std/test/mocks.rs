//! `test.http`: replies by method and address, in place of the network.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, LuaString, Table, Value};
use reqwest::Url;

use super::context::Context;
use crate::lua::error::LibError;
use crate::lua::module::{call, did_you_mean};
use crate::lua::options::Options;
use crate::lua::std::http::mock::{Answer, Asked};
use crate::lua::std::reach::{self, DENIED, Reach};
use crate::lua::std::{json, path};

/// Who stands in for the network.
#[derive(Default)]
pub struct Mocks {
    rules: Vec<Rule>,
    /// Of the key `*`.
    other: Option<Rule>,
}

struct Rule {
    key: String,
    method: Option<String>,
    /// Whole, or with `*` for any letters.
    url: String,
    reply: Value,
    used: Cell<usize>,
}

impl Mocks {
    /// The table of `test.http`.
    ///
    /// # Errors
    /// On keys that are no addresses, and replies that are none.
    pub fn read(table: &Table) -> Result<Self, LibError> {
        let mut pairs = Vec::new();
        table.for_each(|key: Value, value: Value| {
            pairs.push((key, value));
            Ok(())
        })?;
        let mut mocks = Self::default();
        for (key, reply) in pairs {
            let Value::String(key) = &key else {
                let got = key.type_name();
                return Err(LibError::invalid(format!("a key must be \"GET https://…\", got a {got}")));
            };
            let rule = Rule::read(&key.to_string_lossy(), reply)?;
            match rule.key.as_str() {
                "*" => mocks.other = Some(rule),
                _ => mocks.rules.push(rule),
            }
        }
        // the most exact first: without `*`, then the longer
        mocks
            .rules
            .sort_by_key(|rule| (rule.url.contains('*'), usize::MAX - rule.key.len(), rule.method.is_none()));
        Ok(mocks)
    }

    fn rule(&self, asked: &Asked) -> Option<&Rule> {
        let mut url = asked.url.clone();
        url.set_fragment(None);
        self.rules.iter().find(|rule| rule.fits(&asked.method, url.as_str())).or(self.other.as_ref())
    }

    fn denied(&self, asked: &Asked) -> LibError {
        let key = format!("{} {}", asked.method, asked.url);
        let known: Vec<&str> = self.rules.iter().map(|rule| rule.key.as_str()).collect();
        let near = did_you_mean(&key, &known);
        let near = near.replace("did you mean", "mocked is").replace('?', "");
        let how = match reach::is_loopback(asked.url.host_str().unwrap_or_default()) {
            true => "; test.http \"loopback\" allows what is on this machine".to_owned(),
            false => format!("; mock it: test.http {{ [\"{key}\"] = {{ status = 200, body = \"…\" }} }}"),
        };
        let how = if near.is_empty() { how } else { near };
        LibError::new(DENIED, format!("{key} is not mocked, and the network is denied in specs{how}"))
    }
}

impl Rule {
    fn read(key: &str, reply: Value) -> Result<Self, LibError> {
        let wrong = |why: &str| LibError::invalid(format!("the key `{key}` {why}"));
        let (method, url) = match key.trim().split_once(' ') {
            Some((method, url)) => (Some(method.to_ascii_uppercase()), url.trim()),
            None => (None, key.trim()),
        };
        if method.as_ref().is_some_and(|method| !method.bytes().all(|b| b.is_ascii_alphabetic())) {
            return Err(wrong("must be a method and an address, as \"GET https://example.com/\""));
        }
        let method = method.filter(|method| method != "ANY");
        let url = match url {
            "*" => url.to_owned(),
            url if url.contains('*') => url.to_owned(),
            url => {
                let parsed = Url::parse(url).map_err(|error| wrong(&format!("has no address: {error}")))?;
                parsed.to_string()
            }
        };
        let fits = match &reply {
            Value::String(word) => word.as_bytes().as_ref() != b"allow",
            Value::Integer(status) => (100..=999).contains(status),
            Value::Table(_) | Value::Function(_) => true,
            _ => false,
        };
        if !fits {
            return Err(wrong(
                "must have a reply: {status=, body=, headers=, json=, file=, error=, delay=}, a list of them, a function, \
                 a status, a body, \"deny\" or \"loopback\"",
            ));
        }
        Ok(Self { key: key.trim().to_owned(), method, url, reply, used: Cell::new(0) })
    }

    fn fits(&self, method: &str, url: &str) -> bool {
        self.method.as_deref().is_none_or(|own| own == method)
            && if self.url.contains('*') { fits(&self.url, url) } else { self.url == url }
    }
}

/// Whether the text is the pattern, with any letters for each `*`.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Answers for the network, and keeps the request.
///
/// # Errors
/// `denied`, and what the reply says.
pub fn answer(lua: &Lua, context: &Context, asked: &Asked) -> Result<Answer, LibError> {
    let result = found(lua, context, asked).map_err(|error| error.url(asked.url.as_str()));
    let status = match &result {
        Ok(Answer::Reply { status, .. }) => Some(*status),
        _ => None,
    };
    context.requests.borrow_mut().push((asked.clone(), status));
    if !matches!(&result, Ok(Answer::Pass)) && !result.as_ref().is_err_and(|error| error.code() == DENIED) {
        context.answered.set(context.answered.get() + 1);
    }
    result
}

fn found(lua: &Lua, context: &Context, asked: &Asked) -> Result<Answer, LibError> {
    let mocks = Rc::clone(&context.mocks.borrow());
    let may_pass =
        || reach::get() == Reach::Loopback && reach::is_loopback(asked.url.host_str().unwrap_or_default());
    let Some(rule) = mocks.rule(asked) else {
        return if may_pass() { Ok(Answer::Pass) } else { Err(mocks.denied(asked)) };
    };
    let mut reply = rule.reply.clone();
    let used = rule.used.replace(rule.used.get() + 1);
    if let Value::Table(list) = &reply
        && list.raw_len() > 0
    {
        // one after the other, and the last again and again
        reply = list.raw_get(used.min(list.raw_len() - 1) + 1)?;
    }
    if let Value::Function(function) = &reply {
        reply = call(lua, function, described(lua, asked, None)?)?;
    }
    match &reply {
        Value::String(word) if word.as_bytes().as_ref() == b"deny" => Err(mocks.denied(asked)),
        Value::String(word) if word.as_bytes().as_ref() == b"loopback" => match may_pass() {
            true => Ok(Answer::Pass),
            false => Err(mocks.denied(asked)),
        },
        reply => read_reply(lua, context, reply).map_err(|error| {
            if error.code() == "invalid" {
                LibError::invalid(format!("the mock `{}`: {}", rule.key, error.message()))
            } else {
                error
            }
        }),
    }
}

fn read_reply(lua: &Lua, context: &Context, reply: &Value) -> Result<Answer, LibError> {
    let plain = |status, body| Answer::Reply { status, headers: Vec::new(), body, delay: Duration::ZERO };
    match reply {
        Value::String(body) => Ok(plain(200, body.as_bytes().to_vec())),
        Value::Integer(status) if (100..=999).contains(status) => Ok(plain(*status as u16, Vec::new())),
        // as a server of `http.serve`: nothing is there
        Value::Nil => Ok(plain(404, Vec::new())),
        Value::Table(table) => read_table(lua, context, table.clone()),
        other => Err(LibError::invalid(format!("{} is no reply", other.type_name()))),
    }
}

fn read_table(lua: &Lua, context: &Context, table: Table) -> Result<Answer, LibError> {
    let mut options = Options::new(Some(table));
    let status = options.int("status")?.unwrap_or(200);
    let status = u16::try_from(status).ok().filter(|status| (100..=999).contains(status));
    let status = status.ok_or_else(|| LibError::invalid("option `status` must be 100 to 999"))?;
    let headers = options.table("headers")?;
    let text = options.bytes("body")?;
    let file = options.bytes("file")?;
    let json = options.value("json")?;
    let delay = options.duration("delay")?.unwrap_or_default();
    let error = options.string("error")?;
    options.finish()?;
    if let Some(code) = error {
        let retryable = !matches!(code.as_str(), "tls" | "invalid" | "redirect");
        return Err(LibError::new(code.clone(), format!("{code}, as the mock says")).retryable(retryable));
    }
    if [text.is_some(), file.is_some(), json.is_some()].into_iter().filter(|given| *given).count() > 1 {
        return Err(LibError::invalid("only one of `body`, `file` and `json` can be given"));
    }
    let mut headers = headers.map(|headers| read_headers(&headers)).transpose()?.unwrap_or_default();
    let body = if let Some(file) = file {
        let file = context.find(&path::of(&file));
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type".to_owned(), kind_of(&file).as_bytes().to_vec()));
        }
        std::fs::read(&file).map_err(|error| LibError::file(&error, &file))?
    } else if let Some(json) = json {
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type".to_owned(), b"application/json".to_vec()));
        }
        json::compact(lua, &json)?
    } else {
        text.map(|text| text.as_bytes().to_vec()).unwrap_or_default()
    };
    Ok(Answer::Reply { status, headers, body, delay })
}

fn kind_of(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some("csv") => "text/csv",
        _ => "application/octet-stream",
    }
}

fn read_headers(table: &Table) -> Result<Vec<(String, Vec<u8>)>, LibError> {
    let mut all = Vec::new();
    let wrong = || LibError::invalid("option `headers` must be a table of strings, or of lists of them");
    table.for_each(|name: Value, value: Value| {
        all.push((name, value));
        Ok(())
    })?;
    let mut headers = Vec::new();
    for (name, value) in all {
        let Value::String(name) = name else { return Err(wrong()) };
        let name = name.to_string_lossy().to_ascii_lowercase();
        let values = match value {
            Value::Table(list) => list.sequence_values::<LuaString>().collect::<mlua::Result<Vec<_>>>(),
            Value::String(one) => Ok(vec![one]),
            Value::Integer(number) => {
                headers.push((name, number.to_string().into_bytes()));
                continue;
            }
            _ => return Err(wrong()),
        };
        for one in values.map_err(|_| wrong())? {
            headers.push((name.clone(), one.as_bytes().to_vec()));
        }
    }
    headers.sort();
    Ok(headers)
}

/// A request as functions and `test.requests` give it.
///
/// # Errors
/// When Lua has no memory left.
pub fn described(lua: &Lua, asked: &Asked, status: Option<u16>) -> Result<Table, LibError> {
    let table = lua.create_table()?;
    table.raw_set("method", asked.method.as_str())?;
    table.raw_set("url", asked.url.as_str())?;
    table.raw_set("path", asked.url.path())?;
    let query = lua.create_table()?;
    for (name, value) in asked.url.query_pairs() {
        query.raw_set(&*name, &*value)?;
    }
    table.raw_set("query", query)?;
    let headers = lua.create_table()?;
    for (name, value) in &asked.headers {
        headers.raw_set(name.as_str(), lua.create_string(value)?)?;
    }
    table.raw_set("headers", headers)?;
    table.raw_set("body", lua.create_string(&asked.body)?)?;
    table.raw_set("status", status)?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_is_any_letters() {
        for (pattern, text) in
            [("https://x/p/*", "https://x/p/1/2"), ("*", "a"), ("a*b*c", "axxbyyc"), ("a*", "a")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("https://x/p/*", "https://x/q/1"), ("a*b*c", "axxc"), ("a*b", "abc")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
