//! Other encodings (WHATWG Encoding Standard) to UTF-8 and back.

use encoding_rs::{DecoderResult, EncoderResult, Encoding, UTF_16BE, UTF_16LE};

use crate::lua::error::LibError;
use crate::lua::module::did_you_mean;

/// For the suggestion: what people mean most of the time.
const COMMON: &[&str] = &[
    "utf-8",
    "utf-16le",
    "utf-16be",
    "latin1",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-15",
    "koi8-r",
    "gbk",
    "gb18030",
    "big5",
    "shift_jis",
    "euc-jp",
    "euc-kr",
    "macintosh",
];

fn named(name: &str) -> Result<&'static Encoding, LibError> {
    Encoding::for_label_no_replacement(name.as_bytes()).ok_or_else(|| {
        let hint = did_you_mean(&name.to_ascii_lowercase(), COMMON);
        LibError::invalid(format!("argument 2 (encoding): the encoding `{name}` is not known{hint}"))
    })
}

/// A byte order mark of the encoding is not a part of the text.
pub(super) fn decode(bytes: &[u8], name: &str, replace: bool) -> Result<Vec<u8>, LibError> {
    let encoding = named(name)?;
    if replace {
        let (text, _) = encoding.decode_with_bom_removal(bytes);
        return Ok(text.into_owned().into_bytes());
    }
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
    let mut text =
        String::with_capacity(room.ok_or_else(|| LibError::new("too_large", "the text is too long"))?);
    let (result, read) = decoder.decode_to_string_without_replacement(bytes, &mut text, true);
    match result {
        DecoderResult::InputEmpty => Ok(text.into_bytes()),
        DecoderResult::OutputFull => Err(LibError::new("too_large", "the text is too long")),
        DecoderResult::Malformed(length, behind) => {
            let at = read.saturating_sub(usize::from(length) + usize::from(behind));
            Err(LibError::parse(format!(
                "the bytes are not {} from byte {} on; replace = true puts U+FFFD there",
                encoding.name(),
                at + 1
            )))
        }
    }
}

pub(super) fn encode(text: &[u8], name: &str, replace: bool) -> Result<Vec<u8>, LibError> {
    let encoding = named(name)?;
    let text = std::str::from_utf8(text).map_err(|error| {
        LibError::parse(format!("argument 1 (text) is not UTF-8 from byte {} on", error.valid_up_to() + 1))
    })?;
    // the standard only reads these
    if encoding == UTF_16LE {
        return Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    }
    if encoding == UTF_16BE {
        return Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    let (mut encoder, mut out, mut rest) = (encoding.new_encoder(), Vec::new(), text);
    loop {
        let room = encoder.max_buffer_length_from_utf8_without_replacement(rest.len());
        out.reserve(room.ok_or_else(|| LibError::new("too_large", "the text is too long"))?);
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut out, true);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return Ok(out),
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) if replace => out.push(b'?'),
            EncoderResult::Unmappable(one) => {
                let (code, at) = (u32::from(one), text.len() - rest.len() - one.len_utf8() + 1);
                return Err(LibError::invalid(format!(
                    "{} has no `{one}` (U+{code:04X}, byte {at}); replace = true puts a `?` there",
                    encoding.name()
                )));
            }
        }
    }
}
