use crate::lua::std::testing::{fails, run, run_with, state};

#[test]
fn values_round_trip_exactly() {
    let lua = state();
    let ok: bool = run(
        &lua,
        r#"
        local json = require "mpms.json"
        for _, text in ipairs { "9223372036854775807", "-9223372036854775808", "1.0", "0.1", "-0.0", "5e-324",
          "1.7976931348623157e+308", '"\\u0000é😀\\n"', "[]", "{}", "[[],{}]", '{"a":null,"b":[1,2.5,true,false]}', "null" } do
          assert(json.encode(json.decode(text)) == text or text:find("\\u", 1, true), text .. json.encode(json.decode(text)))
        end
        assert(math.type(json.decode "3") == "integer" and math.type(json.decode "3.0") == "float")
        assert(json.decode '"\\u0000"' == "\0" and json.decode(json.encode "\0\1é") == "\0\1é")
        assert(json.decode "18446744073709551615" == 18446744073709551615.0)
        assert(json.decode "null" == mpms.null and json.null == mpms.null)
        assert(json.encode(json.array()) == "[]" and json.encode {} == "{}")
        assert(json.encode { b = 1, a = { 1, 2 }, c = mpms.null } == '{"a":[1,2],"b":1,"c":null}')
        assert(json.encode({ 1, { a = 1 } }, { pretty = true }) == '[\n  1,\n  {\n    "a": 1\n  }\n]')
        for i = 1, 2000 do
          local x = string.unpack("d", string.pack("i8", math.random(0)))
          if x == x and math.abs(x) < math.huge then assert(json.decode(json.encode(x)) == x) end
        end
        return true
        "#,
    );
    assert!(ok);
}

#[test]
fn what_json_cannot_hold_is_named_with_its_path() {
    let lua = state();
    let cases = [
        ("{a={1,{b=0/0}}}", "at $.a[2].b"),
        ("{a={f=print}}", "JSON cannot hold a function at $.a.f"),
        ("{1/0}", "JSON has no inf at $[1]"),
        ("{1,nil,3}", "in place of 2 at $"),
        ("{1,x=2}", "`x`"),
        ("{[true]=1}", "got the boolean `true`"),
        ("{'\\xff'}", "not UTF-8 at $[1]"),
        ("{['\\xff']=1}", "not UTF-8"),
        ("(function() local t = {} t.t = {t} return t end)()", "the table contains itself at $.t[1]"),
        ("(function() local t = {} for i=1,201 do t = {t} end return t end)()", "more than 200 deep"),
    ];
    for (value, text) in cases {
        let e = fails(&lua, &format!("mpms.json.encode({value})"));
        assert_eq!(e.code, "invalid", "{value}");
        assert!(e.message.contains(text), "{value}: {}", e.message);
    }
    // The same table twice is no cycle.
    assert_eq!(run::<String>(&lua, "local t = {1} return mpms.json.encode{t,t}"), "[[1],[1]]");
}

#[test]
fn a_wrong_text_is_named_with_line_and_column() {
    let lua = state();
    for text in ["", "{", "[1,]", "{\\\"a\\\":}", "tru", "1 2", "\\\"\\xff\\\"", "nan", "01", "[1\\n,x]"] {
        let e = fails(&lua, &format!("mpms.json.decode(\"{text}\")"));
        assert_eq!(e.code, "parse", "{text}");
        assert!(e.message.contains("line ") && e.message.contains("column "), "{}", e.message);
    }
    let deep = format!("mpms.json.decode(('['):rep({0})..(']'):rep({0}))", 200);
    run::<mlua::Value>(&lua, &format!("return {deep}"));
    let e = fails(&lua, "mpms.json.decode(('['):rep(100000))");
    assert!(e.message.contains("more than 200 deep"), "{}", e.message);
    assert_eq!(
        fails(&lua, "mpms.json.encode({}, {prety=true})").message,
        "json.encode: unknown option `prety`; did you mean `pretty`?"
    );
}

#[test]
fn files_lines_and_pointers() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let lua = state();
    let ok: bool = run_with(
        &lua,
        r#"
        local json, dir = require "mpms.json", ...
        json.write(dir .. "/sub/a.json", { x = 1 }, { mkdir = true })
        assert(json.read(dir .. "/sub/a.json").x == 1)
        json.append(dir .. "/l.jsonl", { n = 1 }) json.append(dir .. "/l.jsonl", { n = 2 })
        local sum = 0
        for v in json.lines(dir .. "/l.jsonl") do sum = sum + v.n end
        assert(sum == 3)
        local v = json.decode '{"a":[1,{"b/c":"x","~":"y","0":"zero"}]}'
        assert(json.pointer(v, "/a/1/b~1c") == "x" and json.pointer(v, "/a/1/~0") == "y" and json.pointer(v, "") == v)
        assert(json.pointer(v, "/a/1/0") == "zero" and json.pointer(v, "/a/7") == nil and json.pointer(v, "/a/00") == nil)
        mpms.fs.append(dir .. "/l.jsonl", "oops\n")
        local _, e = try(function() for _ in json.lines(dir .. "/l.jsonl") do end end)
        assert(e.code == "parse" and e.message:find "^line 3: " and e.path == dir .. "/l.jsonl")
        _, e = try(json.read, dir .. "/none") assert(e.code == "not_found" and e.op == "json.read")
        return true
        "#,
        folder.path().to_string_lossy().into_owned(),
    );
    assert!(ok);
}
