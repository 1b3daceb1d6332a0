//! What is too much for Lua.

use crate::job::Job;

#[test]
fn a_state_goes_on_after_errors_that_leave_little_room() {
    let script = r#"return { worker = function(n)
        if n == 3 or n == 9 then local function deep() return 1 + deep() end return deep() end
        if n % 3 == 0 then return 0 end
        if n % 3 == 1 then return select('#', table.unpack({ }, 1, 1e7)) end
        return n
      end,
      handler = function(meta, n) meta.sum = meta.sum + n end,
      finish = function(meta) return tostring(meta.sum) end }"#;
    let done = Job::new().range(1, 30).processes(1).threads(2).meta("sum = 0").script(script).run();
    done.exit(1)
        .finished_with("155")
        .says("stack overflow")
        .says("too many results to unpack")
        .never_says("CRASH");
}

#[test]
fn strange_errors_are_told() {
    let script = r#"return { worker = function(n)
        if n == 1 then error(nil) end
        if n == 2 then error(setmetatable({ }, { __tostring = function() error("again") end })) end
        if n == 3 then error({ code = 7, message = { } }) end
        if n == 4 then error("\xff\0\27[31mred") end
        if n == 5 then error(print) end
        if n == 6 then local t = setmetatable({ }, { __index = function(t, k) return t[k] end }) return t.x end
      end }"#;
    let done = Job::new().range(1, 7).processes(1).threads(1).script(script).run();
    done.exit(1).says("1 ok, 6 failed").never_says("CRASH").never_says("\x1b");
}
