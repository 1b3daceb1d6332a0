//! Parts of options tables that HTTP writes as names with values: headers, query, forms, cookies.

use std::borrow::Cow;

use mlua::{LuaString, Table, Value};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::lua::error::LibError;

/// Puts the headers of `table` in place of those with the same names.
///
/// # Errors
/// On names and values that HTTP does not allow.
pub(super) fn read_headers(headers: &mut HeaderMap, table: &Table) -> Result<(), LibError> {
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

/// The bytes of a string, a number or a boolean.
pub(super) fn scalar(value: &Value) -> Option<Cow<'static, [u8]>> {
    match value {
        Value::String(text) => Some(Cow::Owned(text.as_bytes().to_vec())),
        Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => {
            Some(Cow::Owned(value.to_string().ok()?.into_bytes()))
        }
        _ => None,
    }
}

/// `{name = value}` in the order of the names; a list as a value repeats the name.
///
/// # Errors
/// On keys and values that are no text.
pub(super) fn pairs(option: &str, table: &Table) -> Result<Vec<(String, String)>, LibError> {
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

/// `a=1; b=2` of `{a = 1, b = 2}`.
///
/// # Errors
/// On names and values that would end a cookie or a header.
pub(super) fn cookie_line(table: &Table) -> Result<String, LibError> {
    let mut line = String::new();
    for (name, value) in pairs("cookies", table)? {
        let bad = |text: &str| text.bytes().any(|byte| byte.is_ascii_control() || byte == b';');
        if name.is_empty() || bad(&name) || name.contains(['=', ' ']) || bad(&value) {
            return Err(LibError::invalid(format!(
                "option `cookies`: `{name}` cannot be sent: `;` and control signs are not allowed"
            )));
        }
        if !line.is_empty() {
            line.push_str("; ");
        }
        line.push_str(&name);
        line.push('=');
        line.push_str(&value);
    }
    Ok(line)
}

/// `a=1&b=x+y`, as forms and queries are written.
pub(super) fn urlencoded(pairs: &[(String, String)]) -> String {
    // Any address that can have a query will do.
    let Ok(mut writer) = Url::parse("http://localhost/") else {
        return String::new();
    };
    writer.query_pairs_mut().extend_pairs(pairs);
    writer.query().unwrap_or_default().to_owned()
}
