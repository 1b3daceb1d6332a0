use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::flow::{Drain, Enough, Keep};

use crate::lua::started;
use crate::lua::std::testing::{fails, run, run_with, state};
use crate::os::process::is_alive;

/// Runs `code` with `proc`, a folder `dir` and `check(condition, what)`.
fn with(code: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let code = format!("local dir = ... local proc = require 'mpms.proc' {code}");
    run_with::<()>(&state(), &code, folder.path().to_string_lossy().into_owned());
    folder
}

fn wait_until_dead(pid: i32) {
    let start = Instant::now();
    while is_alive(pid) {
        assert!(start.elapsed() < Duration::from_secs(10), "process {pid} is still alive");
        std::thread::yield_now();
    }
}

#[test]
fn a_command_gives_its_status_its_output_and_what_it_used() {
    with(
        r##"
        local r = proc.run { "sh", "-c", "echo out; echo err >&2" }
        assert(r.ok == true and r.code == 0 and r.signal == nil and r.stdout == "out\n" and r.stderr == "err\n")
        assert(r.elapsed > 0 and r.elapsed < 60 and r.max_rss > 100000, r.max_rss)
        r = proc.run({ "sh", "-c", "exit 3" }, { check = false })
        assert(r.ok == false and r.code == 3 and r.signal == nil)
        r = proc.run({ "sh", "-c", "kill -9 $$" }, { check = false })
        assert(r.ok == false and r.code == nil and r.signal == 9)
        r = proc.run({ "sh", "-c", "kill -40 $$" }, { check = false })
        assert(r.signal == 40)
        assert(proc.run({ "printf", "%s|", 1, 2.5, "a b", "" }).stdout == "1|2.5|a b||")
        assert(proc.run({ "printf", "\\000\\377" }).stdout == "\0\xff")
        assert(proc.run("echo $((1 + 1)) | tr 2 3", { shell = true }).stdout == "3\n")
        "##,
    );
}

#[test]
fn a_failure_raises_with_its_last_words() {
    let lua = state();
    let e = fails(&lua, "mpms.proc.run { 'sh', '-c', 'echo first >&2; echo the last >&2; exit 3' }");
    assert_eq!((e.code.as_str(), e.status, e.retryable), ("exit_status", Some(3), true));
    assert_eq!(e.cmd.as_deref(), Some("sh -c 'echo first >&2; echo the last >&2; exit 3'"));
    assert!(e.message.ends_with(": exit status 3: the last"), "{}", e.message);
    let e = fails(&lua, "mpms.proc.run('kill -9 $$', { shell = true })");
    assert_eq!((e.code.as_str(), e.status), ("exit_status", None));
    assert_eq!(e.message, "proc.run kill -9 $$: ended by SIGKILL");
    let kept: (usize, bool) = run(
        &lua,
        "local _, e = try(mpms.proc.run, { 'sh', '-c', 'yes | head -c 100000 >&2; printf end >&2; exit 1' }) \
         return #e.stderr, e.stderr:sub(-4) == '\\nend'",
    );
    assert_eq!(kept, (4096, true));
    let cmd = fails(&lua, "mpms.proc.run { 'sh', '-c', 'exit 3', ('ž'):rep(300) }").cmd.unwrap_or_default();
    assert!(cmd.starts_with("sh -c 'exit 3' 'žž") && cmd.ends_with("ž…"), "{cmd}");
    assert_eq!(cmd.chars().count(), 201);
}

#[test]
fn what_an_error_cuts_is_not_cut_within_a_secret() {
    let secret = "Hq4vTz8wRk2p";
    let env = [("PROC_TEST_TOKEN".to_owned(), secret.to_owned())];
    crate::os::secrets::fetch(&env, b"PROC_TEST_TOKEN").expect("it can be hidden");
    let lua = state();
    for shift in 0..14 {
        // the command is cut behind 200 characters, what it said last to 4 KiB
        let code = format!(
            "local said = ('{secret}_'):rep(1000) .. ('y'):rep({shift}) \
             local argv = {{ 'sh', '-c', 'cat >&2; exit 1', ('x'):rep({shift} + 160), '{secret}{secret}' }} \
             mpms.proc.run(argv, {{ stdin = said }})"
        );
        let mut e = fails(&lua, &code);
        let stderr: String = run(&lua, &format!("local _, e = try(function() {code} end) return e.stderr"));
        assert!(stderr.len() > 4000 && e.message.len() > 4000, "{}", e.message.len());
        for text in [&mut e.message, e.cmd.as_mut().expect("a command"), &mut stderr.clone()] {
            crate::os::secrets::scrub(text);
            let part = secret
                .as_bytes()
                .windows(3)
                .find(|part| text.as_bytes().windows(part.len()).any(|window| window == *part));
            assert_eq!(part, None, "{shift}: {text}");
        }
    }
}

#[test]
fn what_cannot_be_started_is_told() {
    let folder = with(
        r##"
        local function raised(...) local _, e = try(...) return e end
        local e = raised(proc.run, { "no-such-program" })
        assert(e.code == "not_found" and e.cmd == "no-such-program" and not e.retryable, e)
        assert(e.message:find("is not a program in PATH (" .. os.getenv("PATH") .. ")", 1, true), e)
        e = raised(proc.run, { "no-such-program" }, { env = { PATH = "/just/here" } })
        assert(e.message:find("PATH (/just/here)", 1, true), e)
        e = raised(proc.run, { dir .. "/none" }) assert(e.code == "not_found" and e.message:find "no such file", e)
        e = raised(proc.run, { "ls" }, { cwd = dir .. "/none" }) assert(e.code == "not_found" and e.path == dir .. "/none", e)
        mpms.fs.write(dir .. "/text", "no program") e = raised(proc.run, { dir .. "/text" })
        assert(e.code == "permission" and e.message:find "chmod", e)
        mpms.fs.write(dir .. "/script", "#!/no/interpreter\n", { mode = "755" })
        e = raised(proc.run, { dir .. "/script" }) assert(e.code == "not_found" and e.message:find "interpreter", e)
        e = raised(proc.run, { dir }) assert(e.code == "permission", e)
        e = raised(proc.run, { "true", ("x"):rep(300000) }) assert(e.code == "too_large" and not e.retryable, e)
        for _, f in ipairs { proc.run, proc.lines, proc.spawn } do
          e = raised(f, "ls -l") assert(e.code == "invalid" and e.message:find "shell = true", e)
          e = raised(f, {}) assert(e.code == "invalid" and e.message:find "name of a program", e)
          e = raised(f, { "ls", {} }) assert(e.code == "invalid" and e.message:find "word 2", e)
          e = raised(f, { "ls", "a\0b" }) assert(e.code == "invalid" and e.message:find "zero", e)
          e = raised(f, { "ls", nil, "x" }) assert(e.code == "invalid" and e.message:find "holes", e)
          e = raised(f, { "ls" }, { shell = true }) assert(e.code == "invalid" and e.message:find "text for the shell", e)
          e = raised(f, { "ls" }, { timout = 1 }) assert(e.message:find "did you mean `timeout`", e)
          e = raised(f, { "ls" }, { env = { ["a=b"] = "x" } }) assert(e.message:find "a=b", e)
          e = raised(f, { "ls" }, { stdin = 5 }) assert(e.message:find "stdin", e)
          e = raised(f, { "ls" }, { stdin = { file = "x" } }) assert(e.message:find "unknown option `file`", e)
          e = raised(f, { "ls" }, { stdin = { path = dir .. "/none" } }) assert(e.code == "not_found" and e.path, e)
          e = raised(f, { "ls" }, { stderr = dir .. "/none/x" }) assert(e.code == "not_found" and e.path, e)
          e = raised(f, { "ls" }, { nice = 100 }) assert(e.message:find "nice", e)
        end
        e = raised(proc.lines, { "ls" }, { capture = false }) assert(e.code == "invalid")
        e = raised(proc.lines, { "ls" }, { stdout = "x" }) assert(e.code == "invalid")
        "##,
    );
    assert!(!folder.path().join("x").exists());
}

#[test]
fn input_output_and_surroundings_are_as_asked() {
    with(
        r##"
        local big = ("0123456789abcdef"):rep(200000)
        assert(proc.run({ "cat" }, { stdin = big }).stdout == big)
        assert(proc.run({ "cat" }).stdout == "" and proc.run({ "cat" }, { stdin = "" }).stdout == "")
        assert(proc.run({ "true" }, { stdin = big }).ok and proc.run({ "head", "-c1" }, { stdin = big }).stdout == "0")
        mpms.fs.write(dir .. "/in", "from a file")
        assert(proc.run({ "cat" }, { stdin = { path = dir .. "/in" } }).stdout == "from a file")
        local r = proc.run({ "sh", "-c", "echo a; echo b >&2; echo c" }, { stderr = "merge" })
        assert(r.stdout == "a\nb\nc\n" and r.stderr == nil)
        r = proc.run({ "sh", "-c", "echo a; echo b >&2" }, { stdout = dir .. "/out", stderr = dir .. "/err" })
        assert(r.stdout == nil and r.stderr == nil and mpms.fs.read(dir .. "/out") == "a\n" and mpms.fs.read(dir .. "/err") == "b\n")
        proc.run({ "sh", "-c", "echo a; echo b >&2" }, { stdout = dir .. "/out", stderr = "merge" })
        assert(mpms.fs.read(dir .. "/out") == "a\nb\n")
        r = proc.run({ "true" }, { capture = false }) assert(r.ok and r.stdout == nil and r.stderr == nil)
        assert(proc.run({ "pwd" }, { cwd = dir }).stdout == proc.run({ "realpath", dir }).stdout)
        assert(proc.run({ "sh", "-c", "echo $A $B" }, { env = { A = "x", B = 5 } }).stdout == "x 5\n")
        assert(proc.run({ "sh", "-c", "echo ${HOME-none}" }, { env = { HOME = false } }).stdout == "none\n")
        local env = proc.run({ "/usr/bin/env" }, { clear_env = true, env = { A = "x" } }).stdout
        assert(env == "A=x\n", env)
        local own = tonumber(proc.run({ "nice" }).stdout)
        assert(tonumber(proc.run({ "nice" }, { nice = 7 }).stdout) == math.min(own + 7, 19))
        assert(proc.run({ "sh", "-c", "ulimit -v" }, { memory = "512MiB" }).stdout == "524288\n")
        local _, e = try(proc.run, { "python3", "-c", "x = bytearray(1 << 30)" }, { memory = "512MiB" })
        assert(e.code == "exit_status" and e.stderr:find "MemoryError", e)
        "##,
    );
}

#[test]
fn one_that_hangs_is_asked_to_end_and_then_killed() {
    let lua = state();
    let start = Instant::now();
    let e = fails(&lua, "mpms.proc.run({ 'sleep', '1000' }, { timeout = '50ms' })");
    assert_eq!((e.code.as_str(), e.retryable), ("timeout", true));
    assert_eq!(e.message, "proc.run sleep 1000: has not ended within 50ms, and was killed");
    // it may clean up
    let said: String = run(
        &lua,
        "local dir = mpms.fs.temp_dir() \
         local _, e = try(mpms.proc.run, { 'sh', '-c', 'trap \"echo bye >&2; exit 4\" TERM; echo > ' .. dir .. \
           '/ready; sleep 1000 & wait' }, { timeout = '1s' }) \
         assert(e.code == 'timeout') return e.stderr",
    );
    assert_eq!(said, "bye\n");
    // and that may take a while
    let said: String = run(
        &lua,
        "local _, e = try(mpms.proc.run, { 'sh', '-c', 'trap \"sleep 0.3; echo late >&2; exit\" TERM; sleep 1000 & wait' }, \
           { timeout = '1s', grace = '1m' }) return e.stderr",
    );
    assert_eq!(said, "late\n");
    let pid: String = run(
        &lua,
        "local path = mpms.fs.temp_file() \
         local _, e = try(mpms.proc.run, { 'sh', '-c', 'trap \"\" TERM; sleep 1000 & echo $! > ' .. path .. \
           '; wait; wait' }, { timeout = '1s', grace = '50ms', check = false }) \
         assert(e.code == 'timeout', e) return mpms.fs.read(path)",
    );
    wait_until_dead(pid.trim().parse().expect("a pid"));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_flood_is_refused_and_its_group_killed() {
    let lua = state();
    for code in [
        "mpms.proc.run({ 'yes' }, { max_output = '1MiB' })",
        "mpms.proc.run({ 'sh', '-c', 'yes >&2' }, { max_output = '1MiB' })",
        "mpms.proc.run({ 'sh', '-c', 'yes & wait' }, { max_output = '1MiB' })",
        "mpms.proc.pipe({ { 'yes' }, { 'cat' } }, { max_output = '1MiB' })",
        "for line in mpms.proc.lines({ 'cat', '/dev/zero' }, { max_output = '1MiB' }) do end",
        "mpms.proc.spawn({ 'yes' }, { max_output = '1MiB' }).stdout:read('a')",
        "mpms.proc.spawn({ 'yes' }, { max_output = '1MiB' }):wait()",
    ] {
        let e = fails(&lua, code);
        assert_eq!(e.code, "too_large", "{code}: {}", e.message);
        assert!(e.message.contains("1.0 MiB") && e.message.contains("max_output"), "{}", e.message);
        assert!(e.cmd.is_some());
    }
    assert_eq!(
        run::<usize>(&lua, "return #mpms.proc.run({ 'head', '-c', 1 << 24, '/dev/zero' }).stdout"),
        1 << 24
    );
    assert_eq!(fails(&lua, "mpms.proc.run { 'head', '-c', (1 << 24) + 1, '/dev/zero' }").code, "too_large");
}

#[test]
fn what_a_command_leaves_behind_ends_with_it_and_hangs_nobody() {
    let lua = state();
    let start = Instant::now();
    let pid: String = run(&lua, "return mpms.proc.run({ 'sh', '-c', 'sleep 1000 & echo $!' }).stdout");
    wait_until_dead(pid.trim().parse().expect("a pid"));
    let pid: String = run(
        &lua,
        "local all = {} for line in mpms.proc.lines({ 'sh', '-c', 'sleep 1000 & echo $!; printf x' }) do all[#all + 1] = line end \
         assert(#all == 2 and all[2] == 'x') return all[1]",
    );
    wait_until_dead(pid.trim().parse().expect("a pid"));
    // one that has left the group holds the pipe open
    let pid: String = run(
        &lua,
        "return mpms.proc.run({ 'sh', '-c', 'setsid sleep 1000 & echo $!; \
           while [ \"$(ps -o sid= -p $! | tr -d \" \")\" != $! ]; do :; done' }).stdout",
    );
    let pid = pid.trim().to_owned();
    assert!(is_alive(pid.parse().expect("a pid")));
    run::<()>(&lua, &format!("mpms.proc.run {{ 'kill', '-9', '{pid}' }}"));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn what_runs_on_behind_the_end_is_killed_before_anybody_waits() {
    let lua = state();
    let flood: i32 = run(
        &lua,
        "P = mpms.proc.spawn({ 'yes' }, { max_output = '1MiB' }) try(function() P.stdout:read('a') end) return P.pid",
    );
    wait_until_dead(flood);
    let left: String =
        run(&lua, "Q = mpms.proc.spawn { 'sh', '-c', 'sleep 1000 & echo $!' } return Q.stdout:read('a')");
    wait_until_dead(left.trim().parse().expect("a pid"));
}

#[test]
fn a_writer_that_never_pauses_is_not_read_for_ever() {
    // as a pipe that somebody outside of the group keeps full
    let endless = std::fs::File::open("/dev/zero").expect("it opens");
    let mut drain = Drain::new(endless, Keep::All, 4 << 20, "standard output").expect("it can be read");
    drain.finish(Enough::End).expect("less than the limit");
    assert!((1 << 20..2 << 20).contains(&drain.left().len()), "{}", drain.left().len());
    assert!(drain.is_at_end());
}

#[test]
fn lines_come_while_it_runs() {
    with(
        r##"
        local all = {}
        for line in proc.lines { "printf", "a\\n\\nb\\000\\n last" } do all[#all + 1] = line end
        assert(#all == 4 and all[1] == "a" and all[2] == "" and all[3] == "b\0" and all[4] == " last")
        local n = 0
        for line in proc.lines { "seq", 200000 } do n = n + 1 assert(line == tostring(n)) end
        assert(n == 200000)
        -- the first line is there long before the end
        for line in proc.lines { "sh", "-c", "echo now; exec sleep 1000" } do assert(line == "now") break end
        local _, e = try(function() for line in proc.lines { "sh", "-c", "echo x; echo why >&2; exit 2" } do n = line end end)
        assert(n == "x" and e.code == "exit_status" and e.status == 2 and e.stderr == "why\n" and e.op == "proc.lines", e)
        for line in proc.lines({ "sh", "-c", "echo x; exit 2" }, { check = false }) do n = line end
        _, e = try(function() for _ in proc.lines({ "sleep", 1000 }, { timeout = "30ms" }) do end end)
        assert(e.code == "timeout", e)
        -- its output may end before it does
        _, e = try(function() for _ in proc.lines { "sh", "-c", "exec >&-; sleep 0.1; exit 5" } do end end)
        assert(e.status == 5, e)
        local next = proc.lines { "true" }
        assert(next() == nil and next() == nil)
        n = 0
        for line in proc.lines({ "sh", "-c", "seq 3; cat" }, { stdin = "x\ny", stderr = "merge" }) do n = n + 1 end
        assert(n == 5)
        "##,
    );
}

#[test]
fn leaving_a_loop_ends_the_command() {
    let lua = state();
    let pid: i32 = run(
        &lua,
        "for line in mpms.proc.lines { 'sh', '-c', 'echo $$; exec sleep 1000' } do return tonumber(line) end",
    );
    assert!(!is_alive(pid), "it was reaped");
}

#[test]
fn a_script_talks_with_a_command() {
    with(
        r##"
        local p = proc.spawn { "cat" }
        assert(math.type(p.pid) == "integer" and p.pid > 1)
        assert(p.stdin:write("one\ntwo\n") == true)
        assert(p.stdout:read() == "one" and p.stdout:read("L") == "two\n")
        p.stdin:write("three") p.stdin:close()
        assert(p.stdin:write("more") == false)
        assert(p.stdout:read(2) == "th" and p.stdout:read("a") == "ree" and p.stdout:read("a") == "" and p.stdout:read() == nil)
        local r = p:wait()
        assert(r.ok and r.stdout == "" and p:signal() == nil and p:wait().ok and p:kill() == false)
        -- what was not read is in the result
        r = proc.spawn({ "sh", "-c", "echo a; echo b >&2; cat" }):wait()
        assert(r.stdout == "a\n" and r.stderr == "b\n")
        local all = {}
        p = proc.spawn { "sh", "-c", "seq 3; seq 5 >&2" }
        for line in p.stderr:lines() do all[#all + 1] = line end
        for line in p.stdout:lines() do all[#all + 1] = line end
        assert(table.concat(all, " ") == "1 2 3 4 5 1 2 3") p:wait()
        -- a full pipe on the other side does not stop it
        p = proc.spawn { "sh", "-c", "head -c 1000000 /dev/zero >&2; echo done" }
        assert(p.stdout:read() == "done" and #p:wait().stderr == 1000000)
        -- as long as there is room for it
        p = proc.spawn({ "sh", "-c", "head -c 3000000 /dev/zero >&2; echo done" }, { max_output = "1MiB", timeout = "300ms" })
        local line = try(function() return p.stdout:read() end) assert(line == nil, "it was read without a bound")
        p = proc.spawn { "cat" }
        local big = ("x"):rep(1000000)
        assert(p.stdin:write(big) and p.stdin:write(big)) p.stdin:close() assert(#p.stdout:read("a") == 2000000)
        p = proc.spawn { "true" } p.stdout:read("a") assert(p.stdin:write(big) == false and p.stdin:write("x") == false)
        p = proc.spawn({ "cat" }, { stdin = "given", stderr = "merge" })
        assert(p.stdin == nil and p.stderr == nil and p.stdout:read("a") == "given")
        "##,
    );
}

#[test]
fn a_command_can_be_killed() {
    with(
        r##"
        local p = proc.spawn { "sleep", 1000 }
        assert(p:signal() == nil and p:kill() == true)
        local r = p:wait() assert(r.signal == 15 and r.ok == false and p:signal() == 15)
        p = proc.spawn { "sleep", 1000 } p:kill("KILL") assert(p:wait().signal == 9)
        -- not SIGINT and SIGHUP, which are ignored in the background and below nohup
        p = proc.spawn { "sleep", 1000 } p:kill("SIGUSR1") assert(p:wait().signal == 10)
        p = proc.spawn { "sleep", 1000 } p:kill(12) assert(p:wait().signal == 12)
        for _, bad in ipairs { "NONE", 0, 77, {} } do
          local _, e = try(function() p:kill(bad) end) assert(e.code == "invalid" and e.message:find "signal", e)
        end
        -- one that failed by itself raises
        p = proc.spawn { "sh", "-c", "echo no >&2; exit 3" }
        local _, e = try(function() p:wait() end) assert(e.status == 3 and e.stderr == "no\n", e)
        assert(proc.spawn({ "false" }, { check = false }):wait().code == 1)
        _, e = try(function() proc.spawn({ "sleep", 1000 }, { timeout = "30ms" }):wait() end) assert(e.code == "timeout", e)
        _, e = try(function() proc.spawn({ "true" }).stdout:read("x") end) assert(e.code == "invalid", e)
        _, e = try(function() proc.spawn({ "true" }).stdout:read(-1) end) assert(e.code == "invalid", e)
        _, e = try(function() p:wiat() end) assert(e.message:find "did you mean `wait`", e)
        "##,
    );
}

#[test]
fn what_a_task_started_ends_with_it() {
    let lua = state();
    let (waited, left, looped): (i32, i32, i32) = run(
        &lua,
        "A = mpms.proc.spawn { 'sleep', 1000 } B = mpms.proc.spawn { 'sleep', 1000 } B:kill() B:wait() \
         Next = mpms.proc.lines { 'sh', '-c', 'echo $$; exec sleep 1000' } \
         return B.pid, A.pid, tonumber((Next()))",
    );
    assert!(!is_alive(waited) && is_alive(left) && is_alive(looped));
    started::end_all();
    assert!(!is_alive(left) && !is_alive(looped));
    assert_eq!(run::<(Option<i32>, bool)>(&lua, "return A:signal(), A:kill()"), (Some(9), false));
    assert_eq!(run::<i32>(&lua, "local r = try(A.wait, A) return A:signal()"), 9);
    let e = fails(&lua, "for line in Next do end");
    assert_eq!(e.code, "exit_status");
}

#[test]
fn commands_work_together() {
    with(
        r##"
        local r = proc.pipe { { "printf", "b\\na\\nc\\n" }, { "sort" }, { "head", "-n2" } }
        assert(r.ok and r.stdout == "a\nb\n" and r.stderr == "")
        assert(proc.pipe({ { "cat" }, { "wc", "-c" } }, { stdin = ("x"):rep(1000000) }).stdout:find "1000000")
        assert(proc.pipe({ { "yes" }, { "head", "-n1" } }).stdout == "y\n")
        local _, e = try(proc.pipe, { { "sh", "-c", "echo bad >&2; exit 3" }, { "cat" } })
        assert(e.code == "exit_status" and e.status == 3 and e.cmd:find("^sh %-c") and e.stderr == "bad\n", e)
        r = proc.pipe({ { "sh", "-c", "exit 3" }, { "cat" } }, { check = false }) assert(not r.ok and r.code == 3)
        _, e = try(proc.pipe, { { "true" }, { "sh", "-c", "echo worse >&2; exit 4" } })
        assert(e.status == 4 and e.cmd:find("exit 4", 1, true) and e.stderr == "worse\n", e)
        _, e = try(proc.pipe, { { "true" }, { "sh", "-c", "kill -PIPE $$" } })
        assert(e.code == "exit_status" and e.message:find "SIGPIPE", e)
        _, e = try(proc.pipe, { { "yes" }, { "no-such-program" } })
        assert(e.code == "not_found" and e.cmd == "no-such-program", e)
        _, e = try(proc.pipe, { { "sleep", 1000 }, { "true" } }, { timeout = "50ms" })
        assert(e.code == "timeout" and e.cmd == "sleep 1000 | true", e)
        proc.pipe({ { "sh", "-c", "echo a >&2; echo b" }, { "cat" } }, { stdout = dir .. "/o", stderr = "merge" })
        local o = mpms.fs.read(dir .. "/o") assert(o == "a\nb\n", o)
        r = proc.pipe({ { "sh", "-c", "echo a >&2" }, { "sh", "-c", "cat; echo b >&2" } }, { stderr = "merge" })
        assert(r.stdout == "a\nb\n" and r.stderr == nil)
        proc.pipe({ { "sh", "-c", "echo a >&2" }, { "sh", "-c", "cat; echo b >&2" } }, { stderr = dir .. "/e" })
        assert(#mpms.fs.read(dir .. "/e") == 4)
        for _, bad in ipairs { {}, { "ls" }, { {} } } do
          _, e = try(proc.pipe, bad) assert(e.code == "invalid", e)
        end
        _, e = try(proc.pipe, { { "ls" } }, { shell = true }) assert(e.message:find "unknown option `shell`", e)
        "##,
    );
}

#[test]
fn words_for_a_shell() {
    with(
        r##"
        local words = { "a", "", "it's", "x y", "$HOME", "`id`", "*", "a\nb", '"', "\\", "-n", "ü", "#x", "~", "!" }
        local back = proc.split(proc.quote(words))
        assert(#back == #words) for i, word in ipairs(words) do assert(back[i] == word, word) end
        local said = proc.run("printf '%s|' " .. proc.quote(words), { shell = true }).stdout
        assert(said == table.concat(words, "|") .. "|", said)
        assert(proc.quote("a b") == "'a b'" and proc.quote { "ls", 1 } == "ls 1" and proc.quote {} == "")
        assert(#proc.split "" == 0 and proc.split("a 'b c' \"d\\\"e\" f\\ g")[4] == "f g")
        for _, bad in ipairs { "'a", '"a', "a\\" } do
          local _, e = try(proc.split, bad) assert(e.code == "parse", e)
        end
        local _, e = try(proc.quote, "a\0b") assert(e.code == "invalid")
        _, e = try(proc.quote, 5) assert(e.code == "invalid")
        assert(proc.which "sh" and proc.which "/bin/sh" == "/bin/sh" and proc.which "no-such-program" == nil)
        assert(proc.which(dir) == nil and proc.which "" == nil)
        assert(proc.run({ "sh", "-c", "command -v ls" }).stdout == proc.which "ls" .. "\n")
        "##,
    );
}

#[test]
fn hundreds_of_coroutines_wait_for_theirs_at_once() {
    let start = Instant::now();
    run::<()>(
        &state(),
        "local list = {} for i = 1, 200 do list[i] = i end \
         local out = mpms.co.map(list, function(i) \
           return mpms.proc.run({ 'sh', '-c', 'sleep 0.5; echo ' .. i }).stdout end, { concurrency = 200 }) \
         for i = 1, 200 do assert(out[i] == i .. '\\n') end",
    );
    assert!(
        start.elapsed() < Duration::from_secs(80),
        "one after another it were 100 s: {:?}",
        start.elapsed()
    );
}

#[test]
fn a_wait_that_is_cancelled_kills_the_command() {
    let pid: String = run(
        &state(),
        "local path = mpms.fs.temp_file() \
         local h = mpms.co.spawn(function() mpms.proc.run { 'sh', '-c', 'echo $$ > ' .. path .. '; exec sleep 1000' } end) \
         repeat sleep(0.01) until #mpms.fs.read(path) > 1 \
         h:cancel() try(h.await, h) return mpms.fs.read(path)",
    );
    assert!(!is_alive(pid.trim().parse().expect("a pid")));
}

#[test]
fn a_process_object_is_shared_between_coroutines() {
    with(
        r##"
        local p = proc.spawn { "cat" }
        local reader = mpms.co.spawn(function() return p.stdout:read() end)
        sleep(0.02)
        local _, e = try(function() p.stdout:read() end) assert(e.code == "busy", e)
        p.stdin:write("hello\n") assert(reader:await() == "hello")
        local waiter = mpms.co.spawn(function() return p:wait() end)
        sleep(0.02) p:kill() local r = waiter:await() assert(r.ok or r.signal == 15)
        "##,
    );
}
