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

#[test]
fn the_test_suite_of_json_is_followed() {
    let lua = state();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/json.jsonl");
    let counts: (u32, u32) = run_with(
        &lua,
        r#"
        local json, good, bad = mpms.json, 0, 0
        for case in json.lines(...) do
          local value, e = try(json.decode, case.text)
          if case.name:find "^n_" then
            bad = bad + 1
            assert(value == nil and e.code == "parse", case.name)
          elseif case.name:find "^y_" or (e and e.code ~= "parse") then
            good = good + 1
            assert(e == nil, case.name .. ": " .. tostring(e))
            local text = json.encode(value)
            assert(json.encode(json.decode(text)) == text, case.name)
          end
        end
        return good, bad
        "#,
        path,
    );
    assert_eq!(counts, (95, 174));
    for text in ["\\xff", "[\\\"\\xed\\xa0\\x80\\\"]", "[\\\"\\xc0\\xaf\\\"]", "\\xff\\xfe[\\0]\\0"] {
        assert_eq!(fails(&lua, &format!("mpms.json.decode(\"{text}\")")).code, "parse", "{text}");
    }
    for code in ["('['):rep(100000)", "('[{\"\":'):rep(50000)"] {
        assert_eq!(fails(&lua, &format!("mpms.json.decode({code})")).code, "parse");
    }
}

#[test]
fn nulls_and_marks_are_what_one_asks_for() {
    let lua = state();
    let ok: bool = run(
        &lua,
        r#"
        local json = mpms.json
        local v = json.decode('{"a":null,"b":[null]}', { null = false })
        assert(v.a == false and v.b[1] == false)
        local mark = {}
        assert(json.decode("[null]", { null = mark })[1] == mark)
        assert(json.decode "\xef\xbb\xbf1" == 1 and json.decode '{"a":1,"a":2}'.a == 2)
        assert(json.encode(setmetatable({}, json.array_mt)) == "[]")
        assert(getmetatable(json.decode "[]") == json.array_mt and getmetatable(json.array {}) == json.array_mt)
        assert(json.encode(json.decode '{"e":[],"o":{}}') == '{"e":[],"o":{}}')
        local holes = { [3] = "c", [1] = "a" } holes[2] = "b"
        assert(json.encode(holes) == '["a","b","c"]')
        assert(json.encode("\0\1\31\127\"\\/\b\f\n\r\té\u{2028}") == '"\\u0000\\u0001\\u001f\127\\"\\\\/\\b\\f\\n\\r\\té\u{2028}"')
        assert(json.encode(nil) == "null" and json.encode { b = 1, a = { 2 } , [ "c d" ] = 3 } == '{"a":[2],"b":1,"c d":3}')
        local text = json.encode({ z = 1, y = 2 }, { sort_keys = false })
        assert(text == '{"z":1,"y":2}' or text == '{"y":2,"z":1}')
        return true
        "#,
    );
    assert!(ok);
    let e = fails(&lua, "mpms.json.encode({ a = { [1.5] = 1 } })");
    assert!(e.message.contains("number `1.5` at $.a"), "{}", e.message);
    let e = fails(&lua, "mpms.json.encode({ a = { [print] = 1 } })");
    assert!(e.message.contains("got an object at $.a"), "{}", e.message);
    let e = fails(&lua, "mpms.json.encode({ ['a b'] = { print } })");
    assert!(e.message.contains("at $[\"a b\"][1]"), "{}", e.message);
}

#[test]
fn long_files_come_in_batches_and_their_bounds_hold() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let lua = state();
    let ok: bool = run_with(
        &lua,
        r#"
        local json, dir = mpms.json, ...
        local lines = {}
        for i = 1, 2500 do lines[i] = '{"n":' .. i .. "}" end
        mpms.fs.write(dir .. "/l.jsonl", table.concat(lines, "\n\n"))
        local sum, last = 0, 0
        for v, n in json.lines(dir .. "/l.jsonl") do
          sum = sum + v.n
          assert(n == last + 1)
          last = n
        end
        assert(sum == 2500 * 2501 // 2 and last == 2500)
        -- what is before a wrong line is given first
        mpms.fs.append(dir .. "/l.jsonl", "\n\n{oops}\n7\n")
        local seen, iterator = 0, json.lines(dir .. "/l.jsonl")
        local _, e = try(function() for _ in iterator do seen = seen + 1 end end)
        assert(seen == 2500 and e.code == "parse" and e.message:find "^line 5001: key must be a string at column 2", e.message)
        assert(e.op == "json.lines" and e.path == dir .. "/l.jsonl")
        assert(iterator() == 7 and iterator() == nil and iterator() == nil)
        -- coroutines take turns, each with its own file
        local results = mpms.co.map({ 1, 2, 3 }, function()
          local count = 0
          for v in json.lines(dir .. "/l.jsonl") do
            count = count + v.n
            if count > 1000000 then break end
          end
          return count
        end)
        assert(#results == 3 and results[1] == results[3])
        mpms.fs.write(dir .. "/nulls.jsonl", "null\n[null]\n\n")
        local values = {}
        for v in json.lines(dir .. "/nulls.jsonl", { null = false }) do values[#values + 1] = v end
        assert(#values == 2 and values[1] == false and values[2][1] == false)
        _, e = try(function() for _ in json.lines(dir .. "/l.jsonl", { max_size = 5 }) do end end)
        assert(e.code == "too_large" and e.message:find "^line 1: ")
        _, e = try(json.read, dir .. "/l.jsonl", { max_size = "1KiB" })
        assert(e.code == "too_large" and e.path == dir .. "/l.jsonl")
        _, e = try(json.read, dir) assert(e.code == "is_directory")
        mpms.fs.write(dir .. "/bad.json", "{\n  x\n}")
        _, e = try(json.read, dir .. "/bad.json")
        assert(e.code == "parse" and e.message == "key must be a string at line 2 column 3" and e.path == dir .. "/bad.json")
        _, e = try(json.write, dir .. "/no.json", { f = print })
        assert(e.code == "invalid" and e.path == dir .. "/no.json" and not mpms.fs.exists(dir .. "/no.json"))
        json.write(dir .. "/p.json", { 1 }, { pretty = 4 })
        assert(mpms.fs.read(dir .. "/p.json") == "[\n    1\n]\n")
        assert(json.read(dir .. "/nulls.jsonl" and dir .. "/p.json", { null = false })[1] == 1)
        return true
        "#,
        folder.path().to_string_lossy().into_owned(),
    );
    assert!(ok);
}
