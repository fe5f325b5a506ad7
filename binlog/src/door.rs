//! The one small door through which every file is written.
//!
//! The log (and the tests of other crates) name no file system call: they go through [`Door`]. [`DiskDoor`]
//! is the real one. [`SimDoor`] keeps files in memory and, at a simulated power cut, loses what was not
//! synced.
//!
//! What a door promises, and what the callers rely on:
//! - `write_at` is visible to `read_at` at once, and survives the death of the process (not of the machine);
//! - after `sync_data` returns, contents and length of that file survive the machine;
//! - a create, rename or remove survives the machine after `sync_dir` of its directory;
//! - what was not synced may be there or not, sector by sector; directory changes are lost from the newest on.

mod disk;
mod sim;

pub use disk::{DiskDoor, ReadOnlyDoor};
pub use sim::{SimDoor, SimFault};

use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file system, as far as we need one.
pub trait Door: Send + Sync {
    /// Creates a directory and its parents; fine if it is there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Opens a file for reading and writing; creates it if `create`, else it must exist.
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DoorFile>>;
    /// Renames, replacing the target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; open handles stay usable.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creates, renames and removes in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Names of the files in `dir`.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Takes an exclusive lock on a file (created if absent) until the guard is dropped; fails with
    /// `WouldBlock` if another process holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
}

/// An open file.
pub trait DoorFile: Send + Sync {
    /// Reads at a position; fewer bytes only at the end of the file.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes all of `buf` at a position.
    fn write_at(&self, buf: &[u8], at: u64) -> io::Result<()>;
    /// Makes contents and length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts or extends (with zeroes).
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Reserves space up to `len` and extends the file to it; new bytes read as zeroes.
    fn preallocate(&self, len: u64) -> io::Result<()>;
    /// Maps the first `len` bytes, shared: stores survive the death of the process.
    fn map(&self, len: usize) -> io::Result<Box<dyn Mapping>>;
}

/// A shared mapping of a file.
pub trait Mapping: Send + Sync {
    /// Start of the mapping; valid for `len()` bytes while the mapping lives. The caller orders accesses.
    fn as_ptr(&self) -> *mut u8;
    /// Length in bytes.
    fn len(&self) -> usize;
    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Makes what was stored so far durable.
    fn sync(&self) -> io::Result<()>;
}
