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
        fs.write(dir .. "/place", "5", { atomic = false, mode = "604" }) assert(fs.stat(dir .. "/place").mode == "604")
        fs.write(dir .. "/new", "6")
        fs.write("/dev/null", "gone")
        -- of which the system knows that it cannot be synced
        local _, e = try(fs.write, "/dev/null", "gone", { sync = true }) assert(e and e.path == "/dev/null", e)
        assert(#fs.list(dir .. "/deep/er") == 1)
        "#,
    );
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).expect("there").permissions().mode();
    std::fs::write(folder.path().join("by-the-system"), "").expect("written");
    assert_eq!(mode("plain"), mode("by-the-system"));
    assert_eq!(mode("new"), mode("by-the-system"));
}

#[test]
fn facts_about_files() {
    with_folder(
        r#"
        assert(fs.stat(dir .. "/none") == nil and fs.exists(dir) and not fs.exists(dir .. "/none/x"))
        fs.touch(dir .. "/t", { mtime = 1000.5 })
        local s = fs.stat(dir .. "/t")
        assert(s.mtime == 1000.5 and s.size == 0 and s.type == "file" and math.type(s.uid) == "integer")
        assert(s.atime == 1000.5)
        fs.touch(dir .. "/t", { mtime = -1.5, atime = 7 }) s = fs.stat(dir .. "/t") assert(s.mtime == -1.5 and s.atime == 7)
        fs.touch(dir .. "/t") assert(fs.stat(dir .. "/t").mtime > 1e9)
        fs.chmod(dir .. "/t", "600") assert(fs.stat(dir .. "/t").mode == "600")
        for _, mode in ipairs { "", "8", "+644", "-1", "10000", "0x1ff", "rw-" } do
          local _, e = try(fs.chmod, dir .. "/t", mode) assert(e and e.code == "invalid", mode)
        end
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
        _, e = try(fs.copy, dir .. "/a", dir) assert(e.code == "is_directory" and e.path == dir, e)
        _, e = try(fs.copy, "/dev/null", dir .. "/c") assert(e.code == "invalid" and not fs.exists(dir .. "/c"), e)
        local function put(name, mode, text) local file <close> = io.open(dir .. name, mode) file:write(text) end
        -- what comes while it copies is not replaced
        _, e = try(fs.copy, dir .. "/a", dir .. "/c", { progress = function() put("/c", "w", "first") end })
        assert(e.code == "exists" and fs.read(dir .. "/c") == "first", e)
        fs.remove(dir .. "/c")
        -- a source that changes meanwhile
        fs.write(dir .. "/big", data)
        local function change(done) if done == 1 << 20 then put("/big", "r+", ("y"):rep(#data)) end end
        _, e = try(fs.copy, dir .. "/big", dir .. "/c", { verify = true, progress = change })
        assert(e.code == "io" and e.retryable and e.message:find "differs" and not fs.exists(dir .. "/c"), e)
        fs.remove(dir .. "/big")
        -- more than is copied between two questions whether to go on
        fs.write(dir .. "/big", "begin") fs.truncate(dir .. "/big", 65 << 20) fs.append(dir .. "/big", "end")
        assert(fs.copy(dir .. "/big", dir .. "/c") == (65 << 20) + 3 and fs.stat(dir .. "/c").size == (65 << 20) + 3)
        assert(mpms.proc.run({ "tail", "-c3", dir .. "/c" }).stdout == "end") fs.remove(dir .. "/c") fs.remove(dir .. "/big")
        fs.chmod(dir .. "/a", "755") fs.touch(dir .. "/a", { mtime = 1000 })
        fs.copy(dir .. "/a", dir .. "/c") local s = fs.stat(dir .. "/c") assert(s.mode == "755" and s.mtime == 1000)
        fs.copy(dir .. "/a", dir .. "/c", { overwrite = true, preserve = false })
        s = fs.stat(dir .. "/c") assert(s.mode ~= "755" and s.mtime > 1e9, s.mode)
        fs.remove(dir .. "/c")
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
        local p = dir .. "/lock" fs.write(p, "kept")
        do
          local held <close> = fs.lock(p)
          local got, why = fs.lock(p, { timeout = "10ms" })
          assert(got == nil and why == "timeout")
        end
        local a, b = fs.lock(p, { shared = true }), fs.lock(p, { shared = true, timeout = 0 })
        assert(a and b and fs.lock(p, { timeout = 0 }) == nil)
        a:release() a:release() b:release()
        assert(fs.lock(p, { timeout = 0 }) and fs.read(p) == "kept")
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
    for names in ["prefix = 'a/b'", "suffix = '/../x'", "prefix = 'a\\0'"] {
        for made in ["temp_dir", "temp_file"] {
            let e = fails(&lua, &format!("mpms.fs.{made} {{ {names} }}"));
            assert!(
                e.code == "invalid" && e.message.contains("parts of a file name"),
                "{names}: {}",
                e.message
            );
        }
    }
    drop(super::take_temporary(&lua));
    assert!(!std::fs::exists(&folder).expect("known") && !std::fs::exists(&file).expect("known"));
}

#[test]
fn a_file_without_an_end_is_refused() {
    with_folder(
        r#"
        local _, e = try(fs.read, "/dev/zero", { max_size = "1MiB" })
        assert(e.code == "too_large" and e.path == "/dev/zero" and e.message:find "1.0 MiB", e)
        fs.write(dir .. "/a", ("x"):rep(1000))
        assert(#fs.read(dir .. "/a", { max_size = 1000 }) == 1000)
        _, e = try(fs.read, dir .. "/a", { max_size = 999 }) assert(e.code == "too_large", e)
        _, e = try(fs.read, dir .. "/a", { maxsize = 1 }) assert(e.message:find "did you mean `max_size`", e)
        -- a file that tells no size
        assert(#fs.read "/proc/self/stat" > 10 and fs.read "/dev/null" == "")
        _, e = try(function() for _ in fs.lines "/dev/zero" do end end) assert(e.code == "too_large" and e.path, e)
        "#,
    );
}

#[test]
fn lines_of_any_length_come_whole() {
    with_folder(
        r#"
        local words = {}
        for i = 0, 300 do words[i + 1] = ("ab"):rep(i * i) end
        local text = table.concat(words, "\n")
        for _, ending in ipairs { "", "\n" } do
          fs.write(dir .. "/a", text .. ending)
          local n = 0
          for line in fs.lines(dir .. "/a") do n = n + 1 assert(line == words[n], n) end
          assert(n == #words, n)
        end
        fs.write(dir .. "/a", "") for _ in fs.lines(dir .. "/a") do error "no line" end
        fs.write(dir .. "/a", "\n\n") local n = 0 for line in fs.lines(dir .. "/a") do n = n + 1 assert(line == "") end assert(n == 2)
        local next = fs.lines(dir .. "/a") next() next() assert(next() == nil and next() == nil)
        local _, e = try(fs.lines, dir) assert(e.code == "is_directory", e)
        _, e = try(fs.lines, dir .. "/none") assert(e.code == "not_found", e)
        "#,
    );
}

#[test]
fn links_that_lead_nowhere_or_in_circles() {
    with_folder(
        r#"
        fs.symlink("none", dir .. "/dangling")
        fs.write(dir .. "/dangling", "made") assert(fs.read(dir .. "/none") == "made")
        local link = fs.stat(dir .. "/dangling", { follow = false })
        assert(link.type == "link" and link.target == "none" and fs.stat(dir .. "/dangling").target == nil)
        fs.symlink("loop", dir .. "/loop")
        for _, f in ipairs { fs.read, fs.stat, fs.exists, fs.lines } do
          local _, e = try(f, dir .. "/loop") assert(e and e.path == dir .. "/loop", e)
        end
        local _, e = try(fs.write, dir .. "/loop", "x") assert(e, "written into a circle")
        assert(fs.remove(dir .. "/loop"))
        -- a walk does not follow, and with `follow` a circle is an error that names it
        fs.mkdir(dir .. "/d/e") fs.symlink("..", dir .. "/d/e/up") fs.write(dir .. "/d/f", "")
        local n = 0 for p in fs.walk(dir .. "/d") do n = n + 1 end assert(n == 1)
        _, e = try(function() for p in fs.walk(dir .. "/d", { follow = true }) do end end) assert(e and e.op == "fs.walk", e)
        assert(#fs.glob(dir .. "/d/**/f") == 1)
        -- what is removed is the link
        fs.symlink("d", dir .. "/ld") fs.remove(dir .. "/ld", { recursive = true }) assert(fs.exists(dir .. "/d/f"))
        fs.mkdir(dir .. "/tree") fs.symlink("../d", dir .. "/tree/l") fs.remove(dir .. "/tree", { recursive = true })
        assert(fs.exists(dir .. "/d/f"))
        for _, f in ipairs { fs.read, fs.list, fs.remove } do
          _, e = try(f, dir .. "/d/f/x") assert(f == fs.remove or e.code == "not_directory", e)
        end
        "#,
    );
}

#[test]
fn names_are_bytes() {
    with_folder(
        r#"
        local name = dir .. "/\xff\xfe\n"
        fs.write(name, "x") assert(fs.read(name) == "x" and fs.list(dir)[1] == "\xff\xfe\n")
        local found for p in fs.walk(dir) do found = p end assert(found == name)
        assert(fs.glob(dir .. "/*")[1] == name)
        local _, e = try(fs.glob, "\xff*") assert(e.code == "invalid", e)
        _, e = try(fs.read, "a\0b") assert(e.code == "invalid" or e.code == "io", e)
        fs.move(name, dir .. "/\xfd") assert(fs.exists(dir .. "/\xfd"))
        "#,
    );
}

/// A small file system, and a folder in it that cannot be written to.
struct Mounted(TempDir);

impl Mounted {
    fn small() -> Self {
        let folder = TempDir::new().expect("a folder");
        let mount = |arguments: &[&str]| {
            let done = std::process::Command::new("mount").args(arguments).arg(folder.path()).status();
            assert!(done.expect("mount runs").success(), "these tests need the right to mount");
        };
        mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
        Self(folder)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_and_one_that_is_read_only_are_told() {
    let small = Mounted::small();
    let lua = state();
    let code = r#"
        local small, dir = ... local fs = require 'mpms.fs'
        local space = fs.disk(small)
        assert(space.total == 1 << 20 and space.free == space.total and fs.disk(dir).total > space.total)
        local _, e = try(fs.disk, small .. "/none") assert(e.code == "not_found", e)
        fs.write(small .. "/a", "old")
        local big = ("x"):rep(2 << 20)
        _, e = try(fs.write, small .. "/a", big) assert(e.code == "no_space" and e.path == small .. "/a" and e.retryable, e)
        assert(fs.read(small .. "/a") == "old" and #fs.list(small) == 1, "nothing is left of it")
        fs.write(dir .. "/big", big)
        _, e = try(fs.copy, dir .. "/big", small .. "/b") assert(e.code == "no_space" and #fs.list(small) == 1, e)
        _, e = try(fs.move, dir .. "/big", small .. "/b") assert(e.code == "no_space" and fs.exists(dir .. "/big"), e)
        _, e = try(fs.append, "/dev/full", "x") assert(e.code == "no_space", e)
        -- across file systems, links and modes and all
        fs.write(dir .. "/s", "small", { mode = "640" }) fs.touch(dir .. "/s", { mtime = 1000, atime = 2000 })
        fs.move(dir .. "/s", small .. "/s") local s = fs.stat(small .. "/s")
        assert(s.mode == "640" and s.mtime == 1000 and s.size == 5 and not fs.exists(dir .. "/s"))
        _, e = try(fs.move, small .. "/s", dir .. "/big") assert(e.code == "exists" and fs.exists(small .. "/s"), e)
        fs.symlink("s", small .. "/l") fs.move(small .. "/l", dir .. "/l")
        assert(fs.stat(dir .. "/l", { follow = false }).type == "link" and not fs.exists(small .. "/l"))
        fs.mkdir(small .. "/d") _, e = try(fs.move, small .. "/d", dir .. "/d") assert(e.code == "is_directory", e)
        mpms.proc.run { "mount", "-o", "remount,ro", small }
        for _, f in ipairs {
          function() fs.write(small .. "/a", "x") end, function() fs.write(small .. "/n", "x", { atomic = false }) end,
          function() fs.append(small .. "/a", "x") end, function() fs.mkdir(small .. "/m") end,
          function() fs.remove(small .. "/a") end, function() fs.chmod(small .. "/a", "600") end,
          function() fs.touch(small .. "/a") end, function() fs.truncate(small .. "/a") end,
          function() fs.copy(dir .. "/big", small .. "/c") end, function() fs.move(small .. "/a", small .. "/b") end,
          function() fs.symlink("a", small .. "/z") end, function() fs.link(small .. "/a", small .. "/z") end,
        } do
          _, e = try(f) assert(e and e.code == "permission" and e.path, e)
        end
        assert(fs.read(small .. "/a") == "old")"#;
    let folder = TempDir::new().expect("a folder");
    let text = |folder: &TempDir| folder.path().to_string_lossy().into_owned();
    run_with::<()>(&lua, code, (text(&small.0), text(&folder)));
}

#[test]
fn only_files_are_copied() {
    with_folder(
        r#"
        mpms.proc.run { "mkfifo", dir .. "/fifo" }
        for _, from in ipairs { "/dev/zero", dir .. "/fifo" } do
          local _, e = try(fs.copy, from, dir .. "/c") assert(e.code == "invalid" and e.path == from, e)
        end
        fs.write(dir .. "/a", "x") fs.symlink("a", dir .. "/l")
        fs.copy(dir .. "/l", dir .. "/b") assert(fs.stat(dir .. "/b", { follow = false }).type == "file")
        fs.copy(dir .. "/a", dir .. "/l", { overwrite = true, preserve = false }) assert(fs.read(dir .. "/a") == "x")
        fs.write(dir .. "/empty", "") local seen = 0
        assert(fs.copy(dir .. "/empty", dir .. "/e2", { progress = function(done, total) seen = done + total + 1 end, verify = true }) == 0 and seen == 1)
        local _, e = try(fs.copy, dir .. "/a", dir .. "/z", { progress = true }) assert(e.code == "invalid" and e.message:find "workers", e)
        _, e = try(fs.copy, dir .. "/a", dir .. "/z", { progress = 5 }) assert(e.code == "invalid", e)
        task = { progress = function(done, total) seen = done + total end }
        fs.copy(dir .. "/a", dir .. "/z", { progress = true }) assert(seen == 2)
        _, e = try(fs.copy, dir .. "/none", dir .. "/z") assert(e.code == "not_found" and e.path == dir .. "/none", e)
        _, e = try(fs.move, dir .. "/a", dir .. "/no/where") assert(e.code == "not_found" and e.path == dir .. "/no/where", e)
        local s, t = fs.stat(dir .. "/a"), fs.stat(dir)
        assert(s.blocks > 0 and s.blksize > 0 and s.rdev == 0 and s.dev == t.dev and s.ino ~= t.ino and s.nlink == 1)
        _, e = try(fs.touch, dir .. "/a", { atime = "x" }) assert(e.message:find "`atime`", e)
        "#,
    );
}

#[test]
fn an_owner_stays_the_owner() {
    let folder = with_folder(r#"fs.write(dir .. "/a", "1", { mode = "4750" })"#);
    let file = folder.path().join("a");
    std::os::unix::fs::chown(&file, Some(12), Some(34)).expect("these tests run as root");
    let lua = state();
    run_with::<()>(&lua, "mpms.fs.write(..., '2')", file.to_string_lossy().into_owned());
    let facts = std::fs::metadata(&file).expect("there");
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!((facts.uid(), facts.gid()), (12, 34));
    assert_eq!(facts.permissions().mode() & 0o777, 0o750);
}

#[test]
fn neighbours_go_on_while_files_are_read() {
    with_folder(
        r#"
        mpms.proc.run { "mkfifo", dir .. "/fifo" }
        fs.write(dir .. "/tree/a/b", "", { mkdir = true })
        local order = {}
        -- waits in the system until somebody writes
        local reader = mpms.co.spawn(function() local text = fs.read(dir .. "/fifo") order[#order + 1] = "read" return text end)
        local liner = mpms.co.spawn(function()
          local n = 0
          for line in fs.lines "/etc/passwd" do n = n + 1 end
          for p in fs.walk(dir .. "/tree") do n = n + 1 end
          assert(#fs.glob(dir .. "/tree/**/b") == 1 and #fs.list(dir) == 2)
          fs.copy(dir .. "/tree/a/b", dir .. "/c") fs.move(dir .. "/c", dir .. "/d") fs.append(dir .. "/d", "x")
          assert(fs.read(dir .. "/d") == "x" and fs.remove(dir .. "/tree", { recursive = true }))
          order[#order + 1] = "worked" return n
        end)
        assert(liner:await() > 1)
        fs.write(dir .. "/fifo", "said")
        assert(reader:await() == "said" and order[1] == "worked" and order[2] == "read")
        "#,
    );
}
