use proptest::prelude::{any, prop_assert, proptest};

use crate::lua::std::testing::{fails, run, run_with, state};

#[test]
fn an_address_has_parts_and_comes_back_from_them() {
    let ok: bool = run(
        &state(),
        r#"
        local url = require "mpms.url"
        local u = url.parse "HTTPS://us%40er:p%20w@Example.COM:8443/a/../b%20c/?x=1&y=&x=a+b%26#top"
        assert(u.scheme == "https" and u.host == "example.com" and u.port == 8443 and u.path == "/b%20c/")
        assert(u.query == "x=1&y=&x=a+b%26" and u.fragment == "top")
        assert(u.params.x[1] == "1" and u.params.x[2] == "a b&" and u.params.y == "")
        assert(u.username == "us@er" and u.password == "p w")
        assert(url.build(u) == "https://us%40er:p%20w@example.com:8443/b%20c/?x=1&y=&x=a+b%26#top", url.build(u))
        u.params.x = 7
        assert(url.build(u) == "https://us%40er:p%20w@example.com:8443/b%20c/?x=7&y=#top", url.build(u))
        u = url.parse "http://example.com"
        assert(u.port == 80 and u.path == "/" and u.query == nil and next(u.params) == nil and u.username == nil)
        assert(url.build(u) == "http://example.com/")
        u = url.parse "http://[::1]:80/" assert(u.host == "[::1]" and url.build(u) == "http://[::1]/")
        u = url.parse "mailto:a@b.c" assert(u.scheme == "mailto" and u.host == nil and u.path == "a@b.c")
        assert(url.parse("http://bücher.example/ä").host == "xn--bcher-kva.example")
        assert(url.build { host = "a.b", path = "x y?z#w", query = { q = "ü&", p = true } } == "https://a.b/x%20y%3Fz%23w?p=true&q=%C3%BC%26")
        assert(url.build { scheme = "http", host = "::1", port = 8080, path = "/a", query = "?x=1" } == "http://[::1]:8080/a?x=1")
        return true
        "#,
    );
    assert!(ok);
}

#[test]
fn references_are_resolved_as_in_rfc_3986() {
    // Section 5.4.1 and 5.4.2, without those whose base WHATWG reads in another way.
    let cases = [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q#s"),
        ("", "http://a/b/c/d;p?q"),
        ("..", "http://a/b/"),
        ("../..", "http://a/"),
        ("../../../g", "http://a/g"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("https://x/", "https://x/"),
        (" \\n g ", "http://a/b/c/g"),
    ];
    for (reference, whole) in cases {
        let found: String =
            run(&state(), &format!("return mpms.url.join('http://a/b/c/d;p?q', '{reference}')"));
        assert_eq!(found, whole, "{reference}");
    }
}

#[test]
fn queries_and_codes_hold_any_byte() {
    let ok: bool = run(
        &state(),
        r#"
        local url = require "mpms.url"
        local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end
        all = table.concat(all)
        assert(url.decode(url.encode(all)) == all and url.encode "a-_.~/ü +" == "a-_.~%2F%C3%BC%20%2B")
        assert(url.decode "a+b%2" == "a+b%2" and url.decode("a+b%2B", { plus = true }) == "a b+" and url.decode "%zz%41" == "%zzA")
        local back = url.parse_query(url.query { [all] = { all, "", "2" } })
        assert(back[all][1] == all and back[all][2] == "" and back[all][3] == "2")
        assert(url.query { b = 1, a = { 2, 1.5 }, c = false } == "a=2&a=1.5&b=1&c=false")
        assert(url.query { { "z", "1 2" }, { "a", 3 } } == "z=1+2&a=3" and url.query {} == "")
        local q = url.parse_query "?a&&=x&b=c=d" assert(q.a == "" and q[""] == "x" and q.b == "c=d")
        return true
        "#,
    );
    assert!(ok);
}

#[test]
fn one_page_has_one_normal_address() {
    let cases = [
        (
            "'HTTP://Example.com:80/a/./b/../%7euser/%c3%bc?b=2&a=1#x'",
            "http://example.com/a/~user/%C3%BC?a=1&b=2",
        ),
        (
            "'http://e.com/?utm_source=x&id=1&utm_medium=y&gclid=z', { strip = { 'utm_*', 'gclid' } }",
            "http://e.com/?id=1",
        ),
        ("'http://e.com/?utm_source=x', { strip = { 'utm_*' } }", "http://e.com/"),
        ("'http://e.com/?b=2&a=1#f', { sort_query = false, fragment = true }", "http://e.com/?b=2&a=1#f"),
        ("'http://e.com/?a=2&a=1&&a=%31'", "http://e.com/?a=1&a=1&a=2"),
        ("'http://e.com?'", "http://e.com/"),
        ("'http://e.com/%2f%zz%'", "http://e.com/%2F%zz%"),
        ("'http://e.com/a b?c d'", "http://e.com/a%20b?c%20d"),
        ("'mailto:a@b'", "mailto:a@b"),
    ];
    let lua = state();
    for (arguments, normal) in cases {
        assert_eq!(
            run::<String>(&lua, &format!("return mpms.url.normalize({arguments})")),
            normal,
            "{arguments}"
        );
        let again = format!(
            "local n = mpms.url.normalize({arguments}) return mpms.url.normalize(n, {{ fragment = true }})"
        );
        if !arguments.contains("sort_query") {
            assert_eq!(run::<String>(&lua, &again), normal, "twice is once: {arguments}");
        }
    }
}

#[test]
fn the_registrable_domain() {
    let cases = [
        ("http://www.example.co.uk/x", Some("example.co.uk")),
        ("a.b.example.com", Some("example.com")),
        ("EXAMPLE.com.", Some("example.com")),
        ("https://user.github.io/", Some("user.github.io")),
        ("http://127.0.0.1:80/", None),
        ("[::1]", None),
        ("localhost", None),
        ("nas.local", None),
        ("co.uk", None),
        ("http://www.例え.jp/", Some("xn--r8jz45g.jp")),
        ("mailto:a@example.com", None),
    ];
    let lua = state();
    for (text, domain) in cases {
        let code = format!("local ok, d = pcall(mpms.url.domain, '{text}') return ok and d or nil");
        assert_eq!(run::<Option<String>>(&lua, &code).as_deref(), domain, "{text}");
    }
}

#[test]
fn a_wrong_address_is_named() {
    let lua = state();
    let e = fails(&lua, "mpms.url.parse '/a/b'");
    assert_eq!(
        (e.code.as_str(), e.url.as_deref(), e.op.as_deref()),
        ("parse", Some("/a/b"), Some("url.parse"))
    );
    assert!(
        e.message.ends_with("relative URL without a base: it has no scheme as `https:`"),
        "{}",
        e.message
    );
    for (call, code) in [
        ("parse 'http://'", "parse"),
        ("parse 'http://a:99999/'", "parse"),
        ("parse 'http://[::1/'", "parse"),
        ("parse 'http://a b/'", "parse"),
        ("parse '\\xff'", "parse"),
        ("parse ''", "parse"),
        ("join('/a', 'b')", "parse"),
        ("join('http://a', 'http://[')", "parse"),
        ("join('mailto:x', 'b')", "parse"),
        ("domain 'a b'", "parse"),
        ("domain 'http://'", "parse"),
        ("build {}", "invalid"),
        ("build { host = 'a/b' }", "invalid"),
        ("build { host = 'u@a' }", "invalid"),
        ("build { host = 'a', port = 70000 }", "invalid"),
        ("build { host = 'a', scheme = '1' }", "invalid"),
        ("build { host = 'a', query = 5 }", "invalid"),
        ("build { hots = 'a' }", "invalid"),
        ("query { a = print }", "invalid"),
        ("query { 'a' }", "invalid"),
        ("query { [true] = 1 }", "invalid"),
        ("normalize('http://a', { strip = 'x' })", "invalid"),
        ("normalize('http://a', { strip = { '[' } })", "invalid"),
        ("normalize('http://a', { strp = {} })", "invalid"),
        ("normalize 'a'", "parse"),
        ("encode(nil)", "invalid"),
    ] {
        assert_eq!(fails(&lua, &format!("mpms.url.{call}")).code, code, "{call}");
    }
    assert!(fails(&lua, "mpms.url.build { hots = 'a' }").message.contains("did you mean `host`"));
}

proptest! {
    #[test]
    fn any_bytes_give_a_result_or_an_error(text in any::<Vec<u8>>(), tail in "[ -~é%#?&/:@\\[\\]]{0,40}") {
        let lua = state();
        let bytes = lua.create_string(&text).expect("memory");
        let ok: bool = run_with(&lua, r#"
            local bytes, tail = ...
            local url = mpms.url
            for _, s in ipairs { bytes, tail, "http://" .. tail, "http://a/" .. bytes, "http://a/" .. tail } do
              for _, f in ipairs { url.parse, url.normalize, url.domain, function(s) return url.join("http://a/b", s) end } do
                local r, e = try(f, s)
                if e then assert(e.code == "parse", tostring(e)) end
              end
              local n = try(url.normalize, s)
              if n then assert(url.normalize(n) == n, s .. " -> " .. n .. " -> " .. url.normalize(n)) end
              local u = try(url.parse, s)
              if u and u.host then assert(url.parse(url.build(u)).host == u.host) end
              assert(url.decode(url.encode(s)) == s)
              url.parse_query(s)
            end
            return true
        "#, (bytes, tail));
        prop_assert!(ok);
    }
}
