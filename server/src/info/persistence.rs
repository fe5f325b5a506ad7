//! Persistence and replication. A checkpoint stands where Redis has an RDB file, the binlog where it has the AOF.

use super::{Lines, Source};
use basalt_binlog::LogState;

pub(super) fn persistence(source: &Source<'_>, lines: &mut Lines) {
    let server = source.server;
    let saves = server.saves.figures(server);
    let status = |ok: bool| if ok { "ok" } else { "err" };
    lines.field("loading", u8::from(server.is_loading()));
    lines.field("async_loading", 0);
    for name in [
        "current_cow_peak",
        "current_cow_size",
        "current_cow_size_age",
    ] {
        lines.field(name, 0);
    }
    lines.field("current_fork_perc", "0.00");
    lines.field("current_save_keys_processed", 0);
    lines.field("current_save_keys_total", 0);
    lines.field("rdb_changes_since_last_save", saves.changes);
    lines.field("rdb_bgsave_in_progress", u8::from(saves.running));
    lines.field("rdb_last_save_time", server.saves.last_at(server).0 / 1000);
    lines.field("rdb_last_bgsave_status", status(saves.last_ok));
    lines.field("rdb_last_bgsave_time_sec", saves.last_seconds);
    lines.field("rdb_current_bgsave_time_sec", -1);
    lines.field("rdb_saves", saves.count);
    lines.field("rdb_last_cow_size", 0);
    lines.field("rdb_last_load_keys_expired", 0);
    lines.field("rdb_last_load_keys_loaded", 0);
    let binlog = source.data.binlog();
    let log_ok = binlog.is_none_or(|binlog| binlog.state() == LogState::Ok);
    lines.field("aof_enabled", u8::from(binlog.is_some()));
    lines.field("aof_rewrite_in_progress", 0);
    lines.field("aof_rewrite_scheduled", 0);
    lines.field("aof_last_rewrite_time_sec", -1);
    lines.field("aof_current_rewrite_time_sec", -1);
    lines.field("aof_last_bgrewrite_status", "ok");
    lines.field("aof_rewrites", 0);
    lines.field("aof_rewrites_consecutive_failures", 0);
    lines.field("aof_last_write_status", status(log_ok));
    lines.field("aof_last_cow_size", 0);
    lines.field("module_fork_in_progress", 0);
    lines.field("module_fork_last_cow_size", 0);
    if let Some(binlog) = binlog {
        let info = binlog.info();
        lines.field("aof_current_size", info.disk_bytes);
        lines.field("aof_base_size", 0);
        lines.field("aof_pending_rewrite", 0);
        lines.field("aof_buffer_length", 0);
        lines.field("aof_pending_bio_fsync", u8::from(info.synced < info.end));
        lines.field("aof_delayed_fsync", info.append_waits);
    }
}

pub(super) fn replication(source: &Source<'_>, lines: &mut Lines) {
    let followed = crate::replication::replica::info::fields(source.server, &source.settings);
    let role = if followed.is_empty() {
        "master"
    } else {
        "slave"
    };
    lines.field("role", role);
    for (name, value) in followed {
        lines.field(name, value);
    }
    crate::replication::info::replicas(source.server, lines);
}
