//! From settings to what acts on them: what CONFIG SET does beyond remembering.

use basalt_binlog::Retention;
use basalt_replication::registry::Moment;

use crate::config::{Settings, Topic};
use crate::host::store_limits;
use crate::server::Server;
use crate::startup::open::log_fsync;

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
    let store_topics = [
        Topic::Memory,
        Topic::Frequency,
        Topic::Expiry,
        Topic::Checkpoint,
        Topic::Disk,
        Topic::Warmup,
    ];
    let data = server.data();
    if topics.iter().any(|topic| store_topics.contains(topic)) {
        let active_expire = data.store.limits().active_expire;
        data.store
            .reconfigure(store_limits(settings, active_expire));
    }
    if let Some(binlog) = data.binlog() {
        if topics.contains(&Topic::Fsync) {
            binlog.set_fsync_policy(log_fsync(settings.appendfsync));
        }
        if topics.contains(&Topic::Retention) {
            binlog.set_retention(retention(settings));
        }
    }
    if topics.contains(&Topic::Replication) {
        server.replication.master.recount(server, Moment::now());
    }
    if topics.contains(&Topic::Log)
        && let Some(level) = &server.log_level
    {
        level.set(settings.loglevel);
    }
}
