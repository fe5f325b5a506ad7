//! What a change of the map of databases (flush, swap) means for the keys under WATCH.
//!
//! A watch is kept under a namespace and belongs to a database, which is about to map to another namespace. The
//! caller holds the exclusive gate: nobody writes, and nobody begins to watch. See `SlotTable::changed` for how
//! the change of a single key trips its watches.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::cold::ColdKey;
use crate::space::Watch;
use crate::store::Inner;
use crate::{KeyHash, NamespaceId, Slot};

impl Inner {
    /// Trips the watches of keys that are in the namespace watched, or in the one that takes its place; a key
    /// that is absent and stays absent does not change. True if anything there is watched. Blocks.
    pub(crate) fn trip_watches(&self, concerned: &[(NamespaceId, Option<NamespaceId>)]) -> bool {
        let mut any = false;
        for (at, slot) in self.slots.iter().enumerate() {
            // Copied out, since no lock is held across a read of the disk.
            let watched: Vec<_> = {
                let table = slot.lock();
                let named =
                    |watch: &Watch| concerned.iter().find(|(ns, _)| *ns == watch.ns).copied();
                let copy = |watch: &Watch| {
                    Some((named(watch)?, watch.key.clone(), Arc::clone(&watch.flag)))
                };
                table.watches.iter().filter_map(copy).collect()
            };
            any |= !watched.is_empty();
            for ((was, becomes), key, flag) in watched {
                let holds = |ns| self.holds(ns, Slot(at as u16), &key);
                if holds(was) || becomes.is_some_and(holds) {
                    flag.store(true, Relaxed);
                }
            }
        }
        any
    }

    /// Has watches follow their database from one namespace to another.
    pub(crate) fn move_watches(&self, moves: &[(NamespaceId, NamespaceId)]) {
        for slot in &self.slots {
            for watch in &mut slot.lock().watches {
                if let Some((_, to)) = moves.iter().find(|(from, _)| *from == watch.ns) {
                    watch.ns = *to;
                }
            }
        }
    }

    /// True if the key is in either tier, past its expiry or not, or cannot be read. Blocks.
    fn holds(&self, ns: NamespaceId, slot: Slot, key: &[u8]) -> bool {
        let hash = KeyHash::of(self.seed, key);
        {
            let mut table = self.slots[slot.index()].lock();
            let Some(space) = table.space(ns) else {
                return false;
            };
            if let Some(place) = space.table.find(hash, key) {
                return !space.table.entry(place).is_tombstone();
            }
            if space.cold_only == 0 {
                return false;
            }
        }
        let read = self.cold().get(&ColdKey::new(ns, slot, hash, key));
        read.map_or(true, |record| record.is_some())
    }
}
