//! What the allocator (jemalloc) offers beyond its safe interface.

use std::ffi::CStr;
use std::ptr;

use tikv_jemalloc_sys::mallctl;

/// Returns all freed pages of all arenas to the system at once, instead of by and by.
pub(crate) fn purge() {
    // `arena.<i>.purge` with the number that stands for all arenas (jemalloc manual, MALLCTL_ARENAS_ALL).
    const PURGE_ALL: &CStr = c"arena.4096.purge";
    // SAFETY: the name is a C string; this control takes and gives no value, so all pointers are null.
    let code = unsafe {
        mallctl(
            PURGE_ALL.as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            0,
        )
    };
    debug_assert_eq!(code, 0, "the allocator knows this control");
}

/// From here on this thread takes blocks where its arena has room first, and gives them back there, instead of keeping
/// some at hand: what it moves would else land where it came from.
pub(crate) fn bypass_thread_cache() {
    let mut enabled = false;
    // SAFETY: the name is a C string; this control takes a bool.
    let code = unsafe {
        mallctl(
            c"thread.tcache.enabled".as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            (&raw mut enabled).cast(),
            size_of::<bool>(),
        )
    };
    debug_assert_eq!(code, 0, "the allocator knows this control");
}

/// How full the slabs are in which blocks lie. A slab is a few pages that hold blocks of one size; they go back to the
/// system when the last block is freed.
#[derive(Debug, Default)]
pub(crate) struct Slabs {
    blocks: Vec<usize>,
    figures: Vec<Figures>,
}

/// Of the slab of a block, or of the block itself where it is large: as `experimental.utilization.batch_query` gives it
/// (`src/ctl.c` of jemalloc 5.3).
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Figures {
    free_blocks: usize,
    blocks: usize,
    bytes: usize,
}

impl Slabs {
    /// For each block, whether its slab has so much room that the block had better be in another.
    pub(crate) fn sparse(
        &mut self,
        blocks: impl Iterator<Item = *const u8>,
    ) -> impl Iterator<Item = bool> + '_ {
        self.blocks.clear();
        self.blocks.extend(blocks.map(|block| block as usize));
        self.figures.clear();
        self.figures.resize(self.blocks.len(), Figures::default());
        self.ask();
        // More than a quarter.
        let is_sparse = |slab: &Figures| slab.blocks > 1 && slab.free_blocks * 4 > slab.blocks;
        self.figures.iter().map(is_sparse)
    }

    fn ask(&mut self) {
        if self.blocks.is_empty() {
            return;
        }
        let mut bytes = size_of_val(&self.figures[..]);
        // SAFETY: the control takes addresses, of which it asks only its own index, and gives as many figures; both
        // buffers are as long as said.
        let code = unsafe {
            mallctl(
                c"experimental.utilization.batch_query".as_ptr(),
                self.figures.as_mut_ptr().cast(),
                &raw mut bytes,
                self.blocks.as_mut_ptr().cast(),
                size_of_val(&self.blocks[..]),
            )
        };
        if code != 0 {
            // Another allocator, or another version of it: nothing is known to be sparse.
            self.figures.fill(Figures::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_left_alone_in_their_slabs_are_told_from_those_among_others() {
        // Unit tests may run with another allocator; these blocks are jemalloc's in any case.
        let new = || {
            // SAFETY: a plain allocation; freed below.
            let block = unsafe { tikv_jemalloc_sys::mallocx(640, TCACHE_NONE) };
            assert!(!block.is_null());
            block as usize
        };
        // SAFETY: each is freed once.
        let free =
            |block: usize| unsafe { tikv_jemalloc_sys::dallocx(block as *mut _, TCACHE_NONE) };
        const TCACHE_NONE: i32 = 1 << 8;
        let blocks: Vec<usize> = (0..4096).map(|_| new()).collect();
        let mut slabs = Slabs::default();
        let mut sparse = |blocks: &[usize]| {
            let all = blocks.iter().map(|block| *block as *const u8);
            slabs.sparse(all).filter(|sparse| *sparse).count()
        };
        assert!(sparse(&blocks) < 64, "full slabs are not sparse");
        let (kept, gone): (Vec<_>, Vec<_>) =
            blocks.iter().enumerate().partition(|(i, _)| i % 8 == 0);
        gone.into_iter().for_each(|(_, block)| free(*block));
        let kept: Vec<usize> = kept.into_iter().map(|(_, block)| *block).collect();
        assert!(sparse(&kept) > kept.len() - 16, "one of eight is left");
        kept.into_iter().for_each(free);
        assert_eq!(sparse(&[]), 0);
    }
}
