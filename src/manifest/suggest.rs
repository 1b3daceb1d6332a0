//! What somebody meant who mistyped a name.

/// Longer names are not compared: no key of ours is half as long, and the distance needs the product of both lengths.
const MAX_NAME: usize = 64;

/// The candidate that `name` was probably meant to be: at most a third of its letters differ, where
/// two letters in the wrong order count as one.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_NAME {
        return None;
    }
    let plain = name.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_NAME && *candidate != name)
        .map(|candidate| (strsim::damerau_levenshtein(&plain, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= (candidate.chars().count() / 3).max(1) && *distance < plain.chars().count()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_letter_missing_doubled_or_swapped_is_seen() {
        let keys = ["processes", "threads", "script"];
        assert_eq!(closest("proceses", keys), Some("processes"));
        assert_eq!(closest("theards", keys), Some("threads"));
        assert_eq!(closest("Script", keys), Some("script"));
        assert_eq!(closest("max-fail", ["max_fail"]), Some("max_fail"));
    }

    #[test]
    fn something_else_is_not() {
        assert_eq!(closest("colour", ["processes", "threads", "script"]), None);
        assert_eq!(closest("x", ["y"]), None);
        assert_eq!(closest(&"script".repeat(1_000_000), ["script"]), None);
    }
}
