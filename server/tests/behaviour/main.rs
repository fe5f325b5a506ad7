//! What a client sees of every command, in every world: one file per family, tests as scripts.

#[path = "../support/mod.rs"]
mod support;

mod bitmaps;
mod blocking;
mod bloom;
mod config;
mod connection;
mod expire;
mod geo;
mod hash_fields;
mod hashes;
mod hyperloglog;
mod keys;
mod large_strings;
mod lists;
mod protocol;
mod replicas;
mod server;
mod sets;
mod sort;
mod sorted_sets;
mod stream_groups;
mod streams;
mod strings;
mod tier;
mod transactions;
