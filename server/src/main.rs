//! The `basalt-server` binary.

fn main() {}
