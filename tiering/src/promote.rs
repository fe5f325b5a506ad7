//! Reading cold keys: one load per key however many wait for it, pins, and admission to memory.
//!
//! A command that faults pins its keys. Pinning registers a [`Load`] in the key's slot *before* the read
//! begins; any write to the key voids the registered load under the same lock. So when the command runs
//! again, under the lock, either memory has the key, or its load is not void and the record read is the
//! truth. Nothing is installed by the read itself: the command serves the record from the pin, or installs
//! it (a write always, a read if the key's frequency says so), so a scan leaves no trace in memory.
//!
//! Registered loads stay in their slot until the last pin is dropped. Concurrent misses find them there.
//!
//! A command that misses pages of a large value leaves word in its pins (`PinSet::want_pages`); pinning then
//! reads them all in one load. What was read is installed when the command opens the value again, if no batch has
//! taken pages of the value meanwhile (`PageTable::epoch`).

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use parking_lot::{Condvar, Mutex};

use crate::cold::{CachedLookup, ColdKey, ColdRecord};
use crate::page::Page;
use crate::store::{Inner, StoreError};
use crate::tree::{ObjectId, PageId, page_of};
use crate::tx::Key;
use crate::{KeyHash, NamespaceId, Slot};

/// One read of one cold key.
#[derive(Debug)]
pub(crate) struct Load {
    ns: NamespaceId,
    slot: Slot,
    hash: KeyHash,
    key: Box<[u8]>,
    void: AtomicBool,
    state: Mutex<LoadState>,
    done: Condvar,
    /// What was found, for those who borrow it from their pin.
    loaded: OnceLock<Arc<Loaded>>,
    /// For a load of pages: which.
    want: Option<PageWant>,
    /// The pages found.
    pages: OnceLock<Vec<(PageId, Page)>>,
}

/// Pages of a large value that a command missed.
#[derive(Clone, Debug)]
pub(crate) struct PageWant {
    pub(crate) ns: NamespaceId,
    pub(crate) object: ObjectId,
    /// The value's epoch when they were missed.
    pub(crate) epoch: u64,
    /// Rising, each once.
    pub(crate) pages: Vec<PageId>,
}

#[derive(Debug)]
enum LoadState {
    Waiting(Vec<Waker>),
    Done(Result<Option<Arc<Loaded>>, StoreError>),
}

/// What a load found.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) record: ColdRecord,
    /// The key is used often enough to be kept in memory when read.
    pub(crate) admitted: bool,
    /// LFU counter with the touches since it became cold.
    pub(crate) counter: u8,
}

impl Load {
    fn new(key: &Key<'_>) -> Arc<Load> {
        Arc::new(Load {
            ns: key.ns,
            slot: key.slot,
            hash: key.hash,
            key: key.bytes.into(),
            void: AtomicBool::new(false),
            state: Mutex::new(LoadState::Waiting(Vec::new())),
            done: Condvar::new(),
            loaded: OnceLock::new(),
            want: None,
            pages: OnceLock::new(),
        })
    }

    fn of_pages(want: PageWant) -> Arc<Load> {
        Arc::new(Load {
            ns: want.ns,
            slot: Slot(0),
            hash: KeyHash(0),
            key: Box::default(),
            void: AtomicBool::new(false),
            state: Mutex::new(LoadState::Waiting(Vec::new())),
            done: Condvar::new(),
            loaded: OnceLock::new(),
            want: Some(want),
            pages: OnceLock::new(),
        })
    }

    pub(crate) fn is_of(&self, ns: NamespaceId, hash: KeyHash, key: &[u8]) -> bool {
        self.hash == hash && self.ns == ns && *self.key == *key
    }

    /// The key was written: what this load read, or will read, is not to be used.
    pub(crate) fn void(&self) {
        self.void.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_void(&self) -> bool {
        self.void.load(Ordering::Relaxed)
    }

    fn cold_key(&self) -> ColdKey<'_> {
        ColdKey::new(self.ns, self.slot, self.hash, &self.key)
    }

    fn finish(&self, result: Result<Option<Arc<Loaded>>, StoreError>) {
        self.settle(result).into_iter().for_each(Waker::wake);
    }

    /// Notes the result and returns who is to be woken for it.
    fn settle(&self, result: Result<Option<Arc<Loaded>>, StoreError>) -> Vec<Waker> {
        if let Ok(Some(loaded)) = &result {
            assert!(
                self.loaded.set(Arc::clone(loaded)).is_ok(),
                "a load is done once"
            );
        }
        let before = std::mem::replace(&mut *self.state.lock(), LoadState::Done(result));
        self.done.notify_all();
        match before {
            LoadState::Waiting(wakers) => wakers,
            LoadState::Done(_) => Vec::new(),
        }
    }

    fn result(&self) -> Option<Result<Option<Arc<Loaded>>, StoreError>> {
        match &*self.state.lock() {
            LoadState::Waiting(_) => None,
            LoadState::Done(result) => Some(result.clone()),
        }
    }

    /// What a command that needs this key still has to wait for: a read under way, or the error of one,
    /// which waiting returns.
    fn need(self: &Arc<Self>) -> Need {
        match self.result() {
            Some(Ok(_)) => Need::Nothing,
            Some(Err(_)) | None => Need::Wait(Arc::clone(self)),
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        match &mut *self.state.lock() {
            LoadState::Done(result) => {
                Poll::Ready(result.as_ref().map(|_| ()).map_err(Clone::clone))
            }
            LoadState::Waiting(wakers) => {
                if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                    wakers.push(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    fn wait(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        loop {
            match &*state {
                LoadState::Done(result) => {
                    return result.as_ref().map(|_| ()).map_err(Clone::clone);
                }
                LoadState::Waiting(_) => self.done.wait(&mut state),
            }
        }
    }
}

/// The cold keys a command has pinned. Clear it when the command is done.
#[derive(Debug, Default)]
pub struct PinSet {
    loads: Vec<Arc<Load>>,
    owner: Option<Arc<Inner>>,
    /// Loads of pages.
    pages: Vec<Arc<Load>>,
    /// Pages missed since the last pin.
    wanted: Mutex<Vec<PageWant>>,
    /// Where the random numbers of a command that faulted came from.
    seed: Mutex<Option<u64>>,
}

/// What a pin says of a key that has no entry in memory.
#[derive(Debug)]
pub(crate) enum Pinned {
    /// Not pinned, or void.
    No,
    /// Surely in neither tier.
    Absent,
    /// The cold copy.
    Record(Arc<Loaded>),
}

impl PinSet {
    /// True if nothing is pinned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.loads.is_empty() && self.pages.is_empty()
    }

    /// A command has missed these pages. What was read for it before it will need again: by the time it has these, others
    /// may have left memory.
    pub(crate) fn want_pages(&self, want: PageWant) {
        let key = (want.object, want.epoch);
        for load in &self.pages {
            let of_load = load.want.as_ref().map(|want| (want.object, want.epoch));
            if of_load == Some(key) {
                load.void.store(false, Ordering::Relaxed);
            }
        }
        self.wanted.lock().push(want);
    }

    /// Keeps the seed of a command that faults for when it runs again.
    pub(crate) fn keep_seed(&self, seed: Option<u64>) {
        *self.seed.lock() = seed;
    }

    pub(crate) fn take_seed(&self) -> Option<u64> {
        self.seed.lock().take()
    }

    /// The pages that were read for this object, if it still is in the epoch in which they were missed.
    pub(crate) fn pages_of(
        &self,
        object: ObjectId,
        epoch: u64,
    ) -> impl Iterator<Item = &(PageId, Page)> {
        /// A load of more pages is used once: the command that made it was the next to open the value, and those
        /// behind it need not look at all the pages again.
        const KEPT_PAGES: usize = 64;
        let ours = move |load: &&Arc<Load>| {
            let is_ours = |want: &PageWant| (want.object, want.epoch) == (object, epoch);
            load.want.as_ref().is_some_and(|want| {
                let once = is_ours(want) && want.pages.len() > KEPT_PAGES;
                is_ours(want) && !(once && load.void.swap(true, Ordering::Relaxed))
            })
        };
        let loads = self.pages.iter().filter(ours);
        loads.filter_map(|load| load.pages.get()).flatten()
    }

    /// Bytes of the records pinned.
    pub(crate) fn record_bytes(&self) -> usize {
        let records = self.loads.iter().filter_map(|load| load.loaded.get());
        records.map(|loaded| loaded.record.payload().len()).sum()
    }

    /// Number of keys pinned.
    #[must_use]
    pub fn len(&self) -> usize {
        self.loads.len()
    }

    fn position(&self, ns: NamespaceId, hash: KeyHash, key: &[u8]) -> Result<usize, usize> {
        let mut at = self.loads.partition_point(|load| load.hash < hash);
        while let Some(load) = self.loads.get(at).filter(|load| load.hash == hash) {
            if load.is_of(ns, hash, key) {
                return Ok(at);
            }
            at += 1;
        }
        Err(at)
    }

    pub(crate) fn look(&self, key: &Key<'_>) -> Result<Pinned, StoreError> {
        let Ok(at) = self.position(key.ns, key.hash, key.bytes) else {
            return Ok(Pinned::No);
        };
        let load = &self.loads[at];
        if load.is_void() {
            return Ok(Pinned::No);
        }
        Ok(match load.result() {
            None => Pinned::No,
            Some(Err(error)) => return Err(error),
            Some(Ok(None)) => Pinned::Absent,
            Some(Ok(Some(loaded))) => Pinned::Record(loaded),
        })
    }

    /// The record of a pinned key, void or not, for as long as the pin lasts.
    pub(crate) fn record(&self, key: &Key<'_>) -> Option<&Loaded> {
        let at = self.position(key.ns, key.hash, key.bytes).ok()?;
        self.loads[at].loaded.get().map(|loaded| &**loaded)
    }

    /// True if this page was read in this epoch, and was not there.
    pub(crate) fn lacks_page(&self, object: ObjectId, epoch: u64, page: PageId) -> bool {
        self.pages.iter().any(|load| {
            let wanted = load.want.as_ref().is_some_and(|want| {
                (want.object, want.epoch) == (object, epoch)
                    && want.pages.binary_search(&page).is_ok()
            });
            let is_there = |pages: &Vec<(PageId, Page)>| {
                pages.binary_search_by_key(&page, |(id, _)| *id).is_ok()
            };
            wanted && load.pages.get().is_some_and(|pages| !is_there(pages))
        })
    }

    /// Lets go of every key.
    pub fn clear(&mut self) {
        self.pages.clear();
        self.wanted.get_mut().clear();
        let Some(inner) = self.owner.take() else {
            return;
        };
        for load in self.loads.drain(..) {
            let mut slot = inner.slots[load.slot.index()].lock();
            // Under the lock nobody can join, and two sets that let go of a load do so one after the other.
            drop(load);
            slot.forget_loads();
        }
    }
}

impl Drop for PinSet {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Waits until every load of a pin is done.
#[derive(Debug)]
pub struct PinWait {
    loads: Vec<Arc<Load>>,
}

impl Future for PinWait {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some(load) = self.loads.last() {
            match load.poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => self.loads.pop(),
            };
        }
        Poll::Ready(Ok(()))
    }
}

/// So many lookups of a pin may read files on the spot: each costs the worker several microseconds, while its other
/// clients wait.
const AT_HAND_READS: usize = 64;

/// Whether a key needed a load.
enum Need {
    Nothing,
    Wait(Arc<Load>),
    Start(Arc<Load>),
}

impl Inner {
    /// Pins keys; the loads that are not done yet.
    pub(crate) fn start_pins(
        self: &Arc<Self>,
        keys: &[Key<'_>],
        pins: &mut PinSet,
    ) -> Vec<Arc<Load>> {
        /// So many are put among the loads one by one, wherever each belongs.
        const FEW: usize = 64;
        let (mut waiting, mut lookups) = (Vec::new(), 0);
        let mut rising;
        let mut keys = keys;
        if keys.len() > FEW {
            // Each then goes behind the one before it: without this the loads of a long MGET are moved again and again.
            rising = keys.to_vec();
            rising.sort_unstable_by_key(|key| key.hash);
            keys = &rising;
        }
        for key in keys {
            match self.register(key, pins) {
                Need::Nothing => {}
                Need::Wait(load) => waiting.push(load),
                Need::Start(load) => {
                    self.stats.cold_lookups.add(1);
                    lookups += 1;
                    if !self.answer_at_hand(&load, lookups <= AT_HAND_READS) {
                        self.readers.submit(Arc::clone(&load));
                    }
                    if let Need::Wait(load) = load.need() {
                        waiting.push(load);
                    }
                }
            }
        }
        waiting
    }

    /// Finds or registers the load of a key that is not in memory.
    fn register(self: &Arc<Self>, key: &Key<'_>, pins: &mut PinSet) -> Need {
        let at = match pins.position(key.ns, key.hash, key.bytes) {
            Ok(at) if !pins.loads[at].is_void() => {
                return pins.loads[at].need();
            }
            Ok(at) => {
                pins.loads.remove(at);
                at
            }
            Err(at) => at,
        };
        let mut slot = self.slots[key.slot.index()].lock();
        let Some(space) = slot.space(key.ns) else {
            return Need::Nothing;
        };
        if space.cold_only == 0 || space.table.find(key.hash, key.bytes).is_some() {
            return Need::Nothing;
        }
        pins.owner.get_or_insert_with(|| Arc::clone(self));
        // What a reader was still busy with when its last pin went has no holder but the slot by now.
        slot.forget_loads();
        let joined = slot
            .loads
            .iter()
            .find(|load| load.is_of(key.ns, key.hash, key.bytes));
        if let Some(load) = joined.cloned() {
            pins.loads.insert(at, Arc::clone(&load));
            return load.need();
        }
        let load = Load::new(key);
        slot.loads.push(Arc::clone(&load));
        pins.loads.insert(at, Arc::clone(&load));
        Need::Start(load)
    }

    /// Answers a load on the spot if that means no wait for the disk: an absent key, or a record in a memtable, in the
    /// block cache or, with `from_files`, in the system's page cache.
    fn answer_at_hand(&self, load: &Load, from_files: bool) -> bool {
        let found = if from_files {
            self.cold().get_at_hand(&load.cold_key())
        } else {
            self.cold().get_cached(&load.cold_key())
        };
        match found {
            Ok(CachedLookup::Hit(record)) => {
                load.finish(Ok(Some(self.judge(load, record))));
                true
            }
            Ok(CachedLookup::Absent) => {
                load.finish(Ok(None));
                true
            }
            Ok(CachedLookup::Unknown) => false,
            Err(error) => {
                load.finish(Err(error.into()));
                true
            }
        }
    }

    /// Starts reading the pages that were missed; the loads that are not done yet.
    fn start_pages(&self, pins: &mut PinSet) -> Vec<Arc<Load>> {
        let mut waiting = Vec::new();
        for want in std::mem::take(pins.wanted.get_mut()) {
            /// More than a command makes; in a long pipeline the oldest belong to commands that are done.
            const LOADS: usize = 256;
            if pins.pages.len() >= LOADS {
                pins.pages.drain(..LOADS / 2);
            }
            // What an earlier epoch knew is of no use any more.
            let epoch = want.epoch;
            let is_older = |old: &PageWant| old.object == want.object && old.epoch != epoch;
            pins.pages
                .retain(|load| !load.want.as_ref().is_some_and(is_older));
            let is_lost = |page: &&PageId| pins.lacks_page(want.object, epoch, **page);
            let lost = want.pages.iter().find(is_lost).map(|page| {
                StoreError::Damaged(format!(
                    "page {} of object {} is missing",
                    page.0, want.object.0
                ))
            });
            let load = Load::of_pages(want);
            self.stats.page_loads.add(1);
            pins.pages.push(Arc::clone(&load));
            if let Some(error) = lost {
                load.finish(Err(error));
            } else if !self.read_cached_pages(&load) {
                self.readers.submit(Arc::clone(&load));
            }
            if let Need::Wait(load) = load.need() {
                waiting.push(load);
            }
        }
        waiting
    }

    fn read_cached_pages(&self, load: &Load) -> bool {
        let Some(want) = &load.want else { return false };
        let numbers: Vec<u32> = want.pages.iter().map(|page| page.0).collect();
        let found = self.cold().pages_at_hand(want.ns, want.object.0, &numbers);
        found.is_some_and(|found| {
            self.stats.page_reads.add(numbers.len() as u64);
            self.finish_pages(load, want, found);
            true
        })
    }

    fn read_pages(&self, load: &Load, want: &PageWant) {
        let numbers: Vec<u32> = want.pages.iter().map(|page| page.0).collect();
        self.stats.page_reads.add(numbers.len() as u64);
        match self.cold().pages(want.ns, want.object.0, &numbers) {
            Ok(found) => self.finish_pages(load, want, found),
            Err(error) => load.finish(Err(error.into())),
        }
    }

    /// A page that is not there was deleted since: the value's epoch tells, and the command asks anew.
    fn finish_pages(&self, load: &Load, want: &PageWant, found: Vec<Option<Vec<u8>>>) {
        let mut pages = Vec::with_capacity(found.len());
        for (id, bytes) in want.pages.iter().zip(found) {
            let len = bytes.as_ref().map_or(0, Vec::len);
            match bytes.as_deref().map(page_of) {
                Some(Some(page)) => pages.push((*id, page)),
                None => {}
                Some(None) => {
                    let object = want.object.0;
                    let what = format!(
                        "page {} of object {object}: {len} bytes that are no page",
                        id.0
                    );
                    return load.finish(Err(StoreError::Damaged(what)));
                }
            }
        }
        assert!(load.pages.set(pages).is_ok(), "a load is done once");
        load.finish(Ok(None));
    }

    /// Reads a load from disk; runs on a reader thread.
    pub(crate) fn read_load(&self, load: Arc<Load>) {
        if let Some(want) = &load.want {
            return self.read_pages(&load, want);
        }
        let result = self.cold().get(&load.cold_key());
        self.stats.cold_reads.add(1);
        let wakers = load.settle(match result {
            Ok(record) => Ok(record.map(|record| self.judge(&load, record))),
            Err(error) => Err(error.into()),
        });
        // Before anyone is woken: who lets go of it last, with nobody but the slot left, has it forgotten.
        drop(load);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Counts the touch of a cold key and decides whether a read promotes it.
    fn judge(&self, load: &Load, record: ColdRecord) -> Arc<Loaded> {
        let touches = self.sketch.touch(load.hash);
        let header = record.header();
        let decayed = self
            .heat
            .decayed(header.lfu_counter, header.lfu_clock, self.tick());
        let counter = (0..touches).fold(decayed, |counter, _| self.heat.raised(counter));
        let admitted = self.budget.admits(counter, touches);
        Arc::new(Loaded {
            record,
            admitted,
            counter,
        })
    }

    /// Blocks until every load is done.
    pub(crate) fn pin_blocking(
        self: &Arc<Self>,
        keys: &[Key<'_>],
        pins: &mut PinSet,
    ) -> Result<(), StoreError> {
        let pages = self.start_pages(pins);
        for load in self.start_pins(keys, pins).into_iter().chain(pages) {
            load.wait()?;
        }
        Ok(())
    }

    /// Pins keys for a task that can wait.
    pub(crate) fn pin(self: &Arc<Self>, keys: &[Key<'_>], pins: &mut PinSet) -> Option<PinWait> {
        let mut loads = self.start_pages(pins);
        loads.extend(self.start_pins(keys, pins));
        (!loads.is_empty()).then_some(PinWait { loads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::SlotTable;

    #[test]
    fn a_slot_forgets_its_loads_and_what_their_list_took() {
        let key = Key {
            db: 0,
            ns: NamespaceId(1),
            slot: Slot(3),
            hash: KeyHash(7),
            bytes: b"key",
        };
        let mut slot = SlotTable::default();
        let pinned = Load::new(&key);
        slot.loads.push(Arc::clone(&pinned));
        slot.loads.extend((0..1000).map(|_| Load::new(&key)));
        slot.forget_loads();
        assert_eq!(slot.loads.len(), 1, "a pin holds it");
        drop(pinned);
        slot.forget_loads();
        assert_eq!(slot.loads.capacity(), 0);
    }

    /// Else a large value is read again and again while as much of it leaves memory as comes.
    #[test]
    fn what_was_read_is_used_again_by_who_misses_more() {
        let want = |pages: std::ops::Range<u32>| PageWant {
            ns: NamespaceId(1),
            object: ObjectId(7),
            epoch: 3,
            pages: pages.map(PageId).collect(),
        };
        let mut pins = PinSet::default();
        let load = Load::of_pages(want(0..100));
        let pages = (0..100).map(|page| (PageId(page), Page::new(b"page")));
        assert!(load.pages.set(pages.collect()).is_ok());
        pins.pages.push(load);
        let count = |pins: &PinSet| pins.pages_of(ObjectId(7), 3).count();
        assert_eq!((count(&pins), count(&pins)), (100, 0), "used once");
        pins.want_pages(want(100..101));
        assert_eq!(count(&pins), 100);
    }
}
