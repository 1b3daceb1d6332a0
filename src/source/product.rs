//! `product`: every combination of named values, as a table.

use crate::model::Value;
use crate::source::SourceError;
use crate::source::indexed::Indexed;
use crate::wire::value::{MAP, encode, encode_bytes};
use crate::wire::varint;

/// The combinations in the order of an odometer: the last name varies fastest.
pub struct Product {
    axes: Vec<Axis>,
    length: u64,
}

struct Axis {
    name: Vec<u8>,
    values: Vec<Vec<u8>>,
    /// Combinations of the names behind this one, `u64::MAX` when there are as many or more.
    stride: u64,
}

impl Product {
    /// # Errors
    /// When there is no name, or a name without values.
    pub fn new(axes: &[(String, Vec<Value>)]) -> Result<Self, SourceError> {
        if axes.is_empty() {
            return Err(SourceError::Empty {
                what: "`product` is an empty table".into(),
                help: "give `product` names with arrays of values",
            });
        }
        let mut length = 1u64;
        let mut encoded = Vec::with_capacity(axes.len());
        for (name, values) in axes.iter().rev() {
            if values.is_empty() {
                return Err(SourceError::Empty {
                    what: format!("`product` has no value for `{name}`"),
                    help: "give each name of `product` at least one value",
                });
            }
            let values: Vec<_> = values.iter().map(|value| encoded_as(|out| encode(out, value))).collect();
            let stride = length;
            length = length.saturating_mul(values.len() as u64);
            let name = encoded_as(|out| encode_bytes(out, name.as_bytes()));
            encoded.push(Axis { name, values, stride });
        }
        encoded.reverse();
        Ok(Product { axes: encoded, length })
    }
}

fn encoded_as(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

impl Indexed for Product {
    fn len(&self) -> u64 {
        self.length
    }

    fn write(&self, index: u64, args: &mut Vec<u8>) {
        args.extend([1, MAP]);
        varint::put(args, self.axes.len() as u64);
        for axis in &self.axes {
            args.extend_from_slice(&axis.name);
            let digit = (index / axis.stride) % axis.values.len() as u64;
            args.extend_from_slice(&axis.values[digit as usize]);
        }
    }
}
