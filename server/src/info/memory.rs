//! Memory.

use super::{Lines, Source, allocator, human};

pub(super) fn memory(source: &Source<'_>, lines: &mut Lines) {
    let store = &source.store;
    let (used, resident, peak) = (
        store.used_memory_bytes,
        resident_bytes(),
        store.peak_memory_bytes.max(store.used_memory_bytes),
    );
    let clients = source.server.clients.memory_bytes();
    let overhead = store.hot_table_bytes + store.cold.memory_bytes() + clients;
    let dataset = used.saturating_sub(overhead);
    lines.bytes("used_memory", used);
    lines.bytes("used_memory_rss", resident);
    lines.bytes("used_memory_peak", peak);
    lines.field("used_memory_peak_perc", percent(used, peak));
    lines.field("used_memory_overhead", overhead);
    lines.field("used_memory_startup", 0);
    lines.field("used_memory_dataset", dataset);
    lines.field("used_memory_dataset_perc", percent(dataset, used));
    let figures = allocator::figures();
    lines.field("allocator_allocated", figures.allocated);
    lines.field("allocator_active", figures.active);
    lines.field("allocator_resident", figures.resident);
    lines.bytes("total_system_memory", system_bytes());
    scripts(lines);
    lines.bytes("maxmemory", source.settings.maxmemory_bytes);
    lines.field("maxmemory_policy", source.settings.maxmemory_policy.name());
    lines.ratio("allocator_frag_ratio", figures.active, figures.allocated);
    lines.field(
        "allocator_frag_bytes",
        figures.active.saturating_sub(figures.allocated),
    );
    lines.ratio("allocator_rss_ratio", figures.resident, figures.active);
    lines.field(
        "allocator_rss_bytes",
        figures.resident as i64 - figures.active as i64,
    );
    lines.ratio("rss_overhead_ratio", resident, figures.resident);
    lines.field(
        "rss_overhead_bytes",
        resident as i64 - figures.resident as i64,
    );
    lines.ratio("mem_fragmentation_ratio", resident, used);
    lines.field("mem_fragmentation_bytes", resident as i64 - used as i64);
    lines.field("mem_not_counted_for_evict", 0);
    lines.field("mem_replication_backlog", 0);
    lines.field("mem_total_replication_buffers", 0);
    lines.field("mem_clients_slaves", 0);
    lines.field("mem_clients_normal", clients);
    lines.field("mem_cluster_links", 0);
    lines.field("mem_aof_buffer", 0);
    lines.field("mem_allocator", allocator::version());
    lines.field("active_defrag_running", 0);
    lines.field("lazyfree_pending_objects", 0);
    lines.field("lazyfreed_objects", 0);
}

/// There are no scripts yet.
fn scripts(lines: &mut Lines) {
    lines.field("used_memory_lua", 0);
    lines.field("used_memory_vm_eval", 0);
    lines.field("used_memory_lua_human", human(0));
    lines.field("used_memory_scripts_eval", 0);
    lines.field("number_of_cached_scripts", 0);
    lines.field("number_of_functions", 0);
    lines.field("number_of_libraries", 0);
    lines.field("used_memory_vm_functions", 0);
    lines.bytes("used_memory_vm_total", 0);
    lines.field("used_memory_functions", 0);
    lines.bytes("used_memory_scripts", 0);
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", part as f64 * 100.0 / whole.max(1) as f64)
}

/// Physical memory of the process.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * sysconf(libc::_SC_PAGESIZE)
}

fn system_bytes() -> u64 {
    sysconf(libc::_SC_PHYS_PAGES) * sysconf(libc::_SC_PAGESIZE)
}

fn sysconf(name: libc::c_int) -> u64 {
    // SAFETY: the call reads a constant of the system and touches no memory of ours.
    u64::try_from(unsafe { libc::sysconf(name) }).unwrap_or(0)
}
