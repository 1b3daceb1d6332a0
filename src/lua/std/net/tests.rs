use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::{any, prop_assert_eq, proptest};
use tempfile::TempDir;

use crate::lua::std::testing::{fails, run, run_with, state};

/// Both ends of a connection of one state: the system completes it before anybody accepts.
const PAIR: &str = r#"
    local net = require "mpms.net"
    local server <close> = net.listen("127.0.0.1")
    local a <close> = net.connect("127.0.0.1", server.port, { timeout = "5s" })
    local b <close> = server:accept()
"#;

fn with_pair(code: &str) {
    run::<()>(&state(), &format!("{PAIR} {code}"));
}

#[test]
fn patterns_take_lines_counts_and_all() {
    with_pair(
        r#"
        assert(a:send("one\r\ntwo\n\nabc\0defrest\r\nno end") == 29)
        assert(b:receive() == "one" and b:receive "*l" == "two" and b:receive "l" == "" and b:receive(0) == "")
        assert(b:receive(7) == "abc\0def" and b:receive() == "rest")
        a:shutdown()
        assert(b:receive "*a" == "no end" and b:receive "*a" == "")
        local v, e, partial = b:receive() assert(v == nil and e == "closed" and partial == "")
        -- the other direction is still open
        assert(b:send "back\n" == 5 and a:receive() == "back")
        local _, port = a:address() local host, same = b:peer() assert(host == "127.0.0.1" and port == same)
        host, same = a:peer() assert(same == server.port)
        "#,
    );
}

#[test]
fn what_came_before_the_end_or_the_timeout_is_given() {
    with_pair(
        r#"
        a:send "half"
        b:settimeout "30ms"
        local v, e, partial = b:receive() assert(v == nil and e == "timeout" and partial == "half", tostring(e))
        a:send "12" v, e, partial = b:receive(5) assert(v == nil and e == "timeout" and partial == "12")
        v, e, partial = b:receive "*a" assert(v == nil and e == "timeout" and partial == "")
        a:send "tail" a:close()
        v, e, partial = b:receive(10) assert(v == nil and e == "closed" and partial == "tail")
        b:settimeout(nil)
        assert(select('#', b:receive '*a') == 1)
        "#,
    );
}

#[test]
fn lines_end_with_the_connection() {
    with_pair(
        r#"
        a:send "1\n2\r\n3" a:shutdown()
        local t = {} for line in b:lines() do t[#t + 1] = line end
        assert(table.concat(t, "|") == "1|2|3")
        b:send "x\n" a:settimeout(0.02)
        local next_line = a:lines() assert(next_line() == "x")
        local _, e = try(next_line) assert(e.code == "timeout" and e.op == "net.lines" and e.retryable and e.url:find "^tcp://", tostring(e))
        "#,
    );
}

#[test]
fn much_data_goes_through_and_a_full_pipe_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("known").port();
    let (tried, wait) = std::sync::mpsc::channel::<()>();
    let echo = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("came");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("read");
        stream.write_all(&all).expect("written");
        drop(stream);
        let stuck = listener.accept().expect("came");
        wait.recv().expect("the script has ended");
        drop(stuck);
    });
    let code = r#"
        local net, port = require "mpms.net", ...
        local data = ("0123456789abcdef"):rep(1 << 18)
        local s = net.connect("localhost", port)
        assert(s:send(data) == #data) s:shutdown() assert(s:receive "*a" == data) s:close()
        s = net.connect("127.0.0.1", port, { timeout = "50ms" })
        local v, e, sent = s:send(data:rep(16))
        assert(v == nil and e == "timeout" and sent > 0 and sent < #data * 16, tostring(e))
    "#;
    run_with::<()>(&state(), code, port);
    tried.send(()).expect("it waits");
    echo.join().expect("ended");
}

#[test]
fn a_reset_is_closed_and_a_closed_socket_an_error() {
    with_pair(
        r#"
        -- closing with unread data resets the connection
        a:send "unread" sleep(0.02) b:close()
        local v, e = a:receive() assert(v == nil and e == "closed")
        for i = 1, 10 do v, e = a:send "x" if not v then break end sleep(0.005) end
        assert(v == nil and e == "closed", tostring(e))
        _, e = try(b.receive, b) assert(e.code == "invalid" and e.message == "the socket is closed" and e.op == "net.Socket:receive")
        _, e = try(b.send, b, "x") assert(e.message == "the socket is closed")
        b:close()
        server:close() _, e = try(server.accept, server) assert(e.message == "the listener is closed", tostring(e))
        "#,
    );
}

#[test]
fn a_connection_that_is_cut_is_closed_and_ends_no_list_of_lines() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("known").port();
    let cutting = thread::spawn(move || {
        for _ in 0..2 {
            let (stream, _) = listener.accept().expect("came");
            // Closed with what was not read, it is reset.
            stream.peek(&mut [0]).expect("data");
        }
    });
    let code = r#"
        local net, port = require "mpms.net", ...
        local s = net.connect("127.0.0.1", port) s:send "unread"
        local v, e = s:receive() assert(v == nil and e == "closed", tostring(e))
        s = net.connect("127.0.0.1", port) s:send "unread"
        _, e = try(s:lines()) assert(e.code == "connect" and e.retryable and e.op == "net.lines", tostring(e))
    "#;
    run_with::<()>(&state(), code, port);
    cutting.join().expect("ended");
}

#[test]
fn sizes_are_bounded() {
    let code = r#"
        local net = require "mpms.net"
        local server <close> = net.listen("127.0.0.1", 0, { max_size = "1KiB" })
        local a = net.connect("127.0.0.1", server.port) local b = server:accept()
        a:send(("x"):rep(5000))
        for _, pattern in ipairs { "*l", "*a", 2000 } do
          local _, e = try(b.receive, b, pattern)
          assert(e.code == "too_large" and e.message:find "max_size", tostring(e))
        end
        assert(b:receive(1000) == ("x"):rep(1000))
    "#;
    run::<()>(&state(), code);
}

#[test]
fn who_does_not_answer_is_an_error_with_its_code() {
    let code = r#"
        local net = require "mpms.net"
        local server = net.listen("127.0.0.1") local port = server.port server:close()
        local _, e = try(net.connect, "127.0.0.1", port)
        assert(e.code == "connect" and e.retryable and e.op == "net.connect" and e.url == "tcp://127.0.0.1:" .. port, tostring(e))
        _, e = try(net.connect, "no-such-host.invalid", 80) assert(e.code == "dns" and e.retryable, tostring(e))
        _, e = try(net.resolve, "no-such-host.invalid") assert(e.code == "dns" and e.op == "net.resolve")
        assert(net.resolve("127.0.0.1")[1] == "127.0.0.1" and net.resolve("[::1]")[1] == "::1" and #net.resolve "localhost" >= 1)
        local taken <close> = net.listen("127.0.0.1")
        _, e = try(net.listen, "127.0.0.1", taken.port) assert(e.code == "busy" and e.url == taken.url, tostring(e))
        local v, why = taken:accept(0.02) assert(v == nil and why == "timeout")
    "#;
    run::<()>(&state(), code);
    let lua = state();
    for (call, text) in [
        ("connect('', 1)", "`` is no host"),
        ("connect('a/b', 1)", "`a/b` is no host"),
        ("connect('a\\0', 1)", "is no host"),
        ("connect('\\xff', 1)", "is no host"),
        ("connect('a')", "argument 2 (port) must be 1 to 65535, got nil"),
        ("connect('a', 0)", "argument 2 (port) must be 1 to 65535, got 0"),
        ("connect('a', 70000)", "got 70000"),
        ("connect('a', '80')", "got string"),
        ("connect('a', 80, { timout = 1 })", "did you mean `timeout`"),
        ("connect('a', 80, { ca = 'x' })", "option `ca` needs `tls = true`"),
        ("connect('a', 80, { tls = true, server_name = 'a b' })", "is no name that a certificate can have"),
        ("connect('a', 80, { tls = true, cert = { 5 } })", "option `cert` must be"),
        ("listen('127.0.0.1', -1)", "must be 0 to 65535, got -1"),
        ("listen('unix:/x', 5)", "has no port"),
        ("udp { port = 'x' }", "option `port` must be 0 to 65535, got string"),
        ("resolve 'a b'", "is no host"),
        ("listen('127.0.0.1'):accept('soon')", "argument 1 (timeout) must be a duration"),
        ("listen('127.0.0.1').prot", "no field or method `prot`"),
    ] {
        let e = fails(&lua, &format!("return mpms.net.{call}"));
        assert!(e.code == "invalid" && e.message.contains(text), "{call}: {} {}", e.code, e.message);
    }
    with_pair(
        r#"
        for _, bad in ipairs { "*x", -1, 1.5, true, "" } do
          local _, e = try(a.receive, a, bad)
          assert(e.code == "invalid" and e.message:find("(pattern)", 1, true), tostring(e))
        end
        local _, e = try(a.settimeout, a, "soon") assert(e.code == "invalid" and e.message:find("(duration)", 1, true))
        _, e = try(a.send, a, {}) assert(e.code == "invalid")
        "#,
    );
}

#[test]
fn a_host_that_stays_silent_takes_no_longer_than_told() {
    // A listener whose backlog is full answers no SYN; the documentation's network (RFC 5737) may not answer either.
    let begin = Instant::now();
    let e = fails(&state(), "mpms.net.connect('192.0.2.1', 9, { timeout = '100ms' })");
    assert!(["timeout", "connect"].contains(&e.code.as_str()), "{}", e.code);
    assert!(begin.elapsed() < Duration::from_secs(5));
    // One that is silent in the handshake of TLS.
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("known").port();
    let e = fails(
        &state(),
        &format!("mpms.net.connect('127.0.0.1', {port}, {{ tls = true, timeout = '50ms' }})"),
    );
    assert_eq!((e.code.as_str(), e.retryable), ("timeout", true));
}

fn pem(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/lua/std/net/tests")
        .join(name)
        .to_string_lossy()
        .into_owned()
}

/// A server with TLS in a thread of its own, which answers each line with its length.
fn secure_server(connections: usize) -> (u16, thread::JoinHandle<()>) {
    let (tell, port) = std::sync::mpsc::channel();
    let server = thread::spawn(move || {
        let lua = state();
        let code =
            "server = mpms.net.listen('127.0.0.1', 0, { cert = { ... }, timeout = '5s' }) return server.port";
        tell.send(run_with::<u16>(&lua, code, (pem("cert.pem"), pem("key.pem")))).expect("waited for");
        let code = "for i = 1, ... do
              local s = try(server.accept, server)
              if s then for line in s:lines() do s:send(#line .. '\\n') end s:close() end
            end";
        run_with::<()>(&lua, code, connections);
    });
    (port.recv().expect("told"), server)
}

#[test]
fn tls_on_both_sides() {
    let (port, server) = secure_server(5);
    let code = r#"
        local net, port, ca = require "mpms.net", ...
        local s = net.connect("localhost", port, { tls = true, ca = ca })
        assert(s:send "hello\n" == 6 and s:receive() == "5" and s:send(("x"):rep(100000) .. "\n") == 100001 and s:receive() == "100000")
        s:shutdown() assert(s:receive "*a" == "") s:close()
        s = net.connect("127.0.0.1", port, { tls = true, ca = ca, server_name = "localhost" }) s:close()
        s = net.connect("127.0.0.1", port, { tls = true, insecure = true, server_name = "other.example" })
        assert(s:send "a\n" and s:receive() == "1") s:close()
        local _, e = try(net.connect, "localhost", port, { tls = true })
        assert(e.code == "tls" and not e.retryable and e.message:find "certificate" and e.url == "tcp://localhost:" .. port, tostring(e))
        _, e = try(net.connect, "127.0.0.1", port, { tls = true, ca = ca, server_name = "other.example" })
        assert(e.code == "tls" and e.message:find "not valid for name", tostring(e))
        _, e = try(net.connect, "localhost", port, { tls = true, ca = ca .. ".none" }) assert(e.code == "not_found")
    "#;
    run_with::<()>(&state(), code, (port, pem("ca.pem")));
    server.join().expect("ended");
}

#[test]
fn a_server_outlives_those_who_speak_no_tls() {
    let (port, server) = secure_server(3);
    TcpStream::connect(("127.0.0.1", port))
        .expect("connects")
        .write_all(b"GET / HTTP/1.0\r\n\r\n")
        .expect("sent");
    drop(TcpStream::connect(("127.0.0.1", port)).expect("connects"));
    let code = "local s = mpms.net.connect('localhost', ..., { tls = true, insecure = true }) s:send 'ab\\n' assert(s:receive() == '2') s:close()";
    run_with::<()>(&state(), code, port);
    server.join().expect("ended");
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("known").port();
    let plain = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("came");
        stream.write_all(b"220 no TLS here\r\n").expect("sent");
        let _ = stream.read(&mut [0; 100]);
    });
    let e = fails(&state(), &format!("mpms.net.connect('127.0.0.1', {port}, {{ tls = true }})"));
    assert_eq!(e.code, "tls", "{}", e.message);
    plain.join().expect("ended");
}

#[test]
fn sockets_that_are_files() {
    let folder = TempDir::new().expect("a folder");
    let code = r#"
        local net, path = require "mpms.net", ...
        do
          local server <close> = net.listen("unix:" .. path, { timeout = "5s" })
          assert(server.port == nil and server.url == "unix:" .. path)
          local a <close> = net.unix(path) local b <close> = server:accept()
          a:send "hi\n" assert(b:receive() == "hi" and a:peer() == nil)
          local _, e = try(net.listen, "unix:" .. path) assert(e.code == "busy" and e.path == path, tostring(e))
        end
        assert(not mpms.fs.exists(path))
        local _, e = try(net.unix, path) assert(e.code == "not_found" and e.path == path and e.op == "net.unix", tostring(e))
        mpms.fs.write(path, "") _, e = try(net.unix, path) assert(e.code == "connect", tostring(e))
    "#;
    run_with::<()>(&state(), code, folder.path().join("s").to_string_lossy().into_owned());
}

#[test]
fn datagrams_keep_their_borders() {
    let code = r#"
        local net = require "mpms.net"
        local a <close> = net.udp { host = "127.0.0.1" }
        local b <close> = net.udp { host = "127.0.0.1", timeout = "5s" }
        assert(a:send("one", "127.0.0.1", b.port) == 3 and a:send("", "localhost", b.port) == 0 and a:send("\0two", "127.0.0.1", b.port) == 4)
        local data, host, port = b:receive() assert(data == "one" and host == "127.0.0.1" and port == a.port)
        assert(b:receive() == "" and b:receive(1) == "\0two")
        local v, e = b:receive "20ms" assert(v == nil and e == "timeout")
        _, e = try(a.send, a, ("x"):rep(70000), "127.0.0.1", b.port) assert(e.code == "too_large", tostring(e))
        _, e = try(a.send, a, "x", "::1", b.port) assert(e.code == "dns" and e.message:find "IPv4", tostring(e))
        a:close() _, e = try(a.send, a, "x", "127.0.0.1", 1) assert(e.message == "the socket is closed")
        _, e = try(net.udp, { host = "127.0.0.1", port = b.port }) assert(e.code == "busy", tostring(e))
    "#;
    run::<()>(&state(), code);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}

#[test]
fn failures_leave_no_descriptor_behind() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let open = listener.local_addr().expect("known").port();
    let lua = state();
    let code = r#"
        local net, port, count = require "mpms.net", ...
        local closed = net.listen("127.0.0.1") local gone = closed.port closed:close()
        for i = 1, count do
          assert(not try(net.connect, "127.0.0.1", gone))
          local s = net.connect("127.0.0.1", port) s:settimeout(0) s:receive() s:close()
          assert(not try(net.connect, "127.0.0.1", port, { tls = true, timeout = "1ms" }))
        end
        collectgarbage() collectgarbage()
    "#;
    let accepting = thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut byte = [0];
            let mut stream = stream;
            // The first byte of the last one is its end.
            if matches!(stream.read(&mut byte), Ok(1)) && byte[0] == b'!' {
                break;
            }
        }
    });
    run_with::<()>(&lua, code, (open, 5));
    let before = descriptors();
    run_with::<()>(&lua, code, (open, 500));
    // Other tests of this process come and go.
    let after = descriptors();
    assert!(after < before + 200, "{before} descriptors became {after}");
    TcpStream::connect(("127.0.0.1", open)).expect("connects").write_all(b"!").expect("sent");
    accepting.join().expect("ended");
}

proptest! {
    #[test]
    fn what_is_received_is_what_was_sent(data in any::<Vec<u8>>(), counts in proptest::collection::vec(0usize..40, 0..10)) {
        let lua = state();
        let code = format!(r#"{PAIR}
            local data, counts = ...
            a:send(data) a:shutdown()
            local all = {{}}
            for _, n in ipairs(counts) do
              local got, e, partial = b:receive(n)
              assert(got == nil or #got == n)
              all[#all + 1] = got or partial
              if e then assert(e == "closed") break end
            end
            all[#all + 1] = b:receive "*a"
            return table.concat(all)
        "#);
        let sent = lua.create_string(&data).expect("memory");
        let got: mlua::LuaString = run_with(&lua, &code, (sent, counts));
        prop_assert_eq!(&*got.as_bytes(), data.as_slice());
    }
}
