//! Tiering and binlog: ours.

use basalt_binlog::LogState;
use basalt_tiering::StoreStats;

use super::{Lines, Source};

/// The figures of `# Tiering` and TIER STATS.
#[must_use]
pub(crate) fn figures(stats: &StoreStats) -> Vec<(&'static str, u64)> {
    let cold = &stats.cold;
    vec![
        ("tiering", u64::from(stats.tiering)),
        ("hot_entries", stats.hot_entries),
        ("hot_dirty_entries", stats.dirty_entries),
        ("hot_table_bytes", stats.hot_table_bytes),
        ("cold_only_keys", stats.cold_only_keys),
        ("cold_records", stats.cold_records),
        ("cold_lookups", stats.cold_lookups),
        ("cold_reads", stats.cold_reads),
        ("cold_reads_queued", stats.cold_reads_queued),
        ("cold_loads", stats.cold_loads),
        ("promoted_keys", stats.promoted_keys),
        ("evicted_to_cold_keys", stats.evicted_to_cold_keys),
        ("warmed_keys", stats.warmed_keys),
        ("cold_page_reads", stats.cold_page_reads),
        ("cold_page_loads", stats.cold_page_loads),
        ("spilled_pages", stats.spilled_pages),
        ("evicted_pages", stats.evicted_pages),
        ("packed_bytes", stats.packed_bytes),
        ("spilled_keys", stats.spilled_keys),
        ("spilled_bytes", stats.spilled_bytes),
        ("spill_batches", stats.spill_batches),
        ("spill_errors", stats.spill_errors),
        ("checkpoints", stats.checkpoints),
        (
            "last_checkpoint_unix_ms",
            stats.last_checkpoint.map_or(0, |at| at.0),
        ),
        ("replay_offset", stats.replay_offset.0),
        ("persisted_offset", stats.persisted_offset.0),
        ("eviction_threshold", u64::from(stats.eviction_threshold)),
        ("cold_disk_bytes", cold.disk_bytes),
        ("cold_live_bytes_estimate", cold.live_bytes_estimate),
        (
            "cold_pending_compaction_bytes",
            cold.pending_compaction_bytes,
        ),
        ("cold_running_flushes", cold.running_flushes),
        ("cold_running_compactions", cold.running_compactions),
        ("cold_memtable_bytes", cold.memtable_bytes),
        ("cold_block_cache_bytes", cold.block_cache_bytes),
        (
            "cold_block_cache_capacity_bytes",
            cold.block_cache_capacity_bytes,
        ),
        ("cold_flush_write_bytes", cold.flush_write_bytes),
        ("cold_compaction_read_bytes", cold.compaction_read_bytes),
        ("cold_compaction_write_bytes", cold.compaction_write_bytes),
        ("cold_stall_us", cold.stall_us),
        ("cold_writes_stopped", u64::from(cold.writes_stopped)),
        ("cold_data_block_hits", cold.data_block_hits),
        ("cold_data_block_misses", cold.data_block_misses),
        ("cold_filter_useful", cold.filter_useful),
        ("cold_background_errors", cold.background_errors),
    ]
}

pub(super) fn tiering(source: &Source<'_>, lines: &mut Lines) {
    for (name, value) in figures(&source.store) {
        lines.field(name, value);
    }
    lines.field("maxdisk", source.settings.maxdisk_bytes);
}

/// The name of a log's state.
pub(crate) fn state_name(state: LogState) -> &'static str {
    match state {
        LogState::Ok => "ok",
        LogState::Full => "full",
        LogState::Poisoned => "poisoned",
    }
}

/// The figures of `# Binlog` and BINLOG INFO.
#[must_use]
pub(crate) fn log_figures(info: &basalt_binlog::Info) -> Vec<(&'static str, u64)> {
    vec![
        ("binlog_first_offset", info.first.0),
        ("binlog_end_offset", info.end.0),
        ("binlog_synced_offset", info.synced.0),
        ("binlog_needed_from", info.needed_from.0),
        ("binlog_segments", info.segments as u64),
        ("binlog_sealed_segments", info.sealed_segments as u64),
        ("binlog_disk_bytes", info.disk_bytes),
        ("binlog_compressed_bytes", info.compressed_bytes),
        ("binlog_uncompressed_bytes", info.uncompressed_bytes),
        ("binlog_appends", info.appends),
        ("binlog_appended_bytes", info.appended_bytes),
        ("binlog_append_waits", info.append_waits),
        ("binlog_fsyncs", info.fsyncs),
        ("binlog_fsync_total_us", info.fsync_total_us),
        ("binlog_fsync_last_us", info.fsync_last_us),
        ("binlog_fsync_max_us", info.fsync_max_us),
    ]
}

pub(super) fn binlog(source: &Source<'_>, lines: &mut Lines) {
    let Some(binlog) = source.data.binlog() else {
        return lines.field("binlog", 0);
    };
    let info = binlog.info();
    lines.field("binlog", 1);
    lines.field("binlog_state", state_name(info.state));
    lines.field("binlog_fsync", source.settings.appendfsync.name());
    for (name, value) in log_figures(&info) {
        lines.field(name, value);
    }
    lines.field(
        "binlog_frames_per_sync",
        format_args!("{:.2}", info.frames_per_sync),
    );
    lines.field(
        "binlog_last_error",
        info.last_error
            .unwrap_or_default()
            .replace(['\r', '\n'], " "),
    );
}
