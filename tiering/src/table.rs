//! The hot table: one open-addressing array of 64-bit words per slot and namespace.
//!
//! ```text
//!   63       56 55          43 42                                   0
//!  ┌───────────┬──────────────┬─────────────────────────────────────┐
//!  │ LFU count │ tag: 13 bits │ address of the entry's block >> 4    │      0 = empty
//!  └───────────┴──────────────┴─────────────────────────────────────┘
//! ```
//!
//! The tag is the top of the key's hash. An entry's home is `hash * capacity >> bits`, so homes rise with
//! the hash: a walk from a home upwards meets keys in hash order but for the displacement of linear
//! probing. That order survives growth, which is what SCAN's cursor needs, and moving words needs no look
//! at the entries, because the tag gives the home of every table up to [`TAG_CAPACITY`] words. Capacities
//! follow the allocator's size classes (four per doubling), so that the array wastes neither by powers of
//! two nor by rounding: 10 to 12 bytes per key (docs/decisions/0002-hot-table.md).
//!
//! Deletion shifts the words behind back (no tombstones in the array).

use crate::KeyHash;
use crate::allocator::Slabs;
use crate::entry::Entry;
use crate::prefetch::fetch;

/// Tables larger than this take homes from the full hash, which means reading the key of each word moved.
const TAG_CAPACITY: usize = 4096;
/// How much of an entry is prefetched: header, key and a small value.
const ENTRY_AHEAD_BYTES: usize = 128;
const TAG_BITS: u32 = 13;
const ADDRESS_MASK: u64 = (1 << 43) - 1;
const TAG_MASK: u64 = ((1 << TAG_BITS) - 1) << 43;
const LFU_SHIFT: u32 = 56;

fn tag_of(hash: KeyHash) -> u64 {
    hash.0 >> (64 - TAG_BITS)
}

fn word_of(entry: Entry, hash: KeyHash, lfu: u8) -> u64 {
    let address = entry.address();
    assert!(
        address & 15 == 0 && address >> 47 == 0,
        "entries are 16-aligned user-space addresses"
    );
    (address >> 4) | (tag_of(hash) << 43) | (u64::from(lfu) << LFU_SHIFT)
}

fn entry_of(word: u64) -> Entry {
    // SAFETY: a non-empty word holds the address of an entry that lives until it is taken out.
    unsafe { Entry::from_address((word & ADDRESS_MASK) << 4) }
}

fn lfu_of(word: u64) -> u8 {
    (word >> LFU_SHIFT) as u8
}

/// Next capacity of the ladder 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, … at or above `words`.
fn ladder(words: usize) -> usize {
    if words <= 16 {
        return words.max(4).next_multiple_of(2);
    }
    let step = (words.next_power_of_two() / 8).max(2);
    words.next_multiple_of(step)
}

/// Most entries in a table of `capacity` words: four fifths.
fn fill_limit(capacity: usize) -> usize {
    capacity * 4 / 5
}

/// Position of an entry in its table; valid until the table changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// What [`HotTable::pack`] did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    pub(crate) moved_bytes: usize,
    /// The word to go on with.
    pub(crate) next: Option<usize>,
}

/// The entries of one slot and namespace.
#[derive(Debug, Default)]
pub(crate) struct HotTable {
    words: Box<[u64]>,
    len: usize,
}

impl HotTable {
    /// Number of entries, tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the array.
    pub(crate) fn array_bytes(&self) -> usize {
        self.words.len() * size_of::<u64>()
    }

    fn home(&self, hash: KeyHash) -> usize {
        home_in(self.words.len(), hash)
    }

    fn home_of_word(&self, word: u64, seed: u64) -> usize {
        let capacity = self.words.len();
        if capacity <= TAG_CAPACITY {
            tag_home(capacity, (word & TAG_MASK) >> 43)
        } else {
            home_in(capacity, KeyHash::of(seed, entry_of(word).key()))
        }
    }

    /// Where `key` is.
    #[inline]
    pub(crate) fn find(&self, hash: KeyHash, key: &[u8]) -> Option<Place> {
        self.find_where(hash, |entry| entry.key() == key)
    }

    /// The first entry with `hash`'s tag, from its home on, that `matches`.
    #[inline]
    pub(crate) fn find_where(
        &self,
        hash: KeyHash,
        matches: impl Fn(Entry) -> bool,
    ) -> Option<Place> {
        let capacity = self.words.len();
        if capacity == 0 {
            return None;
        }
        let tag = tag_of(hash) << 43;
        let mut at = self.home(hash);
        loop {
            let word = self.words[at];
            if word == 0 {
                return None;
            }
            if word & TAG_MASK == tag && matches(entry_of(word)) {
                return Some(Place(at));
            }
            at = if at + 1 == capacity { 0 } else { at + 1 };
        }
    }

    /// Prefetches the word that a lookup looks at first.
    #[inline]
    pub(crate) fn prefetch_word(&self, hash: KeyHash) {
        if !self.words.is_empty() {
            let word = &raw const self.words[self.home(hash)];
            fetch(word.cast(), size_of::<u64>());
        }
    }

    /// Prefetches the entry that a lookup will most likely end at.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: KeyHash) {
        if self.words.is_empty() {
            return;
        }
        let tag = tag_of(hash) << 43;
        let from = &self.words[self.home(hash)..];
        let word = from
            .iter()
            .take_while(|&&word| word != 0)
            .find(|&&word| word & TAG_MASK == tag);
        if let Some(&word) = word {
            fetch(entry_of(word).address() as *const u8, ENTRY_AHEAD_BYTES);
        }
    }

    /// Prefetches what lookups of these read, all at once.
    pub(crate) fn prefetch(&self, hashes: impl Iterator<Item = KeyHash> + Clone) {
        hashes.clone().for_each(|hash| self.prefetch_word(hash));
        hashes.for_each(|hash| self.prefetch_entry(hash));
    }

    /// The entry at a place.
    pub(crate) fn entry(&self, place: Place) -> Entry {
        debug_assert!(self.words[place.0] != 0);
        entry_of(self.words[place.0])
    }

    /// LFU counter of the entry at a place.
    pub(crate) fn lfu(&self, place: Place) -> u8 {
        lfu_of(self.words[place.0])
    }

    /// Sets the LFU counter.
    pub(crate) fn set_lfu(&mut self, place: Place, lfu: u8) {
        let word = &mut self.words[place.0];
        *word = (*word & !(0xFF << LFU_SHIFT)) | (u64::from(lfu) << LFU_SHIFT);
    }

    /// Puts another block of the same key in the place.
    pub(crate) fn set_entry(&mut self, place: Place, entry: Entry) {
        let word = &mut self.words[place.0];
        *word = (*word & !ADDRESS_MASK) | (entry.address() >> 4);
    }

    /// Moves entries, and pages of theirs, that lie in sparse slabs. Looks at a few hundred words from `from` on, and at the
    /// pages of one large value at most.
    pub(crate) fn pack(&mut self, from: usize, slabs: &mut Slabs) -> Packed {
        const WORDS: usize = 256;
        let end = (from + WORDS).min(self.words.len());
        let mut moved_bytes = 0;
        let places: Vec<usize> = (from..end).filter(|at| self.words[*at] != 0).collect();
        let blocks = places
            .iter()
            .map(|at| entry_of(self.words[*at]).address() as *const u8);
        let sparse: Vec<bool> = slabs.sparse(blocks).collect();
        for (at, sparse) in places.into_iter().zip(sparse) {
            let place = Place(at);
            if sparse {
                let entry = self.entry(place).moved();
                self.set_entry(place, entry);
                moved_bytes += entry.len();
            }
            if let Some(object) = self.entry(place).object() {
                moved_bytes += object.table.pack(slabs);
                let next = Some(at + 1);
                return Packed { moved_bytes, next };
            }
        }
        Packed {
            moved_bytes,
            next: (end < self.words.len()).then_some(end),
        }
    }

    /// Adds an entry whose key is not there.
    pub(crate) fn insert(&mut self, hash: KeyHash, entry: Entry, lfu: u8, seed: u64) -> Place {
        if self.len + 1 > fill_limit(self.words.len()) {
            self.resize(self.words.len() + 1, seed);
        }
        self.len += 1;
        Place(self.put_word(self.home(hash), word_of(entry, hash, lfu)))
    }

    fn put_word(&mut self, home: usize, word: u64) -> usize {
        let capacity = self.words.len();
        let mut at = home;
        while self.words[at] != 0 {
            at = if at + 1 == capacity { 0 } else { at + 1 };
        }
        self.words[at] = word;
        at
    }

    /// Takes an entry out; the caller owns the block. Other places are void afterwards.
    pub(crate) fn remove(&mut self, place: Place, seed: u64) -> Entry {
        let entry = self.entry(place);
        let capacity = self.words.len();
        let mut hole = place.0;
        let mut at = hole;
        loop {
            at = if at + 1 == capacity { 0 } else { at + 1 };
            let word = self.words[at];
            if word == 0 {
                break;
            }
            let home = self.home_of_word(word, seed);
            // The word may fill the hole if its home is not between the hole and itself (cyclically).
            let displaced = (at + capacity - home) % capacity;
            let distance = (at + capacity - hole) % capacity;
            if displaced >= distance {
                self.words[hole] = word;
                hole = at;
            }
        }
        self.words[hole] = 0;
        self.len -= 1;
        if self.len == 0 {
            self.words = Box::default();
        } else if capacity > 16 && self.len < capacity / 4 {
            self.resize(self.len * 3 / 2, seed);
        }
        entry
    }

    fn resize(&mut self, at_least: usize, seed: u64) {
        let capacity = ladder(at_least);
        debug_assert!(fill_limit(capacity) > self.len);
        let old = std::mem::replace(&mut self.words, vec![0; capacity].into_boxed_slice());
        for word in old.into_iter().filter(|&word| word != 0) {
            let home = self.home_of_word(word, seed);
            self.put_word(home, word);
        }
    }

    /// All entries with their places, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Place, Entry)> + '_ {
        self.words
            .iter()
            .enumerate()
            .filter(|&(_, &word)| word != 0)
            .map(|(at, &word)| (Place(at), entry_of(word)))
    }

    /// Up to `limit` entries with their counters from a position chosen by `random`, cyclically.
    pub(crate) fn sample(
        &self,
        random: u64,
        limit: usize,
    ) -> impl Iterator<Item = (Place, Entry)> + '_ {
        let capacity = self.words.len();
        let start = ((u128::from(random) * capacity as u128) >> 64) as usize;
        (0..capacity)
            .map(move |i| {
                if start + i < capacity {
                    start + i
                } else {
                    start + i - capacity
                }
            })
            .filter(|&at| self.words[at] != 0)
            .map(|at| (Place(at), entry_of(self.words[at])))
            .take(limit)
    }

    /// Visits, in rising hash order, the entries whose order (top 32 bits of the hash) is at least `from`,
    /// until `limit` were met, and then on to the end of that order value. Returns the last order visited
    /// completely (`u32::MAX` at the end of the table).
    pub(crate) fn scan(
        &self,
        from: u32,
        limit: usize,
        seed: u64,
        mut visit: impl FnMut(u32, Entry),
    ) -> u32 {
        let capacity = self.words.len();
        if self.len == 0 {
            return u32::MAX;
        }
        // An entry never stands before its home except by wrapping round the end, and those stand at the
        // very beginning: so a walk over the rest of the array and its first cluster meets all of them.
        let start = self.home(KeyHash(u64::from(from) << 32));
        let mut batch: Vec<(u32, Entry)> = Vec::with_capacity(limit.min(self.len) + 8);
        let mut at = start;
        let mut stop_home = None;
        while at < capacity {
            let word = self.words[at];
            if word != 0 {
                let entry = entry_of(word);
                let order = KeyHash::of(seed, entry.key()).order();
                if order >= from {
                    batch.push((order, entry));
                }
            } else if batch.len() >= limit {
                // An empty word: everything with a home before it has been seen.
                stop_home = Some(at);
                break;
            }
            at += 1;
        }
        if stop_home.is_none() {
            for &word in self.words.iter().take(start).take_while(|&&word| word != 0) {
                let entry = entry_of(word);
                let order = KeyHash::of(seed, entry.key()).order();
                if order >= from {
                    batch.push((order, entry));
                }
            }
        }
        batch.sort_unstable_by_key(|&(order, _)| order);
        // Orders whose home is at or behind the stop may continue beyond it, but all that were met here
        // have their home before it; the first order that belongs behind the stop bounds the batch.
        let complete = match stop_home {
            None => u32::MAX,
            Some(home) => first_order_with_home(capacity, home).saturating_sub(1),
        };
        let cut = if batch.len() > limit && limit > 0 {
            batch[limit - 1].0.min(complete)
        } else {
            complete
        };
        for (order, entry) in batch {
            if order <= cut {
                visit(order, entry);
            }
        }
        cut
    }

    /// Frees every entry and the array; returns how many there were.
    pub(crate) fn clear(&mut self) -> usize {
        let len = self.len;
        for word in std::mem::take(&mut self.words)
            .into_iter()
            .filter(|&word| word != 0)
        {
            entry_of(word).free();
        }
        self.len = 0;
        len
    }
}

impl Drop for HotTable {
    fn drop(&mut self) {
        self.clear();
    }
}

fn tag_home(capacity: usize, tag: u64) -> usize {
    ((tag * capacity as u64) >> TAG_BITS) as usize
}

fn home_in(capacity: usize, hash: KeyHash) -> usize {
    if capacity <= TAG_CAPACITY {
        tag_home(capacity, tag_of(hash))
    } else {
        ((u64::from(hash.order()) * capacity as u64) >> 32) as usize
    }
}

/// The smallest order whose home is at least `home` (> 0).
fn first_order_with_home(capacity: usize, home: usize) -> u32 {
    let (home, capacity) = (home as u64, capacity as u64);
    let order = if capacity <= TAG_CAPACITY as u64 {
        (home << TAG_BITS).div_ceil(capacity) << (32 - TAG_BITS)
    } else {
        (home << 32).div_ceil(capacity)
    };
    u32::try_from(order).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
