//! Replays the stored inputs of the fuzz targets (`tests/fuzz`), so that what was found once stays found.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "fuzz/targets.rs"]
mod targets;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is there") {
        let path = entry.expect("readable").path();
        let bytes = fs::read(&path).expect("readable");
        assert!(catch_unwind(|| target(&bytes)).is_ok(), "{} fails", path.display());
        count += 1;
    }
    assert!(count > 0, "no inputs in {}", folder.display());
}

#[test]
fn streams_of_frames_are_read_or_refused() {
    replay("frames", targets::frames);
}

#[test]
fn values_mean_the_same_in_lua() {
    replay("values", targets::values);
}

#[test]
fn formats_are_read_or_refused() {
    replay("json", targets::json);
    replay("toml", targets::toml);
    replay("yaml", targets::yaml);
    replay("xml", targets::xml);
    replay("csv", targets::csv);
}

#[test]
fn pages_and_feeds_are_read_or_refused() {
    replay("html", targets::html);
    replay("feed", targets::feed);
}
