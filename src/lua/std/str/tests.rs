use std::process::Command;

use crate::lua::std::testing::{fails, run, run_with, shown, state};

fn check(cases: &[(&str, &str)]) {
    let lua = state();
    run::<()>(
        &lua,
        "str = mpms.str function all(iter) local t = {} for m in iter do t[#t + 1] = m end return t end",
    );
    for (code, wanted) in cases {
        assert_eq!(shown(&lua, code), *wanted, "{code}");
    }
}

#[test]
fn pieces() {
    check(&[
        ("str.split('a,b,,c', ',')", r#"{ "a", "b", "", "c" }"#),
        ("str.split('', ',')", r#"{ "" }"#),
        ("str.split('a.b', '.')", r#"{ "a", "b" }"#),
        ("str.split('a--b--c', '--', { n = 2 })", r#"{ "a", "b--c" }"#),
        ("str.split('a--b', '--', { n = 1 })", r#"{ "a--b" }"#),
        ("str.split('a1b22c', '\\\\d+', { plain = false })", r#"{ "a", "b", "c" }"#),
        ("str.split('a1b22c', '\\\\d+', { plain = false, n = 2 })", r#"{ "a", "b22c" }"#),
        ("str.split('  a \\t b\\nc ')", r#"{ "a", "b", "c" }"#),
        ("str.split('  a \\t b\\nc ', nil, { n = 2 })", r#"{ "a", "b\nc" }"#),
        ("str.split('   ')", "{}"),
        ("str.split('\\0a\\0', '\\0')", r#"{ "", "a", "" }"#),
        ("all(str.lines('a\\nb\\r\\n\\nc'))", r#"{ "a", "b", "", "c" }"#),
        ("all(str.lines('a\\n'))", r#"{ "a" }"#),
        ("all(str.lines('a\\rb\\r'))", r#"{ "a\rb\r" }"#),
        ("all(str.lines(''))", "{}"),
    ]);
}

#[test]
fn ends() {
    check(&[
        ("str.trim('  a b\\n')", r#""a b""#),
        ("str.trim('\\u{A0}\\u{3000}é\\u{2009}')", "\"é\""),
        ("str.ltrim('  a '), str.rtrim('  a ')", r#""a ", "  a""#),
        ("str.trim('')", r#""""#),
        ("str.trim('   ')", r#""""#),
        ("str.trim('xxaxx', 'x'), str.trim('«é»', '«»')", "\"a\", \"é\""),
        ("#str.trim('\\xFF \\xFE'), #str.trim(' \\xFF '), #str.trim('\\xA0a')", "3, 1, 2"),
        ("str.starts('abc', 'ab'), str.starts('abc', ''), str.starts('abc', 'b')", "true, true, false"),
        ("str.ends('abc', 'bc'), str.ends('abc', ''), str.ends('abc', 'b')", "true, true, false"),
        ("str.contains('a.c', '.'), str.contains('abc', ''), str.contains('abc', 'ca')", "true, true, false"),
        ("str.contains('a\\0b', '\\0')", "true"),
    ]);
}

#[test]
fn columns() {
    check(&[
        (
            "str.width('abc'), str.width('žluť'), str.width('日本'), str.width(''), str.width('e\\u{301}')",
            "3, 4, 4, 0, 1",
        ),
        ("str.width('a\\xFFb')", "3"),
        ("str.pad('a', 3), str.pad('a', 3, 'left'), str.pad('a', 4, 'both')", r#""a  ", "  a", " a  ""#),
        ("str.pad('日本', 5, 'left'), str.pad('abcd', 3)", "\" 日本\", \"abcd\""),
        (
            "str.pad('7', 3, 'left', { fill = '0' }), str.pad('x', 3, 'right', { fill = '·' })",
            "\"007\", \"x··\"",
        ),
        ("str.wrap('the quick brown fox', 10)", r#""the quick\nbrown fox""#),
        ("str.wrap('a  b\\n\\nc   d', 80)", r#""a b\n\nc d""#),
        ("str.wrap('a incomprehensibilities b', 5)", r#""a\nincomprehensibilities\nb""#),
        ("str.wrap('aa bb cc', 6, { indent = '- ', hanging = '  ' })", r#""- aa\n  bb\n  cc""#),
        ("str.wrap('aa bb cc', 7, { indent = '> ' })", r#""> aa bb\n> cc""#),
        ("str.wrap('日本 日本', 8)", "\"日本\\n日本\""),
        ("str.wrap('', 8)", r#""""#),
        ("str.dedent('  a\\n    b\\n  c')", r#""a\n  b\nc""#),
        ("str.dedent('\\ta\\n  b')", r#""\ta\n  b""#),
        ("str.dedent('  a\\n \\n  b\\n')", r#""a\n\nb\n""#),
        ("str.dedent('  a\\r\\n\\r\\n  b')", r#""a\r\n\r\nb""#),
        ("str.dedent('')", r#""""#),
    ]);
}

#[test]
fn letters() {
    check(&[
        (
            "str.title('hello wORLD'), str.title(\"o'neil žluťoučký\"), str.title('ǆ ß')",
            "\"Hello World\", \"O'neil Žluťoučký\", \"Ǆ SS\"",
        ),
        ("str.title('a\\xFFb') == 'A\\xFFb'", "true"),
        (
            "str.slug('Žluťoučký kůň!'), str.slug('  Hello,   World -- 2 '), str.slug('')",
            r#""zlutoucky-kun", "hello-world-2", """#,
        ),
        (
            "str.slug('Straße & Ærø Łódź'), str.slug(\"it's one’s\"), str.slug('Привет мир')",
            "\"strasse-aero-lodz\", \"its-ones\", \"привет-мир\"",
        ),
        (
            "str.slug('한국어 テスト'), str.slug('ﬁle №5'), str.slug('a\\xFFb/../c')",
            "\"한국어-テスト\", \"file-no5\", \"a-b-c\"",
        ),
        ("str.slug('हिन्दी')", "\"हिन्दी\""),
        (
            "str.nfc('e\\u{301}') == 'é', str.nfc('é') == 'é', str.nfc('\\xFFe\\u{301}') == '\\xFFé', str.nfc('\\u{1100}\\u{1161}') == '가'",
            "true, true, true, true",
        ),
        (
            "str.distance('kitten', 'sitting'), str.distance('', 'abc'), str.distance('žx', 'zx'), str.distance('a', 'a')",
            "3, 3, 1, 0",
        ),
    ]);
    let lua = state();
    let e = fails(&lua, "local s = ('x'):rep(1 << 20) mpms.str.distance(s, s)");
    assert_eq!(e.code, "too_large");
}

#[test]
fn templates() {
    check(&[
        (
            "str.template('Hi ${name}, ${n} of ${ok}', { name = 'Jo', n = 3, ok = true })",
            r#""Hi Jo, 3 of true""#,
        ),
        ("str.template('$$5 $x $', {}), str.template('$${a}', {})", r#""$5 $x $", "${a}""#),
        (
            "str.template('${a.b} ${list.2} ${1}', { a = { b = 1 }, list = { 'x', 'y' }, 'first' })",
            r#""1 y first""#,
        ),
        ("str.template('${a.b}', { ['a.b'] = 'whole' })", r#""whole""#),
        ("str.template('${x}', setmetatable({}, { __index = function(_, k) return k .. k end }))", r#""xx""#),
        (
            "str.template('${x}', { x = setmetatable({}, { __tostring = function() return 'shown' end }) })",
            r#""shown""#,
        ),
        ("#str.template('${x}', { x = '\\xFF\\0' })", "2"),
    ]);
    let lua = state();
    for (code, kind, message) in [
        ("('a ${nmae}', { name = 1 })", "invalid", "there is no value for `nmae`"),
        ("('${a.b.c}', { a = { b = 1 } })", "invalid", "there is no value for `a.b.c`"),
        ("('${a}', { a = {} })", "invalid", "the value for `a` must be a string or a number, got table"),
        (
            "('${a}', { a = mpms.null })",
            "invalid",
            "the value for `a` must be a string or a number, got null",
        ),
        ("('ab ${a', { a = 1 })", "parse", "`${` at byte 4 has no `}`; `$$` is a dollar"),
        ("('${a}')", "invalid", "argument 2 (values) must be a table, got nil"),
    ] {
        let e = fails(&lua, &format!("mpms.str.template{code}"));
        assert_eq!(
            (e.code.as_str(), e.message.as_str()),
            (kind, format!("str.template: {message}").as_str()),
            "{code}"
        );
    }
}

#[test]
fn encodings() {
    check(&[
        (
            "str.decode('\\xC4\\xE3\\xBA\\xC3', 'gbk'), str.decode('\\xE9', 'latin1'), str.decode('\\xEF\\xBB\\xBFa', 'utf-8')",
            "\"你好\", \"é\", \"a\"",
        ),
        (
            "str.decode('a\\0b\\0', 'utf-16le'), str.decode('\\0a', 'utf-16be'), str.decode('', 'gbk')",
            r#""ab", "a", """#,
        ),
        (
            "str.decode('a\\xFFb', 'utf-8', { replace = true }), str.decode('\\xEF\\xBB\\xBFa', 'utf-8', { replace = true })",
            "\"a\u{FFFD}b\", \"a\"",
        ),
        (
            "mpms.codec.hex.encode(str.encode('你好', 'gbk')), mpms.codec.hex.encode(str.encode('é😀', 'utf-16le'))",
            r#""c4e3bac3", "e9003dd800de""#,
        ),
        (
            "mpms.codec.hex.encode(str.encode('é', 'utf-16be')), str.encode('a日', 'latin1', { replace = true })",
            r#""00e9", "a?""#,
        ),
    ]);
    let lua = state();
    for (code, kind, message) in [
        (
            "decode('ab\\xFF', 'utf-8')",
            "parse",
            "str.decode: the bytes are not UTF-8 from byte 3 on; replace = true puts U+FFFD there",
        ),
        (
            "decode('ab\\xC3', 'utf-8')",
            "parse",
            "str.decode: the bytes are not UTF-8 from byte 3 on; replace = true puts U+FFFD there",
        ),
        (
            "decode('a\\x81\\x20', 'gbk')",
            "parse",
            "str.decode: the bytes are not GBK from byte 2 on; replace = true puts U+FFFD there",
        ),
        (
            "decode('a\\x81\\x30\\x81\\x20', 'gb18030')",
            "parse",
            "str.decode: the bytes are not gb18030 from byte 2 on; replace = true puts U+FFFD there",
        ),
        (
            "decode('ab\\x1BZ', 'iso-2022-jp')",
            "parse",
            "str.decode: the bytes are not ISO-2022-JP from byte 3 on; replace = true puts U+FFFD there",
        ),
        (
            "decode('', 'gkb')",
            "invalid",
            "str.decode: argument 2 (encoding): the encoding `gkb` is not known; did you mean `gbk`?",
        ),
        (
            "encode('', 'klingon')",
            "invalid",
            "str.encode: argument 2 (encoding): the encoding `klingon` is not known",
        ),
        (
            "encode('ab日', 'latin1')",
            "invalid",
            "str.encode: windows-1252 has no `日` (U+65E5, byte 3); replace = true puts a `?` there",
        ),
        ("encode('a\\xFF', 'latin1')", "parse", "str.encode: argument 1 (text) is not UTF-8 from byte 2 on"),
    ] {
        let e = fails(&lua, &format!("mpms.str.{code}"));
        assert_eq!((e.code.as_str(), e.message.as_str()), (kind, message), "{code}");
    }
    let long: bool = run(
        &lua,
        "local s = ('日本語😀é'):rep(5000) \
         for _, name in ipairs { 'gb18030', 'utf-16le', 'utf-16be', 'utf-8' } do assert(mpms.str.decode(mpms.str.encode(s, name), name) == s) end \
         return #mpms.str.encode(s, 'latin1', { replace = true }) == 25000",
    );
    assert!(long);
}

#[test]
fn bad_calls_are_told() {
    let lua = state();
    for (code, message) in [
        (
            "split('a', '')",
            "str.split: argument 2 (separator) must not be empty; utf8.codes walks characters",
        ),
        ("split('a', ',', { n = 0 })", "str.split: option `n` must be 1 or more"),
        ("split('a', ',', { plian = false })", "str.split: unknown option `plian`; did you mean `plain`?"),
        ("split()", "str.split: argument 1 (text) must be a string, got nil"),
        ("trim({})", "str.trim: argument 1 (text) must be a string, got table"),
        ("trim('a', '\\xFF')", "str.trim: argument 2 (characters) must be UTF-8"),
        ("starts('a')", "str.starts: argument 2 (prefix) must be a string, got nil"),
        (
            "pad('a', 5, 'lfet')",
            "str.pad: argument 3 (side) must be `left`, `right` or `both`, got `lfet`; did you mean `left`?",
        ),
        (
            "pad('a', 5, 'left', { fill = 'ab' })",
            "str.pad: option `fill` must be one character of one column, got `ab`",
        ),
        ("wrap('a', 0)", "str.wrap: argument 2 (width) must be 1 or more"),
        ("wrap('a')", "str.wrap: argument 2 (width) must be an integer, got nil"),
    ] {
        let e = fails(&lua, &format!("mpms.str.{code}"));
        assert_eq!((e.code.as_str(), e.message.as_str()), ("invalid", message), "{code}");
    }
    assert_eq!(fails(&lua, "mpms.str.pad('a', math.maxinteger)").code, "memory");
    crate::lua::outside::limit(&lua, lua.used_memory() + (8 << 20));
    assert_eq!(fails(&lua, "mpms.str.pad('a', 100 << 20)").code, "memory");
    assert_eq!(
        fails(&lua, "mpms.str.template(('${x}'):rep(1000), { x = ('x'):rep(1 << 20) })").code,
        "memory"
    );
    assert_eq!(
        fails(&lua, "mpms.str.wrap(('a '):rep(1 << 16), 1, { indent = (' '):rep(1 << 12) })").code,
        "memory"
    );
}

/// Python's `textwrap` and `unicodedata` do the same.
#[test]
fn python_agrees() {
    let lua = state();
    let script = r"
import textwrap, unicodedata
texts = ['the quick brown fox jumps over the lazy dog', 'a bb ccc dddd eeeee ffffff ggggggg', 'x ' * 30 + 'y']
for t in texts:
    for w in (1, 5, 10, 17, 40):
        print(ascii(textwrap.fill(t.strip(), w, break_long_words=False, break_on_hyphens=False)))
for t in ['  a\n   b\n  c\n', '\n  x\n\n    y\n', ' a\nb', '\t a\n\t  b\n\t\n', 'a\n  b']:
    print(ascii(textwrap.dedent(t)))
for t in ['e\u0301', 'A\u030a\u0323', '\u1100\u1161\u11a8', '\ufb01', 'q\u0307\u0323']:
    print(ascii(unicodedata.normalize('NFC', t)))
";
    let out = Command::new("python3").args(["-c", script]).output().expect("python3 runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let own: String = run_with(
        &lua,
        r"
local str, out = mpms.str, {}
local function ascii(s)
  local quoted = s:gsub('\\', '\\\\'):gsub('\n', '\\n'):gsub('\t', '\\t')
  quoted = quoted:gsub(utf8.charpattern, function(c)
    local code = utf8.codepoint(c)
    if code < 128 then return c end
    return code < 256 and ('\\x%02x'):format(code) or ('\\u%04x'):format(code)
  end)
  out[#out + 1] = quoted
end
for _, t in ipairs { 'the quick brown fox jumps over the lazy dog', 'a bb ccc dddd eeeee ffffff ggggggg', ('x '):rep(30) .. 'y' } do
  for _, w in ipairs { 1, 5, 10, 17, 40 } do ascii(str.wrap(t, w)) end
end
for _, t in ipairs { '  a\n   b\n  c\n', '\n  x\n\n    y\n', ' a\nb', '\t a\n\t  b\n\t\n', 'a\n  b' } do ascii(str.dedent(t)) end
for _, t in ipairs { 'e\u{301}', 'A\u{30a}\u{323}', '\u{1100}\u{1161}\u{11a8}', '\u{fb01}', 'q\u{307}\u{323}' } do ascii(str.nfc(t)) end
return table.concat(out, '\n')",
        (),
    );
    let python = String::from_utf8(out.stdout).expect("text");
    let python: Vec<&str> = python.lines().map(|line| line.trim_matches('\'')).collect();
    assert_eq!(own.lines().collect::<Vec<_>>(), python);
    assert_eq!(python.len(), 25);
}
