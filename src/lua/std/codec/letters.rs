//! Base64, base32 (RFC 4648) and hexadecimal digits, with the place of what does not belong.

use std::sync::LazyLock;

use data_encoding::{
    BASE32, BASE32_NOPAD, BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, DecodeKind, Encoding, HEXLOWER,
};

use crate::lua::error::LibError;
use crate::lua::options::Options;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    Base64,
    Base64Url,
    Base32,
    Hex,
}

/// One way of writing.
#[derive(Clone, Copy)]
pub(super) struct Form {
    alphabet: Alphabet,
    /// With `=` at the end.
    pads: bool,
    /// Whitespace is passed over.
    skips: bool,
}

const ALPHABETS: [Alphabet; 4] = [Alphabet::Base64, Alphabet::Base64Url, Alphabet::Base32, Alphabet::Hex];

/// By [`Form::index`].
static ENCODINGS: LazyLock<Vec<Encoding>> = LazyLock::new(|| {
    let forms = ALPHABETS.iter().flat_map(|alphabet| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(pads, skips)| Form {
            alphabet: *alphabet,
            pads,
            skips,
        })
    });
    forms.map(Form::build).collect()
});

impl Form {
    pub fn read(options: &mut Options, alphabet: Alphabet) -> Result<Self, LibError> {
        let pads = match alphabet {
            Alphabet::Hex => false,
            Alphabet::Base64Url => options.bool("pad")?.unwrap_or(false),
            Alphabet::Base64 | Alphabet::Base32 => options.bool("pad")?.unwrap_or(true),
        };
        Ok(Self { alphabet, pads, skips: false })
    }

    pub fn that_skips(self, options: &mut Options) -> Result<Self, LibError> {
        Ok(Self { skips: options.bool("whitespace")?.unwrap_or(false), ..self })
    }

    fn index(self) -> usize {
        self.alphabet as usize * 4 + usize::from(self.pads) * 2 + usize::from(self.skips)
    }

    pub fn encoding(self) -> &'static Encoding {
        &ENCODINGS[self.index()]
    }

    fn build(self) -> Encoding {
        let plain = match (self.alphabet, self.pads) {
            (Alphabet::Base64, true) => BASE64,
            (Alphabet::Base64, false) => BASE64_NOPAD,
            (Alphabet::Base64Url, true) => BASE64URL,
            (Alphabet::Base64Url, false) => BASE64URL_NOPAD,
            (Alphabet::Base32, true) => BASE32,
            (Alphabet::Base32, false) => BASE32_NOPAD,
            (Alphabet::Hex, _) => HEXLOWER,
        };
        let mut form = plain.specification();
        // both cases are read where they say the same
        match self.alphabet {
            Alphabet::Base32 => {
                form.translate.from.push_str("abcdefghijklmnopqrstuvwxyz");
                form.translate.to.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
            }
            Alphabet::Hex => {
                form.translate.from.push_str("ABCDEF");
                form.translate.to.push_str("abcdef");
            }
            Alphabet::Base64 | Alphabet::Base64Url => {}
        }
        if self.skips {
            form.ignore.push_str(" \t\r\n");
        }
        form.encoding().expect("the alphabets of RFC 4648 are well formed")
    }

    pub fn decode(self, text: &[u8]) -> Result<Vec<u8>, LibError> {
        self.encoding().decode(text).map_err(|error| {
            let (mut at, mut kind) = (error.position, error.kind);
            // the length is looked at first, and what does not belong is mostly why it does not fit
            if let (DecodeKind::Length, Some(stranger)) = (kind, self.first_stranger(text)) {
                (at, kind) = (stranger, DecodeKind::Symbol);
            }
            let why = match kind {
                DecodeKind::Symbol => self.stranger(text, at),
                DecodeKind::Length => self.cut_short(),
                DecodeKind::Trailing => "the last character has bits that stand for nothing".to_owned(),
                DecodeKind::Padding => "the padding `=` is not as the length wants it".to_owned(),
            };
            LibError::parse(format!("{why} (at byte {} of {})", at + 1, text.len()))
        })
    }

    fn first_stranger(self, text: &[u8]) -> Option<usize> {
        let form = self.encoding().specification();
        let known = [&form.symbols, &form.translate.from, &form.ignore];
        let is_known = |byte: &u8| {
            let one = char::from(*byte);
            known.iter().any(|set| set.contains(one)) || form.padding == Some(one)
        };
        text.iter().position(|byte| !is_known(byte))
    }

    fn stranger(self, text: &[u8], position: usize) -> String {
        let byte = text.get(position).copied().unwrap_or_default();
        let shown = byte.escape_ascii();
        let name = self.name();
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                format!("`{shown}` is not a character of {name}; whitespace = true passes over it")
            }
            b'=' if !self.pads && self.alphabet != Alphabet::Hex => {
                format!("there is padding; pad = true reads {name} with it")
            }
            _ => format!("`{shown}` is not a character of {name}"),
        }
    }

    fn cut_short(self) -> String {
        let name = self.name();
        match self.pads {
            true => format!("{name} ends in the middle of a group; pad = false reads it without padding"),
            false => format!("{name} ends in the middle of a byte"),
        }
    }

    fn name(self) -> &'static str {
        match self.alphabet {
            Alphabet::Base64 => "base64",
            Alphabet::Base64Url => "base64url",
            Alphabet::Base32 => "base32",
            Alphabet::Hex => "hex",
        }
    }
}
