//! What a client sees of every command, in every world: one file per family, tests as scripts.

#[path = "../support/mod.rs"]
mod support;

mod strings;
