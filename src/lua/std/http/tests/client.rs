//! Sessions: cookies, robots.txt, retries, redirects, bodies.

use tempfile::TempDir;

use super::raw;
use crate::lua::std::testing::{fails, run, run_with, state};

fn folder() -> (TempDir, String) {
    let folder = TempDir::new().expect("a folder");
    let name = folder.path().to_string_lossy().into_owned();
    (folder, name)
}

#[test]
fn cookies_are_kept_for_those_they_belong_to() {
    let (_folder, dir) = folder();
    let code = r#"
        local http, fs, dir = require "mpms.http", require "mpms.fs", ...
        local routes = {
          ["/set"] = { redirect = "/show", headers = { ["Set-Cookie"] = { "a=1; Path=/", "b=2; Path=/deep; HttpOnly", "t=3; Max-Age=3600" } } },
          ["/gone"] = { headers = { ["Set-Cookie"] = "a=; Max-Age=0; Path=/" } },
          ["/wide"] = { headers = { ["Set-Cookie"] = { "x=1; Domain=com", "y=1; Domain=other.example", "nonsense", "z=" .. ("z"):rep(9000) } } },
          ["/show"] = function(req) return req.headers.cookie or "none" end,
          ["/deep/show"] = function(req) return req.headers.cookie or "none" end,
        }
        local server <close> = http.serve(routes)
        local other <close> = http.serve(routes)
        local c <close> = http.client { base_url = server.url, cookies = true }
        assert(c:get("/show").body == "none")
        local shown = c:get("/set").body                  -- the cookies of a redirect are sent on the next hop
        assert(shown == "a=1; t=3", shown)
        assert(c:get("/deep/show").body:find "^b=2; ")    -- the longer path first
        assert(c:get("/show", { cookies = { own = 5 }, headers = { cookie = "h=1" } }).body:find "; own=5; h=1$")
        local list = c:cookies()
        assert(#list == 3 and list[1].name == "a" and list[1].domain == "127.0.0.1" and list[1].host_only and not list[1].expires)
        assert(list[2].name == "t" and list[2].expires > mpms.time.now() and list[3].path == "/deep" and list[3].http_only)
        c:get "/gone" assert(#c:cookies() == 2)
        c:get "/wide" assert(#c:cookies() == 2, "cookies of strangers are not kept")
        assert(http.get(server.url .. "/show").body == "none", "others have none of it")
        assert(http.get(server.url .. "/show", { cookies = { b = 2, a = 1 } }).body == "a=1; b=2")

        -- A file: the next client has them.
        local d = http.client { base_url = server.url, cookies = dir .. "/jar.json" }
        d:get "/set" d:close()
        local e = http.client { base_url = server.url, cookies = dir .. "/jar.json" }
        assert(e:get("/deep/show").body:find "b=2" and #e:cookies() == 3)
        local _, err = try(d.get, d, "/show") assert(err.code == "invalid" and err.message:find "closed")
        fs.write(dir .. "/bad.json", "{")
        _, err = try(http.client, { cookies = dir .. "/bad.json" }) assert(err.code == "parse" and err.path)
        _, err = try(http.get, server.url, { cookies = { a = "x;y" } }) assert(err.code == "invalid")
        _, err = try(function() http.client():cookies() end) assert(err.message:find "keeps no cookies")
    "#;
    run_with::<()>(&state(), code, dir);
}

#[test]
fn what_is_meant_for_one_server_is_not_told_to_another() {
    let code = r#"
        local http = require "mpms.http"
        local there <close> = http.serve { ["/show"] = function(req)
          local h = req.headers
          return ("%s %s %s %s"):format(h.authorization, h.cookie, h["x-own"], req.method .. req.body .. tostring(h["content-type"]))
        end }
        local target = there.url .. "/show"
        local here <close> = http.serve {
          ["/away"] = { status = 307, redirect = target }, ["/here"] = { status = 307, redirect = "/show" },
          ["/302"] = { redirect = "/show" }, ["/303"] = { status = 303, redirect = "/show" },
          ["/bad"] = { redirect = "gopher://x" }, ["/301"] = { status = 301, redirect = "show#there" },
          ["/show"] = function(req) return req.method .. req.body .. tostring(req.headers.authorization) .. tostring(req.headers["content-type"]) end,
        }
        local o = { auth = { "me", "pw" }, cookies = { k = 1 }, headers = { ["X-Own"] = "x" }, json = 5 }
        assert(http.post(here.url .. "/away", o).body == "nil nil x POST5application/json", http.post(here.url .. "/away", o).body)
        assert(http.post(here.url .. "/here", o).body == "POST5Basic bWU6cHc=application/json")
        assert(http.post(here.url .. "/302", o).body == "GETBasic bWU6cHc=nil")
        assert(http.put(here.url .. "/302", o).body == "PUT5Basic bWU6cHc=application/json")
        assert(http.put(here.url .. "/303", o).body == "GETBasic bWU6cHc=nil")
        assert(http.get(here.url .. "/301").url == here.url .. "/show")
        local _, e = try(http.get, here.url .. "/bad") assert(e.code == "redirect" and e.message:find("gopher://x", 1, true))
        local u = here.url:gsub("//", "//me:pw@")
        local r = http.get(u .. "/show") assert(r.body == "GETBasic bWU6cHc=nil" and not r.url:find "pw")
    "#;
    run::<()>(&state(), code);
}

#[test]
fn failures_that_pass_are_tried_again() {
    let code = r#"
        local http = require "mpms.http"
        local busy = { status = 503, headers = { ["Retry-After"] = "0" } }
        local server <close> = http.serve {
          ["/a"] = { busy, busy, "ok" }, ["/b"] = { busy, busy, busy, "ok" }, ["/c"] = { { fail = "reset" }, { fail = "cut", body = "12345678" }, "ok" },
          ["/d"] = { 404, "ok" }, ["/e"] = { { status = 202, body = "wait" }, { status = 202 }, "done" }, ["/f"] = { { status = 429, headers = { ["Retry-After"] = "3600" } }, "ok" },
          ["POST /g"] = function(req) n = (n or 0) + 1 if n < 3 then return { status = 500 } end return req.body end,
          ["/h"] = { { fail = "hang" }, "ok" }, ["/i"] = { 503, 503, 503 }, ["/j"] = { 503, 404 },
        }
        local function get(p, o) return http.get(server.url .. p, o) end
        local quick = { count = 2, delay = "1ms" }
        assert(get("/a", { retries = quick }).body == "ok")
        local _, e = try(get, "/b", { retries = quick }) assert(e.status == 503 and e.retry_after == 0)
        assert(get("/c", { retries = quick }).body == "ok")
        _, e = try(get, "/d", { retries = quick }) assert(e.status == 404)
        assert(get("/e", { retries = { count = 9, delay = 0, on = { 202 } } }).body == "done")
        local t = mpms.time.mono()
        _, e = try(get, "/f", { retries = quick }) assert(e.status == 429 and e.retry_after == 3600 and mpms.time.mono() - t < 5)
        local gone = false
        local body = function() if not gone then gone = true return "twice" end end
        assert(http.post(server.url .. "/g", { body = body, retries = quick }).body == "twice")
        assert(get("/h", { timeout = "100ms", retries = quick }).body == "ok")
        assert(get("/i", { raise = false, retries = quick }).status == 503)
        local c = http.client { base_url = server.url, retries = { count = 1, delay = 0, on = { "http_status" } } }
        _, e = try(c.get, c, "/j") assert(e.status == 404)
    "#;
    run::<()>(&state(), code);
}

#[test]
fn robots_txt_is_obeyed_where_it_is_asked_for() {
    let code = r#"
        local http = require "mpms.http"
        local function site(robots)
          return http.serve { ["/robots.txt"] = robots, ["/to/private"] = { redirect = "/private/x" }, ["/*"] = "page" }
        end
        local polite <close> = site "User-agent: *\nDisallow: /private\n\nUser-agent: mybot\nDisallow: /mine\n"
        local c = http.client { base_url = polite.url, robots = true }
        assert(c:get("/a").body == "page" and http.get(polite.url .. "/private/x").body == "page")
        local _, e = try(c.get, c, "/private/x")
        assert(e.code == "robots" and not e.retryable and e.url == polite.url .. "/private/x" and e.message:find "`mpms`", e.message)
        _, e = try(c.get, c, "/to/private") assert(e.code == "robots", "redirects too")
        local mine = http.client { base_url = polite.url, robots = true, user_agent = "MyBot/1.0 (+https://example.com)" }
        assert(mine:get("/private/x").body == "page")
        _, e = try(mine.get, mine, "/mine") assert(e.code == "robots" and e.message:find "`MyBot`")

        local none <close> = site(404) assert(http.client { robots = true }:get(none.url .. "/private").body == "page")
        local down <close> = site { 503, "User-agent: *\nDisallow:\n" }
        c = http.client { robots = true }
        _, e = try(c.get, c, down.url .. "/x") assert(e.code == "robots" and e.retryable and e.message:find "503", e.message)
        assert(c:get(down.url .. "/x").body == "page", "and asked again")
        local loop <close> = site { redirect = "/robots.txt" } assert(http.client { robots = true }:get(loop.url .. "/x").body == "page")
        local cut <close> = site { fail = "reset" }
        _, e = try(c.get, c, cut.url .. "/x") assert(e.code == "robots" and e.retryable and e.cause)
        local large <close> = site { body = (" #\n"):rep(300000) .. "User-agent: *\nDisallow: /\n" }
        assert(http.client { robots = true }:get(large.url .. "/x").body == "page", "only the first 500 KiB count")
    "#;
    run::<()>(&state(), code);
}

#[test]
fn bodies_come_from_strings_files_and_iterators() {
    let (_folder, dir) = folder();
    let code = r#"
        local http, fs, dir = require "mpms.http", require "mpms.fs", ...
        local server <close> = http.serve {
          ["POST /len"] = function(req) return { headers = { ["X-Length"] = req.headers["content-length"], ["X-Coding"] = req.headers["transfer-encoding"] }, body = tostring(#req.body) } end,
          ["POST /echo"] = function(req) return req.body end, ["POST /type"] = function(req) return req.headers["content-type"] end,
          ["POST /again"] = { status = 307, redirect = "/echo" },
        }
        local function post(p, o) return http.post(server.url .. p, o) end
        fs.write(dir .. "/a.bin", ("x"):rep(300000))
        local r = post("/len", { body = { path = dir .. "/a.bin" } })
        assert(r.body == "300000" and r.headers["x-length"] == "300000" and not r.headers["x-coding"])
        assert(post("/again", { body = { path = dir .. "/a.bin" } }).body == ("x"):rep(300000))
        local n = 0
        r = post("/len", { body = function() n = n + 1 if n <= 40 then return ("y"):rep(100000) end end })
        assert(r.body == "4000000" and r.headers["x-length"] == "4000000")
        assert(post("/echo", { body = io.open(dir .. "/a.bin") }).body == ("x"):rep(300000))
        assert(post("/len", { body = "" }).headers["x-length"] == "0")
        fs.write(dir .. "/l.txt", "1\n2\n3\n") assert(post("/echo", { body = fs.lines(dir .. "/l.txt") }).body == "123")

        fs.write(dir .. "/p.png", "PNG")
        local parts = { { name = "a\"b", data = "1" }, { name = "f", path = dir .. "/p.png" }, { name = "g", data = "{}", filename = "g.json" }, { name = "h", data = 5, type = "x/y" } }
        local kind = post("/type", { multipart = parts }).body
        local boundary = kind:match "^multipart/form%-data; boundary=(mpms%-%x+)$"
        assert(boundary)
        local text = post("/echo", { multipart = parts }).body:gsub("mpms%-%x+", "B"):gsub("\r\n", "\n")
        assert(text == [[
--B
Content-Disposition: form-data; name="a%22b"

1
--B
Content-Disposition: form-data; name="f"; filename="p.png"
Content-Type: image/png

PNG
--B
Content-Disposition: form-data; name="g"; filename="g.json"
Content-Type: application/json

{}
--B
Content-Disposition: form-data; name="h"
Content-Type: x/y

5
--B--
]], text)
        for text, o in pairs {
          ["only one of"] = { body = "", form = {} }, ["without a method `read`"] = { body = http.client() }, ["must be a string, {path=}"] = { body = {} },
          ["must give strings, got boolean"] = { body = function() return true end }, ["got boolean"] = { body = true },
          ["part 1: option `name` is needed"] = { multipart = { {} } }, ["part 1: one of the options"] = { multipart = { { name = "a" } } },
          ["must be a list of parts"] = { multipart = {} }, ["did you mean `filename`"] = { multipart = { { name = "a", data = "", filname = "x" } } },
        } do
          local _, e = try(post, "/echo", o) assert(e and e.code == "invalid" and e.message:find(text, 1, true), e and e.message)
        end
        local _, e = try(post, "/echo", { body = { path = dir .. "/none" } }) assert(e.code == "not_found" and e.path == dir .. "/none" and e.op == "http.post")
        _, e = try(post, "/echo", { multipart = { { name = "a", path = dir } } }) assert(e.message:find "only a file")
        _, e = try(post, "/echo", { body = function() error({ code = "mine" }) end }) assert(e.code == "mine")
    "#;
    run_with::<()>(&state(), code, dir);
}

#[test]
fn a_list_of_requests_is_made_so_many_at_once() {
    let code = r#"
        local http = require "mpms.http"
        local server <close> = http.serve { ["/slow/:n"] = function(req) return { body = req.params.n, delay = 0.1 } end, ["/bad"] = 404, ["POST /p"] = function(r) return r.body end }
        local list = { concurrency = 20 }
        for i = 1, 40 do list[i] = server.url .. "/slow/" .. i end
        list[7] = { url = server.url .. "/p", method = "POST", body = "seven" }
        local t = mpms.time.mono()
        local replies = http.all(list)
        local took = mpms.time.mono() - t
        assert(#replies == 40 and replies[3].body == "3" and replies[40].body == "40" and replies[7].body == "seven")
        assert(took >= 0.2 and took < 3.5, took)
        local _, e = try(http.all, { server.url .. "/slow/1", server.url .. "/bad" }) assert(e.status == 404 and e.op == "http.all" and e.url:find "/bad$")
        replies = http.all { server.url .. "/bad", "http://127.0.0.1:1/", server.url .. "/slow/1", raise = false }
        assert(replies[1].status == 404 and replies[2].code == "connect" and not replies[2].ok and replies[3].ok)
        assert(#http.all {} == 0)
        local c = http.client { base_url = server.url } assert(c:all({ "/slow/5" })[1].body == "5")
        for text, o in pairs { ["did you mean `concurrency`"] = { concurency = 1 }, ["must be 1 to"] = { concurrency = 0 }, ["request 1 must be"] = { 5 }, ["option `url` is needed"] = { {} } } do
          _, e = try(http.all, o) assert(e and e.code == "invalid" and e.message:find(text, 1, true), e and e.message)
        end
    "#;
    run::<()>(&state(), code);
}

#[test]
fn wrong_options_of_a_client_are_refused() {
    let (_folder, dir) = folder();
    std::fs::write(format!("{dir}/no.pem"), "hello").expect("written");
    let lua = state();
    for (options, code, text) in [
        ("proxy = 'nowhere'", "invalid", "option `proxy` must be an address"),
        ("proxy = 'ftp://x:1'", "invalid", "option `proxy` must be an address"),
        ("proxy = 5", "invalid", "an address or false"),
        ("ca = '/none.pem'", "not_found", "/none.pem"),
        ("ca = DIR .. '/no.pem'", "parse", "no certificate"),
        ("cert = DIR .. '/no.pem'", "parse", "no certificate"),
        ("cert = 5", "invalid", "option `cert`"),
        ("cert = {pem = 'a', kye = 'b'}", "invalid", "option `cert`"),
        ("max_idle_per_host = -1", "invalid", "max_idle_per_host"),
        ("http2 = 'x'", "invalid", "option `http2` must be a boolean"),
        ("robots = 1", "invalid", "option `robots`"),
        ("base_url = 'x'", "invalid", "the address is wrong"),
        ("user_agent = 'a\\nb'", "invalid", "user_agent"),
        ("insecur = true", "invalid", "did you mean `insecure`"),
    ] {
        let e = fails(&lua, &format!("local DIR = '{dir}' mpms.http.client {{ {options} }}"));
        assert_eq!(e.code, code, "{options}: {e:?}");
        assert!(e.message.contains(text), "{options}: {}", e.message);
    }
}

#[test]
fn a_text_is_read_in_its_charset() {
    const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<meta charset=windows-1251>\xcf\xf0\xe8\xe2\xe5\xf2";
    let port = raw(vec![PAGE]);
    let code = format!(
        "local r = mpms.http.get('http://127.0.0.1:{port}/')
         assert(r:text():find 'Привет$' and r:text('latin1'):find 'Ïðèâåò$' and r.remote == '127.0.0.1:{port}')"
    );
    run::<()>(&state(), &code);
}

#[test]
fn a_connection_that_dies_under_a_harmless_request_is_replaced() {
    use std::io::Write as _;
    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let server = std::thread::spawn(move || {
        let mut heads = Vec::new();
        // Each connection answers once, reads a second request, and is gone.
        for stream in listener.incoming().take(3) {
            let mut stream = stream.expect("a client");
            heads.push(super::read_head(&mut stream));
            stream.write_all(REPLY).expect("sent");
            heads.push(super::read_head(&mut stream));
        }
        heads.iter().filter(|head| head.starts_with(b"POST")).count()
    });
    let code = format!(
        "local u = 'http://127.0.0.1:{port}/'
         assert(mpms.http.get(u).body == 'ok' and mpms.http.get(u).body == 'ok')
         local _, e = try(mpms.http.post, u, {{ body = 'once' }})
         assert(e.code == 'connect' and e.retryable)
         assert(mpms.http.get(u).body == 'ok') try(mpms.http.post, u)"
    );
    run::<()>(&state(), &code);
    assert_eq!(server.join().expect("served"), 2, "a POST is sent once");
}
