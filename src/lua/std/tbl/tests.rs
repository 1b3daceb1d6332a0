use crate::lua::std::testing::{fails, run, shown, state};

fn check(cases: &[(&str, &str)]) {
    let lua = state();
    run::<()>(
        &lua,
        "tbl = mpms.tbl \
         function double(v) return v * 2 end \
         function odd(v) return v % 2 == 1 end \
         function add(a, b) return a + b end \
         function all(iter, s, c) local t = {} for k, v in iter, s, c do t[#t + 1] = v == nil and k or { k, v } end return t end",
    );
    for (code, wanted) in cases {
        assert_eq!(shown(&lua, code), *wanted, "{code}");
    }
}

#[test]
fn over_the_items() {
    check(&[
        ("tbl.map({ 1, 2, 3 }, double)", "{ 2, 4, 6 }"),
        ("tbl.map({ a = 1, b = 2 }, function(v, k) return k .. v end)", r#"{a = "a1",b = "b2"}"#),
        ("tbl.map({}, double)", "{}"),
        ("tbl.filter({ 1, 2, 3 }, odd)", "{ 1, 3 }"),
        ("tbl.filter({ a = 1, b = 2, [5] = 3 }, odd)", "{[5] = 3,a = 1}"),
        ("tbl.filter({ 'x', 'y' }, function(_, at) return at == 2 end)", r#"{ "y" }"#),
        ("tbl.reduce({ 1, 2, 3 }, add)", "6"),
        ("tbl.reduce({ 1, 2, 3 }, add, 10)", "16"),
        ("tbl.reduce({}, add, 0)", "0"),
        ("tbl.reduce({ 1, 2 }, function(any, v) return any or v == 2 end, false)", "true"),
        ("tbl.reduce({ b = 'y', a = 'x' }, function(s, v, k) return s .. k .. v end, '')", r#""axby""#),
        (
            "(function() local seen = {} tbl.each({ b = 1, a = 2, [3] = 0 }, function(v, k) seen[#seen + 1] = k .. v end) return seen end)()",
            r#"{ "30", "a2", "b1" }"#,
        ),
        ("tbl.find({ 5, 6, 7 }, function(v) return v > 5 end)", "6, 2"),
        ("tbl.find({ a = 1 }, function(v) return v > 5 end)", "nil"),
        ("tbl.find({ true, false }, function(v) return v == false end)", "false, 2"),
        ("tbl.keys({ b = 1, a = 2, 9, [2.5] = 0, [true] = 1 })", r#"{ 1, 2.5, true, "a", "b" }"#),
        ("tbl.values({ b = 1, a = 2 })", "{ 2, 1 }"),
        ("all(tbl.pairs_sorted({ b = 1, a = 2 }))", r#"{ { "a", 2 }, { "b", 1 } }"#),
        (
            "all(tbl.pairs_sorted({ b = 1, a = 2 }, function(x, y) return x > y end))",
            r#"{ { "b", 1 }, { "a", 2 } }"#,
        ),
        (
            "tbl.group_by({ 1, 2, 3 }, function(v) return odd(v) and 'odd' or 'even' end)",
            "{even = { 2 },odd = { 1, 3 }}",
        ),
        (
            "tbl.group_by({ { t = 'a', n = 1 }, { t = 'b' }, { t = 'a', n = 2 } }, 't').a",
            r#"{ {n = 1,t = "a"}, {n = 2,t = "a"} }"#,
        ),
    ]);
}

#[test]
fn lists() {
    check(&[
        (
            "tbl.slice({ 1, 2, 3, 4 }, 2, 3), tbl.slice({ 1, 2, 3 }, -2), tbl.slice({ 1, 2, 3 }), tbl.slice({ 1, 2 }, 5), tbl.slice({ 1, 2, 3 }, -9, -2)",
            "{ 2, 3 }, { 2, 3 }, { 1, 2, 3 }, {}, { 1, 2 }",
        ),
        (
            "tbl.chunk({ 1, 2, 3, 4, 5 }, 2), tbl.chunk({}, 3), tbl.chunk({ 1 }, math.maxinteger)",
            "{ { 1, 2 }, { 3, 4 }, { 5 } }, {}, { { 1 } }",
        ),
        (
            "tbl.uniq({ 1, 2, 1, 1.0, '1' }), tbl.uniq({ 'a', 'B', 'A' }, string.lower), tbl.uniq({ { id = 1, n = 1 }, { id = 1, n = 2 } }, 'id')",
            r#"{ 1, 2, "1" }, { "a", "B" }, { {id = 1,n = 1} }"#,
        ),
        ("#tbl.uniq({ 0/0, 0/0 })", "2"),
        (
            "tbl.sort_by({ 3, 1, 2 }, function(v) return v end), tbl.sort_by({ 'bb', 'a' }, string.len, { desc = true })",
            r#"{ 1, 2, 3 }, { "bb", "a" }"#,
        ),
        (
            "tbl.map(tbl.sort_by({ { k = 1, v = 'a' }, { k = 0, v = 'b' }, { k = 1, v = 'c' }, { k = 0, v = 'd' } }, 'k'), function(r) return r.v end)",
            r#"{ "b", "d", "a", "c" }"#,
        ),
        (
            "tbl.map(tbl.sort_by({ { k = 1, v = 'a' }, { k = 0, v = 'b' }, { k = 1, v = 'c' } }, 'k', { desc = true }), function(r) return r.v end)",
            r#"{ "a", "c", "b" }"#,
        ),
        (
            "tbl.flatten({ 1, { 2, { 3 } }, {}, { a = 1 } }), tbl.flatten({ { { 1 } } }, 2), tbl.flatten({ { 1 } }, 0)",
            "{ 1, 2, { 3 }, {a = 1} }, { 1 }, { { 1 } }",
        ),
        (
            "tbl.range(3), tbl.range(2, 4), tbl.range(4, 1, -2), tbl.range(0), tbl.range(0, 1, 0.5), tbl.range(3, 1)",
            "{ 1, 2, 3 }, { 2, 3, 4 }, { 4, 2 }, {}, { 0.0, 0.5, 1.0 }, {}",
        ),
        (
            "tbl.zip({ 1, 2, 3 }, { 'a', 'b' }), tbl.zip(), tbl.zip({ 1 })",
            r#"{ { 1, "a" }, { 2, "b" } }, {}, { { 1 } }"#,
        ),
    ]);
}

#[test]
fn merged_and_copied() {
    check(&[
        ("tbl.merge({ a = 1, b = 1 }, { b = 2 }, { c = 3 }), tbl.merge()", "{a = 1,b = 2,c = 3}, {}"),
        (
            "tbl.deep_merge({ a = { x = 1, y = 1 }, l = { 1, 2 } }, { a = { y = 2 }, l = { 3 } })",
            "{a = {x = 1,y = 2},l = { 3 }}",
        ),
        (
            "tbl.deep_merge({ a = { x = 1 } }, { a = 5 }), tbl.deep_merge({ a = { x = 1 } }, { a = {} })",
            "{a = 5}, {a = {x = 1}}",
        ),
        ("tbl.deep_merge({ a = { x = 1 } }, { a = mpms.json.array {} })", "{a = {}}"),
        (
            "(function() local a, b = { t = {} }, { t = { x = {} } } local m = tbl.deep_merge(a, b) m.t.x.y = 1 return a, b end)()",
            "{t = {}}, {t = {x = {}}}",
        ),
        (
            "(function() local m = { __index = function() return 7 end } local t = setmetatable({ x = { 1 } }, m) local c, d = tbl.copy(t), tbl.deep_copy(t) return c.none, d.none, c.x == t.x, d.x == t.x, c == t end)()",
            "7, 7, true, false, false",
        ),
        (
            "(function() local t = { 1 } t.self, t[t] = t, 'k' local c = tbl.deep_copy(t) return c ~= t, c.self == c, c[c] == 'k' end)()",
            "true, true, true",
        ),
        (
            "(function() local t = setmetatable({ 1 }, { __metatable = 'locked' }) return tbl.copy(t), tbl.deep_copy({ t }) end)()",
            "{ 1 }, { { 1 } }",
        ),
        ("tbl.deep_copy(5), tbl.deep_copy(nil), tbl.deep_copy(mpms.null) == mpms.null", "5, nil, true"),
    ]);
}

#[test]
fn equality_is_deep() {
    check(&[
        (
            "tbl.equal({ 1, { a = 'x' } }, { 1, { a = 'x' } }), tbl.equal({ 1 }, { 1, 2 }), tbl.equal({ 1, 2 }, { 1 }), tbl.equal({ a = 1 }, { b = 1 })",
            "true, false, false, false",
        ),
        (
            "tbl.equal(1, 1.0), tbl.equal('1', 1), tbl.equal(nil, nil), tbl.equal(0/0, 0/0), tbl.equal({}, nil)",
            "true, false, true, false, false",
        ),
        ("(function() local a, b = {}, {} a.me, b.me = a, b return tbl.equal(a, b) end)()", "true"),
        ("(function() local a, b = { 1 }, { 2 } a.me, b.me = a, b return tbl.equal(a, b) end)()", "false"),
        (
            "(function() local a, b = {}, { me = { me = {} } } a.me = a b.me.me.me = b return tbl.equal(a, b) end)()",
            "true",
        ),
        (
            "(function() local m = { __eq = function() return true end } return tbl.equal({ setmetatable({ 1 }, m) }, { setmetatable({ 2 }, m) }) end)()",
            "true",
        ),
    ]);
}

/// What the rock `inspect` 3.1.1 gives for the same values.
#[test]
fn inspect_shows_values_as_the_rock_does() {
    let lua = state();
    for (code, wanted) in [
        ("{ 1, 'two', { 3 } }", "{ 1, \"two\", { 3 } }"),
        (
            "{ a = 1, ['b c'] = { x = true }, [5] = 2.5 }",
            "{\n  [5] = 2.5,\n  a = 1,\n  [\"b c\"] = {\n    x = true\n  }\n}",
        ),
        ("{ 1, 2, x = 3 }", "{ 1, 2,\n  x = 3\n}"),
        ("{ { a = 1 } }", "{ {\n    a = 1\n  } }"),
        ("{}", "{}"),
        ("'say \"hi\"'", "'say \"hi\"'"),
        ("'it\\'s \"x\"'", "\"it's \\\"x\\\"\""),
        ("'a\\nb\\0001\\1x\\\\'", "\"a\\nb\\0001\\1x\\\\\""),
        ("{ [true] = 1, [{}] = 2 }", "{\n  [true] = 1,\n  [{}] = 2\n}"),
        ("(function() local t = { 1 } t.me = t return t end)()", "<1>{ 1,\n  me = <table 1>\n}"),
        ("(function() local s = { 5 } return { s, s } end)()", "{ <1>{ 5 }, <table 1> }"),
        ("{ print, tostring, print }", "{ <function 1>, <function 2>, <function 1> }"),
        ("setmetatable({ 1 }, { __mode = 'k' })", "{ 1,\n  <metatable> = {\n    __mode = \"k\"\n  }\n}"),
        ("{ nil, 2 }", "{\n  [2] = 2\n}"),
    ] {
        assert_eq!(run::<String>(&lua, &format!("return mpms.tbl.inspect({code})")), wanted, "{code}");
    }
    for (code, wanted) in [
        ("{ ['end'] = 1, _x1 = mpms.null }", "{\n  _x1 = mpms.null,\n  [\"end\"] = 1\n}"),
        ("math.huge, nil", "math.huge"),
        ("mpms.json.decode '[]', nil", "{}"),
        ("{ a = { b = { c = 1 } } }, { depth = 2 }", "{\n  a = {\n    b = {...}\n  }\n}"),
        ("{ a = { 1 } }, { newline = ' ', indent = '' }", "{ a = { 1 } }"),
        ("{ a = 1 }, { indent = '\\t' }", "{\n\ta = 1\n}"),
        ("setmetatable({ 1 }, {}), { metatable = false }", "{ 1 }"),
        ("mpms.tbl", "{}"),
    ] {
        assert_eq!(run::<String>(&lua, &format!("return mpms.tbl.inspect({code})")), wanted, "{code}");
    }
    // the same each time, whatever the order of the keys in memory
    assert!(run::<bool>(
        &lua,
        "local a, b = {}, {} \
         for i = 1, 200 do a['k' .. i], b['k' .. 201 - i] = i, 201 - i end \
         for i = 1, 200 do a[i * 1.5 + 0.25], b[(201 - i) * 1.5 + 0.25] = i, 201 - i end \
         return mpms.tbl.inspect(a) == mpms.tbl.inspect(b)"
    ));
}

#[test]
fn lazy_steps() {
    check(&[
        (
            "tbl.iter({ 1, 2, 3, 4 }):map(double):filter(function(v) return v > 2 end):take(2):totable()",
            "{ 4, 6 }",
        ),
        (
            "tbl.iter({ b = 1, a = 2 }):totable(), tbl.iter({ b = 1, a = 2 }):tomap()",
            r#"{ { "a", 2 }, { "b", 1 } }, {a = 2,b = 1}"#,
        ),
        ("tbl.iter({ b = 1, a = 2 }):map(function(k, v) return k .. v end):join(' ')", r#""a2 b1""#),
        ("tbl.iter({ b = 1, a = 2 }):filter(function(k) return k == 'b' end):totable()", r#"{ { "b", 1 } }"#),
        (
            "tbl.iter(('a b c'):gmatch('%a')):enumerate():totable()",
            r#"{ { 1, "a" }, { 2, "b" }, { 3, "c" } }"#,
        ),
        ("tbl.iter(pairs({ x = 1 })):totable()", r#"{ { "x", 1 } }"#),
        (
            "tbl.iter(ipairs({ 'p', 'q' })):map(function(i, v) return v .. i end):totable()",
            r#"{ "p1", "q2" }"#,
        ),
        (
            "tbl.iter({ 1, 2, 3 }):skip(1):totable(), tbl.iter({ 1 }):skip(5):totable(), tbl.iter({ 1, 2 }):skip(0):totable()",
            "{ 2, 3 }, {}, { 1, 2 }",
        ),
        (
            "tbl.iter({ 1, 3, 4, 5 }):take_while(odd):totable(), tbl.iter({ 1, 2 }):take(0):totable()",
            "{ 1, 3 }, {}",
        ),
        ("tbl.iter({ { 1, 2 }, {}, 3, { a = 1 } }):flatten():totable()", "{ 1, 2, 3, {a = 1} }"),
        ("tbl.iter({ 1, 2, 3 }):chunk(2):totable()", "{ { 1, 2 }, { 3 } }"),
        ("tbl.iter({ 1, 2, 3 }):map(function(v) if v ~= 2 then return v end end):totable()", "{ 1, 3 }"),
        (
            "tbl.iter({ 1, 2, 3 }):reduce(add), tbl.iter({}):reduce(add, 0), tbl.iter({}):reduce(add, false), tbl.iter({ 1, 2 }):count()",
            "6, 0, false, 2",
        ),
        (
            "tbl.iter({ 1, 2 }):find(function(v) return v > 1 end), tbl.iter({ 1 }):find(function() end)",
            "2, nil",
        ),
        (
            "tbl.iter({ 1, 2 }):any(odd), tbl.iter({ 1, 2 }):all(odd), tbl.iter({}):any(odd), tbl.iter({}):all(odd)",
            "true, false, false, true",
        ),
        (
            "(function() local seen = {} tbl.iter({ 7, 8 }):each(function(v) seen[#seen + 1] = v end) return seen end)()",
            "{ 7, 8 }",
        ),
        ("all(tbl.iter({ 1, 2 }):map(double))", "{ 2, 4 }"),
        ("tbl.iter(tbl.iter({ 1 }):map(double)):totable()", "{ 2 }"),
        // only what is asked for is made
        (
            "(function() local made = 0 local t = tbl.iter(function() made = made + 1 return made end):map(double):take(3):totable() return made, t end)()",
            "3, { 2, 4, 6 }",
        ),
        // an iterator that is at its end is not asked again
        (
            "(function() local ends = { take_while = { odd }, skip = { 2 }, chunk = { 2 } } local all = {} \
              for name, arguments in pairs(ends) do local asked = 0 \
                local it = tbl.iter(function() asked = asked + 1 if asked ~= 2 then return 1 end end) \
                it = it[name](it, table.unpack(arguments)) for _ = 1, 4 do it() end all[name] = asked end return all end)()",
            "{chunk = 2,skip = 2,take_while = 2}",
        ),
        (
            "(function() local asked = 0 local it = tbl.iter(function() asked = asked + 1 return asked end):take_while(odd) it() it() it() return asked end)()",
            "2",
        ),
        // many items that are left out take no stack
        (
            "tbl.iter(tbl.range(200000)):filter(function(v) return v == 200000 end):map(function(v) return v end):totable()",
            "{ 200000 }",
        ),
    ]);
}

#[test]
fn callbacks_may_raise_and_wait() {
    let lua = state();
    assert!(run::<bool>(
        &lua,
        "local raised = {} local ok, e = pcall(mpms.tbl.map, { 1 }, function() error(raised) end) return not ok and e == raised"
    ));
    let order: String = run(
        &lua,
        "local order = {} \
         local function one(name, pause, f) \
           return function() f(function(v) sleep(pause) order[#order + 1] = name return v end) end \
         end \
         local tbl = mpms.tbl \
         mpms.co.all { \
           one('a', 0.05, function(f) tbl.map({ 1 }, f) end), \
           one('b', 0.04, function(f) tbl.iter({ 1 }):map(f):filter(f):each(f) end), \
           one('c', 0.02, function(f) tbl.sort_by({ 1 }, f) end), \
           one('d', 0.01, function(f) tbl.uniq({ 1 }, f) end), \
         } return table.concat(order)",
    );
    // `b` waits three times and is the last to end
    assert_eq!(order, "dcbabb");
}

#[test]
fn nothing_is_changed_and_the_module_is_strict() {
    let lua = state();
    assert!(run::<bool>(
        &lua,
        "local t = { 3, 1, { 2 } } local before = mpms.tbl.inspect(t) \
         local tbl = mpms.tbl \
         tbl.filter(t, function() end) tbl.slice(t, 2) tbl.flatten(t) tbl.chunk(t, 2) tbl.merge(t, { 9 }) tbl.deep_merge(t, { 9 }) \
         tbl.sort_by({ 3, 1 }, function(v) return v end) \
         return tbl.inspect(t) == before"
    ));
    for (code, message) in [
        ("mpms.tbl.mpa", "mpms.tbl: `mpms.tbl` has no function `mpa`; did you mean `map`?"),
        ("mpms.tbl.map()", "tbl.map: argument 1 (table) must be a table, got nil"),
        ("mpms.tbl.map({})", "tbl.map: argument 2 (f) must be a function, got nil"),
        (
            "mpms.tbl.slice({ a = 1 })",
            "tbl.slice: argument 1 (list) must be a list, got a table with the key `a`",
        ),
        (
            "mpms.tbl.slice({ 1, nil, 3, 4 }, 'x')",
            "tbl.slice: argument 1 (list) must be a list, got a table with the key `4`",
        ),
        (
            "mpms.tbl.slice({ [1] = 1, [1.5] = 2, [3] = 3 })",
            "tbl.slice: argument 1 (list) must be a list, got a table with the key `1.5`",
        ),
        ("mpms.tbl.slice({ 1 }, 1.5)", "tbl.slice: argument 2 (from) must be an integer, got the number 1.5"),
        ("mpms.tbl.chunk({ 1 }, 0)", "tbl.chunk: argument 2 (size) must be 1 or more, got 0"),
        ("mpms.tbl.reduce({}, print)", "tbl.reduce: the table is empty and there is no initial value"),
        ("mpms.tbl.group_by({ { x = 1 } }, 'y')", "tbl.group_by: the group of item `1` is nil"),
        (
            "mpms.tbl.group_by({}, 5)",
            "tbl.group_by: argument 2 (f) must be a function or a string, got the number 5",
        ),
        ("mpms.tbl.uniq({ {} }, 'id')", "tbl.uniq: the key of item `1` is nil"),
        (
            "mpms.tbl.sort_by({ 1, 'a' }, function(v) return v end)",
            "tbl.sort_by: the keys are of two types: that of item 2 is a string, the others numbers",
        ),
        (
            "mpms.tbl.sort_by({ {} }, 'x')",
            "tbl.sort_by: the key of item 1 must be a number or a string, got nil",
        ),
        (
            "mpms.tbl.sort_by({ 0/0 }, function(v) return v end)",
            if cfg!(target_arch = "x86_64") {
                "tbl.sort_by: the key of item 1 must be a number or a string, got -nan"
            } else {
                "tbl.sort_by: the key of item 1 must be a number or a string, got nan"
            },
        ),
        (
            "mpms.tbl.sort_by({}, 'x', { dsc = true })",
            "tbl.sort_by: unknown option `dsc`; did you mean `desc`?",
        ),
        (
            "mpms.tbl.sort_by({}, 'x', { desc = 1 })",
            "tbl.sort_by: option `desc` must be a boolean, got number",
        ),
        ("mpms.tbl.sort_by({}, 'x', 1)", "tbl.sort_by: argument 3 (options) must be a table, got number"),
        ("mpms.tbl.merge({}, 5)", "tbl.merge: argument 2 must be a table, got number"),
        ("mpms.tbl.zip({}, nil)", "tbl.zip: argument 2 must be a table, got nil"),
        ("mpms.tbl.flatten({}, 201)", "tbl.flatten: argument 2 (depth) must be 0 to 200, got 201"),
        ("mpms.tbl.range(1, 10, 0)", "tbl.range: argument 3 (step) must not be 0"),
        ("mpms.tbl.range(1, 10, 0/0)", "tbl.range: argument 3 (step) must not be 0"),
        ("mpms.tbl.range(1e18)", "tbl.range: 1000000000000000000 items are more than a list should have"),
        ("mpms.tbl.inspect(1, { dept = 1 })", "tbl.inspect: unknown option `dept`; did you mean `depth`?"),
        (
            "mpms.tbl.iter(5)",
            "tbl.iter: argument 1 (source) must be a table or a function that gives the next item, got number",
        ),
        ("mpms.tbl.iter({}):mpa()", "tbl.Iter: no field or method `mpa`; did you mean `map`?"),
        ("mpms.tbl.iter({}):map()", "tbl.Iter:map: argument 1 (f) must be a function, got nil"),
        ("mpms.tbl.iter({}).map({}, print)", "tbl.Iter:map: call it with a colon, as in object:map(...)"),
        ("mpms.tbl.iter({ 1 }):tomap()", "tbl.Iter:tomap: an item has a key and no value: 1"),
        ("mpms.tbl.iter({}):reduce(print)", "tbl.Iter:reduce: there is no item and no initial value"),
        (
            "local a, b = {}, {} a.x, b.x = a, b mpms.tbl.deep_merge(a, b)",
            "tbl.deep_merge: nested more than 200 deep: a table that contains itself",
        ),
    ] {
        let code = if code.starts_with("local") { code.to_owned() } else { format!("local _ = {code}") };
        let e = fails(&lua, &code);
        assert_eq!(
            (e.message.as_str(), e.code.as_str(), e.at.as_deref()),
            (message, "invalid", Some("test:1")),
            "{code}"
        );
    }
}

#[test]
fn deep_values_raise_and_break_nothing() {
    let lua = state();
    for call in ["inspect(t)", "deep_copy(t)", "equal(t, u)"] {
        let code = format!(
            "local t, u = {{}}, {{}} for _ = 1, 2000000 do t, u = {{ t }}, {{ u }} end mpms.tbl.{call}"
        );
        let e = fails(&lua, &code);
        assert!(e.message.contains("stack overflow"), "{call}: {}", e.message);
    }
}
