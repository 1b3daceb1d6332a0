//! Where in the scripts of the job a failure arose.

use crate::model::Failure;

/// The place, `crawl.lua:9`, and the message without it.
pub(crate) fn split(failure: &Failure) -> (Option<&str>, &str) {
    if let Some((place, rest)) = place(&failure.message) {
        return (Some(place), rest.strip_prefix(' ').unwrap_or(rest));
    }
    let traced = failure
        .traceback
        .as_deref()
        .and_then(|trace| trace.lines().find_map(|line| place(line.trim_start()).map(|(place, _)| place)));
    (traced, &failure.message)
}

/// `path.lua:9`, `job.toml:9` (for `code`) or `[string "…"]:9` at the start of a text, and what follows its second colon. Frames of
/// the library (`mpms:9:`, `[C]:`) are no place of the job.
fn place(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with("[string ") {
        text.find("]:")? + 1
    } else {
        [".lua:", ".toml:"].iter().filter_map(|end| Some(text.find(end)? + end.len() - 1)).min()?
    };
    let number = &text[end + 1..];
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let rest = number[digits..].strip_prefix(':')?;
    let path = &text[..end];
    let own = digits > 0 && !path.contains('\n') && (text.starts_with('[') || !path.contains(": "));
    own.then_some((&text[..end + 1 + digits], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &str, traceback: Option<&str>) -> Failure {
        Failure { traceback: traceback.map(Into::into), ..Failure::new("lua_error", message) }
    }

    #[test]
    fn the_place_is_taken_from_the_message() {
        let failed = failure("jobs/my crawl.lua:14: attempt to index a nil value", None);
        assert_eq!(split(&failed), (Some("jobs/my crawl.lua:14"), "attempt to index a nil value"));
        let failed = failure("jobs/crawl.toml:4: no", None);
        assert_eq!(split(&failed), (Some("jobs/crawl.toml:4"), "no"));
        let failed = failure("[string \"tasks\"]:3: x", None);
        assert_eq!(split(&failed), (Some("[string \"tasks\"]:3"), "x"));
    }

    #[test]
    fn or_from_the_first_own_line_of_the_traceback() {
        let trace = "stack traceback:\n\t[C]: in function 'error'\n\tmpms:12: in function 'get'\n\
                     \tcrawl.lua:9: in function <crawl.lua:3>\n\tcrawl.lua:1: in main chunk";
        let failed = failure("404", Some(trace));
        assert_eq!(split(&failed), (Some("crawl.lua:9"), "404"));
    }

    #[test]
    fn an_address_with_a_port_is_no_place() {
        for text in ["127.0.0.1:8080: refused", "cannot open x.lua: no such file", ".lua:", "[string :"] {
            assert_eq!(split(&failure(text, None)), (None, text));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_split(text in "(\\[string )?[a-zß.:\\]\\n ]*(\\.lua:|\\]:)?[0-9]{0,3}:?.*") {
            let failed = failure(&text, Some(&text));
            assert!(text.ends_with(split(&failed).1));
        }
    }
}
