//! Encoded argument lists, one behind the other: literal items, found files, and what a shuffle gathered.

use crate::model::Value;
use crate::source::SourceError;
use crate::source::indexed::Indexed;
use crate::wire::value::encode_list;

/// Argument lists in one buffer.
#[derive(Default)]
pub struct Arena {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Arena {
    /// An array is an argument list, anything else one argument.
    pub fn of_items(items: &[Value]) -> Result<Self, SourceError> {
        let mut arena = Arena::default();
        for item in items {
            match item {
                Value::Array(list) => arena.push(&encode_list(list.iter())),
                single => arena.push(&encode_list([single].into_iter())),
            }
        }
        if items.is_empty() {
            return Err(SourceError::Empty {
                what: "`items` is an empty array".into(),
                help: "write at least one task into `items`",
            });
        }
        Ok(arena)
    }

    /// Adds a list.
    pub fn push(&mut self, args: &[u8]) {
        self.bytes.extend_from_slice(args);
        self.ends.push(self.bytes.len());
    }
}

impl Indexed for Arena {
    fn len(&self) -> u64 {
        self.ends.len() as u64
    }

    fn write(&self, index: u64, args: &mut Vec<u8>) {
        let index = usize::try_from(index).expect("an index of what is in memory");
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        args.extend_from_slice(&self.bytes[start..self.ends[index]]);
    }
}
