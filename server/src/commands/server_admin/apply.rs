//! From settings to what acts on them: what CONFIG SET does beyond remembering.

use basalt_binlog::Retention;
use basalt_tiering::{Policy, StoreLimits};

use crate::config::{Settings, Topic};
use crate::server::Server;
use crate::startup::log_fsync;

/// The store's limits as the settings have them. `active_expire` is DEBUG SET-ACTIVE-EXPIRE's.
#[must_use]
pub fn store_limits(settings: &Settings, active_expire: bool) -> StoreLimits {
    let policy = Policy::from_name(settings.maxmemory_policy.name()).expect("the names of policies agree");
    StoreLimits {
        maxmemory: settings.maxmemory_bytes,
        maxdisk: settings.maxdisk_bytes,
        policy,
        samples: settings.maxmemory_samples as usize,
        lfu_log_factor: settings.lfu_log_factor,
        lfu_decay_minutes: settings.lfu_decay_minutes,
        checkpoint_interval_ms: u64::from(settings.checkpoint_interval_seconds) * 1000,
        replay_limit_bytes: settings.replay_limit_bytes,
        active_expire,
        warmup: settings.warmup,
        warmup_rate: u64::from(settings.warmup_rate),
    }
}

/// What the log keeps though nobody needs it.
#[must_use]
pub fn retention(settings: &Settings) -> Retention {
    Retention {
        bytes: settings.binlog_retention_bytes,
        ms: u64::from(settings.binlog_retention_hours) * 3_600_000,
    }
}

/// Applies what changed. A topic that is missing here is read from the settings at each use.
pub(super) fn apply(server: &Server, settings: &Settings, topics: &[Topic]) {
    let store_topics =
        [Topic::Memory, Topic::Frequency, Topic::Expiry, Topic::Checkpoint, Topic::Disk, Topic::Warmup];
    if topics.iter().any(|topic| store_topics.contains(topic)) {
        let active_expire = server.store.limits().active_expire;
        server.store.reconfigure(store_limits(settings, active_expire));
    }
    if let Some(binlog) = &server.binlog {
        if topics.contains(&Topic::Fsync) {
            binlog.set_fsync_policy(log_fsync(settings.appendfsync));
        }
        if topics.contains(&Topic::Retention) {
            binlog.set_retention(retention(settings));
        }
    }
    if topics.contains(&Topic::Log)
        && let Some(level) = &server.log_level
    {
        level.set(settings.loglevel);
    }
}
