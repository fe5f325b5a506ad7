//! What all integration tests share: servers, a client, worlds, scripts.
//!
//! - `resp`: replies as values, and the notation in which scripts and failures print them
//! - `client`: one blocking connection
//! - `server`: one server process: started, killed, restarted, its log shown when a test fails
//! - `world`: the circumstances under which a script must give the same replies
//! - `script`: tests as data, `check(world, name, text)`
//!
//! Nothing here knows the server's crates: a test sees what a client sees, a socket. The same
//! tests therefore run against another server of the protocol (`BASALT_TEST_SERVER=/path`).
#![allow(
    dead_code,
    reason = "each test binary uses its own part of the harness"
)]

pub(crate) mod client;
pub(crate) mod resp;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod world;

/// The number in environment variable `name`, or `default`.
///
/// # Panics
/// If the variable is set to something that is not a number.
pub(crate) fn env_number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => default,
    }
}
