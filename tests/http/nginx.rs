//! A server that everybody uses: redirects, gzip, ranges, kept connections, slow and cut replies.

use std::fs;

use crate::scene::{Running, fails, nginx, open_folder, run};

const SERVER: &str = r#"
server {
  listen 127.0.0.1:PORT0;
  root DIR/site;
  gzip on; gzip_min_length 1; gzip_types text/plain application/json;
  location = /busy { add_header Retry-After 0 always; return 503 "busy"; }
  location = /temp { return 302 /page.txt; }
  location = /perm { return 301 http://127.0.0.1:PORT0/temp; }
  location = /keep { return 307 /echo; }
  location = /loop { return 302 /loop; }
  location = /closed { return 444; }
  location = /cookies { add_header Set-Cookie "one=1; Path=/"; add_header Set-Cookie "two=2; Path=/"; return 200 "$http_cookie"; }
  location = /agent { return 200 "$http_user_agent"; }
  location = /echo { return 200 "$request_method $http_content_type $content_length"; }
  location = /upload { client_body_in_file_only clean; proxy_pass http://127.0.0.1:PORT0/echo; }
  location /slow/ { alias DIR/site/; limit_rate 200k; }
  location /locked/ { alias DIR/site/; auth_basic "x"; auth_basic_user_file DIR/users; }
}
server { listen 127.0.0.1:PORT1; root DIR/site; keepalive_timeout 0; }
"#;

fn site() -> (Running, String) {
    let folder = open_folder();
    let site = folder.path().join("site");
    fs::create_dir(&site).expect("made");
    fs::write(site.join("page.txt"), "hello ".repeat(2000)).expect("written");
    fs::write(site.join("data.json"), r#"{"big":9007199254740993}"#).expect("written");
    let big: Vec<u8> =
        (0..3_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(site.join("big.bin"), big).expect("written");
    fs::write(folder.path().join("users"), "me:{PLAIN}secret\n").expect("written");
    let (running, ports) = nginx(folder, SERVER);
    let url = format!("http://127.0.0.1:{}", ports[0]);
    (running, url)
}

#[test]
fn pages_redirects_and_statuses_are_as_nginx_has_them() {
    let (nginx, url) = site();
    run(
        r#"
        local http = require "mpms.http"
        local r = http.get(T.url .. "/page.txt")
        assert(r.body == ("hello "):rep(2000) and r.headers["content-encoding"] == nil, "unpacked")
        local packed = http.get(T.url .. "/page.txt", { decompress = false, headers = { ["Accept-Encoding"] = "gzip" } })
        assert(packed.headers["content-encoding"] == "gzip" and #packed.body < 1000 and packed.body:sub(1, 2) == "\31\139")
        assert(http.get(T.url .. "/data.json"):json().big == 9007199254740993)
        r = http.get(T.url .. "/perm") assert(r.url == T.url .. "/page.txt" and #r.body == 12000)
        assert(http.get(T.url .. "/temp", { redirects = false }).status == 302)
        local _, e = try(http.get, T.url .. "/loop") assert(e.code == "redirect" and e.message:find "more than 10", e.message)
        assert(http.post(T.url .. "/keep", { json = { 1 } }).body == "POST application/json 3")
        assert(http.post(T.url .. "/upload", { body = ("x"):rep(5000000) }).body == "POST  5000000")
        _, e = try(http.get, T.url .. "/none") assert(e.status == 404 and not e.retryable)
        _, e = try(http.get, T.url .. "/busy", { retries = { count = 2, delay = 0 } }) assert(e.status == 503 and e.retryable and e.retry_after == 0)
        _, e = try(http.get, T.url .. "/closed") assert(e.code == "connect" and e.retryable, e.code)
        _, e = try(http.get, T.url .. "/locked/page.txt") assert(e.status == 401)
        assert(#http.get(T.url .. "/locked/page.txt", { auth = { "me", "secret" } }).body == 12000)
        _, e = try(http.get, (T.url:gsub("//", "//me:wrong@")) .. "/locked/page.txt") assert(e.status == 401 and not tostring(e):find "wrong")
        assert(#http.get((T.url:gsub("//", "//me:secret@")) .. "/locked/page.txt").body == 12000)
        local c <close> = http.client { base_url = T.url, cookies = true, user_agent = "me/2" }
        assert(c:get("/cookies").body == "" and c:get("/cookies").body:find "one=1; two=2" and c:get("/agent").body == "me/2")
        _, e = try(http.get, T.url .. "/page.txt", { max_size = 11999 }) assert(e.code == "too_large", e.code)
        local t = mpms.time.mono()
        _, e = try(http.get, T.url .. "/slow/big.bin", { timeout = "300ms" }) assert(e.code == "timeout" and mpms.time.mono() - t < 3)
        assert(#http.get(T.url .. "/big.bin", { decompress = false, headers = { Range = "bytes=10-19" } }).body == 10)
        "#,
        &[("url", &url)],
    );
    let log = nginx.text("access.log");
    assert_eq!(log.matches("GET /busy 503").count(), 3, "{log}");
    assert_eq!(log.matches("GET /loop 302").count(), 11, "{log}");
}

#[test]
fn one_connection_serves_one_request_after_the_other() {
    let (nginx, url) = site();
    run(
        r#"
        local http = require "mpms.http"
        for i = 1, 50 do http.get(T.url .. "/page.txt") try(http.get, T.url .. "/none") end
        for i = 1, 3 do for line in http.stream(T.url .. "/page.txt"):chunks() do end end
        "#,
        &[("url", &url)],
    );
    let log = nginx.text("access.log");
    let connections: std::collections::BTreeSet<_> =
        log.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    assert_eq!((log.lines().count(), connections.len()), (103, 1), "{log}");
}

#[test]
fn a_download_goes_on_where_it_was_cut() {
    let (nginx, url) = site();
    let sum = sha256(&nginx.folder.path().join("site/big.bin"));
    run(
        r#"
        local http, fs = require "mpms.http", require "mpms.fs"
        local file = T.dir .. "/copy.bin"
        -- nginx sends 200 KiB a second: a part comes, then our time is over.
        local _, e = try(http.download, T.url .. "/slow/big.bin", file, { timeout = "1s" })
        assert(e.code == "timeout" and not fs.exists(file), e.message)
        local part = fs.stat(T.dir .. "/.copy.bin.part").size
        assert(part > 0 and part < 3000000, part)
        -- The rest from the same address, at the same pace, but several times.
        local r
        for i = 1, 30 do
          r = try(http.download, T.url .. "/slow/big.bin", file, { timeout = "2s", sha256 = T.sum })
          if r then break end
        end
        assert(r and r.resumed and r.size == 3000000 and r.sha256 == T.sum, "never whole")
        assert(#fs.list(T.dir) == 1)
        "#,
        &[("url", &url), ("dir", &folder(&nginx, "out")), ("sum", &sum)],
    );
    let log = nginx.text("access.log");
    assert!(log.matches("GET /slow/big.bin 206").count() >= 2, "{log}");
}

#[test]
fn a_file_that_changed_meanwhile_is_fetched_anew() {
    let (nginx, url) = site();
    let out = folder(&nginx, "out");
    let texts = [("url", url.as_str()), ("dir", out.as_str())];
    let e = fails(
        r#"mpms.http.download(T.url .. "/slow/big.bin", T.dir .. "/f", { timeout = "500ms" })"#,
        &texts,
    );
    assert_eq!(e.code, "timeout");
    fs::write(nginx.folder.path().join("site/big.bin"), "changed").expect("written");
    run(
        r#"
        local r = mpms.http.download(T.url .. "/slow/big.bin", T.dir .. "/f")
        assert(not r.resumed and mpms.fs.read(T.dir .. "/f") == "changed" and r.etag)
        "#,
        &texts,
    );
}

fn folder(nginx: &Running, name: &str) -> String {
    let path = nginx.folder.path().join(name);
    fs::create_dir(&path).expect("made");
    path.to_string_lossy().into_owned()
}

/// As coreutils has it.
fn sha256(path: &std::path::Path) -> String {
    let output = std::process::Command::new("sha256sum").arg(path).output().expect("coreutils");
    String::from_utf8_lossy(&output.stdout)[..64].to_owned()
}
