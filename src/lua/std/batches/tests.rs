use std::path::Path;

use crate::lua::std::testing::{run_with, state};

fn with_folder(code: &str) {
    let folder = tempfile::TempDir::new().expect("a folder");
    let code = format!("local dir = ... local fs, co, proc = mpms.fs, mpms.co, mpms.proc {code} return true");
    assert!(run_with::<bool>(&state(), &code, folder.path().to_string_lossy().into_owned()));
}

/// Whether this process has it open.
fn is_open(path: &Path) -> bool {
    let open = std::fs::read_dir("/proc/self/fd").expect("a list of descriptors");
    open.flatten().any(|entry| std::fs::read_link(entry.path()).is_ok_and(|one| one == path))
}

/// A fifo with a writer, so that to open it does not wait, and that nothing comes from it.
const FIFO: &str = r#"
    proc.run { "mkfifo", dir .. "/fifo" }
    local writer = proc.spawn { "sh", "-c", 'exec 3<>"$1"; echo open; exec cat >&3', "sh", dir .. "/fifo" }
    assert(writer.stdout:read() == "open")
"#;

#[test]
fn several_coroutines_share_one_iterator() {
    with_folder(
        r#"
        local lines = {}
        for i = 1, 20000 do lines[i] = "line " .. i end
        fs.write(dir .. "/a", table.concat(lines, "\n"))
        for _, make in ipairs {
          function() return fs.lines(dir .. "/a") end,
          function() return mpms.compress.lines(dir .. "/a") end,
          function() return proc.lines { "cat", dir .. "/a" } end,
        } do
          local next, seen, shares = make(), {}, {}
          local count = 0
          co.map({ 1, 2, 3, 4, 5 }, function(me)
            for line in next do
              assert(not seen[line], line)
              seen[line] = true
              count = count + 1
              shares[me] = (shares[me] or 0) + 1
              if count % 100 == 0 then sleep(0) end
            end
            return true
          end, { concurrency = 5 })
          assert(count == #lines and #shares == 5, count)
          assert(next() == nil and next() == nil)
        end
        -- numbers go with the values
        local next, sum = mpms.compress.lines(dir .. "/a"), 0
        co.map({ 1, 2 }, function()
          for line, n in next do
            assert(line == lines[n])
            sum = sum + n
            if n % 10 == 0 then sleep(0) end
          end
          return true
        end)
        assert(sum == #lines * (#lines + 1) // 2)
        "#,
    );
}

#[test]
fn who_waits_beside_another_gets_what_that_one_leaves() {
    with_folder(&format!(
        r#"{FIFO}
        local next, got = fs.lines(dir .. "/fifo"), {{}}
        local readers = {{}}
        for i = 1, 3 do
          readers[i] = co.spawn(function() for line in next do got[#got + 1] = line sleep(0) end end)
        end
        sleep(0)
        assert(#got == 0)
        -- three lines at once, for three that wait
        writer.stdin:write "a\nb\nc\n"
        while #got < 3 do sleep(0.001) end
        writer.stdin:write "d\n"
        while #got < 4 do sleep(0.001) end
        writer.stdin:close() writer:wait()
        for i = 1, 3 do readers[i]:await() end
        assert(table.concat(got) == "abcd", table.concat(got))
        "#
    ));
}

#[test]
fn the_main_one_waits_for_its_turn_and_a_call_that_cannot_yield_is_told() {
    with_folder(&format!(
        r#"{FIFO}
        local next = fs.lines(dir .. "/fifo")
        local reader = co.spawn(function() return next() end)
        sleep(0)
        local sorter = co.spawn(function()
          local e
          table.sort({{ 1, 2 }}, function() local _ _, e = try(next) return false end)
          return e
        end)
        local e = sorter:await()
        assert(e.code == "busy" and e.op == "fs.lines" and e.message == "the iterator is in use by a call that has not returned", e)
        local later = co.spawn(function() sleep(0) writer.stdin:write "one\ntwo\n" end)
        assert(next() == "two" and reader:await() == "one")
        later:await() writer:kill()
        "#
    ));
}

#[test]
fn a_wait_that_was_given_up_ends_the_iterator_with_an_error() {
    with_folder(&format!(
        r#"{FIFO}
        local next = fs.lines(dir .. "/fifo")
        local reader = co.spawn(function() return next() end)
        sleep(0)
        reader:cancel() try(reader.await, reader)
        local _, e = try(next)
        assert(e.code == "invalid" and e.message == "the iterator was left in the middle of a wait", e)
        writer:kill()
        "#
    ));
}

#[test]
fn a_file_is_closed_with_its_loop() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("a");
    std::fs::write(&path, "1\n2\n3\n").expect("written");
    let lua = state();
    for make in [
        "mpms.fs.lines(path)",
        "mpms.compress.lines(path)",
        "mpms.csv.rows(path)",
        "mpms.csv.rows(path, { header = false })",
        "mpms.json.lines(path)",
    ] {
        let at_end = format!("local path = ... next = {make} for _ in next do end return next()");
        assert_eq!(run_with::<Option<bool>>(&lua, &at_end, path.as_path()), None, "{make}");
        assert!(!is_open(&path), "{make} at its end");
    }
    for make in ["mpms.fs.lines(path)", "mpms.compress.lines(path)", "mpms.csv.rows(path)"] {
        let left = format!("local path = ... for _ in {make} do return true end");
        assert!(run_with::<bool>(&lua, &left, path.as_path()));
        assert!(!is_open(&path), "{make} when it is left");
        let by_error =
            format!("local path = ... return pcall(function() for _ in {make} do error 'no' end end)");
        assert!(!run_with::<bool>(&lua, &by_error, path.as_path()));
        assert!(!is_open(&path), "{make} when it is left by an error");
    }
    let dropped =
        "local path = ... for _, e in pairs { mpms.fs.lines(path) } do end collectgarbage() collectgarbage()";
    run_with::<()>(&lua, dropped, path.as_path());
    assert!(!is_open(&path), "the iterator is garbage");
    // what is at hand is still given, then it is at its end
    let after = "local path = ... local next, _, _, loop = mpms.fs.lines(path) next() loop:close() \
                 return table.concat({ next(), next(), tostring(next()) }, ' ')";
    assert_eq!(run_with::<String>(&lua, after, path.as_path()), "2 3 nil");
}

#[test]
fn lines_come_when_they_are_written() {
    with_folder(&format!(
        r#"{FIFO}
        local next = fs.lines(dir .. "/fifo")
        writer.stdin:write "one\ntw" assert(next() == "one")
        writer.stdin:write "o\n\nthree\n" assert(next() == "two" and next() == "" and next() == "three")
        writer.stdin:write "no end" writer.stdin:close() writer:wait()
        assert(next() == "no end" and next() == nil and next() == nil)
        "#
    ));
}
