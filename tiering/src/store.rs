//! The store: slots, both tiers, and the roles that move keys between them.
//!
//! A `Store` is a cheap handle. Its parts, each in the file of its name: `keyspace` (databases), `tx` (what
//! a command does under slot locks), `promote` (cold reads), `spill` (writing to the cold tier, eviction),
//! `checkpoint` (what is written when, and the replay offset), `budget` (memory), `expire`, `scan`, `warm`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use basalt_binlog::Offset;
use parking_lot::Mutex;

use crate::budget::{Admission, Budget, Policy, RoomWait, effective_max};
use crate::checkpoint::Checkpointer;
use crate::cold::{ColdError, ColdOptions, ColdTier};
use crate::disk::DiskRoom;
use crate::keyspace::{Keyspace, SavedKeyspace};
use crate::lfu::{Heat, Tick};
use crate::promote::{PinSet, PinWait};
use crate::readers::Readers;
use crate::sketch::Sketch;
use crate::space::SlotTable;
use crate::spill::Spiller;
use crate::stats::{Counters, StoreStats};
use crate::tree::ObjectId;
use crate::tx::{Key, Tx};
use crate::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};

/// What the store needs of the server around it.
pub trait Host: Send + Sync {
    /// End of the binlog. Without a binlog: always the same.
    fn log_end(&self) -> Offset;
    /// Every effect before this offset is in the store, and none beyond it but those its slot knows of. A node
    /// that applies a log it did not write itself is behind the log's end.
    fn applied(&self) -> Offset {
        self.log_end()
    }
    /// Returns when the binlog is on disk up to `upto` (rule 1: log before data).
    ///
    /// # Errors
    /// The text of the log's error; nothing that depends on `upto` may be written then.
    fn sync_log(&self, upto: Offset) -> Result<(), String>;
    /// Logs `DEL` for keys the store deletes by itself. Called under the lock of their slot.
    fn log_deletes(&self, db: u32, slot: Slot, keys: &[&[u8]], reason: DeleteReason);
    /// A command has found this key past its time and deleted it, which it logs itself. Called under the lock of its slot.
    fn deleted(&self, db: u32, key: &[u8]);
    /// Logs `HDEL` for fields of a hash whose time is over. Called under the lock of its slot.
    fn log_field_deletes(&self, db: u32, slot: Slot, key: &[u8], fields: &[Vec<u8>]);
    /// False on a replica: then nothing expires or is evicted by itself.
    fn is_master(&self) -> bool;
    /// Runs `work` while no exclusive operation can begin.
    fn with_gate(&self, work: &mut dyn FnMut());
    /// The cold tier holds, durably, all effects before `replay`: the log before it may go.
    fn persisted(&self, replay: Offset);
}

/// Why the store deletes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteReason {
    /// Its time is over.
    Expired,
    /// There is no more room and the policy says so.
    Evicted,
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Directory of the cold tier.
    pub cold_dir: PathBuf,
    /// Number of databases.
    pub databases: u32,
    /// Cold keys leave memory.
    pub tiering: bool,
    /// There is a binlog, so that the cold tier can be recovered from; else it starts empty.
    pub durable: bool,
    /// Threads for cold reads.
    pub readers: usize,
    /// Limits that can change at run time.
    pub limits: StoreLimits,
}

/// Limits and parameters that can change while the store runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Budget of the whole process in bytes; 0: none given.
    pub maxmemory: u64,
    /// Budget of the cold tier on disk in bytes; 0: none given.
    pub maxdisk: u64,
    /// What happens when there is no more room.
    pub policy: Policy,
    /// Keys looked at per eviction in memory-only mode.
    pub samples: usize,
    /// `lfu-log-factor`.
    pub lfu_log_factor: u32,
    /// `lfu-decay-time`, minutes.
    pub lfu_decay_minutes: u32,
    /// Longest time an effect stays outside the cold tier, milliseconds.
    pub checkpoint_interval_ms: u64,
    /// Longest part of the log that a restart should have to replay, bytes.
    pub replay_limit_bytes: u64,
    /// Expired keys are deleted without being asked for.
    pub active_expire: bool,
    /// Share of the time that this may take of one processor, percent; twice as much while more is due than that is
    /// enough for.
    pub expire_percent: u32,
    /// Hot keys are saved and loaded again after a restart.
    pub warmup: bool,
    /// Keys per second that warming loads.
    pub warmup_rate: u64,
}

/// Why the store cannot do something.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The cold tier failed.
    #[error("cold tier: {0}")]
    Cold(Arc<ColdError>),
    /// The binlog failed.
    #[error("binlog: {0}")]
    Log(String),
    /// What is stored is not what this version writes.
    #[error("damaged state in the cold tier: {0}")]
    Damaged(String),
    /// The store is being closed.
    #[error("the store is shutting down")]
    Closed,
}

impl From<ColdError> for StoreError {
    fn from(error: ColdError) -> Self {
        StoreError::Cold(Arc::new(error))
    }
}

/// Everything behind a [`Store`].
pub(crate) struct Inner {
    pub(crate) slots: Box<[SlotCell]>,
    pub(crate) keyspace: Keyspace,
    pub(crate) seed: u64,
    pub(crate) heat: Heat,
    pub(crate) sketch: Sketch,
    pub(crate) budget: Budget,
    pub(crate) readers: Readers,
    pub(crate) checkpointer: Checkpointer,
    pub(crate) spiller: Spiller,
    pub(crate) disk: DiskRoom,
    pub(crate) stats: Counters,
    /// The next object id.
    pub(crate) next_object: AtomicU64,
    /// See [`Store::may_hold`]; changes under the spiller's turn.
    pub(crate) held: AtomicU64,
    held_at_open: Offset,
    pub(crate) tiering: bool,
    pub(crate) durable: bool,
    pub(crate) limits: Mutex<Arc<StoreLimits>>,
    /// True from opening until recovery has replayed the log.
    pub(crate) replaying: AtomicBool,
    pub(crate) closing: AtomicBool,
    cold: Option<ColdTier>,
    host: OnceLock<Arc<dyn Host>>,
    clock_ms: AtomicU64,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("tiering", &self.tiering)
            .finish_non_exhaustive()
    }
}

/// A slot's lock on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct SlotCell(Mutex<SlotTable>);

impl SlotCell {
    #[inline]
    pub(crate) fn lock(&self) -> parking_lot::MutexGuard<'_, SlotTable> {
        self.0.lock()
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<parking_lot::MutexGuard<'_, SlotTable>> {
        self.0.try_lock()
    }
}

impl Inner {
    /// The cold tier. Asking for it in a pure cache is a bug.
    pub(crate) fn cold(&self) -> &ColdTier {
        self.cold.as_ref().expect("a pure cache has no cold tier")
    }

    /// The cold tier, if there is one.
    pub(crate) fn cold_tier(&self) -> Option<&ColdTier> {
        self.cold.as_ref()
    }

    /// The server around the store.
    pub(crate) fn host(&self) -> &dyn Host {
        self.host
            .get()
            .expect("the store is attached before it serves")
            .as_ref()
    }

    /// True once [`Store::attach`] was called.
    pub(crate) fn attached(&self) -> bool {
        self.host.get().is_some()
    }

    /// A recent reading of the clock.
    pub(crate) fn tick(&self) -> Tick {
        Tick::at(UnixMs(self.clock_ms.load(Relaxed)))
    }

    /// Refreshes the recent reading; called by commands and by the housekeeper.
    pub(crate) fn note_time(&self, now: UnixMs) {
        if self.clock_ms.load(Relaxed) != now.0 {
            self.clock_ms.store(now.0, Relaxed);
        }
    }

    /// The limits as they are now.
    pub(crate) fn limits(&self) -> Arc<StoreLimits> {
        Arc::clone(&self.limits.lock())
    }

    /// True if entries are written to a cold tier at all.
    pub(crate) fn has_cold(&self) -> bool {
        self.cold.is_some()
    }

    /// An identity for a large value, never given before.
    pub(crate) fn new_object(&self) -> ObjectId {
        ObjectId(self.next_object.fetch_add(1, Relaxed))
    }

    /// True if deletions by the store itself are allowed now.
    pub(crate) fn is_master(&self) -> bool {
        !self.replaying.load(Relaxed) && self.attached() && self.host().is_master()
    }

    /// Up to where the slot, whose lock is held, is complete: what is applied everywhere, or in this slot.
    pub(crate) fn guard(&self, slot: &SlotTable) -> Offset {
        if self.replaying.load(Relaxed) {
            slot.applied
        } else {
            slot.applied.max(self.host().applied())
        }
    }
}

/// Handle of the store.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// What opening found.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// Where replay must begin; `None` for a cold tier that held nothing.
    pub replay_from: Option<Offset>,
    /// Keys in the cold tier.
    pub keys: u64,
}

pub(crate) const STATE_SEED: &str = "seed";
pub(crate) const STATE_KEYSPACE: &str = "keyspace";
pub(crate) const STATE_REPLAY: &str = "replay";
pub(crate) const STATE_OBJECTS: &str = "objects";
/// Up to where of the log the cold tier may hold what effects did.
pub(crate) const STATE_HELD: &str = "held";
pub(crate) const STATE_COUNTS: &str = "count/";

impl Store {
    /// Opens the store. Nothing may be asked of it until [`Store::attach`].
    ///
    /// # Errors
    /// The cold tier cannot be opened, or holds what this version did not write.
    pub fn open(options: StoreOptions) -> Result<(Store, Opened), StoreError> {
        let wants_cold = options.tiering || options.durable;
        if !options.durable && options.cold_dir.exists() {
            // Without a log the cold tier is scratch space: nothing tells what it lacks.
            ColdTier::destroy(&options.cold_dir)?;
        }
        let cold = if wants_cold {
            Some(open_cold(&options)?)
        } else {
            None
        };
        let saved = read_saved(cold.as_ref())?;
        let limits = options.limits;
        let inner = Arc::new(Inner {
            slots: (0..SLOTS).map(|_| SlotCell::default()).collect(),
            keyspace: Keyspace::new(options.databases, wants_cold, saved.keyspace),
            seed: saved.seed,
            heat: Heat::new(limits.lfu_log_factor, limits.lfu_decay_minutes),
            sketch: Sketch::new(if options.tiering {
                Sketch::bytes_for(effective_max(true, &limits))
            } else {
                64
            }),
            budget: Budget::new(options.tiering, &limits),
            readers: Readers::new(),
            checkpointer: Checkpointer::new(saved.replay.unwrap_or(Offset(0))),
            spiller: Spiller::default(),
            disk: DiskRoom::default(),
            stats: Counters::default(),
            next_object: AtomicU64::new(saved.next_object),
            held: AtomicU64::new(saved.held.0),
            held_at_open: saved.held,
            tiering: options.tiering,
            durable: options.durable,
            limits: Mutex::new(Arc::new(limits.clone())),
            replaying: AtomicBool::new(true),
            closing: AtomicBool::new(false),
            cold,
            host: OnceLock::new(),
            clock_ms: AtomicU64::new(UnixMs::now().0),
        });
        let store = Store { inner };
        store.reconfigure(limits);
        let keys = store.inner.read_counts()?;
        if store.inner.has_cold() {
            store.inner.start_readers(options.readers);
        }
        Ok((
            store,
            Opened {
                replay_from: saved.replay,
                keys,
            },
        ))
    }

    /// Connects the store to the server around it.
    ///
    /// # Panics
    /// If it was attached before.
    pub fn attach(&self, host: Arc<dyn Host>) {
        assert!(
            self.inner.host.set(host).is_ok(),
            "a store is attached once"
        );
    }

    /// Recovery is over: background work begins, offsets come from the log from now on.
    pub fn start(&self) {
        self.inner.replaying.store(false, Relaxed);
        self.inner.start_background();
    }

    /// Stops background work. With `save` everything dirty is written and flushed first.
    ///
    /// # Errors
    /// What kept the last checkpoint from being written.
    pub fn close(&self, save: bool) -> Result<(), StoreError> {
        let saved = if save && self.inner.durable {
            self.checkpoint()
        } else {
            Ok(())
        };
        self.inner.closing.store(true, Relaxed);
        self.inner.end_compaction();
        self.inner.checkpointer.stop();
        self.inner.readers.stop();
        // Who waits for room waits no longer.
        self.inner.budget.judge();
        saved
    }

    /// Number of databases.
    #[must_use]
    pub fn databases(&self) -> u32 {
        self.inner.keyspace.databases()
    }

    /// The namespace a database maps to now.
    #[must_use]
    pub fn namespace(&self, db: u32) -> NamespaceId {
        self.inner.keyspace.of(db)
    }

    /// A key with its coordinates.
    #[inline]
    #[must_use]
    pub fn key<'a>(&self, db: u32, bytes: &'a [u8]) -> Key<'a> {
        let inner = &*self.inner;
        Key {
            db,
            ns: inner.keyspace.of(db),
            slot: Slot::of(bytes),
            hash: KeyHash::of(inner.seed, bytes),
            bytes,
        }
    }

    /// A key whose slot and hash are known from an earlier [`Store::key`] of the same bytes.
    #[inline]
    #[must_use]
    pub fn key_again<'a>(&self, db: u32, bytes: &'a [u8], slot: Slot, hash: KeyHash) -> Key<'a> {
        debug_assert_eq!(slot, Slot::of(bytes));
        Key {
            db,
            ns: self.inner.keyspace.of(db),
            slot,
            hash,
            bytes,
        }
    }

    /// A key as an effect at `offset` meant it.
    ///
    /// `None` if its database was flushed since: the effect concerns nothing that is left.
    #[must_use]
    pub fn key_at<'a>(&self, db: u32, bytes: &'a [u8], offset: Offset) -> Option<Key<'a>> {
        let ns = self.namespace_at(db, offset)?;
        Some(Key {
            ns,
            ..self.key(db, bytes)
        })
    }

    /// The namespace that a database was at `offset`; `None` if it was flushed since.
    #[must_use]
    pub fn namespace_at(&self, db: u32, offset: Offset) -> Option<NamespaceId> {
        let ns = self.inner.keyspace.at(db, offset);
        self.inner.keyspace.namespace(ns)?;
        Some(ns)
    }

    /// Counts the changes of the map of databases since the start. While it stays the same, what [`Store::namespace_at`] said
    /// holds up to the next change in the log.
    #[inline]
    #[must_use]
    pub fn keyspace_changes(&self) -> u64 {
        self.inner.keyspace.changes()
    }

    /// Takes the locks of `slots` (ascending, each once).
    #[inline]
    pub fn begin<'s>(&'s self, slots: &[Slot], now: UnixMs, pins: &'s PinSet) -> Tx<'s> {
        Tx::begin(&self.inner, slots, now, pins, None)
    }

    /// True if the cold tier, as it was opened, may hold what came after an effect that ends at `end`.
    ///
    /// Then the effect may not fit what it is applied to anew: a key that was deleted later leaves no record, and so no
    /// guard that would have the effect skipped. The deletion itself is still to be replayed.
    #[must_use]
    pub fn may_hold(&self, end: Offset) -> bool {
        end < self.inner.held_at_open
    }

    /// As [`Store::begin`], for recovery: the effect that ends at `end` (and begins at `start`) is applied.
    pub fn begin_replay<'s>(
        &'s self,
        slots: &[Slot],
        now: UnixMs,
        pins: &'s PinSet,
        start: Offset,
        end: Offset,
    ) -> Tx<'s> {
        Tx::begin(&self.inner, slots, now, pins, Some((start, end)))
    }

    /// Makes keys resident for the command that has faulted; `None` if nothing has to be waited for.
    ///
    /// Pages of large values that the command missed are wanted by `pins` itself.
    pub fn pin(&self, keys: &[Key<'_>], pins: &mut PinSet) -> Option<PinWait> {
        self.inner.pin(keys, pins)
    }

    /// Starts the reads of keys without waiting for them.
    pub fn prefetch(&self, keys: &[Key<'_>], pins: &mut PinSet) {
        self.inner.start_pins(keys, pins);
    }

    /// Brings what lookups of `keys` read in memory into the processor's caches.
    pub fn prefetch_hot(&self, keys: &[Key<'_>]) {
        self.inner.prefetch_hot(keys);
    }

    /// Brings what lookups of `elements` in the collection of `key` read in memory into the processor's caches.
    pub fn prefetch_elements<'e>(&self, key: &Key<'_>, elements: impl Iterator<Item = &'e [u8]>) {
        self.inner.prefetch_elements(key, elements);
    }

    /// As [`Store::pin`], blocking.
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn pin_blocking(&self, keys: &[Key<'_>], pins: &mut PinSet) -> Result<(), StoreError> {
        self.inner.pin_blocking(keys, pins)
    }

    /// Ends a WATCH: `flag` no longer waits for `keys`.
    pub fn unwatch(&self, flag: &Arc<AtomicBool>, slots: &[Slot]) {
        for slot in slots {
            self.inner.slots[slot.index()]
                .lock()
                .watches
                .retain(|watch| !Arc::ptr_eq(&watch.flag, flag));
        }
    }

    /// Whether a write may go on.
    #[inline]
    #[must_use]
    pub fn admit_write(&self) -> Admission {
        self.inner.budget.admit()
    }

    /// Resolves when there may be room for a write again.
    #[must_use]
    pub fn room(&self) -> RoomWait {
        RoomWait::new(&self.inner)
    }

    /// Takes new limits.
    pub fn reconfigure(&self, limits: StoreLimits) {
        let inner = &*self.inner;
        let lru = !inner.tiering && limits.policy.is_lru();
        inner
            .heat
            .configure(limits.lfu_log_factor, limits.lfu_decay_minutes, lru);
        inner.budget.configure(&limits);
        if let Some(cold) = inner.cold_tier()
            && let Err(error) = cold.set_memory_budget(inner.budget.cold_bytes())
        {
            tracing::warn!(%error, "the cold tier keeps its memory budget");
        }
        *inner.limits.lock() = Arc::new(limits);
        inner.checkpointer.wake();
    }

    /// The limits as they are now.
    #[must_use]
    pub fn limits(&self) -> Arc<StoreLimits> {
        self.inner.limits()
    }

    /// True if no key is only in the cold tier, so that whole-keyspace reads do no I/O.
    #[must_use]
    pub fn all_resident(&self) -> bool {
        self.inner.keyspace.cold_only() == 0
    }

    /// The budget of the whole process in bytes: `maxmemory`, or what stands for it where that is 0; 0 if there is none.
    #[must_use]
    pub fn budget_bytes(&self) -> u64 {
        self.inner.budget.figures().0
    }

    /// The numbers behind INFO and TIER STATS.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        StoreStats::of(&self.inner)
    }
}

fn open_cold(options: &StoreOptions) -> Result<ColdTier, StoreError> {
    let bytes = crate::budget::cold_share(options.tiering, &options.limits);
    std::fs::create_dir_all(parent_of(&options.cold_dir))
        .map_err(|error| StoreError::Damaged(format!("{}: {error}", options.cold_dir.display())))?;
    Ok(ColdTier::open(ColdOptions::new(&options.cold_dir, bytes))?)
}

fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// What of the store itself is kept in the cold tier.
pub(crate) struct Saved {
    pub(crate) seed: u64,
    pub(crate) keyspace: Option<SavedKeyspace>,
    pub(crate) replay: Option<Offset>,
    pub(crate) next_object: u64,
    pub(crate) held: Offset,
}

pub(crate) fn read_saved(cold: Option<&ColdTier>) -> Result<Saved, StoreError> {
    let fresh = Saved {
        seed: rand::random(),
        keyspace: None,
        replay: None,
        next_object: 1,
        held: Offset(0),
    };
    let Some(cold) = cold else { return Ok(fresh) };
    let Some(seed) = cold.state_get(STATE_SEED)? else {
        return Ok(fresh);
    };
    let number = |name: &str, bytes: &[u8]| {
        <[u8; 8]>::try_from(bytes)
            .map(u64::from_le_bytes)
            .map_err(|_| StoreError::Damaged(format!("{name} is not eight bytes")))
    };
    let keyspace = cold
        .state_get(STATE_KEYSPACE)?
        .map(|bytes| {
            SavedKeyspace::decode(&bytes).ok_or_else(|| StoreError::Damaged("databases".to_owned()))
        })
        .transpose()?;
    let replay = cold
        .state_get(STATE_REPLAY)?
        .map(|bytes| number(STATE_REPLAY, &bytes))
        .transpose()?;
    let next_object = cold
        .state_get(STATE_OBJECTS)?
        .map(|bytes| number(STATE_OBJECTS, &bytes))
        .transpose()?;
    let held = cold
        .state_get(STATE_HELD)?
        .map(|bytes| number(STATE_HELD, &bytes))
        .transpose()?;
    Ok(Saved {
        // Earlier versions did not say.
        held: held.map_or(Offset::MAX, Offset),
        seed: number(STATE_SEED, &seed)?,
        keyspace,
        replay: replay.map(Offset),
        next_object: next_object.unwrap_or(1),
    })
}

impl Inner {
    /// Reads the counts of every slot; returns the number of keys.
    fn read_counts(&self) -> Result<u64, StoreError> {
        let Some(cold) = self.cold_tier() else {
            return Ok(0);
        };
        let mut keys = 0;
        for (name, value) in cold.state_scan(STATE_COUNTS)? {
            let damaged = || StoreError::Damaged(format!("count {name}"));
            let (ns, slot) = name[STATE_COUNTS.len()..]
                .split_once('/')
                .ok_or_else(damaged)?;
            let ns = NamespaceId(u32::from_str_radix(ns, 16).map_err(|_| damaged())?);
            let slot = usize::from_str_radix(slot, 16).map_err(|_| damaged())?;
            // Versions without field expiry wrote no third count.
            if !matches!(value.len(), 8 | 12) {
                return Err(damaged());
            }
            let (records, volatile) = (le_u32(&value[..4]), le_u32(&value[4..8]));
            let subexpiring = value.get(8..).filter(|rest| !rest.is_empty());
            let subexpiring = subexpiring.map_or(0, le_u32);
            // Counts of a doomed namespace go with it.
            let Some(names) = self.keyspace.namespace(ns) else {
                continue;
            };
            names.add_live(i64::from(records));
            names.add_volatile(i64::from(volatile));
            names.add_subexpiring(i64::from(subexpiring));
            keys += u64::from(records);
            let mut table = self.slots.get(slot).ok_or_else(damaged)?.lock();
            let space = table.add_space(Slot(slot as u16), names);
            space.add_cold_only(records as i32);
            (space.records, space.volatile_records) = (records, volatile);
            space.subexpiring_records = subexpiring;
        }
        Ok(keys)
    }
}

pub(crate) fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}
