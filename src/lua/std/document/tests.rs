//! Laws that all formats keep, and what Python says to the same texts.

use std::collections::BTreeMap;
use std::process::Command;

use mlua::{Function, Lua, Value};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::lua::std::testing::{run, run_with, state};
use crate::lua::tape::{self, Tape};

#[derive(Debug, Clone)]
enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Vec<u8>),
    Array(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
}

impl Tree {
    fn put(&self, tape: &mut Tape) {
        match self {
            Self::Null => tape.null(),
            Self::Bool(flag) => tape.bool(*flag),
            Self::Int(number) => tape.int(*number),
            Self::Float(number) => tape.float(*number),
            Self::Text(text) => tape.text(text),
            Self::Array(items) => {
                let open = tape.open_array();
                items.iter().for_each(|item| item.put(tape));
                tape.close(open, items.len()).expect("small");
            }
            Self::Map(entries) => {
                let open = tape.open_map();
                for (key, item) in entries {
                    tape.text(key.as_bytes());
                    item.put(tape);
                }
                tape.close(open, entries.len()).expect("small");
            }
        }
    }

    fn push(&self, lua: &Lua) -> Value {
        let mut tape = Tape::default();
        self.put(&mut tape);
        tape::push(lua, &tape, &Value::NULL).expect("memory")
    }
}

/// Texts that formats stumble over, and others.
fn text() -> impl Strategy<Value = String> {
    let words = [
        "",
        "no",
        "null",
        "~",
        "1",
        "1.5",
        "2026-11-22",
        "- a",
        "a: b",
        "#",
        "'",
        "\"",
        "\\",
        " a ",
        "a\nb\n",
        "a\n\n",
        "\n a",
        "\t",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\0",
        "é😀",
        "|",
        "*a",
        "<<",
        "=",
        "%",
        "---",
        "[",
        "{a",
    ];
    prop_oneof![
        proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        any::<String>(),
        "[a-z ]{0,70}",
        "[ab\n \t]{0,12}"
    ]
}

fn tree(null: bool, bytes: bool) -> impl Strategy<Value = Tree> {
    let bytes = if bytes {
        proptest::collection::vec(any::<u8>(), 0..9).boxed()
    } else {
        text().prop_map(String::into_bytes).boxed()
    };
    let leaf = prop_oneof![
        if null { Just(Tree::Null) } else { Just(Tree::Bool(false)) },
        any::<bool>().prop_map(Tree::Bool),
        any::<i64>().prop_map(Tree::Int),
        (-200i64..200).prop_map(Tree::Int),
        any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()).prop_map(Tree::Float),
        text().prop_map(|text| Tree::Text(text.into_bytes())),
        bytes.prop_map(Tree::Text),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Tree::Array),
            proptest::collection::btree_map(text(), inner, 0..6).prop_map(Tree::Map),
        ]
    })
}

/// Same types and values, down to the bits of floats.
const SAME: &str = r#"
    local function same(a, b)
      if type(a) ~= "table" then
        return math.type(a) == math.type(b) and (a == b and (a ~= 0 or 1 / a == 1 / b) or a ~= a and b ~= b)
      end
      if type(b) ~= "table" or getmetatable(a) ~= getmetatable(b) then return false end
      for key, value in pairs(a) do if not same(value, b[key]) then return false end end
      for key in pairs(b) do if a[key] == nil then return false end end
      return true
    end
"#;

fn law(strategy: impl Strategy<Value = Tree>, code: &str) {
    let lua = state();
    let check: Function = run(&lua, &format!("{SAME} return function(value) {code} end"));
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |tree| {
        let told: Option<String> =
            check.call(tree.push(&lua)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        match told {
            Some(text) => Err(TestCaseError::fail(text)),
            None => Ok(()),
        }
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn every_value_comes_back_from_json() {
    law(
        tree(true, false),
        "for _, options in ipairs { {}, { pretty = true }, { sort_keys = false } } do
           local text = mpms.json.encode(value, options)
           if not same(value, mpms.json.decode(text)) then return text end
         end",
    );
}

#[test]
fn every_value_comes_back_from_yaml() {
    law(
        tree(true, true),
        "local text = mpms.yaml.encode(value)
         if not same(value, mpms.yaml.decode(text)) then return text end
         text = mpms.yaml.encode { a = { value, value }, b = value }
         local back = mpms.yaml.decode(text)
         if not (same(value, back.b) and same(value, back.a[2])) then return text end",
    );
}

#[test]
fn every_value_comes_back_from_toml() {
    law(
        proptest::collection::btree_map(text(), tree(false, false), 0..6).prop_map(Tree::Map),
        "local text = mpms.toml.encode(value)
         if not same(value, mpms.toml.decode(text)) then return text end",
    );
}

#[test]
fn every_row_comes_back_from_csv() {
    let cell = prop_oneof![text().prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..6)]
        .boxed();
    let rows = (1usize..5).prop_flat_map(move |columns| {
        let row = proptest::collection::vec(cell.clone().prop_map(Tree::Text), columns).prop_map(Tree::Array);
        proptest::collection::vec(row, 1..6).prop_map(Tree::Array)
    });
    law(
        rows,
        r#"for _, style in ipairs { {}, { crlf = true }, { quote_all = true }, { sep = ";" } } do
             local text = mpms.csv.encode(value, style)
             -- a mark at the very beginning would be one
             if text:sub(1, 3) == "\xef\xbb\xbf" or text:find "^\xff\xfe" or text:find "^\xfe\xff" then return end
             local back = mpms.csv.decode(text, { header = false, sep = style.sep })
             if not same(value, back) then return text end
           end"#,
    );
}

#[test]
fn every_text_comes_back_from_xml() {
    let letters = text().prop_map(|text| {
        let text: String = text.chars().filter(|c| *c >= ' ' || matches!(c, '\t' | '\n' | '\r')).collect();
        Tree::Text(text.replace(['\u{fffe}', '\u{ffff}'], "").into_bytes())
    });
    law(
        proptest::collection::vec(letters, 1..5).prop_map(Tree::Array),
        "local doc = { tag = 'a', attr = {}, children = {} }
         for i, text in ipairs(value) do
           doc.attr['k' .. i] = text
           doc.children[#doc.children + 1] = { tag = 'n:b', attr = { x = text }, children = text ~= '' and { text } or mpms.json.array() }
         end
         local text = mpms.xml.encode(doc)
         if not same(doc, mpms.xml.decode(text)) then return text end",
    );
}

/// What Python reads is what was written, and the other way round.
#[test]
fn python_reads_and_writes_the_same() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let place = folder.path().to_string_lossy().into_owned();
    let lua = state();
    let made: String = run_with(
        &lua,
        r##"
        local dir = ...
        local words = { "", "no", "null", "1.5", 'a "b"', "a,b", "a\nb", "a\r\nb", " x ", "é😀", "\\", "'", "<&>", "]]>", "\t", "a:b", "#" }
        math.randomseed(7)
        local random = math.random
        local function value(depth, null)
          local kind = random(depth > 3 and 5 or 7)
          if kind == 1 then return null and mpms.null or true end
          if kind == 2 then return random(2) == 1 end
          if kind == 3 then return random(0) end
          if kind == 4 then return (random() - 0.5) * 10 ^ random(-300, 300) end
          if kind == 5 then return words[random(#words)] end
          local list = mpms.json.array {}
          if kind == 6 then for i = 1, random(0, 4) do list[i] = value(depth + 1, null) end return list end
          local map = { k = 1 }
          for _ = 1, random(4) do map[words[random(#words)]] = value(depth + 1, null) end
          return map
        end
        local values, tables, rows = mpms.json.array {}, {}, {}
        for i = 1, 300 do values[i] = value(0, true) end
        for i = 1, 60 do tables["t" .. i] = value(0, false) end
        for i = 1, 300 do rows[i] = { words[random(#words)], words[random(#words)], words[random(#words)] } end
        local doc = { tag = "doc", attr = {}, children = {} }
        for i, word in ipairs(words) do
          -- Python writes a carriage return as it is, and every reader makes a line feed of it
          words[i] = word:gsub("\r", "")
        end
        for i = 1, 100 do
          doc.children[i] = { tag = "e", attr = { a = words[random(#words)], b = words[random(#words)] }, children = { "x" .. words[random(#words)] } }
        end
        mpms.json.write(dir .. "/ours.json", values)
        mpms.json.write(dir .. "/tables.json", tables)
        mpms.toml.write(dir .. "/ours.toml", tables)
        mpms.fs.write(dir .. "/ours.csv", mpms.csv.encode(rows))
        mpms.json.write(dir .. "/rows.json", rows)
        mpms.fs.write(dir .. "/ours.xml", mpms.xml.encode(doc, { declaration = true }))
        mpms.json.write(dir .. "/doc.json", doc)
        return "made"
        "##,
        place.clone(),
    );
    assert_eq!(made, "made");
    let script = r#"
import csv, json, sys, tomllib, xml.etree.ElementTree as tree
d = sys.argv[1] + "/"
def load(name):
    with open(d + name, encoding="utf-8") as f: return json.load(f)
def same(a, b):
    if type(a) is not type(b): return False
    if isinstance(a, dict): return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list): return len(a) == len(b) and all(map(same, a, b))
    return a == b
values = load("ours.json")
for name, options in (("plain", {}), ("pretty", {"indent": 2}), ("unicode", {"ensure_ascii": False})):
    with open(d + name + ".json", "w", encoding="utf-8") as f: json.dump(values, f, **options)
with open(d + "ours.toml", "rb") as f: assert same(tomllib.load(f), load("tables.json")), "toml"
with open(d + "ours.csv", encoding="utf-8", newline="") as f: assert list(csv.reader(f)) == load("rows.json"), "csv"
for name, options in (("minimal", {}), ("all", {"quoting": csv.QUOTE_ALL}), ("unix", {"dialect": "unix"})):
    with open(d + name + ".csv", "w", encoding="utf-8", newline="") as f: csv.writer(f, **options).writerows(load("rows.json"))
root = tree.parse(d + "ours.xml").getroot()
def plain(e):
    return {"tag": e.tag, "attr": dict(e.attrib), "children": ([e.text] if e.text else []) + [plain(c) for c in e]}
assert plain(root) == load("doc.json"), "xml"
tree.ElementTree(root).write(d + "theirs.xml", encoding="iso-8859-1", xml_declaration=True)
print("agreed")
"#;
    let python =
        Command::new("python3").arg("-c").arg(script).arg(&place).output().expect("python3 is installed");
    let said =
        String::from_utf8_lossy(&python.stdout).into_owned() + &String::from_utf8_lossy(&python.stderr);
    assert_eq!(said.trim(), "agreed");
    let agreed: bool = run_with(
        &lua,
        &format!(
            r#"{SAME}
            local dir = ...
            local json, csv = mpms.json, mpms.csv
            local values, rows = json.read(dir .. "/ours.json"), json.read(dir .. "/rows.json")
            for _, name in ipairs {{ "plain", "pretty", "unicode" }} do
              assert(same(values, json.read(dir .. "/" .. name .. ".json")), name)
              assert(same(values, mpms.yaml.read(dir .. "/" .. name .. ".json")), name .. " as YAML")
            end
            for _, name in ipairs {{ "minimal", "all", "unix" }} do
              assert(same(rows, csv.decode(mpms.fs.read(dir .. "/" .. name .. ".csv"), {{ header = false }})), name)
            end
            assert(same(json.read(dir .. "/doc.json"), mpms.xml.decode(mpms.fs.read(dir .. "/theirs.xml"))), "xml")
            return true"#
        ),
        place,
    );
    assert!(agreed);
}
