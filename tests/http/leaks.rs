//! Connections and descriptors: no more than are needed, and none left after 10,000 failures of every kind.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use tempfile::TempDir;

use crate::hostile::{accept, read_head, serve};
use crate::scene::{free_port, run};

const SCRIPT: &str = r#"
local http, fs = require "mpms.http", require "mpms.fs"
local p = job.params

local function open() return #fs.list "/proc/self/fd" end

local kinds = {
  function() return http.get(p.refused) end,
  function() return http.get(p.cut) end,
  function() return http.get(p.nonsense) end,
  function() return http.get(p.endless, { max_size = 1000 }) end,
  function() return http.get(p.endless, { timeout = "3ms" }) end,
  function() return http.get(p.no_tls) end,
  function() return http.get(p.missing) end,
  function() return http.get(p.missing, { redirects = 0, headers = { bad = "\n" } }) end,
  function() local s = http.stream(p.endless) s:read(10) error "left open" end,
  function() return http.download(p.endless, "file", { max_size = 1000 }) end,
  function() return http.all { p.refused, p.cut, p.endless, p.missing } end,
  function() local c = http.client { max_idle_per_host = 1, insecure = true } try(c.get, c, p.missing) error "not closed" end,
  function() local c <close> = http.client { proxy = p.refused } return c:get(p.missing) end,
}

return { worker = function()
  local codes = {}
  local function round(count)
    for i = 1, count do
      local ok, e = try(kinds[i % #kinds + 1])
      assert(e, "it did not fail")
      local code = type(e) == "table" and e.code or "plain"
      codes[code] = (codes[code] or 0) + 1
    end
    collectgarbage() collectgarbage()
    sleep "50ms"   -- connections end while something waits
  end
  round(#kinds * 10)
  local before = open()
  round(10000)
  local after = open()
  return { before = before, after = after, codes = codes }
end }
"#;

#[test]
fn ten_thousand_failures_leave_nothing_open() {
    let folder = TempDir::new().expect("a folder");
    let refused = format!("http://127.0.0.1:{}/", free_port());
    let cut = serve(|stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")));
    let nonsense = serve(|stream| drop(stream.write_all(b"nonsense\r\n\r\n")));
    let no_tls = accept(|stream| drop(stream.write_all(b"no tls here"))).replace("http:", "https:");
    let endless = serve(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let _ = stream.set_write_timeout(Some(std::time::Duration::from_millis(200)));
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let missing =
        serve(|stream| drop(stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")));
    let manifest = format!(
        "script = \"leaks.lua\"\n[params]\nrefused = \"{refused}\"\ncut = \"{cut}\"\nnonsense = \"{nonsense}\"\nno_tls = \"{no_tls}\"\n\
         endless = \"{endless}\"\nmissing = \"{missing}\"\n[tasks]\nitems = [1]\n[worker]\nprocesses = 1\n"
    );
    fs::write(folder.path().join("leaks.toml"), manifest).expect("written");
    fs::write(folder.path().join("leaks.lua"), SCRIPT).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpms"));
    let output =
        command.current_dir(folder.path()).args(["run", "leaks.toml", "-q"]).output().expect("mpms runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_str(text.trim()).expect("a row");
    let (before, after) =
        (found["before"].as_i64().expect("a number"), found["after"].as_i64().expect("a number"));
    // A connection that is kept for the next request is no leak.
    assert!((after - before).abs() <= 3, "{found}");
    for code in ["connect", "protocol", "too_large", "timeout", "tls", "http_status", "invalid", "plain"] {
        assert!(found["codes"][code].as_i64().unwrap_or(0) > 500, "{code}: {found}");
    }
}

#[test]
fn a_hundred_at_once_need_a_hundred_connections_and_no_more() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    // all hundred are answered at the same moment
    let together = Arc::new(Barrier::new(100));
    let url = accept(move |stream| {
        count.fetch_add(1, Ordering::Relaxed);
        let body = "x".repeat(0x800);
        let reply =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n{body}\r\n0\r\n\r\n");
        let mut peeked = [0];
        while stream.peek(&mut peeked).is_ok_and(|read| read == 1) {
            read_head(stream);
            together.wait();
            drop(stream.write_all(reply.as_bytes()));
        }
    });
    run(
        r#"
        local pages = {}
        for i = 1, 3000 do pages[i] = T.url end
        mpms.co.map(pages, function(url) assert(#mpms.http.get(url).body == 0x800) end, { concurrency = 100 })
        "#,
        &[("url", &url)],
    );
    let opened = opened.load(Ordering::Relaxed);
    assert_eq!(opened, 100);
}
