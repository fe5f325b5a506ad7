//! A `Tx`: the slots a command holds, and everything it may do with the keys in them.
//!
//! Lookups fault when a key is neither in memory nor pinned; the caller then drops the `Tx`, pins the keys
//! (`Store::pin`), and runs the command again. A command meets all its faults before its first write
//! (asserted), so a fault leaves nothing half done. The one exception is harmless: a key that is found past
//! its expiry is deleted at once (on a master), and reported by [`Tx::expired`] for the log.
//!
//! What concerns keys as a whole is here, and how a plain string is changed; what is in strings is read and written
//! through `text.rs`, what is in collections through `collection.rs`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use basalt_binlog::Offset;
use parking_lot::MutexGuard;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::entry::Entry;
use crate::lfu::Tick;
use crate::promote::{Loaded, PinSet, Pinned};
use crate::space::{ColdCopy, Marks, NewEntry, SlotTable, Space, Watch};
use crate::store::{Inner, StoreError};
use crate::table::Place;
use crate::tree::{Flavour, Object, ObjectId, Small};
use crate::{KeyHash, NamespaceId, Slot, UnixMs};

/// A key with its coordinates computed once.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Number of the database the key was named in.
    pub db: u32,
    /// Namespace of that database.
    pub ns: NamespaceId,
    /// Cluster slot.
    pub slot: Slot,
    /// Seeded hash.
    pub hash: KeyHash,
    /// The key's bytes.
    pub bytes: &'a [u8],
}

/// What the payload of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A string; its encoding (int, embstr, raw) follows from its content.
    String = 0,
    /// A string that was modified in place (APPEND, SETRANGE, SETBIT): Redis reports it as `raw`.
    RawString = 1,
    /// Fields with values.
    Hash = 2,
    /// Members.
    Set = 3,
    /// Members in the order of their scores.
    ZSet = 4,
    /// Values by position.
    List = 5,
    /// Entries by id, and the groups that read them.
    Stream = 6,
    /// A string that was modified in place and is long: a tree of its chunks (`text.rs`).
    LargeString = 8,
    /// A Bloom filter: chunks of its bits by layer and number.
    Bloom = 9,
}

impl Kind {
    /// The kind with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Kind> {
        match code {
            0 => Some(Kind::String),
            1 => Some(Kind::RawString),
            2 => Some(Kind::Hash),
            3 => Some(Kind::Set),
            4 => Some(Kind::ZSet),
            5 => Some(Kind::List),
            6 => Some(Kind::Stream),
            8 => Some(Kind::LargeString),
            9 => Some(Kind::Bloom),
            _ => None,
        }
    }

    /// The trees a value of this kind consists of; none for plain strings.
    #[must_use]
    pub fn trees(self) -> &'static [Flavour] {
        match self {
            Kind::String | Kind::RawString => &[],
            Kind::Hash => &[Flavour::Map, Flavour::Keys],
            Kind::LargeString | Kind::Bloom => &[Flavour::Map],
            Kind::Set => &[Flavour::Keys],
            Kind::ZSet => &[Flavour::Keys, Flavour::Map],
            Kind::List => &[Flavour::Sequence],
            Kind::Stream => &[Flavour::Map, Flavour::Map],
        }
    }

    /// How many of its trees every value has; a hash has the second only while fields of it expire.
    #[must_use]
    pub(crate) fn least_trees(self) -> usize {
        match self {
            Kind::Hash => 1,
            other => other.trees().len(),
        }
    }

    /// True if its values are trees.
    #[must_use]
    pub fn has_trees(self) -> bool {
        !self.trees().is_empty()
    }

    /// True for a string in any form ([`Tx::text`]).
    #[must_use]
    pub fn is_string(self) -> bool {
        matches!(self, Kind::String | Kind::RawString | Kind::LargeString)
    }

    /// True if its values have elements ([`Tx::collection`]): it is no string.
    #[must_use]
    pub fn is_collection(self) -> bool {
        !self.is_string()
    }

    /// True if a value of it stays when its first tree is empty.
    pub(crate) fn may_be_empty(self) -> bool {
        matches!(self, Kind::Stream | Kind::LargeString | Kind::Bloom)
    }
}

/// What there is to know of a value besides its content, which [`Tx::text`] and [`Tx::collection`] give.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// Type of the payload.
    pub kind: Kind,
    pub(crate) bytes: &'a [u8],
    /// When the key expires.
    pub expiry: Option<UnixMs>,
    /// LFU counter after decay.
    pub freq: u8,
    /// Seconds since the last access.
    pub idle_seconds: u64,
}

/// What a write does to the key's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The key has no expiry afterwards.
    Never,
    /// The key expires at this time.
    At(UnixMs),
    /// As it was; only meaningful for a key that is resident (`get` it first).
    Keep,
}

/// A key is not in memory and has to be pinned.
#[derive(Clone, Copy, Debug)]
pub struct Fault;

/// A key that a lookup found past its time and deleted.
#[derive(Debug)]
pub struct ExpiredKey {
    /// Its database.
    pub db: u32,
    /// Its slot.
    pub slot: Slot,
    /// Its bytes.
    pub key: Box<[u8]>,
}

/// The locked slots of one command.
pub struct Tx<'s> {
    pub(crate) inner: &'s Inner,
    pub(crate) pins: &'s PinSet,
    now: UnixMs,
    tick: Tick,
    first: Option<(Slot, MutexGuard<'s, SlotTable>)>,
    rest: Vec<(Slot, MutexGuard<'s, SlotTable>)>,
    /// Log end when the first write of this command happened.
    dirty_at: Option<Offset>,
    /// End of the effect that is replayed.
    replay_end: Option<Offset>,
    expired: Vec<ExpiredKey>,
    /// Keys without a cold copy whose entry this command took out of memory, where others of their slot are
    /// cold: nothing else tells that they are absent.
    gone: Vec<(NamespaceId, Box<[u8]>)>,
    pub(crate) failure: Option<StoreError>,
    pub(crate) hits: u32,
    pub(crate) misses: u32,
    pub(crate) wrote: bool,
    skipped: bool,
    /// Accesses leave no trace in the keys' frequencies.
    pub(crate) no_touch: bool,
    /// The open collection keeps its changes from those who watch it; see `Collection::keep_from_watchers`.
    pub(crate) unwatched: bool,
    /// What this command's random numbers come from, if it has asked for any.
    pub(crate) seed: Option<u64>,
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field(
                "slots",
                &(usize::from(self.first.is_some()) + self.rest.len()),
            )
            .finish()
    }
}

/// The object whose root a record holds.
fn object_of(loaded: &Loaded) -> Option<ObjectId> {
    let kind = Kind::from_code(loaded.record.header().kind)?;
    let payload = loaded.record.payload();
    kind.has_trees().then(|| Object::id_of(payload)).flatten()
}

/// True if what a record holds can be read without surprises.
fn is_sound(loaded: &Loaded) -> bool {
    let payload = loaded.record.payload();
    let Some(kind) = Kind::from_code(loaded.record.header().kind) else {
        return false;
    };
    let (least, trees) = (kind.least_trees(), kind.trees());
    if trees.is_empty() {
        return true;
    }
    match Small::parse(payload) {
        Some(small) => small.is_sound(trees, least),
        None => Object::decode_root(payload)
            .is_some_and(|object| (least..=trees.len()).contains(&object.trees.len())),
    }
}

/// Where a lookup found a key.
pub(crate) enum Found {
    /// A live entry.
    Hot(Place),
    /// Only in the cold tier; this is its record.
    Cold(Arc<Loaded>),
    /// Nowhere.
    Absent,
}

impl Value<'_> {
    /// Bytes of the value as the store keeps it: a string's own, a root's or a page's of what has trees.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Where these bytes are at the moment, for those who look inside.
    #[must_use]
    pub fn address(&self) -> *const u8 {
        self.bytes.as_ptr()
    }
}

impl<'s> Tx<'s> {
    pub(crate) fn begin(
        inner: &'s Inner,
        slots: &[Slot],
        now: UnixMs,
        pins: &'s PinSet,
        replay: Option<(Offset, Offset)>,
    ) -> Tx<'s> {
        debug_assert!(
            slots.is_sorted_by(|a, b| a < b),
            "slots ascend and do not repeat"
        );
        inner.note_time(now);
        let lock = |slot: &Slot| (*slot, inner.slots[slot.index()].lock());
        let (first, rest) = match slots {
            [] => (None, Vec::new()),
            [only] => (Some(lock(only)), Vec::new()),
            [first, rest @ ..] => (Some(lock(first)), rest.iter().map(lock).collect()),
        };
        Tx {
            inner,
            pins,
            now,
            tick: Tick::at(now),
            first,
            rest,
            dirty_at: replay.map(|(start, _)| start),
            replay_end: replay.map(|(_, end)| end),
            expired: Vec::new(),
            gone: Vec::new(),
            failure: None,
            hits: 0,
            misses: 0,
            wrote: false,
            skipped: false,
            no_touch: false,
            unwatched: false,
            seed: None,
        }
    }

    /// Time of the command: all its expiry decisions use this one reading of the clock.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.now
    }

    /// Random numbers for this command: the same ones when it runs again after a fault, so that it does not choose
    /// anew what has just been read for it. To be asked once, before a collection is opened.
    pub fn rng(&mut self) -> SmallRng {
        let seed = self.pins.take_seed().unwrap_or_else(rand::random);
        self.seed = Some(seed);
        SmallRng::seed_from_u64(seed)
    }

    /// Whether accesses from here on count towards the keys' frequencies, as they do at first.
    pub fn count_accesses(&mut self, count: bool) {
        self.no_touch = !count;
    }

    /// Tells those who watch a key that it changed, though it did not.
    pub fn trip_watches(&mut self, key: &Key<'_>) {
        self.slot(key.slot).trip_watches(key.ns, key.bytes);
    }

    /// The keys that lookups found past their time and deleted; they must be logged as DEL before anything
    /// else of this command.
    #[must_use]
    pub fn expired(&self) -> &[ExpiredKey] {
        &self.expired
    }

    /// The error of the cold tier that a lookup met; the command has failed then.
    pub fn take_failure(&mut self) -> Option<StoreError> {
        self.failure.take()
    }

    /// Lookups that found their key, and that did not.
    #[must_use]
    pub fn lookups(&self) -> (u32, u32) {
        (self.hits, self.misses)
    }

    /// While replaying: the effect tried next ends at `end`. So a transaction has the places of its effects, and what is
    /// spilled later has the guard of the last.
    pub fn replay_upto(&mut self, end: Offset) {
        debug_assert!(self.replay_end.is_some(), "only where a log is applied");
        self.replay_end = Some(end);
    }

    /// While replaying: the effect just tried is already in a record met (rule 2) and must not be applied. Asking
    /// makes ready for the next effect.
    pub fn take_skipped(&mut self) -> bool {
        std::mem::take(&mut self.skipped)
    }

    #[inline]
    fn slot(&mut self, slot: Slot) -> &mut SlotTable {
        match &mut self.first {
            Some((first, table)) if *first == slot => table,
            _ => {
                let at = self.rest.binary_search_by_key(&slot, |(slot, _)| *slot);
                &mut self.rest[at.expect("a command touches only keys it declared")].1
            }
        }
    }

    #[inline]
    pub(crate) fn space(&mut self, key: &Key<'_>) -> Option<&mut Space> {
        self.slot(key.slot).space(key.ns)
    }

    /// Finds a key; deletes it if its time is over and this node may.
    #[inline]
    pub(crate) fn find(&mut self, key: &Key<'_>) -> Result<Found, Fault> {
        let now = self.now;
        let Some(space) = self.space(key) else {
            return Ok(Found::Absent);
        };
        if let Some(place) = space.table.find(key.hash, key.bytes) {
            let entry = space.table.entry(place);
            if entry.is_tombstone() {
                return Ok(Found::Absent);
            }
            if entry.expiry().is_some_and(|at| at <= now) && self.replay_end.is_none() {
                self.expire_hot(key, place);
                return Ok(Found::Absent);
            }
            return Ok(Found::Hot(place));
        }
        if space.cold_only == 0 {
            return Ok(Found::Absent);
        }
        self.find_cold(key)
    }

    #[cold]
    fn find_cold(&mut self, key: &Key<'_>) -> Result<Found, Fault> {
        if self.is_gone(key) {
            return Ok(Found::Absent);
        }
        let loaded = match self.pins.look(key) {
            Ok(Pinned::Record(loaded)) => loaded,
            Ok(Pinned::Absent) => return Ok(Found::Absent),
            Ok(Pinned::No) => {
                assert!(!self.wrote, "a command faults before its first write");
                return Err(Fault);
            }
            Err(error) => {
                assert!(!self.wrote, "a command fails before its first write");
                self.failure = Some(error);
                return Err(Fault);
            }
        };
        let header = loaded.record.header();
        if !is_sound(&loaded) {
            self.failure = Some(StoreError::Damaged("a value of several parts".to_owned()));
            return Err(Fault);
        }
        if let Some(end) = self.replay_end {
            if header.guard >= end {
                self.skipped = true;
                return Err(Fault);
            }
            return Ok(Found::Cold(loaded));
        }
        if header.is_expired(self.now) {
            self.expire_cold(key, Marks::of_record(header), object_of(&loaded));
            return Ok(Found::Absent);
        }
        Ok(Found::Cold(loaded))
    }

    fn expire_hot(&mut self, key: &Key<'_>, place: Place) {
        if !self.inner.is_master() {
            return;
        }
        let at = self.dirty_at();
        let seed = self.inner.seed;
        self.slot(key.slot).changed(key.ns, key.hash, key.bytes);
        let pure_cache = !self.inner.has_cold();
        let space = self.space(key).expect("the key was found here");
        if pure_cache {
            space.forget(place, seed);
        } else {
            space.delete(place, key.hash, at, seed);
            self.note_gone(key);
        }
        self.note_expired(key);
    }

    fn expire_cold(&mut self, key: &Key<'_>, marks: Marks, object: Option<ObjectId>) {
        if !self.inner.is_master() {
            return;
        }
        let at = self.dirty_at();
        let seed = self.inner.seed;
        self.slot(key.slot).changed(key.ns, key.hash, key.bytes);
        let space = self.space(key).expect("the key is counted here");
        space.delete_cold(key.hash, key.bytes, marks, object, at, seed);
        self.note_expired(key);
    }

    fn is_gone(&self, key: &Key<'_>) -> bool {
        let same = |(ns, bytes): &(NamespaceId, Box<[u8]>)| *ns == key.ns && **bytes == *key.bytes;
        self.gone.iter().any(same)
    }

    /// To be called when a key was deleted that had an entry; see `gone`.
    fn note_gone(&mut self, key: &Key<'_>) {
        let space = self.space(key).expect("the key was found here");
        if space.cold_only > 0 && space.table.find(key.hash, key.bytes).is_none() {
            self.gone.push((key.ns, key.bytes.into()));
        }
    }

    fn note_expired(&mut self, key: &Key<'_>) {
        self.inner.stats.expired_keys.add(1);
        self.inner.host().deleted(key.db, key.bytes);
        self.expired.push(ExpiredKey {
            db: key.db,
            slot: key.slot,
            key: key.bytes.into(),
        });
    }

    /// Log end before this command's first effect: where what it makes dirty begins.
    fn dirty_at(&mut self) -> Offset {
        match self.dirty_at {
            Some(at) => at,
            None => *self.dirty_at.insert(self.inner.host().applied()),
        }
    }

    /// True if the key can be looked up without a fault.
    pub fn is_resident(&mut self, key: &Key<'_>) -> bool {
        if self.is_gone(key) {
            return true;
        }
        let Some(space) = self.space(key) else {
            return true;
        };
        space.cold_only == 0
            || space.table.find(key.hash, key.bytes).is_some()
            || !matches!(self.pins.look(key), Ok(Pinned::No))
    }

    /// True if no page of the key's value is absent, so that nothing done with it faults. To be asked of resident keys.
    pub fn is_whole(&mut self, key: &Key<'_>) -> bool {
        let place = self.space(key).and_then(|space| {
            let place = space.table.find(key.hash, key.bytes)?;
            Some(space.table.entry(place))
        });
        match place {
            Some(entry) => entry.object().is_none_or(|object| object.table.is_whole()),
            None => match self.pins.look(key) {
                Ok(Pinned::Record(loaded)) => object_of(&loaded).is_none(),
                _ => true,
            },
        }
    }

    /// Puts a cold record into memory, clean.
    pub(crate) fn install(&mut self, key: &Key<'_>, loaded: &Loaded) -> Place {
        let header = loaded.record.header();
        let kind = Kind::from_code(header.kind).unwrap_or(Kind::String);
        let marks = Marks::of_record(header);
        let heat = if self.inner.heat.is_lru() {
            self.inner.heat.fresh(self.tick)
        } else {
            (loaded.counter, (self.now.0 / 60_000) as u16)
        };
        let seed = self.inner.seed;
        self.inner.stats.promoted.add(1);
        let payload = loaded.record.payload();
        let object = if kind.has_trees() {
            Object::decode_root(payload).map(|object| Entry::object_value(Box::new(object)))
        } else {
            None
        };
        let value = object.as_ref().map_or(payload, |object| &object[..]);
        let new = NewEntry::new(key, kind, value, header.expiry, heat, seed);
        let space = self.space(key).expect("the key is counted here");
        space.insert_loaded(&new, marks)
    }

    /// The key's entry for a change; installs the cold copy.
    pub(crate) fn find_for_write(&mut self, key: &Key<'_>) -> Result<Option<Place>, Fault> {
        Ok(match self.find(key)? {
            Found::Hot(place) => Some(place),
            Found::Absent => None,
            Found::Cold(loaded) => Some(self.install(key, &loaded)),
        })
    }

    /// Notes that the object of a key, which is in memory, is being changed.
    pub(crate) fn mark_object_written(&mut self, key: &Key<'_>) {
        let at = self.begin_write(key);
        let space = self.space(key).expect("the key was found here");
        let place = space
            .table
            .find(key.hash, key.bytes)
            .expect("the key was found here");
        space.mark_written(place, key.hash, at);
    }

    /// The time before which no field of a hash in memory expires has changed.
    pub(crate) fn note_fields(
        &mut self,
        key: &Key<'_>,
        before: Option<UnixMs>,
        after: Option<UnixMs>,
    ) {
        let space = self.space(key).expect("the key was found here");
        space.note_fields(key.hash, before, after);
    }

    /// Counts fields that were deleted because their time is over.
    pub fn count_expired_fields(&self, n: u64) {
        self.inner.stats.expired_fields.add(n);
    }

    pub(crate) fn touch(&mut self, key: &Key<'_>, place: Place) {
        if self.no_touch {
            return;
        }
        let (inner, tick) = (self.inner, self.tick);
        let space = self.space(key).expect("the key was found here");
        let entry = space.table.entry(place);
        let (old, clock) = (space.table.lfu(place), entry.clock());
        let (counter, minutes) = inner.heat.touched(old, clock, tick);
        if counter != old {
            space.table.set_lfu(place, counter);
        }
        if minutes != clock {
            entry.set_clock(minutes);
        }
    }

    fn value(&mut self, key: &Key<'_>, place: Place) -> Value<'_> {
        let (inner, tick) = (self.inner, self.tick);
        let space = self.space(key).expect("the key was found here");
        let entry = space.table.entry(place);
        let (counter, clock) = (space.table.lfu(place), entry.clock());
        Value {
            kind: entry.kind().expect("a live entry"),
            bytes: entry.value(),
            expiry: entry.expiry(),
            freq: inner.heat.decayed(counter, clock, tick),
            idle_seconds: inner.heat.idle_seconds(counter, clock, tick),
        }
    }

    #[inline]
    fn read(&mut self, key: &Key<'_>, touch: bool) -> Result<Option<Value<'_>>, Fault> {
        match self.read_hot(key, touch) {
            Some(value) => Ok(Some(value)),
            None => self.read_found(key, touch),
        }
    }

    /// A live entry's value with one look at the slot; `None` leaves everything else to [`Tx::find`]. The value
    /// is good for as long as nothing changes here, which [`Tx::read`] sees to.
    #[inline]
    pub(crate) fn read_hot<'v>(&mut self, key: &Key<'_>, touch: bool) -> Option<Value<'v>> {
        let (inner, tick, now) = (self.inner, self.tick, self.now);
        let touch = touch && !self.no_touch;
        let space = self.space(key)?;
        let place = space.table.find(key.hash, key.bytes)?;
        let entry = space.table.entry(place);
        let kind = entry.kind()?;
        let expiry = entry.expiry();
        if expiry.is_some_and(|at| at <= now) {
            return None;
        }
        let (old, clock) = (space.table.lfu(place), entry.clock());
        let (counter, minutes) = if touch {
            inner.heat.touched(old, clock, tick)
        } else {
            (old, clock)
        };
        if counter != old {
            space.table.set_lfu(place, counter);
        }
        if minutes != clock {
            entry.set_clock(minutes);
        }
        self.hits += 1;
        Some(Value {
            kind,
            bytes: entry.value(),
            expiry,
            freq: inner.heat.decayed(counter, minutes, tick),
            idle_seconds: inner.heat.idle_seconds(counter, minutes, tick),
        })
    }

    pub(crate) fn read_found(
        &mut self,
        key: &Key<'_>,
        touch: bool,
    ) -> Result<Option<Value<'_>>, Fault> {
        match self.find(key)? {
            Found::Absent => {
                self.misses += 1;
                Ok(None)
            }
            Found::Hot(place) => {
                self.hits += 1;
                if touch {
                    self.touch(key, place);
                }
                Ok(Some(self.value(key, place)))
            }
            Found::Cold(loaded) if touch && loaded.admitted && !self.no_touch => {
                self.hits += 1;
                let place = self.install(key, &loaded);
                Ok(Some(self.value(key, place)))
            }
            Found::Cold(loaded) => {
                self.hits += 1;
                Ok(Some(self.cold_value(key, &loaded)))
            }
        }
    }

    /// The value served from the read itself, which the pin keeps alive.
    fn cold_value(&self, key: &Key<'_>, loaded: &Loaded) -> Value<'_> {
        let Some(pinned) = self.pins.record(key) else {
            unreachable!("the record came from the pin")
        };
        let header = loaded.record.header();
        Value {
            kind: Kind::from_code(header.kind).unwrap_or(Kind::String),
            bytes: pinned.record.payload(),
            expiry: header.expiry,
            freq: loaded.counter,
            idle_seconds: self.inner.heat.idle_seconds(
                header.lfu_counter,
                header.lfu_clock,
                self.tick,
            ),
        }
    }

    /// Reads a key and counts the access. A key past its expiry is absent (and, on a master, deleted).
    ///
    /// # Errors
    /// [`Fault`] if the key has to be pinned first.
    #[inline]
    pub fn get(&mut self, key: &Key<'_>) -> Result<Option<Value<'_>>, Fault> {
        self.read(key, true)
    }

    /// Reads a key without counting the access (OBJECT, TYPE, TTL, EXISTS of NO-TOUCH clients).
    ///
    /// # Errors
    /// [`Fault`] if the key has to be pinned first.
    pub fn peek(&mut self, key: &Key<'_>) -> Result<Option<Value<'_>>, Fault> {
        self.read(key, false)
    }

    /// True if the key is there; counts the access.
    ///
    /// # Errors
    /// [`Fault`] if the key has to be pinned first.
    pub fn exists(&mut self, key: &Key<'_>) -> Result<bool, Fault> {
        Ok(self.read(key, true)?.is_some())
    }

    /// Sets the key, whatever it was. `Expiry::Keep` needs a preceding `get`/`peek`/`exists` of the key.
    pub fn set(&mut self, key: &Key<'_>, kind: Kind, value: &[u8], expiry: Expiry) {
        if let Some(place) = self
            .space(key)
            .and_then(|space| space.table.find(key.hash, key.bytes))
        {
            let at = self.begin_write(key);
            self.touch(key, place);
            let space = self.space(key).expect("the key was found here");
            let entry = space.table.entry(place);
            let expiry = match expiry {
                Expiry::Never => None,
                Expiry::At(at) => Some(at),
                Expiry::Keep if entry.is_tombstone() => None,
                Expiry::Keep => entry.expiry(),
            };
            space.overwrite(place, key.hash, kind, value, expiry, at);
            return;
        }
        // What a pin knows of the cold copy is void once the write has begun.
        let (cold, kept) = self.cold_copy(key);
        let at = self.begin_write(key);
        let expiry = match expiry {
            Expiry::Never => None,
            Expiry::At(at) => Some(at),
            Expiry::Keep => kept,
        };
        let heat = self.inner.heat.fresh(self.tick);
        let new = NewEntry::new(key, kind, value, expiry, heat, self.inner.seed);
        self.space_or_new(key).insert_written(&new, cold, at);
    }

    /// What is known of the cold copy of a key without an entry, and its expiry.
    fn cold_copy(&mut self, key: &Key<'_>) -> (ColdCopy, Option<UnixMs>) {
        if self.space(key).is_none_or(|space| space.cold_only == 0) || self.is_gone(key) {
            return (ColdCopy::No, None);
        }
        match self.pins.look(key) {
            Ok(Pinned::Absent) => (ColdCopy::No, None),
            Ok(Pinned::Record(loaded)) => {
                let header = loaded.record.header();
                let expiry = header.expiry;
                (
                    ColdCopy::Yes {
                        marks: Marks::of_record(header),
                        object: object_of(&loaded),
                    },
                    expiry,
                )
            }
            _ => (ColdCopy::Unknown, None),
        }
    }

    /// Notes that the command writes from here on, and that the key changes.
    pub(crate) fn begin_write(&mut self, key: &Key<'_>) -> Offset {
        let at = self.dirty_at();
        self.wrote = true;
        let (replay_end, unwatched) = (self.replay_end, self.unwatched);
        let slot = self.slot(key.slot);
        if unwatched {
            slot.void_loads(key.ns, key.hash, key.bytes);
        } else {
            slot.changed(key.ns, key.hash, key.bytes);
        }
        if let Some(end) = replay_end {
            slot.applied = slot.applied.max(end);
        }
        at
    }

    fn space_or_new(&mut self, key: &Key<'_>) -> &mut Space {
        let inner = self.inner;
        let slot = self.slot(key.slot);
        if slot.space(key.ns).is_none() {
            let names = inner
                .keyspace
                .namespace(key.ns)
                .expect("a command sees only live namespaces");
            slot.add_space(key.slot, names);
        }
        slot.space(key.ns).expect("it is there now")
    }

    /// Gives a key that was just written the frequency or the idle time it had elsewhere.
    pub fn set_heat(&mut self, key: &Key<'_>, freq: Option<u8>, idle_seconds: Option<u64>) {
        if freq.is_none() && idle_seconds.is_none() {
            return;
        }
        let (counter, clock) = self.inner.heat.restored(freq, idle_seconds, self.tick);
        if let Some(space) = self.space(key)
            && let Some(place) = space.table.find(key.hash, key.bytes)
        {
            space.table.set_lfu(place, counter);
            space.table.entry(place).set_clock(clock);
        }
    }

    /// Deletes the key; true if it was there.
    ///
    /// # Errors
    /// [`Fault`] if the key has to be pinned first.
    pub fn remove(&mut self, key: &Key<'_>) -> Result<bool, Fault> {
        let found = self.find(key)?;
        if matches!(found, Found::Absent) {
            return Ok(false);
        }
        let at = self.begin_write(key);
        let seed = self.inner.seed;
        let pure_cache = !self.inner.has_cold();
        let space = self.space(key).expect("the key was found here");
        match found {
            Found::Absent => unreachable!("returned above"),
            Found::Hot(place) if pure_cache => space.forget(place, seed),
            Found::Hot(place) => {
                space.delete(place, key.hash, at, seed);
                self.note_gone(key);
            }
            Found::Cold(loaded) => {
                let marks = Marks::of_record(loaded.record.header());
                let object = object_of(&loaded);
                space.delete_cold(key.hash, key.bytes, marks, object, at, seed);
            }
        }
        Ok(true)
    }

    /// Changes only the expiry; false if the key is absent.
    ///
    /// # Errors
    /// [`Fault`] if the key has to be pinned first.
    pub fn set_expiry(&mut self, key: &Key<'_>, expiry: Option<UnixMs>) -> Result<bool, Fault> {
        let Some(place) = self.find_for_write(key)? else {
            return Ok(false);
        };
        let at = self.begin_write(key);
        self.space(key)
            .expect("the key was found here")
            .set_expiry(place, key.hash, expiry, at);
        Ok(true)
    }

    /// Gives the existing value, a plain string, grown with zeroes to at least `len`, for modification in place; creates
    /// the key if absent. Keeps the expiry. The kind becomes `RawString`. For short values alone, since what it makes
    /// is never a tree; see [`Tx::write_text`].
    ///
    /// # Errors
    /// [`Fault`] if the key has to be pinned first.
    pub fn modify(&mut self, key: &Key<'_>, len: usize) -> Result<&mut [u8], Fault> {
        let place = match self.find_for_write(key)? {
            Some(place) => place,
            None => {
                self.set(key, Kind::RawString, &[], Expiry::Never);
                self.find_for_write(key)?.expect("just set")
            }
        };
        let space = self.space(key).expect("the key was found here");
        let new_len = space.table.entry(place).value_len().max(len);
        Ok(self.change(key, place, new_len))
    }

    pub(crate) fn change(&mut self, key: &Key<'_>, place: Place, new_len: usize) -> &mut [u8] {
        let at = self.begin_write(key);
        self.touch(key, place);
        let space = self.space(key).expect("the key was found here");
        let mut entry = space.table.entry(place);
        if new_len > entry.value_len() {
            entry = entry.grow(new_len);
            space.table.set_entry(place, entry);
        }
        entry.set_kind(Kind::RawString);
        space.mark_written(place, key.hash, at);
        entry.value_mut()
    }

    /// Makes a pinned cold key hot, clean; true if the key is in memory then. It deletes no key whose time is
    /// over, since its callers log nothing.
    pub(crate) fn warm(&mut self, key: &Key<'_>) -> bool {
        let Some(space) = self.space(key) else {
            return false;
        };
        if let Some(place) = space.table.find(key.hash, key.bytes) {
            return !space.table.entry(place).is_tombstone();
        }
        match self.pins.look(key) {
            Ok(Pinned::Record(loaded)) if !loaded.record.header().is_expired(self.now) => {
                self.install(key, &loaded);
                true
            }
            _ => false,
        }
    }

    /// Has `flag` set when the key is next changed, deleted or expired.
    pub fn watch(&mut self, key: &Key<'_>, flag: &Arc<AtomicBool>) {
        let watch = Watch {
            ns: key.ns,
            key: key.bytes.into(),
            flag: Arc::clone(flag),
        };
        self.slot(key.slot).watches.push(watch);
    }
}
