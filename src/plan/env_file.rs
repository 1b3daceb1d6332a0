//! Files of environment variables (`.env`): a line `NAME=value` each, as Compose and dotenv write them.
//!
//! A value without quotes ends at ` #` or at the line's end; between `'` it stays as it is; between `"` the escapes
//! `\n \r \t \" \\ \$` count, and both may go over several lines. Nothing is put in for `$NAME`.

use std::path::Path;

use super::scripts::unreadable;
use crate::manifest::{Diagnostic, SourceText, Spot, read_limited};

/// The variables of a file, in its order.
pub(super) fn read(
    file: &Path,
    name: &str,
    written: &Spot,
) -> Result<Vec<(String, String)>, Box<Diagnostic>> {
    let bytes = read_limited(file).map_err(|error| unreadable("file", file, name, &error, written))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        let title = format!("`{name}` is not UTF-8 text");
        Box::new(Diagnostic::at("plan::env_file", title, written.clone(), "a file of lines NAME=value"))
    })?;
    parse(&text).map_err(|(at, what)| {
        // the rest of the line may be a secret: only its name is shown
        let line = text[..at].matches('\n').count();
        let shown =
            text.lines().map(|line| line.split_once('=').map_or("...", |(name, _)| name)).collect::<Vec<_>>();
        let source = SourceText::new(name, shown.join("\n"));
        let found = Diagnostic::on_line("plan::env_file", what, &source, line + 1);
        Box::new(
            found.help(
                "write NAME=value, one a line; put a value with blanks or quotes between '...' or \"...\"",
            ),
        )
    })
}

type Wrong = (usize, &'static str);

fn parse(text: &str) -> Result<Vec<(String, String)>, Wrong> {
    let mut variables = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut at = 0;
    while at < text.len() {
        let line = text[at..].split('\n').next().unwrap_or_default();
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            at += line.len() + 1;
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err((at, "a line without `=`"));
        };
        let plain = name.trim();
        let plain = plain.strip_prefix("export ").map_or(plain, str::trim);
        let is_name = !plain.starts_with(|c: char| c.is_ascii_digit())
            && plain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if plain.is_empty() || !is_name {
            return Err((at, "no environment variable can have this name"));
        }
        let start = at + name.len() + 1 + (value.len() - value.trim_start().len());
        let (value, end) = match text[start..].chars().next() {
            Some(quote @ ('"' | '\'')) => quoted(text, start, quote)?,
            _ => (unquoted(&text[start.min(at + line.len())..at + line.len()]), at + line.len()),
        };
        if value.contains('\0') {
            return Err((at, "a value with a zero byte"));
        }
        variables.push((plain.to_owned(), value));
        at = end + 1;
    }
    Ok(variables)
}

fn unquoted(text: &str) -> String {
    let end = text.find(" #").or_else(|| text.find("\t#")).unwrap_or(text.len());
    let text = if text.starts_with('#') { "" } else { &text[..end] };
    text.trim().to_owned()
}

/// The value, and where its line ends.
fn quoted(text: &str, start: usize, quote: char) -> Result<(String, usize), Wrong> {
    let mut value = String::new();
    let mut chars = text[start + 1..].char_indices();
    while let Some((offset, c)) = chars.next() {
        if c == quote {
            let end = start + 1 + offset + 1;
            let rest = text[end..].split('\n').next().unwrap_or_default();
            let is_clean = rest.trim().is_empty() || rest.trim_start().starts_with('#');
            return if is_clean {
                Ok((value, end + rest.len()))
            } else {
                Err((end, "something after the closing quote"))
            };
        }
        match c {
            '\\' if quote == '"' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(c @ ('"' | '\\' | '$')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => {}
            },
            c => value.push(c),
        }
    }
    Err((start, "a quote that is never closed"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn read(text: &str) -> Vec<(String, String)> {
        parse(text).expect("it can be read")
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn lines_quotes_and_comments_are_read() {
        let text = "\u{feff}# comment\n\nA=1\nexport B = two words  # comment\r\nC='as $is \\n'\nD=\"line\\none \\\"q\\\" \\$x \\z\"  # c\n\
                    E=\nF=a#b\nG= # nothing\nH=tab\t# comment\nI=\"\\r\\t\\\\\"\nPEM=\"first\nsecond\"\nLAST='x'";
        assert_eq!(
            read(text),
            pairs(&[
                ("A", "1"),
                ("B", "two words"),
                ("C", "as $is \\n"),
                ("D", "line\none \"q\" $x \\z"),
                ("E", ""),
                ("F", "a#b"),
                ("G", ""),
                ("H", "tab"),
                ("I", "\r\t\\"),
                ("PEM", "first\nsecond"),
                ("LAST", "x"),
            ])
        );
        assert_eq!(read(""), []);
        assert_eq!(read("A=b=c\n"), pairs(&[("A", "b=c")]));
        assert_eq!(read("A="), pairs(&[("A", "")]));
    }

    #[test]
    fn what_is_no_variable_is_refused_at_its_line() {
        for (text, at, what) in [
            ("A=1\nnothing\n", 4, "a line without `=`"),
            ("=1", 0, "no environment variable can have this name"),
            ("9A=1", 0, "no environment variable can have this name"),
            ("B=2\nA=1\0x", 4, "a value with a zero byte"),
            ("a b=1", 0, "no environment variable can have this name"),
            ("A='x", 2, "a quote that is never closed"),
            ("A='x' y", 5, "something after the closing quote"),
        ] {
            assert_eq!(parse(text), Err((at, what)), "{text}");
        }
    }
}
