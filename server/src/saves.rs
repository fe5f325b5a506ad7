//! SAVE and BGSAVE: checkpoints that somebody asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use basalt_tiering::{StoreError, UnixMs};

use crate::server::Server;

/// What is known of them, for INFO's persistence section and LASTSAVE.
#[derive(Debug)]
pub struct Saves {
    running: AtomicBool,
    /// Unix ms of the last that was completed; 0 before.
    last_ms: AtomicU64,
    last_ok: AtomicBool,
    last_seconds: AtomicI64,
    count: AtomicU64,
    /// Effects logged when the last began.
    dirty_then: AtomicU64,
}

impl Default for Saves {
    fn default() -> Self {
        Saves {
            running: AtomicBool::new(false),
            last_ms: AtomicU64::new(0),
            last_ok: AtomicBool::new(true),
            last_seconds: AtomicI64::new(-1),
            count: AtomicU64::new(0),
            dirty_then: AtomicU64::new(0),
        }
    }
}

/// The figures of INFO.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// One runs now.
    pub running: bool,
    /// The last one succeeded (or there was none).
    pub last_ok: bool,
    /// How long the last took; -1 before the first.
    pub last_seconds: i64,
    /// Completed ones.
    pub count: u64,
    /// Effects since the last began.
    pub changes: u64,
}

impl Saves {
    /// Takes the turn; false if a checkpoint was already asked for and runs.
    #[must_use]
    pub fn begin(&self) -> bool {
        !self.running.swap(true, Ordering::AcqRel)
    }

    /// Makes a checkpoint; blocks. The caller has the turn, and it ends here.
    ///
    /// # Errors
    /// What kept the store from being saved.
    pub fn run(&self, server: &Arc<Server>) -> Result<(), StoreError> {
        let (begun, dirty) = (Instant::now(), server.stats.totals().dirty);
        let saved = server.current.get().store.checkpoint();
        self.last_ok.store(saved.is_ok(), Ordering::Relaxed);
        self.last_seconds
            .store(begun.elapsed().as_secs() as i64, Ordering::Relaxed);
        match &saved {
            Ok(()) => {
                self.last_ms.store(UnixMs::now().0, Ordering::Relaxed);
                self.dirty_then.store(dirty, Ordering::Relaxed);
                self.count.fetch_add(1, Ordering::Relaxed);
                tracing::info!(
                    seconds = begun.elapsed().as_secs_f64(),
                    "checkpoint on request is complete"
                );
            }
            Err(error) => tracing::error!(%error, "the checkpoint on request failed"),
        }
        self.running.store(false, Ordering::Release);
        saved
    }

    /// When the last was completed; before the first, when the server started.
    #[must_use]
    pub fn last_at(&self, server: &Server) -> UnixMs {
        match self.last_ms.load(Ordering::Relaxed) {
            0 => server.started_at,
            ms => UnixMs(ms),
        }
    }

    /// The figures of INFO.
    #[must_use]
    pub fn figures(&self, server: &Server) -> Figures {
        Figures {
            running: self.running.load(Ordering::Relaxed),
            last_ok: self.last_ok.load(Ordering::Relaxed),
            last_seconds: self.last_seconds.load(Ordering::Relaxed),
            count: self.count.load(Ordering::Relaxed),
            changes: server
                .stats
                .totals()
                .dirty
                .saturating_sub(self.dirty_then.load(Ordering::Relaxed)),
        }
    }
}
