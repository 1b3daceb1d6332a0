//! Measurements, run by hand: `cargo test --release --lib lua::std::bench -- --ignored --nocapture`.
#![expect(clippy::print_stdout, reason = "a measurement tells its figure")]

use std::time::Instant;

use super::testing::{run, state};

#[test]
#[ignore = "a measurement"]
fn a_call() {
    let lua = state();
    let per: f64 = run(
        &lua,
        "local f, n = mpms.path.is_abs, 2000000
         local t = os.clock() for i = 1, n do f('/a') end return (os.clock() - t) / n * 1e9",
    );
    let raw = lua.create_function(|_, s: mlua::LuaString| Ok(s.as_bytes().starts_with(b"/"))).expect("made");
    lua.globals().set("raw", raw).expect("set");
    let bare: f64 = run(
        &lua,
        "local f, n = raw, 2000000
         local t = os.clock() for i = 1, n do f('/a') end return (os.clock() - t) / n * 1e9",
    );
    let failing: f64 = run(
        &lua,
        "local f, n = mpms.path.is_abs, 200000
         local t = os.clock() for i = 1, n do try(f) end return (os.clock() - t) / n * 1e9",
    );
    println!("library call {per:.0} ns, bare mlua call {bare:.0} ns, failing call in try {failing:.0} ns");
}

#[test]
#[ignore = "a measurement"]
fn a_state() {
    let states: Vec<mlua::Lua> = (0..200).map(|_| mlua::Lua::new()).collect();
    let start = Instant::now();
    for lua in &states {
        super::install(lua, &super::StdEnv::quiet("test")).expect("installs");
    }
    let library = start.elapsed() / 200;
    let start = Instant::now();
    for lua in &states {
        let roots = crate::lua::require::Roots { script_dir: ".".into(), root: ".".into(), lua_path: None };
        crate::lua::require::install_require(lua, &roots, None).expect("installs");
    }
    println!("install {library:?}, require {:?} a state", start.elapsed() / 200);
}

/// Of the whole process, in seconds.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = text.rsplit(')').next().expect("fields").split_whitespace().collect();
    (fields[11].parse::<f64>().expect("user") + fields[12].parse::<f64>().expect("system")) / 100.0
}

/// Of this thread, in seconds.
fn thread_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split_whitespace().next().expect("a number").parse::<f64>().expect("nanoseconds") * 1e-9
}

#[test]
#[ignore = "a measurement"]
fn a_get_of_10_kib() {
    let lua = state();
    run::<()>(&lua, "local b = ('x'):rep(10240) server = mpms.http.serve(function() return b end)");
    let code = "for i = 1, 20000 do assert(#mpms.http.get(server.url).body == 10240) end";
    run::<()>(&lua, "for i = 1, 500 do mpms.http.get(server.url) end");
    let (start, own, all) = (Instant::now(), thread_cpu(), cpu());
    run::<()>(&lua, code);
    let per = 1e6 / 20_000.0;
    println!(
        "GET of 10 KiB: {:.1} µs wall, {:.1} µs CPU of the client, {:.1} µs CPU with the server",
        start.elapsed().as_secs_f64() * per,
        (thread_cpu() - own) * per,
        (cpu() - all) * per,
    );
}

#[test]
#[ignore = "a measurement"]
fn requests_to_a_server() {
    use std::io::{Read as _, Write as _};
    let lua = state();
    let port: u16 =
        run(&lua, "server = mpms.http.serve(function(req) return 'ok ' .. req.path end) return server.port");
    for connections in [1, 8] {
        let start = Instant::now();
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                std::thread::spawn(move || {
                    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connects");
                    stream.set_nodelay(true).expect("set");
                    let mut buffer = [0; 4096];
                    for _ in 0..40_000 / connections {
                        stream.write_all(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
                        assert!(stream.read(&mut buffer).expect("read") > 10);
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().expect("ended");
        }
        let rate = 40_000.0 / start.elapsed().as_secs_f64();
        println!("http.serve, {connections} connections: {rate:.0} requests/s");
    }
}

#[test]
#[ignore = "a measurement"]
fn json_of_a_page() {
    let lua = state();
    let (decode, encode, size): (f64, f64, usize) = run(
        &lua,
        "local json, rows = mpms.json, {}
         for i = 1, 200 do rows[i] = { id = i, name = 'name ' .. i, price = i * 1.25, tags = { 'a', 'b' }, ok = true } end
         local text, n = json.encode(rows), 200
         local t = os.clock() for i = 1, n do json.decode(text) end local d = (os.clock() - t) / n
         t = os.clock() for i = 1, n do json.encode(rows) end
         return d * 1e6, (os.clock() - t) / n * 1e6, #text",
    );
    println!("JSON of {size} bytes: decode {decode:.0} µs, encode {encode:.0} µs");
}
