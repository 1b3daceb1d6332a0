use std::rc::Rc;

use super::pattern::{Flags, Pattern};
use crate::lua::std::testing::{fails, run, shown, state};

fn check(cases: &[(&str, &str)]) {
    let lua = state();
    run::<()>(
        &lua,
        "re = mpms.re function all(iter) local t = {} for m in iter do t[#t + 1] = m end return t end",
    );
    for (code, wanted) in cases {
        assert_eq!(shown(&lua, code), *wanted, "{code}");
    }
}

#[test]
fn a_match_has_the_whole_the_groups_and_the_names() {
    check(&[
        ("re.test('abc', 'b+')", "true"),
        ("re.test('abc', 'B')", "false"),
        ("re.test('abc', 'B', 'i')", "true"),
        ("re.match('key = value', '(\\\\w+) *= *(\\\\w+)')", r#"{ "key", "value",[0] = "key = value"}"#),
        (
            "re.match('2024-05', '(?<y>\\\\d+)-(?P<m>\\\\d+)(x)?')",
            r#"{ "2024", "05", false,[0] = "2024-05",m = "05",y = "2024"}"#,
        ),
        ("re.match('abc', 'x')", "nil"),
        ("re.match('abc', '')", r#"{[0] = ""}"#),
        ("re.match('a.b', '.', nil, 2)", r#"{[0] = "."}"#),
        ("re.find('key = value', '(\\\\w+) *= *(\\\\w+)(z)?')", r#"1, 11, "key", "value", false"#),
        ("re.find('abc', 'c')", "3, 3"),
        ("re.find('abc', '')", "1, 0"),
        ("re.find('abc', 'z')", "nil"),
        ("re.find('abcabc', 'b', nil, 3)", "5, 5"),
        ("re.find('abcabc', 'b', nil, -2)", "5, 5"),
        ("re.find('abcabc', 'a', nil, -100)", "1, 1"),
        ("re.find('abc', '$', nil, 4)", "4, 3"),
        ("re.find('abc', '$', nil, 5)", "nil"),
        // what is before `init` still counts
        ("re.find('abc', '^b', nil, 2)", "nil"),
        ("re.find('abc', '\\\\bb', nil, 2)", "nil"),
        ("re.find('a\\nb', '^b', 'm')", "3, 3"),
        ("re.test('a\\nb', 'a.b')", "false"),
        ("re.test('a\\nb', 'a.b', 's')", "true"),
        ("re.test('ab', 'a  b # both', 'x')", "true"),
    ]);
}

#[test]
fn all_matches_one_by_one() {
    check(&[
        ("all(re.gmatch('a1b22', '[a-z](\\\\d+)'))", r#"{ { "1",[0] = "a1"}, { "22",[0] = "b22"} }"#),
        ("all(re.gmatch('', 'x'))", "{}"),
        ("#all(re.gmatch('abc', ''))", "4"),
        ("all(re.gmatch('aXbb', '[a-z]*'))", r#"{ {[0] = "a"}, {[0] = "bb"} }"#),
        // an empty match is between characters
        ("#all(re.gmatch('žluť', ''))", "5"),
        ("re.gsub('é€😀', '', '-')", r#""-é-€-😀-", 4"#),
        ("#all(re.gmatch('\\xC3\\xA9', '(?-u)'))", "2"),
        ("mpms.codec.hex.encode((re.gsub('\\xFF\\xFE', '', '-')))", r#""2dff2dfe2d""#),
    ]);
}

#[test]
fn replacements_are_texts_functions_or_tables() {
    check(&[
        ("re.gsub('hello world', 'o', '0')", r#""hell0 w0rld", 2"#),
        ("re.gsub('a1b2', '([a-z])(\\\\d)', '$2$1')", r#""1a2b", 2"#),
        ("re.gsub('ab', '(?<x>a)(b)', '[${x}|${2}|$0|$$|$1x]')", r#""[a|b|ab|$|ax]", 1"#),
        ("re.gsub('ac', 'a(b)?c', '<$1>')", r#""<>", 1"#),
        ("re.gsub('aaa', 'a', 'b', { n = 2 })", r#""bba", 2"#),
        ("re.gsub('aAa', 'a', 'b', { flags = 'i', n = 2 })", r#""bba", 2"#),
        ("re.gsub('aAa', 'a', 'b', 'i')", r#""bbb", 3"#),
        ("re.sub('aaa', 'a', 'b')", r#""baa", 1"#),
        ("re.sub('AAA', 'a', 'b', 'i')", r#""bAA", 1"#),
        ("re.sub('x', 'a', 'b')", r#""x", 0"#),
        ("re.gsub('abxd', 'x*', '-')", r#""-a-b-d-", 4"#),
        ("re.gsub('a1', '\\\\d', 7)", r#""a7", 1"#),
        ("re.gsub('a b', '\\\\w', function(m) return m[0]:upper() .. #m end)", r#""A0 B0", 2"#),
        ("re.gsub('abc', '\\\\w', function(m) if m[0] == 'b' then return 5 end end)", r#""a5c", 3"#),
        ("re.gsub('abc', 'b', function() return false end)", r#""abc", 1"#),
        ("re.gsub('$a $b', '\\\\$(\\\\w)', { a = 'one' })", r#""one $b", 2"#),
        ("re.gsub('abc', '\\\\w', { b = 2 })", r#""a2c", 3"#),
        ("re.sub('abab', 'b', function() return 'x' end)", r#""axab", 1"#),
        ("re.gsub('abab', 'b', function() return 'x' end, { n = 1 })", r#""axab", 1"#),
        ("re.gsub('ab', '', function() return '-' end)", r#""-a-b-", 3"#),
    ]);
    let lua = state();
    for (code, message) in [
        (
            "mpms.re.gsub('a', 'a', '$1')",
            "re.gsub: the replacement is wrong at byte 1: there is no group 1, the pattern has 0",
        ),
        (
            "mpms.re.gsub('a', 'a', 'x${y}')",
            "re.gsub: the replacement is wrong at byte 2: the pattern has no group with the name `y`",
        ),
        ("mpms.re.gsub('a', 'a', '${y')", "re.gsub: the replacement is wrong at byte 1: `${` has no `}`"),
        (
            "mpms.re.gsub('a', 'a', 'ab$')",
            "re.gsub: the replacement is wrong at byte 3: `$` stands before a number, {name} or another `$`; `$$` is a dollar",
        ),
        (
            "mpms.re.gsub('a', 'a', function() return {} end)",
            "re.gsub: the replacement of match 1 must be a string, nil or false, got table",
        ),
        (
            "mpms.re.new('a'):sub('a', function() return true end)",
            "re.Regex:sub: the replacement of match 1 must be a string, nil or false, got boolean",
        ),
        (
            "mpms.re.gsub('a', 'a')",
            "re.gsub: the replacement must be a string, a function or a table, got nil",
        ),
        ("mpms.re.gsub('a', 'a', 'b', { n = 0 })", "re.gsub: option `n` must be 1 or more"),
        (
            "mpms.re.gsub('a', 'a', 'b', { flag = 'i' })",
            "re.gsub: unknown option `flag`; did you mean `flags`?",
        ),
        ("mpms.re.sub('a', 'a', 'b', { n = 1 })", "re.sub: unknown option `n`"),
        (
            "mpms.re.gsub('a', 'a', print, 5)",
            "re.gsub: the options must be a table or a string of flags, got integer",
        ),
        ("mpms.re.gsub({}, 'a', print)", "re.gsub: argument 1 (subject) must be a string, got table"),
        (
            "mpms.re.new('a'):gsub(nil, print)",
            "re.Regex:gsub: argument 1 (subject) must be a string, got nil",
        ),
    ] {
        let e = fails(&lua, code);
        assert_eq!(
            (e.message.as_str(), e.code.as_str(), e.at.as_deref()),
            (message, "invalid", Some("test:1")),
            "{code}"
        );
    }
}

#[test]
fn a_callback_may_raise_and_may_wait() {
    let lua = state();
    assert!(run::<bool>(
        &lua,
        "local raised = {} \
         local ok, e = pcall(mpms.re.gsub, 'a', 'a', function() error(raised) end) \
         return not ok and e == raised"
    ));
    // both wait at the same time, so neither blocks the thread
    let order: String = run(
        &lua,
        "local order = {} \
         local function one(name, pause) \
           return function() \
             return (mpms.re.gsub('xx', 'x', function() sleep(pause) order[#order + 1] = name return name end)) \
           end \
         end \
         local results = mpms.co.all { one('a', 0.03), one('b', 0.02) } \
         return table.concat(order) .. ' ' .. table.concat(results, ' ')",
    );
    assert!(order.starts_with("ba") && order.ends_with(" aa bb"), "{order}");
    assert_eq!(
        run::<String>(
            &lua,
            "local inner = mpms.re.new('b') \
             return (mpms.re.gsub('abab', '(ab)', function(m) return inner:gsub(m[1], 'c') end))"
        ),
        "acac"
    );
}

#[test]
fn pieces_between_matches() {
    check(&[
        ("re.split('a1b22c', '\\\\d+')", r#"{ "a", "b", "c" }"#),
        ("re.split('a,b,c', ',', { n = 2 })", r#"{ "a", "b,c" }"#),
        ("re.split('aXbxc', 'x', 'i')", r#"{ "a", "b", "c" }"#),
        ("re.split('', ',')", r#"{ "" }"#),
        ("re.split(',', ',')", r#"{ "", "" }"#),
        ("re.split('ab', '')", r#"{ "", "a", "b", "" }"#),
        ("re.new(' +'):split('a  b c', { n = 2 })", r#"{ "a", "b c" }"#),
        ("re.escape('a.b*[c]')", r#""a\\.b\\*\\[c\\]""#),
        ("re.test('x\\xFF.y', re.escape('\\xFF.'))", "true"),
        ("re.test('x\\xFFzy', re.escape('\\xFF.'))", "false"),
    ]);
}

#[test]
fn an_object_has_the_same_functions() {
    check(&[
        ("re.new('A', 'i'):test('xa')", "true"),
        ("re.new('(a)'):match('xa')", r#"{ "a",[0] = "a"}"#),
        ("re.new('(a)'):match('xa', 3)", "nil"),
        ("re.new('(a)'):find('xa')", r#"2, 2, "a""#),
        ("all(re.new('a'):gmatch('aba'))", r#"{ {[0] = "a"}, {[0] = "a"} }"#),
        ("re.new('a'):gsub('aba', 'x', { n = 1 })", r#""xba", 1"#),
        ("re.new('a'):gsub('aba', { a = 'y' })", r#""yby", 2"#),
        ("re.new('a'):sub('aba', 'x')", r#""xba", 1"#),
    ]);
    let lua = state();
    assert_eq!(
        fails(&lua, "mpms.re.new('a'):mtach('x')").message,
        "re.Regex: no field or method `mtach`; did you mean `match`?"
    );
    assert_eq!(fails(&lua, "mpms.re.new('a').test('x')").code, "invalid");
}

#[test]
fn bytes_and_characters() {
    check(&[
        ("re.find('žx', '.')", "1, 2"),
        ("re.find('\\xFFx', '.')", "2, 2"),
        ("re.find('é', '', nil, 2)", "3, 2"),
        ("re.find('\\xFFx', '(?-u:.)')", "1, 1"),
        ("re.find('a\\xFFb', '(?-u:\\\\xFF)')", "2, 2"),
        ("re.test('Ž', 'ž', 'i')", "true"),
        ("re.test('ž', '^\\\\w$')", "true"),
        ("re.test('a\\0b', 'a\\0b')", "true"),
        ("re.find(('x'):rep(10) .. '\\xF0\\x9F', 'x+$')", "nil"),
    ]);
}

#[test]
fn what_looks_around_or_back_works_within_bounds() {
    check(&[
        ("re.find('price 12$', '\\\\d+(?=\\\\$)')", "7, 8"),
        ("re.match('abab', '(ab)\\\\1')", r#"{ "ab",[0] = "abab"}"#),
        ("re.match('xaa', '(?<l>a)\\\\k<l>')", r#"{ "a",[0] = "aa",l = "a"}"#),
        ("re.gsub('aXbX', '(?<=a)x', '-', 'i')", r#""a-bX", 1"#),
        ("#all(re.gmatch('žža', '(?=.)'))", "3"),
        ("re.test('foobar', '(?>fo+)bar')", "true"),
        ("re.gsub('žž', '(?=.)|(?<=.)', '-')", "\"-ž-ž-\", 3"),
    ]);
    let lua = state();
    let e = fails(&lua, "mpms.re.test(('a'):rep(40) .. 'b', '(?=a)(a|a)*(a|aa)+c\\\\1')");
    assert_eq!(e.code, "too_large", "{}", e.message);
    assert!(e.message.contains("gave up after 1000000 steps"), "{}", e.message);
    for call in [
        "test('a\\xFF', '(?=a)')",
        "match('a\\xFF', '(?=a)')",
        "gsub('a\\xFF', '(?=a)', '')",
        "split('a\\xFF', '(?=a)')",
    ] {
        let e = fails(&lua, &format!("mpms.re.{call}"));
        assert_eq!(e.code, "parse", "{call}");
        assert!(
            e.message.contains("need a subject of UTF-8, and this one is not from byte 2 on"),
            "{}",
            e.message
        );
    }
}

#[test]
fn a_bad_pattern_is_told_with_its_place() {
    let lua = state();
    for (pattern, message) in [
        ("ab(c", "re.new: bad pattern at byte 3, near `(c`: unclosed group"),
        ("a**b[", "re.new: bad pattern at byte 5, near `[`: unclosed character class"),
        ("*a", "re.new: bad pattern at byte 1, near `*a`: repetition operator missing expression"),
        (
            "a{2,1}",
            "re.new: bad pattern at byte 2, near `{2,1}`: invalid repetition count range, the start must be <= the end",
        ),
        ("x\\\\p{Klingon}", "re.new: bad pattern at byte 2, near `\\p{Klingon}`: unicode property not found"),
        (
            "(?=a)(b",
            "re.new: bad pattern at byte 8, near the end: opening parenthesis without closing parenthesis",
        ),
        ("(?<n>a)(?<n>b)", "re.new: bad pattern at byte 11, near `n>b)`: duplicate capture group name"),
    ] {
        let e = fails(&lua, &format!("mpms.re.new('{pattern}')"));
        assert_eq!((e.message.as_str(), e.code.as_str()), (message, "parse"), "{pattern}");
    }
    let e = fails(&lua, "mpms.re.test('a', '\\xFF')");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("parse", "re.test: the pattern must be UTF-8; a byte is written as (?-u:\\xFF)")
    );
    let e = fails(&lua, "mpms.re.match('a', 'a', 'ig')");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("invalid", "re.match: there is no flag `g`; the flags are i, x, s, m")
    );
    for pattern in ["\\\\w{1000}{1000}", "(?=a)\\\\w{1000}{1000}", "((a{1000}){1000}){1000}"] {
        let e = fails(&lua, &format!("mpms.re.new('{pattern}')"));
        assert_eq!(e.code, "too_large", "{pattern}: {}", e.message);
    }
    // groups that call ten others each: copies of copies
    let e = fails(
        &lua,
        "local p = '(?<g0>(?=x)x)' \
         for i = 1, 6 do p = p .. '(?<g' .. i .. '>' .. ('\\\\g<g' .. i - 1 .. '>'):rep(10) .. ')' end mpms.re.new(p)",
    );
    assert_eq!(e.code, "too_large", "{}", e.message);
    // nesting is bounded before it is a matter of the stack
    for deep in
        ["('('):rep(100000) .. (')'):rep(100000)", "'(?=a)' .. ('('):rep(100000) .. (')'):rep(100000)"]
    {
        assert_eq!(fails(&lua, &format!("mpms.re.new({deep})")).code, "parse");
    }
}

#[test]
fn the_latest_patterns_are_kept() {
    let lua = state();
    run::<()>(&lua, "for i = 1, 600 do assert(mpms.re.test('a' .. i, 'a' .. i)) end");
    assert_eq!(super::cache::count(&lua), super::cache::MOST);
    run::<()>(&lua, "for i = 600, 89, -1 do assert(mpms.re.test('a' .. i, 'a' .. i)) end");
    assert_eq!(super::cache::count(&lua), super::cache::MOST);
    // flags are a part of the name
    assert!(run::<bool>(
        &lua,
        "return mpms.re.test('A600', 'a600', 'i') and not mpms.re.test('A600', 'a600')"
    ));
}

fn cached(lua: &mlua::Lua, text: &str) -> Rc<Pattern> {
    let text = lua.create_string(text).expect("a string");
    super::cache::pattern(lua, &text, Flags::default()).expect("a pattern")
}

#[test]
fn the_pattern_that_was_not_used_for_longest_gives_way() {
    let lua = state();
    let (first, second) = (cached(&lua, "first"), cached(&lua, "second"));
    for number in 2..super::cache::MOST {
        cached(&lua, &number.to_string());
    }
    assert!(Rc::ptr_eq(&first, &cached(&lua, "first")));
    let last = cached(&lua, "last");
    assert!(Rc::ptr_eq(&last, &cached(&lua, "last")), "the newest one stays");
    cached(&lua, "one more");
    assert!(Rc::ptr_eq(&first, &cached(&lua, "first")), "it was used since");
    assert!(Rc::ptr_eq(&last, &cached(&lua, "last")));
    assert!(!Rc::ptr_eq(&second, &cached(&lua, "second")));
}

#[test]
fn large_patterns_are_kept_as_long_as_there_is_room() {
    let lua = state();
    let large = |number: usize| format!("\\w{{60}}{number}");
    let size = cached(&lua, &large(0)).size;
    assert!(size >= 1 << 20, "{size}");
    for number in 0..(40 << 20) / size {
        cached(&lua, &large(number));
        assert!(super::cache::count(&lua) * size <= 32 << 20, "{number}");
    }
}

#[test]
fn patterns_and_results_are_bounded_by_the_memory_of_the_state() {
    let lua = state();
    let share = lua.used_memory() + (24 << 20);
    crate::lua::outside::limit(&lua, share);
    let e = fails(&lua, "local s = ('x'):rep(1 << 20) mpms.re.gsub(s, 'x', ('y'):rep(1 << 20))");
    assert_eq!(e.code, "memory");
    let e = fails(&lua, "local all = {} for i = 1, 100 do all[i] = mpms.re.new('\\\\w{30}' .. i) end");
    assert_eq!(e.code, "memory");
    // the cache gives way
    run::<()>(&lua, "for i = 1, 200 do assert(not mpms.re.test('-', '\\\\w{30}' .. i)) end");
}

#[test]
fn an_iterator_holds_its_subject_and_copies_nothing() {
    let lua = state();
    let found: i64 = run(
        &lua,
        "local s = ('ab'):rep(1 << 20) collectgarbage() local before = collectgarbage 'count' \
         local n, most = 0, 0 \
         for m in mpms.re.gmatch(s, 'b') do \
           n = n + 1 if n > 2000 then break end \
           most = math.max(most, collectgarbage 'count' - before) \
         end \
         assert(most < 1024, most) return n",
    );
    assert_eq!(found, 2001);
}
