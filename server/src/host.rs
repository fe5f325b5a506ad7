//! What the store asks of the server: the log's end, its syncing, deletions of its own, the gate.

use std::sync::{Arc, OnceLock, Weak};

use basalt_binlog::{Binlog, LogState, Offset};
use basalt_tiering::{DeleteReason, Host, Policy, Slot, StoreLimits};

use crate::config::Settings;
use crate::data::Log;
use crate::exec;
use crate::server::Server;

/// The server as the store sees it.
pub struct StoreHost {
    log: Arc<Log>,
    /// Weak, since the server owns the store.
    server: OnceLock<Weak<Server>>,
}

impl std::fmt::Debug for StoreHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreHost").finish_non_exhaustive()
    }
}

impl StoreHost {
    /// A host with this log; the server follows ([`StoreHost::connect`]).
    #[must_use]
    pub fn new(log: Arc<Log>) -> Arc<Self> {
        Arc::new(StoreHost {
            log,
            server: OnceLock::new(),
        })
    }

    /// Tells the host which server it speaks for.
    ///
    /// # Panics
    /// If it was told before.
    pub fn connect(&self, server: &Arc<Server>) {
        assert!(
            self.server.set(Arc::downgrade(server)).is_ok(),
            "a host belongs to one server"
        );
    }
}

impl Host for StoreHost {
    #[inline]
    fn log_end(&self) -> Offset {
        self.log.binlog.as_ref().map_or(Offset(0), Binlog::end)
    }

    #[inline]
    fn applied(&self) -> Offset {
        if self.log.progress.is_following() {
            self.log.progress.applied()
        } else {
            self.log_end()
        }
    }

    fn sync_log(&self, upto: Offset) -> Result<(), String> {
        match &self.log.binlog {
            None => Ok(()),
            Some(binlog) => binlog.wait_synced(upto).map_err(|error| error.to_string()),
        }
    }

    fn log_deletes(&self, db: u32, slot: Slot, keys: &[&[u8]], _reason: DeleteReason) {
        exec::log_deletes(&self.log, db, slot, keys);
        keys.iter().for_each(|key| self.deleted(db, key));
    }

    fn deleted(&self, db: u32, key: &[u8]) {
        let server = self.server.get().and_then(Weak::upgrade);
        if let Some(server) = server.filter(|server| !server.waiters.is_empty()) {
            server.waiters.look_later(&server.data().store.key(db, key));
        }
    }

    fn log_field_deletes(&self, db: u32, slot: Slot, key: &[u8], fields: &[Vec<u8>]) {
        exec::log_field_deletes(&self.log, db, slot, key, fields);
    }

    /// A node whose log takes nothing deletes nothing by itself, like a replica: what has expired is absent to
    /// clients, and is deleted when that can be logged.
    fn is_master(&self) -> bool {
        let takes = |binlog: &Binlog| binlog.state() == LogState::Ok;
        !self.log.progress.is_following()
            && !self.log.is_handed_over()
            && self.log.binlog.as_ref().is_none_or(takes)
    }

    fn with_gate(&self, work: &mut dyn FnMut()) {
        // A server that is gone runs no commands either.
        let server = self.server.get().and_then(Weak::upgrade);
        let _shared = server.as_ref().map(|server| server.gate.enter_background());
        work();
    }

    fn persisted(&self, replay: Offset) {
        if let Some(binlog) = &self.log.binlog {
            binlog.set_floor(replay);
        }
    }
}

/// The store's limits as the configuration has them.
#[must_use]
pub fn store_limits(settings: &Settings, active_expire: bool) -> StoreLimits {
    StoreLimits {
        maxmemory: settings.maxmemory_bytes,
        maxdisk: settings.maxdisk_bytes,
        policy: Policy::from_name(settings.maxmemory_policy.name())
            .expect("the names are the same"),
        samples: settings.maxmemory_samples as usize,
        lfu_log_factor: settings.lfu_log_factor,
        lfu_decay_minutes: settings.lfu_decay_minutes,
        checkpoint_interval_ms: u64::from(settings.checkpoint_interval_seconds) * 1000,
        replay_limit_bytes: settings.replay_limit_bytes,
        active_expire,
        // As Redis has it: a quarter of the time, and for each step of effort two hundredths more.
        expire_percent: 25 + 2 * u32::from(settings.active_expire_effort - 1),
        warmup: settings.warmup,
        warmup_rate: u64::from(settings.warmup_rate),
    }
}
