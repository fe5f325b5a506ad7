//! Eviction as Redis does it: keys are deleted for lack of room, by `maxmemory-policy`.
//!
//! In memory-only mode room ends at `maxmemory`; with tiering it ends at `maxdisk`, and then cold keys go.
//! Deletions are logged as `DEL`, so replicas and recovery follow.

use std::sync::Arc;

use crate::budget::Policy;
use crate::entry::Entry;
use crate::lfu::{Tick, fast_random_u64};
use crate::store::{DeleteReason, Inner, StoreError};
use crate::table::Place;
use crate::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};

/// Slots tried for one victim before giving up: with few keys most slots are empty.
const SLOTS_TRIED: usize = SLOTS * 2;
/// Freed between two looks at the allocator.
const PORTION: u64 = 1 << 20;

impl Inner {
    /// Memory-only mode: deletes keys until about `bytes` are freed; returns how many were.
    pub(crate) fn evict_by_policy(&self, bytes: u64) -> u64 {
        let limits = self.limits();
        if limits.policy == Policy::NoEviction || !self.is_master() {
            return 0;
        }
        let mut freed = 0;
        self.host().with_gate(&mut || {
            while freed < bytes.min(PORTION) {
                match self.evict_one(limits.policy, limits.samples.max(1)) {
                    None => break,
                    Some(size) => freed += size,
                }
            }
        });
        freed
    }

    /// Deletes the best victim of a sample; returns its size (zero if someone else deleted it first), or
    /// `None` if there is no key that may go.
    fn evict_one(&self, policy: Policy, samples: usize) -> Option<u64> {
        let start = fast_random_u64() as usize % SLOTS;
        let mut tried = 0;
        let mut best: Option<(u64, Slot, KeyHash)> = None;
        let mut seen = 0;
        let tick = Tick::at(UnixMs::now());
        // A sample from a few slots: enough entries, or every slot once.
        while tried < SLOTS_TRIED && seen < samples {
            let slot = Slot(((start + tried * 7919) % SLOTS) as u16);
            tried += 1;
            let mut table = self.slots[slot.index()].lock();
            for space in table.spaces() {
                // A namespace without a database is flushed; burying it frees its memory.
                if policy.volatile_only() && space.hot_volatile == 0
                    || self.keyspace.db_of(space.names.id).is_none()
                {
                    continue;
                }
                let random = fast_random_u64();
                let eligible = |entry: Entry| {
                    !entry.is_tombstone() && (!policy.volatile_only() || entry.expiry().is_some())
                };
                let sample = space.table.sample(random, usize::MAX);
                for (place, entry) in sample.filter(|(_, entry)| eligible(*entry)).take(samples) {
                    seen += 1;
                    let rank = self.rank(policy, space.table.lfu(place), entry, tick);
                    if best.is_none_or(|(least, ..)| rank < least) {
                        best = Some((rank, slot, KeyHash::of(self.seed, entry.key())));
                    }
                }
            }
        }
        best.map(|(_, slot, hash)| self.evict_entry(slot, hash))
    }

    /// What goes first has the least rank.
    fn rank(&self, policy: Policy, counter: u8, entry: Entry, tick: Tick) -> u64 {
        match policy {
            Policy::AllKeysRandom | Policy::VolatileRandom | Policy::NoEviction => {
                fast_random_u64()
            }
            Policy::VolatileTtl => entry.expiry().map_or(u64::MAX, |at| at.0),
            Policy::AllKeysLru | Policy::VolatileLru => {
                u64::MAX - self.heat.idle_seconds(counter, entry.clock(), tick)
            }
            Policy::AllKeysLfu | Policy::VolatileLfu => {
                u64::from(self.heat.decayed(counter, entry.clock(), tick))
            }
        }
    }

    fn evict_entry(&self, slot: Slot, hash: KeyHash) -> u64 {
        let mut table = self.slots[slot.index()].lock();
        let ours =
            |entry: Entry| !entry.is_tombstone() && KeyHash::of(self.seed, entry.key()) == hash;
        let mut found: Option<(NamespaceId, Place)> = None;
        for space in table.spaces() {
            if let Some(place) = space.table.find_where(hash, ours) {
                found = Some((space.names.id, place));
            }
        }
        let Some((ns, place)) = found else { return 0 };
        let Some(db) = self.keyspace.db_of(ns) else {
            return 0;
        };
        let at = self.host().applied();
        let entry = table.space(ns).expect("found here").table.entry(place);
        let size = entry.memory() as u64 + 16;
        let key: Box<[u8]> = entry.key().into();
        self.host()
            .log_deletes(db, slot, &[&key], DeleteReason::Evicted);
        table.changed(ns, hash, &key);
        let space = table.space(ns).expect("found here");
        if self.has_cold() {
            space.delete(place, hash, at, self.seed);
        } else {
            space.forget(place, self.seed);
        }
        self.stats.evicted_keys.add(1);
        size
    }

    /// Tiering: looks whether the cold tier is within `maxdisk`, and deletes cold keys if the policy says so.
    pub(crate) fn watch_disk(self: &Arc<Self>) {
        let limits = self.limits();
        let Some(cold) = self.cold_tier().filter(|_| limits.maxdisk > 0) else {
            return self.budget.set_disk_full(false);
        };
        let used = cold.disk_bytes().unwrap_or(0);
        let over = used > limits.maxdisk;
        // Deleted keys free their space when compaction comes by: what is live decides who else must go.
        let live = cold
            .stats()
            .map_or(used, |stats| stats.live_bytes_estimate.min(used));
        let evicts = self.tiering && limits.policy != Policy::NoEviction && self.is_master();
        self.budget.set_disk_full(over && !evicts);
        if !over || !evicts {
            return;
        }
        let mut excess = live.saturating_sub(limits.maxdisk / 100 * 95);
        while excess > 0 {
            match self.evict_cold(limits.policy, limits.samples.max(1)) {
                Ok(0) => break,
                Ok(size) => excess = excess.saturating_sub(size),
                Err(error) => {
                    tracing::error!(%error, "cold keys cannot be evicted");
                    break;
                }
            }
        }
        cold.compact();
    }

    /// Deletes the best victim of a sample of cold keys; returns about its size on disk.
    fn evict_cold(self: &Arc<Self>, policy: Policy, samples: usize) -> Result<u64, StoreError> {
        let mut best: Option<(u64, crate::cold::ColdKeyOwned)> = None;
        let tick = Tick::at(UnixMs::now());
        for _ in 0..samples * 4 {
            let Some((ns, slot)) = self.random_cold_slot() else {
                return Ok(0);
            };
            let order = crate::lfu::fast_random();
            let picked = match self.cold().seek_from(ns, slot, order)? {
                Some(picked) => picked,
                None => match self.cold().seek_from(ns, slot, 0)? {
                    Some(picked) => picked,
                    None => continue,
                },
            };
            let (key, header) = picked;
            if policy.volatile_only() && header.expiry.is_none() {
                continue;
            }
            let rank = match policy {
                Policy::VolatileTtl => header.expiry.map_or(u64::MAX, |at| at.0),
                Policy::AllKeysLfu | Policy::VolatileLfu => u64::from(self.heat.decayed(
                    header.lfu_counter,
                    header.lfu_clock,
                    tick,
                )),
                Policy::AllKeysLru | Policy::VolatileLru => {
                    u64::MAX
                        - self
                            .heat
                            .idle_seconds(header.lfu_counter, header.lfu_clock, tick)
                }
                _ => fast_random_u64(),
            };
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, key));
            }
        }
        let Some((_, victim)) = best else {
            return Ok(0);
        };
        let Some(db) = self.keyspace.db_of(victim.ns) else {
            return Ok(0);
        };
        let size = self.average_record_bytes();
        let deleted = self.delete_cold_key(&self.key_of(db, &victim))?;
        Ok(if deleted { size } else { 0 })
    }

    /// About what a record takes on disk.
    fn average_record_bytes(&self) -> u64 {
        self.cold()
            .stats()
            .map_or(64, |stats| {
                stats.live_bytes_estimate / stats.keys_estimate.max(1)
            })
            .max(64)
    }

    /// A slot and namespace with records in the cold tier, at random.
    fn random_cold_slot(&self) -> Option<(NamespaceId, Slot)> {
        let start = fast_random_u64() as usize;
        (0..SLOTS).find_map(|n| {
            let slot = Slot(((start + n) % SLOTS) as u16);
            let mut table = self.slots[slot.index()].lock();
            let ns = table
                .spaces()
                .find(|space| space.cold_only > 0)
                .map(|space| space.names.id)?;
            Some((ns, slot))
        })
    }
}
