//! What coordinator and workers say to each other.

pub mod json;
pub mod value;
pub mod varint;
