//! Files of a folder, and nothing outside of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hyper::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED, LOCATION};
use hyper::http::request::Parts;
use hyper::{Method, Response};

use super::super::{media, percent_decoded};
use super::body::{Body, plain};
use super::range;

pub(super) fn answer(root: &Path, head: &Parts) -> Response<Body> {
    if head.method != Method::GET && head.method != Method::HEAD {
        let mut reply = plain(405, "only GET and HEAD");
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return reply;
    }
    let Some(path) = inside(root, head.uri.path()) else {
        return plain(404, "not found");
    };
    if path.is_dir() && !head.uri.path().ends_with('/') {
        let mut reply = plain(301, "");
        if let Ok(to) = HeaderValue::from_str(&format!("{}/", head.uri.path())) {
            reply.headers_mut().insert(LOCATION, to);
        }
        return reply;
    }
    let path = if path.is_dir() { path.join("index.html") } else { path };
    match file(&path) {
        Ok(reply) => range::answer(head, reply),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => plain(403, "permission denied"),
        Err(_) => plain(404, "not found"),
    }
}

/// A reply with the whole of a file.
///
/// # Errors
/// When there is no such file.
pub(super) fn file(path: &Path) -> io::Result<Response<Body>> {
    let file = File::open(path)?;
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut reply = Response::new(Body::file(file, facts.len()));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media::type_of(path)));
    let tag = format!("\"{:x}-{:x}-{:x}\"", facts.mtime(), facts.mtime_nsec(), facts.len());
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    if let Some(date) = facts.modified().ok().and_then(range::date) {
        headers.insert(LAST_MODIFIED, date);
    }
    Ok(reply)
}

/// The file that the address names, links followed; none when it leaves the folder.
fn inside(root: &Path, address: &str) -> Option<PathBuf> {
    let mut path = root.to_path_buf();
    for part in address.split('/') {
        let part = percent_decoded(part);
        if part == b".." || part.contains(&0) || part.contains(&b'/') {
            return None;
        }
        if !part.is_empty() && part != b"." {
            path.push(OsStr::from_bytes(&part));
        }
    }
    let real = path.canonicalize().ok()?;
    real.starts_with(root).then_some(real)
}
