//! The page: which figures, under which names.
//!
//! Names follow Prometheus' custom: base units (seconds, bytes), `_total` for counters.

use std::collections::BTreeMap;

use basalt_tiering::StoreStats;

use super::writer::Kind::{Counter, Gauge, Histogram};
use super::writer::{Kind, Page};
use crate::commands;
use crate::histogram::Distribution;
use crate::server::Server;

/// The page. Takes every slot's lock once.
pub(super) fn text(server: &Server) -> String {
    let mut page = Page::default();
    process(server, &mut page);
    if server.is_loading() {
        // The store's figures are on the move, and its locks in demand.
        return page.finish();
    }
    let store = server.data().store.stats();
    commands(server, &mut page);
    traffic(server, &mut page);
    keys(server, &store, &mut page);
    memory(server, &store, &mut page);
    tiers(&store, &mut page);
    binlog(server, &store, &mut page);
    page.finish()
}

fn process(server: &Server, page: &mut Page) {
    page.family("basalt_info", Gauge, "The server, as labels.");
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("run_id", &server.run_id),
    ];
    page.sample(&labels, 1);
    let uptime = server.started.elapsed().as_secs_f64();
    page.one(
        "basalt_uptime_seconds",
        Gauge,
        "Time since the start.",
        uptime,
    );
    let loading = u8::from(server.is_loading());
    let help = "1 while the log is replayed; the other figures come after that.";
    page.one("basalt_loading", Gauge, help, loading);
}

/// The family of a command, by the name of the command or subcommand.
fn family_of(name: &str) -> &'static str {
    let container = name.split('|').next().unwrap_or_default();
    commands::lookup(container.as_bytes()).map_or("unknown", |command| command.group.name())
}

fn commands(server: &Server, page: &mut Page) {
    let totals = server.stats.commands_since_start();
    let labelled =
        |page: &mut Page, name, help: &str, of: fn(&crate::stats::CommandTotals) -> u64| {
            page.family(name, Counter, help);
            for command in &totals {
                let labels = [
                    ("family", family_of(command.name)),
                    ("command", command.name),
                ];
                page.sample(&labels, of(command));
            }
        };
    labelled(page, "basalt_commands_total", "Commands run.", |c| c.calls);
    let help = "Commands that answered an error.";
    labelled(page, "basalt_commands_failed_total", help, |c| c.failed);
    let help = "Commands refused before they ran.";
    labelled(page, "basalt_commands_rejected_total", help, |c| c.rejected);

    let mut families: BTreeMap<&str, (Distribution, u64)> = BTreeMap::new();
    for (name, distribution) in server.stats.latencies_since_start() {
        let family = families.entry(family_of(name)).or_default();
        family.0.add(&distribution);
    }
    for command in &totals {
        if let Some(family) = families.get_mut(family_of(command.name)) {
            family.1 += command.nanos;
        }
    }
    let help = "How long commands ran, by family (none with latency-tracking no).";
    page.family("basalt_command_seconds", Histogram, help);
    for (family, (distribution, nanos)) in families {
        histogram(page, family, &distribution, nanos);
    }
}

fn histogram(page: &mut Page, family: &str, distribution: &Distribution, nanos: u64) {
    for (bound_ns, calls) in distribution.cumulative_by_quadrupling() {
        let bound = (bound_ns as f64 / 1e9).to_string();
        page.sample_of("_bucket", &[("family", family), ("le", &bound)], calls);
    }
    let count = distribution.count();
    page.sample_of("_bucket", &[("family", family), ("le", "+Inf")], count);
    page.sample_of("_sum", &[("family", family)], seconds(nanos, 1e9));
    page.sample_of("_count", &[("family", family)], count);
}

fn traffic(server: &Server, page: &mut Page) {
    let totals = server.stats.totals_since_start();
    let clients = server.clients.len();
    page.one("basalt_clients", Gauge, "Connected clients.", clients);
    let most = server.config.peek().maxclients;
    page.one("basalt_clients_max", Gauge, "maxclients.", most);
    let counters = [
        (
            "basalt_connections_total",
            "Connections accepted.",
            totals.connections,
        ),
        (
            "basalt_connections_rejected_total",
            "Connections refused because of maxclients.",
            totals.rejected_connections,
        ),
        (
            "basalt_clients_over_limit_total",
            "Clients closed for passing a limit of their buffers.",
            totals.output_limit_closed + totals.query_limit_closed,
        ),
        (
            "basalt_input_bytes_total",
            "Bytes read from clients.",
            totals.input_bytes,
        ),
        (
            "basalt_output_bytes_total",
            "Bytes written to clients.",
            totals.output_bytes,
        ),
        ("basalt_errors_total", "Error replies.", totals.errors),
        (
            "basalt_keyspace_hits_total",
            "Lookups that found their key.",
            totals.hits,
        ),
        (
            "basalt_keyspace_misses_total",
            "Lookups that found none.",
            totals.misses,
        ),
        (
            "basalt_effects_total",
            "Changes made, as they are logged.",
            totals.dirty,
        ),
    ];
    all(page, Counter, &counters);
}

fn all(page: &mut Page, kind: Kind, figures: &[(&'static str, &str, u64)]) {
    for (name, help, value) in figures {
        page.one(name, kind, help, value);
    }
}

fn seconds(value: u64, per_second: f64) -> f64 {
    value as f64 / per_second
}

fn keys(server: &Server, store: &StoreStats, page: &mut Page) {
    page.family(
        "basalt_keys",
        Gauge,
        "Keys by tier. A hot key may have a copy on disk.",
    );
    page.sample(
        &[("tier", "hot")],
        store.hot_entries - store.tombstones.min(store.hot_entries),
    );
    page.sample(&[("tier", "cold")], store.cold_only_keys);
    page.family(
        "basalt_db_keys",
        Gauge,
        "Keys by database; one without keys is left out.",
    );
    let data = server.data();
    for db in 0..data.store.databases() {
        let keys = data.store.dbsize(data.store.namespace(db));
        if let Some(keys) = keys.ok().filter(|keys| *keys > 0) {
            page.sample(&[("db", &db.to_string())], keys);
        }
    }
    let counters = [
        (
            "basalt_expired_keys_total",
            "Keys whose time was over.",
            store.expired_keys,
        ),
        (
            "basalt_evicted_keys_total",
            "Keys deleted for lack of room.",
            store.evicted_keys,
        ),
    ];
    all(page, Counter, &counters);
}

fn memory(server: &Server, store: &StoreStats, page: &mut Page) {
    let gauges = [
        (
            "basalt_memory_used_bytes",
            "Memory in use by everything.",
            store.used_memory_bytes,
        ),
        (
            "basalt_memory_allocator_resident_bytes",
            "Memory the allocator holds.",
            store.resident_memory_bytes,
        ),
        (
            "basalt_memory_max_bytes",
            "The budget in force; 0 is none.",
            store.maxmemory_bytes,
        ),
        (
            "basalt_memory_hot_table_bytes",
            "Tables of hot keys, without entries.",
            store.hot_table_bytes,
        ),
        (
            "basalt_memory_cold_bytes",
            "The cold tier's memory.",
            store.cold.memory_bytes(),
        ),
        (
            "basalt_memory_memtable_bytes",
            "Of it, written and not yet in files.",
            store.cold.memtable_bytes,
        ),
        (
            "basalt_memory_block_cache_bytes",
            "Of it, blocks, filters and indexes.",
            store.cold.block_cache_bytes,
        ),
        (
            "basalt_memory_clients_bytes",
            "Buffers of clients.",
            server.clients.memory_bytes(),
        ),
    ];
    all(page, Gauge, &gauges);
}

fn tiers(store: &StoreStats, page: &mut Page) {
    let cold = &store.cold;
    let gauges = [
        (
            "basalt_dirty_keys",
            "Hot keys that differ from disk.",
            store.dirty_entries,
        ),
        (
            "basalt_cold_records",
            "Records on disk, copies of hot keys included.",
            store.cold_records,
        ),
        (
            "basalt_cold_reads_queued",
            "Reads that wait for a reader thread.",
            store.cold_reads_queued,
        ),
        (
            "basalt_cold_disk_bytes",
            "Bytes of the cold tier's files.",
            cold.disk_bytes,
        ),
        (
            "basalt_cold_pending_compaction_bytes",
            "Bytes compaction is behind.",
            cold.pending_compaction_bytes,
        ),
        (
            "basalt_cold_running_flushes",
            "Flushes running now.",
            cold.running_flushes,
        ),
        (
            "basalt_cold_running_compactions",
            "Compactions running now.",
            cold.running_compactions,
        ),
        (
            "basalt_cold_writes_stopped",
            "1 while writes to disk are held.",
            u64::from(cold.writes_stopped),
        ),
        (
            "basalt_eviction_threshold",
            "LFU counter below which keys leave memory.",
            u64::from(store.eviction_threshold),
        ),
    ];
    all(page, Gauge, &gauges);
    let counters = [
        (
            "basalt_cold_lookups_total",
            "Questions to the cold tier.",
            store.cold_lookups,
        ),
        (
            "basalt_cold_reads_total",
            "Of them, read from disk.",
            store.cold_reads,
        ),
        (
            "basalt_promoted_keys_total",
            "Cold keys brought to memory.",
            store.promoted_keys,
        ),
        (
            "basalt_spilled_keys_total",
            "Keys written to disk.",
            store.spilled_keys,
        ),
        (
            "basalt_spilled_bytes_total",
            "Bytes of them.",
            store.spilled_bytes,
        ),
        (
            "basalt_spill_batches_total",
            "Batches of them.",
            store.spill_batches,
        ),
        (
            "basalt_spill_errors_total",
            "Batches that failed.",
            store.spill_errors,
        ),
        (
            "basalt_unloaded_keys_total",
            "Keys that left memory, being on disk.",
            store.evicted_to_cold_keys,
        ),
        (
            "basalt_warmed_keys_total",
            "Keys read back after the start.",
            store.warmed_keys,
        ),
        (
            "basalt_cold_flush_bytes_total",
            "Bytes written by flushes.",
            cold.flush_write_bytes,
        ),
        (
            "basalt_cold_compaction_read_bytes_total",
            "Bytes read by compactions.",
            cold.compaction_read_bytes,
        ),
        (
            "basalt_cold_compaction_write_bytes_total",
            "Bytes written by compactions.",
            cold.compaction_write_bytes,
        ),
        (
            "basalt_cold_block_hits_total",
            "Data blocks found in memory.",
            cold.data_block_hits,
        ),
        (
            "basalt_cold_block_misses_total",
            "Data blocks not found there.",
            cold.data_block_misses,
        ),
        (
            "basalt_cold_filter_useful_total",
            "Reads that a filter saved.",
            cold.filter_useful,
        ),
        (
            "basalt_cold_background_errors_total",
            "Failed flushes and compactions.",
            cold.background_errors,
        ),
    ];
    all(page, Counter, &counters);
    let help = "Time writers were held back by the cold tier.";
    page.one(
        "basalt_cold_stall_seconds_total",
        Counter,
        help,
        seconds(cold.stall_us, 1e6),
    );
}

fn binlog(server: &Server, store: &StoreStats, page: &mut Page) {
    page.one(
        "basalt_checkpoints_total",
        Counter,
        "Checkpoints.",
        store.checkpoints,
    );
    let at = store.last_checkpoint.map_or(0, |at| at.0);
    let help = "When the last one was, Unix time; 0 is never.";
    page.one(
        "basalt_last_checkpoint_timestamp_seconds",
        Gauge,
        help,
        seconds(at, 1e3),
    );
    let data = server.data();
    let Some(binlog) = data.binlog() else { return };
    let info = binlog.info();
    let gauges = [
        (
            "basalt_binlog_end_offset",
            "Where the log ends.",
            info.end.0,
        ),
        (
            "basalt_binlog_synced_offset",
            "Up to where it is on disk.",
            info.synced.0,
        ),
        (
            "basalt_binlog_unsynced_bytes",
            "What a power cut would cost.",
            info.end.0.saturating_sub(info.synced.0),
        ),
        (
            "basalt_checkpoint_lag_bytes",
            "What a restart replays: the log beyond the last checkpoint.",
            info.end.0.saturating_sub(store.persisted_offset.0),
        ),
        ("basalt_binlog_segments", "Its files.", info.segments as u64),
        (
            "basalt_binlog_disk_bytes",
            "Bytes of them.",
            info.disk_bytes,
        ),
        (
            "basalt_binlog_writable",
            "0 while writes are refused: no space, or a failed fsync.",
            u64::from(info.state == basalt_binlog::LogState::Ok),
        ),
    ];
    all(page, Gauge, &gauges);
    let counters = [
        (
            "basalt_binlog_frames_total",
            "Frames appended.",
            info.appends,
        ),
        (
            "basalt_binlog_bytes_total",
            "Bytes appended.",
            info.appended_bytes,
        ),
        (
            "basalt_binlog_append_waits_total",
            "Appends that waited for the disk.",
            info.append_waits,
        ),
        (
            "basalt_binlog_fsyncs_total",
            "Calls of fdatasync.",
            info.fsyncs,
        ),
    ];
    all(page, Counter, &counters);
    let help = "Time spent in them.";
    page.one(
        "basalt_binlog_fsync_seconds_total",
        Counter,
        help,
        seconds(info.fsync_total_us, 1e6),
    );
    let help = "The longest since the start.";
    page.one(
        "basalt_binlog_fsync_max_seconds",
        Gauge,
        help,
        seconds(info.fsync_max_us, 1e6),
    );
}
