//! MessagePack to tape. A length is believed when its bytes are there.

use rmp::Marker;

use crate::lua::error::LibError;
use crate::lua::tape::{DEEPEST, Item, Tape};

pub(super) fn decode(bytes: &[u8], tape: &mut Tape) -> Result<(), LibError> {
    let mut reader = Reader { bytes, at: 0, tape };
    reader.value(0)?;
    match reader.at == bytes.len() {
        true => Ok(()),
        false => Err(reader.wrong(reader.at, "there are bytes after the value")),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    tape: &'a mut Tape,
}

impl<'a> Reader<'a> {
    fn wrong(&self, at: usize, why: &str) -> LibError {
        LibError::parse(format!("{why} (at byte {} of {})", at + 1, self.bytes.len()))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], LibError> {
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

    fn value(&mut self, depth: usize) -> Result<(), LibError> {
        let begin = self.at;
        let marker = Marker::from_u8(self.fixed::<1>()?[0]);
        match marker {
            Marker::Null => self.tape.null(),
            Marker::True => self.tape.bool(true),
            Marker::False => self.tape.bool(false),
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
        }
        Ok(())
    }

    /// Beyond 2^63 a Lua integer cannot be: as in Lua's own numerals, it becomes a float.
    fn number(&mut self, marker: Marker) -> Result<(), LibError> {
        let number = match marker {
            Marker::FixPos(number) => number.into(),
            Marker::FixNeg(number) => number.into(),
            Marker::U8 => u8::from_be_bytes(self.fixed()?).into(),
            Marker::U16 => u16::from_be_bytes(self.fixed()?).into(),
            Marker::U32 => u32::from_be_bytes(self.fixed()?).into(),
            Marker::I8 => i8::from_be_bytes(self.fixed()?).into(),
            Marker::I16 => i16::from_be_bytes(self.fixed()?).into(),
            Marker::I32 => i32::from_be_bytes(self.fixed()?).into(),
            Marker::I64 => i64::from_be_bytes(self.fixed()?),
            Marker::F32 => {
                let number = f32::from_be_bytes(self.fixed()?);
                return self.float(number.into());
            }
            Marker::F64 => {
                let number = f64::from_be_bytes(self.fixed()?);
                return self.float(number);
            }
            _ => {
                let number = u64::from_be_bytes(self.fixed()?);
                match i64::try_from(number) {
                    Ok(number) => number,
                    Err(_) => return self.float(number as f64),
                }
            }
        };
        self.tape.int(number);
        Ok(())
    }

    fn float(&mut self, number: f64) -> Result<(), LibError> {
        self.tape.float(number);
        Ok(())
    }

    fn text(&mut self, length: usize) -> Result<(), LibError> {
        let text = self.take(length)?;
        self.tape.text(text);
        Ok(())
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

    fn array(&mut self, length: usize, depth: usize) -> Result<(), LibError> {
        self.holds(length, 1, depth)?;
        let open = self.tape.open_array();
        for _ in 0..length {
            self.value(depth + 1)?;
        }
        self.tape.close(open, length)
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<(), LibError> {
        self.holds(length, 2, depth)?;
        let open = self.tape.open_map();
        for _ in 0..length {
            let (begin, place) = (self.at, self.tape.len());
            self.value(depth + 1)?;
            let unfit = match self.tape.reader_at(place).next() {
                Item::Null => Some("nil"),
                Item::Float(number) if number.is_nan() => Some("nan"),
                Item::Array(_) | Item::Map(_) => Some("an array or a map"),
                _ => None,
            };
            if let Some(unfit) = unfit {
                return Err(self.wrong(begin, &format!("a Lua table cannot have this key ({unfit})")));
            }
            self.value(depth + 1)?;
        }
        self.tape.close(open, length)
    }
}
