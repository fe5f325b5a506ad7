//! The server: everything the sessions of all workers share.
//!
//! Every field says why it is shared. Nothing here is locked on the path of a command except the slots of
//! its keys (inside the store) and the worker's own lane of the gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use basalt_binlog::{Binlog, Offset};
use basalt_tiering::{Store, UnixMs};
use tokio::sync::watch;

use crate::blocking::Waiters;
use crate::clients::Clients;
use crate::config::Config;
use crate::errors::{self, Error};
use crate::gate::Gate;
use crate::latency::Latency;
use crate::logging::LevelHandle;
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

    /// What is paused now.
    #[inline]
    #[must_use]
    pub fn in_force(&self, now: UnixMs) -> Option<PauseMode> {
        let until_ms = self.until_ms.load(Ordering::Acquire);
        if until_ms == 0 || until_ms <= now.0 {
            return None;
        }
        Some(if self.all.load(Ordering::Relaxed) {
            PauseMode::All
        } else {
            PauseMode::Write
        })
    }
}

/// See the module's text.
pub struct Server {
    /// The configuration.
    pub config: Arc<Config>,
    /// The log; none with `binlog no`.
    pub binlog: Option<Binlog>,
    /// The keys.
    pub store: Store,
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
    /// A change was made in memory that the log did not take: the two have parted, and writes are refused until
    /// a restart brings them together.
    pub unlogged: AtomicBool,
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
    /// Up to where the log is on disk: what sessions under `appendfsync always` wait for.
    pub synced: watch::Sender<Offset>,
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

    /// Whether a write of `bytes` may be logged; the error says why not.
    #[inline]
    pub fn log_admits(&self, bytes: usize) -> Result<(), Error> {
        match &self.binlog {
            None => Ok(()),
            Some(_) if self.unlogged.load(Ordering::Acquire) => Err(errors::AHEAD_OF_LOG),
            Some(binlog) => binlog
                .admit(bytes)
                .map_err(|error| errors::log_refuses(&error)),
        }
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
    }
}
