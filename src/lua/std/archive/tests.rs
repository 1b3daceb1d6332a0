use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use mlua::Lua;

use crate::lua::std::testing::{fails, output, program, run, run_with, state};

const KINDS: [&str; 4] = ["zip", "tar", "tar.gz", "tar.zst"];

/// A state with the globals `a`, `fs` and `dir`.
fn at(folder: &Path) -> Lua {
    let lua = state();
    lua.globals().set("dir", folder.to_str().expect("UTF-8")).expect("a global");
    run::<()>(
        &lua,
        "a = mpms.archive fs = mpms.fs \
         function names(p) local n = {} for i, e in ipairs(a.list(p)) do n[i] = e.name end return table.concat(n, ' ') end",
    );
    lua
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A folder `tree` with all sorts of files.
fn tree(folder: &Path) {
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("sub/empty")).expect("folders");
    fs::write(tree.join("a.txt"), "text of a\n").expect("written");
    fs::write(tree.join("sub/b.bin"), (0..100_000u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>())
        .expect("written");
    fs::write(tree.join("sub/none"), "").expect("written");
    fs::write(tree.join("run.sh"), "#!/bin/sh\n").expect("written");
    fs::set_permissions(tree.join("run.sh"), fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::write(tree.join(format!("sub/{}", "long-".repeat(40))), "long").expect("written");
    fs::write(tree.join("sub/é ü"), "letters").expect("written");
    std::os::unix::fs::symlink("../a.txt", tree.join("sub/link")).expect("a link");
}

fn same(one: &Path, other: &Path) {
    output(program("diff").args(["-r", "--no-dereference"]).arg(one).arg(other));
}

/// Runs Python code with the folder as its only argument.
fn python(folder: &Path, code: &str) {
    output(program("python3").args(["-c", code]).arg(folder));
}

#[test]
fn what_is_packed_is_extracted_the_same_by_us_and_by_the_programs() {
    let folder = folder();
    let lua = at(folder.path());
    tree(folder.path());
    for kind in KINDS {
        run_with::<()>(
            &lua,
            r##"
            local kind = ...
            local p = dir .. "/x." .. kind
            assert(a.create(p, { "tree" }, { base = dir }) == fs.stat(p).size)
            local done = a.extract(p, dir .. "/out-" .. kind)
            assert(done.files == 6 and done.links == 1 and done.size == 400000 + 10 + 10 + 4 + 7, kind)
            assert(a.read(p, "tree/a.txt") == "text of a\n" and a.read(p, "./tree//run.sh") == "#!/bin/sh\n" and a.read(p, "tree/sub/none") == "")
            "##,
            kind,
        );
        let out = folder.path().join(format!("out-{kind}"));
        same(&folder.path().join("tree"), &out.join("tree"));
        assert_eq!(fs::metadata(out.join("tree/run.sh")).expect("there").permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::metadata(out.join("tree/a.txt")).expect("there").permissions().mode() & 0o777, 0o644);
        let theirs = folder.path().join(format!("theirs-{kind}"));
        fs::create_dir(&theirs).expect("a folder");
        let archive = folder.path().join(format!("x.{kind}"));
        match kind {
            "zip" => output(program("unzip").arg("-q").arg(&archive).arg("-d").arg(&theirs)),
            "tar.zst" => output(program("tar").arg("--zstd").arg("-xf").arg(&archive).arg("-C").arg(&theirs)),
            _ => output(program("tar").arg("-xf").arg(&archive).arg("-C").arg(&theirs)),
        };
        same(&folder.path().join("tree"), &theirs.join("tree"));
    }
    python(
        folder.path(),
        "import sys, zipfile, tarfile; d = sys.argv[1]\n\
         z = zipfile.ZipFile(d + '/x.zip'); assert z.testzip() is None and z.read('tree/sub/é ü') == b'letters'\n\
         t = tarfile.open(d + '/x.tar.gz'); assert t.extractfile('tree/a.txt').read() == b'text of a\\n'\n\
         assert all(m.mtime == 315532800 and m.uid == 0 for m in t.getmembers())",
    );
}

#[test]
fn what_the_programs_pack_is_extracted() {
    let folder = folder();
    let lua = at(folder.path());
    tree(folder.path());
    let dir = folder.path();
    output(program("tar").args(["-cf", "gnu.tar", "--format=gnu", "tree"]).current_dir(dir));
    output(program("tar").args(["-czf", "pax.tar.gz", "--format=pax", "tree"]).current_dir(dir));
    output(program("tar").args(["--zstd", "-cf", "z.tar.zst", "tree"]).current_dir(dir));
    output(program("zip").args(["-q", "-r", "-y", "x.zip", "tree"]).current_dir(dir));
    python(
        dir,
        "import sys, shutil, os; d = sys.argv[1]; os.chdir(d); shutil.make_archive('py', 'gztar', '.', 'tree')",
    );
    for name in ["gnu.tar", "pax.tar.gz", "z.tar.zst", "x.zip", "py.tar.gz"] {
        run_with::<()>(&lua, "local n = ... a.extract(dir .. '/' .. n, dir .. '/out-' .. n)", name);
        same(&dir.join("tree"), &dir.join(format!("out-{name}/tree")));
        let time = |path: &Path| fs::metadata(path).expect("there").modified().expect("a time");
        let told = time(&dir.join(format!("out-{name}/tree/a.txt")));
        let real = time(&dir.join("tree/a.txt"));
        let apart = told.duration_since(real).or_else(|_| real.duration_since(told)).expect("near");
        assert!(apart.as_secs() < 2, "{name}: {apart:?}");
    }
}

#[test]
fn the_same_files_are_the_same_bytes() {
    let folder = folder();
    let lua = at(folder.path());
    tree(folder.path());
    for kind in KINDS {
        run_with::<()>(&lua, "a.create(dir .. '/1.' .. ..., { 'tree' }, { base = dir })", kind);
    }
    // another time, another order, other rights
    fs::rename(folder.path().join("tree/a.txt"), folder.path().join("keep")).expect("moved");
    fs::write(folder.path().join("tree/a.txt"), "text of a\n").expect("written");
    fs::set_permissions(folder.path().join("tree/a.txt"), fs::Permissions::from_mode(0o600)).expect("a mode");
    for kind in KINDS {
        run_with::<()>(
            &lua,
            "a.create(dir .. '/2.' .. ..., { 'tree/sub', 'tree' }, { base = dir }) \
             assert(fs.read(dir .. '/1.' .. ...) == fs.read(dir .. '/2.' .. ...), ...)",
            kind,
        );
    }
    run::<()>(
        &lua,
        "a.create(dir .. '/t.tar', { x = { data = '1' } }, { mtime = 1000000000 }) assert(a.list(dir .. '/t.tar')[1].mtime == 1000000000) \
         a.create(dir .. '/t.zip', { x = { data = '1' } }, { mtime = 1000000000 }) assert(a.list(dir .. '/t.zip')[1].mtime == 1000000000)",
    );
}

#[test]
fn lists_and_names_of_files() {
    let folder = folder();
    let lua = at(folder.path());
    tree(folder.path());
    for kind in KINDS {
        run_with::<()>(
            &lua,
            r#"
            local p = dir .. "/x." .. ...
            a.create(p, { ["b/file"] = dir .. "/tree/a.txt", ["a"] = { data = "of\0data" }, ["sub"] = dir .. "/tree/sub" })
            assert(names(p):match "^a b/file sub/? sub/b.bin sub/empty/? sub/link", names(p))
            local e = a.list(p)
            assert(e[1].type == "file" and e[1].size == 7 and e[1].mode == 420 and e[3].type == "dir" and e[6].type == "symlink" and e[6].target == "../a.txt")
            assert(a.read(p, "a") == "of\0data" and a.read(p, "b/file") == "text of a\n")
            a.create(p, {}, { overwrite = true })
            assert(#a.list(p) == 0)
            local done = a.extract(p, dir .. "/empty-" .. ...)
            assert(done.files == 0 and fs.is_dir(dir .. "/empty-" .. ...))
            "#,
            kind,
        );
        for (call, code) in [
            ("a.read(p, 'none')", "not_found"),
            ("a.read(p, '../x')", "invalid"),
            ("a.create(p, { tree })", "exists"),
            ("a.create(p, { '/etc/hostname' }, { overwrite = true })", "invalid"),
            ("a.create(p, { '../x' }, { overwrite = true })", "invalid"),
            ("a.create(p, { x = {} }, { overwrite = true })", "invalid"),
            ("a.create(p, { x = 1 }, { overwrite = true })", "invalid"),
            ("a.create(p, { dir .. '/none' }, { base = dir, overwrite = true })", "not_found"),
            ("a.create(p, { '/etc/hostname' }, { base = dir, overwrite = true })", "invalid"),
            ("a.create(dir .. '/x.rar', {})", "invalid"),
            ("a.create(dir .. '/y.tar.gz', {}, { level = 10 })", "invalid"),
            ("a.create(dir .. '/none/y.tar', {})", "not_found"),
            ("a.list(dir .. '/none')", "not_found"),
            ("a.list(dir)", "is_directory"),
            ("a.list(p, { max = 1 })", "invalid"),
        ] {
            let error = fails(&lua, &format!("local p = dir .. '/x.{kind}' {call}"));
            assert_eq!(error.code, code, "{kind} {call}: {}", error.message);
        }
    }
    run::<()>(&lua, "assert(#a.list(dir .. '/x.zip') == 0)");
    assert!(
        !fs::read_dir(folder.path()).expect("a folder").any(|one| one
            .expect("one")
            .file_name()
            .to_string_lossy()
            .contains("part"))
    );
}

#[test]
fn an_archive_within_its_folder_does_not_contain_itself() {
    let folder = folder();
    let lua = at(folder.path());
    tree(folder.path());
    for _ in 0..2 {
        run::<()>(
            &lua,
            "a.create(dir .. '/tree/self.tar', { '.' }, { base = dir .. '/tree', overwrite = true })",
        );
    }
    let listed: String = run(&lua, "return names(dir .. '/tree/self.tar')");
    assert!(
        listed.starts_with("a.txt run.sh sub/") && !listed.contains("self") && !listed.contains(".mpms"),
        "{listed}"
    );
}

#[test]
fn strip_globs_and_existing_files() {
    let folder = folder();
    let lua = at(folder.path());
    tree(folder.path());
    run::<()>(
        &lua,
        r#"
        local p = dir .. "/x.zip"
        a.create(p, { "tree" }, { base = dir })
        a.extract(p, dir .. "/one", { strip = 1, glob = { "*.txt", "tree/sub/*.bin" } })
        assert(fs.read(dir .. "/one/a.txt") == "text of a\n" and fs.is_file(dir .. "/one/sub/b.bin") and not fs.exists(dir .. "/one/run.sh"))
        -- into a folder that is there
        fs.write(dir .. "/one/own", "own")
        local _, e = try(a.extract, p, dir .. "/one", { strip = 1 })
        assert(e.code == "exists" and e.path:find "/one/", tostring(e))
        assert(not fs.exists(dir .. "/one/run.sh"), "nothing of it is there")
        fs.write(dir .. "/one/a.txt", "old")
        a.extract(p, dir .. "/one", { strip = 1, overwrite = true })
        assert(fs.read(dir .. "/one/a.txt") == "text of a\n" and fs.read(dir .. "/one/own") == "own" and fs.is_file(dir .. "/one/run.sh"))
        fs.write(dir .. "/file", "")
        "#,
    );
    for (call, code) in [
        ("a.extract(dir .. '/x.zip', dir .. '/file')", "not_directory"),
        ("a.extract(dir .. '/x.zip', dir .. '/n', { strip = -1 })", "invalid"),
        ("a.extract(dir .. '/x.zip', dir .. '/n', { glob = '[' })", "invalid"),
        ("a.extract(dir .. '/x.zip', dir .. '/n', { globs = '*' })", "invalid"),
        ("a.extract(dir .. '/x.zip', dir .. '/n', { max_entries = 3 })", "too_large"),
        ("a.extract(dir .. '/x.zip', dir .. '/n', { max_size = '100KiB' })", "too_large"),
    ] {
        assert_eq!(fails(&lua, call).code, code, "{call}");
    }
    assert!(!folder.path().join("n").exists());
    let hidden = |at: &Path| {
        fs::read_dir(at)
            .expect("a folder")
            .any(|one| one.expect("one").file_name().to_string_lossy().starts_with(".mpms"))
    };
    assert!(!hidden(folder.path()) && !hidden(&folder.path().join("one")));
}

/// Makes archives that attack, by Python: each `bad-*` has one thing that must be refused.
const HOSTILE: &str = r#"
import io, sys, tarfile, zipfile, os
d = sys.argv[1] + "/"
def tar(name, *members):
    with tarfile.open(d + "bad-" + name + ".tar", "w") as t:
        ok = tarfile.TarInfo("good"); ok.size = 2
        t.addfile(ok, io.BytesIO(b"ok"))
        for m in members:
            info = tarfile.TarInfo(m["name"]); info.type = m.get("type", tarfile.REGTYPE); info.linkname = m.get("link", "")
            info.size = 4 if info.type == tarfile.REGTYPE else 0
            t.addfile(info, io.BytesIO(b"evil"))
def zip_(name, entry, mode=0, data="evil"):
    with zipfile.ZipFile(d + "bad-" + name + ".zip", "w") as z:
        z.writestr("good", "ok")
        info = zipfile.ZipInfo(entry); info.external_attr = mode << 16; info.create_system = 3
        z.writestr(info, data)
S, L, C, F = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE
tar("dots", {"name": "../evil"}); tar("inner", {"name": "a/../../evil"}); tar("absolute", {"name": "/tmp/evil-of-mpms"})
tar("link", {"name": "l", "type": S, "link": "/etc"}); tar("up", {"name": "l", "type": S, "link": "../.."})
tar("through", {"name": "l", "type": S, "link": ".."}, {"name": "l/evil"})
tar("chain", {"name": "d/l", "type": S, "link": ".."}, {"name": "m", "type": S, "link": "d/l/.."})
tar("hard", {"name": "h", "type": L, "link": "/etc/hostname"}); tar("hard-up", {"name": "h", "type": L, "link": "../../etc/hostname"})
tar("hard-missing", {"name": "h", "type": L, "link": "nothing"})
tar("hard-link", {"name": "s", "type": S, "link": "good"}, {"name": "h", "type": L, "link": "s"})
tar("device", {"name": "c", "type": C}); tar("fifo", {"name": "f", "type": F})
zip_("dots", "../evil"); zip_("absolute", "/tmp/evil-of-mpms"); zip_("link", "l", 0o120777, "/etc"); zip_("up", "l", 0o120777, "..")
"#;

#[test]
fn what_leads_out_of_the_folder_is_refused_and_leaves_nothing() {
    let folder = folder();
    let lua = at(folder.path());
    python(folder.path(), HOSTILE);
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|one| one.expect("one").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names.len(), 17);
    for name in &names {
        let error = fails(&lua, &format!("a.extract(dir .. '/{name}', dir .. '/out')"));
        let through = name == "bad-through.tar";
        assert!(error.code == "permission" || through && error.code == "parse", "{name}: {}", error.message);
        assert!(error.path.is_some_and(|path| path.ends_with(name)));
        let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(left.len(), names.len(), "{name} leaves something");
        if through {
            continue;
        }
        // left out, the rest is there
        run_with::<()>(
            &lua,
            "local n = ... a.extract(dir .. '/' .. n, dir .. '/out', { unsafe='skip' }) \
             assert(fs.read(dir .. '/out/good') == 'ok', n) assert(#a.list(dir .. '/' .. n) > 1) \
             for _, f in ipairs { 'evil', 'l', 'h', 'c', 'f', 'm' } do assert(not fs.stat(dir .. '/out/' .. f, { follow = false }), n .. f) end \
             fs.remove(dir .. '/out', { recursive = true })",
            name.as_str(),
        );
    }
    assert!(
        !folder.path().parent().expect("a parent").join("evil").exists()
            && !Path::new("/tmp/evil-of-mpms").exists()
    );
    // a link that was in the folder before
    run::<()>(
        &lua,
        "fs.mkdir(dir .. '/out') fs.mkdir(dir .. '/elsewhere') fs.symlink(dir .. '/elsewhere', dir .. '/out/l') \
         a.create(dir .. '/ok.tar', { ['l/evil'] = { data = 'x' } })",
    );
    let error = fails(&lua, "a.extract(dir .. '/ok.tar', dir .. '/out', { overwrite = true })");
    assert_eq!(
        (error.code.as_str(), error.path.is_some_and(|path| path.ends_with("/out/l"))),
        ("permission", true)
    );
    assert!(!folder.path().join("elsewhere/evil").exists());
}

#[test]
fn damaged_archives_say_so_and_leave_nothing() {
    let folder = folder();
    let lua = at(folder.path());
    tree(folder.path());
    for kind in KINDS {
        run_with::<()>(
            &lua,
            r#"
            local kind = ...
            local p = dir .. "/x." .. kind
            a.create(p, { "tree" }, { base = dir })
            local bytes = fs.read(p)
            local function refused(text, why)
              fs.write(dir .. "/bad." .. kind, text)
              for _, call in ipairs { function() a.extract(dir .. "/bad." .. kind, dir .. "/out") end, function() a.read(dir .. "/bad." .. kind, "tree/sub/b.bin") end } do
                local ok, e = pcall(call)
                if ok or e.code ~= "parse" then error(("%s %s: %s"):format(kind, why, ok or tostring(e))) end
              end
              assert(not fs.exists(dir .. "/out"))
            end
            refused(bytes:sub(1, #bytes // 2), "half")
            refused(bytes:sub(1, 3), "three bytes")
            refused("", "nothing")
            refused(("nonsense "):rep(1000), "nonsense")
            if kind ~= "tar" then
              local i = #bytes // 2
              refused(bytes:sub(1, i) .. string.char(bytes:byte(i + 1) ~ 0x55) .. bytes:sub(i + 2), "a wrong byte")
            else
              -- a cut between two entries
              refused(bytes:sub(1, -1025 - (#bytes - 1024) % 512), "no end")
            end
            "#,
            kind,
        );
    }
    // a wrong checksum alone
    python(
        folder.path(),
        "import sys, zipfile; d = sys.argv[1]; p = d + '/crc.zip'\n\
         with zipfile.ZipFile(p, 'w') as z: z.writestr('stored', 'hello world')\n\
         b = open(p, 'rb').read(); open(p, 'wb').write(b.replace(b'hello world', b'jello world'))",
    );
    assert_eq!(fails(&lua, "a.read(dir .. '/crc.zip', 'stored')").code, "parse");
    assert_eq!(fails(&lua, "a.extract(dir .. '/crc.zip', dir .. '/out')").code, "parse");
    for (bytes, code) in [(&b"\xfd7zXZ\0"[..], "invalid"), (b"BZh91AY", "invalid")] {
        fs::write(folder.path().join("other.tar"), bytes).expect("written");
        assert_eq!(fails(&lua, "a.list(dir .. '/other.tar')").code, code);
    }
}

#[test]
fn odd_archives_are_read() {
    let folder = folder();
    let lua = at(folder.path());
    let dir = folder.path();
    // bytes that are no UTF-8, hard links, holes, files that come twice
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::create_dir(dir.join("odd")).expect("a folder");
    fs::write(dir.join("odd").join(odd), "latin").expect("written");
    fs::write(dir.join("odd/first"), "one file").expect("written");
    fs::hard_link(dir.join("odd/first"), dir.join("odd/second")).expect("a link");
    let holes = fs::File::create(dir.join("odd/holes")).expect("a file");
    holes.set_len(3 << 20).expect("holes");
    std::os::unix::fs::FileExt::write_at(&holes, b"end", (3 << 20) - 3).expect("written");
    output(program("tar").args(["-cSf", "odd.tar", "--format=gnu", "odd"]).current_dir(dir));
    output(program("tar").args(["-rf", "odd.tar", "odd/first"]).current_dir(dir));
    run::<()>(
        &lua,
        r#"
        assert(fs.stat(dir .. "/odd.tar").size < 100000, "tar kept the holes")
        a.extract(dir .. "/odd.tar", dir .. "/out")
        assert(fs.read(dir .. "/out/odd/caf\xe9") == "latin" and fs.read(dir .. "/out/odd/second") == "one file")
        local holes = fs.read(dir .. "/out/odd/holes")
        assert(#holes == 3 << 20 and holes:sub(-3) == "end" and not holes:sub(1, -4):find "[^\0]")
        local _, e = try(a.extract, dir .. "/odd.tar", dir .. "/out2", { max_size = "1MiB" })
        assert(e.code == "too_large")
        a.create(dir .. "/back.tar", { "odd" }, { base = dir })
        assert(names(dir .. "/back.tar"):find("caf\xe9", 1, true))
        "#,
    );
    let error = fails(&lua, "a.create(dir .. '/back.zip', { 'odd' }, { base = dir })");
    assert_eq!((error.code.as_str(), error.message.contains("use a tar")), ("invalid", true));
    python(
        dir,
        "import sys, zipfile; d = sys.argv[1]\n\
         b = open(d + '/x', 'wb'); z = zipfile.ZipFile(b, 'w'); z.writestr('cafX', 'old letters'); z.close(); b.close()\n\
         t = open(d + '/x', 'rb').read().replace(b'cafX', b'caf\\x82'); open(d + '/dos.zip', 'wb').write(t)",
    );
    assert_eq!(run::<String>(&lua, "return a.read(dir .. '/dos.zip', 'café')"), "old letters");
    output(program("tar").args(["-cSf", "pax.tar", "--format=pax", "odd"]).current_dir(dir));
    let error = fails(&lua, "a.extract(dir .. '/pax.tar', dir .. '/out3')");
    assert!(error.message.contains("a sparse file in the pax format"), "{}", error.message);
}

#[test]
fn a_name_without_end_is_refused_before_it_is_read() {
    let folder = folder();
    let lua = at(folder.path());
    python(
        folder.path(),
        "import sys, tarfile, io\n\
         d = sys.argv[1]\n\
         for kind, size in (('L', 5000000), ('K', 5000000), ('x', 5000000), ('L', 3000)):\n    \
             t = tarfile.open(d + f'/{kind}{size}.tar.gz', 'w:gz')\n    \
             before = tarfile.TarInfo('before'); before.size = 6000000; t.addfile(before, io.BytesIO(bytes(6000000)))\n    \
             note = tarfile.TarInfo('note'); note.type = kind.encode(); note.size = size\n    \
             line = b'%d comment=' % size\n    \
             t.addfile(note, io.BytesIO(line + b'x' * (size - len(line) - 1) + b'\\n' if kind == 'x' else b'n' * size))\n    \
             t.addfile(tarfile.TarInfo('after')); t.close()\n",
    );
    for name in ["L5000000", "K5000000", "x5000000"] {
        let error = fails(&lua, &format!("a.list(dir .. '/{name}.tar.gz')"));
        assert_eq!(error.code, "too_large", "{name}: {}", error.message);
        assert!(
            error.message.ends_with("name and attributes of an entry are more than 4 MiB"),
            "{}",
            error.message
        );
    }
    let names: String = run(&lua, "return names(dir .. '/L3000.tar.gz')");
    assert_eq!(names, format!("before {}", "n".repeat(3_000)));
}

#[test]
fn a_bomb_is_refused() {
    let folder = folder();
    let lua = at(folder.path());
    python(
        folder.path(),
        "import sys, zipfile, tarfile, io, gzip; d = sys.argv[1]; big = b'\\0' * (40 << 20)\n\
         z = zipfile.ZipFile(d + '/bomb.zip', 'w', zipfile.ZIP_DEFLATED); z.writestr('a', big); z.writestr('b', big); z.close()\n\
         t = tarfile.open(d + '/bomb.tar.gz', 'w:gz'); i = tarfile.TarInfo('a'); i.size = len(big); t.addfile(i, io.BytesIO(big)); t.close()\n\
         open(d + '/zeros.tar.gz', 'wb').write(gzip.compress(big))",
    );
    for (call, code) in [
        ("a.extract(dir .. '/bomb.zip', dir .. '/out', { max_size = '60MiB' })", "too_large"),
        ("a.extract(dir .. '/bomb.tar.gz', dir .. '/out', { max_size = '30MiB' })", "too_large"),
        ("a.list(dir .. '/bomb.tar.gz', { max_size = '30MiB' })", "too_large"),
        ("a.list(dir .. '/zeros.tar.gz', { max_size = '30MiB' })", "too_large"),
        ("a.read(dir .. '/bomb.zip', 'a', { max_size = '30MiB' })", "too_large"),
    ] {
        let error = fails(&lua, call);
        assert_eq!(error.code, code, "{call}: {}", error.message);
    }
    assert!(!folder.path().join("out").exists());
    crate::lua::outside::limit(&lua, lua.used_memory() + (32 << 20));
    assert_eq!(fails(&lua, "a.read(dir .. '/bomb.zip', 'a')").code, "memory");
}

#[test]
fn an_extraction_that_is_cancelled_leaves_nothing() {
    let folder = folder();
    let lua = at(folder.path());
    tree(folder.path());
    run::<()>(
        &lua,
        r#"
        local files = {}
        for i = 1, 3000 do files["f" .. i] = { data = ("x"):rep(1000) } end
        a.create(dir .. "/many.tar", files)
        local _, e = try(mpms.co.timeout, 0.005, a.extract, dir .. "/many.tar", dir .. "/out")
        assert(e.code == "timeout")
        "#,
    );
    let begun = std::time::Instant::now();
    let is_clean = || fs::read_dir(folder.path()).expect("a folder").count() == 2;
    while !is_clean() {
        assert!(begun.elapsed().as_secs() < 20, "the hidden folder stays");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
