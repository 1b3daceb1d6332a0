//! Numbers of a distribution from 64 random bits at a time. What a seed gives never changes: tests hold its first
//! numbers.

use crate::lua::error::LibError;

/// A stream of random bits.
pub(super) trait Draw {
    /// The next 64.
    fn draw(&mut self) -> u64;
}

/// From 0, without 1: 53 bits, as `math.random()` takes them.
pub(super) fn float(from: &mut impl Draw) -> f64 {
    (from.draw() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Both ends included; of one number, from 1.
pub(super) fn int(from: &mut impl Draw, (first, last): (i64, Option<i64>)) -> Result<i64, LibError> {
    let (first, last) = last.map_or((1, first), |last| (first, last));
    if first > last {
        return Err(LibError::invalid(format!("no integer is from {first} to {last}")));
    }
    // all of them is a whole turn of 64 bits
    let count = last.wrapping_sub(first).cast_unsigned().wrapping_add(1);
    let offset = if count == 0 { from.draw() } else { below(from, count) };
    Ok(first.wrapping_add(offset.cast_signed()))
}

/// From 0, without `count`, which is not 0. Lemire: Fast Random Integer Generation in an Interval, 2019.
pub(super) fn below(from: &mut impl Draw, count: u64) -> u64 {
    loop {
        let product = u128::from(from.draw()) * u128::from(count);
        let low = product as u64;
        if low >= count || low >= count.wrapping_neg() % count {
            return (product >> 64) as u64;
        }
    }
}

pub(super) fn bool(from: &mut impl Draw, chance: Option<f64>) -> Result<bool, LibError> {
    let chance = chance.unwrap_or(0.5);
    if !(0.0..=1.0).contains(&chance) {
        return Err(LibError::invalid(format!("argument 1 (chance) must be from 0 to 1, got {chance}")));
    }
    Ok(float(from) < chance)
}

/// By the polar method of Marsaglia; the second number of each pair is dropped, so that a call leaves nothing behind.
pub(super) fn normal(
    from: &mut impl Draw,
    mean: Option<f64>,
    deviation: Option<f64>,
) -> Result<f64, LibError> {
    let (mean, deviation) = (mean.unwrap_or(0.0), deviation.unwrap_or(1.0));
    if !mean.is_finite() {
        return Err(LibError::invalid(format!("argument 1 (mean) must be a finite number, got {mean}")));
    }
    if !deviation.is_finite() || deviation < 0.0 {
        return Err(LibError::invalid(format!("argument 2 (deviation) must be 0 or more, got {deviation}")));
    }
    loop {
        let (x, y) = (2.0 * float(from) - 1.0, 2.0 * float(from) - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return Ok(mean + deviation * x * (-2.0 * square.ln() / square).sqrt());
        }
    }
}

/// With the mean `1 / rate`.
pub(super) fn exp(from: &mut impl Draw, rate: Option<f64>) -> Result<f64, LibError> {
    let rate = rate.unwrap_or(1.0);
    if !rate.is_finite() || rate <= 0.0 {
        return Err(LibError::invalid(format!("argument 1 (rate) must be more than 0, got {rate}")));
    }
    Ok(-(1.0 - float(from)).ln() / rate)
}
