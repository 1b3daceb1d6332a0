//! MessagePack: Lua values as compact bytes.

mod decode;
mod encode;

pub(super) use decode::decode;
pub(super) use encode::encode;

/// Nesting beyond this is refused, in both directions, as in JSON.
const DEEPEST: usize = 200;
