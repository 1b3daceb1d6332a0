use mlua::Value;

use super::{Item, Shape, Tape, push, take};
use crate::lua::std::testing::{run, state};

/// The same values, in the same order.
fn same(a: &Tape, b: &Tape) -> bool {
    fn walk(a: &mut super::Reader<'_>, b: &mut super::Reader<'_>) -> bool {
        match (a.next(), b.next()) {
            (Item::Float(x), Item::Float(y)) => x.to_bits() == y.to_bits(),
            (Item::Array(x), Item::Array(y)) => x == y && (0..x).all(|_| walk(a, b)),
            (Item::Map(x), Item::Map(y)) => {
                let equal = x.count == y.count
                    && (0..x.count).all(|index| {
                        a.entry(x, index);
                        b.entry(y, index);
                        walk(a, b) && walk(a, b)
                    });
                a.leave(x);
                b.leave(y);
                equal
            }
            (x, y) => format!("{x:?}") == format!("{y:?}"),
        }
    }
    walk(&mut a.reader(), &mut b.reader())
}

#[test]
fn values_go_to_lua_and_come_back() {
    let lua = state();
    let mut tape = Tape::default();
    let map = tape.open_map();
    let long = vec![b'x'; 1000];
    for (count, key) in [&b"a"[..], b"b", b"c", b"long", &long].into_iter().enumerate() {
        tape.text(key);
        let array = tape.open_array();
        tape.null();
        tape.bool(true);
        for number in [0, 127, 128, -1, i64::MIN, i64::MAX] {
            tape.int(number);
        }
        tape.float(-0.0);
        tape.text(&long[..count]);
        tape.text(&long);
        let inner = tape.open_map();
        tape.close(inner, 0).expect("small");
        tape.close(array, 12).expect("small");
    }
    tape.close(map, 5).expect("small");
    let value = push(&lua, &tape, &Value::NULL).expect("memory");
    let shape = Shape { format: "a test", sorted: true };
    let back = take(&lua, &value, shape).expect("it was one");
    assert!(same(&tape, &back));
    let mut reader = back.reader();
    reader.skip();
    assert_eq!(reader.place(), back.len());
}

#[test]
fn keys_come_in_their_order() {
    let lua = state();
    let value: Value = run(
        &lua,
        "local t = { [3] = 1, [-1] = 1, [1.5] = 1, [true] = 1, [false] = 1, ab = 1, a = 1, Z = 1, ['\\xff'] = 1 } return t",
    );
    let tape = take(&lua, &value, Shape { format: "a test", sorted: true }).expect("scalars");
    let mut reader = tape.reader();
    let Item::Map(entries) = reader.next() else { panic!("a map") };
    let keys: Vec<String> = (0..entries.count)
        .map(|index| {
            reader.entry(entries, index);
            match reader.next() {
                Item::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(
        keys,
        ["Bool(false)", "Bool(true)", "Int(-1)", "Float(1.5)", "Int(3)", "Z", "a", "ab", "\u{fffd}"]
    );
}

#[test]
fn rows_have_their_names() {
    let lua = state();
    let mut tape = Tape::default();
    let open = tape.open_rows(&[b"a".to_vec(), b"b".to_vec()]);
    for number in 0..4 {
        tape.int(number);
    }
    tape.close(open, 2).expect("small");
    let value = push(&lua, &tape, &Value::Nil).expect("memory");
    lua.globals().set("rows", value).expect("set");
    assert!(run::<bool>(&lua, "return #rows == 2 and rows[1].a == 0 and rows[1].b == 1 and rows[2].b == 3"));
    let mut reader = tape.reader();
    reader.skip();
    assert_eq!(reader.place(), tape.len());
}

#[test]
fn memory_that_is_not_there_is_an_error() {
    let lua = state();
    let mut tape = Tape::default();
    let open = tape.open_array();
    for number in 0..2_000_000 {
        tape.text(format!("{number:010}").as_bytes());
    }
    tape.close(open, 2_000_000).expect("fits");
    lua.set_memory_limit(lua.used_memory() + (8 << 20)).expect("set");
    let error = push(&lua, &tape, &Value::NULL).expect_err("too much");
    assert_eq!(error.code(), "memory");
    assert!(run::<bool>(&lua, "return #tostring(12) == 2"), "the state still works");
}
