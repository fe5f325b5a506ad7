//! What a node does for those who follow it. A replica serves its own replicas in the same way.
//!
//! ```text
//!   session ──PSYNC──▶ held log? ── yes ─▶ +CONTINUE ─▶ the connection leaves its worker for a feeder (`feed`)
//!                          └────── no ──▶ +BASALTSYNC ─▶ BASALTSYNC READ … ─▶ PSYNC again       (`sync`)
//! ```
//!
//! The backlog is the log on disk: a replica holds it from what it has acknowledged on, and is fed from its files.
//! So a slow replica costs disk, not memory, and is never cut for being slow; silence cuts it (`repl-timeout`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use basalt_binlog::{Hold, Offset};
use basalt_replication::registry::{Moment, Registry, Replica, ReplicaState};
use basalt_replication::snapshot::{Snapshot, Snapshots, Throttle};
use basalt_replication::wire;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::clients::{ClientId, ClientInfo};
use crate::data::Data;
use crate::exec;
use crate::server::Server;

use super::failover::Failover;

pub mod feed;
mod upkeep;

pub use upkeep::spawn;

/// Counters for INFO.
#[derive(Debug, Default)]
pub struct Counters {
    /// Replicas that needed a snapshot.
    pub full: AtomicU64,
    /// Replicas that went on where they had stopped.
    pub partial_ok: AtomicU64,
    /// Replicas that wanted to, and could not.
    pub partial_err: AtomicU64,
    /// Bytes of the stream written to replicas.
    pub stream_bytes: AtomicU64,
    /// Bytes of snapshots written to replicas.
    pub snapshot_bytes: AtomicU64,
}

/// The replicas of this node.
#[derive(Debug, Default)]
pub struct Replicas {
    /// Who they are.
    pub registry: Registry,
    /// What full syncs ship.
    pub snapshots: Snapshots,
    /// The pace of full syncs.
    pub throttle: Throttle,
    /// Moves when a replica acknowledges, comes or goes: what WAIT waits for.
    pub acks: watch::Sender<u64>,
    /// Counters.
    pub counters: Counters,
    /// A planned handover.
    pub failover: Failover,
    /// Replicas heard of lately enough for `min-replicas-to-write`.
    good: AtomicUsize,
    /// How many of them a write needs.
    wanted: AtomicUsize,
    /// End of the last request for acknowledgements in the stream.
    asked: AtomicU64,
}

impl Replicas {
    /// Enters a replica; it leaves when the result is dropped.
    #[must_use]
    pub fn join(server: &Arc<Server>, replica: Replica) -> Joined {
        let replica = Arc::new(replica);
        server
            .replication
            .master
            .registry
            .join(Arc::clone(&replica));
        Joined {
            server: Arc::clone(server),
            replica,
        }
    }

    /// Takes a replica's word for what it has.
    pub fn acked(&self, server: &Server, replica: &Replica, held: Offset, synced: Option<Offset>) {
        let now = Moment::now();
        replica.ack(held, synced, now);
        self.recount(server, now);
        self.acks
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Counts the replicas that were heard of lately, and takes over how many there have to be.
    pub fn recount(&self, server: &Server, now: Moment) {
        let settings = server.config.peek();
        let max_lag = u64::from(settings.min_replicas_max_lag_seconds);
        let wanted = if max_lag == 0 {
            0
        } else {
            settings.min_replicas_to_write as usize
        };
        self.good.store(self.registry.good(now, max_lag), Relaxed);
        self.wanted.store(wanted, Relaxed);
    }

    /// Replicas that were heard of lately.
    #[must_use]
    pub fn good(&self) -> usize {
        self.good.load(Relaxed)
    }

    /// Whether enough replicas follow for a write (`min-replicas-to-write`).
    #[inline]
    #[must_use]
    pub fn suffice(&self) -> bool {
        self.good.load(Relaxed) >= self.wanted.load(Relaxed)
    }

    /// Asks all replicas to say how far they are, unless they were asked behind `offset` already. The caller is
    /// outside the gate.
    pub fn ask_for_acks(&self, server: &Server, offset: Offset) {
        let data = server.current.get();
        let asked = self.asked.load(Relaxed);
        // A question beyond the end was asked in a log that has been exchanged since.
        let end = data.binlog().map_or(0, |log| log.end().0);
        if self.registry.online() == 0 || (asked > offset.0 && asked <= end) {
            return;
        }
        let _shared = server.gate.enter_background();
        if let Some(end) = exec::log_no_data(&data.log, &wire::getack()) {
            self.asked.store(end.0, Relaxed);
        }
    }

    /// Closes the links of all replicas: they come again, and learn what has changed.
    pub fn disconnect_all(&self, server: &Server) {
        for replica in self.registry.all() {
            if let Some(client) = server.clients.get(ClientId(replica.client)) {
                client.kill();
            }
        }
    }

    /// The pair of store and log was exchanged: offsets of the old one mean nothing any more.
    pub fn forget_pair(&self) {
        self.asked.store(0, Relaxed);
    }
}

/// A replica's place in the registry.
#[derive(Debug)]
pub struct Joined {
    server: Arc<Server>,
    /// The replica.
    pub replica: Arc<Replica>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        let master = &self.server.replication.master;
        master.registry.leave(&self.replica);
        master.recount(&self.server, Moment::now());
        master
            .acks
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// What a connection has said of the replica behind it, and what it was given.
#[derive(Debug, Default)]
pub struct Link {
    /// REPLCONF listening-port.
    pub port: u16,
    /// REPLCONF ip-address.
    pub ip: Option<String>,
    /// It speaks BASALTSYNC.
    pub basalt: bool,
    /// It takes a new id with `+CONTINUE`.
    pub psync2: bool,
    /// It took this node's role over a moment ago, and asks again.
    pub handed_over: bool,
    /// Its place among the replicas, from PSYNC on.
    pub joined: Option<Joined>,
    /// The snapshot it fetches. Shared with what cuts it.
    pub snapshot: Arc<Mutex<Option<Arc<Snapshot>>>>,
}

impl Link {
    /// The replica as INFO shows it.
    #[must_use]
    pub fn replica(&self, info: &ClientInfo) -> Replica {
        let peer = || {
            let (host, _) = info.addr.rsplit_once(':').unwrap_or((&info.addr, ""));
            host.trim_matches(['[', ']']).to_owned()
        };
        let ip = self.ip.clone().filter(|ip| !ip.is_empty());
        Replica::new(info.id.0, ip.unwrap_or_else(peer), self.port, Moment::now())
    }

    /// The replica, entered into the registry if it is not yet.
    pub fn join(&mut self, server: &Arc<Server>, info: &ClientInfo) -> Arc<Replica> {
        if let Some(joined) = &self.joined {
            return Arc::clone(&joined.replica);
        }
        let joined = Replicas::join(server, self.replica(info));
        let replica = Arc::clone(&joined.replica);
        self.joined = Some(joined);
        replica
    }
}

/// A connection that is to receive the stream.
pub struct Attach {
    /// The pair whose log it is.
    pub data: Arc<Data>,
    /// The log stays from here on.
    pub hold: Hold,
    /// The first byte to send.
    pub from: Offset,
    /// The history's count of changes when the replica was told that it may follow.
    pub changes: u64,
    /// The replica.
    pub joined: Joined,
}

impl std::fmt::Debug for Attach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attach")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// Cuts off replicas that stopped fetching their snapshot: the task that feeds a stream does that by itself.
fn cut_silent_fetchers(server: &Server, now: Moment, timeout: Duration) {
    for replica in server.replication.master.registry.all() {
        let silent_ms = now.0.saturating_sub(replica.heard_at().0);
        if replica.state() == ReplicaState::SendSnapshot
            && u128::from(silent_ms) > timeout.as_millis()
            && let Some(client) = server.clients.get(ClientId(replica.client))
        {
            tracing::warn!(
                replica = %format_args!("{}:{}", replica.ip, replica.port),
                "closed: a replica stopped fetching its snapshot"
            );
            client.kill();
        }
    }
}
