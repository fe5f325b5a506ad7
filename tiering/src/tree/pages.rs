//! The pages of one value: which are in memory, which differ from the cold tier, which are being written.
//!
//! A page is *dirty* (changed since it was last handed to a batch), *in flight* (a batch that has not landed holds
//! it), *clean* (neither), or *absent* (only in the cold tier). Only a clean page may be let go. A page in flight
//! is shared with the batch: a writer that meets it copies it first.
//!
//! Which pages are let go is decided by a clock with counts: each pass takes one off the count of a page that was not
//! used since the last, adds one for a page that was, and lets go those that have none left.
//!
//! `epoch` changes whenever pages are handed to a batch. A page read from the cold tier is of use only if the epoch
//! is the one under which the read began: else it may be older than what was written, and let go, meanwhile.

use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::inner::INNER_MAX;
use super::{PageId, Pages};
use crate::UnixMs;
use crate::allocator::Slabs;
use crate::page::{Buffer, Edit, HEAD, Page};
use crate::prefetch::fetch;

/// Slots of the page table that come and go together.
const CHUNK: usize = 16;
/// Numbers of freed pages that are kept for use again when a value leaves memory.
const FREE_KEPT: usize = 256;
/// Bytes of a page in memory besides its own: its slot, its head.
const PAGE_OVERHEAD: usize = size_of::<PageSlot>() + HEAD;

/// Last bytes of an inner page that are prefetched: the heads of a hundred keys.
const HEADS_AHEAD_BYTES: usize = 448;

/// Chunks of which pages are moved at a time.
const PACKED_AT_ONCE: usize = 64;

/// Most passes of the clock that a page outlives.
const COUNT_MAX: u8 = 5;

const DIRTY: u8 = 1;
const IN_FLIGHT: u8 = 2;

#[derive(Debug, Default)]
struct PageSlot {
    page: Option<Page>,
    /// Used since the clock last came by.
    used: Cell<bool>,
    /// Passes of the clock that it outlives.
    count: u8,
    flags: u8,
    /// Its length in hundreds of bytes, up to that of an inner page: so much is worth fetching before it is searched.
    hundreds: u8,
}

type Chunk = [PageSlot; CHUNK];

fn hundreds(len: usize) -> u8 {
    len.min(INNER_MAX).div_ceil(100) as u8
}

/// Where the last cells of a page of values by position begin. Such a page has no directory, so that finding the end
/// means walking through all of it, which who takes one value after the other there need not do each time.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) leaf: PageId,
    /// Not empty.
    pub(super) starts: Vec<u16>,
}

fn next_epoch() -> u64 {
    /// Epochs are stored, so a later process begins behind those of the one before.
    static EPOCH: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(UnixMs::now().0 << 20));
    EPOCH.fetch_add(1, Relaxed)
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct PageTable {
    chunks: Vec<Option<Box<Chunk>>>,
    /// Numbers from here on were never used.
    next: u32,
    /// Numbers free for use again.
    free: Vec<PageId>,
    /// Freed since the last batch, and maybe in the cold tier.
    dropped: Vec<PageId>,
    in_flight: Vec<PageId>,
    /// Chunk where the clock stands.
    hand: usize,
    /// Chunk that is packed next.
    packed: usize,
    epoch: u64,
    /// Pages that the value has.
    live: u32,
    /// Pages in memory.
    resident: usize,
    /// Of them dirty, by bytes.
    dirty_bytes: usize,
    bytes: usize,
    /// As it was when the page was last changed, if known.
    tail: Option<Tail>,
}

impl PageTable {
    /// No page at all.
    pub(crate) fn new() -> PageTable {
        PageTable::of(0, 0, Vec::new(), next_epoch())
    }

    /// As it was stored in this epoch: everything is absent.
    pub(crate) fn of(next: u32, live: u32, free: Vec<PageId>, epoch: u64) -> PageTable {
        PageTable {
            chunks: Vec::new(),
            next,
            free,
            dropped: Vec::new(),
            in_flight: Vec::new(),
            hand: 0,
            packed: 0,
            epoch,
            live,
            resident: 0,
            dirty_bytes: 0,
            bytes: 0,
            tail: None,
        }
    }

    /// What has to be stored to find the pages again: the first number never used, how many pages there are, and
    /// some numbers that are free.
    pub(crate) fn stored(&self) -> (u32, u32, &[PageId]) {
        let free = &self.free[..self.free.len().min(FREE_KEPT)];
        (self.next, self.live, free)
    }

    fn slot(&self, id: PageId) -> Option<&PageSlot> {
        let chunk = self.chunks.get(id.0 as usize / CHUNK)?.as_ref()?;
        Some(&chunk[id.0 as usize % CHUNK])
    }

    fn slot_mut(&mut self, id: PageId) -> Option<&mut PageSlot> {
        let chunk = self.chunks.get_mut(id.0 as usize / CHUNK)?.as_mut()?;
        Some(&mut chunk[id.0 as usize % CHUNK])
    }

    fn put(&mut self, id: PageId, page: Page, flags: u8) {
        let chunk = id.0 as usize / CHUNK;
        if self.chunks.len() <= chunk {
            self.chunks.resize_with(chunk + 1, || None);
        }
        let bytes = page.capacity();
        self.forget_tail(id);
        let slot = &mut self.chunks[chunk].get_or_insert_with(Box::default)[id.0 as usize % CHUNK];
        assert!(slot.page.is_none(), "a page is put where none is");
        *slot = PageSlot {
            hundreds: hundreds(page.len()),
            page: Some(page),
            used: Cell::new(true),
            count: 0,
            flags,
        };
        self.resident += 1;
        self.bytes += bytes + PAGE_OVERHEAD;
        if flags & DIRTY != 0 {
            self.dirty_bytes += bytes;
        }
    }

    fn take(&mut self, id: PageId) -> Option<Page> {
        let chunk = id.0 as usize / CHUNK;
        let slots = self.chunks.get_mut(chunk)?.as_mut()?;
        let slot = std::mem::take(&mut slots[id.0 as usize % CHUNK]);
        let page = slot.page?;
        if slots.iter().all(|slot| slot.page.is_none()) {
            self.chunks[chunk] = None;
        }
        self.resident -= 1;
        self.bytes -= page.capacity() + PAGE_OVERHEAD;
        if slot.flags & DIRTY != 0 {
            self.dirty_bytes -= page.capacity();
        }
        Some(page)
    }

    /// Adds a page that is written now.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> PageId {
        let id = self.free.pop().unwrap_or_else(|| {
            let id = PageId(self.next);
            self.next = self
                .next
                .checked_add(1)
                .expect("a value has fewer than 2^32 pages");
            id
        });
        self.live += 1;
        self.put(id, Page::new(bytes), DIRTY);
        id
    }

    /// Frees a page, in memory or not.
    pub(crate) fn free(&mut self, id: PageId) {
        self.take(id);
        self.live -= 1;
        self.dropped.push(id);
        self.free.push(id);
    }

    /// Changes a page that is in memory.
    pub(crate) fn edit<R>(&mut self, id: PageId, change: impl FnOnce(&mut Edit<'_>) -> R) -> R {
        self.change(id, |page| {
            let mut page = page.edit();
            let result = change(&mut page);
            let (room, len) = (page.capacity(), page.len());
            if room > 1024 && room / 2 > len {
                page.shrink(len * 9 / 8);
            }
            result
        })
    }

    /// Writes a page that is in memory anew.
    pub(crate) fn rewrite(&mut self, id: PageId, bytes: &[u8]) {
        self.change(id, |page| *page = Page::new(bytes));
    }

    fn change<R>(&mut self, id: PageId, change: impl FnOnce(&mut Page) -> R) -> R {
        self.forget_tail(id);
        let slot = self
            .slot_mut(id)
            .expect("a page is in memory before it is changed");
        let page = slot
            .page
            .as_mut()
            .expect("a page is in memory before it is changed");
        let before = page.capacity();
        let was_dirty = slot.flags & DIRTY != 0;
        slot.flags |= DIRTY;
        let result = change(page);
        let after = page.capacity();
        slot.hundreds = hundreds(page.len());
        self.bytes = self.bytes - before + after;
        self.dirty_bytes = self.dirty_bytes - if was_dirty { before } else { 0 } + after;
        result
    }

    /// The starts of the last cells of a page, if they are known.
    pub(super) fn tail_of(&self, id: PageId) -> Option<&Tail> {
        self.tail.as_ref().filter(|tail| tail.leaf == id)
    }

    /// Remembers them, for as long as the page is not changed.
    pub(super) fn set_tail(&mut self, tail: Option<Tail>) {
        self.tail = tail;
    }

    pub(super) fn take_tail(&mut self) -> Option<Tail> {
        self.tail.take()
    }

    #[inline]
    fn forget_tail(&mut self, id: PageId) {
        if self.tail_of(id).is_some() {
            self.tail = None;
        }
    }

    /// Puts a page that was read from the cold tier, unless memory has one.
    pub(crate) fn install(&mut self, id: PageId, page: Page) {
        let is_absent = self.slot(id).is_none_or(|slot| slot.page.is_none());
        if is_absent && id.0 < self.next && !self.free.contains(&id) {
            self.put(id, page, 0);
        }
    }

    /// A table that shares its pages with this one, all dirty.
    pub(crate) fn share(&self) -> PageTable {
        let mut shared = PageTable::of(self.next, self.live, self.free.clone(), next_epoch());
        for (id, slot) in self.slots() {
            if let Some(page) = &slot.page {
                shared.put(id, page.clone(), DIRTY);
            }
        }
        shared
    }

    fn slots(&self) -> impl Iterator<Item = (PageId, &PageSlot)> {
        let chunks = self.chunks.iter().enumerate();
        chunks
            .filter_map(|(at, chunk)| Some((at, chunk.as_ref()?)))
            .flat_map(|(at, chunk)| {
                chunk
                    .iter()
                    .enumerate()
                    .map(move |(i, slot)| (PageId((at * CHUNK + i) as u32), slot))
            })
    }

    /// Hands over what a batch has to write: pages to be stored, and numbers of pages to be deleted before.
    pub(crate) fn begin_flight(&mut self) -> (Vec<(PageId, Page)>, Vec<PageId>) {
        self.epoch = next_epoch();
        self.dirty_bytes = 0;
        let mut pages = Vec::new();
        for (at, chunk) in self.chunks.iter_mut().enumerate() {
            let Some(chunk) = chunk else { continue };
            for (i, slot) in chunk.iter_mut().enumerate() {
                if slot.flags & DIRTY != 0
                    && let Some(page) = &slot.page
                {
                    slot.flags = IN_FLIGHT;
                    pages.push((PageId((at * CHUNK + i) as u32), page.clone()));
                }
            }
        }
        self.in_flight = pages.iter().map(|(id, _)| *id).collect();
        (pages, std::mem::take(&mut self.dropped))
    }

    /// The batch has landed.
    pub(crate) fn end_flight(&mut self) {
        for id in std::mem::take(&mut self.in_flight) {
            if let Some(slot) = self.slot_mut(id) {
                slot.flags &= !IN_FLIGHT;
            }
        }
    }

    /// Lets go of clean pages that are used least, at least `bytes` if it finds them; returns bytes and pages.
    pub(crate) fn evict_coldest(&mut self, bytes: usize) -> (usize, usize) {
        let before = (self.bytes, self.resident);
        for _ in 0..self.chunks.len() * usize::from(COUNT_MAX) {
            if before.0 - self.bytes >= bytes || self.resident == 0 {
                break;
            }
            self.hand = (self.hand + 1) % self.chunks.len();
            self.turn(self.hand);
        }
        (before.0 - self.bytes, before.1 - self.resident)
    }

    /// Moves pages that lie in sparse slabs, of some chunks at a time; returns their bytes.
    pub(crate) fn pack(&mut self, slabs: &mut Slabs) -> usize {
        if self.packed >= self.chunks.len() {
            self.packed = 0;
        }
        let end = (self.packed + PACKED_AT_ONCE).min(self.chunks.len());
        let chunks = &mut self.chunks[std::mem::replace(&mut self.packed, end)..end];
        let mut pages: Vec<&mut Page> = chunks
            .iter_mut()
            .flatten()
            .flat_map(|chunk| chunk.iter_mut().filter_map(|slot| slot.page.as_mut()))
            .collect();
        let sparse: Vec<bool> = slabs
            .sparse(pages.iter().map(|page| page.address()))
            .collect();
        let mut moved = 0;
        for (page, _) in pages.iter_mut().zip(sparse).filter(|(_, sparse)| *sparse) {
            page.relocate();
            moved += page.capacity() + HEAD;
        }
        moved
    }

    /// The clock comes by a chunk.
    fn turn(&mut self, at: usize) {
        let Some(chunk) = &mut self.chunks[at] else {
            return;
        };
        for slot in chunk.iter_mut() {
            let Some(page) = slot.page.as_ref().filter(|_| slot.flags == 0) else {
                continue;
            };
            if slot.used.replace(false) {
                slot.count = (slot.count + 1).min(COUNT_MAX);
            } else if slot.count > 0 {
                slot.count -= 1;
            } else {
                self.bytes -= page.capacity() + PAGE_OVERHEAD;
                self.resident -= 1;
                slot.page = None;
            }
        }
        if chunk.iter().all(|slot| slot.page.is_none()) {
            self.chunks[at] = None;
        }
    }

    /// Lets go of the clean pages of which `goes` says so.
    #[cfg(test)]
    pub(crate) fn evict_if(&mut self, mut goes: impl FnMut() -> bool) {
        for at in 0..self.chunks.len() {
            let Some(chunk) = &mut self.chunks[at] else {
                continue;
            };
            for slot in chunk.iter_mut() {
                let Some(page) = slot.page.as_ref().filter(|_| slot.flags == 0) else {
                    continue;
                };
                if goes() {
                    self.bytes -= page.capacity() + PAGE_OVERHEAD;
                    self.resident -= 1;
                    slot.page = None;
                }
            }
        }
    }

    /// See the module's text.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Pages in memory.
    pub(crate) fn resident(&self) -> usize {
        self.resident
    }

    /// Bytes of the pages that are dirty.
    pub(crate) fn dirty_bytes(&self) -> usize {
        self.dirty_bytes
    }

    /// True if no page is absent.
    pub(crate) fn is_whole(&self) -> bool {
        self.resident >= self.live as usize
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> usize {
        self.bytes + self.chunks.capacity() * 8 + self.free.capacity() * 4
    }
}

impl<'a> Pages<'a> for &'a PageTable {
    #[inline]
    fn page(self, id: PageId) -> Option<&'a [u8]> {
        let slot = self.slot(id)?;
        slot.used.set(true);
        slot.page.as_deref()
    }

    /// A search jumps about in the page, and each jump would wait for memory.
    #[inline]
    fn prefetch(self, id: PageId) {
        if let Some(slot) = self.slot(id)
            && let Some(page) = &slot.page
        {
            fetch(page.address(), HEAD + 100 * usize::from(slot.hundreds));
        }
    }

    #[inline]
    fn prefetch_place(self, id: PageId) {
        if let Some(slot) = self.slot(id) {
            fetch((&raw const *slot).cast(), 1);
        }
    }

    #[inline]
    fn prefetch_inner(self, id: PageId) {
        if let Some(slot) = self.slot(id)
            && let Some(page) = &slot.page
        {
            let end = HEAD + 100 * usize::from(slot.hundreds);
            let heads = end.saturating_sub(HEADS_AHEAD_BYTES);
            fetch(page.address(), 1);
            fetch(page.address().wrapping_add(heads), end - heads);
        }
    }
}
