//! MessagePack to Lua values. A length is believed when its bytes are there.

use mlua::{Lua, Table, Value};
use rmp::Marker;

use super::DEEPEST;
use crate::lua::error::LibError;
use crate::lua::std::json::array_metatable;

pub(in crate::lua::std::codec) fn decode(lua: &Lua, bytes: &[u8]) -> Result<Value, LibError> {
    let mut reader = Reader { lua, bytes, at: 0, array_meta: array_metatable(lua)? };
    let value = reader.value(0)?;
    match reader.at == bytes.len() {
        true => Ok(value),
        false => Err(reader.wrong(reader.at, "there are bytes after the value")),
    }
}

struct Reader<'a> {
    lua: &'a Lua,
    bytes: &'a [u8],
    at: usize,
    array_meta: Table,
}

impl Reader<'_> {
    fn wrong(&self, at: usize, why: &str) -> LibError {
        LibError::parse(format!("{why} (at byte {} of {})", at + 1, self.bytes.len()))
    }

    fn take(&mut self, count: usize) -> Result<&[u8], LibError> {
        let left = self.bytes.len() - self.at;
        if count > left {
            let why = format!("the bytes end early: {count} more are announced, {left} are there");
            return Err(self.wrong(self.at, &why));
        }
        self.at += count;
        Ok(&self.bytes[self.at - count..self.at])
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], LibError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<usize, LibError> {
        Ok(usize::from(u8::from_be_bytes(self.fixed()?)))
    }

    fn u16(&mut self) -> Result<usize, LibError> {
        Ok(usize::from(u16::from_be_bytes(self.fixed()?)))
    }

    fn u32(&mut self) -> Result<usize, LibError> {
        Ok(u32::from_be_bytes(self.fixed()?) as usize)
    }

    fn value(&mut self, depth: usize) -> Result<Value, LibError> {
        let begin = self.at;
        let marker = Marker::from_u8(self.fixed::<1>()?[0]);
        Ok(match marker {
            Marker::Null => Value::NULL,
            Marker::True => Value::Boolean(true),
            Marker::False => Value::Boolean(false),
            Marker::FixPos(_)
            | Marker::FixNeg(_)
            | Marker::U8
            | Marker::U16
            | Marker::U32
            | Marker::U64
            | Marker::I8
            | Marker::I16
            | Marker::I32
            | Marker::I64
            | Marker::F32
            | Marker::F64 => self.number(marker)?,
            Marker::FixStr(length) => self.text(usize::from(length))?,
            Marker::Str8 | Marker::Bin8 => self.u8().and_then(|length| self.text(length))?,
            Marker::Str16 | Marker::Bin16 => self.u16().and_then(|length| self.text(length))?,
            Marker::Str32 | Marker::Bin32 => self.u32().and_then(|length| self.text(length))?,
            Marker::FixArray(length) => self.array(usize::from(length), depth)?,
            Marker::Array16 => self.u16().and_then(|length| self.array(length, depth))?,
            Marker::Array32 => self.u32().and_then(|length| self.array(length, depth))?,
            Marker::FixMap(length) => self.map(usize::from(length), depth)?,
            Marker::Map16 => self.u16().and_then(|length| self.map(length, depth))?,
            Marker::Map32 => self.u32().and_then(|length| self.map(length, depth))?,
            Marker::Reserved => return Err(self.wrong(begin, "the byte 0xc1 begins nothing")),
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => return Err(self.wrong(begin, "extension types are not supported")),
        })
    }

    /// Beyond 2^63 a Lua integer cannot be: as in Lua's own numerals, it becomes a float.
    fn number(&mut self, marker: Marker) -> Result<Value, LibError> {
        Ok(match marker {
            Marker::FixPos(number) => Value::Integer(number.into()),
            Marker::FixNeg(number) => Value::Integer(number.into()),
            Marker::U8 => Value::Integer(u8::from_be_bytes(self.fixed()?).into()),
            Marker::U16 => Value::Integer(u16::from_be_bytes(self.fixed()?).into()),
            Marker::U32 => Value::Integer(u32::from_be_bytes(self.fixed()?).into()),
            Marker::I8 => Value::Integer(i8::from_be_bytes(self.fixed()?).into()),
            Marker::I16 => Value::Integer(i16::from_be_bytes(self.fixed()?).into()),
            Marker::I32 => Value::Integer(i32::from_be_bytes(self.fixed()?).into()),
            Marker::I64 => Value::Integer(i64::from_be_bytes(self.fixed()?)),
            Marker::F32 => Value::Number(f32::from_be_bytes(self.fixed()?).into()),
            Marker::F64 => Value::Number(f64::from_be_bytes(self.fixed()?)),
            _ => {
                let number = u64::from_be_bytes(self.fixed()?);
                i64::try_from(number).map_or(Value::Number(number as f64), Value::Integer)
            }
        })
    }

    fn text(&mut self, length: usize) -> Result<Value, LibError> {
        let lua = self.lua;
        Ok(Value::String(lua.create_string(self.take(length)?)?))
    }

    /// Whether so many items can be in what is left, each with `least` bytes.
    fn holds(&self, length: usize, least: usize, depth: usize) -> Result<(), LibError> {
        if depth == DEEPEST {
            return Err(self.wrong(self.at, &format!("nested more than {DEEPEST} deep")));
        }
        let left = self.bytes.len() - self.at;
        if length.saturating_mul(least) > left {
            return Err(self.wrong(self.at, &format!("the bytes end early: {length} items are announced")));
        }
        Ok(())
    }

    fn array(&mut self, length: usize, depth: usize) -> Result<Value, LibError> {
        self.holds(length, 1, depth)?;
        // not by the length: what it announces at each level could be much more than there is
        let table = self.lua.create_table_with_capacity(length.min(64), 0)?;
        for place in 1..=length {
            let value = self.value(depth + 1)?;
            table.raw_set(place, value)?;
        }
        if length == 0 {
            table.set_metatable(Some(self.array_meta.clone()))?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Value, LibError> {
        self.holds(length, 2, depth)?;
        let table = self.lua.create_table_with_capacity(0, length.min(64))?;
        for _ in 0..length {
            let begin = self.at;
            let key = self.value(depth + 1)?;
            let fits = match &key {
                Value::String(_) | Value::Integer(_) | Value::Boolean(_) => true,
                Value::Number(number) => !number.is_nan(),
                _ => false,
            };
            if !fits {
                let why = format!("a Lua table cannot have this key ({})", shown(&key));
                return Err(self.wrong(begin, &why));
            }
            let value = self.value(depth + 1)?;
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}

fn shown(key: &Value) -> &'static str {
    match key {
        Value::Number(_) => "nan",
        key if key.is_null() => "nil",
        Value::Table(_) => "an array or a map",
        _ => "of another type",
    }
}
