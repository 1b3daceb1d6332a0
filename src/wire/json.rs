//! Value code to JSON text, without a [`Value`](crate::model::Value) in between.
//!
//! What JSON has no word for: NaN and infinities are `null`, bytes that are not UTF-8 become U+FFFD (one for
//! each invalid sequence), keys that are no strings are written as strings. Integers and floats stay apart
//! (`1` and `1.0`). Keys are sorted, since those of Lua come in another order each time.

use std::io::Write;

use crate::wire::json::token::{Name, Pairs, Token};
use crate::wire::value::{MAX_DEPTH, Malformed};

pub mod token;

/// Appends the JSON text of the value at `*at`, and moves `*at` behind it.
///
/// # Errors
/// When the bytes are no value code; `out` may then hold a part of the text.
pub fn append(out: &mut Vec<u8>, bytes: &[u8], at: &mut usize) -> Result<(), Malformed> {
    append_at(out, bytes, at, 0)
}

/// Appends a JSON string.
pub fn append_text(out: &mut Vec<u8>, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    serde_json::to_writer(out, &*text).expect("a vector takes every string");
}

/// Appends a number as JSON spells floats; `null` for those that it cannot spell.
pub fn append_float(out: &mut Vec<u8>, number: f64) {
    serde_json::to_writer(out, &number).expect("a vector takes every number");
}

/// Appends a number in decimal.
pub fn append_int(out: &mut Vec<u8>, number: i64) {
    serde_json::to_writer(out, &number).expect("a vector takes every number");
}

fn append_at(out: &mut Vec<u8>, bytes: &[u8], at: &mut usize, depth: usize) -> Result<(), Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed::Deep);
    }
    match token::take(bytes, at)? {
        Token::Nil => out.extend_from_slice(b"null"),
        Token::Bool(true) => out.extend_from_slice(b"true"),
        Token::Bool(false) => out.extend_from_slice(b"false"),
        Token::Int(number) => append_int(out, number),
        Token::Float(number) => append_float(out, number),
        Token::Bytes(text) => append_text(out, text),
        Token::Array(count) => {
            out.push(b'[');
            for index in 0..count {
                if index > 0 {
                    out.push(b',');
                }
                append_at(out, bytes, at, depth + 1)?;
            }
            out.push(b']');
        }
        Token::Table(sequence, rest) => {
            let mut pairs = Vec::with_capacity(sequence + rest);
            let mut table = Pairs::new(bytes, *at, sequence, rest);
            while let Some(pair) = table.take()? {
                pairs.push(pair);
            }
            *at = table.at();
            append_pairs(out, pairs, depth)?;
        }
    }
    Ok(())
}

fn append_pairs(out: &mut Vec<u8>, mut pairs: Vec<(Name<'_>, &[u8])>, depth: usize) -> Result<(), Malformed> {
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    out.push(b'{');
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match name {
            Name::Int(number) => write!(out, "\"{number}\"").expect("a vector takes every number"),
            Name::Text(text) => append_text(out, text),
        }
        out.push(b':');
        append_at(out, value, &mut 0, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;
    use crate::wire::value::{self, MIXED};
    use proptest::prelude::*;

    fn json(value: &Value) -> String {
        let mut bytes = Vec::new();
        value::encode(&mut bytes, value);
        let (mut out, mut at) = (Vec::new(), 0);
        append(&mut out, &bytes, &mut at).expect("own code is readable");
        assert_eq!(at, bytes.len());
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn plain_values_have_their_json_text() {
        assert_eq!(json(&Value::Nil), "null");
        assert_eq!(json(&Value::Null), "null");
        assert_eq!(json(&Value::Bool(true)), "true");
        assert_eq!(json(&Value::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(json(&Value::Float(1.0)), "1.0");
        assert_eq!(json(&Value::Float(f64::NAN)), "null");
        assert_eq!(json(&Value::Float(f64::NEG_INFINITY)), "null");
        assert_eq!(json(&Value::text("a\"\\\n\u{1}é")), "\"a\\\"\\\\\\n\\u0001é\"");
    }

    #[test]
    fn each_invalid_sequence_becomes_one_replacement() {
        assert_eq!(json(&Value::Bytes(b"a\xffb\xe2\x82c".to_vec())), "\"a\u{fffd}b\u{fffd}c\"");
    }

    #[test]
    fn keys_are_sorted_and_numbers_come_first() {
        let pairs = [
            (Value::text("b"), Value::Array(vec![Value::Nil])),
            (Value::Int(10), Value::Int(1)),
            (Value::text("a"), Value::Map(vec![])),
            (Value::Int(9), Value::Int(2)),
            (Value::Bool(true), Value::Int(3)),
        ];
        assert_eq!(json(&Value::Map(pairs.to_vec())), r#"{"9":2,"10":1,"a":{},"b":[null],"true":3}"#);
    }

    #[test]
    fn a_table_with_both_parts_has_its_sequence_as_keys() {
        let bytes = [MIXED, 2, 1, 7, 8, 0x81, b'n', 9];
        let mut out = Vec::new();
        append(&mut out, &bytes, &mut 0).expect("well formed");
        assert_eq!(out, br#"{"1":7,"2":8,"n":9}"#);
    }

    #[test]
    fn a_million_open_tables_are_refused_but_skipped() {
        let mut bytes = [value::ARRAY, 1].repeat(1_000_000);
        bytes.push(value::NIL);
        assert_eq!(append(&mut Vec::new(), &bytes, &mut 0), Err(Malformed::Deep));
        let mut at = 0;
        assert_eq!(token::skip(&bytes, &mut at), Ok(()));
        assert_eq!(at, bytes.len());
    }

    fn any_value() -> impl Strategy<Value = (Value, serde_json::Value)> {
        let leaf = prop_oneof![
            Just((Value::Nil, serde_json::Value::Null)),
            any::<bool>().prop_map(|flag| (Value::Bool(flag), flag.into())),
            any::<i64>().prop_map(|number| (Value::Int(number), number.into())),
            any::<f64>()
                .prop_filter("JSON has no NaN", |number| number.is_finite())
                .prop_map(|number| (Value::Float(number), number.into())),
            any::<String>().prop_map(|text| (Value::text(text.clone()), text.into())),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(|items| {
                    let (values, json): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                    (Value::Array(values), json.into())
                }),
                prop::collection::btree_map(any::<String>(), inner, 0..8).prop_map(|pairs| {
                    let values = pairs.iter().map(|(name, item)| (Value::text(name.clone()), item.0.clone()));
                    let json = pairs.iter().map(|(name, item)| (name.clone(), item.1.clone())).collect();
                    (Value::Map(values.rev().collect()), serde_json::Value::Object(json))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn serde_json_reads_back_what_is_written((value, expected) in any_value()) {
            let text = json(&value);
            prop_assert_eq!(text, expected.to_string());
        }

        #[test]
        fn any_bytes_are_written_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (mut out, mut at, mut behind) = (Vec::new(), 0, 0);
            if append(&mut out, &bytes, &mut at).is_ok() {
                prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&out).is_ok());
                prop_assert_eq!(token::skip(&bytes, &mut behind), Ok(()));
                prop_assert_eq!(at, behind);
            }
        }
    }
}
