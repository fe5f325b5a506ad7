//! What a client sees of every command, in every world: one file per family, tests as scripts.

#[path = "../support/mod.rs"]
mod support;

mod blocking;
mod config;
mod connection;
mod expire;
mod hashes;
mod keys;
mod lists;
mod protocol;
mod server;
mod strings;
mod tier;
mod transactions;
