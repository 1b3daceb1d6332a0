//! What is fuzzed, once: the fuzzer calls these with bytes of its own, `tests/corpus.rs` with the stored ones.

use std::cell::RefCell;
use std::collections::BTreeMap;

use mlua::{Function, Lua};
use mpms::lua::call::{Bridge, Held};
use mpms::lua::std::{StdEnv, install};
use mpms::model::{Outcome, Value, Verdict};
use mpms::wire::value::{self, MAX_DEPTH};
use mpms::wire::{frame, from_worker, to_worker};

/// A stream that arrives in pieces (of as many bytes as its first byte says), and every message in it.
pub fn frames(bytes: &[u8]) {
    let Some((size, mut stream)) = bytes.split_first() else { return };
    let mut reader = frame::Reader::default();
    while !stream.is_empty() {
        let (piece, later) = stream.split_at(usize::from(*size).clamp(1, stream.len()));
        stream = later;
        reader.room()[..piece.len()].copy_from_slice(piece);
        reader.filled(piece.len());
        loop {
            match reader.next() {
                Ok(Some((kind, body))) => message(kind, body),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

fn message(kind: u8, body: &[u8]) {
    match kind {
        to_worker::SETUP => {
            let _ = to_worker::take_setup(body);
        }
        to_worker::TASKS => {
            let at = &mut 0;
            while let Ok(task) = to_worker::take_task(body, at) {
                let mut again = Vec::new();
                to_worker::put_task(&mut again, &task);
                assert_eq!(to_worker::take_task(&again, &mut 0), Ok(task));
                let _ = value::describe_list(task.args, 80);
            }
        }
        from_worker::OUTCOMES => outcomes(body),
        from_worker::RETURNED => {
            let _ = from_worker::take_handles(body);
        }
        from_worker::LOG => {
            let _ = from_worker::take_line(body);
        }
        from_worker::BROKEN => {
            let _ = from_worker::take_broken(body);
        }
        from_worker::PROGRESS => {
            let _ = from_worker::take_progress(body);
        }
        _ => {}
    }
}

/// What was read is written and read again, to the same outcomes.
fn outcomes(body: &[u8]) {
    let mut outcomes = Vec::new();
    let _ = from_worker::take_outcomes(body, &mut outcomes);
    let mut again = Vec::new();
    for Outcome { handle, elapsed_ns, verdict } in &outcomes {
        match verdict {
            Verdict::Done(done) => {
                let effects = done.effects.as_deref();
                from_worker::put_done(&mut again, handle.bits(), *elapsed_ns, &done.values, effects);
                let _ = value::decode_list(&done.values);
            }
            Verdict::Failed(failure) => {
                from_worker::put_failed(&mut again, handle.bits(), *elapsed_ns, failure);
            }
            Verdict::Skipped(reason) => {
                from_worker::put_skipped(&mut again, handle.bits(), *elapsed_ns, reason);
            }
        }
    }
    let mut second = Vec::new();
    assert_eq!(from_worker::take_outcomes(&again, &mut second), Ok(()));
    assert_eq!(second, outcomes);
}

/// A list of values, read as plain values and through a Lua stack: both refuse it, or both mean the same.
pub fn values(bytes: &[u8]) {
    let plain = value::decode_list(bytes);
    let mut through_lua = Vec::new();
    let called = ECHO.with(|(bridge, echo)| bridge.call(*echo, None, bytes, &mut through_lua));
    match (plain, called) {
        (Ok(values), Ok(())) => {
            let again = value::encode_list(values.iter());
            assert_eq!(meaning(&value::decode_list(&again).expect("our own code")), meaning(&values));
            let echoed = value::decode_list(&through_lua).expect("the stack's own code");
            assert_eq!(meaning(&echoed), meaning(&values));
        }
        // a call takes fewer values than a list may have: 10^6, less what the stack holds besides
        (Ok(values), Err(failure)) => assert!(values.len() > 400_000, "Lua alone refuses: {failure:?}"),
        // the rest behind a list is not looked at on the way to Lua
        (Err(value::Malformed::Rest), Ok(())) => {}
        (Err(error), Ok(())) => panic!("Lua alone takes what is no list: {error}"),
        (Err(_), Err(_)) => {}
    }
}

thread_local! {
    /// A function that returns its arguments, in a state that lives for ever.
    static ECHO: (Bridge, Held) = {
        let lua: &'static Lua = Box::leak(Box::new(Lua::new()));
        let bridge = Bridge::new(lua).expect("memory");
        let function = lua.load("return ...").into_function().expect("it compiles");
        let echo = bridge.hold(function).expect("memory");
        (bridge, echo)
    };
}

/// A text for a decoder of the library: a value, or an error with its code; what is written of the value means the same.
fn decoded(module: &'static str, code: &str, text: &[u8]) {
    let check = LIBRARY.with_borrow_mut(|library| {
        let (lua, checks) = library.get_or_insert_with(|| {
            let lua: &'static Lua = Box::leak(Box::new(Lua::new()));
            install(lua, &StdEnv::quiet("test")).expect("memory");
            (lua, BTreeMap::new())
        });
        let check = checks.entry(module).or_insert_with(|| {
            let code = format!("local module, text = mpms.{module}, ... {code}");
            lua.load(code).set_name(module).into_function().expect("it compiles")
        });
        (check.clone(), lua.create_string(text).expect("memory"))
    });
    if let Err(error) = check.0.call::<()>(check.1) {
        panic!("{error}");
    }
}

thread_local! {
    /// A state with the library that lives for ever, and what is called in it.
    static LIBRARY: RefCell<Option<(&'static Lua, BTreeMap<&'static str, Function>)>> = const { RefCell::new(None) };
}

const AGAIN: &str = r#"
    local function refused(e) assert(e.code == "parse" or e.code == "too_large", tostring(e)) end
    local value, e = try(module.decode, text)
    if e then return refused(e) end
    local written, wrong = try(module.encode, value)
    if wrong then return assert(wrong.code == "invalid", tostring(wrong)) end
    assert(module.encode(module.decode(written)) == written, "another meaning")
"#;

/// JSON.
pub fn json(text: &[u8]) {
    decoded("json", AGAIN, text);
}

/// TOML.
pub fn toml(text: &[u8]) {
    decoded("toml", AGAIN, text);
}

/// YAML, and the same as several documents.
pub fn yaml(text: &[u8]) {
    decoded("yaml", AGAIN, text);
    decoded("yaml.decode_all", "try(module, text)", text);
}

/// XML, as a table and piece by piece: both take it or both refuse it.
pub fn xml(text: &[u8]) {
    decoded("xml", AGAIN, text);
    let both = r#"
        local _, refused = try(mpms.xml.decode, text)
        local _, broken = try(function() for _ in module({ text = text }) do end end)
        assert(not broken or refused, tostring(broken))
        assert(not refused or broken or refused.message:find "nested", tostring(refused))
    "#;
    decoded("xml.events", both, text);
}

/// CSV, with and without a header, and with what may differ.
pub fn csv(text: &[u8]) {
    let code = r#"
        for _, options in ipairs { { header = false }, { flexible = true, types = true, trim = true }, { quote = false, header = false, flexible = true } } do
          local rows, e = try(module.decode, text, options)
          if e then
            assert(e.code == "parse", tostring(e))
          elseif not options.flexible then
            local written = module.encode(rows)
            local again = module.decode("x\n" .. written, { header = false, flexible = true })
            assert(#again == #rows + 1, "another number of rows")
          end
        end
    "#;
    decoded("csv", code, text);
}

/// HTML: any bytes are a page.
pub fn html(text: &[u8]) {
    let code = r#"
        local page, e = try(module.parse, text, { base = "http://localhost/" })
        if e then return assert(e.code == "too_large", tostring(e)) end
        page:text() page:html() page:links() page:meta() page:css("a, p > *, [href]"):getall()
    "#;
    decoded("html", code, text);
}

/// A feed, or a sitemap.
pub fn feed(text: &[u8]) {
    if text.trim_ascii_start().starts_with(b"http") {
        return; // an address would be fetched
    }
    let code = r#"
        local function refused(e) assert(e.code == "parse" or e.code == "too_large", tostring(e)) end
        local _, e = try(module.parse, text)
        if e then refused(e) end
        _, e = try(function() for _ in module.sitemap(text, { follow = false }) do end end)
        if e then refused(e) end
    "#;
    decoded("feed", code, text);
}

/// A value as Lua understands it: equal when Lua would see no difference.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    Nil,
    Null,
    Bool(bool),
    Int(i64),
    /// All bits, so that NaN is equal to itself.
    Float(u64),
    Bytes(Vec<u8>),
    /// Its entries; apart from them, sorted, those whose keys are tables, as no such key is equal to another.
    Table(BTreeMap<Meaning, Meaning>, Vec<(Meaning, Meaning)>),
}

fn meaning(values: &[Value]) -> Vec<Meaning> {
    values.iter().map(|value| of(value, 0)).collect()
}

fn of(value: &Value, depth: usize) -> Meaning {
    assert!(depth <= MAX_DEPTH, "decoded deeper than allowed");
    match value {
        Value::Nil => Meaning::Nil,
        Value::Null => Meaning::Null,
        Value::Bool(flag) => Meaning::Bool(*flag),
        Value::Int(number) => Meaning::Int(*number),
        Value::Float(number) => Meaning::Float(number.to_bits()),
        Value::Bytes(bytes) => Meaning::Bytes(bytes.clone()),
        Value::Array(items) => table((1..).map(Meaning::Int).zip(items), depth),
        Value::Map(pairs) => table(pairs.iter().map(|(key, item)| (key_of(key, depth), item)), depth),
    }
}

/// A later entry replaces an earlier one, and nil is no entry.
fn table<'a>(entries: impl Iterator<Item = (Meaning, &'a Value)>, depth: usize) -> Meaning {
    let (mut table, mut keyed_by_tables) = (BTreeMap::new(), Vec::new());
    for (key, item) in entries {
        match (key, of(item, depth + 1)) {
            (Meaning::Table(..), Meaning::Nil) => {}
            (key @ Meaning::Table(..), item) => keyed_by_tables.push((key, item)),
            (key, Meaning::Nil) => drop(table.remove(&key)),
            (key, item) => drop(table.insert(key, item)),
        }
    }
    keyed_by_tables.sort();
    Meaning::Table(table, keyed_by_tables)
}

/// Lua keeps a float that is a whole number as an integer key.
fn key_of(key: &Value, depth: usize) -> Meaning {
    match key {
        Value::Float(number) => {
            let whole = *number as i64;
            let exact = whole as f64 == *number && *number < 9.3e18 && whole != i64::MAX;
            if exact { Meaning::Int(whole) } else { Meaning::Float(number.to_bits()) }
        }
        other => of(other, depth + 1),
    }
}
