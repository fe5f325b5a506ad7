//! The replica of the world `replica`.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::server::{Binary, Server};

/// Nothing takes longer to reach the replica, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// A server that follows `master`.
pub(crate) fn attach(master: &Server) -> Server {
    let port = master.port().to_string();
    Server::start_binary(Binary::under_test(), &["--replicaof", "127.0.0.1", &port])
}

/// Waits until the two hold the same; the difference if they do not come to.
pub(crate) fn is_same(master: &Server, replica: &Server) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        // What expires meanwhile may be gone from one and not yet from the other.
        let (theirs, ours) = (state(master), state(replica));
        if theirs == ours {
            return Ok(());
        }
        if begun.elapsed() > LIMIT {
            return Err(format!(
                "the replica does not hold what its master does:\n    master  {theirs}\n    replica {ours}\n{}",
                replica.log()
            ));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// How far the stream is, the digest, and the number of keys of every database.
fn state(server: &Server) -> String {
    let mut client = server.client();
    let info = client.words("INFO replication").text();
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::to_owned)
    };
    // A replica that has read the stream may not have applied all of it.
    let offset = field("slave_repl_offset").or_else(|| field("master_repl_offset"));
    let digest = client.words("DEBUG DIGEST");
    let sizes: Vec<String> = (0..16)
        .map(|db| {
            client.words(&format!("SELECT {db}"));
            client.words("DBSIZE").text()
        })
        .collect();
    format!(
        "{} {digest} {}",
        offset.unwrap_or_default(),
        sizes.join(" ")
    )
}
