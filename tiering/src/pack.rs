//! Moving what is in memory together, where freed blocks lie in between.
//!
//! Entries and pages are let go by how often they are used, not by where they lie, so what stays is spread thinly over
//! the allocator's slabs, and memory that nobody uses stays resident. Letting more go does not help: it makes the
//! slabs emptier still. So the reliever gives blocks in sparse slabs a new place, a few slots at a time, while the
//! process is near its limit and slabs waste a good part of it.
//!
//! A block is moved under its slot's lock, under which alone entries are reached; a page that a batch or a reader holds
//! as well stays where it is. A lock is held for a bounded number of blocks (`HotTable::pack`).

use std::time::{Duration, Instant};

use crate::SLOTS;
use crate::allocator::Slabs;
use crate::store::Inner;

/// Slots looked at between two looks at the budget.
const SLOTS_AT_ONCE: usize = 2048;
/// After a round that moved little the rest is not ours: block cache, buffers.
const REST: Duration = Duration::from_secs(3);

/// Where a round of packing stands.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    slot: usize,
    slabs: Slabs,
    /// Moved in this round.
    moved_bytes: u64,
    rests_until: Option<Instant>,
}

impl Inner {
    /// Packs a few slots if it is worth it.
    pub(crate) fn pack(&self, packer: &mut Packer) {
        let wasted = self.budget.wasted_in_slabs();
        if wasted == 0 {
            return;
        }
        if packer
            .rests_until
            .is_some_and(|until| Instant::now() < until)
        {
            return;
        }
        packer.rests_until = None;
        for _ in 0..SLOTS_AT_ONCE {
            self.pack_slot(packer);
            packer.slot = (packer.slot + 1) % SLOTS;
            if packer.slot == 0 {
                if packer.moved_bytes < wasted / 16 {
                    packer.rests_until = Some(Instant::now() + REST);
                }
                packer.moved_bytes = 0;
            }
        }
    }

    fn pack_slot(&self, packer: &mut Packer) {
        let slot = &self.slots[packer.slot];
        let (mut space_at, mut word) = (0, 0);
        loop {
            let mut slot = slot.lock();
            let Some(space) = slot.spaces().nth(space_at) else {
                return;
            };
            let packed = space.table.pack(word, &mut packer.slabs);
            drop(slot);
            packer.moved_bytes += packed.moved_bytes as u64;
            self.stats.packed_bytes.add(packed.moved_bytes as u64);
            (space_at, word) = match packed.next {
                Some(next) => (space_at, next),
                None => (space_at + 1, 0),
            };
        }
    }
}
