//! Databases and namespaces.
//!
//! A database's number maps to a namespace; keys belong to namespaces. FLUSHDB gives the database a new
//! namespace and dooms the old one, SWAPDB exchanges two numbers' namespaces: both O(1). The map changes
//! only under the server's exclusive gate, so a command sees one map from start to end.
//!
//! For recovery the map has a *history*: replay must know which namespace a database meant at each offset
//! of the log not yet in the cold tier. Each change adds an entry; entries before the replay offset are
//! forgotten.

use std::collections::HashMap;
use std::sync::atomic::{
    AtomicI64, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, OnceLock};

use basalt_binlog::Offset;
use parking_lot::{Mutex, MutexGuard};

use crate::space::Marks;
use crate::{NamespaceId, SLOTS, Slot};

/// A live namespace and its counts.
#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) id: NamespaceId,
    /// There is a cold tier, so that what is dirty has to be remembered.
    pub(crate) tracked: bool,
    /// Keys in either tier; too high by at most `unknown`.
    pub(crate) live: AtomicI64,
    /// Keys with an expiry in either tier.
    pub(crate) volatile: AtomicI64,
    /// Hashes of which fields expire, in either tier.
    pub(crate) subexpiring: AtomicI64,
    /// Keys that are only in the cold tier; too high by at most `unknown`.
    pub(crate) cold_only: AtomicI64,
    /// Hot entries of which it is not known whether a cold copy exists.
    pub(crate) unknown: AtomicI64,
    /// A bit for each slot that has, or had, keys of it; nothing before the first.
    occupied: OnceLock<Box<[AtomicU64; SLOTS / 64]>>,
}

impl Namespace {
    fn new(id: NamespaceId, tracked: bool) -> Arc<Namespace> {
        Arc::new(Namespace {
            id,
            tracked,
            live: AtomicI64::new(0),
            volatile: AtomicI64::new(0),
            subexpiring: AtomicI64::new(0),
            cold_only: AtomicI64::new(0),
            unknown: AtomicI64::new(0),
            occupied: OnceLock::new(),
        })
    }

    /// The slot has keys of it from now on.
    pub(crate) fn occupy(&self, slot: Slot) {
        let bits = self
            .occupied
            .get_or_init(|| Box::new([const { AtomicU64::new(0) }; SLOTS / 64]));
        bits[slot.index() / 64].fetch_or(1 << (slot.index() % 64), Release);
    }

    /// The slots from `from` on that may have keys of it. Those that get their first key meanwhile may be among them or not.
    pub(crate) fn slots_from(&self, from: usize) -> impl Iterator<Item = Slot> {
        let bits = self.occupied.get().map_or(&[][..], |bits| &bits[..]);
        let words = bits.iter().enumerate().skip(from / 64);
        words.flat_map(move |(at, word)| {
            let mut word = word.load(Acquire);
            if at == from / 64 {
                word &= u64::MAX << (from % 64);
            }
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                word &= word.wrapping_sub(1);
                (bit < 64).then(|| Slot((at * 64 + bit) as u16))
            })
        })
    }

    pub(crate) fn add_live(&self, n: i64) {
        self.live.fetch_add(n, Relaxed);
    }

    pub(crate) fn add_volatile(&self, n: i64) {
        if n != 0 {
            self.volatile.fetch_add(n, Relaxed);
        }
    }

    pub(crate) fn add_subexpiring(&self, n: i64) {
        if n != 0 {
            self.subexpiring.fetch_add(n, Relaxed);
        }
    }

    /// Counts a key with these marks, or discounts it.
    pub(crate) fn add_marked(&self, marks: Marks, n: i64) {
        self.add_volatile(if marks.volatile { n } else { 0 });
        self.add_subexpiring(if marks.fields { n } else { 0 });
    }
}

/// One state of the map, from `from` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) from: Offset,
    pub(crate) map: Vec<NamespaceId>,
}

#[derive(Debug)]
struct Shared {
    history: Vec<Epoch>,
    next_id: u32,
    namespaces: HashMap<u32, Arc<Namespace>>,
    doomed: Vec<NamespaceId>,
    changed: bool,
}

/// The map from databases to namespaces.
#[derive(Debug)]
pub(crate) struct Keyspace {
    dbs: Box<[AtomicU32]>,
    tracked: bool,
    /// Counts the changes of the map since the start.
    changes: AtomicU64,
    shared: Mutex<Shared>,
    /// Held from the logging of a change of the map until it is made; see [`Keyspace::changing`].
    changing: Mutex<()>,
}

/// What of the map is stored in the cold tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedKeyspace {
    pub(crate) history: Vec<Epoch>,
    pub(crate) next_id: u32,
    pub(crate) doomed: Vec<NamespaceId>,
}

impl Keyspace {
    /// A map of `databases` numbers, fresh or as it was saved.
    ///
    /// `tracked` says that there is a cold tier.
    pub(crate) fn new(databases: u32, tracked: bool, saved: Option<SavedKeyspace>) -> Keyspace {
        let saved = saved.unwrap_or_else(|| SavedKeyspace {
            history: vec![Epoch {
                from: Offset(0),
                map: Vec::new(),
            }],
            next_id: 1,
            doomed: Vec::new(),
        });
        let mut shared = Shared {
            history: saved.history,
            next_id: saved.next_id,
            namespaces: HashMap::new(),
            doomed: saved.doomed,
            changed: true,
        };
        let now = shared
            .history
            .last()
            .map(|epoch| epoch.map.clone())
            .unwrap_or_default();
        let count = (databases as usize).max(now.len());
        let dbs: Box<[AtomicU32]> = (0..count)
            .map(|db| {
                let id = now.get(db).copied().unwrap_or_else(|| {
                    shared.next_id += 1;
                    NamespaceId(shared.next_id - 1)
                });
                shared.namespaces.insert(id.0, Namespace::new(id, tracked));
                AtomicU32::new(id.0)
            })
            .collect();
        for epoch in &mut shared.history {
            // Databases the configuration added since mean the same in every epoch.
            for db in epoch.map.len()..count {
                epoch.map.push(NamespaceId(dbs[db].load(Relaxed)));
            }
        }
        Keyspace {
            dbs,
            tracked,
            changes: AtomicU64::new(0),
            shared: Mutex::new(shared),
            changing: Mutex::new(()),
        }
    }

    /// Number of databases.
    pub(crate) fn databases(&self) -> u32 {
        self.dbs.len() as u32
    }

    /// The namespace of a database.
    #[inline]
    pub(crate) fn of(&self, db: u32) -> NamespaceId {
        NamespaceId(self.dbs[db as usize].load(Relaxed))
    }

    /// The namespace a database meant at `offset`.
    pub(crate) fn at(&self, db: u32, offset: Offset) -> NamespaceId {
        let shared = self.shared.lock();
        let epoch = shared
            .history
            .iter()
            .rev()
            .find(|epoch| epoch.from <= offset);
        epoch
            .and_then(|epoch| epoch.map.get(db as usize))
            .copied()
            .unwrap_or_else(|| self.of(db))
    }

    /// The database a namespace belongs to.
    pub(crate) fn db_of(&self, ns: NamespaceId) -> Option<u32> {
        self.dbs
            .iter()
            .position(|db| db.load(Relaxed) == ns.0)
            .map(|db| db as u32)
    }

    /// The namespace's counts; `None` once it is doomed.
    pub(crate) fn namespace(&self, ns: NamespaceId) -> Option<Arc<Namespace>> {
        self.shared.lock().namespaces.get(&ns.0).cloned()
    }

    /// Whether any key or field may expire; never wrongly no.
    pub(crate) fn may_expire(&self) -> bool {
        let counts = |ns: &Arc<Namespace>| {
            [&ns.volatile, &ns.subexpiring, &ns.unknown].map(|count| count.load(Relaxed))
        };
        let shared = self.shared.lock();
        shared.namespaces.values().any(|ns| counts(ns) != [0; 3])
    }

    /// Gives each of `dbs` a new, empty namespace from `offset` on; returns the doomed ones.
    pub(crate) fn flush(&self, dbs: &[u32], offset: Offset) -> Vec<NamespaceId> {
        let mut shared = self.shared.lock();
        let mut doomed = Vec::new();
        for &db in dbs {
            let id = NamespaceId(shared.next_id);
            shared.next_id += 1;
            shared
                .namespaces
                .insert(id.0, Namespace::new(id, self.tracked));
            let old = NamespaceId(self.dbs[db as usize].swap(id.0, Relaxed));
            shared.namespaces.remove(&old.0);
            doomed.push(old);
        }
        shared.doomed.extend(&doomed);
        self.note(&mut shared, offset);
        doomed
    }

    /// Exchanges two databases from `offset` on.
    pub(crate) fn swap(&self, a: u32, b: u32, offset: Offset) {
        let mut shared = self.shared.lock();
        let was = self.dbs[a as usize].load(Relaxed);
        let other = self.dbs[b as usize].swap(was, Relaxed);
        self.dbs[a as usize].store(other, Relaxed);
        self.note(&mut shared, offset);
    }

    fn note(&self, shared: &mut Shared, from: Offset) {
        let map = self
            .dbs
            .iter()
            .map(|db| NamespaceId(db.load(Relaxed)))
            .collect();
        shared.history.push(Epoch { from, map });
        shared.changed = true;
        self.changes.fetch_add(1, Release);
    }

    /// Counts the changes of the map since the start.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Acquire)
    }

    /// The turn to log and make a change of the map. Who reads the log's end as "everything before is known here" takes
    /// it, too: else the end could lie behind a FLUSHDB that the map does not show yet.
    pub(crate) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock()
    }

    /// The newest changes, made at no offset yet (`Offset::MAX`), happened at these.
    pub(crate) fn settle(&self, offsets: &[Offset]) {
        let mut shared = self.shared.lock();
        let first = shared.history.len().checked_sub(offsets.len());
        let first = first.expect("as many changes were made");
        for (epoch, offset) in shared.history[first..].iter_mut().zip(offsets) {
            assert_eq!(epoch.from, Offset::MAX, "a change is given its place once");
            epoch.from = *offset;
        }
    }

    /// True if the newest epoch already holds at `offset`: a replayed FLUSHDB or SWAPDB is skipped then.
    pub(crate) fn knows(&self, offset: Offset) -> bool {
        self.shared
            .lock()
            .history
            .last()
            .is_some_and(|epoch| epoch.from >= offset)
    }

    /// Keys that are only in the cold tier.
    pub(crate) fn cold_only(&self) -> u64 {
        let count = |names: &Arc<Namespace>| names.cold_only.load(Relaxed).max(0) as u64;
        self.shared.lock().namespaces.values().map(count).sum()
    }

    /// What is to be saved, if it changed since the last call; epochs that ended before `replay` go.
    pub(crate) fn take_changes(&self, replay: Offset) -> Option<SavedKeyspace> {
        let mut shared = self.shared.lock();
        let keep_from = shared
            .history
            .iter()
            .rposition(|epoch| epoch.from <= replay)
            .unwrap_or(0);
        if keep_from > 0 {
            shared.history.drain(..keep_from);
            shared.changed = true;
        }
        std::mem::take(&mut shared.changed).then(|| SavedKeyspace {
            history: shared.history.clone(),
            next_id: shared.next_id,
            doomed: shared.doomed.clone(),
        })
    }

    /// The doomed namespaces whose keys have still to be deleted.
    pub(crate) fn doomed(&self) -> Vec<NamespaceId> {
        self.shared.lock().doomed.clone()
    }

    /// The keys of these doomed namespaces are gone from both tiers.
    pub(crate) fn buried(&self, gone: &[NamespaceId]) {
        let mut shared = self.shared.lock();
        shared.doomed.retain(|ns| !gone.contains(ns));
        shared.changed = true;
    }
}

impl SavedKeyspace {
    /// The bytes stored under the state name `keyspace`: u32 little-endian counts and ids.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |n: u32| out.extend_from_slice(&n.to_le_bytes());
        put(self.next_id);
        put(self.doomed.len() as u32);
        self.doomed.iter().for_each(|ns| put(ns.0));
        put(self.history.len() as u32);
        for epoch in &self.history {
            put(epoch.from.0 as u32);
            put((epoch.from.0 >> 32) as u32);
            put(epoch.map.len() as u32);
            epoch.map.iter().for_each(|ns| put(ns.0));
        }
        out
    }

    /// Reads what [`SavedKeyspace::encode`] wrote; `None` if it is no such thing.
    pub(crate) fn decode(bytes: &[u8]) -> Option<SavedKeyspace> {
        let (words, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return None;
        }
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
        let next_id = words.next()?;
        let doomed = take_ids(&mut words)?;
        let epochs = words.next()?;
        let mut history = Vec::new();
        for _ in 0..epochs {
            let from = u64::from(words.next()?) | (u64::from(words.next()?) << 32);
            history.push(Epoch {
                from: Offset(from),
                map: take_ids(&mut words)?,
            });
        }
        words.next().is_none().then_some(SavedKeyspace {
            history,
            next_id,
            doomed,
        })
    }
}

fn take_ids(words: &mut impl Iterator<Item = u32>) -> Option<Vec<NamespaceId>> {
    let count = words.next()?;
    (0..count).map(|_| words.next().map(NamespaceId)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_known_at_every_offset() {
        let keyspace = Keyspace::new(2, true, None);
        let (a, b) = (keyspace.of(0), keyspace.of(1));
        keyspace.swap(0, 1, Offset(10));
        assert_eq!((keyspace.of(0), keyspace.of(1)), (b, a));
        assert_eq!(keyspace.flush(&[0], Offset(20)), [b]);
        assert_eq!(keyspace.at(0, Offset(9)), a);
        assert_eq!(keyspace.at(0, Offset(10)), b);
        assert_eq!(keyspace.at(0, Offset(20)), keyspace.of(0));
        assert!(keyspace.knows(Offset(20)) && !keyspace.knows(Offset(21)));
    }

    #[test]
    fn changes_may_learn_their_offsets_later() {
        let keyspace = Keyspace::new(2, true, None);
        let (a, b) = (keyspace.of(0), keyspace.of(1));
        keyspace.swap(0, 1, Offset::MAX);
        keyspace.flush(&[0], Offset::MAX);
        assert_ne!(keyspace.of(0), b);
        keyspace.settle(&[Offset(10), Offset(20)]);
        assert_eq!(
            (keyspace.at(0, Offset(9)), keyspace.at(1, Offset(9))),
            (a, b)
        );
        assert_eq!(
            (keyspace.at(0, Offset(10)), keyspace.at(1, Offset(19))),
            (b, a)
        );
        assert_eq!(keyspace.at(0, Offset(20)), keyspace.of(0));
        keyspace.settle(&[]);
    }

    #[test]
    fn a_saved_map_comes_back_and_old_epochs_go() {
        let keyspace = Keyspace::new(3, true, None);
        keyspace.flush(&[1], Offset(5));
        keyspace.swap(0, 2, Offset(9));
        let saved = keyspace.take_changes(Offset(7)).expect("it changed");
        assert_eq!(saved.history.len(), 2);
        assert_eq!(SavedKeyspace::decode(&saved.encode()), Some(saved.clone()));
        let again = Keyspace::new(3, true, Some(saved));
        for db in 0..3 {
            assert_eq!(again.of(db), keyspace.of(db));
        }
        assert_eq!(keyspace.take_changes(Offset(7)), None);
    }

    #[test]
    fn slots_with_keys_are_listed_from_any_on() {
        let names = Namespace::new(NamespaceId(1), true);
        assert_eq!(names.slots_from(0).count(), 0);
        let slots = [0, 1, 63, 64, 700, 16383];
        for slot in slots {
            names.occupy(Slot(slot));
        }
        for from in [0, 1, 2, 63, 64, 65, 700, 701, 16383, SLOTS] {
            let listed: Vec<u16> = names.slots_from(from).map(|slot| slot.0).collect();
            let expected: Vec<u16> = slots
                .into_iter()
                .filter(|n| usize::from(*n) >= from)
                .collect();
            assert_eq!(listed, expected, "from {from}");
        }
    }

    #[test]
    fn cut_bytes_are_refused() {
        let bytes = Keyspace::new(3, true, None)
            .take_changes(Offset(0))
            .expect("new")
            .encode();
        for len in 0..bytes.len() {
            assert_eq!(SavedKeyspace::decode(&bytes[..len]), None);
        }
    }
}
