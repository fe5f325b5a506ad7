//! A door for micro-benchmarks and fuzz targets to parts that no one else may use: thin wrappers, no logic.
//! Hidden in the documentation; not an interface.

use std::ops::{ControlFlow, Range};

use crate::entry::{Entry, Parts};
use crate::keyspace::{Keyspace, SavedKeyspace};
use crate::lfu::{Heat, Tick};
use crate::state::State;
use crate::table::HotTable;
use crate::tree::{Flavour, Object, ObjectId, encode_cell};
use crate::tx::Kind;
use crate::warm::HotKey;
use crate::{KeyHash, NamespaceId, Offset, Slot, UnixMs};

/// A hot table by itself: one slot of one namespace.
#[derive(Debug)]
pub struct Table {
    table: HotTable,
    seed: u64,
}

impl Table {
    /// An empty table whose hashes are seeded so.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Table {
            table: HotTable::default(),
            seed,
        }
    }

    /// The hash of a key in this table.
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        KeyHash::of(self.seed, key)
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the array of words.
    #[must_use]
    pub fn array_bytes(&self) -> usize {
        self.table.array_bytes()
    }

    /// Adds a string under a key that is not there.
    pub fn insert(&mut self, key: &[u8], value: &[u8], counter: u8) {
        let hash = self.hash(key);
        let entry = Entry::new(&Parts {
            kind: Some(Kind::String),
            state: State::DirtyNew,
            cold_expiry: false,
            clock: 0,
            expiry: None,
            key,
            value,
        });
        self.table.insert(hash, entry, counter, self.seed);
    }

    /// Length of the value of a key; with `counters`, counts as an access.
    pub fn look(&mut self, key: &[u8], counters: Option<(&Counters, UnixMs)>) -> Option<usize> {
        let place = self.table.find(self.hash(key), key)?;
        let entry = self.table.entry(place);
        if let Some((counters, now)) = counters {
            let before = self.table.lfu(place);
            let (counter, clock) = counters.0.touched(before, entry.clock(), Tick::at(now));
            if counter != before {
                self.table.set_lfu(place, counter);
            }
            if clock != entry.clock() {
                entry.set_clock(clock);
            }
        }
        Some(entry.value_len())
    }

    /// Takes a key out; whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Some(place) = self.table.find(self.hash(key), key) else {
            return false;
        };
        self.table.remove(place, self.seed).free();
        true
    }

    /// One step of a SCAN: how many keys were met, and where the next step begins.
    #[must_use]
    pub fn scan(&self, from: u32, limit: usize) -> (usize, u32) {
        let mut met = 0;
        let last = self.table.scan(from, limit, self.seed, |_, _| met += 1);
        (met, last.wrapping_add(1))
    }

    /// The lowest counter, as of now, among up to `limit` keys from a random place on: a victim's.
    #[must_use]
    pub fn coldest(
        &self,
        random: u64,
        limit: usize,
        counters: &Counters,
        now: UnixMs,
    ) -> Option<u8> {
        let tick = Tick::at(now);
        let counter = |(place, entry): (_, Entry)| {
            counters
                .0
                .decayed(self.table.lfu(place), entry.clock(), tick)
        };
        self.table.sample(random, limit).map(counter).min()
    }
}

/// The LFU counters' arithmetic.
#[derive(Debug)]
pub struct Counters(Heat);

impl Counters {
    /// With `lfu-log-factor` and `lfu-decay-time`.
    #[must_use]
    pub fn new(log_factor: u32, decay_minutes: u32) -> Self {
        Counters(Heat::new(log_factor, decay_minutes))
    }

    /// Counter and clock after an access.
    #[must_use]
    pub fn touched(&self, counter: u8, clock: u16, now: UnixMs) -> (u8, u16) {
        self.0.touched(counter, clock, Tick::at(now))
    }

    /// The counter as of now.
    #[must_use]
    pub fn decayed(&self, counter: u8, clock: u16, now: UnixMs) -> u8 {
        self.0.decayed(counter, clock, Tick::at(now))
    }
}

/// A tree of pages by itself, all of them in memory.
#[derive(Debug)]
pub struct Tree {
    object: Object,
    flavour: Flavour,
    cell: Vec<u8>,
}

impl Tree {
    /// An empty tree.
    #[must_use]
    pub fn new(flavour: Flavour) -> Self {
        let empty = vec![flavour as u8, 0, 0];
        Tree {
            object: Object::of_pages(ObjectId(1), &[flavour], vec![empty], Vec::new()),
            flavour,
            cell: Vec::new(),
        }
    }

    /// Puts a key; whether it is new.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) -> bool {
        encode_cell(self.flavour, key, value, &mut self.cell);
        let inserted = self.object.editor(0).insert(key, &self.cell);
        inserted.expect("all pages are there")
    }

    /// Puts a value in front of all others.
    pub fn push_front(&mut self, value: &[u8]) {
        self.put_at(0, value);
    }

    /// Puts a value behind all others.
    pub fn push_back(&mut self, value: &[u8]) {
        self.put_at(self.object.trees[0].len, value);
    }

    fn put_at(&mut self, rank: u64, value: &[u8]) {
        encode_cell(self.flavour, &[], value, &mut self.cell);
        let inserted = self.object.editor(0).insert_at(rank, &self.cell);
        inserted.expect("all pages are there");
    }

    /// Takes a key out; whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let removed = self.object.editor(0).remove(key);
        removed.expect("all pages are there")
    }

    /// Length of the value of a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<usize> {
        let found = self.object.view(0).get(key).expect("all pages are there");
        found.map(|value| value.len())
    }

    /// How many keys are smaller.
    #[must_use]
    pub fn rank(&self, key: &[u8]) -> u64 {
        let (rank, _) = self.object.view(0).rank(key).expect("all pages are there");
        rank
    }

    /// Lengths of key and value at a rank.
    #[must_use]
    pub fn at(&self, rank: u64) -> Option<(usize, usize)> {
        let found = self.object.view(0).at(rank).expect("all pages are there");
        found.map(|(key, value)| (key.len(), value.len()))
    }

    /// Bytes of the elements of a range of ranks.
    #[must_use]
    pub fn walk(&self, ranks: Range<u64>) -> usize {
        let mut bytes = 0;
        let view = self.object.view(0);
        let walked = view.walk(ranks, false, &mut |key, value| {
            bytes += key.len() + value.len();
            ControlFlow::Continue(())
        });
        walked.expect("all pages are there");
        bytes
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.object.memory()
    }
}

/// A saved map of databases, decoded and encoded again; `None` if it is none.
#[must_use]
pub fn recoded_keyspace(bytes: &[u8]) -> Option<Vec<u8>> {
    SavedKeyspace::decode(bytes).map(|saved| saved.encode())
}

/// A saved map of databases.
#[must_use]
pub fn sample_keyspace() -> Vec<u8> {
    let keyspace = Keyspace::new(3, true, None);
    keyspace.flush(&[1], Offset(5));
    keyspace.swap(0, 2, Offset(9));
    let saved = keyspace.take_changes(Offset(0));
    saved.map(|saved| saved.encode()).unwrap_or_default()
}

/// How many hot keys a saved list begins with. Each is encoded as it was.
///
/// # Panics
/// If one is not.
#[must_use]
pub fn count_hot_keys(bytes: &[u8]) -> usize {
    let (mut rest, mut count) = (bytes, 0);
    while !rest.is_empty() {
        let before = rest;
        let Some(key) = HotKey::decode(&mut rest) else {
            break;
        };
        let mut again = Vec::new();
        key.encode(&mut again);
        assert_eq!(again.len(), before.len() - rest.len(), "as long as it was");
        assert_eq!(
            HotKey::decode(&mut again.as_slice()),
            Some(key),
            "the same key"
        );
        count += 1;
    }
    count
}

/// A saved list of hot keys.
#[must_use]
pub fn sample_hot_keys() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (slot, key) in [(1, "a"), (16383, "some longer key"), (77, "")] {
        let key = HotKey {
            ns: NamespaceId(slot.into()),
            slot: Slot(slot),
            counter: 9,
            key: key.as_bytes().into(),
        };
        key.encode(&mut bytes);
    }
    bytes
}
