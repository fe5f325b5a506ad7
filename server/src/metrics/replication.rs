//! The page's part on replication: those who follow this node, and the link to the one it follows.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use basalt_replication::registry::Moment;

use super::writer::Kind::{Counter, Gauge};
use super::writer::Page;
use crate::replication::replica::LinkState;
use crate::server::Server;

pub(super) fn text(server: &Server, page: &mut Page) {
    let replication = &server.replication;
    let is_master = u8::from(replication.is_master());
    page.one(
        "basalt_master",
        Gauge,
        "1 while this node takes writes of its own.",
        is_master,
    );
    if !replication.is_master() {
        let link_up = u8::from(replication.replica.state() == LinkState::Connected);
        page.one(
            "basalt_master_link_up",
            Gauge,
            "1 while the master's stream flows.",
            link_up,
        );
    }
    let end = server.data().binlog().map_or(0, |log| log.end().0);
    page.one(
        "basalt_replication_offset",
        Gauge,
        "Where the stream ends.",
        end,
    );
    replicas(server, end, page);
    shipped(server, page);
}

fn replicas(server: &Server, end: u64, page: &mut Page) {
    let (master, now) = (&server.replication.master, Moment::now());
    let replicas = master.registry.all();
    page.one(
        "basalt_replicas",
        Gauge,
        "Connected replicas.",
        replicas.len(),
    );
    // Of one that has just come again the old connection may still be there: the newer one counts.
    let named: BTreeMap<_, _> = replicas
        .iter()
        .map(|replica| (format!("{}:{}", replica.ip, replica.port), replica))
        .collect();
    page.family(
        "basalt_replica_lag_bytes",
        Gauge,
        "What a replica has not acknowledged.",
    );
    for (name, replica) in &named {
        page.sample(&[("replica", name)], end.saturating_sub(replica.acked().0));
    }
    page.family(
        "basalt_replica_lag_seconds",
        Gauge,
        "Since when nothing was heard of a replica.",
    );
    for (name, replica) in &named {
        page.sample(&[("replica", name)], replica.lag_seconds(now));
    }
    page.family(
        "basalt_replica_snapshot_bytes",
        Gauge,
        "What a replica has fetched of its snapshot.",
    );
    for (name, replica) in &named {
        page.sample(&[("replica", name)], replica.snapshot_progress().0);
    }
    page.family(
        "basalt_replica_snapshot_size_bytes",
        Gauge,
        "The size of the snapshot a replica fetches.",
    );
    for (name, replica) in &named {
        page.sample(&[("replica", name)], replica.snapshot_progress().1);
    }
}

fn shipped(server: &Server, page: &mut Page) {
    let counters = &server.replication.master.counters;
    let all = [
        (
            "basalt_stream_bytes_total",
            "Bytes of the stream sent to replicas.",
            &counters.stream_bytes,
        ),
        (
            "basalt_snapshot_bytes_total",
            "Bytes of snapshots sent to replicas.",
            &counters.snapshot_bytes,
        ),
        (
            "basalt_syncs_full_total",
            "Replicas that needed a snapshot.",
            &counters.full,
        ),
        (
            "basalt_syncs_partial_total",
            "Replicas that went on where they had stopped.",
            &counters.partial_ok,
        ),
        (
            "basalt_syncs_partial_refused_total",
            "Replicas that wanted to, and could not.",
            &counters.partial_err,
        ),
    ];
    for (name, help, counter) in all {
        page.one(name, Counter, help, counter.load(Relaxed));
    }
}
