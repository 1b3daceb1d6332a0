//! Whom the scripts of this process may reach by the network: everybody, but in a spec nobody, or this machine.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::lua::error::LibError;

/// How far it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reach {
    /// As in a run.
    Everybody,
    /// The addresses of this machine.
    Loopback,
    /// No one.
    Nobody,
}

/// Of the whole process: servers and scripts that a spec plays have threads of their own.
static REACH: AtomicU8 = AtomicU8::new(Reach::Everybody as u8);

/// From now on. Gives what it was.
pub fn set(reach: Reach) -> Reach {
    read(REACH.swap(reach as u8, Ordering::AcqRel))
}

/// What it is now.
pub fn get() -> Reach {
    read(REACH.load(Ordering::Acquire))
}

fn read(number: u8) -> Reach {
    match number {
        0 => Reach::Everybody,
        1 => Reach::Loopback,
        _ => Reach::Nobody,
    }
}

/// The code of what was not allowed.
pub const DENIED: &str = "denied";

/// # Errors
/// `denied`, when this host must not be reached.
pub fn check(host: &str) -> Result<(), LibError> {
    let (reach, here) = (get(), is_loopback(host));
    match reach {
        Reach::Everybody => Ok(()),
        Reach::Loopback if here => Ok(()),
        _ if here => Err(LibError::new(
            DENIED,
            "the network is denied in specs; test.http \"loopback\" allows what is on this machine",
        )),
        _ => Err(LibError::new(
            DENIED,
            format!(
                "the network is denied in specs: `{host}` cannot be reached; serve it by `http.serve` on loopback"
            ),
        )),
    }
}

/// Whether the host is this machine, by its address or as `localhost`.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
