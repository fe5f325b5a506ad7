//! INFO's section on replication and ROLE: the part of those who are followed.

use basalt_replication::registry::{Moment, Replica, ReplicaState};
use basalt_resp::Encoder;

use crate::info::Lines;
use crate::server::Server;

const NO_ID: &str = "0000000000000000000000000000000000000000";

/// What of INFO comes after the lines about a node's own master: its replicas, its history, its log.
pub(crate) fn replicas(server: &Server, lines: &mut Lines) {
    let (master, data, now) = (&server.replication.master, server.data(), Moment::now());
    let replicas = master.registry.all();
    lines.field("connected_slaves", replicas.len());
    let settings = server.config.peek();
    if settings.min_replicas_to_write > 0 && settings.min_replicas_max_lag_seconds > 0 {
        lines.field("min_slaves_good_slaves", master.good());
    }
    drop(settings);
    let end = data.binlog().map_or(0, |log| log.end().0);
    for (number, replica) in replicas.iter().enumerate() {
        lines.field(
            format_args!("slave{number}"),
            format_args!(
                "ip={},port={},state={},offset={},lag={}",
                replica.ip,
                replica.port,
                replica.state().name(),
                replica.acked(),
                lag(replica, now),
            ),
        );
    }
    let history = data.history.get();
    lines.field("master_failover_state", master.failover.state().name());
    lines.field("master_replid", history.id);
    match history.second {
        Some((id, upto)) => {
            lines.field("master_replid2", id);
            lines.field("master_repl_offset", end);
            // The first byte that the two histories do not share.
            lines.field("second_repl_offset", upto.0 + 1);
        }
        None => {
            lines.field("master_replid2", NO_ID);
            lines.field("master_repl_offset", end);
            lines.field("second_repl_offset", -1);
        }
    }
    backlog(server, lines);
    for (number, replica) in replicas.iter().enumerate() {
        progress(number, replica, end, lines);
    }
    shipped(server, end, lines);
}

/// Seconds since the last acknowledgement; 0, as with Redis, while there is no stream to acknowledge.
fn lag(replica: &Replica, now: Moment) -> u64 {
    match replica.state() {
        ReplicaState::Online => replica.lag_seconds(now),
        _ => 0,
    }
}

/// The backlog is the log on disk.
fn backlog(server: &Server, lines: &mut Lines) {
    let data = server.data();
    let configured = server.config.peek().repl_backlog_bytes;
    let (first, held) = data.binlog().map_or((0, 0), |log| {
        let first = log.first().0;
        (first + 1, log.end().0.saturating_sub(first))
    });
    lines.field("repl_backlog_active", u8::from(data.binlog().is_some()));
    lines.field("repl_backlog_size", configured.max(held));
    lines.field("repl_backlog_first_byte_offset", first);
    lines.field("repl_backlog_histlen", held);
}

fn progress(number: usize, replica: &Replica, end: u64, lines: &mut Lines) {
    let behind = end.saturating_sub(replica.acked().0);
    let (fetched, total) = replica.snapshot_progress();
    lines.field(
        format_args!("basalt_slave{number}"),
        format_args!(
            "lag_bytes={behind},unsent_bytes={},fsynced={},stream_bytes={},snapshot_bytes={fetched},snapshot_total={total}",
            end.saturating_sub(replica.sent().0),
            replica.fsynced(),
            replica.stream_bytes(),
        ),
    );
}

fn shipped(server: &Server, end: u64, lines: &mut Lines) {
    use std::sync::atomic::Ordering::Relaxed;
    let master = &server.replication.master;
    let living = master.snapshots.current();
    let manifest = living.as_ref().map(|snapshot| &snapshot.manifest);
    lines.field(
        "basalt_stream_bytes",
        master.counters.stream_bytes.load(Relaxed),
    );
    lines.field(
        "basalt_snapshot_bytes_sent",
        master.counters.snapshot_bytes.load(Relaxed),
    );
    lines.field("basalt_snapshots", u8::from(living.is_some()));
    lines.field(
        "basalt_snapshot_disk_bytes",
        manifest.map_or(0, basalt_replication::wire::Manifest::bytes),
    );
    lines.field(
        "basalt_snapshot_log_held_bytes",
        manifest.map_or(0, |manifest| end.saturating_sub(manifest.replay.0)),
    );
}

/// ROLE's answer of a master.
pub fn role_of_master(server: &Server, out: &mut Encoder<'_>) {
    let end = server.data().binlog().map_or(0, |log| log.end().0);
    let replicas = server.replication.master.registry.all();
    let online: Vec<_> = replicas
        .iter()
        .filter(|replica| replica.state() == ReplicaState::Online)
        .collect();
    out.array(3);
    out.bulk("master");
    out.integer(end as i64);
    out.array(online.len());
    for replica in online {
        out.array(3);
        out.bulk(&replica.ip);
        out.bulk(replica.port.to_string());
        out.bulk(replica.acked().to_string());
    }
}
