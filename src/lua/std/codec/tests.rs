use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::lua::std::testing::{fails, run, run_with, shown, state};

/// RFC 4648, section 10.
#[test]
fn known_answers() {
    let lua = state();
    for (text, base64, base32, hex) in [
        ("", "", "", ""),
        ("f", "Zg==", "MY======", "66"),
        ("fo", "Zm8=", "MZXQ====", "666f"),
        ("foo", "Zm9v", "MZXW6===", "666f6f"),
        ("foobar", "Zm9vYmFy", "MZXW6YTBOI======", "666f6f626172"),
    ] {
        for (name, wanted) in [("base64", base64), ("base32", base32), ("hex", hex)] {
            let (made, back): (String, String) = run_with(
                &lua,
                "local name, s = ... local c = mpms.codec[name] return c.encode(s), c.decode(c.encode(s))",
                (name, text),
            );
            assert_eq!((made.as_str(), back.as_str()), (wanted, text), "{name}");
        }
    }
    assert_eq!(
        shown(
            &lua,
            "mpms.codec.base64url.encode '\\xFB\\xFF', mpms.codec.base64url.encode('\\xFB\\xFF', { pad = true }), \
             mpms.codec.base64.encode('\\xFB\\xFF'), mpms.codec.base64.encode('\\xFB\\xFF', { pad = false }), \
             mpms.codec.hex.decode 'DEadbe' == '\\xDE\\xAD\\xBE', mpms.codec.base32.decode 'mzxw6ytboi======'"
        ),
        "\"-_8\", \"-_8=\", \"+/8=\", \"+/8\", true, \"foobar\""
    );
}

#[test]
fn all_bytes_come_back_in_every_form() {
    let lua = state();
    assert!(run::<bool>(
        &lua,
        "local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end
         local s = table.concat(all)
         for _, name in ipairs { 'base64', 'base64url', 'base32', 'hex' } do
           local c = mpms.codec[name]
           for n = 0, 40 do
             local part = s:sub(200 - n, 200 + n)
             assert(c.decode(c.encode(part)) == part)
             if name ~= 'hex' then
               for _, pad in ipairs { true, false } do
                 assert(c.decode(c.encode(part, { pad = pad }), { pad = pad }) == part)
               end
             end
             local spaced = c.encode(part):gsub('..', '%0\\r\\n\\t ')
             assert(c.decode(spaced, { whitespace = true }) == part)
           end
         end
         return true"
    ));
}

#[test]
fn what_does_not_belong_is_told_with_its_place() {
    let lua = state();
    for (call, message) in [
        (
            "base64.decode 'Zm9v*mFy'",
            "codec.base64.decode: `*` is not a character of base64 (at byte 5 of 8)",
        ),
        (
            "base64.decode 'Zm9v\\nYmFy'",
            "codec.base64.decode: `\\n` is not a character of base64; whitespace = true passes over it (at byte 5 of 9)",
        ),
        (
            "base64.decode 'Zg'",
            "codec.base64.decode: base64 ends in the middle of a group; pad = false reads it without padding (at byte 1 of 2)",
        ),
        (
            "base64.decode 'Zh=='",
            "codec.base64.decode: the last character has bits that stand for nothing (at byte 2 of 4)",
        ),
        (
            "base64.decode 'Z==='",
            "codec.base64.decode: the padding `=` is not as the length wants it (at byte 2 of 4)",
        ),
        ("base64.decode 'Zg-_'", "codec.base64.decode: `-` is not a character of base64 (at byte 3 of 4)"),
        (
            "base64url.decode 'Zg=='",
            "codec.base64url.decode: there is padding; pad = true reads base64url with it (at byte 3 of 4)",
        ),
        (
            "base64url.decode 'Z'",
            "codec.base64url.decode: base64url ends in the middle of a byte (at byte 1 of 1)",
        ),
        (
            "base32.decode 'MZXW1==='",
            "codec.base32.decode: `1` is not a character of base32 (at byte 5 of 8)",
        ),
        ("hex.decode 'abc'", "codec.hex.decode: hex ends in the middle of a byte (at byte 3 of 3)"),
        ("hex.decode '0x12'", "codec.hex.decode: `x` is not a character of hex (at byte 2 of 4)"),
    ] {
        let e = fails(&lua, &format!("mpms.codec.{call}"));
        assert_eq!((e.code.as_str(), e.message.as_str()), ("parse", message), "{call}");
    }
    assert_eq!(shown(&lua, "mpms.codec.hex.decode('6 1', { whitespace = true })"), "\"a\"");
    for (call, message) in [
        ("base64.encode()", "codec.base64.encode: argument 1 (bytes) must be a string, got nil"),
        ("hex.decode('', { pad = true })", "codec.hex.decode: unknown option `pad`"),
        ("base64.encode('', { whitespace = true })", "codec.base64.encode: unknown option `whitespace`"),
        (
            "base64.encodee('')",
            "mpms.codec.base64: `mpms.codec.base64` has no function `encodee`; did you mean `encode`?",
        ),
        ("bas64.encode('')", "mpms.codec: `mpms.codec` has no function `bas64`; did you mean `base64`?"),
        ("base64.encode = 1", "mpms.codec.base64: `mpms.codec.base64` is read-only: cannot set `encode`"),
    ] {
        let e = fails(&lua, &format!("mpms.codec.{call}"));
        assert_eq!((e.code.as_str(), e.message.as_str()), ("invalid", message), "{call}");
    }
}

#[test]
fn msgpack_takes_the_shortest_form() {
    let lua = state();
    for (value, hex) in [
        ("nil", "c0"),
        ("mpms.null", "c0"),
        ("true", "c3"),
        ("false", "c2"),
        ("0", "00"),
        ("127", "7f"),
        ("128", "cc80"),
        ("256", "cd0100"),
        ("65536", "ce00010000"),
        ("1 << 32", "cf0000000100000000"),
        ("math.maxinteger", "cf7fffffffffffffff"),
        ("-1", "ff"),
        ("-32", "e0"),
        ("-33", "d0df"),
        ("-129", "d1ff7f"),
        ("-32769", "d2ffff7fff"),
        ("math.mininteger", "d38000000000000000"),
        ("1.5", "cb3ff8000000000000"),
        ("1.0", "cb3ff0000000000000"),
        ("''", "a0"),
        ("'é'", "a2c3a9"),
        ("'\\xFF'", "c401ff"),
        ("('x'):rep(32)", &format!("d920{}", "78".repeat(32))),
        ("{}", "80"),
        ("mpms.json.array {}", "90"),
        ("{ 1, 2 }", "920102"),
        ("{ b = 1, a = 2 }", "82a16102a16201"),
        // booleans, numbers by size, texts
        (
            "{ [2] = 'x', [10] = 'y', a = true, [1.5] = 0, [true] = 1 }",
            "85c301cb3ff80000000000000002a1780aa179a161c3",
        ),
    ] {
        let found: String =
            run(&lua, &format!("return mpms.codec.hex.encode(mpms.codec.msgpack.encode({value}))"));
        assert_eq!(found, hex, "{value}");
    }
}

#[test]
fn msgpack_comes_back() {
    let lua = state();
    assert!(run::<bool>(
        &lua,
        "local m = mpms.codec.msgpack
         local long = {} for i = 1, 70000 do long[i] = i end
         local map = {} for i = 1, 70000 do map['k' .. i] = i end
         for _, value in ipairs { 0, -1, math.maxinteger, math.mininteger, 0.1, -0.0, math.huge, '', 'x', '\\xFF\\0', ('y'):rep(70000),
             true, false, {}, { 1, { 2, { 3 } } }, { a = { b = { c = 'd' } } }, { [-5] = 1, [2.5] = 2, [false] = 3 }, long, map } do
           local back = m.decode(m.encode(value))
           assert(mpms.tbl.equal(back, value), mpms.tbl.inspect(value, { depth = 1 }))
           assert(math.type(back) == math.type(value))
         end
         assert(m.decode(m.encode { 1, mpms.null, 3 })[2] == mpms.null)
         assert(m.encode(m.decode(m.encode(mpms.json.array {}))) == '\\x90')
         local nan = m.decode(m.encode(0/0)) assert(nan ~= nan)
         assert(m.decode '\\xCF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF' == 2.0^64)
         assert(m.decode '\\xCA\\x3F\\xC0\\0\\0' == 1.5)
         return true"
    ));
}

#[test]
fn bad_msgpack_is_told_with_its_place() {
    let lua = state();
    for (bytes, why) in [
        ("''", "the bytes end early: 1 more are announced, 0 are there (at byte 1 of 0)"),
        ("'\\xA5abc'", "the bytes end early: 5 more are announced, 3 are there (at byte 2 of 4)"),
        (
            "'\\xDB\\xFF\\xFF\\xFF\\xFFx'",
            "the bytes end early: 4294967295 more are announced, 1 are there (at byte 6 of 6)",
        ),
        (
            "'\\xDD\\xFF\\xFF\\xFF\\xFF\\x01'",
            "the bytes end early: 4294967295 items are announced (at byte 6 of 6)",
        ),
        (
            "'\\xDF\\x00\\x00\\x00\\x02\\x01\\x01'",
            "the bytes end early: 2 items are announced (at byte 6 of 7)",
        ),
        ("'\\xC1'", "the byte 0xc1 begins nothing (at byte 1 of 1)"),
        ("'\\x92\\x01\\xD4\\x05\\x00'", "extension types are not supported (at byte 3 of 5)"),
        ("'\\x01\\x02'", "there are bytes after the value (at byte 2 of 2)"),
        ("'\\x81\\xC0\\x01'", "a Lua table cannot have this key (nil) (at byte 2 of 3)"),
        ("'\\x81\\x90\\x01'", "a Lua table cannot have this key (an array or a map) (at byte 2 of 3)"),
        (
            "'\\x81\\xCB\\x7F\\xF8\\0\\0\\0\\0\\0\\0\\x01'",
            "a Lua table cannot have this key (nan) (at byte 2 of 11)",
        ),
        ("('\\x91'):rep(100000)", "nested more than 200 deep (at byte 202 of 100000)"),
    ] {
        let e = fails(&lua, &format!("mpms.codec.msgpack.decode({bytes})"));
        assert_eq!(
            (e.code.as_str(), e.message.as_str()),
            ("parse", format!("codec.msgpack.decode: {why}").as_str()),
            "{bytes}"
        );
    }
    for (value, why) in [
        ("{ a = { print } }", "MessagePack cannot hold a function at $.a[1]"),
        ("{ [{}] = 1 }", "a key must be a string or a number, got a table at $"),
        (
            "mpms.json.array { x = 1 }",
            "an array must have the keys 1 to n and no other, but there is `x` in place of 1 at $",
        ),
        (
            "{ 1, x = 2 }",
            "an array must have the keys 1 to n and no other, but there is `x` in place of 2 at $",
        ),
        ("(function() local t = {} t.t = { t } return t end)()", "the table contains itself at $.t[1]"),
    ] {
        let e = fails(&lua, &format!("mpms.codec.msgpack.encode({value})"));
        assert_eq!(
            (e.code.as_str(), e.message.as_str()),
            ("invalid", format!("codec.msgpack.encode: {why}").as_str()),
            "{value}"
        );
    }
    let e = fails(&lua, "local t = {} for _ = 1, 300 do t = { t } end mpms.codec.msgpack.encode(t)");
    assert!(e.message.contains("nested more than 200 deep"), "{}", e.message);
}

/// Every cut and every changed byte of a good text: an error or a value, and no more.
#[test]
fn damaged_msgpack_never_breaks_anything() {
    let lua = state();
    let count: i64 = run(
        &lua,
        "local m = mpms.codec.msgpack
         local good = m.encode { 1, -5, 1.5, 'text', '\\xFF', { a = { 1, 2, 3 }, b = mpms.null }, 1 << 40, ('z'):rep(300), true }
         local failed = 0
         for at = 1, #good do
           local ok = pcall(m.decode, good:sub(1, at - 1)) assert(not ok) failed = failed + 1
           for _, byte in ipairs { 0, 0x7F, 0x80, 0x90, 0xC1, 0xC6, 0xC9, 0xDB, 0xDD, 0xDF, 0xFF } do
             if not pcall(m.decode, good:sub(1, at - 1) .. string.char(byte) .. good:sub(at + 1)) then failed = failed + 1 end
           end
         end
         return failed",
    );
    assert!(count > 400, "{count}");
}

#[test]
fn python_reads_and_writes_the_same_base_forms() {
    let lua = state();
    let script = "
import base64, sys
for line in sys.stdin:
    b = bytes.fromhex(line.strip())
    print(base64.b64encode(b).decode(), base64.urlsafe_b64encode(b).decode(), base64.b32encode(b).decode())
";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let texts: Vec<Vec<u8>> =
        (0..50usize).map(|n| (0..n).map(|i| (i * 37 + n * 11) as u8).collect()).collect();
    let mut input = python.stdin.take().expect("piped");
    for text in &texts {
        writeln!(input, "{}", data_encoding::HEXLOWER.encode(text)).expect("written");
    }
    drop(input);
    let out = python.wait_with_output().expect("python3 ends");
    let out = String::from_utf8(out.stdout).expect("text");
    assert_eq!(out.lines().count(), texts.len());
    for (line, text) in out.lines().zip(&texts) {
        let own: String = run_with(
            &lua,
            "local s = ... local c, p = mpms.codec, { pad = true } \
             return c.base64.encode(s) .. ' ' .. c.base64url.encode(s, p) .. ' ' .. c.base32.encode(s)",
            lua.create_string(text).expect("a string"),
        );
        assert_eq!(own, line);
    }
}
