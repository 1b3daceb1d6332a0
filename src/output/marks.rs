//! Cases of resumes: what is behind the mark goes, and the rest is continued as if nothing had been.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::tests::{Output, code, list, row, table};
use super::*;
use crate::model::Value;
use crate::plan::OutputMode;

const FORMATS: [OutputFormat; 3] = [OutputFormat::Jsonl, OutputFormat::Csv, OutputFormat::Json];

impl Output {
    fn again(&self, mark: Option<OutputMark>) -> Result<Sink, OutputError> {
        Sink::open_resumed(&self.plan, mark)
    }

    fn resumed(&self, mark: OutputMark) -> Sink {
        self.again(Some(mark)).expect("the output can be taken up again")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).expect("the output exists")
    }

    /// Why a resume is refused.
    fn refused_again(&self, mark: OutputMark) -> String {
        let error = self.again(Some(mark)).err().expect("a resume is refused");
        assert!(error.help().contains("--restart"), "{}", error.help());
        error.to_string().replace(&self.path().display().to_string(), "FILE")
    }
}

fn add(sink: &mut Sink, numbers: std::ops::RangeInclusive<i64>) -> OutputMark {
    for n in numbers {
        sink.write_row(&code(&row(n))).expect("the row fits");
    }
    sink.commit().expect("the file can be written")
}

/// The file after an undisturbed run of 6 rows, and after one that was cut off behind `torn` bytes of its third group.
fn cut(mut output: Output, torn: usize) -> (Vec<u8>, Vec<u8>) {
    let mut sink = output.open();
    add(&mut sink, 1..=6);
    sink.finish().expect("the file can be written");
    let whole = output.bytes();
    output.plan.mode = OutputMode::Overwrite;
    let mut sink = output.open();
    add(&mut sink, 1..=2);
    let mark = add(&mut sink, 3..=4);
    add(&mut sink, 5..=5);
    drop(sink);
    let text = output.bytes();
    fs::write(output.path(), &text[..text.len().min(mark.position as usize + torn)])
        .expect("files can be cut");
    let mut sink = output.resumed(mark);
    assert_eq!(sink.rows(), 4);
    add(&mut sink, 5..=6);
    assert_eq!(sink.finish().ok(), Some(6));
    (whole, output.bytes())
}

#[test]
fn a_tail_that_is_torn_anywhere_is_cut_off() {
    for format in FORMATS {
        for torn in 0..40 {
            let (whole, found) = cut(Output::new(format), torn);
            assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&whole), "{format:?} {torn}");
            let (whole, found) = cut(Output::new(format).fields(&["n", "b", "a"]), torn);
            assert_eq!(found, whole, "{format:?} {torn}");
        }
    }
}

#[test]
fn csv_without_names_is_continued_without_a_header() {
    let output = Output::new(OutputFormat::Csv);
    let unnamed = |n| code(&list(&[Value::Int(n), Value::text("x")]));
    let mut sink = output.open();
    sink.write_row(&unnamed(1)).expect("the row fits");
    let mark = sink.commit().expect("the file can be written");
    let mut sink = output.resumed(mark);
    sink.write_row(&unnamed(2)).expect("the row fits");
    sink.finish().expect("the file can be written");
    assert_eq!(output.text(), "1,x\n2,x\n");
}

#[test]
fn the_end_of_an_array_lies_behind_the_mark() {
    let output = Output::new(OutputFormat::Json);
    let mut sink = output.open();
    let mark = add(&mut sink, 1..=2);
    sink.finish().expect("the file can be written");
    assert!(output.text().ends_with("\n]\n"));
    let mut sink = output.resumed(mark);
    let mark = add(&mut sink, 3..=3);
    sink.finish().expect("the file can be written");
    let read: Vec<serde_json::Value> = serde_json::from_str(&output.text()).expect("valid JSON");
    assert_eq!(read.len(), 3);
    // nothing is added, and it is whole again
    output.resumed(mark).finish().expect("the file can be written");
    assert_eq!(
        serde_json::from_str::<Vec<serde_json::Value>>(&output.text()).map(|read| read.len()).ok(),
        Some(3)
    );
    let output = Output::new(OutputFormat::Json);
    let mut sink = output.open();
    let mark = sink.commit().expect("the file can be written");
    sink.finish().expect("the file can be written");
    assert_eq!(output.text(), "[]\n");
    let mut sink = output.resumed(mark);
    add(&mut sink, 1..=1);
    sink.finish().expect("the file can be written");
    assert_eq!(output.text(), "[\n{\"a\":\"x\",\"n\":1}\n]\n");
}

#[test]
fn what_was_there_before_the_run_stays() {
    let output = Output::new(OutputFormat::Jsonl).holding(OutputMode::Append, "old\n{\"cut");
    let mut sink = output.open();
    let first = sink.commit().expect("the file can be written");
    add(&mut sink, 1..=2);
    drop(sink);
    let mut sink = output.resumed(first);
    assert_eq!(output.text(), "old\n{\"cut\n");
    add(&mut sink, 1..=1);
    drop(sink);
    assert_eq!(output.text(), "old\n{\"cut\n{\"a\":\"x\",\"n\":1}\n");
    let output = Output::new(OutputFormat::Csv).holding(OutputMode::Append, "n,a\r\n7,x\r\n");
    let mark = output.open().commit().expect("the file can be written");
    add(&mut output.resumed(mark), 8..=8);
    assert_eq!(output.text(), "n,a\r\n7,x\r\n8,x\n");
}

#[test]
fn a_session_that_was_cut_off_before_its_first_commit_is_no_obstacle() {
    for format in [OutputFormat::Jsonl, OutputFormat::Csv, OutputFormat::Json, OutputFormat::Sqlite] {
        let output = Output::new(format);
        drop(output.open());
        assert!(matches!(output.unopened(), OutputError::Exists { .. }), "{format:?}");
        let mut sink = output.again(None).expect("an empty file is ours");
        add(&mut sink, 1..=1);
        drop(sink);
        // somebody else's
        assert!(matches!(output.again(None).err(), Some(OutputError::Exists { .. })), "{format:?}");
    }
}

#[test]
fn a_file_that_was_changed_is_refused() {
    for format in [OutputFormat::Jsonl, OutputFormat::Csv] {
        let output = Output::new(format);
        let mark = add(&mut output.open(), 1..=3);
        let text = output.bytes();
        let changed = |what: &str| format!("the output FILE {what}: it was changed since the run wrote it");
        fs::write(output.path(), &text[..text.len() - 1]).expect("files can be cut");
        assert_eq!(output.refused_again(mark), changed("is shorter than what was written"));
        let longer = [&text[..text.len() - 1], b", and more"].concat();
        fs::write(output.path(), &longer).expect("files can be written");
        assert_eq!(output.refused_again(mark), changed("does not end with the row that was written last"));
        fs::remove_file(output.path()).expect("files can be removed");
        assert_eq!(output.refused_again(mark), changed("is missing"));
        assert!(!output.path().exists(), "and nothing is made in its place");
    }
}

#[test]
fn a_device_has_no_length_and_begins_anew() {
    let mut output = Output::new(OutputFormat::Json);
    output.aim(Path::new("/dev/null"));
    let mark = add(&mut output.open(), 1..=3);
    assert_eq!(mark, OutputMark { position: 0, rows: 3 });
    let mut sink = output.resumed(mark);
    assert_eq!(add(&mut sink, 4..=4).rows, 4);
    output.aim(Path::new("/dev/full"));
    let mut sink = output.open();
    sink.write_row(&code(&row(1))).expect("the row fits");
    let error = sink.commit().expect_err("the device is full");
    assert!(matches!(error, OutputError::Write { row: 1, .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_cut_and_any_groups_give_the_file_of_an_undisturbed_run(
        format in proptest::sample::select(FORMATS.to_vec()),
        groups in proptest::collection::vec((0i64..4, any::<prop::sample::Index>(), any::<bool>()), 1..12),
    ) {
        let (output, whole) = (Output::new(format), Output::new(format));
        let (mut sink, mut undisturbed) = (output.open(), whole.open());
        let mut mark = sink.commit().expect("the file can be written");
        let mut n = 0;
        for (count, at, crash) in groups {
            add(&mut undisturbed, n + 1..=n + count);
            let new = add(&mut sink, n + 1..=n + count);
            if crash {
                // the commit of the journal never came
                drop(sink);
                let text = output.bytes();
                let kept = mark.position as usize + at.index(text.len() - mark.position as usize + 1);
                fs::write(output.path(), &text[..kept]).expect("files can be cut");
                sink = output.resumed(mark);
                mark = add(&mut sink, n + 1..=n + count);
            } else {
                mark = new;
            }
            n += count;
        }
        prop_assert_eq!(sink.finish().ok(), Some(n.cast_unsigned()));
        undisturbed.finish().expect("the file can be written");
        prop_assert_eq!(output.text(), whole.text());
    }
}

#[test]
fn a_row_that_does_not_fit_leaves_the_mark() {
    let output = Output::new(OutputFormat::Csv);
    let mut sink = output.open();
    let mark = add(&mut sink, 1..=1);
    assert!(sink.write_row(&code(&table(&[("z", Value::Int(1))]))).is_err());
    assert_eq!(sink.commit().ok(), Some(mark));
}
