//! Brings what lookups are about to read into the processor's caches.
//!
//! A lookup of a key that is not in the caches waits for memory three or four times in a row: the slot, the word in
//! its table, the entry. Of a pipeline the keys behind the current one are known, so their waits can overlap:
//! step by step for all of them, and so can those for the pages of a large value. The technique is group prefetching
//! (Chen, Ailamaki, Gibbons and Mowry, "Improving Hash Join Performance through Prefetching", 2004). Nothing depends on
//! it: a slot that is locked is passed over.

use crate::collection::{BY_MEMBER, MAIN};
use crate::store::Inner;
use crate::tx::{Key, Kind};

/// Bytes of a cache line, or a divisor of it.
const LINE: usize = 64;

/// Asks for the cache lines of `bytes` bytes from `start` on. No access: any address will do.
#[inline]
pub(crate) fn fetch(start: *const u8, bytes: usize) {
    for line in (0..bytes).step_by(LINE) {
        fetch_line(start.wrapping_add(line));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn fetch_line(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint to the processor, which ignores addresses it cannot reach.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
}

/// Elsewhere the compiler offers no such hint.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn fetch_line(_: *const u8) {}

impl Inner {
    /// Prefetches what looking up each of `keys` reads in memory.
    pub(crate) fn prefetch_hot(&self, keys: &[Key<'_>]) {
        // Commands on one key after the other would only take its lock from somebody who works on it.
        let alike = |pair: &[Key<'_>]| pair[0].slot == pair[1].slot;
        if keys.len() > 1 && keys.windows(2).all(alike) {
            return;
        }
        for key in keys {
            let cell = &raw const self.slots[key.slot.index()];
            fetch(cell.cast(), size_of_val(&self.slots[0]));
        }
        for key in keys {
            if let Some(mut slot) = self.slots[key.slot.index()].try_lock()
                && let Some(space) = slot.space(key.ns)
            {
                space.table.prefetch_word(key.hash);
            }
        }
        for key in keys {
            if let Some(mut slot) = self.slots[key.slot.index()].try_lock()
                && let Some(space) = slot.space(key.ns)
            {
                space.table.prefetch_entry(key.hash);
            }
        }
    }

    /// Prefetches what looking up each of `elements` in the collection of `key` reads in memory, if that is large.
    pub(crate) fn prefetch_elements<'e>(
        &self,
        key: &Key<'_>,
        elements: impl Iterator<Item = &'e [u8]>,
    ) {
        if let Some(mut slot) = self.slots[key.slot.index()].try_lock()
            && let Some(space) = slot.space(key.ns)
            && let Some(place) = space.table.find(key.hash, key.bytes)
        {
            let entry = space.table.entry(place);
            let tree = match entry.kind() {
                Some(Kind::Hash | Kind::Set) => MAIN,
                Some(Kind::ZSet) => BY_MEMBER,
                _ => return,
            };
            if let Some(object) = entry.object() {
                object.view(tree).prefetch(elements);
            }
        }
    }
}
