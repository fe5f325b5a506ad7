//! A copy of the cold tier for somebody else: a replica, a backup.
//!
//! The copy is made of hard links, so it costs no time and, at first, no room: a data file that compaction replaces
//! stays as long as the copy links to it. What the copy lacks is in the log from its replay offset on; some of its
//! records may hold effects up to where the log ended when it was made, and their guards say so.

use std::path::Path;

use basalt_binlog::Offset;

use crate::store::{Inner, Store, StoreError};

impl Inner {
    fn snapshot(&self, path: &Path) -> Result<Offset, StoreError> {
        // First without the turn of checkpoints, since it may take long; then little is left to replay.
        self.clean(self.host().log_end())?;
        let turn = self.checkpointer.persisting.lock();
        let replay = self.persist_in(&turn)?;
        // No other checkpoint in between: the copy says what was just persisted.
        self.cold().hard_link_snapshot(path)?;
        Ok(replay)
    }
}

impl Store {
    /// Writes everything dirty to the cold tier and copies that to `path`, which must not exist, lies on the same
    /// file system, and has a parent. Returns the copy's replay offset. Blocks.
    ///
    /// The caller has the log held from [`Store::persisted`] on, as it was before the call.
    ///
    /// # Errors
    /// The cold tier or the log failed, or there is no cold tier that a log belongs to.
    pub fn snapshot(&self, path: &Path) -> Result<Offset, StoreError> {
        if !self.inner.durable {
            return Err(StoreError::Log("the binlog is off".to_owned()));
        }
        self.inner.snapshot(path)
    }
}
