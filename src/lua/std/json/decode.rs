//! Text to tape.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::de::SliceRead;

use crate::lua::error::LibError;
use crate::lua::tape::{DEEPEST, Tape};

/// Appends the one value of `text`.
///
/// # Errors
/// `parse` with line and column.
pub(super) fn decode(text: &[u8], tape: &mut Tape) -> Result<(), LibError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut deserializer = Deserializer::new(SliceRead::new(text));
    // We count the depth ourselves.
    deserializer.disable_recursion_limit();
    let decoded = Seed { tape, depth: 0 }.deserialize(&mut deserializer);
    decoded.and_then(|()| deserializer.end()).map_err(|error| LibError::parse(error.to_string()))
}

struct Seed<'a> {
    tape: &'a mut Tape,
    depth: usize,
}

impl Seed<'_> {
    fn deeper<E: Error>(&self) -> Result<usize, E> {
        if self.depth == DEEPEST {
            return Err(E::custom(format_args!("nested more than {DEEPEST} deep")));
        }
        Ok(self.depth + 1)
    }
}

fn too_many<E: Error>(error: LibError) -> E {
    E::custom(error.message())
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.tape.bool(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.tape.int(value);
        Ok(())
    }

    /// Beyond 2^63 a Lua integer cannot be: as in Lua's own numerals, it becomes a float.
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.tape.int(value),
            Err(_) => self.tape.float(value as f64),
        }
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.tape.float(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.tape.null();
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.tape.text(value.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let (open, mut count) = (self.tape.open_array(), 0);
        while items.next_element_seed(Seed { tape: &mut *self.tape, depth })?.is_some() {
            count += 1;
        }
        self.tape.close(open, count).map_err(too_many)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let (open, mut count) = (self.tape.open_map(), 0);
        while entries.next_key_seed(Key(&mut *self.tape))?.is_some() {
            entries.next_value_seed(Seed { tape: &mut *self.tape, depth })?;
            count += 1;
        }
        self.tape.close(open, count).map_err(too_many)
    }
}

/// A key goes onto the tape straight from the text.
struct Key<'a>(&'a mut Tape);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(Seed { tape: self.0, depth: 0 })
    }
}
