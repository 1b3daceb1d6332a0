//! Which route of a server a request takes: `"/items"`, `"POST /items"`, `"/items/:id"`, `"/files/*"`.

use std::cmp::Reverse;

use hyper::Method;

use super::super::percent_decoded;
use crate::lua::error::LibError;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Name(String),
}

/// A pattern of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// None: any.
    method: Option<Method>,
    parts: Vec<Part>,
    /// Ends with `*`: whatever follows.
    open: bool,
}

/// Names and texts of the parts of an address.
pub(super) type Params = Vec<(String, Vec<u8>)>;

impl Pattern {
    /// Every request.
    pub fn any() -> Self {
        Self { method: None, parts: Vec::new(), open: true }
    }

    /// # Errors
    /// When it is no pattern.
    pub fn parse(text: &str) -> Result<Self, LibError> {
        let bad = |why: &str| LibError::invalid(format!("the route `{text}` {why}"));
        let (method, path) = match text.split_once(' ').filter(|_| !text.starts_with('/')) {
            None => (None, text),
            Some((method, path)) => {
                let method = Method::from_bytes(method.as_bytes()).ok();
                (Some(method.ok_or_else(|| bad("has no method of HTTP before its path"))?), path.trim())
            }
        };
        let path =
            path.strip_prefix('/').ok_or_else(|| bad("must begin with `/`, or with a method and `/`"))?;
        let (path, open) = match path.strip_suffix('*') {
            Some("") => ("", true),
            Some(before) => match before.strip_suffix('/') {
                Some(before) => (before, true),
                None => return Err(bad("must have its `*` behind a `/`")),
            },
            None => (path, false),
        };
        if path.contains('*') {
            return Err(bad("can have a `*` only at its end"));
        }
        let parts = match (path, open) {
            ("", true) => Vec::new(),
            (path, _) => path.split('/').map(part).collect(),
        };
        Ok(Self { method, parts, open })
    }

    /// Those that say more are asked first.
    pub fn rank(&self) -> impl Ord + use<> {
        let names = self.parts.iter().filter(|part| matches!(part, Part::Name(_))).count();
        (self.open, names, Reverse(self.parts.len()), self.method.is_none())
    }

    /// The named parts, when the path fits.
    pub fn fits_path(&self, path: &str) -> Option<Params> {
        let path = path.strip_prefix('/')?;
        let mut given = path.split('/');
        let mut params = Params::new();
        for part in &self.parts {
            let one = percent_decoded(given.next()?);
            match part {
                Part::Text(text) if *text == one => {}
                Part::Text(_) => return None,
                Part::Name(name) => params.push((name.clone(), one)),
            }
        }
        let rest: Vec<_> = given.collect();
        if self.open {
            params.push(("*".to_owned(), percent_decoded(&rest.join("/"))));
            return Some(params);
        }
        rest.is_empty().then_some(params)
    }

    pub fn fits_method(&self, method: &Method) -> bool {
        self.method.as_ref().is_none_or(|own| own == method || *own == Method::GET && method == Method::HEAD)
    }
}

fn part(text: &str) -> Part {
    match text.strip_prefix(':') {
        Some(name) if !name.is_empty() => Part::Name(name.to_owned()),
        _ => Part::Text(percent_decoded(text)),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::Pattern;

    fn fits(pattern: &str, path: &str) -> Option<String> {
        let params = Pattern::parse(pattern).expect("a pattern").fits_path(path)?;
        let shown = params.iter().map(|(name, text)| format!("{name}={}", String::from_utf8_lossy(text)));
        Some(shown.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn paths_fit_part_by_part() {
        assert_eq!(fits("/", "/").as_deref(), Some(""));
        assert_eq!(fits("/a b/c", "/a%20b/c").as_deref(), Some(""));
        assert_eq!(fits("/a", "/a/"), None);
        assert_eq!(fits("/a/:id/x", "/a/5%2f6/x").as_deref(), Some("id=5/6"));
        assert_eq!(fits("/f/*", "/f/a/b").as_deref(), Some("*=a/b"));
        assert_eq!(fits("/f/*", "/g/a"), None);
        assert_eq!(fits("/*", "/").as_deref(), Some("*="));
        assert_eq!(fits("/a/:b/*", "/a/1/2/3").as_deref(), Some("b=1 *=2/3"));
    }

    #[test]
    fn what_says_more_comes_first() {
        let mut patterns = ["/*", "/a/:id", "/a/*", "GET /a/x", "/a/x", "/:x/:y"]
            .map(|text| (text, Pattern::parse(text).expect("a pattern")));
        patterns.sort_by_key(|(_, pattern)| pattern.rank());
        assert_eq!(patterns.map(|(text, _)| text), ["GET /a/x", "/a/x", "/a/:id", "/:x/:y", "/a/*", "/*"]);
        let get = Pattern::parse("GET /").expect("a pattern");
        assert!(get.fits_method(&Method::HEAD) && !get.fits_method(&Method::POST));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "a", "/a*", "/*/a", "GET", "G\u{e4}T /", "GET a"] {
            assert_eq!(Pattern::parse(bad).expect_err(bad).code(), "invalid");
        }
    }
}
