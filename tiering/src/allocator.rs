//! The one call to the allocator that its safe interface does not offer.

use std::ffi::CStr;
use std::ptr;

/// Returns all freed pages of all arenas to the system at once, instead of by and by.
pub(crate) fn purge() {
    // `arena.<i>.purge` with the number that stands for all arenas (jemalloc manual, MALLCTL_ARENAS_ALL).
    const PURGE_ALL: &CStr = c"arena.4096.purge";
    // SAFETY: the name is a C string; this control takes and gives no value, so all pointers are null.
    let code = unsafe {
        tikv_jemalloc_sys::mallctl(
            PURGE_ALL.as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            0,
        )
    };
    debug_assert_eq!(code, 0, "the allocator knows this control");
}
