//! The Basalt server as a library: what the `basalt-server` binary is made of.

pub mod config;
