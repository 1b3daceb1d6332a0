//! A server that does everything wrong: heads, chunks, bodies and packings that are none.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mpms::lua::error::Raised;

use crate::scene::{fails, run};

/// Answers each connection with the same, until the client goes away.
pub fn serve(talk: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> String {
    accept(move |stream| {
        read_head(stream);
        talk(stream);
    })
}

/// The same without waiting for a request.
pub fn accept(talk: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let talk = Arc::new(talk);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let talk = Arc::clone(&talk);
            thread::spawn(move || talk(&mut stream));
        }
    });
    format!("http://127.0.0.1:{port}/")
}

pub fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
}

fn bytes(reply: Vec<u8>) -> String {
    serve(move |stream| {
        // The client may be gone already: then it has seen enough.
        let _ = stream.write_all(&reply);
    })
}

fn get(url: &str, options: &str) -> Raised {
    let start = Instant::now();
    let e = fails(&format!("mpms.http.get(T.url, {options})"), &[("url", url)]);
    assert!(start.elapsed() < Duration::from_secs(20), "{e:?}");
    assert!(e.message.starts_with(&format!("http.get {url}: ")) && e.message.len() < 500, "{e:?}");
    e
}

#[test]
fn heads_that_are_none() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: 1\r\n".repeat(5000));
    let long = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(2 << 20));
    for (name, reply) in [
        ("another protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        ("another version", "HTTP/9.9 200 OK\r\n\r\n"),
        ("no status", "HTTP/1.1\r\n\r\n"),
        ("a status of letters", "HTTP/1.1 OK OK\r\n\r\n"),
        ("a status out of range", "HTTP/1.1 99999 OK\r\n\r\n"),
        ("a header without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"),
        ("a header with a zero", "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n"),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
        ("a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        ("a length of letters", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
        ("too many headers", many.as_str()),
        ("a header without an end", long.as_str()),
        ("noise", "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{0}\u{0}\u{0}\u{0}\u{0}"),
    ] {
        let e = get(&bytes(reply.as_bytes().to_vec()), "{timeout = 10}");
        assert_eq!((e.code.as_str(), e.retryable), ("protocol", true), "{name}: {e:?}");
    }
    for (name, reply) in [("nothing", ""), ("half a head", "HTTP/1.1 200 OK\r\nA: b\r\n")] {
        let e = get(&bytes(reply.as_bytes().to_vec()), "{timeout = 10}");
        assert_eq!((e.code.as_str(), e.retryable), ("connect", true), "{name}: {e:?}");
    }
}

#[test]
fn bodies_that_are_cut_or_wrong() {
    let chunked = |rest: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}");
    for (name, reply) in [
        ("shorter than told", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_owned()),
        ("a chunk that is cut", chunked("a\r\nabc")),
        ("no last chunk", chunked("3\r\nabc\r\n")),
        ("a chunk size of letters", chunked("zz\r\nabc\r\n0\r\n\r\n")),
        ("a chunk size too large for numbers", chunked("fffffffffffffffff\r\nabc")),
        ("a chunk that is longer than its size", chunked("2\r\nabcdef\r\n0\r\n\r\n")),
        ("a negative chunk", chunked("-1\r\nabc\r\n0\r\n\r\n")),
    ] {
        let e = get(&bytes(reply.into_bytes()), "{timeout = 10}");
        assert!(matches!(e.code.as_str(), "connect" | "protocol") && e.retryable, "{name}: {e:?}");
    }
    let after =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    run(
        "for i = 1, 3 do assert(mpms.http.get(T.url).body == 'abc') end",
        &[("url", &bytes(after.as_bytes().to_vec()))],
    );
}

#[test]
fn bodies_without_an_end() {
    let endless = |head: &'static str, piece: &'static [u8]| {
        serve(move |stream| {
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(piece).is_ok() {}
        })
    };
    let url = endless("HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65536]);
    assert_eq!(get(&url, "{max_size = '5MB'}").code, "too_large");
    let url = endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n");
    assert_eq!(get(&url, "{max_size = '1MB'}").code, "too_large");
    let url = endless("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", &[b'x'; 65536]);
    let e = get(&url, "{}");
    assert_eq!((e.code.as_str(), e.retryable), ("too_large", false));
    let url = endless("HTTP/1.1 200 OK\r\n", b"X-Header: again\r\n");
    assert_eq!(get(&url, "{timeout = 10}").code, "protocol");
    let url = endless("", b"HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_eq!(get(&url, "{timeout = '500ms'}").code, "timeout");
    let e = fails(
        "mpms.http.download(T.url, '/tmp/never-there', {max_size = '1MB'})",
        &[("url", &url_of_bytes())],
    );
    assert_eq!(e.code, "too_large");
}

fn url_of_bytes() -> String {
    serve(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[0; 65536]).is_ok() {}
    })
}

#[test]
fn a_trickle_is_ended_by_the_clock() {
    let url = serve(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let e = get(&url, "{timeout = '300ms'}");
    assert_eq!((e.code.as_str(), e.retryable), ("timeout", true));
    let silent = serve(|_| thread::sleep(Duration::from_secs(2)));
    let e = get(&silent, "{read_timeout = '100ms'}");
    assert!(e.code == "timeout" && e.message.contains("100ms"), "{e:?}");
}

/// 64 MiB of zeros in each packing that servers use.
#[test]
fn bombs_are_bounded_by_max_size() {
    let zeros = vec![0_u8; 1 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let mut zstd = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
    let mut packed_brotli = Vec::new();
    {
        let mut brotli = brotli::CompressorWriter::new(&mut packed_brotli, 1 << 16, 5, 22);
        for _ in 0..64 {
            gzip.write_all(&zeros).expect("memory");
            deflate.write_all(&zeros).expect("memory");
            zstd.write_all(&zeros).expect("memory");
            brotli.write_all(&zeros).expect("memory");
        }
    }
    let bombs = [
        ("gzip", gzip.finish().expect("packed")),
        ("deflate", deflate.finish().expect("packed")),
        ("zstd", zstd.finish().expect("packed")),
        ("br", packed_brotli),
    ];
    for (name, bomb) in bombs {
        assert!(bomb.len() < 1 << 20, "{name}: {}", bomb.len());
        let mut reply = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {name}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            bomb.len()
        )
        .into_bytes();
        reply.extend_from_slice(&bomb);
        let url = bytes(reply);
        let before = peak_memory();
        let e = get(&url, "{max_size = '4MiB'}");
        assert_eq!(e.code, "too_large", "{name}: {e:?}");
        let grown = peak_memory().saturating_sub(before);
        assert!(grown < 32 << 10, "{name}: {grown} KiB for a body of 4 MiB");
        run("assert(#mpms.http.get(T.url, {decompress = false}).body < 1 << 20)", &[("url", &url)]);
    }
}

/// Of this process, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is there");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn packings_that_are_broken() {
    for (name, body) in [
        ("gzip", b"\x1f\x8bno gzip at all".as_slice()),
        ("br", b"\xff\xff\xff\xff\xff".as_slice()),
        ("zstd", b"no zstd at all".as_slice()),
        ("deflate", b"\xffno deflate".as_slice()),
    ] {
        let mut reply =
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {name}\r\nContent-Length: {}\r\n\r\n", body.len())
                .into_bytes();
        reply.extend_from_slice(body);
        let e = get(&bytes(reply), "{timeout = 10}");
        assert_eq!((e.code.as_str(), e.retryable), ("protocol", true), "{name}: {e:?}");
    }
    let whole = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&[b'y'; 5000]).expect("memory");
        gzip.finish().expect("packed")
    };
    let mut reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n".to_vec();
    reply.extend_from_slice(&whole[..whole.len() - 10]);
    assert!(matches!(get(&bytes(reply), "{timeout = 10}").code.as_str(), "protocol" | "connect"));
}

#[test]
fn redirects_to_nowhere() {
    for place in ["http://", "//", "http://[::1", "javascript:alert(1)", "file:///etc/passwd", "http://a b/"]
    {
        let reply = format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
        let e = get(&bytes(reply.into_bytes()), "{timeout = 10}");
        assert_eq!((e.code.as_str(), e.retryable), ("redirect", false), "{place}: {e:?}");
    }
    let reply = b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nok".to_vec();
    run("assert(mpms.http.get(T.url).status == 302)", &[("url", &bytes(reply))]);
}
