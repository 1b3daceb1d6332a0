//! TLS with an authority of our own, client certificates and HTTP/2, as nginx and openssl have them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::scene::{Running, fails, nginx, open_folder, run, tool};

const SERVERS: &str = r#"
server {
  listen 127.0.0.1:PORT0 ssl http2;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate DIR/server.pem; ssl_certificate_key DIR/server.key;
  location / { return 200 "$server_protocol $ssl_protocol"; }
  location /page { root DIR; }
  location = /to-plain { return 302 http://127.0.0.1:PORT3/; }
}
server {
  listen 127.0.0.1:PORT1 ssl http2;
  ssl_certificate DIR/server.pem; ssl_certificate_key DIR/server.key;
  ssl_client_certificate DIR/ca.pem; ssl_verify_client on;
  location / { return 200 "$ssl_client_s_dn"; }
}
server {
  listen 127.0.0.1:PORT2 ssl;
  ssl_certificate DIR/expired.pem; ssl_certificate_key DIR/server.key;
  location / { return 200 "old"; }
}
server { listen 127.0.0.1:PORT3 http2; location / { return 200 "$server_protocol $http_authorization"; } }
server {
  listen 127.0.0.1:PORT4 ssl;
  ssl_certificate DIR/other.pem; ssl_certificate_key DIR/server.key;
  location / { return 200 "$server_protocol"; }
}
"#;

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new(tool("openssl"));
    command.current_dir(folder).args(arguments.split_whitespace());
    let output = command.output().expect("openssl runs");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, a server's certificate of it, an old one, one for another name, and a client's.
fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let ca = format!("req -x509 {key} -keyout ca.key -out ca.pem -days 30 -subj /CN=own-authority");
    openssl(folder, &ca);
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").expect("written");
    fs::write(folder.join("other-names"), "subjectAltName=DNS:elsewhere.example\n").expect("written");
    // Without an extension openssl makes certificates of version 1, which rustls does not take.
    fs::write(folder.join("client-kind"), "extendedKeyUsage=clientAuth\n").expect("written");
    openssl(folder, &format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    let sign = "x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial";
    openssl(folder, &format!("{sign} -in server.csr -out server.pem -days 30 -extfile names"));
    openssl(folder, &format!("{sign} -in server.csr -out other.pem -days 30 -extfile other-names"));
    openssl(folder, &format!("{sign} -in server.csr -out expired.pem -days -1 -extfile names"));
    openssl(folder, &format!("req {key} -keyout client.key -out client.csr -subj /CN=the-client"));
    openssl(folder, &format!("{sign} -in client.csr -out client.pem -days 30 -extfile client-kind"));
}

fn servers() -> (Running, Vec<(&'static str, String)>) {
    let folder = open_folder();
    certificates(folder.path());
    fs::create_dir(folder.path().join("page")).expect("made");
    fs::write(folder.path().join("page/a"), "x".repeat(100_000)).expect("written");
    let dir = folder.path().to_string_lossy().into_owned();
    let (running, ports) = nginx(folder, SERVERS);
    let mut texts: Vec<_> = ["tls", "mutual", "old", "plain", "other"]
        .into_iter()
        .zip(&ports)
        .map(|(name, port)| {
            (name, format!("{}://127.0.0.1:{port}", if name == "plain" { "http" } else { "https" }))
        })
        .collect();
    texts.push(("dir", dir));
    (running, texts)
}

fn borrowed<'a>(texts: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    texts.iter().map(|(name, text)| (*name, text.as_str())).collect()
}

#[test]
fn an_own_authority_and_http2() {
    let (_nginx, texts) = servers();
    run(
        r#"
        local http = require "mpms.http"
        local ca = T.dir .. "/ca.pem"
        local c <close> = http.client { ca = ca, base_url = T.tls }
        local r = c:get "/"
        assert(r.version == "HTTP/2" and r.body == "HTTP/2.0 TLSv1.3", r.body)
        assert("https://" .. tostring(r.remote) == T.tls, r.remote)
        assert(http.client { ca = ca, http2 = false }:get(T.tls).body == "HTTP/1.1 TLSv1.3")
        assert(http.client { ca = ca, http2 = true }:get(T.tls).version == "HTTP/2")
        assert(http.client { http2 = true }:get(T.plain).version == "HTTP/2", "without TLS, by agreement")
        assert(http.client { insecure = true }:get(T.tls).version == "HTTP/2")
        assert(http.client { insecure = true }:get(T.old).body == "old")
        assert(#c:get("/page/a").body == 100000)
        local list = { concurrency = 20 } for i = 1, 60 do list[i] = "/page/a" end
        for _, reply in ipairs(c:all(list)) do assert(#reply.body == 100000 and reply.version == "HTTP/2") end
        -- What is meant for TLS is not told in the clear.
        local plain = http.client { ca = ca, http2 = true, auth = { bearer = "secret" } }
        assert(plain:get(T.tls .. "/to-plain").body == "HTTP/2.0 ")
        local _, e = try(http.client({ ca = ca, http2 = true }).get, http.client { ca = ca, http2 = true }, T.other)
        assert(e.code == "tls")
        "#,
        &borrowed(&texts),
    );
}

#[test]
fn certificates_that_do_not_hold_are_refused() {
    let (_nginx, texts) = servers();
    let texts = borrowed(&texts);
    for (code, text) in [
        ("mpms.http.get(T.tls)", "UnknownIssuer"),
        ("mpms.http.client { ca = T.dir .. '/ca.pem' }:get(T.old)", "xpired"),
        ("mpms.http.client { ca = T.dir .. '/ca.pem' }:get(T.other)", "not valid for name"),
        ("mpms.http.client { ca = T.dir .. '/client.pem' }:get(T.tls)", "certificate"),
    ] {
        let e = fails(code, &texts);
        assert_eq!((e.code.as_str(), e.retryable), ("tls", false), "{code}: {e:?}");
        assert!(e.message.contains(text), "{code}: {}", e.message);
        assert!(e.url.is_some());
    }
}

#[test]
fn a_client_shows_its_certificate() {
    let (_nginx, texts) = servers();
    let texts = borrowed(&texts);
    run(
        r#"
        local http = require "mpms.http"
        local ca, cert = T.dir .. "/ca.pem", { T.dir .. "/client.pem", T.dir .. "/client.key" }
        assert(http.client({ ca = ca, cert = cert }):get(T.mutual).body == "CN=the-client")
        assert(http.client({ ca = ca, cert = { pem = cert[1], key = cert[2] }, http2 = false }):get(T.mutual).body == "CN=the-client")
        mpms.fs.write(T.dir .. "/both.pem", mpms.fs.read(cert[1]) .. mpms.fs.read(cert[2]))
        assert(http.client({ ca = ca, cert = T.dir .. "/both.pem" }):get(T.mutual).body == "CN=the-client")
        local _, e = try(http.client({ ca = ca }).get, http.client { ca = ca }, T.mutual) assert(e.status == 400, e.code)
        _, e = try(http.client, { ca = ca, cert = { cert[1], T.dir .. "/ca.key" } }) assert(e.code == "tls", e.code)
        _, e = try(http.client, { ca = ca, cert = { cert[1], ca } }) assert(e.code == "parse" and e.message:find "private key", e.message)
        "#,
        &texts,
    );
}
