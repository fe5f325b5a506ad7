//! What blind overwrites left unknown: whether the keys they wrote have a cold copy.
//!
//! A SET of a key that is not in memory does not look for its cold copy. Until somebody does, the key is counted twice if
//! there is one: as an entry, and among those that are only cold. The spiller looks when it writes the entry; who counts
//! keys looks here, and writes nothing. What was found is noted in the entry, so each is looked up once.
//!
//! The lookup itself is made without any lock. What it found holds as long as the entry still is *unknown* and no batch has
//! landed in its slot meanwhile (`Space::landings`): only a batch changes the cold copy of a key, it takes the key's entry
//! out of that state, and the key can only come back into it after that batch has landed.

use crate::cold::{ColdError, ColdKey};
use crate::entry::Entry;
use crate::space::{Marks, Space};
use crate::state::State;
use crate::store::{Inner, StoreError};
use crate::tree::{Object, ObjectId};
use crate::tx::Kind;
use crate::{KeyHash, NamespaceId, Slot};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Between two looks at a slot of which a batch looks up keys …
const PAUSE: Duration = Duration::from_millis(1);
/// … which takes longer than this only where the cold tier cannot be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// A key of which something is to be looked up.
type Unknown = (KeyHash, Box<[u8]>);

/// A cold copy: what is counted of it, and the pages it owns.
pub(crate) type Copy = (Marks, Option<ObjectId>);

impl Inner {
    /// Looks for the cold copy of a key.
    pub(crate) fn find_copy(&self, key: &ColdKey<'_>) -> Result<Option<Copy>, ColdError> {
        let Some(header) = self.cold().header(key)? else {
            return Ok(None);
        };
        let mut object = None;
        if Kind::from_code(header.kind).is_some_and(Kind::has_trees) {
            let record = self.cold().get(key)?;
            object = record.and_then(|record| Object::id_of(record.payload()));
        }
        Ok(Some((Marks::of_record(&header), object)))
    }

    /// Counts the keys of a namespace, each slot's exactly as of some moment during the call. Only where the spiller cannot
    /// look up what it took for many seconds the count is too high by that.
    pub(crate) fn count_keys_of(&self, ns: NamespaceId) -> Result<u64, StoreError> {
        let mut keys = 0;
        let mut patience = PATIENCE;
        let Some(names) = self.keyspace.namespace(ns) else {
            return Ok(0);
        };
        for slot in names.slots_from(0) {
            keys += loop {
                match self.settle_slot(ns, slot)? {
                    Settled::Keys(count) => break count,
                    Settled::NotYet(count) if patience.is_zero() || self.closing.load(Relaxed) => {
                        break count;
                    }
                    // The spiller is looking up what it took.
                    Settled::NotYet(_) => {
                        std::thread::sleep(PAUSE);
                        patience = patience.saturating_sub(PAUSE);
                    }
                }
            };
        }
        Ok(keys)
    }

    /// Looks up all that is unknown in a slot.
    fn settle_slot(&self, ns: NamespaceId, slot: Slot) -> Result<Settled, StoreError> {
        loop {
            let (keys, unknown, landings) = {
                let mut table = self.slots[slot.index()].lock();
                let Some(space) = table.space(ns) else {
                    return Ok(Settled::Keys(0));
                };
                let keys = space.keys();
                if space.unknown == 0 {
                    return Ok(Settled::Keys(keys));
                }
                (keys, space.unknown_keys(self.seed), space.landings)
            };
            if unknown.is_empty() {
                return Ok(Settled::NotYet(keys));
            }
            let mut found = Vec::with_capacity(unknown.len());
            for (hash, key) in &unknown {
                found.push(self.find_copy(&ColdKey::new(ns, slot, *hash, key))?);
            }
            let mut table = self.slots[slot.index()].lock();
            if let Some(space) = table.space(ns)
                && space.landings == landings
            {
                for ((hash, key), copy) in unknown.iter().zip(found) {
                    space.settle(*hash, key, copy, self.seed);
                }
            }
        }
    }
}

/// The number of keys of a slot.
enum Settled {
    /// Exactly.
    Keys(u64),
    /// Too high by what a batch has taken and not looked up yet.
    NotYet(u64),
}

impl Space {
    /// Keys in either tier; too high by at most `unknown`.
    pub(crate) fn keys(&self) -> u64 {
        self.table.len() as u64 - u64::from(self.tombstones) + u64::from(self.cold_only)
    }

    fn unknown_keys(&self, seed: u64) -> Vec<Unknown> {
        let mut hashes = self.dirty.clone();
        hashes.sort_unstable();
        hashes.dedup();
        let keys = hashes.into_iter().map(KeyHash).filter_map(|hash| {
            let is_unknown = |entry: Entry| {
                entry.state() == State::DirtyUnknown && KeyHash::of(seed, entry.key()) == hash
            };
            let place = self.table.find_where(hash, is_unknown)?;
            Some((hash, self.table.entry(place).key().into()))
        });
        keys.collect()
    }

    /// Notes what was found of the cold copy of a key, if its entry still does not know.
    fn settle(&mut self, hash: KeyHash, key: &[u8], copy: Option<Copy>, seed: u64) {
        let Some(place) = self.table.find(hash, key) else {
            return;
        };
        let entry = self.table.entry(place);
        if entry.state() != State::DirtyUnknown {
            return;
        }
        self.forget_unknown();
        entry.set_state(entry.state().settled(copy.is_some()));
        match copy {
            Some((marks, object)) => {
                entry.set_cold_expiry(marks.volatile);
                self.dead.extend(object.map(|object| (hash, object)));
                self.uncount_copy(marks);
            }
            None => {
                // No pages either: what had them in this state has never been written.
                self.dead.retain(|(dead, _)| *dead != hash);
                if entry.is_tombstone() {
                    self.drop_tombstone(place, seed);
                }
            }
        }
    }

    /// It is known by now whether a key that was written blindly has a cold copy.
    pub(crate) fn forget_unknown(&mut self) {
        self.unknown -= 1;
        self.names.unknown.fetch_sub(1, Relaxed);
    }

    /// A key has an entry and a cold copy, and was counted as a key that is only cold, too.
    pub(crate) fn uncount_copy(&mut self, marks: Marks) {
        self.add_cold_only(-1);
        self.names.add_live(-1);
        self.names.add_marked(marks, -1);
    }
}
