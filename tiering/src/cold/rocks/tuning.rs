//! RocksDB's settings, each with its reason. Figures: `docs/decisions/0004-rocksdb-settings.md`.

use rocksdb::statistics::StatsLevel;
use rocksdb::{
    BlockBasedOptions, BlockBasedTablePinningTier, Cache, ColumnFamilyDescriptor,
    DBCompressionType, DEFAULT_COLUMN_FAMILY_NAME, DataBlockIndexType, LogLevel, Options,
    WriteBufferManager,
};

use super::store;
use crate::cold::error::ColdError;
use crate::cold::options::{ColdOptions, Division};
use crate::cold::write_set::Family;

/// Blocks are the unit of a cold read: small ones cost half the CPU of RocksDB's usual 16 KiB.
const BLOCK_BYTES: usize = 4 << 10;
/// False positives of a 12-bit Bloom filter (0.3 %) for 8.4 bits per key of Ribbon filter.
const FILTER_BITS_PER_KEY: f64 = 12.0;
/// Keeps the memory a filter takes while it is built (about 30 bytes per key of the file) small, and
/// compactions short.
const FILE_BYTES: u64 = 32 << 20;
/// Share of a memtable spent on a Bloom filter, so that a key that is not in it costs no search.
const MEMTABLE_FILTER_RATIO: f64 = 0.02;

/// Everything `open` needs.
pub(super) struct Tuning {
    pub(super) db_options: Options,
    pub(super) families: Vec<ColumnFamilyDescriptor>,
    pub(super) cache: Cache,
    pub(super) memtables: WriteBufferManager,
}

impl Tuning {
    pub(super) fn new(options: &ColdOptions) -> Result<Self, ColdError> {
        let parts = Division::of(options.memory_budget_bytes);
        // Lock-free, since all workers look up in it; the charge per entry is found out by the cache itself.
        let cache = Cache::new_hyper_clock_cache(parts.cache_bytes, 0);
        // No stall: memtables are bounded by their number already, and a writer held in here holds locks.
        let memtables = WriteBufferManager::new_write_buffer_manager_with_cache(
            parts.memtables_bytes,
            false,
            cache.clone(),
        );
        let db_options = database(options, &memtables)?;
        let default = std::iter::once((DEFAULT_COLUMN_FAMILY_NAME, Family::State));
        let families = default
            .chain(Family::ALL.map(|family| (family.name(), family)))
            .map(|(name, like)| {
                ColumnFamilyDescriptor::new(name, family_options(like, parts, &cache))
            })
            .collect();
        Ok(Tuning {
            db_options,
            families,
            cache,
            memtables,
        })
    }
}

/// Settings of the database as a whole.
fn database(options: &ColdOptions, memtables: &WriteBufferManager) -> Result<Options, ColdError> {
    // Only the string form can say this. Closing does not flush: durability has one door, `flush`, and a
    // shutdown that the caller did not prepare behaves as a crash, which is the tested path.
    let mut db = Options::default()
        .get_options_from_string("avoid_flush_during_shutdown=true")
        .map_err(store("set options"))?;
    db.create_if_missing(true);
    db.create_missing_column_families(true);
    db.set_atomic_flush(true);
    db.set_write_buffer_manager(memtables);
    // Every file stays open, so that no lookup in memory has to open one. Open files cost about 10 KB each
    // outside the cache (a 32 MiB file holds 300,000 small records); see `table_reader_bytes`.
    db.set_max_open_files(-1);
    db.set_max_background_jobs(
        i32::try_from(options.background_jobs.clamp(2, 64)).expect("at most 64"),
    );
    db.set_use_direct_reads(options.direct_reads);
    db.set_use_direct_io_for_flush_and_compaction(options.direct_reads);
    // Memory per compaction input file; and writes are handed to the disk as they come, not in one burst.
    db.set_compaction_readahead_size(512 << 10);
    db.set_bytes_per_sync(1 << 20);
    // RocksDB's text log: two small files. Its own periodic statistics are of no use to us.
    db.set_log_level(LogLevel::Warn);
    db.set_max_log_file_size(4 << 20);
    db.set_keep_log_file_num(2);
    db.set_stats_dump_period_sec(0);
    db.set_stats_persist_period_sec(0);
    db.set_max_manifest_file_size(64 << 20);
    if options.counters {
        db.enable_statistics();
        db.set_statistics_level(StatsLevel::ExceptHistogramOrTimers);
    }
    Ok(db)
}

/// Settings of one family.
fn family_options(family: Family, parts: Division, cache: &Cache) -> Options {
    let mut options = Options::default();
    options.set_write_buffer_size(parts.write_buffer_bytes);
    options.set_max_write_buffer_number(Division::WRITE_BUFFERS as i32);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_target_file_size_base(FILE_BYTES);
    options.set_max_bytes_for_level_base(base_level_bytes(parts));
    options.set_block_based_table_factory(&table(family, cache));
    match family {
        Family::Keys | Family::Pages => {
            options.set_memtable_whole_key_filtering(true);
            options.set_memtable_prefix_bloom_ratio(MEMTABLE_FILTER_RATIO);
        }
        // Consumed from the front like a queue: without this, the tombstones of rows that are done would
        // have to be walked over to find the next row due.
        Family::Expiry => options.add_compact_on_deletion_collector_factory(8192, 4096, 0.5),
        Family::State => {}
    }
    options
}

/// The first sorted level takes what level 0 gathers before it is compacted (four memtables).
fn base_level_bytes(parts: Division) -> u64 {
    (4 * parts.write_buffer_bytes as u64).max(2 * FILE_BYTES)
}

fn table(family: Family, cache: &Cache) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_format_version(7);
    table.set_block_size(BLOCK_BYTES);
    table.set_block_cache(cache);
    // Filters and indexes are charged to the budget and pinned: absence needs no I/O, and the bound on
    // memory holds without a second account.
    table.set_cache_index_and_filter_blocks(true);
    table.set_unpartitioned_pinning_tier(BlockBasedTablePinningTier::All);
    // Many small entries share long prefixes: restart points far apart keep the index at 0.2 bytes per key.
    table.set_index_block_restart_interval(16);
    if matches!(family, Family::Keys | Family::Pages) {
        // Bloom for level 0, which is small, short-lived and built while writers wait; Ribbon below.
        table.set_hybrid_ribbon_filter(FILTER_BITS_PER_KEY, 1);
        // A lookup in a block goes by hash to a run of four records: up to a quarter less CPU when the
        // block is at hand, for 3 % more disk with 64-byte values and 0.1 % with 1 KB.
        table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        table.set_block_restart_interval(4);
    }
    table
}
