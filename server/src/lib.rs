//! The Basalt server as a library: what the `basalt-server` binary is made of.
//!
//! The path of a command, one file each: `acceptor` → `worker` → `session` (read, decode, write) →
//! `dispatch` (gates) → `exec` (locks, handler, commit) → `commands/*` (what a command does).

pub mod acceptor;
pub mod apply;
pub mod args;
pub mod blocking;
pub mod clients;
pub mod commands;
pub mod config;
pub mod data;
pub mod dispatch;
pub mod effect_forms;
pub mod effects;
pub mod errors;
pub mod exec;
pub mod gate;
pub mod glob;
pub mod histogram;
pub mod host;
pub mod info;
pub mod latency;
pub mod logging;
pub mod metrics;
pub mod object_encoding;
pub mod replication;
pub mod saves;
pub mod server;
pub mod session;
pub mod shutdown;
pub mod slowlog;
pub mod startup;
pub mod stats;
pub mod worker;
