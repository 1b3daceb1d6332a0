//! What coordinator and workers say to each other: a stream of frames, many messages a frame.
//!
//! [`to_worker`] and [`from_worker`] are the two halves of the conversation; [`value`] is the code in
//! which arguments and results cross, [`json`] turns it into text.

pub mod bytes;
pub mod frame;
pub mod from_worker;
pub mod json;
pub mod malformed;
pub mod to_worker;
pub mod value;
pub mod varint;
