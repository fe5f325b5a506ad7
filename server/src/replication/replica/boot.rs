//! What a node is when it starts: a master, or a replica, as its configuration says and as it was before.

use std::sync::Arc;

use anyhow::Context;

use super::LinkState;
use crate::data::Data;
use crate::replication::role::Role;
use crate::server::Server;

/// Makes a node that was just opened what its configuration says, before it serves. The log is applied to its end.
///
/// # Errors
/// The change cannot be kept, or the configuration contradicts itself.
pub fn boot(server: &Arc<Server>) -> anyhow::Result<()> {
    let settings = server.config.load();
    let data = server.current.get();
    let Some((host, port)) = configured(&settings.replicaof) else {
        return lead_after_following(server, &data);
    };
    let binlog = data
        .binlog()
        .context("replicaof needs `binlog yes`: a replica keeps its master's stream there")?;
    mark_following(server, true)?;
    data.log.progress.follow(binlog.end());
    server.replication.role.set(Role::Replica { host, port });
    server.replication.replica.set_state(LinkState::Connect);
    Ok(())
}

fn configured(words: &[String]) -> Option<(String, u16)> {
    let [host, port] = words else { return None };
    Some((host.clone(), port.parse().ok()?))
}

/// A node that followed until its end and is now to lead goes by a new id: its old master may be alive.
fn lead_after_following(server: &Arc<Server>, data: &Data) -> anyhow::Result<()> {
    if !is_marked(server) {
        return Ok(());
    }
    if let Some(binlog) = data.binlog() {
        let history = data.history.promote(binlog, binlog.end())?;
        tracing::warn!(id = %history.id, "this node was a replica and leads now: it takes a new replication id");
    }
    mark_following(server, false)
}

/// Beside the data: the log that is there was written by another node.
fn marker(server: &Server) -> std::path::PathBuf {
    server.config.peek().dir.join("following")
}

fn is_marked(server: &Server) -> bool {
    marker(server).exists()
}

pub(super) fn mark_following(server: &Server, following: bool) -> anyhow::Result<()> {
    let path = marker(server);
    let done = if following {
        std::fs::File::create(&path).and_then(|file| file.sync_all())
    } else {
        std::fs::remove_file(&path)
    };
    match done {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot write {}", path.display()));
        }
        _ => {}
    }
    crate::startup::place::sync_dir(&server.config.peek().dir).context("cannot sync the directory")
}
