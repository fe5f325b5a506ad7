//! What is written to the cold tier when, and from where a restart must replay.
//!
//! One thread looks at the allocator and judges whether writers may go on, one frees memory (`spill`, or `evict`
//! in memory-only mode), and one keeps house, in rounds:
//! - *clean*: write the slots whose oldest change is older than `checkpoint_interval_ms`, or lies so far
//!   back in the log that a restart would have to replay too much;
//! - *checkpoint*: when the replay offset has moved far enough, write it, flush the memtables atomically,
//!   and only then tell the log what it may forget;
//! - expire, save the hot keys' names, bury flushed databases, keep an eye on `maxdisk`.
//!
//! The **replay offset** is the smallest `dirty_since` of all slots, or the log's end if nothing is dirty:
//! every effect before it is in the cold tier (rule 3). It is computed while no batch is in flight.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use basalt_binlog::Offset;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::allocator::bypass_thread_cache;
use crate::budget::EXHAUSTED_MS;
use crate::pack::Packer;
use crate::space::counts_prefix;
use crate::spill::{Batch, Want};
use crate::store::{Inner, Store, StoreError};
use crate::tx::Key;
use crate::{NamespaceId, SLOTS, Slot, UnixMs};

/// A round is at least this often, and at once when someone waits for room.
const ROUND: Duration = Duration::from_millis(100);
/// Between two rounds of the reliever under memory pressure …
const PRESSED_ROUND: Duration = Duration::from_millis(1);
/// … which becomes twice as long with each round that found nothing to free, up to this: then what takes the memory is not
/// data (connections alone may exceed the budget), and looking for victims all the time took a third of a processor.
/// Sooner than what the last round found is forgotten: else writers would wait for the next one.
const FRUITLESS_ROUND: Duration = Duration::from_millis(EXHAUSTED_MS * 4 / 5);

/// What came of a round of the reliever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relief {
    /// There was room.
    Needless,
    /// Room was made.
    Freed,
    /// There was nothing to free.
    Fruitless,
}

/// State of the housekeeper.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    /// The replay offset last written.
    replay: AtomicU64,
    /// The replay offset that is surely on disk.
    persisted: AtomicU64,
    /// Held while a replay offset is made durable, so that a slower one never comes after a newer one.
    pub(crate) persisting: Mutex<()>,
    last_flush: Mutex<(Instant, UnixMs)>,
    /// When the log's end was where, each second.
    times: Mutex<VecDeque<(UnixMs, Offset)>>,
    awake: Mutex<bool>,
    wakeup: Condvar,
    stopping: AtomicBool,
    stopped: Mutex<bool>,
    at_stop: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Checkpointer {
    pub(crate) fn new(replay: Offset) -> Checkpointer {
        Checkpointer {
            replay: AtomicU64::new(replay.0),
            persisted: AtomicU64::new(replay.0),
            persisting: Mutex::new(()),
            last_flush: Mutex::new((Instant::now(), UnixMs::now())),
            times: Mutex::new(VecDeque::new()),
            awake: Mutex::new(false),
            wakeup: Condvar::new(),
            stopping: AtomicBool::new(false),
            stopped: Mutex::new(false),
            at_stop: Condvar::new(),
            threads: Mutex::new(Vec::new()),
        }
    }

    /// The replay offset last written.
    pub(crate) fn replay(&self) -> Offset {
        Offset(self.replay.load(Relaxed))
    }

    /// The replay offset that is surely on disk.
    pub(crate) fn persisted(&self) -> Offset {
        Offset(self.persisted.load(Relaxed))
    }

    /// When the last checkpoint was completed.
    pub(crate) fn last_flush(&self) -> UnixMs {
        self.last_flush.lock().1
    }

    /// Starts the next round at once.
    pub(crate) fn wake(&self) {
        *self.awake.lock() = true;
        self.wakeup.notify_one();
    }

    fn sleep(&self, limit: Duration) {
        let mut awake = self.awake.lock();
        if !*awake {
            self.wakeup.wait_for(&mut awake, limit);
        }
        *awake = false;
    }

    /// Rests, but not while the store is being closed.
    fn rest(&self, limit: Duration) {
        let mut stopped = self.stopped.lock();
        if !*stopped {
            self.at_stop.wait_for(&mut stopped, limit);
        }
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Relaxed);
        self.wake();
        *self.stopped.lock() = true;
        self.at_stop.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            // The last handle of a store may be dropped by one of its own threads.
            let is_self = thread.thread().id() == std::thread::current().id();
            if !is_self && thread.join().is_err() {
                tracing::error!("a background thread of the store had panicked");
            }
        }
    }

    /// What was replayed is due at once: a server that is killed again and again soon after its starts would otherwise
    /// replay more each time.
    fn note_start(&self, end: Offset, interval: Duration) {
        self.times.lock().push_back((UnixMs(0), end));
        let mut last = self.last_flush.lock();
        last.0 = last.0.checked_sub(interval).unwrap_or(last.0);
    }

    /// Notes where the log ends; returns where it ended `ago_ms` ago.
    fn note_end(&self, now: UnixMs, end: Offset, ago_ms: u64) -> Offset {
        let mut times = self.times.lock();
        if times.back().is_none_or(|(then, _)| then.0 + 1000 <= now.0) {
            times.push_back((now, end));
        }
        let horizon = UnixMs(now.0.saturating_sub(ago_ms));
        while times.get(1).is_some_and(|(then, _)| *then <= horizon) {
            times.pop_front();
        }
        times
            .front()
            .filter(|(then, _)| *then <= horizon)
            .map_or(Offset(0), |(_, end)| *end)
    }
}

impl Inner {
    /// Starts the background threads: one keeps the budget, one keeps house.
    pub(crate) fn start_background(self: &Arc<Self>) {
        self.checkpointer
            .note_start(self.host().applied(), interval(self));
        let mut housekeeper = Housekeeper::default();
        self.start_role("housekeeper", move |inner| {
            let began = Instant::now();
            housekeeper.round(inner);
            inner
                .checkpointer
                .sleep(ROUND.saturating_sub(began.elapsed()));
        });
        let mut packer: Option<Packer> = None;
        let mut pressed_pause = PRESSED_ROUND;
        self.start_role("reliever", move |inner| {
            let packer = packer.get_or_insert_with(|| {
                bypass_thread_cache();
                Packer::default()
            });
            inner.pack(packer);
            let relief = inner.relieve();
            inner.budget.trim();
            pressed_pause = match relief {
                Relief::Fruitless => (2 * pressed_pause).min(FRUITLESS_ROUND),
                Relief::Freed | Relief::Needless => PRESSED_ROUND,
            };
            inner.budget.sleep(match relief {
                Relief::Needless => inner.budget.relief_pause(),
                Relief::Freed | Relief::Fruitless => pressed_pause,
            });
        });
        if self.has_cold() {
            self.start_role("disk", |inner| {
                let pause = inner.keep_disk();
                inner.checkpointer.rest(pause);
            });
            self.start_role("compactor", |inner| {
                inner.compact_if_wanted();
                inner.checkpointer.rest(ROUND);
            });
        }
        // Apart from the reliever, which may wait for a batch to land: writers must not outrun the budget
        // meanwhile.
        self.start_role("budget", |inner| {
            inner.sample_memory();
            inner.budget.judge();
            std::thread::sleep(inner.budget.pause());
        });
    }

    /// Runs `round` again and again on a thread of its own until the store closes.
    fn start_role(
        self: &Arc<Self>,
        name: &str,
        mut round: impl FnMut(&Arc<Inner>) + Send + 'static,
    ) {
        // Weak: a store that is dropped without `close` must not be kept alive by its own threads.
        let weak = Arc::downgrade(self);
        let work = move || {
            while let Some(inner) = weak.upgrade() {
                if inner.checkpointer.stopping.load(Relaxed) {
                    return;
                }
                round(&inner);
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(work).expect("the system has a thread to give");
        self.checkpointer.threads.lock().push(thread);
    }

    /// The smallest offset at which something not yet in the cold tier became dirty.
    ///
    /// The caller has the spiller's turn, so that no batch is in flight.
    fn replay_offset(&self, _turn: &Batch) -> Offset {
        // Read before looking at the slots: what becomes dirty meanwhile does so at this end or later.
        let changing = self.keyspace.changing();
        let end = self.host().applied();
        drop(changing);
        let oldest = |slot: &crate::store::SlotCell| {
            slot.lock()
                .spaces()
                .map(|space| space.dirty_since)
                .min()
                .unwrap_or(Offset::MAX)
        };
        self.slots.iter().map(oldest).min().unwrap_or(end).min(end)
    }

    /// Slots whose oldest change lies before `target`.
    fn slots_older_than(&self, target: Offset) -> Vec<Slot> {
        let is_older = |slot: &Slot| {
            self.slots[slot.index()]
                .lock()
                .spaces()
                .any(|space| space.dirty_since < target)
        };
        (0..SLOTS as u16).map(Slot).filter(is_older).collect()
    }

    /// Writes everything that became dirty before `target`.
    pub(crate) fn clean(&self, target: Offset) -> Result<(), StoreError> {
        let slots = self.slots_older_than(target);
        // In portions, so that a spill for memory or a command's SPILL gets its turn between.
        for portion in slots.chunks(64) {
            let mut batch = self.spiller.turn();
            self.spill_slots(&mut batch, portion.iter().copied(), Want::Dirty)?;
            MutexGuard::unlock_fair(batch);
            if self.closing.load(Relaxed) {
                break;
            }
        }
        Ok(())
    }

    /// Writes the replay offset, makes it durable, and lets the log forget what is before it.
    fn persist(&self) -> Result<(), StoreError> {
        let turn = self.checkpointer.persisting.lock();
        self.persist_in(&turn).map(drop)
    }

    /// The same for who has the turn of checkpoints; returns the replay offset.
    pub(crate) fn persist_in(&self, _turn: &MutexGuard<'_, ()>) -> Result<Offset, StoreError> {
        let replay = {
            let mut batch = self.spiller.turn();
            let replay = self.replay_offset(&batch);
            self.checkpointer.replay.store(replay.0, Relaxed);
            self.add_state(&mut batch, Some(replay));
            // A key that came and went without a record has left its slot clean, though effects on it may lie behind the
            // replay offset: they need not fit any more.
            self.settle_held(&mut batch);
            self.write_surely(&mut batch)?;
            batch.done_with_state();
            replay
        };
        self.cold().flush()?;
        self.checkpointer.persisted.store(replay.0, Relaxed);
        *self.checkpointer.last_flush.lock() = (Instant::now(), UnixMs::now());
        self.stats.checkpoints.add(1);
        self.host().persisted(replay);
        Ok(replay)
    }

    /// A whole checkpoint, now.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        if !self.has_cold() {
            return Ok(());
        }
        self.clean(self.host().applied())?;
        self.persist()
    }

    /// Deletes what is left of flushed databases.
    fn bury(&self) -> Result<(), StoreError> {
        let doomed = self.keyspace.doomed();
        if doomed.is_empty() {
            return Ok(());
        }
        let mut batch = self.spiller.turn();
        for slot in &self.slots {
            let dropped: Vec<_> = {
                let mut slot = slot.lock();
                doomed
                    .iter()
                    .filter_map(|ns| slot.drop_space(*ns))
                    .collect()
            };
            // The entries are freed here, outside the slot's lock.
            drop(dropped);
        }
        if self.has_cold() {
            for ns in &doomed {
                for (name, _) in self.cold().state_scan(&counts_prefix(*ns))? {
                    batch.delete_state(&name);
                }
            }
            self.add_state(&mut batch, None);
            self.write_surely(&mut batch)?;
            batch.done_with_state();
            // Nothing writes to these databases any more; others need not wait.
            drop(batch);
            // Files go at once, and for good: before that the map without these databases must be on disk. Else a crash would
            // bring them back without their records, and effects from before the flush would meet nothing they fit.
            if self.durable {
                self.cold().flush()?;
            }
            for ns in &doomed {
                self.cold().drop_namespace(*ns)?;
            }
        }
        self.keyspace.buried(&doomed);
        Ok(())
    }
}

/// See [`Store::begin_map_change`].
#[derive(Debug)]
pub struct MapChanging<'a>(#[allow(dead_code, reason = "held for its drop")] MutexGuard<'a, ()>);

/// What the housekeeper remembers from round to round.
#[derive(Debug, Default)]
struct Housekeeper {
    last_slow: Option<Instant>,
    last_expire: Option<Instant>,
    last_warm_save: Option<Instant>,
    expiry: crate::expire::Cursor,
}

impl Housekeeper {
    fn round(&mut self, inner: &Arc<Inner>) {
        let now = Instant::now();
        let due =
            |last: Option<Instant>, every: Duration| last.is_none_or(|last| now - last >= every);
        // Rounds begin a little less than this after each other.
        if due(self.last_expire, ROUND * 9 / 10) {
            self.last_expire = Some(now);
            inner.note_time(UnixMs::now());
            inner.expire_round(&mut self.expiry, ROUND);
            log_error("flushed databases stay for now", inner.bury());
        }
        if due(self.last_slow, Duration::from_secs(1).min(interval(inner))) {
            self.last_slow = Some(now);
            self.slow_round(inner);
        }
    }

    fn slow_round(&mut self, inner: &Arc<Inner>) {
        if !inner.has_cold() {
            return;
        }
        if inner.durable {
            log_error("the checkpoint is put off", inner.continue_checkpoint());
        }
        if inner.tiering
            && inner.limits().warmup
            && self
                .last_warm_save
                .is_none_or(|t| t.elapsed().as_secs() >= 60)
        {
            if self.last_warm_save.is_some() {
                log_error("the hot keys' list is not saved", inner.save_hot_keys());
            }
            self.last_warm_save = Some(Instant::now());
        }
    }
}

fn interval(inner: &Inner) -> Duration {
    Duration::from_millis(inner.limits().checkpoint_interval_ms.max(10))
}

fn log_error(what: &str, result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::error!(%error, "{what}");
    }
}

impl Inner {
    /// Frees memory until the budget is met or nothing more can be freed.
    ///
    /// In small portions, with a new look at the allocator and a new judgement after each: writers wait while
    /// the budget is exceeded, and no longer.
    pub(crate) fn relieve(&self) -> Relief {
        const PORTION_BYTES: u64 = 4 << 20;
        let mut relief = Relief::Needless;
        loop {
            log_error("a large value is not written", self.spill_urgent());
            self.sample_memory();
            self.budget.trim();
            let excess = self.budget.excess();
            if excess == 0 {
                self.budget.set_exhausted(false);
            }
            self.budget.judge();
            if excess == 0 || self.closing.load(Relaxed) {
                return relief;
            }
            if self.free(excess.min(PORTION_BYTES)) > 0 {
                relief = Relief::Freed;
                self.budget.set_exhausted(false);
            } else {
                // What is left is not data: memtables, buffers, what the allocator has yet to return.
                self.budget.set_exhausted(true);
                self.budget.judge();
                return match relief {
                    Relief::Needless => Relief::Fruitless,
                    some => some,
                };
            }
        }
    }

    fn free(&self, bytes: u64) -> u64 {
        if !self.tiering {
            return self.evict_by_policy(bytes);
        }
        let victims = self.choose_victims(12);
        self.sweep(bytes, victims)
            .map(|swept| swept.freed_bytes)
            .unwrap_or_else(|error| {
                tracing::error!(%error, "memory cannot be freed");
                0
            })
    }

    /// Cleans what is due and checkpoints when the replay offset is to move.
    fn continue_checkpoint(&self) -> Result<(), StoreError> {
        let limits = self.limits();
        let replay_limit_bytes = limits.replay_limit_bytes.min(self.budget.replay_bytes());
        let end = self.host().applied();
        let now = UnixMs::now();
        let by_time = self
            .checkpointer
            .note_end(now, end, limits.checkpoint_interval_ms);
        let by_bytes = Offset(end.0.saturating_sub(replay_limit_bytes / 2));
        let target = by_time.max(by_bytes);
        let persisted = self.checkpointer.persisted();
        if target <= persisted && end == persisted {
            return Ok(());
        }
        self.clean(target)?;
        let since_flush = self.checkpointer.last_flush.lock().0.elapsed();
        let behind = end.0 - persisted.0.min(end.0);
        if since_flush >= interval(self) || behind > replay_limit_bytes * 3 / 4 {
            self.persist()?;
        }
        Ok(())
    }
}

impl Store {
    /// Writes everything dirty to the cold tier and makes it durable (SAVE, BGSAVE). Blocks.
    ///
    /// # Errors
    /// The cold tier or the log failed.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.inner.checkpoint()
    }

    /// Writes keys to the cold tier and lets them leave memory; returns how many were in memory. Blocks.
    ///
    /// # Errors
    /// The cold tier or the log failed.
    pub fn spill(&self, keys: &[Key<'_>]) -> Result<usize, StoreError> {
        if self.inner.has_cold() {
            self.inner.spill_keys(keys)
        } else {
            Ok(0)
        }
    }

    /// Empties memory into the cold tier. Blocks.
    ///
    /// # Errors
    /// The cold tier or the log failed.
    pub fn spill_all(&self) -> Result<u64, StoreError> {
        if !self.inner.has_cold() {
            return Ok(0);
        }
        let mut batch = self.inner.spiller.turn();
        self.inner
            .spill_slots(&mut batch, (0..SLOTS as u16).map(Slot), Want::All)
    }

    /// Frees memory now if the budget asks for it; for recovery, when no housekeeper runs yet.
    pub fn relieve(&self) {
        self.inner.relieve();
    }

    /// Gives databases new, empty namespaces. The caller holds the exclusive gate; `at` is the end of the
    /// logged effect.
    pub fn flush(&self, dbs: &[u32], at: Offset) {
        let old: Vec<NamespaceId> = dbs.iter().map(|db| self.namespace(*db)).collect();
        let concerned: Vec<_> = old.iter().map(|ns| (*ns, None)).collect();
        let watched = self.inner.trip_watches(&concerned);
        for (db, ns) in dbs.iter().zip(self.inner.keyspace.flush(dbs, at)) {
            tracing::debug!(db, ns = ns.0, "database flushed");
        }
        if watched {
            let new = dbs.iter().map(|db| self.namespace(*db));
            let moves: Vec<_> = old.into_iter().zip(new).collect();
            self.inner.move_watches(&moves);
        }
        self.inner.checkpointer.wake();
    }

    /// Exchanges two databases; as [`Store::flush`].
    pub fn swap(&self, a: u32, b: u32, at: Offset) {
        let (was_a, was_b) = (self.namespace(a), self.namespace(b));
        let watched = self
            .inner
            .trip_watches(&[(was_a, Some(was_b)), (was_b, Some(was_a))]);
        self.inner.keyspace.swap(a, b, at);
        if watched {
            self.inner.move_watches(&[(was_a, was_b), (was_b, was_a)]);
        }
    }

    /// To be held from before a flush or swap is logged until it is made ([`Store::flush`], [`Store::swap`]), so that no
    /// checkpoint takes the log for done with that far in between.
    #[must_use]
    pub fn begin_map_change(&self) -> MapChanging<'_> {
        MapChanging(self.inner.keyspace.changing())
    }

    /// Tells where in the log the latest flushes and swaps ended, which were made at `Offset::MAX` while the cold tier was
    /// frozen ([`Store::freeze`]) and their offsets not known.
    pub fn settle_map_changes(&self, offsets: &[Offset]) {
        self.inner.keyspace.settle(offsets);
    }

    /// True if a flush or swap at `offset` is already part of what was opened (replay skips it then).
    #[must_use]
    pub fn knows_flush(&self, offset: Offset) -> bool {
        self.inner.keyspace.knows(offset)
    }

    /// Rewrites the cold tier without what was deleted. Blocks.
    pub fn compact(&self) {
        if let Some(cold) = self.inner.cold_tier() {
            cold.compact();
        }
    }

    /// The replay offset that is surely on disk.
    #[must_use]
    pub fn persisted(&self) -> Offset {
        self.inner.checkpointer.persisted()
    }
}
