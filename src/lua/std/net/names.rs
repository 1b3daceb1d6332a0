//! Hosts, ports and what they stand for.

use std::net::SocketAddr;
use std::time::Duration;

use mlua::{LuaString, Value};
use tokio::net::{TcpStream, lookup_host};

use crate::lua::error::LibError;
use crate::lua::std::reach;

/// Who is at the other end.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub host: String,
    pub port: u16,
}

impl Peer {
    /// For errors.
    pub fn url(&self) -> String {
        match self.host.contains(':') {
            true => format!("tcp://[{}]:{}", self.host, self.port),
            false => format!("tcp://{}:{}", self.host, self.port),
        }
    }
}

/// A name or an address; IPv6 with its brackets or without.
///
/// # Errors
/// `invalid` for what cannot be one.
pub(super) fn host(text: &LuaString) -> Result<String, LibError> {
    let shown = text.to_string_lossy();
    let inside = shown.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&shown);
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/@?#[]".contains(c) || c == '\u{fffd}';
    if inside.is_empty() || inside.len() > 255 || inside.contains(odd) {
        return Err(LibError::invalid(format!(
            "`{shown}` is no host: give a name as `example.com`, or an address"
        )));
    }
    Ok(inside.to_owned())
}

/// # Errors
/// `invalid` when it is not `least` to 65535; `what` names it.
pub(super) fn port(value: &Value, what: &str, least: u16) -> Result<u16, LibError> {
    let number = value.as_integer().and_then(|port| u16::try_from(port).ok()).filter(|port| *port >= least);
    number.ok_or_else(|| {
        let got = match value {
            Value::Integer(number) => number.to_string(),
            other => other.type_name().to_owned(),
        };
        LibError::invalid(format!("{what} must be {least} to 65535, got {got}"))
    })
}

/// The addresses of a host, each once; at least one.
///
/// # Errors
/// `dns` when there is none, `timeout`.
pub(super) async fn addresses(
    host: &str,
    port: u16,
    timeout: Option<Duration>,
) -> Result<Vec<SocketAddr>, LibError> {
    reach::check(host)?;
    let asked = lookup_host((host, port));
    let found = match timeout {
        None => asked.await,
        Some(limit) => match tokio::time::timeout(limit, asked).await {
            Ok(found) => found,
            Err(_) => return Err(LibError::timeout(format!("no address of `{host}` within the time"))),
        },
    };
    let found = found.map_err(|error| {
        let reason = error.to_string();
        let reason = reason.strip_prefix("failed to lookup address information: ").unwrap_or(&reason);
        unknown(host).cause(reason.to_owned())
    })?;
    let mut once: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !once.contains(&address) {
            once.push(address);
        }
    }
    if once.is_empty() { Err(unknown(host)) } else { Ok(once) }
}

fn unknown(host: &str) -> LibError {
    LibError::new("dns", format!("the host `{host}` has no address")).retryable(true)
}

/// Tries the addresses of a host one after the other.
///
/// # Errors
/// `dns`; that of the last address.
pub(super) async fn connect(peer: &Peer) -> Result<TcpStream, LibError> {
    let mut last = unknown(&peer.host);
    for address in addresses(&peer.host, peer.port, None).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                let named = LibError::from(error);
                // What else the system says of a connection that it cannot make is for this too.
                let code = if named.code() == "io" { "connect" } else { named.code() };
                last = LibError::new(code.to_owned(), named.message()).retryable(true);
            }
        }
    }
    Err(last)
}
