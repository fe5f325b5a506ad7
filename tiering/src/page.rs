//! A page in memory: its bytes and what is known of them in one block, shared by those who read it.
//!
//! ```text
//!   one allocation    holders, atomic   length u32   capacity u32   bytes …
//! ```
//!
//! One block, since a search goes through many pages that are in no cache: each step from one address to the next
//! costs as much as the rest of the search. Whoever changes a page that others hold gets a copy ([`Page::edit`]).

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// What the functions that change a page need of it: a page of a table, or of a small collection.
pub(crate) trait Buffer: DerefMut<Target = [u8]> {
    fn capacity(&self) -> usize;
    /// Makes room for `len` bytes in all, and a few more in steps of the allocator's size classes.
    fn make_room(&mut self, len: usize);
    /// Of more bytes than before the new ones are zero.
    fn resize(&mut self, len: usize);
}

/// The least size class that has room for so many bytes.
pub(crate) fn size_class(bytes: usize) -> usize {
    bytes.next_multiple_of((bytes.next_power_of_two() / 8).max(16))
}

impl Buffer for Vec<u8> {
    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn make_room(&mut self, len: usize) {
        if len > self.capacity() {
            self.reserve_exact(size_class(len) - self.len());
        }
    }

    fn resize(&mut self, len: usize) {
        self.make_room(len);
        self.resize(len, 0);
    }
}

#[repr(C)]
struct Head {
    holders: AtomicUsize,
    len: u32,
    capacity: u32,
}

/// Bytes of a block in front of the page's own.
pub(crate) const HEAD: usize = size_of::<Head>();

/// See the module's text.
pub(crate) struct Page {
    head: NonNull<Head>,
}

// SAFETY: the block is freed by the last holder, and changed only by one who is alone.
unsafe impl Send for Page {}
// SAFETY: as above; readers only read.
unsafe impl Sync for Page {}

fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(HEAD + capacity, align_of::<Head>()).expect("a page is no giant")
}

impl Page {
    /// A page of these bytes.
    pub(crate) fn new(bytes: &[u8]) -> Page {
        Page::with_room(bytes, size_class(HEAD + bytes.len()) - HEAD)
    }

    fn with_room(bytes: &[u8], capacity: usize) -> Page {
        assert!(bytes.len() <= capacity);
        let room = u32::try_from(capacity).expect("a page is shorter than 4 GiB");
        let layout = layout(capacity);
        // SAFETY: the layout is not empty; all of the head and the first bytes are written before anyone reads them.
        unsafe {
            let Some(head) = NonNull::new(alloc(layout).cast::<Head>()) else {
                handle_alloc_error(layout);
            };
            head.write(Head {
                holders: AtomicUsize::new(1),
                len: bytes.len() as u32,
                capacity: room,
            });
            let start = head.as_ptr().cast::<u8>().add(HEAD);
            start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            Page { head }
        }
    }

    #[inline]
    fn head(&self) -> &Head {
        // SAFETY: the block lives as long as a holder of it.
        unsafe { self.head.as_ref() }
    }

    #[inline]
    fn start(&self) -> *mut u8 {
        // SAFETY: the bytes begin behind the head, in the same block.
        unsafe { self.head.as_ptr().cast::<u8>().add(HEAD) }
    }

    /// Where its block begins.
    #[inline]
    pub(crate) fn address(&self) -> *const u8 {
        self.head.as_ptr().cast()
    }

    /// Bytes it has room for.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.head().capacity as usize
    }

    /// Gives it a new block, if nobody else holds it.
    pub(crate) fn relocate(&mut self) {
        if self.head().holders.load(Ordering::Acquire) == 1 {
            *self = Page::with_room(self, self.capacity());
        }
    }

    /// The page, to be changed: a copy, if others hold it, too.
    #[inline]
    pub(crate) fn edit(&mut self) -> Edit<'_> {
        // Nobody but this holder can make another one, so one that is alone stays so. What others did before they
        // let go came before (as in `Arc::get_mut`).
        if self.head().holders.load(Ordering::Acquire) != 1 {
            *self = Page::with_room(self, self.capacity());
        }
        Edit(self)
    }
}

impl Deref for Page {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: so many bytes were written.
        unsafe { std::slice::from_raw_parts(self.start(), self.head().len as usize) }
    }
}

impl Clone for Page {
    fn clone(&self) -> Page {
        // Holders cannot be so many that the number wraps: each takes memory.
        self.head().holders.fetch_add(1, Ordering::Relaxed);
        Page { head: self.head }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if self.head().holders.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        let layout = layout(self.capacity());
        // SAFETY: this was the last holder; the block was allocated with this layout.
        unsafe { dealloc(self.head.as_ptr().cast(), layout) }
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Page of {} bytes", self.len())
    }
}

/// A page that nobody else holds.
pub(crate) struct Edit<'a>(&'a mut Page);

impl Edit<'_> {
    /// Gives memory back that it does not need.
    pub(crate) fn shrink(&mut self, capacity: usize) {
        let capacity = size_class(HEAD + capacity.max(self.len())) - HEAD;
        if capacity < self.capacity() {
            self.set_capacity(capacity);
        }
    }

    fn set_capacity(&mut self, capacity: usize) {
        assert!(capacity >= self.len());
        let room = u32::try_from(capacity).expect("a page is shorter than 4 GiB");
        let (old, new) = (layout(self.capacity()), layout(capacity));
        // SAFETY: the block was allocated with the old layout, and nobody else has its address.
        unsafe {
            let block = realloc(self.0.head.as_ptr().cast(), old, new.size());
            let Some(head) = NonNull::new(block.cast::<Head>()) else {
                handle_alloc_error(new);
            };
            self.0.head = head;
            self.0.head.as_mut().capacity = room;
        }
    }

    fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity());
        // SAFETY: nobody else holds the block.
        unsafe { self.0.head.as_mut().len = len as u32 }
    }
}

impl Deref for Edit<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl DerefMut for Edit<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: so many bytes were written, and nobody else holds the block.
        unsafe { std::slice::from_raw_parts_mut(self.0.start(), self.0.head().len as usize) }
    }
}

impl Buffer for Edit<'_> {
    #[inline]
    fn capacity(&self) -> usize {
        self.0.capacity()
    }

    #[inline]
    fn make_room(&mut self, len: usize) {
        if len > self.capacity() {
            self.set_capacity(size_class(HEAD + len) - HEAD);
        }
    }

    #[inline]
    fn resize(&mut self, len: usize) {
        self.make_room(len);
        let old = self.len();
        if len > old {
            // SAFETY: there is room for so many.
            unsafe { self.0.start().add(old).write_bytes(0, len - old) }
        }
        self.set_len(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_copy_is_left_alone() {
        let mut page = Page::new(b"page");
        let copy = page.clone();
        page.edit()[0] = b'r';
        assert_eq!((&*page, &*copy), (&b"rage"[..], &b"page"[..]));
        let address = page.address();
        page.edit()[0] = b'c';
        assert_eq!(page.address(), address);
        let thread = std::thread::spawn(move || copy.len());
        assert_eq!(thread.join().ok(), Some(4));
        assert_eq!(&*page, b"cage");
    }

    proptest! {
        #[test]
        fn a_page_is_a_vec(steps in proptest::collection::vec((0usize..5000, 0u8..4), 1..40)) {
            let mut page = Page::new(b"");
            let mut model: Vec<u8> = Vec::new();
            let mut held = Vec::new();
            for (n, step) in steps {
                match step {
                    0 => {
                        Buffer::resize(&mut page.edit(), n);
                        Vec::resize(&mut model, n, 0);
                    }
                    1 => held.push((page.clone(), model.clone())),
                    2 => page.edit().shrink(n),
                    _ if n < model.len() => {
                        page.edit()[n] = n as u8;
                        model[n] = n as u8;
                    }
                    _ => {
                        held.pop();
                    }
                }
                prop_assert_eq!(&*page, &model[..]);
                prop_assert!(page.capacity() >= page.len());
            }
            for (page, model) in held {
                prop_assert_eq!(&*page, &model[..]);
            }
        }
    }
}
