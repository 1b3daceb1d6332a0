//! Text to Lua values.

use std::cell::RefCell;
use std::fmt;

use mlua::{Lua, Table, Value};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::de::SliceRead;

use super::{DEEPEST, array_metatable};
use crate::lua::error::LibError;

pub(super) fn decode(lua: &Lua, text: &[u8]) -> Result<Value, LibError> {
    let context = Context { lua, array_meta: array_metatable(lua)?, failed: RefCell::new(None) };
    let mut deserializer = Deserializer::new(SliceRead::new(text));
    // We count the depth ourselves.
    deserializer.disable_recursion_limit();
    let decoded = Seed { context: &context, depth: 0 }.deserialize(&mut deserializer);
    let decoded = decoded.and_then(|value| deserializer.end().map(|()| value));
    decoded.map_err(|error| match context.failed.take() {
        Some(failed) => LibError::from(failed),
        None => LibError::parse(error.to_string()),
    })
}

struct Context<'a> {
    lua: &'a Lua,
    array_meta: Table,
    /// An error of Lua; serde's errors only carry text.
    failed: RefCell<Option<mlua::Error>>,
}

impl Context<'_> {
    fn keep<T, E: serde::de::Error>(&self, result: mlua::Result<T>) -> Result<T, E> {
        result.map_err(|error| {
            *self.failed.borrow_mut() = Some(error);
            E::custom("Lua failed")
        })
    }
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    context: &'a Context<'a>,
    depth: usize,
}

impl Seed<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == DEEPEST {
            return Err(E::custom(format_args!("nested more than {DEEPEST} deep")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    /// Beyond 2^63 a Lua integer cannot be: as in Lua's own numerals, it becomes a float.
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Number(value as f64), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.context.keep(self.context.lua.create_string(value)).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let table = self.context.keep(self.context.lua.create_table())?;
        let mut length = 0i64;
        while let Some(item) = items.next_element_seed(inner)? {
            length += 1;
            self.context.keep(table.raw_set(length, item))?;
        }
        if length == 0 {
            self.context.keep(table.set_metatable(Some(self.context.array_meta.clone())))?;
        }
        Ok(Value::Table(table))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let table = self.context.keep(self.context.lua.create_table())?;
        while let Some(key) = entries.next_key_seed(Key(self.context))? {
            let value = entries.next_value_seed(inner)?;
            self.context.keep(table.raw_set(key, value))?;
        }
        Ok(Value::Table(table))
    }
}

/// A key goes to Lua straight from the text.
struct Key<'a>(&'a Context<'a>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_str(Seed { context: self.0, depth: 0 })
    }
}
