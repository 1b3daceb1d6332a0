//! Bodies that are not read whole: streams and downloads.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use tempfile::TempDir;

use super::{raw, read_head};
use crate::lua::std::testing::{fails, run, run_with, state};

#[test]
fn a_stream_gives_pieces_and_lines() {
    let code = r#"
        local http = require "mpms.http"
        local server <close> = http.serve {
          ["/lines"] = "one\r\ntwo\n\nlast", ["/big"] = ("0123456789"):rep(100000), ["/empty"] = "", ["/bad"] = 404,
          ["/slow"] = { body = "a\nb\nc\n", rate = 50 }, ["/cut"] = { body = ("x"):rep(1000), fail = "cut" }, ["/zip"] = { body = ("z"):rep(5000), gzip = true },
        }
        local function open(p, o) return http.stream(server.url .. p, o) end
        local r = open "/lines"
        assert(r.ok and r.status == 200 and r.headers["Content-Type"] and r.version == "HTTP/1.1" and r.remote and r.url == server.url .. "/lines")
        local lines = {} for line in r:lines() do lines[#lines + 1] = line end
        assert(table.concat(lines, "|") == "one|two||last" and r:line() == nil and r:read() == nil)
        local sizes, sum = {}, 0
        for chunk in open("/big"):chunks(300000) do sizes[#sizes + 1] = #chunk end
        assert(table.concat(sizes, " ") == "300000 300000 300000 100000")
        for chunk in open("/big"):chunks() do sum = sum + #chunk end assert(sum == 1000000)
        local half = open "/big"
        assert(half:read(5) == "01234" and #half:read() > 0)
        half:close() half:close()
        local _, e = try(half.read, half) assert(e.code == "invalid" and e.message:find "closed")
        for _ in open("/empty"):chunks() do error "nothing is there" end
        _, e = try(open, "/bad") assert(e.status == 404 and e.op == "http.stream")
        assert(open("/bad", { allow = { 404 } }):read() == "Not Found")
        local t, n = mpms.time.mono(), 0
        for line in open("/slow"):lines() do n = n + 1 if n == 1 then assert(mpms.time.mono() - t < 0.1) end end assert(n == 3 and mpms.time.mono() - t >= 0.1)
        local cut = open "/cut" assert(#cut:read(400) == 400)
        _, e = try(function() for _ in cut:chunks() do end end) assert(e.code == "connect" and e.retryable and e.op == "http.Stream:read", e.code)
        _, e = try(cut.read, cut) assert(e.message:find "closed")
        _, e = try(function() for _ in open("/big", { max_size = 5000 }):chunks() do end end) assert(e.code == "too_large")
        assert(open("/zip"):read(9999) == ("z"):rep(5000))
        do local s <close> = open "/big" end
        for _, size in ipairs { 0, 1 << 40 } do _, e = try(open("/big").read, open "/big", size) assert(e.code == "invalid") end
        _, e = try(function() return open("/big").body end) assert(e.message:find "no field or method `body`")
        _, e = try(function() return r.read() end) assert(e.code == "invalid")
    "#;
    run::<()>(&state(), code);
}

#[test]
fn a_stream_that_falls_silent_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nfirst\n").expect("sent");
        let _ = stream.read(&mut [0; 1]);
    });
    let e = fails(
        &state(),
        &format!(
            "local r = mpms.http.stream('http://127.0.0.1:{port}/', {{read_timeout = '100ms'}})
             assert(r:line() == 'first') r:line()"
        ),
    );
    assert_eq!((e.code.as_str(), e.retryable, e.op.as_deref()), ("timeout", true, Some("http.Stream:line")));
    assert!(e.message.contains("no reply within 100ms"), "{}", e.message);
}

#[test]
fn a_download_appears_whole_or_not_at_all() {
    let folder = TempDir::new().expect("a folder");
    let code = r#"
        local http, fs, dir = require "mpms.http", require "mpms.fs", ...
        local body = ("0123456789"):rep(300000)
        local server <close> = http.serve {
          ["/a"] = { body = body, ranges = true }, ["/plain"] = body, ["/zip"] = { body = body, gzip = true }, ["/bad"] = 404, ["/empty"] = "",
          ["/once"] = { { body = body, ranges = true, fail = "cut", after = 2000000 }, { body = body, ranges = true } },
          ["/changed"] = { { body = body, ranges = true, fail = "cut" }, { body = body:reverse(), ranges = true } },
          ["/nothing"] = { { body = body, fail = "cut" }, { body = body } },
          ["/try"] = { { body = body, ranges = true, fail = "reset", after = 100000 }, { body = body, ranges = true, fail = "cut" }, 503, { body = body, ranges = true } },
          ["/cut"] = { body = body, fail = "cut" },
        }
        local u, f = server.url, dir .. "/f"
        local sum
        local function names() return table.concat(fs.list(dir), " ") end

        local seen = {}
        local r = http.download(u .. "/a", f, { progress = function(done, total) seen[#seen + 1] = done assert(total == 3000000) end })
        assert(r.path == f and r.size == 3000000 and #r.sha256 == 64 and r.etag:find '^"%x+"$' and r.resumed == false)
        assert(fs.read(f) == body and names() == "f" and seen[#seen] == 3000000 and #seen >= 2)
        sum = r.sha256
        local _, e = try(http.download, u .. "/a", f) assert(e.code == "exists" and e.path == f and e.op == "http.download")
        assert(http.download(u .. "/plain", f, { overwrite = true, sha256 = sum:upper() }).sha256 == sum and names() == "f")
        assert(http.download(u .. "/zip", f, { overwrite = true }).sha256 == sum, "bytes as they are stored")
        assert(http.download(u .. "/empty", dir .. "/empty").size == 0) fs.remove(dir .. "/empty")

        -- A wrong sum, a status and a cut leave what was there, and no rest.
        fs.write(f, "old")
        _, e = try(http.download, u .. "/a", f, { overwrite = true, sha256 = ("0"):rep(64) })
        assert(e.code == "checksum" and e.retryable and e.message:find(sum, 1, true) and names() == "f" and fs.read(f) == "old", names())
        _, e = try(http.download, u .. "/bad", f, { overwrite = true }) assert(e.status == 404 and names() == "f")
        _, e = try(http.download, u .. "/cut", f, { overwrite = true }) assert(e.code == "connect" and names() == "f", names())
        _, e = try(http.download, u .. "/a", f, { overwrite = true, max_size = 1000 }) assert(e.code == "too_large" and names() == "f")
        _, e = try(http.download, u .. "/a", f, { overwrite = true, progress = function() error { code = "mine" } end }) assert(e.code == "mine")
        for _, p in ipairs(fs.list(dir)) do if p ~= "f" then fs.remove(dir .. "/" .. p) end end
        fs.remove(f)

        -- The rest of it, where the server says that it is the same.
        _, e = try(http.download, u .. "/once", f) assert(e.code == "connect" and names() == ".f.part .f.part.json", e.message)
        assert(fs.stat(dir .. "/.f.part").size == 2000000)
        r = http.download(u .. "/once", f, { sha256 = sum }) assert(r.resumed and r.size == 3000000 and names() == "f" and fs.read(f) == body) fs.remove(f)
        _, e = try(http.download, u .. "/changed", f) assert(e.code == "connect")
        r = http.download(u .. "/changed", f) assert(not r.resumed and fs.read(f) == body:reverse() and names() == "f") fs.remove(f)
        _, e = try(http.download, u .. "/nothing", f) assert(e.code == "connect" and names() == "", names())
        r = http.download(u .. "/nothing", f) assert(not r.resumed and r.sha256 == sum) fs.remove(f)
        r = http.download(u .. "/try", f, { retries = { count = 3, delay = 0 }, sha256 = sum }) assert(r.resumed and names() == "f") fs.remove(f)
        _, e = try(http.download, u .. "/cut", f, { resume = false }) assert(names() == "")

        -- Complete but for its name: an earlier call was killed before the last step.
        fs.write(dir .. "/.f.part", body)
        fs.write(dir .. "/.f.part.json", mpms.json.encode { url = u .. "/a", validator = http.head(u .. "/a").headers.etag })
        r = http.download(u .. "/a", f) assert(r.sha256 == sum and fs.read(f) == body and names() == "f") fs.remove(f)
        -- Of another address: begun anew.
        fs.write(dir .. "/.f.part", "junk") fs.write(dir .. "/.f.part.json", mpms.json.encode { url = "http://x/", validator = http.head(u .. "/a").headers.etag })
        assert(http.download(u .. "/a", f).sha256 == sum) fs.remove(f)
        fs.write(dir .. "/.f.part", "junk") fs.write(dir .. "/.f.part.json", 'damaged')
        assert(http.download(u .. "/a", f).sha256 == sum) fs.remove(f)

        _, e = try(http.download, u .. "/a", dir) assert(e.code == "is_directory")
        _, e = try(http.download, u .. "/a", dir .. "/no/f") assert(e.code == "not_found" and e.path)
        _, e = try(http.download, u .. "/a", f, { sha256 = "abc" }) assert(e.code == "invalid")
        _, e = try(http.download, u .. "/a", f, { progress = true }) assert(e.message:find "workers")
        _, e = try(http.download, u .. "/a", f, { overwite = true }) assert(e.message:find "did you mean `overwrite`")
        _, e = try(http.download, u .. "/a", "/") assert(e.code == "invalid")
        assert(names() == "", names())
    "#;
    run_with::<()>(&state(), code, folder.path().to_string_lossy().into_owned());
}

#[test]
fn two_downloads_of_one_file_do_not_mix() {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("f");
    let lua = state();
    let port: u16 = run(
        &lua,
        "server = mpms.http.serve { ['/'] = { body = ('x'):rep(100000), rate = 200000 } } return server.port",
    );
    let code = format!("mpms.http.download('http://127.0.0.1:{port}/', '{}')", place.display());
    let (first, beside) = (code.clone(), folder.path().join(".f.part"));
    let other = thread::spawn(move || run::<()>(&state(), &first));
    while beside.metadata().map_or(0, |facts| facts.len()) == 0 {
        thread::yield_now();
    }
    let e = fails(&lua, &code);
    assert_eq!((e.code.as_str(), e.retryable), ("busy", true), "{e:?}");
    other.join().expect("the first one is not disturbed");
    assert_eq!(std::fs::read(&place).expect("there"), vec![b'x'; 100_000]);
}

#[test]
fn a_wrong_part_is_not_taken() {
    const OTHER: &[u8] = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\nConnection: close\r\n\r\n56789";
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("f");
    let port = raw(vec![OTHER]);
    let e =
        fails(&state(), &format!("mpms.http.download('http://127.0.0.1:{port}/', '{}')", place.display()));
    assert_eq!(e.code, "protocol", "{e:?}");
    assert!(!place.exists());
}
