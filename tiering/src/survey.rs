//! Which keys are used most, or take most: found in a sample of the slots, since a walk over everything would be long.
//!
//! A key's slot is as good as random, so whole slots, in an order drawn for each survey, are a fair sample; slots are taken
//! until the budget is spent. What is hot is told from the counters beside the entries' addresses, so nearly no entry
//! is looked at. What is large is asked of entries and, for keys that are not in memory, of the records on disk.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use crate::cold::ColdKey;
use crate::entry::Entry;
use crate::ids::SLOTS;
use crate::lfu::{Tick, fast_random_u64};
use crate::stats::payload_bytes;
use crate::store::{Inner, Store, StoreError};
use crate::tree::{Object, Small};
use crate::tx::Kind;
use crate::{NamespaceId, Slot, UnixMs};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurveyBy {
    /// Keys that are used most, of those in memory.
    Heat,
    /// Keys that take most, in memory or on disk.
    Size,
}

/// What to look for, and how hard.
#[derive(Debug)]
pub struct SurveyOptions {
    /// What is looked for.
    pub by: SurveyBy,
    /// How many keys to find.
    pub count: usize,
    /// Keys after which no other slot is begun.
    pub sample: u64,
    /// Of this type only; `None` for all. [`Kind::String`] stands for strings of every form.
    pub kind: Option<Kind>,
}

/// A key that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SurveyKey {
    /// Its database.
    pub db: u32,
    /// Its name.
    pub key: Vec<u8>,
    /// What it holds, as [`Kind::from_code`] reads it.
    pub kind: u8,
    /// True if it is in memory.
    pub hot: bool,
    /// LFU counter, decayed; under an LRU policy, the higher the more lately it was used.
    pub lfu: u8,
    /// Bytes, in memory or on disk; of a large value about, if parts of it are not in memory.
    pub bytes: u64,
    /// Elements of a collection.
    pub elements: Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Hottest or largest first.
    pub keys: Vec<SurveyKey>,
    /// Keys that were considered (of every type).
    pub sampled: u64,
    /// Keys there are, about: in memory for [`SurveyBy::Heat`], in both tiers for [`SurveyBy::Size`].
    pub total: u64,
}

/// Keys that are in memory, so that their records need no look.
type Names = HashSet<Box<[u8]>>;

/// The best so far.
struct Best {
    count: usize,
    heap: BinaryHeap<Reverse<(u64, SurveyKey)>>,
}

impl Best {
    /// What a key has to exceed to be among them.
    fn threshold(&self) -> Option<u64> {
        let is_full = self.heap.len() >= self.count;
        self.heap
            .peek()
            .filter(|_| is_full)
            .map(|Reverse((rank, _))| *rank)
    }

    fn offer(&mut self, rank: u64, make: impl FnOnce() -> SurveyKey) {
        if self.count == 0 || self.threshold().is_some_and(|least| rank <= least) {
            return;
        }
        self.heap.push(Reverse((rank, make())));
        if self.heap.len() > self.count {
            self.heap.pop();
        }
    }
}

impl Store {
    /// Looks for the hottest or the largest keys. May read from disk for [`SurveyBy::Size`].
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn survey(&self, options: &SurveyOptions) -> Result<Survey, StoreError> {
        let inner = &*self.inner;
        let mut survey = Survey {
            total: inner.count_keys(options.by),
            ..Survey::default()
        };
        let mut best = Best {
            count: options.count,
            heap: BinaryHeap::new(),
        };
        let random = fast_random_u64() as usize;
        // An odd step meets every slot once.
        let (start, step) = (random >> 32, random | 1);
        let now = UnixMs::now();
        let mut met_all = true;
        for number in 0..SLOTS {
            if survey.sampled >= options.sample {
                met_all = false;
                break;
            }
            let slot = Slot((start.wrapping_add(number.wrapping_mul(step)) % SLOTS) as u16);
            survey.sampled += match options.by {
                SurveyBy::Heat => inner.hottest_of(slot, options, now, &mut best),
                SurveyBy::Size => inner.largest_of(slot, options, now, &mut best)?,
            };
        }
        if met_all {
            // The count may be a little too high: of a key just overwritten it is not known whether it has a record.
            survey.total = survey.sampled;
        }
        let found = best.heap.into_sorted_vec();
        survey.keys = found.into_iter().map(|Reverse((_, key))| key).collect();
        Ok(survey)
    }
}

impl SurveyOptions {
    fn wants(&self, kind: Option<Kind>) -> bool {
        let is_string = |kind: Kind| !kind.is_collection();
        match (self.kind, kind) {
            (None, _) => true,
            (Some(wanted), Some(kind)) => kind == wanted || is_string(wanted) && is_string(kind),
            (Some(_), None) => false,
        }
    }
}

impl Inner {
    fn count_keys(&self, by: SurveyBy) -> u64 {
        let mut total = 0;
        for slot in &self.slots {
            for space in slot.lock().spaces() {
                if self.keyspace.db_of(space.names.id).is_some() {
                    total += (space.table.len() as u64).saturating_sub(u64::from(space.tombstones));
                    if by == SurveyBy::Size {
                        total += u64::from(space.cold_only);
                    }
                }
            }
        }
        total
    }

    /// Offers the entries of a slot by their counters; returns how many there were.
    fn hottest_of(&self, slot: Slot, options: &SurveyOptions, now: UnixMs, best: &mut Best) -> u64 {
        let tick = Tick::at(now);
        let mut met = 0;
        let mut table = self.slots[slot.index()].lock();
        for space in table.spaces() {
            let Some(db) = self.keyspace.db_of(space.names.id) else {
                continue;
            };
            for (place, entry) in space.table.iter() {
                met += 1;
                let counter = space.table.lfu(place);
                // A counter only falls with time: the entry need not be looked at.
                let cannot_win = |least: u64| u64::from(counter) <= least && !self.heat.is_lru();
                if best.threshold().is_some_and(cannot_win) || !is_wanted(entry, options, now) {
                    continue;
                }
                let lfu = self.heat.decayed(counter, entry.clock(), tick);
                best.offer(u64::from(lfu), || found_hot(db, entry, lfu));
            }
            met -= u64::from(space.tombstones).min(met);
        }
        met
    }

    /// Offers the keys of a slot by their bytes; returns how many there were.
    fn largest_of(
        &self,
        slot: Slot,
        options: &SurveyOptions,
        now: UnixMs,
        best: &mut Best,
    ) -> Result<u64, StoreError> {
        let tick = Tick::at(now);
        let mut met = 0;
        let mut cold: Vec<(NamespaceId, u32, Names)> = Vec::new();
        {
            let mut table = self.slots[slot.index()].lock();
            for space in table.spaces() {
                let Some(db) = self.keyspace.db_of(space.names.id) else {
                    continue;
                };
                let asks_disk = space.cold_only > 0;
                let mut in_memory = Names::new();
                for (place, entry) in space.table.iter() {
                    met += u64::from(!entry.is_tombstone());
                    if asks_disk {
                        in_memory.insert(entry.key().into());
                    }
                    if is_wanted(entry, options, now) {
                        let lfu = space.table.lfu(place);
                        let lfu = self.heat.decayed(lfu, entry.clock(), tick);
                        best.offer(entry_bytes(entry), || found_hot(db, entry, lfu));
                    }
                }
                if asks_disk {
                    cold.push((space.names.id, db, in_memory));
                }
            }
        }
        for (ns, db, in_memory) in cold {
            self.cold()
                .visit_slot(ns, slot, &mut |key: ColdKey<'_>, header, payload| {
                    if in_memory.contains(key.key) || header.is_expired(now) {
                        return;
                    }
                    met += 1;
                    let kind = Kind::from_code(header.kind);
                    if options.wants(kind) {
                        let bytes = payload_bytes(header.kind, payload) + key.key.len() as u64;
                        best.offer(bytes, || SurveyKey {
                            db,
                            key: key.key.to_vec(),
                            kind: header.kind,
                            hot: false,
                            lfu: header.lfu_counter,
                            bytes,
                            elements: kind.and_then(|kind| elements_of(kind, payload)),
                        });
                    }
                })?;
        }
        Ok(met)
    }
}

fn is_wanted(entry: Entry, options: &SurveyOptions, now: UnixMs) -> bool {
    !entry.is_tombstone() && options.wants(entry.kind()) && entry.expiry().is_none_or(|at| at > now)
}

/// As much as a large value takes whole, if that is more than what of it is in memory.
fn entry_bytes(entry: Entry) -> u64 {
    let whole = entry.object().map_or(0, |object| object.whole_bytes());
    (entry.memory() as u64).max(whole)
}

fn found_hot(db: u32, entry: Entry, lfu: u8) -> SurveyKey {
    let kind = entry.kind().unwrap_or(Kind::String);
    let elements = match entry.object() {
        Some(object) if kind.is_collection() => object.trees.first().map(|tree| tree.len),
        _ => elements_of(kind, entry.value()),
    };
    SurveyKey {
        db,
        key: entry.key().to_vec(),
        kind: kind as u8,
        hot: true,
        lfu,
        bytes: entry_bytes(entry),
        elements,
    }
}

/// Elements of a collection's payload.
fn elements_of(kind: Kind, payload: &[u8]) -> Option<u64> {
    if !kind.is_collection() {
        return None;
    }
    let flavour = *kind.trees().first()?;
    if let Some(object) = Object::decode_root(payload) {
        return object.trees.first().map(|tree| tree.len);
    }
    let small = Small::parse(payload)?;
    Some(crate::tree::read::Single::shape(small.page(0), flavour).len)
}
