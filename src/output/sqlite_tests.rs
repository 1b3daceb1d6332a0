//! Cases of the format `sqlite`.

use std::fs;

use rusqlite::Connection;
use rusqlite::types::Value as Sql;

use super::tests::{Output, code, list, row, table};
use super::*;
use crate::model::Value;
use crate::plan::OutputMode;

fn new() -> Output {
    Output::new(OutputFormat::Sqlite)
}

impl Output {
    fn database(&self) -> Connection {
        Connection::open(self.path()).expect("a database")
    }

    fn cells(&self) -> Vec<Vec<Sql>> {
        let database = self.database();
        let mut select = database.prepare("SELECT * FROM results").expect("a table");
        let columns = select.column_count();
        let rows = select.query_map((), |row| (0..columns).map(|at| row.get(at)).collect());
        rows.expect("rows").map(|row| row.expect("a row")).collect()
    }

    fn columns(&self) -> String {
        let database = self.database();
        let select = database.prepare("SELECT * FROM results").expect("a table");
        select.column_names().collect::<Vec<_>>().join(",")
    }

    fn write(&self, rows: &[Value]) {
        let mut sink = self.open();
        rows.iter().for_each(|row| sink.write_row(&code(row)).expect("the row fits"));
        assert_eq!(sink.finish().ok(), Some(rows.len() as u64));
    }
}

#[test]
fn every_value_stays_what_it_is() {
    let values = [
        ("int", Value::Int(i64::MIN), Sql::Integer(i64::MIN)),
        ("float", Value::Float(0.1), Sql::Real(0.1)),
        ("whole", Value::Float(2.0), Sql::Real(2.0)),
        ("inf", Value::Float(f64::INFINITY), Sql::Real(f64::INFINITY)),
        ("nan", Value::Float(f64::NAN), Sql::Null),
        ("yes", Value::Bool(true), Sql::Integer(1)),
        ("no", Value::Bool(false), Sql::Integer(0)),
        ("text", Value::text("a\0ü'\""), Sql::Text("a\0ü'\"".into())),
        ("number", Value::text("007"), Sql::Text("007".into())),
        ("bytes", Value::Bytes(vec![0xff, 0, 1]), Sql::Blob(vec![0xff, 0, 1])),
        (
            "table",
            table(&[("a", list(&[Value::Int(1), Value::text("x")]))]),
            Sql::Text("{\"a\":[1,\"x\"]}".into()),
        ),
        ("order", Value::Int(1), Sql::Integer(1)),
        ("a \"b\"", Value::Int(2), Sql::Integer(2)),
    ];
    let output = new();
    let row = table(&values.clone().map(|(name, value, _)| (name, value)));
    output.write(&[row]);
    let database = output.database();
    for (name, _, wanted) in values {
        let select = format!("SELECT \"{}\" FROM results", name.replace('"', "\"\""));
        let found: Sql = database.query_row(&select, (), |row| row.get(0)).expect("a column");
        assert_eq!(found, wanted, "{name}");
    }
    assert!(
        !output.path().with_file_name("out-journal").exists()
            && !output.path().with_file_name("out-wal").exists()
    );
}

#[test]
fn columns_come_from_fields_or_the_first_row() {
    let output = new();
    output.write(&[row(1), table(&[("n", Value::Int(2))])]);
    assert_eq!(output.columns(), "a,n");
    assert_eq!(output.cells()[1], [Sql::Null, Sql::Integer(2)]);
    let output = new().fields(&["n", "b"]);
    output.write(&[row(1), list(&[Value::Int(2), Value::Int(3)])]);
    assert_eq!(output.columns(), "n,b");
    assert_eq!(output.cells(), [[Sql::Integer(1), Sql::Null], [Sql::Integer(2), Sql::Integer(3)]]);
    let output = new();
    output.write(&[list(&[Value::Int(1), Value::text("x")]), Value::Int(5)]);
    assert_eq!(output.columns(), "c1,c2");
    assert_eq!(output.cells()[1], [Sql::Integer(5), Sql::Null]);
    assert_eq!(
        new().refused(&[row(1), table(&[("z", Value::Nil)])]),
        "it has the column `z`, which the table `results` lacks"
    );
    let twice = table(&[("a", Value::Int(1)), ("A", Value::Int(1))]);
    let words = "its columns `A` and `a` differ in case only, and SQLite takes them for the same";
    assert_eq!(new().refused(&[twice]), words);
}

#[test]
fn a_database_is_refused_appended_to_or_overwritten() {
    let mut output = new();
    output.write(&[row(1)]);
    assert!(matches!(output.unopened(), OutputError::Exists { .. }));
    output.plan.mode = OutputMode::Append;
    output.write(&[row(2)]);
    assert_eq!(output.cells().len(), 2);
    assert_eq!(
        output.refused(&[table(&[("z", Value::Nil)])]),
        "it has the column `z`, which the table `results` lacks"
    );
    let output = output.fields(&["n", "a"]);
    let error = output.unopened().to_string();
    assert!(error.ends_with("has the columns a,n, and `fields` says n,a"), "{error}");
    let mut output = output.fields(&["a", "n"]);
    output.write(&[row(3)]);
    assert_eq!(output.cells().len(), 3);
    output.plan.mode = OutputMode::Overwrite;
    output.write(&[row(4)]);
    assert_eq!(output.cells(), [[Sql::Text("x".into()), Sql::Integer(4)]]);
    // another table of the file is nobody's business
    let output = new().holding(OutputMode::Append, "");
    output.database().execute_batch("CREATE TABLE other (x); INSERT INTO other VALUES (1)").expect("a table");
    output.write(&[row(1)]);
    assert_eq!(output.cells().len(), 1);
}

#[test]
fn what_cannot_be_appended_to_is_named() {
    let output = new().holding(OutputMode::Append, &"this is no database at all".repeat(100));
    assert!(output.unopened().to_string().ends_with("is not a SQLite database"));
    let mut output = output;
    output.plan.mode = OutputMode::Overwrite;
    output.write(&[row(1)]);
    for definition in
        ["CREATE VIEW results AS SELECT 1 AS a", "CREATE TABLE results (a PRIMARY KEY) WITHOUT ROWID"]
    {
        let output = new().holding(OutputMode::Append, "");
        output.database().execute_batch(definition).expect("a definition");
        let error = output.unopened();
        assert!(matches!(error, OutputError::NotTable { .. }), "{definition}: {error}");
    }
}

#[test]
fn a_database_that_another_process_holds_is_named() {
    let mut output = new();
    output.write(&[row(1)]);
    output.plan.mode = OutputMode::Append;
    let mut sink = output.open();
    let other = output.database();
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let error = sink.write_row(&code(&row(2))).expect_err("it is locked");
    assert!(matches!(error, OutputError::Locked { .. }), "{error}");
    output.plan.mode = OutputMode::Overwrite;
    assert!(matches!(output.unopened(), OutputError::Locked { .. }));
    other.execute_batch("ROLLBACK").expect("the lock is given back");
    assert_eq!(output.cells().len(), 1, "and nothing is lost");
}

#[test]
fn rows_behind_the_mark_go() {
    let output = new();
    let mut sink = output.open();
    let add = |sink: &mut Sink, n| {
        sink.write_row(&code(&row(n))).expect("the row fits");
        sink.commit().expect("the database can be written")
    };
    let none = sink.commit().expect("the database can be written");
    assert_eq!(none, OutputMark::default());
    add(&mut sink, 1);
    let mark = add(&mut sink, 2);
    assert_eq!(mark, OutputMark { position: 2, rows: 2 });
    add(&mut sink, 3);
    sink.write_row(&code(&row(4))).expect("the row fits");
    drop(sink);
    assert_eq!(output.cells().len(), 3, "the last transaction was open");
    let mut sink = Sink::open_resumed(&output.plan, Some(mark)).expect("taken up again");
    assert_eq!(add(&mut sink, 5), OutputMark { position: 3, rows: 3 });
    sink.finish().expect("the database can be written");
    let numbers: Vec<_> = output.cells().into_iter().map(|cells| cells[1].clone()).collect();
    assert_eq!(numbers, [1, 2, 5].map(Sql::Integer));
    // the first group was not committed: the columns are open again
    let mut sink = Sink::open_resumed(&output.plan, Some(none)).expect("taken up again");
    sink.write_row(&code(&table(&[("z", Value::Int(1))]))).expect("the row fits");
    sink.finish().expect("the database can be written");
    assert_eq!((output.columns(), output.cells().len()), ("z".into(), 1));
}

#[test]
fn a_name_that_hides_the_rowid_does_not_hide_the_rows() {
    let output = new();
    let odd = |n: i64| table(&[("rowid", Value::Int(100 * n)), ("oid", Value::Int(7))]);
    let mut sink = output.open();
    sink.write_row(&code(&odd(1))).expect("the row fits");
    let mark = sink.commit().expect("the database can be written");
    sink.write_row(&code(&odd(2))).expect("the row fits");
    sink.commit().expect("the database can be written");
    drop(sink);
    drop(Sink::open_resumed(&output.plan, Some(mark)).expect("taken up again"));
    assert_eq!(output.cells(), [[Sql::Integer(7), Sql::Integer(100)]]);
}

#[test]
fn a_database_that_was_changed_is_refused() {
    let output = new();
    let mut sink = output.open();
    sink.write_row(&code(&row(1))).expect("the row fits");
    sink.write_row(&code(&row(2))).expect("the row fits");
    let mark = sink.commit().expect("the database can be written");
    drop(sink);
    let refused = || {
        let error = Sink::open_resumed(&output.plan, Some(mark)).err().expect("refused");
        assert!(
            matches!(error, OutputError::Changed { .. }) && error.help().contains("--restart"),
            "{error}"
        );
        error.to_string()
    };
    output.database().execute_batch("DELETE FROM results WHERE n = 2").expect("deleted");
    assert!(refused().contains("has lost rows of its table"));
    output.database().execute_batch("DROP TABLE results").expect("dropped");
    assert!(refused().contains("has lost its table"));
    fs::remove_file(output.path()).expect("removed");
    assert!(refused().contains("is missing"));
}
