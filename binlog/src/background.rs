//! The keeper and the sealer: the background roles beside the writer and the syncer (`writer.rs`).

use crate::error::Error;
use crate::shared::Shared;
use crate::types::LogState;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

impl Shared {
    /// The keeper's thread: the next segment's space, retention, and waiting for space to return.
    pub(crate) fn run_keeper(&self) {
        while !self.stop.load(Ordering::Acquire) {
            self.wake.keeper.wait(Some(Duration::from_secs(1)));
            if self.state() != LogState::Poisoned {
                // A full disk is in the state, and the next round tries again.
                drop(self.prepare_spare(0));
                drop(self.drain());
            }
            if let Err(e) = self.apply_retention(unix_ms_now()) {
                self.note_error(&e);
            }
        }
    }

    /// The sealer's thread.
    pub(crate) fn run_sealer(&self) {
        // Compression is never urgent: it takes the CPU others leave. Failing that, it just runs. (Not as an idle thread:
        // on a full machine that one runs for the first time after seconds, and holds the catalog's lock by then.)
        // SAFETY: a plain system call on the calling thread.
        let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, libc::gettid() as libc::id_t, 19) };
        let mut pause = Duration::from_secs(1);
        while !self.stop.load(Ordering::Acquire) {
            self.wake.sealer.wait(Some(pause));
            pause = match self.seal_full_segments() {
                Ok(_) | Err(Error::Closed) => Duration::from_secs(1),
                Err(e) => {
                    self.note_error(&e);
                    Duration::from_secs(60)
                }
            };
        }
    }
}

/// The wall clock, for the age of segments only; frames bring their own time.
pub(crate) fn unix_ms_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as u64)
}
