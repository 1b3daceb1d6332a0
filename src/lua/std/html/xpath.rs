//! There is no XPath; the error shows the selector that means the same where the path is a simple one.

use crate::lua::error::LibError;

pub(super) fn refused(path: &str) -> LibError {
    let hint = match css(path) {
        Some(selector) => format!("; the same in CSS: node:css(\"{selector}\")"),
        None => {
            "; node:css takes CSS selectors with `::text` and `::attr(name)`: `//div[@class='a']/a/@href` is \
                 `div.a > a::attr(href)`"
                .to_owned()
        }
    };
    LibError::invalid(format!("XPath is not supported{hint}"))
}

/// The selector of `//a[@class='b']/c[2]/text()` and the like.
fn css(path: &str) -> Option<String> {
    let path = path.trim();
    let mut rest = path.strip_prefix('.').unwrap_or(path);
    let mut selector = String::new();
    while !rest.is_empty() {
        let (below, after) = match rest.strip_prefix("//") {
            Some(after) => (true, after),
            None => (false, rest.strip_prefix('/')?),
        };
        let end = step_end(after)?;
        let (step, later) = after.split_at(end);
        if step == "text()" || step.starts_with('@') {
            let take = step.strip_prefix('@').map_or("::text".to_owned(), |name| format!("::attr({name})"));
            let joint = if below { " " } else { "" };
            return (later.is_empty() && !selector.is_empty()).then(|| format!("{selector}{joint}{take}"));
        }
        let joint = if selector.is_empty() {
            ""
        } else if below {
            " "
        } else {
            " > "
        };
        selector.push_str(joint);
        selector.push_str(&self::step(step)?);
        rest = later;
    }
    (!selector.is_empty()).then_some(selector)
}

/// Where the next `/` outside of brackets is.
fn step_end(text: &str) -> Option<usize> {
    let mut nested = 0i32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' => nested += 1,
            b']' => nested -= 1,
            b'/' if nested == 0 => return Some(at),
            _ => {}
        }
    }
    (nested == 0).then_some(text.len())
}

/// `a[@b='c'][2]`.
fn step(step: &str) -> Option<String> {
    let (name, mut rest) = step.split_at(step.find('[').unwrap_or(step.len()));
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-*".contains(&byte)) {
        return None;
    }
    let mut selector = name.to_owned();
    while let Some(inside) = rest.strip_prefix('[') {
        let (condition, later) = inside.split_once(']')?;
        selector.push_str(&self::condition(condition.trim())?);
        rest = later;
    }
    rest.is_empty().then_some(selector)
}

fn condition(text: &str) -> Option<String> {
    if let Ok(place) = text.parse::<u32>() {
        return Some(format!(":nth-of-type({place})"));
    }
    if let Some(inside) = text.strip_prefix("contains(").and_then(|rest| rest.strip_suffix(')')) {
        let (name, value) = inside.split_once(',')?;
        return Some(format!("[{}*='{}']", word(name.trim().strip_prefix('@')?)?, quoted(value)?));
    }
    let name = text.strip_prefix('@')?;
    let Some((name, value)) = name.split_once('=') else {
        return Some(format!("[{}]", word(name)?));
    };
    let (name, value) = (word(name.trim())?, quoted(value)?);
    match name {
        "class" if word(value).is_some() => Some(format!(".{value}")),
        "id" if word(value).is_some() => Some(format!("#{value}")),
        _ => Some(format!("[{name}='{value}']")),
    }
}

fn word(text: &str) -> Option<&str> {
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    fits.then_some(text)
}

fn quoted(text: &str) -> Option<&str> {
    let text = text.trim();
    let quote = text.chars().next().filter(|c| "'\"".contains(*c))?;
    let inside = text.get(1..)?.strip_suffix(quote)?;
    (!inside.contains(['\'', '"', '\\'])).then_some(inside)
}
