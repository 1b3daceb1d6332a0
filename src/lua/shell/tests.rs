use mlua::Lua;

use crate::lua::std::testing::{run_with, state};

/// A state with these functions, which loads its code with a folder.
fn with_folder(code: &str) {
    let folder = tempfile::TempDir::new().expect("a folder");
    let lua: Lua = state();
    crate::lua::shell::install(&lua).expect("functions");
    let code = format!("local dir = ... local fs, co, proc = mpms.fs, mpms.co, mpms.proc {code} return true");
    assert!(run_with::<bool>(&lua, &code, folder.path().to_string_lossy().into_owned()));
}

/// Two commands that end only when both are there: each waits for a word of the other, and is started by a coroutine of
/// its own. Where a read blocked the thread, the second would never start.
fn both_wait(read: &str) {
    with_folder(&format!(
        r#"
        proc.run {{ "mkfifo", dir .. "/a", dir .. "/b" }}
        local function talk(mine, other)
          local command = "timeout 20 sh -c 'echo " .. mine .. " > " .. mine .. " & read word < " .. other .. "; echo got $word; exit 3'"
          local f = io.popen("cd '" .. dir .. "' && " .. command)
          {read}
        end
        local one, two = co.spawn(talk, "a", "b"), co.spawn(talk, "b", "a")
        local said = one:await() .. ", " .. two:await()
        assert(said == "got b, got a", said)
        "#
    ));
}

#[test]
fn reads_of_two_coroutines_overlap() {
    both_wait("return f:read()");
    both_wait("return f:read('a'):sub(1, -2)");
    both_wait("return f:read(5)");
    both_wait("local word, last = f:read(3, 'L') return word .. last:sub(1, -2)");
    both_wait("for line in f:lines() do return line end");
    both_wait("for word, last in f:lines(3, 'l') do return word .. last end");
}

#[test]
fn closes_of_two_coroutines_overlap() {
    let close = |close: &str| {
        both_wait(&format!(
            "local text = f:read() local ok, how, status = {close} \
             assert(ok == nil and how == 'exit' and status == 3 and io.type(f) == 'closed file') return text"
        ));
    };
    close("f:close()");
    close("io.close(f)");
    with_folder(
        r#"
        proc.run { "mkfifo", dir .. "/a", dir .. "/b" }
        -- the command of the first ends by that of the second, which starts only when the first lets it
        local function closes(fifo, close)
          local first = co.spawn(function() return close(io.popen("cd '" .. dir .. "' && timeout 20 cat " .. fifo .. " > got; exit 5")) end)
          local second = co.spawn(function() return io.popen("cd '" .. dir .. "' && timeout 20 sh -c 'echo from " .. fifo .. " > " .. fifo .. "'"):close() end)
          local status = first:await()
          assert(second:await() and fs.read(dir .. "/got") == "from " .. fifo .. "\n", fifo)
          return status
        end
        assert(closes("a", function(f) return select(3, f:close()) end) == 5)
        closes("b", function(file) local f <close> = file end)
        local closed
        do local f <close> = io.popen "exit 4" closed = f assert(select(3, f:close()) == 4) end
        assert(io.type(closed) == "closed file")
        local f = io.popen("cat > '" .. dir .. "/c'", "w")
        f:write "some words"
        assert(f:close() and fs.read(dir .. "/c") == "some words")
        "#,
    );
}

/// Each wait that blocks comes back to the one read, and not to a deeper one.
#[test]
fn many_small_pieces_are_read_where_the_thread_blocks() {
    // a stack for fewer levels than there are pieces
    let small = std::thread::Builder::new().stack_size(384 << 10);
    let code = r#"
        -- slow enough for a wait before each
        fs.write(dir .. "/pieces.py", [[
import os, time
for _ in range(6000):
    os.write(1, b"piece")
    then = time.perf_counter() + 0.0001
    while time.perf_counter() < then: pass
]])
        local pieces = "exec python3 '" .. dir .. "/pieces.py'"
        local other = co.spawn(function() while true do sleep(0.001) end end)
        local text
        string.gsub("x", "x", function() text = io.popen(pieces):read "a" end)
        assert(#text == 30000, #text)
        string.gsub("x", "x", function() text = io.popen(pieces):lines()() end)
        assert(#text == 30000, #text)
        other:cancel()
        "#;
    small.spawn(|| with_folder(code)).expect("a thread").join().expect("all is read");
}

#[test]
fn what_is_read_is_what_a_file_gives() {
    with_folder(
        r#"
        local text = "first line\n\n  42 0x1F -3.5e2x rest of it\n7 8\n0xg\n" .. ("long"):rep(5000) .. "\n\0\xff\nlast"
        fs.write(dir .. "/text", text)
        local asked = {
          { }, { "l" }, { "L" }, { "a" }, { 1 }, { 0 }, { 5.0 }, { 7, "l" }, { "l", "L", "n", "n", "n", "l" }, { "*l", "*n" },
          { "l", "l", "n", 3, "a" }, { "n" }, { "l", "l", "l", "n", "n", "n" }, { 100000 }, { "a", "a", "l" }, { "a", 0 },
        }
        local function all(f, how)
          local out = { }
          for round = 1, 6 do
            local got = table.pack(f:read(table.unpack(how)))
            for i = 1, got.n do out[#out + 1] = tostring(got[i]) end
            out[#out + 1] = ";"
          end
          return table.concat(out, "|")
        end
        local function popen(bytes)
          return io.popen("dd bs=" .. bytes .. " if='" .. dir .. "/text' 2>/dev/null")
        end
        for _, how in ipairs(asked) do
          local f = io.open(dir .. "/text")
          local wanted = all(f, how)
          f:close()
          local function check() assert(all(popen(4096), how) == wanted, table.concat(how, " ")) end
          check()
          co.map({ 1, 2 }, function() check() return true end)
        end
        -- lines, with each of the formats, up to the end
        for _, how in ipairs { { }, { "L" }, { "n" }, { 3 }, { 2, "l" } } do
          local wanted = { }
          for a, b in io.lines(dir .. "/text", table.unpack(how)) do wanted[#wanted + 1] = tostring(a) .. tostring(b) end
          co.spawn(function()
            local found = { }
            for a, b in popen(100):lines(table.unpack(how)) do found[#found + 1] = tostring(a) .. tostring(b) end
            assert(table.concat(found, "|") == table.concat(wanted, "|"))
          end):await()
        end
        "#,
    );
}

#[test]
fn a_line_comes_as_soon_as_it_is_there() {
    with_folder(
        r#"
        local ask = proc.spawn { "sh", "-c", 'mkfifo "$1/a"; echo there; exec cat > "$1/a"', "sh", dir }
        assert(ask.stdout:read() == "there")
        local f = io.popen("exec timeout 20 cat '" .. dir .. "/a'")
        local got = { }
        local reader = co.spawn(function()
          got[1] = f:read "n"
          -- the end of the line is behind the number, and looked at already
          got[2] = f:read()
          got[3] = f:read(3)
          got[4] = f:read "L"
          got[5] = f:read "a"
          return f:read "l"
        end)
        local function say(text, count)
          assert(#got < count, #got)
          ask.stdin:write(text)
          while #got < count do assert(reader:status() == "running") sleep(0.001) end
        end
        ask.stdin:write "4" sleep(0)
        assert(#got == 0)
        say("2\n", 2)
        say("abc", 3)
        ask.stdin:write "d" sleep(0)
        say("e\n", 4)
        ask.stdin:write "the rest\nof it" ask.stdin:close() ask:wait()
        assert(reader:await() == nil)
        assert(got[1] == 42 and got[2] == "" and got[3] == "abc" and got[4] == "de\n" and got[5] == "the rest\nof it")
        "#,
    );
}

#[test]
fn two_coroutines_that_read_one_file_get_a_line_each() {
    with_folder(
        r#"
        local f = io.popen "seq 20000"
        local count, sum = 0, 0
        co.map({ 1, 2, 3 }, function(me)
          for n in f:lines "n" do
            count, sum = count + 1, sum + n
            if n % 100 == me then sleep(0) end
          end
          return true
        end)
        assert(count == 20000 and sum == 20000 * 20001 // 2, count)
        assert(f:close())
        "#,
    );
}

#[test]
fn a_wait_that_is_given_up_loses_nothing_and_errors_are_those_of_the_library() {
    with_folder(
        r#"
        local ask = proc.spawn { "sh", "-c", 'mkfifo "$1/a"; echo there; exec cat > "$1/a"', "sh", dir }
        assert(ask.stdout:read() == "there")
        local f = io.popen("exec timeout 20 cat '" .. dir .. "/a'")
        ask.stdin:write "one\ntw"
        co.spawn(function() assert(f:read() == "one") end):await()
        local _, e = try(co.timeout, "20ms", f.read, f) assert(e.code == "timeout", e)
        ask.stdin:write "o\n"
        co.spawn(function() assert(f:read() == "two") end):await()
        local function message(...) local ok, e = pcall(...) assert(not ok) return e end
        co.spawn(function()
          assert(message(function() f:read "x" end):find "bad argument #1 to 'read' %(invalid format%)")
          assert(not pcall(f.read, f, -1))
          assert(message(function() f:read(1.5) end):find "number has no integer representation")
          assert(message(function() f.read() end):find "FILE%*")
          local waiting = co.spawn(function() return pcall(f.read, f) end)
          sleep(0)
          ask.stdin:close() ask:wait()
          local next = f:lines()
          assert(f:close())
          local ok, e = waiting:await()
          assert(ok and e == nil or e:find "closed file", e)
          assert(message(function() f:read() end):find "attempt to use a closed file")
          assert(message(next):find "file is already closed")
          assert(message(function() f:close() end):find "attempt to use a closed file")
          assert(tostring(f) == "file (closed)")
          local w = io.popen("cat", "w")
          local none, why, number = w:read()
          assert(none == nil and why:find "Bad file descriptor" and number == 9)
          assert(w:close())
          -- other files are as they were
          local file = io.open(dir .. "/x", "w")
          assert(file:write("a\nb") == file and file:close() == true)
          for line in io.lines(dir .. "/x") do assert(line == "a") break end
          assert(message(function() io.open(dir .. "/x"):lines "z" () end):find "invalid format")
        end):await()
        "#,
    );
}
