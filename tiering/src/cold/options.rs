//! Options of the cold tier, and how one memory budget is divided.

use std::path::PathBuf;

/// What the owner of a cold tier decides. Everything else was measured and is fixed
/// (`docs/decisions/0004-rocksdb-settings.md`).
#[derive(Clone, Debug)]
pub struct ColdOptions {
    /// Directory of the store; made if missing.
    pub path: PathBuf,
    /// Memory for memtables, block cache, filters and indexes together.
    pub memory_budget_bytes: usize,
    /// Threads for flushes and compactions.
    pub background_jobs: usize,
    /// Read data files with `O_DIRECT`. By default reads go through the page cache, which is free memory
    /// put to use and not counted in this process.
    pub direct_reads: bool,
    /// Count block cache hits, bytes read and the like (atomic counters, no clocks).
    pub counters: bool,
}

impl ColdOptions {
    /// Options with defaults for everything but the place and the memory.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, memory_budget_bytes: usize) -> Self {
        ColdOptions {
            path: path.into(),
            memory_budget_bytes,
            background_jobs: 2,
            direct_reads: false,
            counters: true,
        }
    }
}

/// How a budget is divided.
///
/// The block cache's capacity is the whole budget, and everything is charged to it: filters and indexes
/// (pinned), memtables (by the write buffer manager), and with what is left, data blocks. So memory moves
/// by itself to where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Division {
    pub(super) cache_bytes: usize,
    pub(super) memtables_bytes: usize,
    pub(super) write_buffer_bytes: usize,
}

impl Division {
    /// Memtables smaller than this make compaction the only work there is.
    const MEMTABLES_MIN_BYTES: usize = 8 << 20;
    /// More than this no longer saves compaction worth having.
    const MEMTABLES_MAX_BYTES: usize = 384 << 20;
    /// One memtable being written, one being flushed, one waiting for it.
    pub(super) const WRITE_BUFFERS: usize = 3;

    pub(super) fn of(budget_bytes: usize) -> Self {
        let memtables_bytes =
            (budget_bytes / 2).clamp(Self::MEMTABLES_MIN_BYTES, Self::MEMTABLES_MAX_BYTES);
        Division {
            cache_bytes: budget_bytes.max(memtables_bytes),
            memtables_bytes,
            write_buffer_bytes: memtables_bytes / Self::WRITE_BUFFERS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memtables_fit_the_budget_unless_it_is_absurdly_small() {
        for budget in [16 << 20, 64 << 20, 256 << 20, 4 << 30_usize] {
            let parts = Division::of(budget);
            assert_eq!(parts.cache_bytes, budget);
            assert!(parts.memtables_bytes <= budget / 2);
            assert!(parts.write_buffer_bytes * Division::WRITE_BUFFERS <= parts.memtables_bytes);
        }
        assert_eq!(Division::of(0).cache_bytes, Division::MEMTABLES_MIN_BYTES);
    }
}
