//! The figures behind INFO, TIER STATS and metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use basalt_binlog::Offset;

use crate::UnixMs;
use crate::cold::ColdStats;
use crate::state::State;
use crate::store::{Inner, Store};
use crate::tree::Object;
use crate::tx::{Key, Kind};

/// A counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What the store counts. None of these is touched by a hit in memory.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) cold_lookups: Counter,
    pub(crate) cold_reads: Counter,
    pub(crate) promoted: Counter,
    pub(crate) evicted_to_cold: Counter,
    pub(crate) spilled_keys: Counter,
    pub(crate) spilled_bytes: Counter,
    pub(crate) spill_batches: Counter,
    pub(crate) spill_errors: Counter,
    pub(crate) checkpoints: Counter,
    pub(crate) expired_keys: Counter,
    pub(crate) expired_fields: Counter,
    pub(crate) evicted_keys: Counter,
    pub(crate) warmed_keys: Counter,
    pub(crate) page_reads: Counter,
    pub(crate) page_loads: Counter,
    pub(crate) spilled_pages: Counter,
    pub(crate) evicted_pages: Counter,
    pub(crate) packed_bytes: Counter,
}

/// A snapshot of the store's figures.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)] // The names say it; units are in them.
pub struct StoreStats {
    pub tiering: bool,
    pub hot_entries: u64,
    pub tombstones: u64,
    pub dirty_entries: u64,
    pub cold_only_keys: u64,
    pub cold_records: u64,
    pub hot_table_bytes: u64,
    pub cold_lookups: u64,
    pub cold_reads: u64,
    pub cold_reads_queued: u64,
    pub cold_loads: u64,
    pub promoted_keys: u64,
    pub evicted_to_cold_keys: u64,
    pub spilled_keys: u64,
    pub spilled_bytes: u64,
    pub spill_batches: u64,
    pub spill_errors: u64,
    pub checkpoints: u64,
    pub expired_keys: u64,
    pub expired_fields: u64,
    pub evicted_keys: u64,
    pub warmed_keys: u64,
    pub cold_page_reads: u64,
    pub cold_page_loads: u64,
    pub spilled_pages: u64,
    pub evicted_pages: u64,
    pub packed_bytes: u64,
    pub maxmemory_bytes: u64,
    pub used_memory_bytes: u64,
    pub resident_memory_bytes: u64,
    pub peak_memory_bytes: u64,
    pub eviction_threshold: u8,
    pub replay_offset: Offset,
    pub persisted_offset: Offset,
    pub last_checkpoint: Option<UnixMs>,
    pub cold: ColdStats,
}

impl StoreStats {
    pub(crate) fn of(inner: &Inner) -> StoreStats {
        inner.sample_memory();
        let counters = &inner.stats;
        let (maxmemory_bytes, used_memory_bytes, resident_memory_bytes, peak_memory_bytes) =
            inner.budget.figures();
        let mut stats = StoreStats {
            tiering: inner.tiering,
            cold_lookups: counters.cold_lookups.get(),
            cold_reads: counters.cold_reads.get(),
            cold_reads_queued: inner.readers.queued() as u64,
            promoted_keys: counters.promoted.get(),
            evicted_to_cold_keys: counters.evicted_to_cold.get(),
            spilled_keys: counters.spilled_keys.get(),
            spilled_bytes: counters.spilled_bytes.get(),
            spill_batches: counters.spill_batches.get(),
            spill_errors: counters.spill_errors.get(),
            checkpoints: counters.checkpoints.get(),
            expired_keys: counters.expired_keys.get(),
            expired_fields: counters.expired_fields.get(),
            evicted_keys: counters.evicted_keys.get(),
            warmed_keys: counters.warmed_keys.get(),
            cold_page_reads: counters.page_reads.get(),
            cold_page_loads: counters.page_loads.get(),
            spilled_pages: counters.spilled_pages.get(),
            evicted_pages: counters.evicted_pages.get(),
            packed_bytes: counters.packed_bytes.get(),
            maxmemory_bytes,
            used_memory_bytes,
            resident_memory_bytes,
            peak_memory_bytes,
            eviction_threshold: inner.budget.threshold(),
            replay_offset: inner.checkpointer.replay(),
            persisted_offset: inner.checkpointer.persisted(),
            last_checkpoint: inner.has_cold().then(|| inner.checkpointer.last_flush()),
            ..StoreStats::default()
        };
        for slot in &inner.slots {
            let mut slot = slot.lock();
            stats.cold_loads += slot.loads.len() as u64;
            for space in slot.spaces() {
                if inner.keyspace.db_of(space.names.id).is_none() {
                    // Flushed, and not yet buried.
                    continue;
                }
                stats.hot_entries += space.table.len() as u64;
                stats.tombstones += u64::from(space.tombstones);
                stats.hot_table_bytes += space.table.array_bytes() as u64;
                stats.dirty_entries += space.dirty.len() as u64;
                stats.cold_only_keys += u64::from(space.cold_only);
                stats.cold_records += u64::from(space.records);
            }
        }
        if let Some(cold) = inner.cold_tier() {
            stats.cold = cold.stats().unwrap_or_default();
        }
        stats
    }
}

/// Where a key is (TIER OBJECT).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierObject {
    /// `hot`, `cold` or `absent`.
    pub tier: &'static str,
    /// State of the entry in memory (see the diagram in `state.rs`).
    pub state: &'static str,
    /// LFU counter.
    pub lfu: u8,
    /// Bytes of the entry or of the record's payload.
    pub bytes: u64,
    /// The offset up to which the cold copy is complete.
    pub guard: Option<Offset>,
}

impl Store {
    /// Where a key is and in what state. May read from disk.
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn locate(&self, key: &Key<'_>) -> Result<TierObject, crate::StoreError> {
        let inner = &self.inner;
        let record = match inner.cold_tier() {
            Some(cold) => cold.get(&crate::cold::ColdKey::new(
                key.ns, key.slot, key.hash, key.bytes,
            ))?,
            None => None,
        };
        let guard = record.as_ref().map(|record| record.header().guard);
        let mut table = inner.slots[key.slot.index()].lock();
        let space = table.space(key.ns);
        let hot = space.as_deref().and_then(|space| {
            let place = space.table.find(key.hash, key.bytes)?;
            Some((space.table.entry(place), space.table.lfu(place)))
        });
        if let Some((entry, lfu)) = hot {
            let tier = if entry.is_tombstone() {
                "absent"
            } else {
                "hot"
            };
            let state = if entry.is_tombstone() {
                "tombstone"
            } else {
                state_name(inner, entry.state())
            };
            return Ok(TierObject {
                tier,
                state,
                lfu,
                bytes: entry.memory() as u64,
                guard,
            });
        }
        Ok(match record {
            Some(record) if space.is_some_and(|space| space.cold_only > 0) => TierObject {
                tier: "cold",
                state: "cold",
                lfu: record.header().lfu_counter,
                bytes: cold_bytes(&record),
                guard,
            },
            _ => TierObject {
                tier: "absent",
                state: "absent",
                lfu: 0,
                bytes: 0,
                guard: None,
            },
        })
    }

    /// Bytes the key takes in memory with its share of the table, or on disk if it is cold. May read.
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn memory_usage(&self, key: &Key<'_>) -> Result<Option<u64>, crate::StoreError> {
        const TABLE_SHARE_BYTES: u64 = 11;
        let object = self.locate(key)?;
        Ok(match object.tier {
            "hot" => Some(object.bytes.next_multiple_of(16) + TABLE_SHARE_BYTES),
            "cold" => Some(object.bytes + key.bytes.len() as u64),
            _ => None,
        })
    }
}

fn cold_bytes(record: &crate::cold::ColdRecord) -> u64 {
    payload_bytes(record.header().kind, record.payload())
}

/// About what a cold value takes: its record, and pages for the most part full.
pub(crate) fn payload_bytes(kind: u8, payload: &[u8]) -> u64 {
    let has_trees = Kind::from_code(kind).is_some_and(Kind::has_trees);
    let object = has_trees.then(|| Object::decode_root(payload)).flatten();
    payload.len() as u64 + object.map_or(0, |object| object.whole_bytes())
}

fn state_name(inner: &Inner, state: State) -> &'static str {
    if inner.has_cold() {
        state.name()
    } else {
        "memory-only"
    }
}
