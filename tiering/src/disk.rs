//! `maxdisk`: the cold tier is kept within it, by the policy that `maxmemory-policy` names.
//!
//! The files hold more than what is alive: records that were overwritten or deleted stay until compaction meets them. So
//! two figures decide. What is *used* may not pass `maxdisk`. What is *alive* is estimated from the records there are, which
//! are counted exactly, and what one takes in the files; keys are evicted down to a little below `maxdisk` of that. Where
//! the rest is too much, everything is compacted, and as long as that is not enough more keys go, by and by.
//!
//! Redis takes the worst of five keys chosen at random. Here runs of neighbours are read, whose order is that of their
//! hashes, and the worst fifth of them goes: the same share, for a few reads in a row instead of five seeks per key. Keys
//! that are in memory, too, go only where nothing else is left, as with more memory than `maxdisk`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::budget::Policy;
use crate::cold::{ColdKeyOwned, RecordHeader};
use crate::lfu::{Tick, fast_random, fast_random_u64};
use crate::promote::PinSet;
use crate::store::{DeleteReason, Inner, StoreError};
use crate::tx::{Key, Tx};
use crate::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};

/// What is alive may take this share of `maxdisk`, percent …
const MOST_PERCENT: u64 = 95;
/// … or less, down to this, where compaction does not keep up with the garbage: a step less …
const LEAST_PERCENT: u64 = 70;
/// … after each such time in which more is used than may be.
const STEP: Duration = Duration::from_secs(3);
/// Between two looks at the files.
const ROUND: Duration = Duration::from_millis(100);
/// Writers wait when so much more is alive, percent of `maxdisk`.
const MARGIN_PERCENT: u64 = 5;
/// Keys looked at to choose among.
const CANDIDATES: usize = 250;
/// Of one slot so many at most …
const RUN: usize = 64;
/// … and of so many slots: where there are few keys.
const RUNS: usize = 64;
/// Samples taken until one has a key that may go.
const TRIES: usize = 10;
/// Records read together to be deleted.
const RECORDS_AT_ONCE: usize = 16;
/// After everything was compacted it is not for so many times as long as that took …
const COMPACTION_REST: u32 = 9;
/// … and at least for this long.
const COMPACTION_PAUSE: Duration = Duration::from_secs(1);

/// What is known of the room on disk.
#[derive(Debug, Default)]
pub(crate) struct DiskRoom {
    /// Garbage takes room that is needed.
    wants_compaction: AtomicBool,
    compacting: AtomicBool,
    /// The share that what is alive may take now, and since when; none yet: the most.
    share: Mutex<Option<(u64, Instant)>>,
    /// When everything was last compacted, and how long it took.
    last_compaction: Mutex<Option<(Instant, Duration)>>,
}

impl DiskRoom {
    /// The share that what is alive may take, percent.
    fn share(&self, used: u64, most: u64) -> u64 {
        let mut share = self.share.lock();
        let (percent, since) = share.get_or_insert((MOST_PERCENT, Instant::now()));
        if since.elapsed() >= STEP {
            *since = Instant::now();
            if used > most {
                *percent = (*percent - 1).max(LEAST_PERCENT);
            } else if used < most / 100 * MOST_PERCENT {
                *percent = (*percent + 1).min(MOST_PERCENT);
            }
        }
        *percent
    }
}

/// `part` of `whole`, of `bytes`.
fn share_of(bytes: u64, part: u64, whole: u64) -> u64 {
    (u128::from(bytes) * u128::from(part) / u128::from(whole.max(1))) as u64
}

/// What a round of evicting came to.
enum Evicted {
    /// There is room for what is alive.
    Enough,
    /// More has to go.
    TooFew,
    /// The policy leaves nothing to delete.
    Nothing,
}

impl Inner {
    /// Looks whether the cold tier is within `maxdisk`, and deletes cold keys for a while if it is not and the policy says
    /// so; returns when to look again.
    pub(crate) fn keep_disk(self: &Arc<Self>) -> Duration {
        let limits = self.limits();
        let Some(cold) = self.cold_tier().filter(|_| limits.maxdisk > 0) else {
            self.leave_disk();
            return ROUND;
        };
        let used = cold.disk_bytes().unwrap_or(0);
        let goal = limits.maxdisk / 100 * self.disk.share(used, limits.maxdisk);
        if used <= goal {
            self.leave_disk();
            return ROUND;
        }
        let in_files = cold.records_in_files().unwrap_or(0).max(1);
        // Those in memtables alone take no room yet. Never so many more than in the files that a few large values there
        // make them all large.
        let records = || self.live_records().min(in_files);
        let bytes_of = |records: u64| share_of(used, records, in_files);
        let evicts = self.tiering && limits.policy != Policy::NoEviction && self.is_master();
        let mut full = used > limits.maxdisk;
        if evicts {
            let excess = records().saturating_sub(share_of(in_files, goal, used));
            match self.evict_cold(excess, limits.policy, limits.samples) {
                Ok(Evicted::Enough | Evicted::TooFew) => full = false,
                Ok(Evicted::Nothing) => {}
                Err(error) => tracing::error!(%error, "cold keys cannot be evicted"),
            }
        }
        let alive = bytes_of(records());
        // Writers must not fill it faster than keys go.
        let behind = evicts && !full && alive > goal + limits.maxdisk / 100 * MARGIN_PERCENT;
        self.budget.set_disk(full, behind);
        let is_garbage = used > limits.maxdisk && alive <= limits.maxdisk;
        self.disk.wants_compaction.store(is_garbage, Relaxed);
        if behind { Duration::ZERO } else { ROUND }
    }

    /// There is room, or no limit.
    fn leave_disk(&self) {
        self.budget.set_disk(false, false);
        self.disk.wants_compaction.store(false, Relaxed);
    }

    /// Compacts everything if that is wanted; a thread of its own, since it takes its time.
    pub(crate) fn compact_if_wanted(&self) {
        let rested = |(ended, took): (Instant, Duration)| {
            let pause = (took * COMPACTION_REST).max(COMPACTION_PAUSE);
            ended.elapsed() >= pause
        };
        let may = self.disk.last_compaction.lock().is_none_or(rested);
        if !may || !self.disk.wants_compaction.swap(false, Relaxed) {
            return;
        }
        let began = Instant::now();
        // Deletions that are only in memory yet would free nothing.
        if let Err(error) = self.clean(self.host().applied()) {
            tracing::error!(%error, "deletions are not written before a compaction");
        }
        self.disk.compacting.store(true, Relaxed);
        self.cold().compact();
        self.disk.compacting.store(false, Relaxed);
        *self.disk.last_compaction.lock() = Some((Instant::now(), began.elapsed()));
    }

    /// Ends a compaction that was wanted for room, so that closing need not wait for it.
    pub(crate) fn end_compaction(&self) {
        if self.disk.compacting.load(Relaxed) {
            self.cold().cancel();
        }
    }

    /// Records in the cold tier when what is deleted in memory is written.
    fn live_records(&self) -> u64 {
        let of_slot = |slot: &crate::store::SlotCell| {
            let mut slot = slot.lock();
            let records = slot.spaces().map(|space| {
                let gone = space.tombstones.min(space.records);
                u64::from(space.records - gone)
            });
            records.sum::<u64>()
        };
        self.slots.iter().map(of_slot).sum()
    }

    /// Deletes so many cold keys, for a round at most.
    fn evict_cold(
        self: &Arc<Self>,
        mut excess: u64,
        policy: Policy,
        samples: usize,
    ) -> Result<Evicted, StoreError> {
        let until = Instant::now() + ROUND;
        let mut deleted = 0;
        while excess > 0 {
            if Instant::now() >= until || self.closing.load(Relaxed) {
                return Ok(Evicted::TooFew);
            }
            let mut victims = Vec::new();
            // Few may have an expiry, and only such may go by some policies.
            for _ in 0..TRIES {
                victims = self.choose_cold_victims(policy, samples)?;
                if !victims.is_empty() || !policy.volatile_only() {
                    break;
                }
            }
            victims.truncate(usize::try_from(excess).unwrap_or(usize::MAX));
            if victims.is_empty() {
                return Ok(if deleted > 0 {
                    Evicted::TooFew
                } else {
                    Evicted::Nothing
                });
            }
            let mut keys = Vec::with_capacity(victims.len());
            for victim in &victims {
                let db = self.keyspace.db_of(victim.ns);
                keys.extend(db.map(|db| self.key_of(db, victim)));
            }
            for keys in keys.chunks(RECORDS_AT_ONCE) {
                let gone = self.evict_keys(keys)?;
                deleted += gone;
                excess = excess.saturating_sub(gone as u64);
            }
        }
        Ok(Evicted::Enough)
    }

    /// The worst of a sample of cold keys.
    fn choose_cold_victims(
        &self,
        policy: Policy,
        samples: usize,
    ) -> Result<Vec<ColdKeyOwned>, StoreError> {
        let tick = Tick::at(UnixMs::now());
        // What is in memory, too, goes last, whatever its rank.
        let mut candidates: Vec<((bool, u64), ColdKeyOwned)> = Vec::with_capacity(CANDIDATES + RUN);
        for _ in 0..RUNS {
            if candidates.len() >= CANDIDATES {
                break;
            }
            let Some((ns, slot)) = self.random_cold_slot() else {
                break;
            };
            let mut run = self.cold().scan_slot(ns, slot, fast_random(), RUN)?;
            if run.is_empty() {
                run = self.cold().scan_slot(ns, slot, 0, RUN)?;
            }
            run.retain(|(_, header)| !policy.volatile_only() || header.expiry.is_some());
            let mut table = self.slots[slot.index()].lock();
            let Some(space) = table.space(ns) else {
                continue;
            };
            candidates.extend(run.into_iter().map(|(key, header)| {
                let hash = KeyHash::of(self.seed, &key.key);
                let rank = match space.table.find(hash, &key.key) {
                    Some(place) => {
                        let (counter, entry) = (space.table.lfu(place), space.table.entry(place));
                        (true, self.rank(policy, counter, entry, tick))
                    }
                    None => (false, self.cold_rank(policy, &header, tick)),
                };
                (rank, key)
            }));
        }
        candidates.sort_unstable_by_key(|(rank, _)| *rank);
        let count = candidates.len().div_ceil(samples.max(1));
        candidates.truncate(count);
        Ok(candidates.into_iter().map(|(_, key)| key).collect())
    }

    /// What goes first has the least rank.
    fn cold_rank(&self, policy: Policy, header: &RecordHeader, tick: Tick) -> u64 {
        let (counter, clock) = (header.lfu_counter, header.lfu_clock);
        match policy {
            Policy::VolatileTtl => header.expiry.map_or(u64::MAX, |at| at.0),
            Policy::AllKeysLfu | Policy::VolatileLfu => {
                u64::from(self.heat.decayed(counter, clock, tick))
            }
            Policy::AllKeysLru | Policy::VolatileLru => {
                u64::MAX - self.heat.idle_seconds(counter, clock, tick)
            }
            Policy::AllKeysRandom | Policy::VolatileRandom | Policy::NoEviction => {
                fast_random_u64()
            }
        }
    }

    /// Deletes these keys; returns how many were there.
    fn evict_keys(self: &Arc<Self>, keys: &[Key<'_>]) -> Result<usize, StoreError> {
        let mut pins = PinSet::default();
        self.pin_blocking(keys, &mut pins)?;
        let mut deleted = 0;
        for key in keys {
            self.host().with_gate(&mut || {
                if self.keyspace.db_of(key.ns) != Some(key.db) {
                    return;
                }
                let mut tx = Tx::begin(self, &[key.slot], UnixMs::now(), &pins, None);
                let evicted = matches!(tx.remove(key), Ok(true));
                // It may turn out to have expired: then the look has deleted it.
                let reason = match (evicted, tx.expired().is_empty()) {
                    (true, _) => DeleteReason::Evicted,
                    (false, false) => DeleteReason::Expired,
                    (false, true) => return,
                };
                deleted += 1;
                self.stats.evicted_keys.add(u64::from(evicted));
                self.host()
                    .log_deletes(key.db, key.slot, &[key.bytes], reason);
            });
        }
        Ok(deleted)
    }

    /// A slot and namespace with records in the cold tier, at random.
    fn random_cold_slot(&self) -> Option<(NamespaceId, Slot)> {
        let start = fast_random_u64() as usize;
        (0..SLOTS).find_map(|n| {
            let slot = Slot(((start + n) % SLOTS) as u16);
            let mut table = self.slots[slot.index()].lock();
            let cold: Vec<NamespaceId> = table
                .spaces()
                .filter(|space| space.records > 0)
                .map(|space| space.ns)
                .collect();
            let at = (start >> 32).checked_rem(cold.len())?;
            Some((cold[at], slot))
        })
    }
}
