//! The identity of a task, taken from its encoded arguments.
//!
//! A string is its own key. Any other value is [`OTHER`] and its code, so that `1` and `"1"` differ; a string
//! that itself begins with [`OTHER`] (no UTF-8 does) is treated like the other values, so that no two values
//! share a key. The pairs of tables are sorted first, since equal tables of Lua come in any order.

use crate::plan::KeyField;
use crate::wire::json::token::{self, Name, Pairs, Token};
use crate::wire::value::{ARRAY, MAP, MIXED, Malformed};
use crate::wire::varint;

/// First byte of the keys that are no strings.
const OTHER: u8 = 0xff;

/// Arguments that have no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The first argument has no such field.
    #[error("its first argument has no field `{0}`")]
    Missing(String),
    /// Several arguments, and the first is no table.
    #[error("its first argument is no table with a field `{0}`, and not the only argument")]
    Plain(String),
    /// No argument at all, or nil.
    #[error("it has no argument to take `{0}` from")]
    Nothing(String),
    /// The arguments are no value code.
    #[error("its arguments are malformed")]
    Malformed(#[from] Malformed),
}

/// The key of a task with these encoded arguments.
///
/// # Errors
/// When the arguments lack the field.
pub fn key_of(args: &[u8], field: &KeyField) -> Result<Box<[u8]>, KeyError> {
    let at = &mut 0;
    let count = if args.is_empty() { 0 } else { varint::take(args, at)? };
    let mut key = Vec::new();
    match field {
        KeyField::Args => {
            varint::put(&mut key, count);
            for _ in 0..count {
                append_sorted(&mut key, args, at)?;
            }
        }
        KeyField::Field(_) if count == 0 => return Err(nothing(field)),
        KeyField::Field(name) => append_key(&mut key, field_of(args, *at, count, name)?)?,
    }
    Ok(key.into())
}

fn nothing(field: &KeyField) -> KeyError {
    let KeyField::Field(name) = field else { unreachable!("the whole list is never missing") };
    KeyError::Nothing(name.clone())
}

fn field_of<'a>(args: &'a [u8], start: usize, count: u64, name: &str) -> Result<&'a [u8], KeyError> {
    let mut at = start;
    match token::take(args, &mut at)? {
        Token::Table(sequence, rest) => {
            let mut pairs = Pairs::new(args, at, sequence, rest);
            while let Some((key, value)) = pairs.take()? {
                if matches!(key, Name::Text(text) if *text == *name.as_bytes()) {
                    return Ok(value);
                }
            }
            Err(KeyError::Missing(name.into()))
        }
        Token::Array(_) => Err(KeyError::Missing(name.into())),
        Token::Nil => Err(KeyError::Nothing(name.into())),
        _ if count > 1 => Err(KeyError::Plain(name.into())),
        _ => Ok(token::slice(args, &mut { start })?),
    }
}

fn append_key(out: &mut Vec<u8>, value: &[u8]) -> Result<(), Malformed> {
    match token::take(value, &mut 0)? {
        Token::Bytes(text) if text.first() != Some(&OTHER) => {
            out.extend_from_slice(text);
            Ok(())
        }
        _ => {
            out.push(OTHER);
            append_sorted(out, value, &mut 0)
        }
    }
}

/// Copies a value with the pairs of its tables in the order of their code.
fn append_sorted(out: &mut Vec<u8>, bytes: &[u8], at: &mut usize) -> Result<(), Malformed> {
    let start = *at;
    match token::take(bytes, at)? {
        Token::Array(count) => {
            out.push(ARRAY);
            varint::put(out, count as u64);
            for _ in 0..count {
                append_sorted(out, bytes, at)?;
            }
        }
        Token::Table(sequence, rest) => {
            out.push(if sequence > 0 { MIXED } else { MAP });
            if sequence > 0 {
                varint::put(out, sequence as u64);
            }
            varint::put(out, rest as u64);
            for _ in 0..sequence {
                append_sorted(out, bytes, at)?;
            }
            let mut pairs = Vec::with_capacity(rest);
            for _ in 0..rest {
                pairs.push((token::slice(bytes, at)?, token::slice(bytes, at)?));
            }
            pairs.sort_unstable();
            for (key, value) in pairs {
                out.extend_from_slice(key);
                append_sorted(out, value, &mut 0)?;
            }
        }
        _ => out.extend_from_slice(&bytes[start..*at]),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;
    use crate::wire::value::encode_list;
    use proptest::prelude::*;

    fn key(args: &[Value], field: &str) -> Result<Box<[u8]>, KeyError> {
        key_of(&encode_list(args.iter()), &KeyField::Field(field.into()))
    }

    fn table(pairs: &[(&str, Value)]) -> Value {
        Value::Map(pairs.iter().map(|(name, value)| (Value::text(*name), value.clone())).collect())
    }

    #[test]
    fn a_string_is_its_own_key_and_differs_from_the_number() {
        assert_eq!(key(&[Value::text("1")], "x").as_deref(), Ok(&b"1"[..]));
        assert_eq!(key(&[Value::Int(1)], "x").as_deref(), Ok(&[OTHER, 1][..]));
        let disguised = Value::Bytes(vec![OTHER, 1]);
        assert_ne!(key(&[disguised], "x"), key(&[Value::Int(1)], "x"));
    }

    #[test]
    fn a_field_of_the_first_table_is_the_key() {
        let args = [table(&[("id", Value::Int(3)), ("url", Value::text("http://x"))]), Value::Int(1)];
        assert_eq!(key(&args, "url").as_deref(), Ok(&b"http://x"[..]));
        assert_eq!(key(&args, "name"), Err(KeyError::Missing("name".into())));
    }

    #[test]
    fn several_plain_arguments_and_none_have_no_field() {
        assert_eq!(key(&[Value::Int(1), Value::Int(2)], "id"), Err(KeyError::Plain("id".into())));
        assert_eq!(key(&[], "id"), Err(KeyError::Nothing("id".into())));
        assert_eq!(key(&[Value::Nil], "id"), Err(KeyError::Nothing("id".into())));
        assert_eq!(key(&[Value::Array(vec![])], "id"), Err(KeyError::Missing("id".into())));
        assert!(matches!(key_of(&[1], &KeyField::Field("id".into())), Err(KeyError::Malformed(_))));
    }

    #[test]
    fn equal_tables_have_equal_keys_in_any_order() {
        let inner = [("x", Value::Int(1)), ("y", Value::Int(2))];
        let turned = [inner[1].clone(), inner[0].clone()];
        let one = encode_list([table(&[("a", table(&inner)), ("b", Value::Nil)])].iter());
        let two = encode_list([table(&[("b", Value::Nil), ("a", table(&turned))])].iter());
        assert_eq!(key_of(&one, &KeyField::Args), key_of(&two, &KeyField::Args));
    }

    proptest! {
        #[test]
        fn plain_arguments_are_their_own_key(numbers in prop::collection::vec(any::<i64>(), 0..5)) {
            let values: Vec<_> = numbers.into_iter().map(Value::Int).collect();
            let args = encode_list(values.iter());
            let key = key_of(&args, &KeyField::Args);
            prop_assert_eq!(key.as_deref(), Ok(&args[..]));
        }

        #[test]
        fn any_bytes_have_a_key_or_none(args in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = key_of(&args, &KeyField::Args);
            let _ = key_of(&args, &KeyField::Field("id".into()));
        }
    }
}
