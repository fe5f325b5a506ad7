//! Stats.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Lines, Source};

pub(super) fn stats(source: &Source<'_>, lines: &mut Lines) {
    let (totals, rates) = (source.server.stats.totals(), source.server.stats.rates());
    let zero =
        |lines: &mut Lines, names: &[&str]| names.iter().for_each(|name| lines.field(name, 0));
    lines.field("total_connections_received", totals.connections);
    lines.field("total_commands_processed", totals.commands);
    lines.field("instantaneous_ops_per_sec", rates.ops_per_second);
    lines.field("total_net_input_bytes", totals.input_bytes);
    lines.field("total_net_output_bytes", totals.output_bytes);
    let replicas = &source.server.replication.master.counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    lines.field("total_net_repl_input_bytes", 0);
    lines.field(
        "total_net_repl_output_bytes",
        count(&replicas.stream_bytes) + count(&replicas.snapshot_bytes),
    );
    lines.field(
        "instantaneous_input_kbps",
        format_args!("{:.2}", rates.input_kbps),
    );
    lines.field(
        "instantaneous_output_kbps",
        format_args!("{:.2}", rates.output_kbps),
    );
    lines.field("instantaneous_input_repl_kbps", "0.00");
    lines.field("instantaneous_output_repl_kbps", "0.00");
    lines.field("rejected_connections", totals.rejected_connections);
    lines.field("sync_full", count(&replicas.full));
    lines.field("sync_partial_ok", count(&replicas.partial_ok));
    lines.field("sync_partial_err", count(&replicas.partial_err));
    lines.field("expired_subkeys", source.store.expired_fields);
    lines.field("expired_keys", source.store.expired_keys);
    lines.field("expired_stale_perc", "0.00");
    zero(
        lines,
        &[
            "expired_time_cap_reached_count",
            "expire_cycle_cpu_milliseconds",
        ],
    );
    lines.field("evicted_keys", source.store.evicted_keys);
    lines.field(
        "evicted_clients",
        totals.output_limit_closed + totals.query_limit_closed,
    );
    zero(
        lines,
        &[
            "total_eviction_exceeded_time",
            "current_eviction_exceeded_time",
        ],
    );
    lines.field("keyspace_hits", totals.hits);
    lines.field("keyspace_misses", totals.misses);
    zero(
        lines,
        &[
            "pubsub_channels",
            "pubsub_patterns",
            "pubsubshard_channels",
            "latest_fork_usec",
            "total_forks",
            "migrate_cached_sockets",
            "slave_expires_tracked_keys",
            "active_defrag_hits",
            "active_defrag_misses",
            "active_defrag_key_hits",
            "active_defrag_key_misses",
            "total_active_defrag_time",
            "current_active_defrag_time",
            "tracking_total_keys",
            "tracking_total_items",
            "tracking_total_prefixes",
            "unexpected_error_replies",
        ],
    );
    lines.field("total_error_replies", totals.errors);
    lines.field("dump_payload_sanitizations", 0);
    lines.field("total_reads_processed", totals.reads);
    lines.field("total_writes_processed", totals.writes);
    zero(
        lines,
        &[
            "io_threaded_reads_processed",
            "io_threaded_writes_processed",
        ],
    );
    zero(lines, &["reply_buffer_shrinks", "reply_buffer_expands"]);
}
