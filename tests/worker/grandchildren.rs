//! What a task starts ends with it.

use std::time::Instant;

use mpms::model::Value;
use mpms::os::process::is_alive;
use mpms::wire::to_worker::Bounds;

use crate::bench::{Bench, MS, timeout, wait_until};

pub const ALL: &[crate::Case] = &[
    ("results_are_those_of_lua", results_are_those_of_lua),
    ("what_a_task_left_running_ends_with_it", what_a_task_left_running),
    ("what_init_started_stays", what_init_started),
    ("what_a_task_waits_for_ends_at_its_timeout", what_a_task_waits_for),
    ("a_pipe_that_a_grandchild_holds_open_is_not_waited_for", a_pipe_held_open),
];

fn results_are_those_of_lua() {
    let code = r#"
      local function say(...)
        local t = table.pack(...)
        for i = 1, t.n do t[i] = tostring(t[i]) end
        return table.concat(t, " ")
      end
      local file = os.tmpname()
      local kinds = {
        shell = function() return say(os.execute()) end,
        yes = function() return say(os.execute("exit 0")) end,
        no = function() return say(os.execute("exit 7")) end,
        killed = function() return say(os.execute("kill -9 $$")) end,
        read = function()
          local f = io.popen("echo one; echo two; exit 3")
          local a, b = f:read("l", "L")
          return say(a, b == "two\n", f:read("a") == "", io.type(f), f:close()) .. " " .. io.type(f)
        end,
        lines = function() local t = {} for l in io.popen("seq 3"):lines("n") do t[#t + 1] = l end return say(table.unpack(t)) end,
        write = function()
          local f = io.popen("cat > " .. file, "w")
          f:write("some", " ", "words")
          local closed = say(f:close())
          local g = io.open(file)
          local text = g:read("a")
          g:close()
          os.remove(file)
          return closed .. ": " .. text
        end,
        much = function() return #io.popen("head -c 3000000 /dev/zero"):read("a") end,
        broken = function()
          local f = io.popen("exit 1", "w")
          local ok
          for i = 1, 1000 do ok = f:write(("x"):rep(1000)) if not ok then break end end
          return say(ok, f:close())
        end,
        mode = function() io.popen("true", "rw") end,
        unclosed = function() io.popen("seq 3"):read("l") collectgarbage() return "well" end,
      }
      return { worker = function(kind) return kinds[kind]() end }"#;
    let mut bench = Bench::start(code, 1, Bounds::default());
    let cases = [
        ("shell", "true"),
        ("yes", "true exit 0"),
        ("no", "nil exit 7"),
        ("killed", "nil signal 9"),
        ("read", "one true true file nil exit 3 closed file"),
        ("lines", "1 2 3"),
        ("write", "true exit 0: some words"),
        ("broken", "nil nil exit 1"),
        ("unclosed", "well"),
    ];
    for (kind, expected) in cases {
        assert_eq!(bench.values(kind), [Value::text(expected)], "{kind}");
    }
    assert_eq!(bench.values("much"), [Value::Int(3_000_000)]);
    assert_eq!(bench.failure("mode").code, "invalid");
}

const STARTS: &str = r#"
  local function pid(start)
    local f = io.popen(start .. " echo $!")
    return f:read("n"), f
  end
  local kept
  local kinds = {
    background = function() return (pid("sleep 100 >/dev/null &")) end,
    executed = function()
      local name = os.tmpname()
      os.execute("sleep 100 & echo $! > " .. name)
      local n = io.open(name):read("n")
      os.remove(name)
      return n
    end,
    open = function()
      local n, f = pid("sleep 100 >/dev/null &")
      kept = f
      return n
    end,
    closed = function() return tostring(kept:close()) end,
    of_init = function() return Kept end,
    spawned = function() return mpms.proc.spawn({ "sleep", 100 }).pid end,
    looped = function()
      local next = mpms.proc.lines { "sh", "-c", "sleep 100 & echo $!; wait" }
      return tonumber(next())
    end,
    ran = function() return tonumber(mpms.proc.run({ "sh", "-c", "sleep 100 & echo $!" }).stdout) end,
    waited = function() local p = mpms.proc.spawn { "sleep", 100 } print(p.pid) p:wait() end,
    talks = function() local p = mpms.proc.spawn { "sleep", 100 } print(p.pid) p.stdout:read() end,
    waits = function() local f = io.popen("echo $$; sleep 100") print(f:read("n")) f:close() end,
    reads = function() local f = io.popen("echo $$; sleep 100") print(f:read("n")) f:read("a") end,
    held = function() return io.popen("echo said; sleep 100 &"):read("a") end,
    held_close = function() return io.popen("sleep 100 &"):close() end,
  }
  return {
    init = function() Kept = pid("sleep 100 >/dev/null &") end,
    worker = function(kind) return kinds[kind]() end,
  }"#;

fn pid(value: &Value) -> i32 {
    match value {
        Value::Int(pid) => i32::try_from(*pid).expect("a pid"),
        other => panic!("{other:?}"),
    }
}

fn what_a_task_left_running() {
    let mut bench = Bench::start(STARTS, 1, Bounds::default());
    for kind in ["background", "executed", "open", "spawned", "looped", "ran"] {
        let pid = pid(&bench.values(kind)[0]);
        wait_until(&format!("end of what {kind} started"), || !is_alive(pid));
    }
    assert_eq!(bench.values("closed"), [Value::text("nil")], "a handle that outlives its task");
}

fn what_init_started() {
    let mut bench = Bench::start(STARTS, 1, Bounds::default());
    let first = pid(&bench.values("of_init")[0]);
    bench.values("background");
    assert!(is_alive(first));
    bench.stop();
    bench.end();
    wait_until("end of what init started", || !is_alive(first));
}

fn what_a_task_waits_for() {
    // time enough to start a shell and hear of it, also on a machine that is busy
    let mut bench = Bench::start(STARTS, 1, timeout(1_000 * MS));
    for kind in ["waits", "reads", "waited", "talks"] {
        assert_eq!(bench.failure(kind).code, "timeout", "{kind}");
        bench.hear_until(|bench| !bench.lines.is_empty());
        let pid = bench.lines.remove(0).text.parse().expect("a pid");
        wait_until(&format!("end of what {kind} started"), || !is_alive(pid));
    }
}

fn a_pipe_held_open() {
    let mut bench = Bench::start(STARTS, 1, Bounds::default());
    let start = Instant::now();
    assert_eq!(bench.values("held"), [Value::text("said\n")]);
    assert_eq!(bench.values("held_close")[0], Value::Bool(true));
    assert!(start.elapsed().as_secs() < 20);
}
