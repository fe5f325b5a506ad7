//! A slot: its hot tables (one per namespace), its counts, the loads in flight and the keys watched.
//!
//! Everything here is reached under the slot's lock. [`Space`] keeps the counts that make DBSIZE exact:
//! each method below changes the table, the state of the entry and the counts together.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use basalt_binlog::Offset;

use crate::cold::RecordHeader;
use crate::entry::{Entry, Parts};
use crate::keyspace::Namespace;
use crate::promote::Load;
use crate::state::State;
use crate::table::{HotTable, Place};
use crate::tree::ObjectId;
use crate::tx::{Key, Kind};
use crate::{KeyHash, NamespaceId, Slot, UnixMs};

/// One slot.
#[derive(Debug, Default)]
pub(crate) struct SlotTable {
    /// Most slots hold keys of one namespace: it is reached without another pointer.
    pub(crate) first: Option<Space>,
    pub(crate) rest: Vec<Space>,
    /// Cold reads in flight or pinned by a command.
    pub(crate) loads: Vec<Arc<Load>>,
    pub(crate) watches: Vec<Watch>,
    /// While recovery replays: the end of the last effect applied here.
    pub(crate) applied: Offset,
}

/// A key that a WATCH waits for.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) ns: NamespaceId,
    pub(crate) key: Box<[u8]>,
    pub(crate) flag: Arc<AtomicBool>,
}

/// What a slot holds of one namespace.
#[derive(Debug)]
pub(crate) struct Space {
    /// `names.id`, at hand: the counts beside it are written by all workers.
    pub(crate) ns: NamespaceId,
    pub(crate) names: Arc<Namespace>,
    pub(crate) table: HotTable,
    /// Hashes of the entries that became dirty, oldest first; some may be clean or gone by now.
    pub(crate) dirty: Vec<u64>,
    /// Log end before the first effect of any of `dirty`.
    pub(crate) dirty_since: Offset,
    /// Records of the cold tier without an entry here.
    pub(crate) cold_only: u32,
    /// Records of the cold tier, as of the last batch written.
    pub(crate) records: u32,
    /// Of them with an expiry.
    pub(crate) volatile_records: u32,
    /// Hot entries with an expiry.
    pub(crate) hot_volatile: u32,
    /// Entries that are tombstones.
    pub(crate) tombstones: u32,
    /// Entries of which it is not known whether a cold copy exists, those included that a batch is writing.
    pub(crate) unknown: u32,
    /// Batches that landed here, modulo 2^32.
    pub(crate) landings: u32,
    /// No hot entry expires before this; `u64::MAX` if none does.
    pub(crate) next_expiry: u64,
    /// Of the records, hashes of which fields expire.
    pub(crate) subexpiring_records: u32,
    /// Hashes in memory, by when a field of them may be due; some no longer are.
    pub(crate) fields_due: Option<Box<FieldsDue>>,
    /// Objects without a key, by the hash of the key they had: their pages go in the batch that writes what became
    /// of it.
    pub(crate) dead: Vec<(KeyHash, ObjectId)>,
}

impl SlotTable {
    /// What the slot holds of `ns`.
    #[inline]
    pub(crate) fn space(&mut self, ns: NamespaceId) -> Option<&mut Space> {
        match &mut self.first {
            Some(space) if space.ns == ns => Some(space),
            _ => self.rest.iter_mut().find(|space| space.ns == ns),
        }
    }

    /// All namespaces here.
    pub(crate) fn spaces(&mut self) -> impl Iterator<Item = &mut Space> {
        self.first.iter_mut().chain(self.rest.iter_mut())
    }

    /// Adds a namespace that is not here; this is `slot`.
    pub(crate) fn add_space(&mut self, slot: Slot, names: Arc<Namespace>) -> &mut Space {
        names.occupy(slot);
        let space = Space::new(names);
        if self.first.is_none() {
            return self.first.insert(space);
        }
        self.rest.push(space);
        self.rest.last_mut().expect("just pushed")
    }

    /// Forgets a doomed namespace; its entries are freed.
    pub(crate) fn drop_space(&mut self, ns: NamespaceId) -> Option<Space> {
        if self
            .first
            .as_ref()
            .is_some_and(|space| space.names.id == ns)
        {
            let next = self.rest.pop();
            return std::mem::replace(&mut self.first, next);
        }
        let at = self.rest.iter().position(|space| space.names.id == ns)?;
        Some(self.rest.swap_remove(at))
    }

    /// Forgets the loads that nobody holds but this slot.
    pub(crate) fn forget_loads(&mut self) {
        /// A scan reads all keys of a slot in a row; what its list took then would stay, in every slot.
        const KEPT: usize = 4;
        self.loads.retain(|load| Arc::strong_count(load) > 1);
        if self.loads.is_empty() && self.loads.capacity() > KEPT {
            self.loads = Vec::new();
        }
    }

    /// A key is being changed: trip its watchers and void reads of its cold copy.
    #[inline]
    pub(crate) fn changed(&mut self, ns: NamespaceId, hash: KeyHash, key: &[u8]) {
        self.void_loads(ns, hash, key);
        self.trip_watches(ns, key);
    }

    /// Reads of a key's cold copy that are under way must not be installed.
    #[inline]
    pub(crate) fn void_loads(&mut self, ns: NamespaceId, hash: KeyHash, key: &[u8]) {
        if !self.loads.is_empty() {
            self.loads
                .iter()
                .filter(|load| load.is_of(ns, hash, key))
                .for_each(|load| load.void());
            self.loads.retain(|load| !load.is_void());
        }
    }

    /// Tells those who watch a key that it changed.
    #[inline]
    pub(crate) fn trip_watches(&mut self, ns: NamespaceId, key: &[u8]) {
        if !self.watches.is_empty() {
            for watch in self
                .watches
                .iter()
                .filter(|watch| watch.ns == ns && *watch.key == *key)
            {
                watch.flag.store(true, Relaxed);
            }
        }
    }
}

/// Deadlines, and the hash of the key.
pub(crate) type FieldsDue = BinaryHeap<Reverse<(u64, u64)>>;

/// What is counted of a key beside itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// It expires.
    pub(crate) volatile: bool,
    /// It is a hash of which fields expire.
    pub(crate) fields: bool,
}

impl Marks {
    /// Those of a cold record.
    pub(crate) fn of_record(header: &RecordHeader) -> Marks {
        Marks {
            volatile: header.expiry.is_some(),
            fields: header.fields_expire,
        }
    }
}

/// Whether a cold copy of a key is there, where no entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColdCopy {
    No,
    Yes {
        marks: Marks,
        object: Option<ObjectId>,
    },
    Unknown,
}

impl Space {
    fn new(names: Arc<Namespace>) -> Space {
        Space {
            ns: names.id,
            names,
            table: HotTable::default(),
            dirty: Vec::new(),
            dirty_since: Offset::MAX,
            cold_only: 0,
            records: 0,
            volatile_records: 0,
            hot_volatile: 0,
            tombstones: 0,
            unknown: 0,
            landings: 0,
            next_expiry: u64::MAX,
            subexpiring_records: 0,
            fields_due: None,
            dead: Vec::new(),
        }
    }

    /// The value of an entry is about to go, and the cold tier may have pages of it.
    fn bury_object(&mut self, entry: Entry, hash: KeyHash) {
        if entry.state() != State::DirtyNew
            && self.names.tracked
            && let Some(object) = entry.object()
        {
            self.dead.push((hash, object.id));
        }
    }

    /// Notes that the entry of `hash` became dirty at a log end of `at`.
    fn note_dirty(&mut self, hash: KeyHash, at: Offset) {
        if !self.names.tracked {
            return;
        }
        if self.dirty.is_empty() {
            self.dirty_since = at;
        }
        self.dirty_since = self.dirty_since.min(at);
        self.dirty.push(hash.0);
    }

    fn count_expiry(&mut self, before: Option<UnixMs>, after: Option<UnixMs>) {
        if let Some(at) = after {
            self.next_expiry = self.next_expiry.min(at.0);
        }
        match (before.is_some(), after.is_some()) {
            (false, true) => {
                self.hot_volatile += 1;
                self.names.add_volatile(1);
            }
            (true, false) => {
                self.hot_volatile -= 1;
                self.names.add_volatile(-1);
            }
            _ => {}
        }
    }

    /// Adds a live entry for a key that has none, written just now.
    pub(crate) fn insert_written(
        &mut self,
        new: &NewEntry<'_>,
        cold: ColdCopy,
        at: Offset,
    ) -> Place {
        let mut cold_expiry = false;
        let state = match cold {
            ColdCopy::No => State::DirtyNew,
            ColdCopy::Yes { marks, object } => {
                self.dead.extend(object.map(|object| (new.hash, object)));
                self.leave_cold_only(marks);
                cold_expiry = marks.volatile;
                State::DirtyOver
            }
            ColdCopy::Unknown => {
                self.unknown += 1;
                self.names.unknown.fetch_add(1, Relaxed);
                State::DirtyUnknown
            }
        };
        if !matches!(cold, ColdCopy::Yes { .. }) {
            self.names.add_live(1);
        }
        self.note_dirty(new.hash, at);
        self.insert(new, state, cold_expiry)
    }

    /// Adds a clean entry: the cold copy's content, promoted.
    pub(crate) fn insert_loaded(&mut self, new: &NewEntry<'_>, marks: Marks) -> Place {
        self.leave_cold_only(marks);
        self.insert(new, State::Clean, new.expiry.is_some())
    }

    /// Counts keys that are only in the cold tier.
    pub(crate) fn add_cold_only(&mut self, n: i32) {
        self.cold_only = self
            .cold_only
            .checked_add_signed(n)
            .expect("no more keys leave than were there");
        self.names.cold_only.fetch_add(i64::from(n), Relaxed);
    }

    /// A key stops being cold-only; it stays alive, now with an entry.
    fn leave_cold_only(&mut self, marks: Marks) {
        self.add_cold_only(-1);
        self.names.add_marked(marks, -1);
    }

    /// No field of the hash of `hash` expires before `after`, instead of `before`.
    pub(crate) fn note_fields(
        &mut self,
        hash: KeyHash,
        before: Option<UnixMs>,
        after: Option<UnixMs>,
    ) {
        if before == after {
            return;
        }
        let count = i64::from(after.is_some()) - i64::from(before.is_some());
        self.names.add_subexpiring(count);
        if let Some(at) = after {
            self.queue_fields(hash, at);
        }
    }

    /// Has the fields of a hash looked at when `at` has come.
    pub(crate) fn queue_fields(&mut self, hash: KeyHash, at: UnixMs) {
        let most = 64 + 2 * self.table.len();
        let due = self.fields_due.get_or_insert_with(Box::default);
        if due.len() >= most {
            let mut kept = std::mem::take(&mut **due).into_vec();
            kept.sort_unstable();
            kept.dedup();
            kept.retain(|Reverse((at, hash))| {
                let ours = |entry: Entry| entry.field_deadline() == Some(UnixMs(*at));
                self.table.find_where(KeyHash(*hash), ours).is_some()
            });
            **due = kept.into();
        }
        due.push(Reverse((at.0, hash.0)));
    }

    /// When the fields of some hash here may be due next.
    pub(crate) fn next_fields(&self) -> Option<u64> {
        let Reverse((at, _)) = self.fields_due.as_ref()?.peek()?;
        Some(*at)
    }

    /// The keys of hashes of which fields may be due.
    pub(crate) fn take_fields_due(
        &mut self,
        now: UnixMs,
        most: usize,
    ) -> Vec<(KeyHash, Box<[u8]>)> {
        let mut found = Vec::new();
        while found.len() < most && self.next_fields().is_some_and(|at| at <= now.0) {
            let due = self.fields_due.as_mut().expect("it has a first");
            let Reverse((_, hash)) = due.pop().expect("it has a first");
            let is_due = |entry: Entry| entry.field_deadline().is_some_and(|at| at <= now);
            if let Some(place) = self.table.find_where(KeyHash(hash), is_due) {
                found.push((KeyHash(hash), self.table.entry(place).key().into()));
            }
        }
        if self.fields_due.as_ref().is_some_and(|due| due.is_empty()) {
            self.fields_due = None;
        }
        found
    }

    fn insert(&mut self, new: &NewEntry<'_>, state: State, cold_expiry: bool) -> Place {
        self.count_expiry(None, new.expiry);
        let entry = Entry::new(&Parts {
            kind: Some(new.kind),
            state,
            cold_expiry,
            clock: new.heat.1,
            expiry: new.expiry,
            key: new.key,
            value: new.value,
        });
        let fields = entry.field_deadline();
        let place = self.table.insert(new.hash, entry, new.heat.0, new.seed);
        self.note_fields(new.hash, None, fields);
        place
    }

    /// Replaces content and expiry of an entry, live or tombstone.
    pub(crate) fn overwrite(
        &mut self,
        place: Place,
        hash: KeyHash,
        kind: Kind,
        value: &[u8],
        expiry: Option<UnixMs>,
        at: Offset,
    ) {
        let old = self.table.entry(place);
        let state = old.state();
        if old.is_tombstone() {
            self.tombstones -= 1;
            self.names.add_live(1);
            self.count_expiry(None, expiry);
        } else {
            self.count_expiry(old.expiry(), expiry);
        }
        if !state.is_dirty() {
            self.note_dirty(hash, at);
        }
        self.bury_object(old, hash);
        let fields = old.field_deadline();
        let new = old.reshape(Some(kind), state.written(), expiry, value);
        self.table.set_entry(place, new);
        self.note_fields(hash, fields, new.field_deadline());
    }

    /// Marks a live entry written after its value was changed in place.
    pub(crate) fn mark_written(&mut self, place: Place, hash: KeyHash, at: Offset) {
        let entry = self.table.entry(place);
        let state = entry.state();
        if !state.is_dirty() {
            self.note_dirty(hash, at);
        }
        entry.set_state(state.written());
    }

    /// Changes the expiry of a live entry.
    pub(crate) fn set_expiry(
        &mut self,
        place: Place,
        hash: KeyHash,
        expiry: Option<UnixMs>,
        at: Offset,
    ) {
        let entry = self.table.entry(place);
        self.count_expiry(entry.expiry(), expiry);
        self.table.set_entry(place, entry.with_expiry(expiry));
        self.mark_written(place, hash, at);
    }

    /// Deletes a live entry: it leaves the table, or a tombstone stays until the cold copy is gone.
    pub(crate) fn delete(&mut self, place: Place, hash: KeyHash, at: Offset, seed: u64) {
        let entry = self.table.entry(place);
        debug_assert!(!entry.is_tombstone());
        let state = entry.state();
        self.count_expiry(entry.expiry(), None);
        self.note_fields(hash, entry.field_deadline(), None);
        self.names.add_live(-1);
        if state == State::DirtyNew {
            self.table.remove(place, seed).free();
            return;
        }
        if !state.is_dirty() {
            self.note_dirty(hash, at);
        }
        self.bury_object(entry, hash);
        self.tombstones += 1;
        let tombstone = entry.reshape(None, state.written(), None, &[]);
        self.table.set_entry(place, tombstone);
    }

    /// Deletes a key that is only in the cold tier: puts its tombstone.
    pub(crate) fn delete_cold(
        &mut self,
        hash: KeyHash,
        key: &[u8],
        marks: Marks,
        object: Option<ObjectId>,
        at: Offset,
        seed: u64,
    ) {
        self.dead.extend(object.map(|object| (hash, object)));
        self.leave_cold_only(marks);
        self.names.add_live(-1);
        self.tombstones += 1;
        self.note_dirty(hash, at);
        let tombstone = Entry::new(&Parts {
            kind: None,
            state: State::DirtyOver,
            cold_expiry: marks.volatile,
            clock: 0,
            expiry: None,
            key,
            value: &[],
        });
        self.table.insert(hash, tombstone, 0, seed);
    }

    /// Lets a clean entry go; the key is cold from here on.
    pub(crate) fn evict_to_cold(&mut self, place: Place, seed: u64) {
        let entry = self.table.entry(place);
        assert!(
            entry.state() == State::Clean && !entry.is_tombstone(),
            "only a clean entry may leave"
        );
        let volatile = entry.expiry().is_some();
        self.hot_volatile -= u32::from(volatile);
        self.add_cold_only(1);
        self.table.remove(place, seed).free();
    }

    /// Drops a live entry without a trace (memory-only mode, where no cold copy counts).
    pub(crate) fn forget(&mut self, place: Place, seed: u64) {
        let entry = self.table.entry(place);
        self.count_expiry(entry.expiry(), None);
        self.note_fields(KeyHash(0), entry.field_deadline(), None);
        self.names.add_live(-1);
        self.table.remove(place, seed).free();
    }

    /// A batch with this entry has landed: if nothing was written to it meanwhile it is clean, and a
    /// tombstone goes.
    pub(crate) fn landed(&mut self, place: Place, seed: u64) {
        let entry = self.table.entry(place);
        if entry.state() != State::Spilling {
            return;
        }
        if entry.is_tombstone() {
            self.drop_tombstone(place, seed);
        } else {
            entry.set_state(State::Clean);
        }
    }

    /// Takes out a tombstone: the cold tier has no copy any more.
    pub(crate) fn drop_tombstone(&mut self, place: Place, seed: u64) {
        self.tombstones -= 1;
        self.table.remove(place, seed).free();
    }
}

/// A live entry to be inserted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewEntry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) hash: KeyHash,
    pub(crate) kind: Kind,
    pub(crate) value: &'a [u8],
    pub(crate) expiry: Option<UnixMs>,
    /// LFU counter and clock.
    pub(crate) heat: (u8, u16),
    pub(crate) seed: u64,
}

impl<'a> NewEntry<'a> {
    /// A value for `key`.
    pub(crate) fn new(
        key: &Key<'a>,
        kind: Kind,
        value: &'a [u8],
        expiry: Option<UnixMs>,
        heat: (u8, u16),
        seed: u64,
    ) -> Self {
        NewEntry {
            key: key.bytes,
            hash: key.hash,
            kind,
            value,
            expiry,
            heat,
            seed,
        }
    }
}

/// Name of a slot and namespace's counts in the cold tier's state, in hexadecimal.
pub(crate) fn counts_name(ns: NamespaceId, slot: Slot) -> String {
    format!("{}{:04x}", counts_prefix(ns), slot.0)
}

/// What the names of a namespace's counts begin with.
pub(crate) fn counts_prefix(ns: NamespaceId) -> String {
    format!("{}{:08x}/", crate::store::STATE_COUNTS, ns.0)
}
