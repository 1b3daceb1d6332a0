//! Through other people's proxies: tinyproxy for HTTP, microsocks for SOCKS 5.

use std::fs;
use std::process::Command;

use crate::scene::{Running, free_port, nginx, open_folder, run, tool};

const SERVER: &str = r#"
server { listen 127.0.0.1:PORT0; location / { return 200 "via $http_via"; } }
"#;

fn tinyproxy(more: &str) -> (Running, u16) {
    let folder = open_folder();
    let port = free_port();
    let log = folder.path().join("proxy.log");
    let text = format!(
        "Port {port}\nListen 127.0.0.1\nTimeout 20\nMaxClients 50\nAllow 127.0.0.1\nLogFile \"{}\"\nLogLevel Connect\n{more}\n",
        log.display()
    );
    fs::write(folder.path().join("conf"), text).expect("written");
    let mut command = Command::new(tool("tinyproxy"));
    command.arg("-d").arg("-c").arg(folder.path().join("conf"));
    (Running::start(&mut command, folder, port), port)
}

#[test]
fn requests_go_through_a_proxy() {
    let (_nginx, ports) = nginx(open_folder(), SERVER);
    let (proxy, port) = tinyproxy("");
    run(
        r#"
        local http = require "mpms.http"
        local c <close> = http.client { proxy = T.proxy, base_url = T.url }
        assert(c:get("/a").body:find "tinyproxy" and c:get("/b").status == 200)
        assert(http.get(T.url).body == "via " and http.client({ proxy = false }):get(T.url).body == "via ")
        local _, e = try(c.get, c, "http://127.0.0.1:1/x") assert(e.code == "http_status" and e.status >= 500, e.code)
        -- A tunnel to someone who speaks no TLS; and one to nobody.
        _, e = try(c.get, c, (T.url:gsub("http:", "https:"))) assert(e.code == "tls" or e.code == "connect", e.code)
        _, e = try(c.get, c, "https://127.0.0.1:1/") assert(e.code == "connect" and e.retryable, e.code .. e.message)
        local dead = http.client { proxy = "http://127.0.0.1:1" }
        _, e = try(dead.get, dead, T.url) assert(e.code == "connect" and e.retryable, e.code)
        "#,
        &[("url", &format!("http://127.0.0.1:{}", ports[0])), ("proxy", &format!("http://127.0.0.1:{port}"))],
    );
    let log = proxy.text("proxy.log");
    assert!(log.contains("/a"), "{log}");
}

#[test]
fn a_proxy_may_ask_who_we_are() {
    let (_nginx, ports) = nginx(open_folder(), SERVER);
    let (_proxy, port) = tinyproxy("BasicAuth me secret");
    run(
        r#"
        local http = require "mpms.http"
        local c = http.client { proxy = "http://me:secret@" .. T.proxy }
        assert(c:get(T.url).body:find "tinyproxy")
        c = http.client { proxy = "http://me:wrong@" .. T.proxy }
        local _, e = try(c.get, c, T.url) assert((e.status == 407 or e.status == 401) and not tostring(e):find "wrong", tostring(e))
        _, e = try(c.get, c, "https://127.0.0.1:1/") assert(e.code == "connect", e.code)
        "#,
        &[("url", &format!("http://127.0.0.1:{}", ports[0])), ("proxy", &format!("127.0.0.1:{port}"))],
    );
}

#[test]
fn names_are_looked_up_by_the_socks_proxy() {
    let (_nginx, ports) = nginx(open_folder(), SERVER);
    let port = free_port();
    let mut command = Command::new(tool("microsocks"));
    command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
    let _proxy = Running::start(&mut command, open_folder(), port);
    run(
        r#"
        local http = require "mpms.http"
        local c <close> = http.client { proxy = "socks5h://" .. T.proxy }
        assert(c:get(T.url).body == "via " and c:get((T.url:gsub("127.0.0.1", "localhost"))).status == 200)
        assert(http.client({ proxy = "socks5://" .. T.proxy }):get(T.url).status == 200)
        local _, e = try(c.get, c, "http://127.0.0.1:1/") assert(e.code == "connect" and e.retryable, e.code)
        _, e = try(c.get, c, "http://no-such-host.invalid/") assert(e.code == "connect" or e.code == "dns", e.code)
        "#,
        &[("url", &format!("http://127.0.0.1:{}", ports[0])), ("proxy", &format!("127.0.0.1:{port}"))],
    );
}
