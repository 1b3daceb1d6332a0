use std::process::Command;

use crate::lua::std::testing::{fails, run, run_with, shown, state};

const NAMES: [&str; 7] = ["blake3", "crc32", "md5", "sha1", "sha256", "sha512", "xxh3"];

/// RFC 1321, FIPS 180-4, the test vectors of BLAKE3 and of xxHash, the check value of CRC-32.
#[test]
fn known_answers() {
    let lua = state();
    for (call, sum) in [
        ("md5 ''", "d41d8cd98f00b204e9800998ecf8427e"),
        ("md5 'abc'", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1 'abc'", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256 ''", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("sha256 'abc'", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "sha512 'abc'",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        ("blake3 ''", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        ("crc32 '123456789'", "cbf43926"),
        ("crc32 ''", "00000000"),
        ("xxh3 ''", "2d06800538d394c2"),
    ] {
        assert_eq!(run::<String>(&lua, &format!("return mpms.hash.{call}")), sum, "{call}");
    }
    assert_eq!(
        shown(&lua, "mpms.hash.hmac('sha256', 'Jefe', 'what do ya want for nothing?')"),
        "\"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\""
    );
    assert_eq!(
        shown(
            &lua,
            "#mpms.hash.sha1('abc', { raw = true }), #mpms.hash.hmac('sha512', '', '', { raw = true })"
        ),
        "20, 64"
    );
}

/// Bytes of all kinds and lengths, against Python's `hashlib`, `hmac` and `zlib`.
#[test]
fn python_gives_the_same_sums() {
    let lua = state();
    let script = "
import hashlib, hmac, zlib
for n in [0, 1, 3, 55, 56, 63, 64, 65, 127, 128, 129, 1000, 65536]:
    b = bytes((i * 7 + n) % 256 for i in range(n))
    for name in ['md5', 'sha1', 'sha256', 'sha512']:
        print(n, name, hashlib.new(name, b).hexdigest(), hmac.new(b[:200], b, name).hexdigest())
    print(n, 'crc32', '%08x' % zlib.crc32(b), '-')
";
    let out = Command::new("python3").args(["-c", script]).output().expect("python3 runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut count = 0;
    for line in String::from_utf8(out.stdout).expect("text").lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let [n, name, sum, code] = parts[..] else { panic!("{line}") };
        let n: usize = n.parse().expect("a number");
        let bytes: Vec<u8> = (0..n).map(|i| ((i * 7 + n) % 256) as u8).collect();
        let text = lua.create_string(&bytes).expect("a string");
        let own: String = run_with(&lua, "local name, s = ... return mpms.hash[name](s)", (name, &text));
        assert_eq!(own, sum, "{name} of {n}");
        if code != "-" {
            let own: String = run_with(
                &lua,
                "local name, s = ... return mpms.hash.hmac(name, s:sub(1, 200), s)",
                (name, &text),
            );
            assert_eq!(own, code, "hmac {name} of {n}");
        }
        count += 1;
    }
    assert_eq!(count, 13 * 5);
}

#[test]
fn pieces_and_files_give_the_sum_of_the_whole() {
    let lua = state();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("big");
    let bytes: Vec<u8> = (0..700_001u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(&path, &bytes).expect("written");
    let path = path.to_str().expect("UTF-8");
    let text = lua.create_string(&bytes).expect("a string");
    for name in NAMES {
        let same: bool = run_with(
            &lua,
            "local name, path, s = ... local h = mpms.hash
             local whole = h[name](s)
             local one = h.new(name)
             for at = 1, #s, 777 do assert(one:update(s:sub(at, at + 776)) == one) end
             local early = h.new(name):update('a')
             assert(early:hex() == h[name] 'a' and early:update('b'):hex() == h[name] 'ab')
             assert(one:raw() == h[name](s, { raw = true }))
             assert(h.file(name, path, { raw = true }) == one:raw())
             for _, length in ipairs { 0, 1, 262144, 262145 } do
               mpms.fs.write(path .. '.part', s:sub(1, length))
               assert(h.file(name, path .. '.part') == h[name](s:sub(1, length)), length)
             end
             return whole == one:hex() and whole == h.file(name, path)",
            (name, path, &text),
        );
        assert!(same, "{name}");
    }
    for (tool, name) in
        [("sha256sum", "sha256"), ("md5sum", "md5"), ("sha1sum", "sha1"), ("sha512sum", "sha512")]
    {
        let out = Command::new(tool).arg(path).output().expect("the tool runs");
        let wanted = String::from_utf8_lossy(&out.stdout).split(' ').next().unwrap_or_default().to_owned();
        assert_eq!(run_with::<String>(&lua, "return mpms.hash.file(...)", (name, path)), wanted, "{tool}");
    }
}

#[test]
fn a_file_is_read_beside_others_and_stops_with_its_task() {
    let lua = state();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("large");
    // without blocks on the disk, and longer to read than the test waits
    std::fs::File::create(&path).and_then(|file| file.set_len(64 << 30)).expect("a sparse file");
    let path = path.to_str().expect("UTF-8");
    let e: String = run_with(
        &lua,
        "local path = ... local _, e = try(mpms.co.timeout, 0.05, mpms.hash.file, 'md5', path) return e.code",
        path,
    );
    assert_eq!(e, "timeout");
    let is_open = || {
        let open = std::fs::read_dir("/proc/self/fd").expect("the list of descriptors");
        open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .any(|to| to == std::path::Path::new(path))
    };
    let begin = std::time::Instant::now();
    while is_open() {
        assert!(begin.elapsed().as_secs() < 20, "the file is still read");
        std::thread::yield_now();
    }
}

#[test]
fn bad_calls_are_told() {
    let lua = state();
    for (code, kind, message) in [
        (
            "mpms.hash.new 'sha265'",
            "invalid",
            "hash.new: argument 1 (algorithm) must be one of `blake3`, `crc32`, `md5`, `sha1`, `sha256`, `sha512`, `xxh3`, got `sha265`; did you mean `sha256`?",
        ),
        (
            "mpms.hash.hmac('crc32', 'k', 'x')",
            "invalid",
            "hash.hmac: argument 1 (algorithm) must be one of `md5`, `sha1`, `sha256`, `sha512`, got `crc32`",
        ),
        ("mpms.hash.sha256()", "invalid", "hash.sha256: argument 1 (text) must be a string, got nil"),
        (
            "mpms.hash.sha256('', { rwa = true })",
            "invalid",
            "hash.sha256: unknown option `rwa`; did you mean `raw`?",
        ),
        ("mpms.hash.file('sha256', '/none')", "not_found", "hash.file /none: no such file or directory"),
        ("mpms.hash.file('sha256', '/')", "is_directory", "hash.file /: is a directory"),
        (
            "mpms.hash.file('sah1', '/none')",
            "invalid",
            "hash.file: argument 1 (algorithm) must be one of `blake3`, `crc32`, `md5`, `sha1`, `sha256`, `sha512`, `xxh3`, got `sah1`; did you mean `sha1`?",
        ),
        (
            "mpms.hash.new('md5'):update()",
            "invalid",
            "hash.Hash:update: argument 1 (text) must be a string, got nil",
        ),
        ("mpms.hash.new('md5'):digest()", "invalid", "hash.Hash: no field or method `digest`"),
    ] {
        let e = fails(&lua, code);
        assert_eq!((e.code.as_str(), e.message.as_str()), (kind, message), "{code}");
    }
}

#[test]
fn equal_is_about_the_bytes() {
    let lua = state();
    assert_eq!(
        shown(
            &lua,
            "mpms.hash.equal('', ''), mpms.hash.equal('a\\0b', 'a\\0b'), mpms.hash.equal('a\\0b', 'a\\0c'), \
             mpms.hash.equal('abc', 'ab'), mpms.hash.equal('xbc', 'abc'), mpms.hash.equal('\\xFF', '\\x7F')"
        ),
        "true, true, false, false, false, false"
    );
}
