use serde_json::Value;

use super::decode;
use crate::lua::std::testing::{fails, run, run_with, state};
use crate::lua::tape::{Item, Reader};

/// Cases of the suite that go another way, and why.
const OTHERWISE: &[(&str, &str)] = &[
    ("2JQS", "keys that are null twice"),
    ("4FJ6", COMPLEX),
    ("565N", "binary is bytes, and not their base64"),
    ("6BFJ", COMPLEX),
    ("6PBE", COMPLEX),
    ("9C9N", LAX),
    ("9MMW", COMPLEX),
    ("DK95-1", LAX),
    ("KK5P", COMPLEX),
    ("LX3P", COMPLEX),
    ("M2N8-0", COMPLEX),
    ("M2N8-1", COMPLEX),
    ("M5DY", COMPLEX),
    ("Q9WF", COMPLEX),
    ("QB6E", LAX),
    ("RZP5", COMPLEX),
    ("SBG9", COMPLEX),
    ("V9D5", COMPLEX),
    ("X38W", COMPLEX),
    ("XW4D", COMPLEX),
];

const COMPLEX: &str = "lists and maps are no keys";
const LAX: &str = "less indented than the specification wants it, as PyYAML takes it and people write it";

#[derive(serde::Deserialize)]
struct Case {
    id: String,
    yaml: String,
    fail: bool,
    json: Option<String>,
}

fn value(reader: &mut Reader<'_>) -> Value {
    match reader.next() {
        Item::Null => Value::Null,
        Item::Bool(flag) => flag.into(),
        Item::Int(number) => (number as f64).into(),
        Item::Float(number) => number.into(),
        Item::Text(text) | Item::Date(text) => String::from_utf8_lossy(text).into(),
        Item::Array(count) => (0..count).map(|_| value(reader)).collect(),
        Item::Map(entries) => {
            let mut map = serde_json::Map::new();
            for index in 0..entries.count {
                reader.entry(entries, index);
                let key = match value(reader) {
                    Value::String(text) => text,
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                map.insert(key, value(reader));
            }
            reader.leave(entries);
            map.into()
        }
        Item::Rows(..) => Value::Null,
    }
}

/// With floats for all numbers, and keys sorted.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(map) => map.into_iter().map(|(key, item)| (key, plain(item))).collect(),
        other => other,
    }
}

#[test]
fn the_test_suite_of_yaml_is_followed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/yaml.jsonl");
    let text = std::fs::read_to_string(path).expect("the suite is there");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).expect("a case");
        count += 1;
        let decoded = decode::all(case.yaml.as_bytes());
        let bad = match (&decoded, &case.json) {
            (Ok(_), _) if case.fail => Some("is taken".to_owned()),
            (Err(_), _) if case.fail => None,
            (Err(error), _) => Some(error.message().to_owned()),
            (Ok(_), None) => None,
            (Ok(tape), Some(json)) => {
                let found = value(&mut tape.reader());
                let wanted: Value = serde_json::Deserializer::from_str(json)
                    .into_iter::<Value>()
                    .map(|value| plain(value.expect("JSON")))
                    .collect();
                (found != wanted).then(|| format!("{found} instead of {wanted}"))
            }
        };
        let known = OTHERWISE.iter().any(|(id, _)| *id == case.id);
        match bad {
            Some(bad) if !known => wrong.push(format!("{}: {bad}", case.id)),
            None if known => wrong.push(format!("{}: is as the suite has it", case.id)),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(count, 402);
}

#[test]
fn scalars_are_those_of_yaml_1_2() {
    let lua = state();
    let ok: bool = run(
        &lua,
        r##"
        local yaml = require "mpms.yaml"
        local function same(text, wanted)
          local found = yaml.decode(text)
          assert(found == wanted and math.type(found) == math.type(wanted), text .. " gave " .. tostring(found))
        end
        for _, word in ipairs { "no", "No", "yes", "on", "off", "y", "n", "1_000", "0b11", "1:30", "2026-11-22", "0x", "1e", "+.", ".", "1.2.3", "--1", "nULL" } do
          same(word, word)
        end
        same("true", true) same("False", false) same("0x1F", 31) same("0o17", 15) same("-12", -12) same("+12", 12)
        same("0755", 755) same("1.", 1.0) same(".5", 0.5) same("-1.5e3", -1500.0) same("1e3", 1000.0)
        same(".inf", math.huge) same("-.INF", -math.huge) same("9223372036854775807", math.maxinteger)
        same("9223372036854775808", 2.0 ^ 63) same("0xffffffffffffffff", 2.0 ^ 64)
        same("~", mpms.null) same("", mpms.null) same("null", mpms.null) same("'1'", "1") same('"\\x41\\u263a"', "A☺")
        same("!!str 1", "1") same("! 1", "1") same("!!float 1", 1.0) same("!!int '7'", 7) same("!mine 5", 5)
        same("!!binary aGk=", "hi") same("!!binary |\n  /w\n  D+\n", "\xff\0\xfe")
        local nan = yaml.decode ".nan" assert(nan ~= nan)
        assert(yaml.decode("a: ~", { null = false }).a == false)
        assert(yaml.decode "\xef\xbb\xbfa: 1".a == 1)
        return true
        "##,
    );
    assert!(ok);
}

#[test]
fn anchors_and_merges_are_followed() {
    let lua = state();
    let ok: bool = run(
        &lua,
        r##"
        local yaml, json = mpms.yaml, mpms.json
        local function is(text, wanted) local found = json.encode(yaml.decode(text)) assert(found == wanted, found) end
        is("a: &x [1, 2]\nb: *x", '{"a":[1,2],"b":[1,2]}')
        is("base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  y: 3", '{"base":{"x":1,"y":2},"own":{"x":1,"y":3}}')
        is("own:\n  y: 3\n  <<: [{x: 1, y: 9}, {x: 8, z: 2}]", '{"own":{"x":1,"y":3,"z":2}}')
        is("a:\n  <<: &i {k: &v [7]}\n  m: 1\nb: *i\nc: *v", '{"a":{"k":[7],"m":1},"b":{"k":[7]},"c":[7]}')
        is("'<<': 1", '{"<<":1}')
        is("? a\n: b\n? 'c d'\n: [e]", '{"a":"b","c d":["e"]}')
        local v = yaml.decode "1: a\n2.5: b\ntrue: c"
        assert(v[1] == "a" and v[2.5] == "b" and v[true] == "c")
        local all = yaml.decode_all "a\n---\n- b\n---\n...\n"
        assert(#all == 3 and all[1] == "a" and all[2][1] == "b" and all[3] == mpms.null)
        assert(#yaml.decode_all "" == 0)
        -- each alias is a table of its own
        local t = yaml.decode "a: &x {n: 1}\nb: *x" t.a.n = 2 assert(t.b.n == 1)
        return true
        "##,
    );
    assert!(ok);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let lua = state();
    let cases = [
        ("a: 1\\nb: 2\\na: 3", "the key `a` is there twice at line 3 column 1"),
        ("{1: a, 0x1: b}", "the key `1` is there twice"),
        ("1: a\\n1.0: b", "the key `1` is there twice"),
        ("[a, b", "line 1 column"),
        ("a: b: c", "line 1 column"),
        ("a: *none", "line 1 column 4"),
        ("a: &x [*x]", "a part of: a cycle cannot be read at line 1 column 8"),
        (
            "- 1\\n---\\n- 2",
            "there is a second document (`yaml.decode_all` reads several) at line 2 column 1",
        ),
        ("!!int x", "`x` is no `!!int` at line 1"),
        ("!!binary '%'", "no base64"),
        ("? [a]\\n: b", "a key must not be a list or a map at line 1"),
        (".nan: 1", "a key must not be NaN"),
        ("a:\\n  <<: 5", "`<<` must name a map or a list of maps at line 2 column 7"),
        ("a: \\xff", "the text is not UTF-8 at line 1 column 4"),
        ("a: b\\n\\tc: d", "a tab at line 1"),
        ("a: \\1", "line 1"),
    ];
    for (text, wanted) in cases {
        let e = fails(&lua, &format!("mpms.yaml.decode(\"{text}\")"));
        assert_eq!(e.code, "parse", "{text}: {}", e.message);
        assert!(e.message.contains(wanted), "{text}: {}", e.message);
    }
}

#[test]
fn bombs_are_refused() {
    let lua = state();
    let laughs = "local t = {'a0: &a0 [x,x,x,x,x,x,x,x,x,x]'} \
        for i = 1, 30 do t[#t+1] = ('a%d: &a%d [%s]'):format(i, i, ('*a' .. (i-1) .. ','):rep(9)) end \
        return mpms.yaml.decode(table.concat(t, '\\n'))";
    assert_eq!(fails(&lua, laughs).code, "too_large");
    // few copies, but each deeper than the one before
    let deep = "local t = {'a0: &a0 x'} \
        for i = 1, 300 do t[#t+1] = ('a%d: &a%d [*a%d]'):format(i, i, i-1) end \
        return mpms.yaml.decode(table.concat(t, '\\n'))";
    let e = fails(&lua, deep);
    assert!(e.code == "parse" && e.message.contains("nested more than 200 deep"), "{}", e.message);
    for text in ["('['):rep(100000)", "('- '):rep(100000)", "('{a: '):rep(100000)", "('? '):rep(5000)"] {
        assert_eq!(fails(&lua, &format!("mpms.yaml.decode({text})")).code, "parse", "{text}");
    }
    let merges = "local t = {'b0: &b0 {' .. ('k'):rep(1000) .. ': 1}'} \
        for i = 1, 20000 do t[#t+1] = ('b%d: {<<: *b0}'):format(i) end \
        return mpms.yaml.decode(table.concat(t, '\\n'))";
    assert_eq!(fails(&lua, merges).code, "too_large");
    // a fair number of aliases passes
    run::<()>(
        &lua,
        "local t = {'a: &a {x: 1, y: 2}'} for i = 1, 5000 do t[#t+1] = ('b%d: *a'):format(i) end \
        assert(mpms.yaml.decode(table.concat(t, '\\n')).b5000.y == 2)",
    );
}

#[test]
fn what_is_written_is_read_again() {
    let lua = state();
    let ok: bool = run(
        &lua,
        r##"
        local yaml = mpms.yaml
        local function is(value, wanted) local found = yaml.encode(value) assert(found == wanted, found) end
        is({ b = 1, a = { 1, { x = "z" }, {} , mpms.json.array() } }, "a:\n  - 1\n  - x: z\n  - {}\n  - []\nb: 1\n")
        is({ { { 1 }, 2 } }, "- - - 1\n  - 2\n")
        is("no", '"no"\n') is("plain text", "plain text\n") is("a: b", '"a: b"\n') is("", '""\n') is(mpms.null, "null\n")
        is({ t = "one\ntwo\n", u = "a\nb", v = "a\n\n", w = " a\nb" }, 't: |\n  one\n  two\nu: |-\n  a\n  b\nv: |+\n  a\n\nw: " a\\nb"\n')
        is({ 1e300, -0.0, 1.0, 1 / 0, -1 / 0 }, "- 1.0e+300\n- -0.0\n- 1.0\n- .inf\n- -.inf\n")
        is("\xff\0", '!!binary "/wA="\n') is("\0\27\u{85}\u{2028}\u{feff}", '"\\x00\\x1b\\x85\\u2028\\ufeff"\n')
        is({ [10] = "a", [2] = "b", [true] = "c", x = 1 }, "true: c\n2: b\n10: a\nx: 1\n")
        local long = ("k"):rep(3000)
        assert(yaml.decode(yaml.encode { [long] = { a = { 1 } }, [long .. "l"] = "x\ny" })[long].a[1] == 1)
        assert(yaml.decode(yaml.encode { 0 / 0 })[1] ~= yaml.decode(yaml.encode { 0 / 0 })[1])
        for _, word in ipairs { "true", "Yes", "null", "~", "1", "0x1", "1.5", "1e3", ".inf", "=", "<<", "2026-11-22", "12:30", "- a", "a #b",
          "#a", "@a", "`a", "*a", "&a", "!a", "|", ">", "%a", "a:", ":a", "?", "-", "---", "...", "[", "{a", "a\n", "\n", " ", "a ", "\ta", "a\r\nb", "é", "日本", "😀", "..." , "a, b" } do
          assert(yaml.decode(yaml.encode(word)) == word, word)
          assert(yaml.decode(yaml.encode { word })[1] == word, word)
          assert(yaml.decode(yaml.encode { [word] = { word } })[word][1] == word, word)
        end
        return true
        "##,
    );
    assert!(ok);
    let e = fails(&lua, "mpms.yaml.encode({ a = { print } })");
    assert!(
        e.code == "invalid" && e.message.contains("YAML cannot hold a function at $.a[1]"),
        "{}",
        e.message
    );
    assert!(
        fails(&lua, "local t = {} t.x = t mpms.yaml.encode(t)").message.contains("contains itself at $.x")
    );
    assert!(fails(&lua, "mpms.yaml.encode({ 1, [3] = 1 })").message.contains("in place of 2"));
    assert!(
        fails(&lua, "mpms.yaml.encode({}, { sort_key = true })").message.contains("did you mean `sort_keys`")
    );
}

#[test]
fn files_are_read_and_written() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let lua = state();
    let ok: bool = run_with(
        &lua,
        r##"
        local yaml, dir = mpms.yaml, ...
        yaml.write(dir .. "/sub/a.yaml", { x = { 1 } }, { mkdir = true })
        assert(mpms.fs.read(dir .. "/sub/a.yaml") == "x:\n  - 1\n" and yaml.read(dir .. "/sub/a.yaml").x[1] == 1)
        mpms.fs.write(dir .. "/b.yaml", "a: [")
        local _, e = try(yaml.read, dir .. "/b.yaml")
        assert(e.code == "parse" and e.path == dir .. "/b.yaml" and e.op == "yaml.read")
        _, e = try(yaml.read, dir .. "/none") assert(e.code == "not_found")
        _, e = try(yaml.read, dir .. "/b.yaml", { max_size = 2 }) assert(e.code == "too_large")
        _, e = try(yaml.write, dir .. "/none/a.yaml", 1) assert(e.code == "not_found")
        return true
        "##,
        folder.path().to_string_lossy().into_owned(),
    );
    assert!(ok);
}
