//! Figures of the cold tier, for INFO, metrics and the memory budget.

/// A snapshot of the cold tier's figures. Counters count since open and stay zero if
/// `ColdOptions::counters` is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColdStats {
    /// Memtables, flushed or not, that still hold memory.
    pub memtable_bytes: u64,
    /// Memory of cached blocks, with pinned filters and indexes (memtables' share taken out).
    pub block_cache_bytes: u64,
    /// Of those, pinned: filters and indexes, and blocks in use at this moment.
    pub block_cache_pinned_bytes: u64,
    /// Capacity of the block cache, that is the memory budget in force.
    pub block_cache_capacity_bytes: u64,
    /// Memory of open files outside the block cache.
    pub table_reader_bytes: u64,
    /// Bytes of all data files.
    pub disk_bytes: u64,
    /// Estimate of the bytes that a full compaction would leave.
    pub live_bytes_estimate: u64,
    /// Estimate of the number of records.
    pub keys_estimate: u64,
    /// Bytes that compaction would have to rewrite to reach its target shape.
    pub pending_compaction_bytes: u64,
    /// Flushes running now.
    pub running_flushes: u64,
    /// Compactions running now.
    pub running_compactions: u64,
    /// Whether writes are stopped until flush or compaction catches up.
    pub writes_stopped: bool,
    /// The rate writes are held to, in bytes per second; zero if they are not held.
    pub delayed_write_bytes_per_second: u64,
    /// Errors of flushes and compactions.
    pub background_errors: u64,
    /// Bytes written by flushes.
    pub flush_write_bytes: u64,
    /// Bytes read by compactions.
    pub compaction_read_bytes: u64,
    /// Bytes written by compactions.
    pub compaction_write_bytes: u64,
    /// Microseconds writers were held back.
    pub stall_us: u64,
    /// Data blocks found in the block cache.
    pub data_block_hits: u64,
    /// Data blocks not found there.
    pub data_block_misses: u64,
    /// Lookups a filter answered with "surely absent".
    pub filter_useful: u64,
    /// Keys read.
    pub keys_read: u64,
    /// Bytes of values read by key.
    pub value_bytes_read: u64,
}

impl ColdStats {
    /// Memory of the cold tier, all told.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memtable_bytes + self.block_cache_bytes + self.table_reader_bytes
    }
}
