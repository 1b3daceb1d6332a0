use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

mod client;
mod pieces;
mod routes;

use crate::lua::error::Raised;
use crate::lua::std::testing::{fails, run, run_with, state};

/// A server that reads a request and answers with these bytes, then closes; once for each of them.
fn raw(replies: Vec<&'static [u8]>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for reply in replies {
            let (mut stream, _) = listener.accept().expect("a client");
            read_head(&mut stream);
            stream.write_all(reply).expect("sent");
        }
    });
    port
}

fn read_head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    head
}

fn get_fails(port: u16, options: &str) -> Raised {
    fails(&state(), &format!("mpms.http.get('http://127.0.0.1:{port}/x', {options})"))
}

const ECHO: &str = r#"
    local http, json = require "mpms.http", require "mpms.json"
    local server <close> = http.serve(function(req) return { body = req } end)
    local url = server.url
"#;

#[test]
fn requests_arrive_as_they_were_asked_for() {
    let code = format!(
        r#"{ECHO}
        local r = http.get(url .. "/a%20b?z=1", {{ query = {{ q = "ä&=", n = 2, l = {{ 1, 2 }} }}, headers = {{ ["X-A"] = "1", x_b = 2 }} }})
        local req = r:json()
        assert(r.ok and r.status == 200 and r.version == "HTTP/1.1" and r.elapsed > 0)
        assert(req.path == "/a b" and req.query.z == "1" and req.query.q == "ä&=" and req.query.n == "2" and #req.query.l == 2)
        assert(req.headers["x-a"] == "1" and req.headers.x_b == "2" and req.headers["user-agent"]:find "^mpms/")
        req = http.post(url, {{ json = {{ b = 1, a = {{}} }} }}):json()
        assert(req.method == "POST" and req.body == '{{"a":{{}},"b":1}}' and req.headers["content-type"] == "application/json")
        req = http.put(url, {{ form = {{ b = "x y", a = "ü" }} }}):json()
        assert(req.body == "a=%C3%BC&b=x+y" and req.headers["content-type"] == "application/x-www-form-urlencoded")
        req = http.patch(url, {{ body = "raw", headers = {{ ["content-type"] = "text/x" }} }}):json()
        assert(req.body == "raw" and req.headers["content-type"] == "text/x")
        req = http.request {{ method = "delete", url = url, auth = {{ "me", "secret" }} }}:json()
        assert(req.method == "DELETE" and req.headers.authorization == "Basic bWU6c2VjcmV0")
        assert(http.get(url, {{ auth = {{ bearer = "t" }} }}):json().headers.authorization == "Bearer t")
        assert(http.head(url).body == "" and http.options(url):json().method == "OPTIONS")
        "#
    );
    run::<()>(&state(), &code);
}

#[test]
fn a_session_shares_its_settings() {
    let code = format!(
        r#"{ECHO}
        local c = http.client {{ base_url = url .. "/v1/", user_agent = "me/1", headers = {{ a = "1", b = "1" }}, timeout = 5 }}
        local req = c:get("items", {{ headers = {{ b = "2" }} }}):json()
        assert(req.path == "/v1/items" and req.headers["user-agent"] == "me/1" and req.headers.a == "1" and req.headers.b == "2")
        assert(c:get("/x"):json().path == "/v1/x" and c:get(url .. "/y"):json().path == "/y")
        assert(c:request {{ url = "z", method = "POST", body = "b" }}:json().body == "b")
        local _, e = try(http.client, {{ cookies = 5 }}) assert(e.code == "invalid" and e.op == "http.client")
        _, e = try(c.get, c, "x", {{ timout = 1 }}) assert(e.message == "unknown option `timout`; did you mean `timeout`?", e.message)
        "#
    );
    run::<()>(&state(), &code);
}

#[test]
fn a_reply_is_read_in_all_its_parts() {
    let folder = TempDir::new().expect("a folder");
    let code = r#"
        local http, dir = require "mpms.http", ...
        local server <close> = http.serve(function(req)
          return { status = 201, body = "\xe4\0", headers = { ["Set-Cookie"] = { "a=1", "b=2" }, ["Content-Type"] = "text/plain; charset=latin1", X = 7 } }
        end)
        local r = http.get(server.url)
        assert(r.status == 201 and r.body == "\xe4\0" and r:text() == "ä\0" and r:text "latin1" == "ä\0")
        assert(r.headers["X"] == "7" and r.headers.x == "7" and r.headers["CONTENT-LENGTH"] == "2" and r.headers.none == nil)
        assert(r.headers["set-cookie"] == "a=1, b=2" and table.concat(r.headers:all "Set-Cookie", "|") == "a=1|b=2")
        assert(r.headers:all "x"[1] == "7" and #r.headers:all "none" == 0 and r.url == server.url .. "/")
        r:save(dir .. "/s/x", { mkdir = true }) assert(mpms.fs.read(dir .. "/s/x") == "\xe4\0" and r:raise() == r)
        local _, e = try(r.json, r) assert(e.code == "parse" and e.url == r.url and e.op == "http.Response:json")
        _, e = try(function() return r.staus end) assert(e.message:find "did you mean `status`" or e.message:find "staus", e.message)
        _, e = try(r.text, r, "klingon") assert(e.code == "invalid")
    "#;
    run_with::<()>(&state(), code, folder.path().to_string_lossy().into_owned());
}

#[test]
fn a_bad_status_raises_unless_it_is_allowed() {
    let code = r#"
        local http = require "mpms.http"
        local server <close> = http.serve(function(req)
          return { status = tonumber(req.query.s), headers = { ["Retry-After"] = req.query.after }, body = "why" }
        end)
        local u = server.url .. "/p?s="
        local _, e = try(http.get, u .. "404")
        assert(e.code == "http_status" and e.status == 404 and not e.retryable and e.url == u .. "404" and e.op == "http.get")
        assert(tostring(e) == "http.get " .. u .. "404: status 404 Not Found", tostring(e))
        for _, s in ipairs { 408, 425, 429, 500, 502, 503, 504, 522, 524 } do
          _, e = try(http.get, u .. s .. "&after=7")
          assert(e.status == s and e.retryable and e.retry_after == 7)
        end
        _, e = try(http.get, u .. "429&after=Wed,+21+Oct+2015+07:28:00+GMT") assert(e.retry_after == 0)
        _, e = try(http.get, u .. "429&after=soon") assert(e.retry_after == nil)
        assert(http.get(u .. "404", { allow = { 404 } }).body == "why" and not http.get(u .. "503", { raise = false }).ok)
        _, e = try(http.get, u .. "403", { allow = { 404 } }) assert(e.status == 403)
        _, e = try(function() http.get(u .. "429&after=3", { raise = false }):raise() end)
        assert(e.status == 429 and e.retryable and e.retry_after == 3)
    "#;
    run::<()>(&state(), code);
}

#[test]
fn redirects_are_followed_as_far_as_asked() {
    let code = r#"
        local http = require "mpms.http"
        local server <close> = http.serve(function(req)
          local n = tonumber(req.path:match "^/(%d+)$")
          if n and n > 0 then return { status = 302, headers = { Location = "/" .. n - 1 } } end
          if req.path == "/loop" then return { status = 302, headers = { Location = "/loop" } } end
          return req.method .. req.path
        end)
        assert(http.get(server.url .. "/3").body == "GET/0" and http.get(server.url .. "/10").url == server.url .. "/0")
        local _, e = try(http.get, server.url .. "/11") assert(e.code == "redirect" and not e.retryable, e.code)
        _, e = try(http.get, server.url .. "/3", { redirects = 2 }) assert(e.code == "redirect")
        _, e = try(http.get, server.url .. "/loop") assert(e.code == "redirect")
        local r = http.get(server.url .. "/3", { redirects = false }) assert(r.status == 302 and r.headers.location == "/2")
        assert(http.post(server.url .. "/1", { body = "x" }).body == "GET/0")
    "#;
    run::<()>(&state(), code);
}

#[test]
fn waits_end_at_their_time() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let start = Instant::now();
    let e = get_fails(port, "{timeout = '50ms'}");
    assert_eq!((e.code.as_str(), e.retryable, e.op.as_deref()), ("timeout", true, Some("http.get")));
    assert_eq!(e.url.as_deref(), Some(format!("http://127.0.0.1:{port}/x").as_str()));
    assert!(start.elapsed() < Duration::from_secs(5));

    // A body that never comes to its end.
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the first client");
        let (mut second, _) = listener.accept().expect("the second client");
        read_head(&mut stream);
        read_head(&mut second);
        second.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab").expect("sent");
        let _ = second.read(&mut [0; 1]);
    });
    assert_eq!(get_fails(port, "{timeout = 0.1}").code, "timeout");
}

#[test]
fn an_interrupt_ends_the_waiting_call() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let interrupt = crate::lua::std::runtime::interrupt();
    let other = std::sync::Arc::clone(&interrupt);
    thread::spawn(move || {
        let client = listener.accept();
        other.raise();
        drop(client);
    });
    let e = get_fails(port, "{}");
    assert_eq!(e.code, "cancelled");
    assert_eq!(fails(&state(), "sleep(1)").code, "cancelled");
    interrupt.clear();
    run::<()>(&state(), "sleep(0.001)");
}

#[test]
fn a_lost_connection_is_told_apart() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let e = get_fails(port, "{}");
    assert_eq!((e.code.as_str(), e.retryable), ("connect", true));
    assert!(e.message.ends_with("connection refused"), "{}", e.message);

    let e = get_fails(raw(vec![b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"]), "{}");
    assert_eq!((e.code.as_str(), e.retryable), ("connect", true), "{e:?}");
    let e = get_fails(raw(vec![b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"]), "{}");
    assert_eq!((e.code.as_str(), e.retryable), ("connect", true), "{e:?}");
    let e = get_fails(raw(vec![b"", b""]), "{}");
    assert_eq!((e.code.as_str(), e.retryable), ("connect", true), "{e:?}");
    let e = get_fails(raw(vec![b"SSH-2.0-OpenSSH\r\n\r\n"]), "{}");
    assert_eq!((e.code.as_str(), e.retryable), ("protocol", true), "{e:?}");

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.write_all(b"no tls here").expect("sent");
        let _ = stream.read(&mut [0; 4096]);
    });
    let e = fails(&state(), &format!("mpms.http.get('https://127.0.0.1:{port}/')"));
    assert_eq!(e.code, "tls", "{e:?}");
}

#[test]
fn a_connection_that_the_server_closed_while_idle_is_replaced() {
    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let port = raw(vec![REPLY, REPLY, REPLY]);
    let code = format!(
        "for i = 1, 3 do assert(mpms.http.get('http://127.0.0.1:{port}/').body == 'ok') sleep '5ms' end"
    );
    run::<()>(&state(), &code);
}

#[test]
fn connections_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        // One client, for ever; a second would wait in vain.
        let (mut stream, _) = listener.accept().expect("a client");
        while !read_head(&mut stream).is_empty() {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nok").expect("sent");
        }
    });
    let code = format!(
        "for i = 1, 20 do local _, e = try(mpms.http.get, 'http://127.0.0.1:{port}/', {{timeout = 5}}) assert(e.status == 404) end"
    );
    run::<()>(&state(), &code);
}

#[test]
fn bodies_are_unpacked_and_bounded() {
    const PACKED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\xa0\x3b\x09\x00\x2f\xfa\xf8\x48\x78\x00\x00\x00";
    const BROKEN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip";
    let port = raw(vec![PACKED, PACKED]);
    let code = format!("assert(mpms.http.get('http://127.0.0.1:{port}/').body == ('hello '):rep(20))");
    run::<()>(&state(), &code);
    // The limit counts what is unpacked.
    assert_eq!(get_fails(port, "{max_size = 119}").code, "too_large");
    let e = get_fails(raw(vec![BROKEN]), "{}");
    assert_eq!((e.code.as_str(), e.retryable), ("protocol", true), "{e:?}");

    let code = r#"
        local server <close> = mpms.http.serve(function(req) return ("x"):rep(tonumber(req.query.n)) end)
        local function get(n, max) return mpms.http.get(server.url .. "?n=" .. n, { max_size = max }) end
        assert(#get(3000000, "4MB").body == 3000000 and #get(100, 100).body == 100 and get(0, 0).body == "")
        local _, e = try(get, 101, 100) assert(e.code == "too_large" and not e.retryable and e.url)
        assert(#get(1, 1).body == 1)
    "#;
    run::<()>(&state(), code);
}

#[test]
fn wrong_addresses_and_options_are_refused() {
    let lua = state();
    for (call, text) in [
        ("get('nowhere')", "the address is wrong"),
        ("get('ftp://x/')", "must begin with http:// or https://"),
        ("get('http://x/', {redirects = true})", "`redirects` must be false or 0 to 100"),
        ("get('http://x/', {retries = 'x'})", "option `retries` must be 0 to 1000, or a table"),
        ("get('http://x/', {cookies = true})", "are for http.client"),
        ("get('http://x/', {allow = 404})", "option `allow` must be a table"),
        ("post('http://x/', {body = 'a', json = 1})", "only one of"),
        ("post('http://x/', {json = print})", "JSON cannot hold a function"),
        ("get('http://x/', {headers = {['a b'] = '1'}})", "header `a b`"),
        ("get('http://x/', {headers = {a = 'x\\ny'}})", "header `a` has a line end"),
        ("get('http://x/', {auth = {}})", "option `auth`"),
        ("get('http://x/', {max_size = '1XB'})", "option `max_size` must be a size"),
        ("get('http://x/', {timeout = '1 fortnight'})", "option `timeout` must be a duration"),
        ("get()", "argument 1 (url) must be a string, got nil"),
        ("get('http://x/', 5)", "argument 2 (options) must be a table, got integer"),
        ("request{url = 'http://x/', method = 'A B'}", "option `method`"),
        ("request{}", "option `url` is needed"),
    ] {
        let e = fails(&lua, &format!("mpms.http.{call}"));
        assert_eq!(e.code, "invalid", "{call}: {e:?}");
        assert!(e.message.contains(text), "{call}: {}", e.message);
    }
    let e = fails(&lua, "mpms.http.get('http://u:geheim@127.0.0.1:1/')");
    assert!(
        !e.message.contains("geheim") && e.url.is_some_and(|url| url.contains("u:***@")),
        "{}",
        e.message
    );
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    let e = fails(&state(), "mpms.http.get('http://no-such-host.invalid/', {timeout = 20})");
    assert!(matches!(e.code.as_str(), "dns" | "timeout") && e.retryable, "{e:?}");
}

#[test]
fn a_folder_is_served_and_nothing_outside() {
    let folder = TempDir::new().expect("a folder");
    let code = r#"
        local http, fs, dir = require "mpms.http", require "mpms.fs", ...
        fs.write(dir .. "/secret", "no")
        fs.write(dir .. "/site/index.html", "<p>hi", { mkdir = true })
        fs.write(dir .. "/site/a b.json", "{}") fs.write(dir .. "/site/big", ("y"):rep(300000))
        fs.symlink("../secret", dir .. "/site/link") fs.mkdir(dir .. "/site/sub")
        local server <close> = http.serve(dir .. "/site")
        local r = http.get(server.url) assert(r.body == "<p>hi" and r.headers["content-type"] == "text/html; charset=utf-8")
        assert(http.get(server.url .. "/a%20b.json").headers["content-type"] == "application/json")
        assert(http.get(server.url .. "/big").body == ("y"):rep(300000) and http.head(server.url .. "/big").headers["content-length"] == "300000")
        for _, p in ipairs { "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/link", "/none", "/sub", "/%00" } do
          local _, e = try(http.get, server.url .. p) assert(e and e.status == 404, p)
        end
        local _, e = try(http.post, server.url, { body = "x" }) assert(e.status == 405)
        _, e = try(http.serve, dir .. "/none") assert(e.code == "not_found")
        _, e = try(http.serve, dir .. "/secret") assert(e.code == "not_directory")
    "#;
    run_with::<()>(&state(), code, folder.path().to_string_lossy().into_owned());
    // Past the client, which folds the dots itself.
    let lua = state();
    let place = folder.path().join("site").to_string_lossy().into_owned();
    let port: u16 = run_with(&lua, "server = mpms.http.serve(...) return server.port", place);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    stream.write_all(b"GET /../secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("read");
    assert!(reply.starts_with("HTTP/1.1 404"), "{reply}");
}

#[test]
fn a_function_is_carried_over_with_what_it_uses() {
    let code = r#"
        local http = require "mpms.http"
        local json, fmt, floor = require "mpms.json", string.format, math.floor
        local words, n, null, s = { "a", { deep = true } }, 41, mpms.null, string
        local hex, encode = mpms.codec.hex, require "mpms.codec".base64.encode
        local server <close> = http.serve(function(req)
          n = n + 1
          return json.encode { words[2].deep, fmt("%d", floor(n + 0.5)), null == mpms.null, s.rep("x", 2), type(require "mpms.http".get), hex.encode "a" .. encode "foo" }
        end)
        assert(http.get(server.url).body == '[true,"42",true,"xx","function","61Zm9v"]')
        assert(http.get(server.url).body == '[true,"43",true,"xx","function","61Zm9v"]' and n == 41)
        local helper = function() end
        local _, e = try(http.serve, function() return helper() end)
        assert(e.code == "invalid" and e.message:find("`helper`", 1, true) and e.message:find "it is a function", e.message)
        local t = { x = { y = coroutine.create(print) } }
        _, e = try(http.serve, function() return t end)
        assert(e.message:find("`t` along: in its field `x`, in its field `y`, it is a thread", 1, true), e.message)
        t = {} t.t = t
        _, e = try(http.serve, function() return t end) assert(e.message:find "contains itself", e.message)
        _, e = try(http.serve, print) assert(e.code == "invalid")
        _, e = try(http.serve, 5) assert(e.code == "invalid")
    "#;
    run::<()>(&state(), code);
}

#[test]
fn a_failing_function_is_a_500_and_nothing_else() {
    let code = r#"
        local http = require "mpms.http"
        local server <close> = http.serve(function(req)
          if req.path == "/string" then error "boom" end
          if req.path == "/lib" then mpms.json.decode "{" end
          if req.path == "/status" then return { status = 99 } end
          if req.path == "/type" then return true end
          if req.path == "/option" then return { sttus = 200 } end
          if req.path == "/wait" then sleep(1) end
          if req.path == "/ok" then return "" end
        end)
        for p, text in pairs { string = "boom", lib = "json.decode", status = "`status`", type = "got boolean", option = "did you mean `status`", wait = "inside another one" } do
          local r = http.get(server.url .. "/" .. p, { raise = false })
          assert(r.status == 500 and r.body:find(text, 1, true), p .. ": " .. r.body)
        end
        assert(http.get(server.url .. "/ok").status == 200)
        local _, e = try(http.get, server.url .. "/nil") assert(e.status == 404)
    "#;
    run::<()>(&state(), code);
}

#[test]
fn a_delay_holds_nobody_else_up() {
    let lua = state();
    let port: u16 = run(
        &lua,
        "server = mpms.http.serve(function(req)
           return { body = req.path, delay = ({ ['/slow'] = '10m', ['/later'] = '50ms' })[req.path] }
         end) return server.port",
    );
    let mut slow = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    run::<()>(&lua, "for i = 1, 20 do assert(mpms.http.get(server.url .. '/fast').body == '/fast') end");
    let start = Instant::now();
    run::<()>(&lua, "assert(mpms.http.get(server.url .. '/later').body == '/later')");
    assert!(start.elapsed() >= Duration::from_millis(50));
    slow.set_nonblocking(true).expect("set");
    let nothing = slow.read(&mut [0; 100]).expect_err("no reply yet");
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_port_is_taken_once_and_given_back() {
    let code = r#"
        local http = require "mpms.http"
        local server = http.serve(function() return "1" end)
        local _, e = try(http.serve, function() end, { port = server.port })
        assert(e.code == "busy" and e.retryable and e.url:find(tostring(server.port)) and e.op == "http.serve", e.code)
        assert(http.get(server.url).body == "1")
        server:close() server:close()
        _, e = try(http.get, server.url) assert(e.code == "connect", e.code)
        local again <close> = http.serve(function() return "2" end, { port = server.port })
        assert(http.get(again.url).body == "2")
        _, e = try(http.serve, function() end, { prot = 1 }) assert(e.message:find "did you mean `port`")
        _, e = try(http.serve, function() end, { port = 70000 }) assert(e.code == "invalid")
    "#;
    run::<()>(&state(), code);
}
