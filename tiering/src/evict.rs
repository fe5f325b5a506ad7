//! Eviction as Redis does it: keys are deleted for lack of room, by `maxmemory-policy`.
//!
//! In memory-only mode room ends at `maxmemory`; with tiering it ends at `maxdisk`, and then cold keys go (`disk.rs`).
//! Deletions are logged as `DEL`, so replicas and recovery follow.

use crate::budget::Policy;
use crate::entry::Entry;
use crate::lfu::{Tick, fast_random_u64};
use crate::store::{DeleteReason, Inner};
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
    pub(crate) fn rank(&self, policy: Policy, counter: u8, entry: Entry, tick: Tick) -> u64 {
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
}
