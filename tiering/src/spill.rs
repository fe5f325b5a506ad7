//! Writing to the cold tier, and letting entries go.
//!
//! A batch goes through four steps, one batch at a time (`Spiller::turn`), so that two versions of a key
//! can never reach the cold tier in the wrong order:
//!
//! 1. *collect*, slot by slot under its lock: copy dirty entries into a write set, mark them `Spilling`,
//!    note the log end as their guard (everything the key went through is before it);
//! 2. look up what blind overwrites left unknown, outside any lock;
//! 3. have the log synced up to the guards (rule 1), then write the set with the counts it changes;
//! 4. *land*, slot by slot under its lock: what still is `Spilling` becomes `Clean`, written tombstones
//!    go, and entries that were collected to make room leave memory.
//!
//! Step 3 is repeated until it succeeds: the states rely on a collected batch landing.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use basalt_binlog::Offset;
use parking_lot::{Mutex, MutexGuard};

use crate::cold::{ColdKey, RecordHeader, WriteSet};
use crate::entry::Entry;
use crate::lfu::{Tick, fast_random, fast_random_u64};
use crate::space::{Marks, Space, counts_name};
use crate::state::State;
use crate::store::{Inner, STATE_HELD, STATE_KEYSPACE, STATE_OBJECTS, STATE_SEED, StoreError};
use crate::table::Place;
use crate::tree::Object;
use crate::tx::Key;
use crate::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};

/// A batch is written when it holds this many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// Slots a batch collects from at most, so that their entries are not `Spilling` for long.
const BATCH_SLOTS: usize = 2048;

/// The batch being made. Whoever holds the lock may collect, write and land.
#[derive(Default)]
pub(crate) struct Batch {
    set: WriteSet,
    items: Vec<Item>,
    counts: HashMap<(NamespaceId, Slot), Counts>,
    guard: Offset,
    slots: usize,
    /// Pages in the set.
    pages: u64,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}

/// Records of a slot, of those the ones that expire, and the hashes of which fields do.
type Counts = (u32, u32, u32);

/// One entry of a batch.
#[derive(Debug)]
struct Item {
    ns: NamespaceId,
    slot: Slot,
    hash: KeyHash,
    /// The entry's value is an object: pages of it are in flight.
    object: bool,
    /// Pages may leave memory once they are written.
    evict_pages: bool,
    /// It is not known whether there is a cold copy.
    unknown: bool,
    /// For an entry of whose cold copy something has to be looked up: its key.
    look_up: Option<Box<[u8]>>,
    had_copy: bool,
    copy: Marks,
    tombstone: bool,
    marks: Marks,
    evict: bool,
}

/// Which entries of a slot are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// Everything dirty; entries stay in memory.
    Dirty,
    /// Everything, and out of memory with it.
    All,
}

/// Which entries are let go: those used less than `counter`, and of those used exactly so often the share
/// `ties` / 2^32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Victims {
    counter: u8,
    ties: u32,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Swept {
    pub(crate) freed_bytes: u64,
    pub(crate) evicted: u64,
}

/// The turn to make a batch.
pub(crate) type Turn<'a> = MutexGuard<'a, Batch>;

/// Owner of the batch.
#[derive(Debug, Default)]
pub(crate) struct Spiller {
    batch: Mutex<Batch>,
    cursor: std::sync::atomic::AtomicUsize,
    /// Slots with a large value of which so much is dirty that it should be written soon.
    urgent: Mutex<HashSet<Slot>>,
}

impl Spiller {
    /// Waits for the turn.
    pub(crate) fn turn(&self) -> Turn<'_> {
        self.batch.lock()
    }
}

impl Inner {
    /// Collects from one slot; returns how many entries were taken.
    pub(crate) fn collect_slot(&self, batch: &mut Batch, slot: Slot, want: Want) -> usize {
        let mut table = self.slots[slot.index()].lock();
        let guard = self.guard(&table);
        let before = batch.items.len();
        for space in table.spaces() {
            let mut hashes = std::mem::take(&mut space.dirty);
            // In the order of their records, which RocksDB takes in quicker.
            hashes.sort_unstable();
            space
                .table
                .prefetch(hashes.iter().map(|hash| KeyHash(*hash)));
            space.dirty_since = Offset::MAX;
            let evict = matches!(want, Want::All);
            for hash in hashes.into_iter().map(KeyHash) {
                let seed = self.seed;
                let dirty = |entry: Entry| {
                    entry.state().is_dirty() && KeyHash::of(seed, entry.key()) == hash
                };
                if let Some(place) = space.table.find_where(hash, dirty) {
                    batch.take(space, slot, place, hash, guard, evict);
                }
            }
            if evict {
                self.evict_clean(space);
            }
        }
        batch.slots += 1;
        batch.items.len() - before
    }

    fn evict_clean(&self, space: &mut Space) {
        if !self.tiering {
            return;
        }
        let clean = |entry: Entry| entry.state() == State::Clean;
        let hashes: Vec<KeyHash> = space
            .table
            .iter()
            .filter(|(_, entry)| clean(*entry))
            .map(|(_, entry)| KeyHash::of(self.seed, entry.key()))
            .collect();
        for hash in hashes {
            if let Some(place) = space.table.find_where(hash, clean) {
                space.evict_to_cold(place, self.seed);
                self.stats.evicted_to_cold.add(1);
            }
        }
    }

    /// Writes the batch and lands it.
    pub(crate) fn write_batch(&self, batch: &mut Batch) -> Result<(), StoreError> {
        if batch.items.is_empty() {
            batch.clear();
            return Ok(());
        }
        self.resolve_unknown(batch)?;
        self.count_copies(batch);
        batch.count();
        if batch.pages > 0 {
            let next = self.next_object.load(std::sync::atomic::Ordering::Relaxed);
            batch.set.put_state(STATE_OBJECTS, &next.to_le_bytes());
            self.stats.spilled_pages.add(batch.pages);
        }
        self.add_held(batch);
        self.add_state(batch, None);
        let bytes = batch.set.bytes() as u64;
        self.write_surely(batch)?;
        self.stats.spilled_keys.add(batch.items.len() as u64);
        self.stats.spilled_bytes.add(bytes);
        self.stats.spill_batches.add(1);
        self.land(batch);
        batch.clear();
        Ok(())
    }

    /// Step 2: looks up whether blindly overwritten keys have a cold copy, and where it counts, of what sort.
    fn resolve_unknown(&self, batch: &mut Batch) -> Result<(), StoreError> {
        for item in &mut batch.items {
            let Some(key) = &item.look_up else { continue };
            let cold_key = ColdKey::new(item.ns, item.slot, item.hash, key);
            let copy = loop {
                match self.find_copy(&cold_key) {
                    Ok(copy) => break copy,
                    Err(error) => self.pause_after(&error.into())?,
                }
            };
            let is_there = copy.is_some();
            let (marks, object) = copy.unwrap_or_default();
            if !item.unknown {
                item.copy.fields = marks.fields;
                continue;
            }
            (item.had_copy, item.copy) = (is_there, marks);
            if let Some(object) = object {
                batch.set.delete_object(item.ns, object.0);
            }
        }
        Ok(())
    }

    /// Counts the copies that were found, at once: who counts keys waits for it, and the write takes its time.
    fn count_copies(&self, batch: &Batch) {
        let of_one_space = |a: &Item, b: &Item| a.ns == b.ns && a.slot == b.slot;
        for items in batch.items.chunk_by(of_one_space) {
            let mut unknown = items.iter().filter(|item| item.unknown).peekable();
            if unknown.peek().is_none() {
                continue;
            }
            // A namespace flushed meanwhile takes its counts with it.
            let mut table = self.slots[items[0].slot.index()].lock();
            let Some(space) = table.space(items[0].ns) else {
                continue;
            };
            for item in unknown {
                space.forget_unknown();
                if item.had_copy {
                    space.uncount_copy(item.copy);
                }
            }
        }
    }

    /// Adds up to where of the log the cold tier then may hold what effects did. Where it is not known it stays so, until
    /// the replay offset is written.
    fn add_held(&self, batch: &mut Batch) {
        if self.held.load(std::sync::atomic::Ordering::Relaxed) < batch.guard.0 {
            self.put_held(batch);
        }
    }

    /// The same with the replay offset, in a batch with the state: its guard is the log's end, before which lies all that
    /// can be held.
    pub(crate) fn settle_held(&self, batch: &mut Batch) {
        use std::sync::atomic::Ordering::Relaxed;
        if !self.replaying.load(Relaxed) && self.attached() {
            self.put_held(batch);
        }
    }

    fn put_held(&self, batch: &mut Batch) {
        let guard = batch.guard.0;
        self.held.store(guard, std::sync::atomic::Ordering::Relaxed);
        batch.set.put_state(STATE_HELD, &guard.to_le_bytes());
    }

    /// Adds the state that must move with the data: seed and databases, and the replay offset if given.
    pub(crate) fn add_state(&self, batch: &mut Batch, replay: Option<Offset>) {
        let known = self.checkpointer.replay();
        if let Some(saved) = self.keyspace.take_changes(known) {
            batch.set.put_state(STATE_KEYSPACE, &saved.encode());
            batch.set.put_state(STATE_SEED, &self.seed.to_le_bytes());
        }
        if let Some(replay) = replay {
            batch
                .set
                .put_state(crate::store::STATE_REPLAY, &replay.0.to_le_bytes());
        }
        batch.guard = batch.guard.max(if self.durable && self.attached() {
            self.guard_of_state()
        } else {
            Offset(0)
        });
    }

    /// The log must be on disk up to here before the databases' map may be written.
    fn guard_of_state(&self) -> Offset {
        if self.replaying.load(std::sync::atomic::Ordering::Relaxed) {
            return Offset(0);
        }
        self.host().log_end()
    }

    /// Step 3.
    pub(crate) fn write_surely(&self, batch: &mut Batch) -> Result<(), StoreError> {
        if self.durable && self.attached() {
            while let Err(error) = self.host().sync_log(batch.guard) {
                self.pause_after(&StoreError::Log(error))?;
            }
        }
        while let Err(error) = self.cold().write(&mut batch.set) {
            self.pause_after(&error.into())?;
        }
        Ok(())
    }

    fn pause_after(&self, error: &StoreError) -> Result<(), StoreError> {
        if self.closing.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(error.clone());
        }
        self.stats.spill_errors.add(1);
        tracing::error!(%error, "a batch for the cold tier waits");
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    }

    /// Step 4.
    fn land(&self, batch: &mut Batch) {
        let of_one_space = |a: &Item, b: &Item| a.ns == b.ns && a.slot == b.slot;
        for items in batch.items.chunk_by(of_one_space) {
            let (ns, slot) = (items[0].ns, items[0].slot);
            let mut table = self.slots[slot.index()].lock();
            // A namespace flushed meanwhile takes its counts with it.
            let Some(space) = table.space(ns) else {
                continue;
            };
            if let Some(counts) = batch.counts.get(&(ns, slot)) {
                (
                    space.records,
                    space.volatile_records,
                    space.subexpiring_records,
                ) = *counts;
            }
            space.landings = space.landings.wrapping_add(1);
            space.table.prefetch(items.iter().map(|item| item.hash));
            for item in items {
                self.land_item(space, item);
            }
        }
    }

    fn land_item(&self, space: &mut Space, item: &Item) {
        let seed = self.seed;
        let ours = |entry: Entry| KeyHash::of(seed, entry.key()) == item.hash;
        let Some(place) = space.table.find_where(item.hash, ours) else {
            return;
        };
        let entry = space.table.entry(place);
        if !item.tombstone {
            entry.set_cold_expiry(item.marks.volatile);
        }
        let spilling = entry.state() == State::Spilling;
        if item.object
            && let Some(object) = entry.object()
        {
            object.table.end_flight();
            if item.evict_pages {
                let bytes = object.table.memory() / PAGES_SHARE;
                let (_, pages) = object.table.evict_coldest(bytes);
                self.stats.evicted_pages.add(pages as u64);
            }
        }
        if item.tombstone && !spilling {
            // Written again since: the new entry overwrites nothing any more.
            if entry.state() == State::DirtyOver && !entry.is_tombstone() {
                entry.set_state(State::DirtyNew);
            } else if entry.is_tombstone() {
                space.drop_tombstone(place, seed);
            }
            return;
        }
        space.landed(place, seed);
        if item.evict && spilling && !item.tombstone && self.tiering {
            space.evict_to_cold(place, seed);
            self.stats.evicted_to_cold.add(1);
        }
    }

    /// Writes batches until `slots` hold nothing dirty (and with [`Want::All`], nothing at all).
    pub(crate) fn spill_slots(
        &self,
        batch: &mut Batch,
        slots: impl Iterator<Item = Slot>,
        want: Want,
    ) -> Result<u64, StoreError> {
        let mut taken = 0;
        for slot in slots {
            taken += self.collect_slot(batch, slot, want) as u64;
            if batch.is_full() {
                self.write_batch(batch)?;
            }
        }
        self.write_batch(batch)?;
        Ok(taken)
    }

    /// Spills single keys and lets them go; returns how many were in memory.
    pub(crate) fn spill_keys(&self, keys: &[Key<'_>]) -> Result<usize, StoreError> {
        let mut batch = self.spiller.turn();
        let mut gone = 0;
        for key in keys {
            let mut table = self.slots[key.slot.index()].lock();
            let guard = self.guard(&table);
            let Some(space) = table.space(key.ns) else {
                continue;
            };
            let Some(place) = space.table.find(key.hash, key.bytes) else {
                continue;
            };
            let entry = space.table.entry(place);
            gone += usize::from(!entry.is_tombstone());
            if entry.state().is_dirty() {
                batch.take(space, key.slot, place, key.hash, guard, true);
            } else if entry.state() == State::Clean && self.tiering {
                space.evict_to_cold(place, self.seed);
                self.stats.evicted_to_cold.add(1);
            }
        }
        self.write_batch(&mut batch)?;
        Ok(gone)
    }

    /// Sweeps leave the hashes of what they wrote in the list of dirty ones: drops them when they prevail.
    fn trim_dirty(&self, space: &mut Space) {
        if space.dirty.len() < 64 + 2 * space.table.len() {
            return;
        }
        let (table, seed) = (&space.table, self.seed);
        space.dirty.retain(|&hash| {
            let hash = KeyHash(hash);
            let ours =
                |entry: Entry| entry.state().is_dirty() && KeyHash::of(seed, entry.key()) == hash;
            table.find_where(hash, ours).is_some()
        });
        space.dirty.shrink_to_fit();
        if space.dirty.is_empty() {
            space.dirty_since = Offset::MAX;
        }
    }

    /// Chooses who goes next: looks at a sample of entries and finds the counter below which the coldest
    /// `percent` lie.
    pub(crate) fn choose_victims(&self, percent: u32) -> Victims {
        const SAMPLE: usize = 512;
        const PER_SLOT: usize = 16;
        let mut counters = [0u32; 256];
        let mut seen = 0;
        let tick = Tick::at(UnixMs::now());
        for _ in 0..SAMPLES_TRIED {
            if seen >= SAMPLE {
                break;
            }
            let random = fast_random_u64();
            let mut table = self.slots[random as usize % SLOTS].lock();
            for space in table.spaces() {
                for (place, entry) in space.table.sample(random.rotate_left(32), PER_SLOT) {
                    let counter = self
                        .heat
                        .decayed(space.table.lfu(place), entry.clock(), tick);
                    counters[usize::from(counter)] += 1;
                    seen += 1;
                }
            }
        }
        let wanted = (seen as u32 * percent).div_ceil(100).max(1);
        let mut below = 0;
        for (counter, &count) in counters.iter().enumerate() {
            if below + count >= wanted {
                let share = f64::from(wanted - below) / f64::from(count);
                return Victims {
                    counter: counter as u8,
                    ties: (share * f64::from(u32::MAX)) as u32,
                };
            }
            below += count;
        }
        Victims {
            counter: u8::MAX,
            ties: u32::MAX,
        }
    }

    /// Sweeps slots from where the last sweep ended until `bytes` are freed, at most once round.
    pub(crate) fn sweep(&self, bytes: u64, victims: Victims) -> Result<Swept, StoreError> {
        let mut batch = self.spiller.turn();
        let mut swept = Swept::default();
        let tick = Tick::at(UnixMs::now());
        for _ in 0..SLOTS {
            if swept.freed_bytes >= bytes {
                break;
            }
            let at = self
                .spiller
                .cursor
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.sweep_slot(
                &mut batch,
                Slot((at % SLOTS) as u16),
                victims,
                tick,
                &mut swept,
            );
            if batch.is_full() {
                self.write_batch(&mut batch)?;
            }
        }
        self.write_batch(&mut batch)?;
        // All went, so that whatever comes is hotter than what is there.
        let all = victims.counter == u8::MAX;
        self.budget
            .set_threshold(if all { 0 } else { victims.counter });
        Ok(swept)
    }

    fn sweep_slot(
        &self,
        batch: &mut Batch,
        slot: Slot,
        victims: Victims,
        tick: Tick,
        swept: &mut Swept,
    ) {
        let mut table = self.slots[slot.index()].lock();
        let guard = self.guard(&table);
        for space in table.spaces() {
            self.sweep_pages(batch, space, slot, guard, swept);
            let chosen: Vec<KeyHash> = space
                .table
                .iter()
                .filter(|&(place, entry)| {
                    let counter = self
                        .heat
                        .decayed(space.table.lfu(place), entry.clock(), tick);
                    entry.is_tombstone() || (victims.include(counter) && !goes_by_pages(entry))
                })
                .map(|(_, entry)| KeyHash::of(self.seed, entry.key()))
                .collect();
            for hash in chosen {
                let ours = |entry: Entry| KeyHash::of(self.seed, entry.key()) == hash;
                let Some(place) = space.table.find_where(hash, ours) else {
                    continue;
                };
                let entry = space.table.entry(place);
                let bytes = entry.memory() as u64 + 16;
                match entry.state() {
                    State::Clean => {
                        space.evict_to_cold(place, self.seed);
                        self.stats.evicted_to_cold.add(1);
                    }
                    State::Spilling => continue,
                    _ => {
                        batch.take(space, slot, place, hash, guard, true);
                    }
                }
                swept.freed_bytes += bytes;
                swept.evicted += 1;
            }
            self.trim_dirty(space);
        }
        batch.slots += 1;
    }
}

impl Inner {
    /// A large value has so many dirty bytes now. They go to the cold tier in one batch, which holds them twice more on
    /// their way, so they must not become too many: writers wait when they are.
    pub(crate) fn note_dirty_bytes(&self, key: &Key<'_>, dirty: usize) {
        let most = self.budget.object_dirty_bytes();
        if dirty as u64 <= most || !self.has_cold() {
            return;
        }
        let is_new = self.spiller.urgent.lock().insert(key.slot);
        if is_new {
            self.budget.hurry();
        }
        if dirty as u64 > 2 * most && self.tiering {
            self.budget.set_behind(true);
        }
    }

    /// Writes the large values that were noted.
    pub(crate) fn spill_urgent(&self) -> Result<(), StoreError> {
        let slots = std::mem::take(&mut *self.spiller.urgent.lock());
        if slots.is_empty() {
            // Who noted too much may have been slow to say so, and it is written by now.
            self.budget.set_behind(false);
            return Ok(());
        }
        let mut batch = self.spiller.turn();
        let spilled = self.spill_slots(&mut batch, slots.into_iter(), Want::Dirty);
        self.budget.set_behind(false);
        spilled.map(drop)
    }

    /// Lets go of pages of the large values in a slot, and writes those of which too much is dirty.
    fn sweep_pages(
        &self,
        batch: &mut Batch,
        space: &mut Space,
        slot: Slot,
        guard: Offset,
        swept: &mut Swept,
    ) {
        let large: Vec<KeyHash> = space
            .table
            .iter()
            .filter(|(_, entry)| goes_by_pages(*entry))
            .map(|(_, entry)| KeyHash::of(self.seed, entry.key()))
            .collect();
        for hash in large {
            let ours = |entry: Entry| KeyHash::of(self.seed, entry.key()) == hash;
            let place = space.table.find_where(hash, ours).expect("just seen");
            let entry = space.table.entry(place);
            let table = &mut entry.object().expect("just seen").table;
            let (bytes, pages) = table.evict_coldest(PORTION_BYTES);
            swept.freed_bytes += bytes as u64;
            self.stats.evicted_pages.add(pages as u64);
            let dirty = table.dirty_bytes();
            if bytes < PORTION_BYTES && dirty > 0 && entry.state().is_dirty() {
                batch.take(space, slot, place, hash, guard, false);
                batch.items.last_mut().expect("just taken").evict_pages = true;
                // About what will be let go when it has landed.
                swept.freed_bytes += (dirty / PAGES_SHARE) as u64;
            }
        }
    }
}

/// A large value leaves memory page by page, as long as it has many there.
fn goes_by_pages(entry: Entry) -> bool {
    const MANY: usize = 32;
    entry
        .object()
        .is_some_and(|object| object.table.resident() > MANY)
}

/// Bytes of pages let go of one value at a time.
const PORTION_BYTES: usize = 1 << 20;
/// This part of a value's pages may go when its dirty ones were written.
const PAGES_SHARE: usize = 4;

/// Slots looked into for a sample at most: most may be empty.
const SAMPLES_TRIED: usize = 4096;

impl Victims {
    fn include(self, counter: u8) -> bool {
        counter < self.counter || (counter == self.counter && fast_random() <= self.ties)
    }
}

impl Batch {
    fn clear(&mut self) {
        self.set.clear();
        self.items.clear();
        self.counts.clear();
        self.guard = Offset(0);
        self.slots = 0;
        self.pages = 0;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.set.bytes() >= BATCH_BYTES || self.slots >= BATCH_SLOTS
    }

    /// Deletes a named piece of state.
    pub(crate) fn delete_state(&mut self, name: &str) {
        self.set.delete_state(name);
    }

    /// Stores a named piece of state.
    pub(crate) fn put_state(&mut self, name: &str, value: &[u8]) {
        self.set.put_state(name, value);
    }

    /// Forgets a batch that held only state and was written.
    pub(crate) fn done_with_state(&mut self) {
        assert!(
            self.items.is_empty(),
            "entries land before their batch is forgotten"
        );
        self.clear();
    }

    /// Takes a dirty entry into the batch.
    fn take(
        &mut self,
        space: &mut Space,
        slot: Slot,
        place: Place,
        hash: KeyHash,
        guard: Offset,
        evict: bool,
    ) {
        let entry = space.table.entry(place);
        let state = entry.state();
        let ns = space.names.id;
        let key = entry.key();
        let cold_key = ColdKey::new(ns, slot, hash, key);
        let (expiry, fields) = (entry.expiry(), entry.field_deadline());
        space.dead.retain(|(dead, object)| {
            if *dead == hash {
                self.set.delete_object(ns, object.0);
            }
            *dead != hash
        });
        match entry.kind() {
            None => self.set.delete(&cold_key),
            Some(kind) => {
                let header = RecordHeader {
                    kind: kind as u8,
                    lfu_counter: space.table.lfu(place),
                    lfu_clock: entry.clock(),
                    guard,
                    expiry,
                    fields_expire: fields.is_some(),
                };
                match entry.object() {
                    Some(object) => self.take_object(&cold_key, &header, object),
                    None => self.set.put(&cold_key, &header, entry.value()),
                }
                for at in expiry.into_iter().chain(fields) {
                    self.set.put_expiry(at, &cold_key);
                }
            }
        }
        self.items.push(Item {
            ns,
            slot,
            hash,
            object: entry.object().is_some(),
            evict_pages: false,
            unknown: state == State::DirtyUnknown,
            // The entry does not remember whether fields of its cold copy expire.
            look_up: (state == State::DirtyUnknown
                || (state == State::DirtyOver && space.subexpiring_records > 0))
                .then(|| key.into()),
            had_copy: state == State::DirtyOver,
            copy: Marks {
                volatile: entry.cold_expiry(),
                fields: false,
            },
            tombstone: entry.is_tombstone(),
            marks: Marks {
                volatile: expiry.is_some(),
                fields: fields.is_some(),
            },
            evict,
        });
        self.counts.entry((ns, slot)).or_insert((
            space.records,
            space.volatile_records,
            space.subexpiring_records,
        ));
        self.guard = self.guard.max(guard);
        entry.set_state(state.spilling());
    }

    /// Takes the root of a large value, and what changed of its pages.
    fn take_object(&mut self, key: &ColdKey<'_>, header: &RecordHeader, object: &mut Object) {
        let (pages, dropped) = object.table.begin_flight();
        let mut root = Vec::new();
        object.encode_root(&mut root);
        self.set.put(key, header, &root);
        for page in dropped {
            self.set.delete_page(key.ns, object.id.0, page.0);
        }
        self.pages += pages.len() as u64;
        for (id, page) in pages {
            self.set.put_page(key.ns, object.id.0, id.0, page);
        }
    }

    /// Adds the new counts of the slots it touches to the set.
    fn count(&mut self) {
        for item in &self.items {
            let (records, volatile, subexpiring) = self
                .counts
                .get_mut(&(item.ns, item.slot))
                .expect("every item's slot is counted");
            *records += u32::from(!item.tombstone);
            *volatile += u32::from(!item.tombstone && item.marks.volatile);
            *subexpiring += u32::from(!item.tombstone && item.marks.fields);
            *records -= u32::from(item.had_copy);
            *volatile -= u32::from(item.had_copy && item.copy.volatile);
            *subexpiring -= u32::from(item.had_copy && item.copy.fields);
        }
        for ((ns, slot), (records, volatile, subexpiring)) in &self.counts {
            let mut value = [0u8; 12];
            value[..4].copy_from_slice(&records.to_le_bytes());
            value[4..8].copy_from_slice(&volatile.to_le_bytes());
            value[8..].copy_from_slice(&subexpiring.to_le_bytes());
            self.set.put_state(&counts_name(*ns, *slot), &value);
        }
    }
}
