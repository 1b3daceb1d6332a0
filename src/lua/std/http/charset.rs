//! Which characters the bytes of a body are.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

use crate::lua::error::LibError;

/// Where HTML tells its charset (HTML standard, 13.2.3.2).
const HEAD: usize = 1024;
/// Enough to tell the encodings of real pages apart.
const SAMPLE: usize = 64 << 10;

/// The body as UTF-8: from the charset `label`, else from that of a byte order mark, of the header `content_type`, of
/// the page's `<meta>`; else UTF-8 when it is that, and the likeliest encoding when not.
///
/// # Errors
/// When `label` is no charset.
pub(in crate::lua::std) fn decode<'a>(
    body: &'a [u8],
    label: Option<&str>,
    content_type: Option<&str>,
) -> Result<Cow<'a, [u8]>, LibError> {
    let encoding = match label {
        Some(label) => Encoding::for_label(label.as_bytes())
            .ok_or_else(|| LibError::invalid(format!("the charset `{label}` is not known")))?,
        None => told(body, content_type).unwrap_or_else(|| likeliest(body)),
    };
    // A byte order mark wins, and is not a part of the text.
    let (text, _, _) = encoding.decode(body);
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

fn told(body: &[u8], content_type: Option<&str>) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(body) {
        return Some(encoding);
    }
    let of_header = content_type.and_then(charset_of).and_then(|name| Encoding::for_label(name.as_bytes()));
    of_header.or_else(|| of_meta(&body[..body.len().min(HEAD)]))
}

fn charset_of(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

/// `<meta charset="…">` or `<meta http-equiv=… content="…; charset=…">`, and `encoding="…"` of XML.
fn of_meta(head: &[u8]) -> Option<&'static Encoding> {
    let head = head.to_ascii_lowercase();
    let tags = head.split(|byte| *byte == b'<').skip(1);
    tags.filter(|tag| tag.starts_with(b"meta") || tag.starts_with(b"?xml")).find_map(|tag| {
        let word: &[u8] = if tag.starts_with(b"?xml") { b"encoding" } else { b"charset" };
        let at = tag.windows(word.len()).position(|part| part == word)?;
        let rest = tag[at + word.len()..].trim_ascii_start().strip_prefix(b"=")?;
        let rest = rest.trim_ascii_start();
        let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest);
        let end = rest.iter().position(|byte| b"\"' ;/>?\t\r\n".contains(byte)).unwrap_or(rest.len());
        let found = Encoding::for_label(&rest[..end])?;
        // ASCII could be read so far: it cannot be UTF-16.
        Some(if found == encoding_rs::UTF_16LE || found == encoding_rs::UTF_16BE { UTF_8 } else { found })
    })
}

fn likeliest(body: &[u8]) -> &'static Encoding {
    if std::str::from_utf8(body).is_ok() {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&body[..body.len().min(SAMPLE)], body.len() <= SAMPLE);
    detector.guess(None, Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use super::decode;

    fn text(body: &[u8], content_type: Option<&str>) -> String {
        let text = decode(body, None, content_type).expect("no label").into_owned();
        String::from_utf8(text).expect("UTF-8")
    }

    #[test]
    fn what_is_told_wins_in_its_order() {
        let latin = Some("text/html; charset=\"ISO-8859-1\"");
        assert_eq!(text(b"\xe4", latin), "ä");
        assert_eq!(text(b"\xef\xbb\xbf\xc3\xa4", latin), "ä", "a byte order mark wins");
        assert_eq!(text(b"\xff\xfea\0", None), "a");
        assert_eq!(text(b"<html><META Charset = 'koi8-r'>\xc1", None), "<html><META Charset = 'koi8-r'>а");
        let old = b"<meta http-equiv=\"content-type\" content=\"text/html; charset=shift_jis\">\x83\x65";
        assert!(text(old, None).ends_with('テ'));
        assert!(text(b"<?xml version='1.0' encoding='windows-1251'?>\xe0", None).ends_with('а'));
        assert_eq!(text(b"<meta charset=utf-16>\xc3\xa4", None), "<meta charset=utf-16>ä");
        assert_eq!(text(b"\xc3\xa4", Some("text/plain; charset=klingon")), "ä");
    }

    #[test]
    fn what_nobody_tells_is_guessed() {
        assert_eq!(text("ä€".as_bytes(), Some("text/plain")), "ä€");
        assert_eq!(text(b"na\xefve caf\xe9, tr\xe8s d\xe9j\xe0 vu", None), "naïve café, très déjà vu");
        let (russian, _, _) =
            encoding_rs::WINDOWS_1251.encode("Привет, как дела? Это обычный русский текст.");
        assert!(text(&russian, None).starts_with("Привет"));
        assert_eq!(text(b"", None), "");
        assert_eq!(decode(b"x", Some("klingon"), None).expect_err("none").code(), "invalid");
    }
}
