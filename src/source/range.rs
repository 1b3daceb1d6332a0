//! `range`: integers, both ends included, as `seq` counts.

use crate::source::SourceError;
use crate::source::indexed::Indexed;
use crate::wire::value::encode_int;

/// `first`, `first + step`, … up to `last`.
pub struct Range {
    first: i64,
    step: i64,
    length: u64,
}

impl Range {
    /// # Errors
    /// When it holds no number.
    pub fn new(first: i64, last: i64, step: i64) -> Result<Self, SourceError> {
        let span = i128::from(last) - i128::from(first);
        let steps = span.checked_div(i128::from(step)).filter(|_| span == 0 || (span < 0) == (step < 0));
        let Some(steps) = steps else {
            return Err(SourceError::Empty {
                what: format!("`range` from {first} to {last} by {step} holds no number"),
                help: "a range that counts down needs a negative step: [10, 1, -1]",
            });
        };
        // All 2^64 integers are one more than positions: the last one is left out.
        let length = u64::try_from(steps + 1).unwrap_or(u64::MAX);
        Ok(Range { first, step, length })
    }
}

impl Indexed for Range {
    fn len(&self) -> u64 {
        self.length
    }

    #[inline]
    fn write(&self, index: u64, args: &mut Vec<u8>) {
        // Modulo 2^64 this is exact, whatever overflows on the way.
        let number = self.first.wrapping_add(self.step.wrapping_mul(index.cast_signed()));
        args.push(1);
        encode_int(args, number);
    }
}
