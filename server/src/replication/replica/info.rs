//! The replica's half of INFO replication, and of ROLE.

use std::sync::atomic::Ordering;
use std::time::Instant;

use basalt_binlog::Offset;

use super::LinkState;
use crate::config::Settings;
use crate::replication::role::Role;
use crate::server::Server;

/// The fields between `role` and `connected_slaves`, in Redis' order; none on a master.
#[must_use]
pub fn fields(server: &Server, settings: &Settings) -> Vec<(&'static str, String)> {
    let Role::Replica { host, port } = server.replication.role() else {
        return Vec::new();
    };
    let replica = &server.replication.replica;
    let (state, times) = (replica.state(), *replica.times.lock());
    let seconds = |since: Option<Instant>| match since {
        Some(since) => since.elapsed().as_secs().to_string(),
        None => "-1".to_owned(),
    };
    let flag = |on: bool| u8::from(on).to_string();
    let connected = state == LinkState::Connected;
    let last_io = times.last_io.filter(|_| connected);
    let (read, applied) = offsets(server);
    let mut fields = vec![
        ("master_host", host),
        ("master_port", port.to_string()),
        (
            "master_link_status",
            if connected { "up" } else { "down" }.to_owned(),
        ),
        ("master_last_io_seconds_ago", seconds(last_io)),
        ("master_sync_in_progress", flag(state == LinkState::Sync)),
        ("slave_read_repl_offset", read.0.to_string()),
        ("slave_repl_offset", applied.0.to_string()),
    ];
    if state == LinkState::Sync {
        let total = replica.sync_total.load(Ordering::Relaxed);
        let held = replica.sync_held.load(Ordering::Relaxed);
        let percent = held as f64 / total.max(1) as f64 * 100.0;
        fields.extend([
            ("master_sync_total_bytes", total.to_string()),
            ("master_sync_read_bytes", held.to_string()),
            (
                "master_sync_left_bytes",
                total.saturating_sub(held).to_string(),
            ),
            ("master_sync_perc", format!("{percent:.2}")),
            ("master_sync_last_io_seconds_ago", seconds(times.last_io)),
        ]);
    }
    if !connected {
        fields.push(("master_link_down_since_seconds", seconds(times.down_since)));
    }
    fields.extend([
        ("slave_priority", settings.replica_priority.to_string()),
        ("slave_read_only", flag(settings.replica_read_only)),
        ("replica_announced", flag(settings.replica_announced)),
    ]);
    fields
}

/// Up to where the stream was written down, and up to where it was applied.
#[must_use]
pub fn offsets(server: &Server) -> (Offset, Offset) {
    let data = server.data();
    let read = data.binlog().map_or(Offset(0), basalt_binlog::Binlog::end);
    if data.log.progress.is_following() {
        (read, data.log.progress.applied())
    } else {
        (read, read)
    }
}
