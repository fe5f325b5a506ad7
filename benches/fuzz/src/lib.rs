//! Fuzz targets: functions that take any bytes and panic if something that must always hold does not.
//!
//! | target | bytes | must hold |
//! |---|---|---|
//! | `resp` | what a client sends, or a server replies | no panic; how the bytes are cut changes nothing; arguments survive encoding |
//! | `binlog` | segment files, raw or sealed, and a ring | opening and reading fail or give a log that can be appended to and opened again |
//! | `cold` | keys, records and state of the cold tier | decoding is the inverse of encoding |
//! | `config` | a configuration file | what it sets survives CONFIG REWRITE and CONFIG SET |
//!
//! The same functions are driven by libFuzzer (`fuzz_targets/`) and, briefly and on stable Rust, by
//! `tests/short.rs`. Each has seeds: well-formed inputs to start from.

mod binlog;
mod cold;
mod config;
mod resp;
pub mod seeds;

pub use binlog::binlog;
pub use cold::cold;
pub use config::config;
pub use resp::resp;

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 4] = [
    ("resp", resp),
    ("binlog", binlog),
    ("cold", cold),
    ("config", config),
];

/// Takes `N` bytes off the front; zeroes stand in for what is missing.
fn take<const N: usize>(data: &mut &[u8]) -> [u8; N] {
    let (front, rest) = data.split_at(N.min(data.len()));
    *data = rest;
    let mut out = [0; N];
    out[..front.len()].copy_from_slice(front);
    out
}
