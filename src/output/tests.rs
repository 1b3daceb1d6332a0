//! Laws and cases of all formats.

use std::fs;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::model::Value;
use crate::plan::{OutputMode, OutputTarget};
use crate::wire::value::{encode, encode_list};

pub(super) struct Output {
    folder: tempfile::TempDir,
    pub plan: OutputPlan,
}

impl Output {
    pub fn new(format: OutputFormat) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("new/out");
        let (name, target) = (path.display().to_string(), OutputTarget::File(path));
        Output { plan: OutputPlan { target, name, format, fields: None, mode: OutputMode::Error }, folder }
    }

    pub fn aim(&mut self, path: &Path) {
        self.plan.target = OutputTarget::File(path.to_path_buf());
        self.plan.name = path.display().to_string();
    }

    pub fn fields(mut self, fields: &[&str]) -> Self {
        self.plan.fields = Some(fields.iter().map(|&field| field.into()).collect());
        self
    }

    /// With these bytes there already.
    pub fn holding(mut self, mode: OutputMode, text: &str) -> Self {
        self.plan.mode = mode;
        fs::create_dir_all(self.folder.path().join("new")).expect("folders can be made");
        fs::write(self.path(), text).expect("files can be written");
        self
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("new/out")
    }

    pub fn text(&self) -> String {
        fs::read_to_string(self.path()).expect("the output exists")
    }

    pub fn open(&self) -> Sink {
        Sink::open(&self.plan).expect("the output can be opened")
    }

    /// The file after these rows.
    fn written(&self, rows: &[Value]) -> String {
        let mut sink = self.open();
        rows.iter().for_each(|row| sink.write_row(&code(row)).expect("the row fits"));
        assert_eq!(sink.finish().ok(), Some(rows.len() as u64));
        self.text()
    }

    /// Why the last of these rows does not fit; the others do.
    pub fn refused(&self, rows: &[Value]) -> String {
        let (last, good) = rows.split_last().expect("a row to refuse");
        let mut sink = self.open();
        good.iter().for_each(|row| sink.write_row(&code(row)).expect("the row fits"));
        let error = sink.write_row(&code(last)).expect_err("the row does not fit");
        assert!(!error.help().is_empty());
        let row = good.len() + 1;
        assert_eq!(
            error.to_string(),
            format!("row {row} does not fit into the output {}", self.path().display())
        );
        let OutputError::Row { source, .. } = error else { panic!("another error: {error}") };
        assert_eq!(sink.finish().ok(), Some(good.len() as u64), "the sink stays good");
        source.to_string()
    }

    pub fn unopened(&self) -> OutputError {
        let error = Sink::open(&self.plan).err().expect("the output cannot be opened");
        assert!(!error.help().is_empty());
        error
    }
}

pub(super) fn code(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out, value);
    out
}

pub(super) fn table(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(name, value)| (Value::text(*name), value.clone())).collect())
}

pub(super) fn list(values: &[Value]) -> Value {
    Value::Array(values.to_vec())
}

pub(super) fn row(n: i64) -> Value {
    table(&[("n", Value::Int(n)), ("a", Value::text("x"))])
}

#[test]
fn jsonl_is_a_value_a_line() {
    let rows = [row(1), list(&[Value::Int(1), Value::Nil]), Value::text("a\nb")];
    let text = Output::new(OutputFormat::Jsonl).written(&rows);
    assert_eq!(text, "{\"a\":\"x\",\"n\":1}\n[1,null]\n\"a\\nb\"\n");
    assert_eq!(Output::new(OutputFormat::Jsonl).written(&[]), "");
}

#[test]
fn json_is_one_array_also_without_rows() {
    let text = Output::new(OutputFormat::Json).written(&[row(1), Value::Int(2)]);
    assert_eq!(text, "[\n{\"a\":\"x\",\"n\":1},\n2\n]\n");
    assert_eq!(Output::new(OutputFormat::Json).written(&[]), "[]\n");
}

#[test]
fn a_refused_row_leaves_json_valid() {
    for good in 0..3 {
        let output = Output::new(OutputFormat::Json);
        let mut sink = output.open();
        assert!(sink.write_row(&[0xff]).is_err());
        (0..good).for_each(|n| sink.write_row(&code(&row(n))).expect("the row fits"));
        assert!(sink.write_row(&[1, 2]).is_err(), "two values are no row");
        assert_eq!(sink.finish().ok(), Some(good.cast_unsigned()));
        let read: Vec<serde_json::Value> = serde_json::from_str(&output.text()).expect("valid JSON");
        assert_eq!(read.len() as i64, good);
    }
}

#[test]
fn fields_choose_and_order_what_json_has() {
    let output = Output::new(OutputFormat::Jsonl).fields(&["n", "b", "a"]);
    let unnamed = list(&[Value::Int(1), Value::Nil]);
    let other = table(&[("z", Value::Int(1))]);
    let text = output.written(&[row(1), unnamed, Value::Int(7), other]);
    assert_eq!(text, "{\"n\":1,\"a\":\"x\"}\n{\"n\":1,\"b\":null}\n{\"n\":7}\n{}\n");
}

#[test]
fn csv_takes_its_columns_from_the_first_row() {
    let partial = table(&[("n", Value::Float(2.0))]);
    let nested = table(&[("a", list(&[Value::Int(1), Value::text("q\"")])), ("n", Value::Float(f64::NAN))]);
    let text = Output::new(OutputFormat::Csv).written(&[row(1), partial, nested]);
    assert_eq!(text, "a,n\nx,1\n,2.0\n\"[1,\"\"q\\\"\"\"\"]\",NaN\n");
}

#[test]
fn csv_rows_without_names_have_no_header() {
    let rows = [
        list(&[Value::Int(1), Value::text("a,b"), Value::Bool(true)]),
        list(&[Value::Nil, Value::text("line\nbreak")]),
    ];
    let text = Output::new(OutputFormat::Csv).written(&rows);
    assert_eq!(text, "1,\"a,b\",true\n,\"line\nbreak\",\n");
    assert_eq!(Output::new(OutputFormat::Csv).written(&[Value::Int(5), Value::text("")]), "5\n\"\"\n");
}

#[test]
fn csv_with_fields_leaves_out_the_others_and_names_the_unnamed() {
    let output = Output::new(OutputFormat::Csv).fields(&["n", "b"]);
    assert_eq!(output.written(&[row(1), list(&[Value::Int(2), Value::Int(3)])]), "n,b\n1,\n2,3\n");
    let output = Output::new(OutputFormat::Csv).fields(&["n", "b"]);
    let wide = list(&[Value::Int(1), Value::Int(2), Value::Int(3)]);
    assert_eq!(output.refused(&[row(1), wide]), "it has 3 values for 2 columns");
}

#[test]
fn csv_refuses_rows_of_another_shape() {
    let refused = |rows: &[Value]| Output::new(OutputFormat::Csv).refused(rows);
    let more = table(&[("n", Value::Int(1)), ("other", Value::Int(1))]);
    assert_eq!(refused(&[row(1), more]), "it has the column `other`, which the header lacks");
    let unnamed = list(&[Value::Int(1)]);
    assert_eq!(
        refused(&[row(1), unnamed.clone()]),
        "its values have no names, and those of the first row had"
    );
    assert_eq!(
        refused(&[unnamed.clone(), row(1)]),
        "its values have names, and those of the first row had none"
    );
    assert_eq!(refused(&[unnamed, list(&[Value::Nil, Value::Nil])]), "it has 2 values for 1 columns");
    assert_eq!(refused(&[list(&[])]), "it is an empty table, and the first row gives the columns");
}

#[test]
fn an_existing_file_is_refused_overwritten_or_continued() {
    let output = Output::new(OutputFormat::Jsonl).holding(OutputMode::Error, "old\n");
    assert!(matches!(output.unopened(), OutputError::Exists { .. }));
    assert_eq!(output.text(), "old\n");
    let output = Output::new(OutputFormat::Jsonl).holding(OutputMode::Overwrite, "a longer old text\n");
    assert_eq!(output.written(&[Value::Int(1)]), "1\n");
    let output = Output::new(OutputFormat::Jsonl).holding(OutputMode::Append, "old\n");
    assert_eq!(output.written(&[Value::Int(1)]), "old\n1\n");
    let output = Output::new(OutputFormat::Jsonl).holding(OutputMode::Append, "old\n{\"cut");
    assert_eq!(output.written(&[Value::Int(1)]), "old\n{\"cut\n1\n");
    let output = Output::new(OutputFormat::Json).holding(OutputMode::Append, "[]\n");
    assert!(matches!(output.unopened(), OutputError::AppendJson { .. }));
}

#[test]
fn a_continued_csv_file_keeps_its_header() {
    let output = Output::new(OutputFormat::Csv).holding(OutputMode::Append, "n,a\r\n1,x\r\n");
    assert_eq!(output.written(&[row(2)]), "n,a\r\n1,x\r\n2,x\n");
    assert_eq!(output.written(&[list(&[Value::Int(3)])]), "n,a\r\n1,x\r\n2,x\n3,\n");
    let unknown = "it has the column `z`, which the header lacks";
    assert_eq!(output.refused(&[table(&[("z", Value::Nil)])]), unknown);
    let output = Output::new(OutputFormat::Csv).holding(OutputMode::Append, "");
    assert_eq!(output.written(&[row(1)]), "a,n\nx,1\n");
    let output = output.fields(&["n", "a"]);
    let error = output.unopened().to_string();
    assert!(error.ends_with("has the header a,n, and `fields` says n,a"), "{error}");
    assert_eq!(output.fields(&["a", "n"]).written(&[row(2)]), "a,n\nx,1\nx,2\n");
}

#[test]
fn rows_are_in_the_file_after_a_flush() {
    let output = Output::new(OutputFormat::Jsonl);
    let mut sink = output.open();
    sink.write_row(&code(&Value::Int(1))).expect("the row fits");
    assert_eq!(output.text(), "");
    sink.flush().expect("the file can be written");
    assert_eq!((output.text(), sink.rows()), ("1\n".into(), 1));
    let long = Value::Bytes(vec![b'x'; 64 << 10]);
    sink.write_row(&code(&long)).expect("the row fits");
    assert!(output.text().len() > 64 << 10);
    drop(sink);
}

#[test]
fn a_path_that_cannot_be_opened_is_named() {
    let mut output = Output::new(OutputFormat::Jsonl).holding(OutputMode::Overwrite, "a file");
    output.aim(&output.path().join("below"));
    let error = output.unopened().to_string();
    assert!(error.starts_with("cannot open the output") && error.ends_with("out/below"), "{error}");
    let folder = output.folder.path().to_path_buf();
    output.aim(&folder);
    assert!(matches!(output.unopened(), OutputError::Open { .. }));
}

#[test]
fn devices_are_written_in_every_mode_and_a_full_one_is_reported() {
    let mut output = Output::new(OutputFormat::Jsonl);
    output.aim(Path::new("/dev/null"));
    let mut sink = output.open();
    sink.write_row(&code(&Value::Int(1))).expect("the row fits");
    assert_eq!(sink.finish().ok(), Some(1));
    output.aim(Path::new("/dev/full"));
    let mut sink = output.open();
    sink.write_row(&code(&Value::Int(1))).expect("the row fits");
    let error = sink.finish().expect_err("the device is full").to_string();
    assert_eq!(error, "cannot write row 1 or one before it to the output /dev/full");
}

#[test]
fn a_closed_pipe_is_told_apart() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let output = Output::new(OutputFormat::Jsonl);
    let mut sink = output.open();
    let Out::Text(text) = &mut sink.out else { panic!("a text") };
    text.file = OwnedFd::from(writer).into();
    drop(reader);
    sink.write_row(&code(&Value::Int(1))).expect("the row fits");
    assert!(matches!(sink.flush(), Err(OutputError::Closed { .. })));
}

#[test]
fn a_result_is_a_row_as_it_is_or_an_array() {
    let row = |values: &[Value]| {
        let bytes = encode_list(values.iter());
        let row = row_of_result(&bytes).expect("own code is readable")?;
        let (mut text, mut at) = (Vec::new(), 0);
        crate::wire::json::append(&mut text, &row, &mut at).expect("own code is readable");
        assert_eq!(at, row.len());
        Some(String::from_utf8(text).expect("JSON is UTF-8"))
    };
    assert_eq!(row(&[table(&[("a", Value::Int(1))])]).as_deref(), Some("{\"a\":1}"));
    assert_eq!(row(&[Value::text("x")]).as_deref(), Some("\"x\""));
    assert_eq!(row(&[Value::Nil, Value::Int(2)]).as_deref(), Some("[null,2]"));
    assert_eq!(row(&[table(&[]), Value::Nil]).as_deref(), Some("[{},null]"));
    assert_eq!((row(&[]), row(&[Value::Nil, Value::Nil])), (None, None));
    assert_eq!(row_of_result(&[1, 2, 3]), Err(Malformed::Rest));
    assert_eq!(row_of_result(&[]), Ok(None));
}

proptest! {
    #[test]
    fn the_csv_crate_reads_back_what_is_written(
        rows in proptest::collection::vec(proptest::collection::vec(any::<Vec<u8>>(), 1..4), 1..20),
    ) {
        let output = Output::new(OutputFormat::Csv);
        let columns = rows[0].len();
        let rows: Vec<Vec<_>> = rows.into_iter().filter(|row| row.len() <= columns).collect();
        let mut sink = output.open();
        for row in &rows {
            let row = Value::Array(row.iter().cloned().map(Value::Bytes).collect());
            sink.write_row(&code(&row)).expect("the row fits");
        }
        sink.finish().expect("the file can be written");
        let reader = ::csv::ReaderBuilder::new().has_headers(false).from_path(output.path());
        let read: Vec<_> = reader.expect("the file exists").into_byte_records().collect();
        prop_assert_eq!(read.len(), rows.len());
        // A byte order mark at the very beginning is no text to a reader.
        prop_assume!(!rows[0][0].starts_with(b"\xef\xbb\xbf"));
        for (read, mut row) in read.into_iter().zip(rows) {
            row.resize(columns, Vec::new());
            prop_assert_eq!(read.expect("good csv").iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), row);
        }
    }

    #[test]
    fn any_bytes_are_a_row_or_refused(rows in proptest::collection::vec(any::<Vec<u8>>(), 1..20)) {
        for format in [OutputFormat::Jsonl, OutputFormat::Csv, OutputFormat::Json] {
            let mut sink = Output::new(format).open();
            rows.iter().for_each(|row| _ = sink.write_row(row));
            prop_assert!(sink.finish().is_ok());
        }
        rows.iter().for_each(|row| _ = row_of_result(row));
    }
}

#[test]
#[ignore = "a measurement; run it with --release"]
fn a_hundred_thousand_rows_take_less_than_a_tenth_of_a_second() {
    for format in [OutputFormat::Jsonl, OutputFormat::Csv, OutputFormat::Json] {
        let output = Output::new(format);
        let rows: Vec<_> = (0..100_000)
            .map(|n| {
                code(&table(&[
                    ("url", Value::text(format!("https://example.org/page/{n}"))),
                    ("no", Value::Int(n)),
                    ("status", Value::Int(200)),
                    ("elapsed", Value::Float(n as f64 / 7.0)),
                    ("title", Value::text("A page of \"this\" site")),
                ]))
            })
            .collect();
        let start = std::time::Instant::now();
        let mut sink = output.open();
        rows.iter().for_each(|row| sink.write_row(row).expect("the row fits"));
        sink.flush().expect("the file can be written");
        let elapsed = start.elapsed();
        sink.finish().expect("the file can be written");
        let line = format!("{format:?}: {elapsed:?}, with sync {:?}\n", start.elapsed());
        io::stderr().write_all(line.as_bytes()).expect("standard error is open");
        assert!(format != OutputFormat::Jsonl || elapsed.as_millis() < 100);
    }
}
