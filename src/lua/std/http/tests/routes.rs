//! What `http.serve` can be made to do to a client.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use tempfile::TempDir;

use crate::lua::std::testing::{fails, run, run_with, state};

#[test]
fn routes_answer_what_they_were_told() {
    let folder = TempDir::new().expect("a folder");
    let code = r#"
        local http, fs, dir = require "mpms.http", require "mpms.fs", ...
        fs.write(dir .. "/a.json", "{}")
        local server <close> = http.serve {
          ["/"] = "home", ["/gone"] = 410, ["/in-turn"] = { "one", { status = 201, body = { 2 } }, "last" },
          ["POST /items"] = function(req) return { status = 201, body = req.body } end,
          ["GET /items"] = { body = { list = true } }, ["/items/:id"] = function(req) return req.params.id .. tostring(req.query.q) end,
          ["/deep/*"] = function(req) return req.params["*"] end, ["/file"] = { file = dir .. "/a.json", status = 203 },
          ["/to"] = { redirect = "/" }, ["/moved"] = { status = 308, redirect = "/items/5" }, ["/nofile"] = { file = dir .. "/none" },
        }
        local u = server.url
        assert(http.get(u).body == "home" and http.get(u .. "/gone", { allow = { 410 } }).body == "Gone")
        local function turn() return http.get(u .. "/in-turn").body end
        assert(turn() == "one" and turn() == "[2]" and turn() == "last" and turn() == "last")
        local r = http.post(u .. "/items", { body = "x" }) assert(r.status == 201 and r.body == "x")
        assert(http.get(u .. "/items"):json().list and http.head(u .. "/items").body == "")
        local _, e = try(http.put, u .. "/items") assert(e.status == 405)
        _, e = try(http.get, u .. "/nothing") assert(e.status == 404)
        assert(http.get(u .. "/items/a%2Fb?q=1").body == "a/b1" and http.get(u .. "/deep/x/y").body == "x/y")
        r = http.get(u .. "/file") assert(r.status == 203 and r.headers["content-type"] == "application/json" and r.headers.etag and r.headers["last-modified"]:find "GMT$")
        assert(http.get(u .. "/to").body == "home" and http.post(u .. "/moved").body == "5nil")
        _, e = try(http.get, u .. "/nofile") assert(e.status == 500)

        for text, routes in pairs {
          ["must begin with `/`"] = { x = "a" }, ["a route must be a string"] = { "a" }, ["must be a function, a string"] = { ["/"] = true },
          ["cannot be taken along to the server"] = { ["/"] = { body = print, x = function() end } }, ["only at its end"] = { ["/*/a"] = "" },
        } do
          _, e = try(http.serve, routes) assert(e and e.code == "invalid" and e.message:find(text, 1, true), e and e.message)
        end
    "#;
    run_with::<()>(&state(), code, folder.path().to_string_lossy().into_owned());
}

#[test]
fn parts_packings_and_paces() {
    let folder = TempDir::new().expect("a folder");
    let code = r#"
        local http, fs, dir = require "mpms.http", require "mpms.fs", ...
        fs.write(dir .. "/f", "0123456789")
        local files <close> = http.serve(dir)
        local server <close> = http.serve { ["/r"] = { body = "0123456789", ranges = true }, ["/z"] = { body = ("z"):rep(9000), gzip = true }, ["/slow"] = { body = ("s"):rep(1000), rate = "10KB" }, ["/n"] = { body = "0123456789" } }
        for _, u in ipairs { server.url .. "/r", files.url .. "/f" } do
          local function part(range, more)
            local h = { Range = range } for k, v in pairs(more or {}) do h[k] = v end
            local r = http.get(u, { headers = h, raise = false }) return r.status, r.body, r.headers["content-range"]
          end
          local s, b, c = part "bytes=2-4" assert(s == 206 and b == "234" and c == "bytes 2-4/10")
          s, b, c = part "bytes=-3" assert(s == 206 and b == "789" and c == "bytes 7-9/10")
          s, b, c = part "bytes=20-" assert(s == 416 and c == "bytes */10")
          s, b = part "bytes=1-2,4-5" assert(s == 200 and b == "0123456789")
          local tag = http.head(u).headers.etag
          s, b = part("bytes=5-", { ["If-Range"] = tag }) assert(s == 206 and b == "56789")
          s, b = part("bytes=5-", { ["If-Range"] = '"other"' }) assert(s == 200 and #b == 10)
          assert(http.get(u).headers["accept-ranges"] == "bytes")
        end
        assert(http.get(server.url .. "/n", { headers = { Range = "bytes=1-" } }).status == 200)
        local z = http.get(server.url .. "/z", { decompress = false, headers = { ["Accept-Encoding"] = "gzip" } })
        assert(z.headers["content-encoding"] == "gzip" and #z.body < 500 and http.get(server.url .. "/z").body == ("z"):rep(9000))
        assert(#http.get(server.url .. "/z", { decompress = false }).body == 9000, "only for those that take it")
        local t = mpms.time.mono()
        assert(#http.get(server.url .. "/slow").body == 1000 and mpms.time.mono() - t >= 0.09)
    "#;
    run_with::<()>(&state(), code, folder.path().to_string_lossy().into_owned());
}

#[test]
fn failures_look_as_they_do_in_the_wild() {
    let lua = state();
    let port: u16 = run(
        &lua,
        r#"server = mpms.http.serve {
             ["/reset"] = { fail = "reset" }, ["/late"] = { body = ("x"):rep(100), fail = "reset", after = 10 },
             ["/cut"] = { body = ("x"):rep(100), fail = "cut" }, ["/hang"] = { fail = "hang" },
             ["/wrong"] = { after = 5 }, ["/word"] = { fail = "cutt" },
           } return server.port"#,
    );
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).expect("sent");
        let mut reply = Vec::new();
        let end = stream.read_to_end(&mut reply).map_err(|error| error.kind());
        (end.is_ok(), String::from_utf8_lossy(&reply).into_owned())
    };
    assert_eq!(ask("/reset"), (false, String::new()));
    let (orderly, reply) = ask("/late");
    assert!(!orderly && reply.contains("content-length: 100") && reply.ends_with("xxxxxxxxxx"), "{reply}");
    let (orderly, reply) = ask("/cut");
    assert!(orderly && reply.ends_with(&"x".repeat(50)) && !reply.ends_with(&"x".repeat(51)), "{reply}");
    for (path, code) in
        [("/reset", "connect"), ("/late", "connect"), ("/cut", "connect"), ("/hang", "timeout")]
    {
        let e = fails(&lua, &format!("mpms.http.get(server.url .. '{path}', {{timeout = '300ms'}})"));
        assert_eq!((e.code.as_str(), e.retryable), (code, true), "{path}: {e:?}");
    }
    let e = fails(&lua, "mpms.http.get(server.url .. '/wrong')");
    assert_eq!(e.status, Some(500));
    let text: String = run(&lua, "return mpms.http.get(server.url .. '/word', {raise = false}).body");
    assert!(text.contains("`reset`, `cut`, `hang`"), "{text}");
}
