//! How the server ends: once, orderly, at the request of a signal or of SHUTDOWN.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

const RUNNING: u8 = 0;
const ENDING: u8 = 1;
const ENDING_WITH_SAVE: u8 = 2;

/// The request to end, and who waits for it.
#[derive(Debug, Default)]
pub struct Shutdown {
    state: AtomicU8,
    requested: Notify,
}

impl Shutdown {
    /// Asks for the end; the first request counts.
    pub fn request(&self, save: bool) {
        let wanted = if save { ENDING_WITH_SAVE } else { ENDING };
        let _ = self.state.compare_exchange(RUNNING, wanted, Ordering::AcqRel, Ordering::Acquire);
        self.requested.notify_waiters();
    }

    /// True once the end was asked for.
    #[inline]
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.state.load(Ordering::Acquire) != RUNNING
    }

    /// True if a checkpoint was asked for.
    #[must_use]
    pub fn wants_save(&self) -> bool {
        self.state.load(Ordering::Acquire) == ENDING_WITH_SAVE
    }

    /// Resolves once the end was asked for.
    pub async fn wait(&self) {
        loop {
            let notified = self.requested.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.is_requested() {
                return;
            }
            notified.await;
        }
    }
}
