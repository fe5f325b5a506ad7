//! Reading files only as far as the system has their pages in memory.
//!
//! RocksDB can be told to look into its own caches alone, but not to read a file unless that means waiting for the
//! disk. The kernel can (`preadv2` with `RWF_NOWAIT`, since Linux 4.14). So this file is the process's `pread`, as the
//! allocator is its `malloc`: it does what it always does, but inside [`without_waiting`] it fails with `EAGAIN` where it
//! would have to wait. RocksDB then ends the lookup with an error, and the caller hands it to a thread that may wait.
//!
//! Where the kernel or the file system cannot tell, every such read counts as one that would wait.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use libc::{off_t, size_t, ssize_t};

/// How this thread reads at the moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As ever.
    Waiting,
    /// Not from the disk.
    AtHand,
    /// Not from the disk, and there was a read that would have waited.
    Missed,
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Waiting) };
}

/// The kernel or the file system does not know such reads.
static UNKNOWN: AtomicBool = AtomicBool::new(false);

/// Runs `read`, in which this thread reads nothing from the disk. `None` if it would have had to.
///
/// Only for reads that leave nothing behind when they fail.
pub(super) fn without_waiting<T>(read: impl FnOnce() -> T) -> Option<T> {
    /// Ends the mode even if the read panics.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            MODE.set(Mode::Waiting);
        }
    }
    MODE.set(Mode::AtHand);
    let ends = Ends;
    let result = read();
    let missed = MODE.get() == Mode::Missed;
    drop(ends);
    (!missed).then_some(result)
}

/// False once it turned out that such reads are not known here.
pub(super) fn is_known() -> bool {
    !UNKNOWN.load(Relaxed)
}

/// Reads from a file at a place (pread(2)).
///
/// # Safety
/// As for the function of this name in the C library: `buf` must have room for `count` bytes.
// SAFETY: it keeps the contract of the C library's function of this name, and nobody else in this program defines it.
#[unsafe(no_mangle)]
unsafe extern "C" fn pread(fd: i32, buf: *mut c_void, count: size_t, offset: off_t) -> ssize_t {
    if MODE.get() == Mode::Waiting {
        // SAFETY: the caller's promise; the call goes to the kernel as it came.
        return unsafe { libc::syscall(libc::SYS_pread64, fd, buf, count, offset) as ssize_t };
    }
    #[cfg(test)]
    tests::SEEN.set(tests::SEEN.get() + 1);
    let part = libc::iovec {
        iov_base: buf,
        iov_len: count,
    };
    // SAFETY: one part, which lives until the call returns, and the caller's promise for its memory. The offset is passed
    // in two halves, of which 64-bit kernels ignore the second.
    let read = unsafe {
        libc::syscall(
            libc::SYS_preadv2,
            fd,
            &raw const part,
            1usize,
            offset,
            0usize,
            libc::RWF_NOWAIT,
        )
    };
    if read < 0 {
        let error = std::io::Error::last_os_error().raw_os_error();
        if matches!(
            error,
            Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL | libc::EPERM)
        ) {
            UNKNOWN.store(true, Relaxed);
        }
        if error != Some(libc::EINTR) {
            MODE.set(Mode::Missed);
        }
    }
    read as ssize_t
}

/// The same under the name that programs use which are compiled for large files.
///
/// # Safety
/// As [`pread`].
// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn pread64(fd: i32, buf: *mut c_void, count: size_t, offset: off_t) -> ssize_t {
    // SAFETY: the caller's promise is the same.
    unsafe { pread(fd, buf, count, offset) }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileExt;

    use super::*;

    thread_local! {
        /// Reads of this thread that were not to wait.
        pub(in crate::cold) static SEEN: Cell<u64> = const { Cell::new(0) };
    }

    fn file_of(bytes: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    #[test]
    fn what_was_just_written_is_read_without_waiting() {
        let file = file_of(b"at hand");
        let mut bytes = [0; 7];
        let read = without_waiting(|| file.read_at(&mut bytes, 0).unwrap());
        assert!(read.is_none() && !is_known() || read == Some(7) && bytes == *b"at hand");
    }

    #[test]
    fn what_left_memory_is_not_waited_for() {
        let file = file_of(&[7; 1 << 20]);
        file.sync_all().unwrap();
        // SAFETY: the descriptor is open.
        unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        let mut bytes = vec![0; 1 << 20];
        let read = without_waiting(|| file.read_at(&mut bytes, 0));
        // A file system in memory has it at hand for ever.
        if let Some(read) = read {
            assert_eq!(read.unwrap(), 1 << 20);
        }
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 1 << 20);
        assert!(bytes.iter().all(|byte| *byte == 7));
    }
}
