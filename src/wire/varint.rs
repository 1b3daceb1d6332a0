//! Whole numbers in as few bytes as they need: seven bits a byte, least first (LEB128).

use super::malformed::Malformed;

/// Appends `number`, 1 to 10 bytes.
#[inline]
pub fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number at `*at` and moves `*at` behind it.
///
/// # Errors
/// When the bytes end before the number does, or it has more than 64 bits.
#[inline]
pub fn take(bytes: &[u8], at: &mut usize) -> Result<u64, Malformed> {
    let mut number = 0u64;
    let mut shift = 0;
    loop {
        let byte = *bytes.get(*at).ok_or(Malformed::Cut)?;
        *at += 1;
        if shift == 63 && byte > 1 {
            return Err(Malformed::Number);
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
        shift += 7;
        if shift > 63 {
            return Err(Malformed::Number);
        }
    }
}

/// Maps signed numbers to unsigned ones so that small magnitudes stay small.
#[inline]
pub fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// The inverse of [`zigzag`].
#[inline]
pub fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
