//! Which bucket a task belongs to: the value of a field of its first argument, read in place and hashed.

use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::wire::json::token::{self, Token};
use crate::wire::varint;

/// The field that is derived when it is absent.
const HOST: &[u8] = b"host";
const URL: &[u8] = b"url";

/// The bucket of a task in the `limit`-th limit. Tasks without the field, or without arguments, share one.
pub(super) fn of(limit: u64, per: Option<&str>, args: &[u8]) -> u128 {
    let found = per.and_then(|per| value(limit, per.as_bytes(), args));
    found.unwrap_or_else(|| xxh3_128_with_seed(&[], limit))
}

fn value(limit: u64, per: &[u8], args: &[u8]) -> Option<u128> {
    let at = &mut 0;
    varint::take(args, at).ok().filter(|count| *count > 0)?;
    let start = *at;
    match token::take(args, at).ok()? {
        Token::Table(sequence, pairs) => {
            for _ in 0..sequence {
                token::skip(args, at).ok()?;
            }
            field(limit, per, args, at, pairs)
        }
        Token::Bytes(text) if per == HOST => Some(folded(limit, host(text).unwrap_or(text))),
        _ => Some(xxh3_128_with_seed(token::slice(args, &mut { start }).ok()?, limit)),
    }
}

/// Of `pairs` keys and values at `at`.
fn field(limit: u64, per: &[u8], args: &[u8], at: &mut usize, pairs: usize) -> Option<u128> {
    let mut derived = None;
    for _ in 0..pairs {
        let start = *at;
        token::skip(args, at).ok()?;
        let name = token::take(args, &mut { start }).ok()?;
        let value = token::slice(args, at).ok()?;
        let text = || match token::take(value, &mut 0) {
            Ok(Token::Bytes(text)) => Some(text),
            _ => None,
        };
        match name {
            Token::Bytes(name) if name == per && per == HOST && text().is_some() => {
                return text().map(|text| folded(limit, text));
            }
            Token::Bytes(name) if name == per => return Some(xxh3_128_with_seed(value, limit)),
            Token::Bytes(URL) if per == HOST => derived = text().and_then(host),
            _ => {}
        }
    }
    derived.map(|host| folded(limit, host))
}

/// The host of a URL, with its port: between `//` and the path, behind `user:password@`.
fn host(url: &[u8]) -> Option<&[u8]> {
    let start = url.windows(3).position(|three| three == b"://")? + 3;
    let rest = &url[start..];
    let end = rest.iter().position(|byte| b"/?#\\".contains(byte)).unwrap_or(rest.len());
    let authority = &rest[..end];
    let start = authority.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    Some(&authority[start..])
}

/// The hash of a name whose case says nothing.
fn folded(limit: u64, name: &[u8]) -> u128 {
    let mut hash = u128::from(limit);
    for part in name.chunks(64) {
        let mut small = [0; 64];
        let small = &mut small[..part.len()];
        small.copy_from_slice(part);
        small.make_ascii_lowercase();
        #[expect(clippy::cast_possible_truncation, reason = "half of a hash is a seed")]
        let seed = hash as u64;
        hash = xxh3_128_with_seed(small, seed);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;
    use crate::wire::value::encode_list;
    use proptest::prelude::{any, prop, proptest};

    fn key(per: &str, args: &[Value]) -> u128 {
        of(0, Some(per), &encode_list(args.iter()))
    }

    fn map(pairs: &[(&str, Value)]) -> Value {
        Value::Map(pairs.iter().map(|(name, value)| (Value::text(*name), value.clone())).collect())
    }

    #[test]
    fn a_field_of_the_first_argument_is_the_bucket() {
        let user =
            |name: &str, no| key("user", &[map(&[("no", Value::Int(no)), ("user", Value::text(name))])]);
        assert_eq!(user("ann", 1), user("ann", 2));
        assert_ne!(user("ann", 1), user("bob", 1));
        let tables = key("user", &[map(&[("user", map(&[("no", Value::Int(1))]))])]);
        assert_ne!(tables, key("user", &[map(&[("user", map(&[("no", Value::Int(2))]))])]));
    }

    #[test]
    fn a_plain_argument_is_its_own_bucket() {
        assert_eq!(
            key("user", &[Value::Int(7), Value::Int(1)]),
            key("user", &[Value::Int(7), Value::Int(2)])
        );
        assert_ne!(key("user", &[Value::Int(7)]), key("user", &[Value::Int(8)]));
    }

    #[test]
    fn tasks_without_the_field_share_a_bucket() {
        let none = key("user", &[]);
        assert_eq!(none, key("user", &[map(&[("name", Value::Int(1))])]));
        assert_eq!(none, of(0, Some("user"), &[]));
        assert_eq!(none, of(0, None, &encode_list([Value::Int(3)].iter())));
        assert_ne!(none, of(1, None, &[]), "limits have buckets of their own");
    }

    #[test]
    fn the_host_comes_from_a_url() {
        let example = key("host", &[map(&[("host", Value::text("example.org"))])]);
        for url in [
            "https://example.org/a?b=c@d",
            "http://EXAMPLE.org",
            "http://ann:p%40ss@Example.Org#top",
            "https://a@b@example.org?x",
        ] {
            assert_eq!(key("host", &[Value::text(url)]), example, "{url}");
            assert_eq!(
                key("host", &[map(&[("url", Value::text(url)), ("no", Value::Int(1))])]),
                example,
                "{url}"
            );
        }
        assert_eq!(key("host", &[Value::text("example.org")]), example);
        for other in ["https://example.org:8080/", "https://www.example.org/", "mailto:ann@example.org"] {
            assert_ne!(key("host", &[Value::text(other)]), example, "{other}");
        }
        let both = [("url", Value::text("http://other.org")), ("host", Value::text("example.org"))];
        assert_eq!(key("host", &[map(&both)]), example, "what the task says itself counts");
        assert_ne!(
            key("url", &[map(&both)]),
            key("url", &[map(&[("url", Value::text("http://other.org/"))])])
        );
    }

    #[test]
    fn a_table_with_a_sequence_is_read_too() {
        let mixed = |name: u8| [1, crate::wire::value::MIXED, 2, 1, 7, 8, 0x81, b'n', name];
        assert_ne!(of(0, Some("n"), &mixed(1)), of(0, Some("n"), &mixed(2)));
        assert_eq!(of(0, Some("m"), &mixed(1)), of(0, Some("m"), &[]));
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_bucket(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            of(0, Some("host"), &bytes);
            of(0, Some("a"), &bytes);
        }
    }
}
