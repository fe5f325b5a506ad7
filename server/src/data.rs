//! What a node holds: a store and the log that belongs to it. They change together, when a replica takes over a
//! snapshot of its master (`replication::replica`), and never one without the other.
//!
//! Who runs commands reads the current pair once per batch, inside the gate; the swap happens under the exclusive
//! gate, so a batch sees one pair throughout. Everybody else asks [`Server::data`](crate::server::Server::data)
//! once and works with that: a pair that was swapped out stays readable until its last user lets go.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use basalt_binlog::{Binlog, LogEvent, Offset};
use basalt_tiering::Store;
use tokio::sync::{Notify, watch};

use crate::errors::{self, Error};
use crate::replication::history::Keeper;

/// See the module's text.
#[derive(Debug)]
pub struct Data {
    /// The keys.
    pub store: Store,
    /// The log, and where the store stands in it.
    pub log: Arc<Log>,
    /// Counts the pairs this process has had; a session that finds another number than before forgets what it
    /// has pinned.
    pub number: u64,
    /// Where both lie on disk.
    pub dir: PathBuf,
    /// Databases that clients may select; the store may know more, from before.
    pub databases: u32,
    /// Whose stream the log is.
    pub history: Keeper,
}

impl Data {
    /// The log; none with `binlog no`.
    #[inline]
    #[must_use]
    pub fn binlog(&self) -> Option<&Binlog> {
        self.log.binlog.as_ref()
    }
}

/// The log of a store.
pub struct Log {
    /// The log itself; none with `binlog no`.
    pub binlog: Option<Binlog>,
    /// A change was made in memory that the log did not take: the two have parted, and writes are refused until
    /// a restart brings them together.
    pub unlogged: AtomicBool,
    /// Up to where the log is on disk: what sessions under `appendfsync always` wait for.
    pub synced: watch::Sender<Offset>,
    /// How far a log that another node writes is applied.
    pub progress: Progress,
    /// Called when something was appended, if somebody armed the log for it.
    pub appended: Notify,
    /// A handover is under way that needs the log as it is: nothing is appended but by its own hand.
    pub handed_over: AtomicBool,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// A log that this node writes itself, until it is told to follow.
    #[must_use]
    pub fn new(binlog: Option<Binlog>) -> Arc<Log> {
        let synced = binlog.as_ref().map_or(Offset(0), Binlog::synced);
        Arc::new(Log {
            binlog,
            unlogged: AtomicBool::new(false),
            synced: watch::Sender::new(synced),
            progress: Progress::default(),
            appended: Notify::new(),
            handed_over: AtomicBool::new(false),
        })
    }

    /// True while a handover needs the log as it is.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Acquire)
    }

    /// Whether a write of `bytes` may be logged; the error says why not.
    #[inline]
    pub fn admits(&self, bytes: usize) -> Result<(), Error> {
        match &self.binlog {
            None => Ok(()),
            Some(_) if self.unlogged.load(Ordering::Acquire) => Err(errors::AHEAD_OF_LOG),
            Some(binlog) => binlog
                .admit(bytes)
                .map_err(|error| errors::log_refuses(&error)),
        }
    }

    /// Wakes sessions that wait for the log to be on disk. A poisoned log wakes all: they look at its state.
    pub fn forward_events(self: &Arc<Self>) {
        let Some(binlog) = &self.binlog else { return };
        // Weak: the log keeps its listeners, and must not keep itself.
        let log = Arc::downgrade(self);
        binlog.subscribe(Box::new(move |event| {
            let Some(log) = log.upgrade() else { return };
            match event {
                LogEvent::Synced(offset) => {
                    log.synced.send_replace(offset);
                }
                LogEvent::Poisoned => {
                    tracing::error!(
                        "the log could not be written: writes are refused until a restart"
                    );
                    log.synced.send_replace(Offset::MAX);
                }
                LogEvent::Full => {
                    tracing::error!("no space for the log: writes are refused until there is");
                }
                LogEvent::SpaceReturned => tracing::info!("there is space for the log again"),
                LogEvent::Appended => log.appended.notify_waiters(),
            }
        }));
    }
}

/// How far the store has come in a log that another node writes. While it *follows*, the log's end says nothing
/// about the store, and the store deletes nothing by itself.
#[derive(Debug, Default)]
pub struct Progress {
    following: AtomicBool,
    applied: AtomicU64,
}

impl Progress {
    /// True while the log is another node's.
    #[inline]
    #[must_use]
    pub fn is_following(&self) -> bool {
        self.following.load(Ordering::Acquire)
    }

    /// Everything before this offset is in the store. Only meaningful while following.
    #[inline]
    #[must_use]
    pub fn applied(&self) -> Offset {
        Offset(self.applied.load(Ordering::Acquire))
    }

    /// From here on the log is another node's; the store has everything before `applied`.
    pub fn follow(&self, applied: Offset) {
        self.applied.store(applied.0, Ordering::Release);
        self.following.store(true, Ordering::Release);
    }

    /// The store has everything before `applied`. Never goes back.
    pub fn advance(&self, applied: Offset) {
        self.applied.fetch_max(applied.0, Ordering::AcqRel);
    }

    /// From here on the log is this node's own: all of it is applied.
    pub fn lead(&self) {
        self.following.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_goes_back() {
        let progress = Progress::default();
        assert!(!progress.is_following());
        progress.follow(Offset(10));
        progress.advance(Offset(20));
        progress.advance(Offset(15));
        assert!(progress.is_following());
        assert_eq!(progress.applied(), Offset(20));
        progress.lead();
        assert!(!progress.is_following());
    }
}
