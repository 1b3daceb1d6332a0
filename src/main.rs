//! The `mpms` program.

fn main() {}
