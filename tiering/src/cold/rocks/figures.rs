//! Figures and upkeep: what the store holds in memory and on disk, and compaction on demand.

use rocksdb::properties as prop;
use rocksdb::statistics::Ticker;
use rocksdb::{CStrLike, WaitForCompactOptions};

use super::{ColdTier, store};
use crate::cold::error::ColdError;
use crate::cold::stats::ColdStats;
use crate::cold::write_set::Family;

impl ColdTier {
    /// A snapshot of all figures. Takes RocksDB's mutex a few times: not for the hot path.
    pub fn stats(&self) -> Result<ColdStats, ColdError> {
        let memtable_bytes = self.memtable_bytes();
        let cache_bytes = self.cache.get_usage() as u64;
        let counter = |ticker| self.db_options.get_ticker_count(ticker);
        Ok(ColdStats {
            memtable_bytes,
            // Memtables are charged to the cache, and pinned there, in whole steps of 256 KiB.
            block_cache_bytes: cache_bytes.saturating_sub(charged(memtable_bytes)),
            block_cache_pinned_bytes: (self.cache.get_pinned_usage() as u64)
                .saturating_sub(charged(memtable_bytes)),
            block_cache_capacity_bytes: self.of_keys(prop::BLOCK_CACHE_CAPACITY)?,
            table_reader_bytes: self.sum(prop::ESTIMATE_TABLE_READERS_MEM)?,
            disk_bytes: self.disk_bytes()?,
            live_bytes_estimate: self.sum(prop::ESTIMATE_LIVE_DATA_SIZE)?,
            keys_estimate: self.of_keys(prop::ESTIMATE_NUM_KEYS)?,
            pending_compaction_bytes: self.sum(prop::ESTIMATE_PENDING_COMPACTION_BYTES)?,
            running_flushes: self.of_keys(prop::NUM_RUNNING_FLUSHES)?,
            running_compactions: self.of_keys(prop::NUM_RUNNING_COMPACTIONS)?,
            writes_stopped: self.of_keys(prop::IS_WRITE_STOPPED)? != 0,
            delayed_write_bytes_per_second: self.of_keys(prop::ACTUAL_DELAYED_WRITE_RATE)?,
            background_errors: self.sum(prop::BACKGROUND_ERRORS)?,
            flush_write_bytes: counter(Ticker::FlushWriteBytes),
            compaction_read_bytes: counter(Ticker::CompactReadBytes),
            compaction_write_bytes: counter(Ticker::CompactWriteBytes),
            stall_us: counter(Ticker::StallMicros),
            data_block_hits: counter(Ticker::BlockCacheDataHit),
            data_block_misses: counter(Ticker::BlockCacheDataMiss),
            filter_useful: counter(Ticker::BloomFilterUseful),
            keys_read: counter(Ticker::NumberKeysRead),
            value_bytes_read: counter(Ticker::BytesRead),
        })
    }

    /// Bytes of memtables, those being flushed included. As cheap as reading a counter.
    pub fn memtable_bytes(&self) -> u64 {
        self.memtables.get_usage() as u64
    }

    /// Bytes of all data files, those still held by running reads included.
    pub fn disk_bytes(&self) -> Result<u64, ColdError> {
        self.sum(prop::TOTAL_SST_FILES_SIZE)
    }

    /// Records in the data files, those included that were overwritten or deleted since and are still to be compacted away.
    pub fn records_in_files(&self) -> Result<u64, ColdError> {
        let value = self
            .db
            .property_value_cf(self.family(Family::Keys), prop::AGGREGATED_TABLE_PROPERTIES)
            .map_err(store("read figures"))?
            .unwrap_or_default();
        let figure = |name: &str| {
            let fields = value.split(';').filter_map(|field| field.split_once('='));
            let mut named = fields.filter(|(known, _)| known.trim() == name);
            named
                .next()
                .and_then(|(_, value)| value.trim().parse::<u64>().ok())
        };
        let (entries, deletions) = (figure("# entries"), figure("# deletions"));
        Ok(entries.unwrap_or(0).saturating_sub(deletions.unwrap_or(0)))
    }

    /// Ends all background work and makes a compaction under way return. The tier can only be closed then.
    pub fn cancel(&self) {
        self.db.cancel_all_background_work(false);
    }

    /// Compacts everything and waits for it: the least disk space, at the price of rewriting the store.
    pub fn compact(&self) {
        for family in Family::ALL {
            self.db
                .compact_range_cf(self.family(family), None::<&[u8]>, None::<&[u8]>);
        }
    }

    /// Waits until no flush or compaction is running or due.
    pub fn wait_until_idle(&self) -> Result<(), ColdError> {
        self.db
            .wait_for_compact(&WaitForCompactOptions::default())
            .map_err(store("wait for compaction"))
    }

    fn sum(&self, property: impl CStrLike + Copy) -> Result<u64, ColdError> {
        Family::ALL
            .into_iter()
            .map(|family| self.of(family, property))
            .sum()
    }

    fn of_keys(&self, property: impl CStrLike) -> Result<u64, ColdError> {
        self.of(Family::Keys, property)
    }

    fn of(&self, family: Family, property: impl CStrLike) -> Result<u64, ColdError> {
        let value = self.db.property_int_value_cf(self.family(family), property);
        Ok(value.map_err(store("read figures"))?.unwrap_or(0))
    }
}

/// What memtables of `bytes` are charged to the cache.
fn charged(bytes: u64) -> u64 {
    const STEP_BYTES: u64 = 256 << 10;
    bytes.next_multiple_of(STEP_BYTES)
}
