use std::path::Path;

use mlua::Lua;

use crate::lua::std::testing::{fails, output, program, run, run_with, state};

/// A state with the globals `c` and `dir`.
fn at(folder: &Path) -> Lua {
    let lua = state();
    lua.globals().set("dir", folder.to_str().expect("UTF-8")).expect("a global");
    run::<()>(&lua, "c = mpms.compress fs = mpms.fs");
    lua
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

const PAIRS: [(&str, &str); 4] =
    [("gzip", "gunzip"), ("zstd", "unzstd"), ("brotli", "unbrotli"), ("deflate", "inflate")];

#[test]
fn what_is_packed_comes_back_from_the_smallest_to_the_largest_level() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        r#"
        local words = {}
        for i = 1, 8000 do words[i] = ("line %d of %d\0\xff\n"):format(i, i * i % 977) end
        local texts = { "", "x", ("a"):rep(200000), table.concat(words) }
        for pack, range in pairs { gzip = { 0, 9 }, zstd = { 1, 15 }, brotli = { 0, 9 }, deflate = { 0, 9 } } do
          local unpack = pack == "deflate" and "inflate" or pack == "gzip" and "gunzip" or "un" .. pack
          for _, text in ipairs(texts) do
            for _, level in ipairs { range[1], range[2], false } do
              local packed = c[pack](text, { level = level or nil })
              assert(c[unpack](packed) == text, pack)
              assert(packed == c[pack](text, { level = level or nil }), "the same bytes each time")
            end
          end
          assert(#c[pack](texts[4], { level = range[2] }) < #texts[4] / 3, pack)
        end
        local raw = c.deflate(texts[4], { raw = true })
        assert(c.inflate(raw, { raw = true }) == texts[4] and c.inflate(raw) == texts[4] and #raw == #c.deflate(texts[4]) - 6)
        -- beside others, on the pool
        local same = mpms.co.map({ "gzip", "zstd" }, function(name) return c[name](texts[4]) end)
        assert(same[1] == c.gzip(texts[4]) and same[2] == c.zstd(texts[4]))
        "#,
    );
}

#[test]
fn options_are_checked() {
    let folder = folder();
    let lua = at(folder.path());
    for (call, text) in [
        ("c.gzip('x', { level = 10 })", "compress.gzip: option `level` of gzip must be 0 to 9, got 10"),
        ("c.zstd('x', { level = 0 })", "compress.zstd: option `level` of zstd must be 1 to 22, got 0"),
        (
            "c.brotli('x', { level = 12 })",
            "compress.brotli: option `level` of brotli must be 0 to 11, got 12",
        ),
        (
            "c.deflate('x', { level = -1 })",
            "compress.deflate: option `level` of deflate must be 0 to 9, got -1",
        ),
        ("c.gzip('x', { levle = 1 })", "compress.gzip: unknown option `levle`; did you mean `level`?"),
        ("c.gunzip('x', { raw = true })", "compress.gunzip: unknown option `raw`"),
        ("c.gunzip()", "compress.gunzip: argument 1 (data) must be a string, got nil"),
    ] {
        let error = fails(&lua, call);
        assert_eq!((error.code.as_str(), error.message.as_str()), ("invalid", text));
    }
}

#[test]
fn bad_data_is_refused_and_says_why() {
    let folder = folder();
    let lua = at(folder.path());
    for (pack, unpack) in PAIRS {
        run::<()>(&lua, &format!("text = ('some text %d '):rep(3000) packed = c.{pack}(text)"));
        let cut = fails(&lua, &format!("c.{unpack}(packed:sub(1, -20))"));
        assert!(cut.code == "parse" && cut.message.contains("cut short"), "{pack}: {}", cut.message);
        for bad in [
            "packed .. 'x'",
            "packed .. packed:sub(1, 3)",
            "'garbage that is nothing'",
            "''",
            "packed:sub(2)",
        ] {
            if unpack == "inflate" && bad == "packed:sub(2)" {
                continue;
            }
            let error = fails(&lua, &format!("c.{unpack}({bad})"));
            assert_eq!(error.code, "parse", "{unpack}({bad}): {}", error.message);
        }
        let error = fails(&lua, &format!("c.{unpack}(packed, {{ max_size = #text - 1 }})"));
        assert_eq!(error.code, "too_large", "{pack}");
        assert!(run::<bool>(&lua, &format!("return c.{unpack}(packed, {{ max_size = #text }}) == text")));
    }
    // checksums
    for (pack, unpack, place) in [("gzip", "gunzip", -6), ("zstd", "unzstd", -1), ("deflate", "inflate", -1)]
    {
        let error = fails(
            &lua,
            &format!(
                "local p = c.{pack} 'hello' local i = #p + 1 + {place} \
                      c.{unpack}(p:sub(1, i - 1) .. string.char(p:byte(i) ~ 1) .. p:sub(i + 1))"
            ),
        );
        assert_eq!(error.code, "parse", "{pack}: {}", error.message);
    }
    // pieces behind each other are one, and zeros behind gzip are nothing
    run::<()>(
        &lua,
        "assert(c.gunzip(c.gzip 'a' .. c.gzip '' .. c.gzip 'b') == 'ab' and c.gunzip(c.gzip 'a' .. ('\\0'):rep(9999)) == 'a') \
         assert(c.unzstd(c.zstd 'a' .. c.zstd 'b') == 'ab')",
    );
    assert_eq!(fails(&lua, "c.gunzip(c.gzip 'a' .. '\\0\\0x')").code, "parse");
}

#[test]
fn bombs_are_refused_before_they_take_memory() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        "bombs = { unzstd = c.zstd(('\\0'):rep(16 << 20)), gunzip = c.gzip(('\\0'):rep(16 << 20)), unbrotli = c.brotli(('\\0'):rep(16 << 20)) }",
    );
    for (unpack, limit) in [("unzstd", "1MiB"), ("gunzip", "1MiB"), ("unbrotli", "1MiB")] {
        let error = fails(&lua, &format!("c.{unpack}(bombs.{unpack}, {{ max_size = '{limit}' }})"));
        assert_eq!(error.code, "too_large", "{unpack}");
    }
    // what there is no memory for is not made first
    crate::lua::outside::limit(&lua, lua.used_memory() + (12 << 20));
    for unpack in ["unzstd", "gunzip", "unbrotli"] {
        assert_eq!(fails(&lua, &format!("c.{unpack}(bombs.{unpack})")).code, "memory", "{unpack}");
    }
}

#[test]
fn the_programs_read_ours_and_we_theirs() {
    let folder = folder();
    let lua = at(folder.path());
    let text: String = (0..20_000).map(|n| format!("{n} {}\n", n * 7 % 1001)).collect();
    std::fs::write(folder.path().join("text"), &text).expect("written");
    for (name, end) in [("gzip", "gz"), ("zstd", "zst"), ("brotli", "br")] {
        run_with::<()>(&lua, "local e = ... assert(c.file(dir .. '/text', dir .. '/ours.' .. e) > 0)", end);
        let ours = output(program(name).args(["-d", "-c"]).arg(folder.path().join(format!("ours.{end}"))));
        assert!(ours == text.as_bytes(), "{name} reads ours");
        let theirs = output(program(name).arg("-c").arg(folder.path().join("text")));
        std::fs::write(folder.path().join(format!("theirs.{end}")), &theirs).expect("written");
        run_with::<()>(
            &lua,
            "local e, name, text = ... \
             assert(c.decompress_file(dir .. '/theirs.' .. e, dir .. '/back', { overwrite = true }) == #text) \
             assert(fs.read(dir .. '/back') == text) \
             assert(c[name == 'gzip' and 'gunzip' or 'un' .. name](fs.read(dir .. '/theirs.' .. e)) == text)",
            (end, name, text.as_str()),
        );
    }
    let python = "import sys,zlib; sys.stdout.buffer.write(zlib.compress(b'from python'))";
    let packed = output(program("python3").args(["-c", python]));
    let lua_packed = lua.create_string(packed).expect("a string");
    assert_eq!(run_with::<String>(&lua, "return c.inflate(...)", lua_packed), "from python");
}

#[test]
fn files_are_there_whole_or_not_at_all() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        "fs.write(dir .. '/a', ('text '):rep(1000), { mode = '600' }) c.file(dir .. '/a', dir .. '/a.gz', { level = 9 }) \
         assert(fs.stat(dir .. '/a.gz').mode == fs.stat(dir .. '/a').mode)",
    );
    for (call, code) in [
        ("c.file(dir .. '/a', dir .. '/a.gz')", "exists"),
        ("c.file(dir .. '/none', dir .. '/b.gz')", "not_found"),
        ("c.file(dir .. '/a', dir .. '/none/b.gz')", "not_found"),
        ("c.file(dir .. '/a', dir .. '/b.txt')", "invalid"),
        ("c.file(dir, dir .. '/b.gz')", "is_directory"),
        ("c.file(dir .. '/a', dir .. '/b.zst', { level = 30 })", "invalid"),
        ("c.decompress_file(dir .. '/a', dir .. '/b')", "invalid"),
        ("c.decompress_file(dir .. '/a.gz', dir .. '/a')", "exists"),
        ("c.decompress_file(dir .. '/a.gz', dir .. '/b', { max_size = 4999 })", "too_large"),
        (
            "fs.write(dir .. '/cut.gz', fs.read(dir .. '/a.gz'):sub(1, -9)) c.decompress_file(dir .. '/cut.gz', dir .. '/b')",
            "parse",
        ),
    ] {
        let error = fails(&lua, call);
        assert_eq!(error.code, code, "{call}: {}", error.message);
    }
    let names = run::<String>(
        &lua,
        "local n = {} for _, e in ipairs(fs.list(dir)) do n[#n + 1] = mpms.path.basename(e.path or e.name or e) end return table.concat(n, ' ')",
    );
    assert_eq!(names, "a a.gz cut.gz", "nothing is left of what failed");
    run::<()>(
        &lua,
        "c.file(dir .. '/a', dir .. '/a.gz', { overwrite = true }) \
         fs.copy(dir .. '/a.gz', dir .. '/by-its-bytes') c.decompress_file(dir .. '/by-its-bytes', dir .. '/b')  \
         assert(fs.read(dir .. '/b') == fs.read(dir .. '/a'))",
    );
}

#[test]
fn a_bomb_in_a_file_is_told_by_its_ratio() {
    use super::file::Bound;
    let ok = |most, packed, size| Bound::new(most, packed).check(size).is_ok();
    assert!(ok(None, 1 << 20, 1 << 30) && ok(None, 1 << 30, 200 << 30) && ok(Some(1 << 40), 1, 1 << 40));
    assert!(!ok(None, 1 << 20, (1 << 30) + (1 << 20)) && !ok(Some(5), 1 << 20, 6));
}

#[test]
fn lines_of_packed_and_plain_files() {
    let folder = folder();
    let lua = at(folder.path());
    run::<()>(
        &lua,
        r#"
        local lines = {}
        for i = 1, 20000 do lines[i] = "line " .. i end
        lines[5] = ""
        lines[6] = ("long "):rep(50000)
        lines[7] = "\0\xff\r"
        local text = table.concat(lines, "\n")
        fs.write(dir .. "/log", text)
        fs.write(dir .. "/log.gz", c.gzip(text:sub(1, 1000)) .. c.gzip(text:sub(1001)))
        fs.write(dir .. "/log.zst", c.zstd(text .. "\n"))
        fs.write(dir .. "/log.br", c.brotli(text .. "\n"))
        fs.write(dir .. "/rotated.1", c.gzip(text))
        for _, name in ipairs { "log", "log.gz", "log.zst", "log.br", "rotated.1" } do
          local n = 0
          for line in c.lines(dir .. "/" .. name) do
            n = n + 1
            if line ~= lines[n] then error(name .. " " .. n) end
          end
          assert(n == 20000, name)
        end
        for _ in c.lines(dir .. "/log.gz") do break end
        fs.write(dir .. "/empty", "")
        for _ in c.lines(dir .. "/empty") do error "no line" end
        -- the lines before the damage come first
        fs.write(dir .. "/cut.gz", c.gzip(text):sub(1, 20000))
        local n = 0
        local _, e = try(function() for line in c.lines(dir .. "/cut.gz") do n = n + 1 assert(line == lines[n]) end end)
        assert(n > 100 and e.code == "parse" and e.op == "compress.lines" and e.path == dir .. "/cut.gz", tostring(e))
        "#,
    );
    for (call, code) in [
        ("for _ in c.lines(dir .. '/log', { max_line = '100KiB' }) do end", "too_large"),
        ("c.lines(dir .. '/none')", "not_found"),
        ("c.lines(dir)", "is_directory"),
        ("c.lines(dir .. '/log', { max = 1 })", "invalid"),
    ] {
        assert_eq!(fails(&lua, call).code, code, "{call}");
    }
}
