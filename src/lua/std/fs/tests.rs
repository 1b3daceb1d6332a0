use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use crate::lua::std::testing::{fails, run, run_with, state};

fn with_folder(code: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let lua = state();
    let code = format!("local dir = ... local fs = require 'mpms.fs' {code}");
    run_with::<()>(&lua, &code, folder.path().to_string_lossy().into_owned());
    folder
}

#[test]
fn contents_are_bytes_and_come_back() {
    with_folder(
        r#"
        local p = dir .. "/a"
        fs.write(p, "\0\xff\n\r\n") assert(fs.read(p) == "\0\xff\n\r\n")
        fs.append(p, "x") assert(fs.read(p) == "\0\xff\n\r\nx")
        local n, all = 0, {}
        for line in fs.lines(p) do n = n + 1 all[n] = line end
        assert(n == 3 and all[1] == "\0\xff" and all[2] == "\r" and all[3] == "x")
        fs.truncate(p, 2) assert(fs.read(p) == "\0\xff") fs.truncate(p) assert(fs.read(p) == "")
        local _, e = try(fs.read, dir .. "/none")
        assert(e.code == "not_found" and e.op == "fs.read" and e.path == dir .. "/none" and not e.retryable)
        assert(tostring(e) == "fs.read " .. dir .. "/none: no such file or directory", tostring(e))
        _, e = try(fs.read, dir) assert(e.code == "is_directory")
        _, e = try(fs.write, dir .. "/x/y", "") assert(e.code == "not_found")
        _, e = try(fs.write, dir .. "/x", "", { mkdri = true })
        assert(e.message == "unknown option `mkdri`; did you mean `mkdir`?")
        _, e = try(fs.write, dir .. "/x", "", { mode = 644 }) assert(e.code == "invalid")
        "#,
    );
}

#[test]
fn a_write_replaces_whole_files_and_keeps_mode_and_link() {
    let folder = with_folder(
        r#"
        fs.write(dir .. "/deep/er/a", "1", { mkdir = true, mode = "640", sync = true })
        assert(fs.stat(dir .. "/deep/er/a").mode == "640")
        fs.write(dir .. "/deep/er/a", "2") assert(fs.stat(dir .. "/deep/er/a").mode == "640")
        fs.symlink("deep/er/a", dir .. "/l")
        fs.write(dir .. "/l", "3")
        assert(fs.read(dir .. "/deep/er/a") == "3" and fs.stat(dir .. "/l", { follow = false }).type == "link")
        fs.write(dir .. "/plain", "4", { atomic = false }) assert(fs.read(dir .. "/plain") == "4")
        fs.write("/dev/null", "gone")
        assert(#fs.list(dir .. "/deep/er") == 1)
        "#,
    );
    let mode = std::fs::metadata(folder.path().join("plain")).expect("there").permissions().mode();
    assert_eq!(mode & 0o600, 0o600);
}

#[test]
fn facts_about_files() {
    with_folder(
        r#"
        assert(fs.stat(dir .. "/none") == nil and fs.exists(dir) and not fs.exists(dir .. "/none/x"))
        fs.touch(dir .. "/t", { mtime = 1000.5 })
        local s = fs.stat(dir .. "/t")
        assert(s.mtime == 1000.5 and s.size == 0 and s.type == "file" and math.type(s.uid) == "integer")
        fs.touch(dir .. "/t") assert(fs.stat(dir .. "/t").mtime > 1e9)
        fs.chmod(dir .. "/t", "600") assert(fs.stat(dir .. "/t").mode == "600")
        assert(fs.is_file(dir .. "/t") and not fs.is_dir(dir .. "/t") and fs.is_dir(dir))
        fs.link(dir .. "/t", dir .. "/t2") assert(fs.stat(dir .. "/t2").nlink == 2)
        local _, e = try(fs.link, dir .. "/t", dir .. "/t2") assert(e.code == "exists")
        "#,
    );
}

#[test]
fn folders_are_listed_walked_and_removed() {
    with_folder(
        r#"
        for _, p in ipairs { "b/2.txt", "b/1.txt", "b/c/3.md", "a.txt", ".hidden/x.txt", "out/skip.txt", ".gitignore" } do
          fs.write(dir .. "/" .. p, p == ".gitignore" and "out/\n" or "", { mkdir = true })
        end
        assert(table.concat(fs.list(dir), " ") == ".gitignore .hidden a.txt b out")
        local function all(o, d)
          local t = {}
          for p, kind in fs.walk(d or dir, o) do t[#t + 1] = p:sub(#dir + 2) .. (kind == "dir" and "/" or "") end
          return table.concat(t, " ")
        end
        assert(all() == "a.txt b/1.txt b/2.txt b/c/3.md", all())
        assert(all { glob = "*.txt" } == "a.txt b/1.txt b/2.txt")
        assert(all { glob = { "b/*.txt", "*.md" } } == "b/1.txt b/2.txt b/c/3.md")
        assert(all { type = "dir" } == "b/ b/c/" and all { depth = 1 } == "a.txt")
        assert(all { ignore = false, glob = "skip*" } == "out/skip.txt" and all({}, dir .. "/out") == "out/skip.txt")
        assert(all { hidden = true, glob = "x.txt" } == ".hidden/x.txt")
        local _, e = try(fs.walk, dir, { type = "fil" }) assert(e.message:find "did you mean `file`")
        _, e = try(fs.walk, dir .. "/none") assert(e.code == "not_found")
        local g = fs.glob(dir .. "/**/*.{txt,md}")
        assert(#g == 5 and g[1] == dir .. "/a.txt" and g[5] == dir .. "/out/skip.txt", table.concat(g, " "))
        assert(#fs.glob(dir .. "/*.txt") == 1 and #fs.glob(dir .. "/b/c/3.md") == 1 and #fs.glob(dir .. "/no/*") == 0)
        assert(#fs.glob(dir .. "/*", { type = "dir" }) == 2 and #fs.glob(dir .. "/.hidden/*") == 1)
        _, e = try(fs.glob, "a[") assert(e.code == "invalid")
        _, e = try(fs.remove, dir .. "/b") assert(e.code == "not_empty")
        assert(fs.remove(dir .. "/b", { recursive = true }) == true and fs.remove(dir .. "/b") == false)
        "#,
    );
    let e = fails(&state(), "mpms.fs.remove('.', {recursive = true})");
    assert_eq!(e.code, "invalid");
}

#[test]
fn copies_tell_their_progress_and_appear_when_complete() {
    with_folder(
        r#"
        local data = ("x"):rep(5 * 1024 * 1024 // 2)
        fs.write(dir .. "/a", data, { mode = "600" })
        local seen = {}
        assert(fs.copy(dir .. "/a", dir .. "/b", { verify = true, progress = function(done, total)
          assert(total == #data and not fs.exists(dir .. "/b")) seen[#seen + 1] = done
        end }) == #data)
        assert(#seen == 3 and seen[3] == #data and fs.read(dir .. "/b") == data and fs.stat(dir .. "/b").mode == "600")
        local _, e = try(fs.copy, dir .. "/a", dir .. "/b") assert(e.code == "exists" and e.path == dir .. "/b")
        fs.write(dir .. "/a", "new") fs.copy(dir .. "/a", dir .. "/b", { overwrite = true }) assert(fs.read(dir .. "/b") == "new")
        local raised = {}
        local _, e = try(fs.copy, dir .. "/a", dir .. "/c", { progress = function() error(raised) end })
        assert(e == raised and not fs.exists(dir .. "/c") and #fs.list(dir) == 2)
        _, e = try(fs.copy, dir, dir .. "/c") assert(e.code == "is_directory")
        fs.move(dir .. "/a", dir .. "/m") assert(fs.read(dir .. "/m") == "new" and not fs.exists(dir .. "/a"))
        _, e = try(fs.move, dir .. "/m", dir .. "/b") assert(e.code == "exists")
        fs.move(dir .. "/m", dir .. "/b", { overwrite = true })
        _, e = try(fs.move, dir .. "/m", dir .. "/b") assert(e.code == "not_found")
        "#,
    );
}

#[test]
fn locks_exclude_and_are_given_back() {
    with_folder(
        r#"
        local p = dir .. "/lock"
        do
          local held <close> = fs.lock(p)
          local got, why = fs.lock(p, { timeout = "10ms" })
          assert(got == nil and why == "timeout")
        end
        local a, b = fs.lock(p, { shared = true }), fs.lock(p, { shared = true, timeout = 0 })
        assert(a and b and fs.lock(p, { timeout = 0 }) == nil)
        a:release() a:release() b:release()
        assert(fs.lock(p, { timeout = 0 }))
        local _, e = try(function() a:relese() end) assert(e.message:find "did you mean `release`")
        _, e = try(function() a.release() end) assert(e.message:find "colon", e.message)
        "#,
    );
}

#[test]
fn temporary_things_are_gone_at_the_end_of_the_task() {
    let lua = state();
    let (folder, file): (String, String) = run(
        &lua,
        "local d, f = mpms.fs.temp_dir(), mpms.fs.temp_file { suffix = '.json' }
         mpms.fs.write(d .. '/x', '') assert(f:find '%.json$') return d, f",
    );
    assert!(std::fs::exists(&folder).expect("known") && std::fs::exists(&file).expect("known"));
    drop(super::take_temporary(&lua));
    assert!(!std::fs::exists(&folder).expect("known") && !std::fs::exists(&file).expect("known"));
}
