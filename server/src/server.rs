//! The server: everything the sessions of all workers share.
//!
//! Every field says why it is shared. Nothing here is locked on the path of a command except the slots of
//! its keys (inside the store) and the worker's own lane of the gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use basalt_tiering::UnixMs;

use crate::blocking::Waiters;
use crate::clients::Clients;
use crate::config::Config;
use crate::data::Data;
use crate::gate::Gate;
use crate::latency::Latency;
use crate::logging::LevelHandle;
use crate::replication::Replication;
use crate::saves::Saves;
use crate::shutdown::Shutdown;
use crate::slowlog::Slowlog;
use crate::stats::Stats;

/// The version of Redis that clients are told; see `docs/decisions/0005-announced-version.md`.
pub const REDIS_VERSION: &str = "7.2.4";

/// What CLIENT PAUSE holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseMode {
    /// Commands that may write.
    Write,
    /// All commands.
    All,
}

/// CLIENT PAUSE: until when, and what.
#[derive(Debug, Default)]
pub struct Pause {
    /// Unix ms; 0 when nothing is paused, so that the hot path reads one word.
    until_ms: AtomicU64,
    all: AtomicBool,
    /// A handover holds writes back, however long it takes and whatever clients say.
    handover: AtomicBool,
}

impl Pause {
    /// Pauses until `until`; a pause in force is never shortened, and the stricter mode wins.
    pub fn begin(&self, until: UnixMs, mode: PauseMode, now: UnixMs) {
        let in_force = self.until_ms.load(Ordering::Acquire) > now.0;
        let was_all = in_force && self.all.load(Ordering::Relaxed);
        self.all
            .store(was_all || mode == PauseMode::All, Ordering::Relaxed);
        if in_force {
            self.until_ms.fetch_max(until.0, Ordering::Release);
        } else {
            self.until_ms.store(until.0, Ordering::Release);
        }
    }

    /// Ends the pause.
    pub fn end(&self) {
        self.until_ms.store(0, Ordering::Release);
    }

    /// Holds writes back until [`Pause::end_handover`].
    pub fn begin_handover(&self) {
        self.handover.store(true, Ordering::Release);
    }

    /// Ends what [`Pause::begin_handover`] began.
    pub fn end_handover(&self) {
        self.handover.store(false, Ordering::Release);
    }

    /// What is paused now.
    #[inline]
    #[must_use]
    pub fn in_force(&self, now: UnixMs) -> Option<PauseMode> {
        let until_ms = self.until_ms.load(Ordering::Acquire);
        if until_ms == 0 || until_ms <= now.0 {
            let handover = self.handover.load(Ordering::Acquire);
            return handover.then_some(PauseMode::Write);
        }
        Some(if self.all.load(Ordering::Relaxed) {
            PauseMode::All
        } else {
            PauseMode::Write
        })
    }
}

/// The store and its log, which a replica may exchange for those of a snapshot.
#[derive(Debug)]
pub struct Current {
    data: ArcSwap<Data>,
    /// The number of `data`: one load tells whether what one has is still current.
    number: AtomicU64,
}

impl Current {
    /// Begins with `data`.
    #[must_use]
    pub fn new(data: Arc<Data>) -> Self {
        Current {
            number: AtomicU64::new(data.number),
            data: ArcSwap::new(data),
        }
    }

    /// The number of the current pair.
    #[inline]
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// The current pair, for keeping.
    #[must_use]
    pub fn get(&self) -> Arc<Data> {
        self.data.load_full()
    }

    /// Exchanges the pair; returns the old one. The caller holds the exclusive gate.
    pub fn swap(&self, data: Arc<Data>) -> Arc<Data> {
        let number = data.number;
        let old = self.data.swap(data);
        self.number.store(number, Ordering::Release);
        old
    }
}

/// See the module's text.
pub struct Server {
    /// The configuration.
    pub config: Arc<Config>,
    /// The keys and their log; see [`Server::data`].
    pub current: Current,
    /// Who is connected.
    pub clients: Clients,
    /// Who waits for a key. Sessions keep it beyond a borrow of the server.
    pub waiters: Arc<Waiters>,
    /// Counters.
    pub stats: Stats,
    /// Slow commands.
    pub slowlog: Slowlog,
    /// Latency spikes.
    pub latency: Latency,
    /// Checkpoints on request.
    pub saves: Saves,
    /// Keeps commands out while something needs the whole keyspace still.
    pub gate: Gate,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// Master or replica, and who follows whom.
    pub replication: Replication,
    /// How and when the server ends.
    pub shutdown: Shutdown,
    /// True until the log is replayed.
    pub loading: AtomicBool,
    /// When the server started.
    pub started: Instant,
    /// The same on the wall clock.
    pub started_at: UnixMs,
    /// Forty hex digits, new at each start.
    pub run_id: String,
    /// Number of workers.
    pub workers: usize,
    /// Changes the level of the server's own log.
    pub log_level: Option<LevelHandle>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// True until the log is replayed.
    #[inline]
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.loading.load(Ordering::Acquire)
    }

    /// The keys and their log as they are now. To be asked once for a piece of work; what runs commands has
    /// them from its worker instead, at no cost.
    #[must_use]
    pub fn data(&self) -> Guard<Arc<Data>> {
        self.current.data.load()
    }

    /// Whether a read may also write `bytes` in place, as PFCOUNT does, which keeps its answer in the value. On a
    /// replica it may not: its values are its master's.
    #[must_use]
    pub fn takes_side_writes(&self, bytes: usize) -> bool {
        let log = &self.data().log;
        !log.progress.is_following() && log.admits(bytes).is_ok()
    }

    /// Asks the server to end: sessions finish their batches, then everything is closed; with `save` after
    /// a checkpoint. Returns at once.
    pub fn request_shutdown(self: &Arc<Self>, save: bool) {
        self.shutdown.request(save);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_not_shortened_and_the_stricter_mode_wins() {
        let pause = Pause::default();
        assert_eq!(pause.in_force(UnixMs(1)), None);
        pause.begin(UnixMs(100), PauseMode::All, UnixMs(1));
        pause.begin(UnixMs(50), PauseMode::Write, UnixMs(2));
        assert_eq!(pause.in_force(UnixMs(99)), Some(PauseMode::All));
        assert_eq!(pause.in_force(UnixMs(100)), None);
        pause.begin(UnixMs(300), PauseMode::Write, UnixMs(200));
        assert_eq!(pause.in_force(UnixMs(201)), Some(PauseMode::Write));
        pause.end();
        assert_eq!(pause.in_force(UnixMs(201)), None);
        pause.begin_handover();
        pause.begin(UnixMs(300), PauseMode::All, UnixMs(200));
        pause.end();
        assert_eq!(pause.in_force(UnixMs(201)), Some(PauseMode::Write));
        pause.end_handover();
        assert_eq!(pause.in_force(UnixMs(201)), None);
    }
}
