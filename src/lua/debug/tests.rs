//! Scripts reach their own variables and the metatables of plain values, and nothing of the library.

use std::path::Path;

use crate::lua::hand::Hand;
use crate::lua::std::log::Sinks;

fn passes(code: &str) {
    let hand = Hand::new("debug.lua", Path::new("/nonexistent"), None, Sinks::none()).expect("a state");
    if let Err(raised) = hand.run("@debug.lua", code.as_bytes(), &[]) {
        panic!("{:?}", raised.failure);
    }
}

#[test]
fn a_script_reads_sets_and_joins_variables_of_its_functions() {
    passes(
        "local a, b = 1, 2
        local function f() return a end
        local function g() return b end
        assert(select('#', debug.getupvalue(f, 2)) == 0 and select('#', debug.getupvalue(f, 0)) == 0)
        local name, value = debug.getupvalue(f, 1)
        assert(name == 'a' and value == 1)
        assert(debug.setupvalue(f, 1, 7) == 'a' and a == 7 and f() == 7)
        assert(debug.setupvalue(f, 2, 7) == nil)
        debug.upvaluejoin(f, 1, g, 1)
        b = 3
        assert(f() == 3 and a == 7)
        local function with_globals() return x end
        assert(debug.getupvalue(with_globals, 1) == '_ENV')
        debug.upvaluejoin(with_globals, 1, function() return a end, 1)
        debug.setupvalue(with_globals, 1, { x = 'own' })
        assert(with_globals() == 'own' and x == nil)",
    );
}

#[test]
fn no_function_of_lua_or_the_library_shows_a_variable() {
    let modules = crate::lua::std::names().collect::<Vec<_>>().join(" ");
    passes(&format!(
        "for name in ('{modules}'):gmatch '%S+' do pcall(require, 'mpms.' .. name) end
        local seen, count, lua = {{ }}, 0, 0
        local function walk(value)
          if seen[value] then return end
          if type(value) == 'table' then
            seen[value] = true
            for key, inner in pairs(value) do walk(key) walk(inner) end
            local meta = getmetatable(value)
            if type(meta) == 'table' then walk(meta) end
          elseif type(value) == 'function' then
            seen[value] = true
            count = count + 1
            if debug.getinfo(value, 'S').what ~= 'C' then lua = lua + 1 end
            local name = debug.getupvalue(value, 1)
            assert(name == nil, name)
            assert(debug.setupvalue(value, 1, 1) == nil)
            assert(not pcall(debug.upvaluejoin, walk, 1, value, 1) and not pcall(debug.upvaluejoin, value, 1, walk, 1))
          end
        end
        for _, name in ipairs {{ 'lfs', 'cjson', 'cjson.safe', 'socket', 'inspect' }} do walk(require(name)) end
        for name in pairs(mpms) do walk(mpms[name]) end
        for name in pairs(_G) do walk(_G[name]) end
        -- objects of every kind that is written in Lua
        walk(mpms.tbl.iter {{ 1 }})
        walk(mpms.log.with {{ a = 1 }})
        walk(select(2, pcall(mpms.fs.read, '/nonexistent')))
        walk(coroutine.wrap(function() end))
        walk(mpms.co.channel and mpms.co.channel(1))
        assert(count > 400 and lua > 50, count .. ' ' .. lua)"
    ));
}

#[test]
fn plain_values_may_have_a_metatable_and_what_is_protected_keeps_its_own() {
    passes(
        "local strings = getmetatable ''
        assert(debug.setmetatable('', nil) == '')
        assert(not pcall(function() return ('x'):rep(2) end))
        debug.setmetatable('', strings)
        assert(('x'):rep(2) == 'xx')
        debug.setmetatable(0, { __call = function(n, by) return n * by end })
        assert((2)(3) == 6)
        debug.setmetatable(print, { __concat = function(f, g) return function(...) return f(g(...)) end end })
        assert((tostring .. math.abs)(-1) == '1')
        debug.setmetatable(nil, { __index = function() end })
        assert((nil).field == nil)
        local t = debug.setmetatable({ }, { __index = { a = 1 } })
        assert(t.a == 1 and debug.setmetatable(t, nil) == t and t.a == nil)
        local function refused(text, ...)
          local ok, e = pcall(debug.setmetatable, ...)
          assert(not ok and e:find(text, 1, true), e)
        end
        refused('protected', mpms, { })
        refused('protected', mpms.json, nil)
        refused('protected', job, nil)
        refused('__gc', { }, { __gc = print })
        refused('refused for userdata', mpms.null, nil)
        refused('refused for userdata', io.stdout, { })
        refused('nil or table expected', '', 1)
        assert(select(2, pcall(debug.getupvalue, 1, 1)) == \"bad argument #1 to 'getupvalue' (function expected, got number)\")",
    );
}

#[test]
fn the_rest_is_not_there() {
    passes(
        "local names = { }
        for name in pairs(debug) do names[#names + 1] = name end
        table.sort(names)
        local all = table.concat(names, ' ')
        assert(all == 'gethook getinfo getupvalue sethook setmetatable setupvalue traceback upvaluejoin', all)
        assert(debug.gethook() == nil and not pcall(debug.sethook, print, 'l'))
        debug.sethook()
        assert(require 'debug' == debug)",
    );
}

#[test]
fn generic_code_may_ask_for_metatables_of_the_library() {
    passes(
        "for _, value in ipairs { mpms, mpms.json, job } do
          local meta = getmetatable(value)
          assert(rawget(meta, '__metatable') and rawget(meta, '__declared') == nil)
          meta.__index, meta.__newindex = error, nil
        end
        assert(mpms.tbl.inspect(mpms.json) == '{}' and require 'inspect'(mpms.json) == '{}')
        assert(mpms.json.encode { 1 } == '[1]' and not pcall(function() mpms.json = 1 end))
        assert(job.name == 'debug.lua' and not pcall(function() job.name = 1 end))",
    );
}

#[test]
fn places_are_told_without_the_functions_of_c_that_run_there() {
    passes(
        r#"
        local own, seen = 0, 0
        local find
        function find()
          assert(debug.getinfo(1, "f").func == find and debug.getinfo(1).short_src == "debug.lua")
          assert(debug.getinfo(1, "l").currentline > 0 and debug.getinfo(0, "n").name == "getinfo")
          local level = 1
          while true do
            local info = debug.getinfo(level, "Sf")
            if not info then break end
            if info.what == "C" then assert(info.func == nil) seen = seen + 1 else own = own + 1 end
            level = level + 1
          end
          return "x"
        end
        local _, text = pcall(string.gsub, "a", "a", find)
        assert(text == "x" and own >= 2 and seen >= 2, own .. " " .. seen)
        assert(debug.getinfo(print, "f").func == print)
        local co = coroutine.create(function() local x = coroutine.yield() return x end)
        coroutine.resume(co)
        assert(debug.getinfo(co, 0, "fS").func == nil and debug.getinfo(co, 1, "f").func)
        assert(debug.getinfo(-1) == nil and not pcall(debug.getinfo, 1, "?") and not pcall(debug.getinfo))
        assert(debug.getinfo(100) == nil)
        "#,
    );
}
