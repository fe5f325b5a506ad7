//! A master's view of its replicas: what each has, and since when nothing was heard of it.
//!
//! A replica's figures are written by the task that feeds it and read by everybody (INFO, WAIT, the gates of
//! writes), so they are atomics; the list changes only when one comes or goes.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use basalt_binlog::Offset;
use parking_lot::Mutex;

/// Milliseconds since this process began to count: silence is measured by a clock that nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Moment {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        Moment(START.elapsed().as_millis() as u64)
    }
}

/// How far the link with a replica has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaState {
    /// It needs a snapshot, which is being cut.
    WaitSnapshot = 0,
    /// It fetches the snapshot.
    SendSnapshot = 1,
    /// It receives the stream.
    Online = 2,
}

impl ReplicaState {
    /// Redis' word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ReplicaState::WaitSnapshot => "wait_bgsave",
            ReplicaState::SendSnapshot => "send_bulk",
            ReplicaState::Online => "online",
        }
    }
}

/// One replica.
#[derive(Debug)]
pub struct Replica {
    /// Number of its connection.
    pub client: u64,
    /// Its address: what it announced, or where its connection comes from.
    pub ip: String,
    /// The port it listens on; 0 if it did not say.
    pub port: u16,
    state: AtomicU8,
    acked: AtomicU64,
    fsynced: AtomicU64,
    heard_ms: AtomicU64,
    sent: AtomicU64,
    stream_bytes: AtomicU64,
    snapshot_bytes: AtomicU64,
    snapshot_total: AtomicU64,
}

impl Replica {
    /// A replica of which nothing is known but where it is.
    #[must_use]
    pub fn new(client: u64, ip: String, port: u16, now: Moment) -> Self {
        Replica {
            client,
            ip,
            port,
            state: AtomicU8::new(ReplicaState::WaitSnapshot as u8),
            acked: AtomicU64::new(0),
            fsynced: AtomicU64::new(0),
            heard_ms: AtomicU64::new(now.0),
            sent: AtomicU64::new(0),
            stream_bytes: AtomicU64::new(0),
            snapshot_bytes: AtomicU64::new(0),
            snapshot_total: AtomicU64::new(0),
        }
    }

    /// How far the link has come.
    #[must_use]
    pub fn state(&self) -> ReplicaState {
        match self.state.load(Relaxed) {
            0 => ReplicaState::WaitSnapshot,
            1 => ReplicaState::SendSnapshot,
            _ => ReplicaState::Online,
        }
    }

    /// The link has come this far.
    pub fn set_state(&self, state: ReplicaState) {
        self.state.store(state as u8, Relaxed);
    }

    /// It holds the stream up to here.
    #[must_use]
    pub fn acked(&self) -> Offset {
        Offset(self.acked.load(Relaxed))
    }

    /// It has the stream on disk up to here.
    #[must_use]
    pub fn fsynced(&self) -> Offset {
        Offset(self.fsynced.load(Relaxed))
    }

    /// Takes an ACK. An offset never goes back while the link lives.
    pub fn ack(&self, held: Offset, synced: Option<Offset>, now: Moment) {
        self.acked.fetch_max(held.0, Relaxed);
        if let Some(synced) = synced {
            self.fsynced.fetch_max(synced.0, Relaxed);
        }
        self.heard(now);
    }

    /// The replica gave a sign of life.
    pub fn heard(&self, now: Moment) {
        self.heard_ms.store(now.0, Relaxed);
    }

    /// When it last gave one.
    #[must_use]
    pub fn heard_at(&self) -> Moment {
        Moment(self.heard_ms.load(Relaxed))
    }

    /// Seconds since then.
    #[must_use]
    pub fn lag_seconds(&self, now: Moment) -> u64 {
        now.0.saturating_sub(self.heard_ms.load(Relaxed)) / 1000
    }

    /// The stream was written to its socket up to here, `bytes` more than before.
    pub fn note_sent(&self, upto: Offset, bytes: u64) {
        self.sent.store(upto.0, Relaxed);
        self.stream_bytes.fetch_add(bytes, Relaxed);
    }

    /// Up to where the stream was written to its socket.
    #[must_use]
    pub fn sent(&self) -> Offset {
        Offset(self.sent.load(Relaxed))
    }

    /// Bytes of the stream written to it.
    #[must_use]
    pub fn stream_bytes(&self) -> u64 {
        self.stream_bytes.load(Relaxed)
    }

    /// It is to fetch a snapshot of this size.
    pub fn begin_snapshot(&self, total: u64) {
        self.snapshot_total.store(total, Relaxed);
        self.snapshot_bytes.store(0, Relaxed);
    }

    /// It fetched so many bytes more of it.
    pub fn note_snapshot(&self, bytes: u64) {
        self.snapshot_bytes.fetch_add(bytes, Relaxed);
    }

    /// Bytes of the snapshot fetched on this link, and its size.
    #[must_use]
    pub fn snapshot_progress(&self) -> (u64, u64) {
        (
            self.snapshot_bytes.load(Relaxed),
            self.snapshot_total.load(Relaxed),
        )
    }

    fn is_online(&self) -> bool {
        self.state() == ReplicaState::Online
    }
}

/// All replicas of a master, in the order in which they came.
#[derive(Debug, Default)]
pub struct Registry {
    replicas: Mutex<Vec<Arc<Replica>>>,
    count: AtomicUsize,
}

impl Registry {
    /// Enters a replica.
    pub fn join(&self, replica: Arc<Replica>) {
        let mut replicas = self.replicas.lock();
        replicas.push(replica);
        self.count.store(replicas.len(), Relaxed);
    }

    /// Strikes it off.
    pub fn leave(&self, replica: &Arc<Replica>) {
        let mut replicas = self.replicas.lock();
        replicas.retain(|known| !Arc::ptr_eq(known, replica));
        self.count.store(replicas.len(), Relaxed);
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Replica>> {
        self.replicas.lock().clone()
    }

    /// Their number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many hold the stream up to `offset`.
    #[must_use]
    pub fn acked(&self, offset: Offset) -> usize {
        self.count_online(|replica| replica.acked() >= offset)
    }

    /// How many have it on disk up to `offset`.
    #[must_use]
    pub fn fsynced(&self, offset: Offset) -> usize {
        self.count_online(|replica| replica.fsynced() >= offset)
    }

    /// How many were heard of within `max_lag_seconds`.
    #[must_use]
    pub fn good(&self, now: Moment, max_lag_seconds: u64) -> usize {
        self.count_online(|replica| replica.lag_seconds(now) <= max_lag_seconds)
    }

    /// How many receive the stream.
    #[must_use]
    pub fn online(&self) -> usize {
        self.count_online(|_| true)
    }

    fn count_online(&self, fits: impl Fn(&Replica) -> bool) -> usize {
        let replicas = self.replicas.lock();
        replicas
            .iter()
            .filter(|replica| replica.is_online() && fits(replica))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn online(registry: &Registry, client: u64, now: Moment) -> Arc<Replica> {
        let replica = Arc::new(Replica::new(client, "h".into(), 1, now));
        replica.set_state(ReplicaState::Online);
        registry.join(Arc::clone(&replica));
        replica
    }

    #[test]
    fn only_replicas_with_a_stream_count() {
        let registry = Registry::default();
        let replica = Arc::new(Replica::new(1, "h".into(), 1, Moment(0)));
        registry.join(Arc::clone(&replica));
        replica.ack(Offset(50), Some(Offset(40)), Moment(0));
        assert_eq!((registry.len(), registry.acked(Offset(10))), (1, 0));
        replica.set_state(ReplicaState::Online);
        assert_eq!(registry.acked(Offset(50)), 1);
        assert_eq!(registry.acked(Offset(51)), 0);
        assert_eq!(registry.fsynced(Offset(41)), 0);
        registry.leave(&replica);
        assert!(registry.is_empty());
    }

    #[test]
    fn a_silent_replica_is_no_good_one() {
        let registry = Registry::default();
        let quiet = online(&registry, 1, Moment(1_000));
        let lively = online(&registry, 2, Moment(1_000));
        lively.ack(Offset(1), None, Moment(20_000));
        assert_eq!(quiet.lag_seconds(Moment(21_000)), 20);
        assert_eq!(registry.good(Moment(21_000), 10), 1);
        assert_eq!(registry.good(Moment(21_000), 20), 2);
    }

    proptest! {
        /// Counts agree with a plain list of what each replica said.
        #[test]
        fn counts_agree_with_a_model(acks in prop::collection::vec((0..4usize, 0..100u64), 0..60), asked in 0..100u64) {
            let registry = Registry::default();
            let replicas: Vec<_> = (0..4).map(|n| online(&registry, n, Moment(0))).collect();
            let mut model = [0u64; 4];
            for (n, held) in acks {
                replicas[n].ack(Offset(held), Some(Offset(held / 2)), Moment(5));
                model[n] = model[n].max(held);
            }
            prop_assert_eq!(registry.acked(Offset(asked)), model.iter().filter(|held| **held >= asked).count());
            prop_assert_eq!(registry.fsynced(Offset(asked)), model.iter().filter(|held| **held / 2 >= asked).count());
        }
    }
}
