//! What a client sees of every command, in every world: one file per family, tests as scripts.

#[path = "../support/mod.rs"]
mod support;

mod config;
mod connection;
mod expire;
mod keys;
mod protocol;
mod replicas;
mod server;
mod strings;
mod tier;
mod transactions;
