//! How a node follows its master.

use std::sync::atomic::{AtomicBool, Ordering};

/// State of the link to the master.
#[derive(Debug, Default)]
pub struct Replica {
    connected: AtomicBool,
}

impl Replica {
    /// True while the master's stream flows.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }
}
