//! Whether a read of Lua's io library finds all that it needs, so that it does not block.

/// One of the formats of `file:read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Line,
    All,
    Bytes(usize),
    Number,
    /// The read raises.
    Wrong,
}

/// What is there to be read.
pub(super) struct Text<'a> {
    /// What the stream has, and what comes after it.
    pub parts: [&'a [u8]; 2],
    /// Nothing comes behind it.
    pub is_over: bool,
}

/// Characters that a numeral may have for Lua.
const LONGEST_NUMERAL: usize = 200;

impl Text<'_> {
    /// Whether a read with these formats ends with what is there.
    pub fn is_enough(&self, formats: impl IntoIterator<Item = Format>) -> bool {
        let mut at = 0;
        for format in formats {
            match self.read(&mut at, format) {
                Read::Done => {}
                Read::Failed => return true,
                Read::Waits => return false,
            }
        }
        true
    }

    fn read(&self, at: &mut usize, format: Format) -> Read {
        match format {
            Format::Wrong => Read::Failed,
            Format::All => self.end(at, self.is_over),
            // asks whether there is anything
            Format::Bytes(0) => match self.get(*at) {
                Some(_) => Read::Done,
                None if self.is_over => Read::Failed,
                None => Read::Waits,
            },
            Format::Bytes(count) if self.len() - *at >= count => {
                *at += count;
                Read::Done
            }
            Format::Bytes(_) => self.end(at, *at < self.len()),
            Format::Line => match self.line_end(*at) {
                Some(end) => {
                    *at = end;
                    Read::Done
                }
                None => self.end(at, *at < self.len()),
            },
            Format::Number => Numeral { text: self, at, count: 0 }.read(),
        }
    }

    /// All that is left is taken, when nothing comes behind it.
    fn end(&self, at: &mut usize, is_some: bool) -> Read {
        if !self.is_over {
            return Read::Waits;
        }
        *at = self.len();
        if is_some { Read::Done } else { Read::Failed }
    }

    fn len(&self) -> usize {
        self.parts[0].len() + self.parts[1].len()
    }

    fn get(&self, at: usize) -> Option<u8> {
        let [first, second] = self.parts;
        first.get(at).or_else(|| second.get(at.checked_sub(first.len())?)).copied()
    }

    /// Behind the next line feed.
    fn line_end(&self, from: usize) -> Option<usize> {
        let [first, second] = self.parts;
        let in_first = memchr::memchr(b'\n', first.get(from..).unwrap_or_default()).map(|place| from + place);
        in_first.map(|place| place + 1).or_else(|| {
            let from = from.saturating_sub(first.len());
            let place = memchr::memchr(b'\n', &second[from.min(second.len())..])?;
            Some(first.len() + from + place + 1)
        })
    }
}

/// How far a format comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Done,
    /// No more formats are read.
    Failed,
    /// There must be more to know it.
    Waits,
}

/// The text ends within it.
struct Cut;

/// What is read of a number: as long as it can be one, and the character behind it is looked at.
struct Numeral<'t, 'a> {
    text: &'t Text<'a>,
    at: &'t mut usize,
    count: usize,
}

impl Numeral<'_, '_> {
    fn read(mut self) -> Read {
        match self.is_number() {
            Ok(true) => Read::Done,
            Ok(false) => Read::Failed,
            Err(Cut) => Read::Waits,
        }
    }

    fn is_number(&mut self) -> Result<bool, Cut> {
        while matches!(self.look()?, Some(b' ' | b'\t'..=b'\r')) {
            *self.at += 1;
        }
        self.one_of(b"+-")?;
        let starts_with_zero = self.one_of(b"0")?;
        let is_hex = starts_with_zero && self.one_of(b"xX")?;
        let mut digits = usize::from(starts_with_zero && !is_hex);
        digits += self.digits(is_hex)?;
        if self.one_of(b".")? {
            digits += self.digits(is_hex)?;
        }
        let mut is_whole = digits > 0;
        if digits > 0 && self.one_of(if is_hex { b"pP" } else { b"eE" })? {
            self.one_of(b"+-")?;
            is_whole = self.digits(false)? > 0;
        }
        // also behind the longest
        self.look()?;
        Ok(is_whole && self.count < LONGEST_NUMERAL)
    }

    /// None at the end of all.
    fn look(&self) -> Result<Option<u8>, Cut> {
        match self.text.get(*self.at) {
            None if !self.text.is_over => Err(Cut),
            byte => Ok(byte),
        }
    }

    fn one_of(&mut self, those: &[u8]) -> Result<bool, Cut> {
        let is_one = self.count < LONGEST_NUMERAL && self.look()?.is_some_and(|byte| those.contains(&byte));
        if is_one {
            *self.at += 1;
            self.count += 1;
        }
        Ok(is_one)
    }

    fn digits(&mut self, is_hex: bool) -> Result<usize, Cut> {
        let those: &[u8] = if is_hex { b"0123456789abcdefABCDEF" } else { b"0123456789" };
        let mut count = 0;
        while self.one_of(those)? {
            count += 1;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::Format::{All, Bytes, Line, Number, Wrong};
    use super::{Format, Text};

    /// Whether it is enough, with the text in two parts wherever it is cut.
    fn is_enough(text: &str, is_over: bool, formats: &[Format]) -> bool {
        let bytes = text.as_bytes();
        let one = Text { parts: [bytes, b""], is_over }.is_enough(formats.iter().copied());
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            let same = Text { parts: [first, second], is_over }.is_enough(formats.iter().copied());
            assert_eq!(same, one, "{text:?} cut at {at}, {formats:?}");
        }
        one
    }

    #[test]
    fn a_read_waits_for_what_it_needs_and_for_no_more() {
        // text, formats, how much of the text is enough
        let cases: &[(&str, &[Format], Option<usize>)] = &[
            ("", &[], Some(0)),
            ("ab\ncd", &[Line], Some(3)),
            ("\n", &[Line], Some(1)),
            ("abc", &[Line], None),
            ("ab\ncd\ne", &[Line, Line], Some(6)),
            ("abc", &[Bytes(2)], Some(2)),
            ("abc", &[Bytes(0)], Some(1)),
            ("abc", &[Bytes(1), Line], None),
            ("abc\n", &[Bytes(4), Line], None),
            ("abc", &[All], None),
            ("", &[Wrong], Some(0)),
            ("ab\n", &[Line, Wrong, All], Some(3)),
            ("42\n", &[Number], Some(3)),
            (" \t\n\x0b\r 42 ", &[Number], Some(9)),
            ("42", &[Number], None),
            ("-4.5e+10,", &[Number], Some(9)),
            ("0x1Fp-2z", &[Number], Some(8)),
            ("0x", &[Number], None),
            ("0xg", &[Number, All], Some(3)),
            ("12.5.6", &[Number], Some(5)),
            ("1e-x", &[Number, All], Some(4)),
            ("abc", &[Number, Line], Some(1)),
            ("-+", &[Number, Line], Some(2)),
            ("7 8\n", &[Number, Number, Line], Some(4)),
            ("7\nrest", &[Number, Line], Some(2)),
        ];
        for (text, formats, enough) in cases {
            for length in 0..=text.len() {
                let wanted = enough.is_some_and(|enough| length >= enough);
                assert_eq!(
                    is_enough(&text[..length], false, formats),
                    wanted,
                    "{:?} {formats:?}",
                    &text[..length]
                );
                assert!(is_enough(&text[..length], true, formats), "nothing comes behind it");
            }
        }
        let long = "1".repeat(300);
        assert!(is_enough(&long[..201], false, &[Number]) && !is_enough(&long[..200], false, &[Number]));
    }
}
