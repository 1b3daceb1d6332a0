//! HMAC (RFC 2104), and the comparison that goes with it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::algorithm::unknown;
use crate::lua::error::LibError;

/// Those that HMAC is defined with; the others have block sizes of their own or none.
const NAMES: &[&str] = &["md5", "sha1", "sha256", "sha512"];

macro_rules! code {
    ($hash:ty, $key:expr, $bytes:expr) => {{
        let mut code = Hmac::<$hash>::new_from_slice($key).expect("HMAC takes keys of any length");
        code.update($bytes);
        code.finalize().into_bytes().to_vec()
    }};
}

pub(super) fn hmac(name: &str, key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, LibError> {
    Ok(match name {
        "md5" => code!(Md5, key, bytes),
        "sha1" => code!(Sha1, key, bytes),
        "sha256" => code!(Sha256, key, bytes),
        "sha512" => code!(Sha512, key, bytes),
        _ => return Err(unknown(name, NAMES)),
    })
}

/// The time tells the lengths and nothing else.
pub(super) fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let differs = one.iter().zip(other).fold(0u8, |seen, (a, b)| std::hint::black_box(seen | (a ^ b)));
    std::hint::black_box(differs) == 0
}
