//! The real file system.

use super::{Door, DoorFile, Mapping};
use memmap2::{MmapOptions, MmapRaw};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Files on disk.
#[derive(Clone, Copy, Default, Debug)]
pub struct DiskDoor;

impl Door for DiskDoor {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DoorFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(path)?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(Locked(file))),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

/// Files on disk, to be read only: for a look at a log that is not ours. Whatever changes something fails.
#[derive(Clone, Copy, Default, Debug)]
pub struct ReadOnlyDoor;

fn read_only<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Door for ReadOnlyDoor {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        read_only()
    }

    fn open(&self, path: &Path, _create: bool) -> io::Result<Arc<dyn DoorFile>> {
        Ok(Arc::new(DiskFile(File::open(path)?)))
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        read_only()
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        read_only()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        DiskDoor.list(dir)
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        read_only()
    }
}

/// A file that is locked until this is dropped.
struct Locked(File);

impl Drop for Locked {
    /// Closing it is not enough: a process that is being started has a copy of the descriptor until it runs its own
    /// program, and the lock would live as long.
    fn drop(&mut self) {
        // It fails for no reason that could be acted upon.
        let _ = self.0.unlock();
    }
}

struct DiskFile(File);

impl DoorFile for DiskFile {
    fn read_at(&self, mut buf: &mut [u8], mut at: u64) -> io::Result<usize> {
        let mut got = 0;
        while !buf.is_empty() {
            match self.0.read_at(buf, at) {
                Ok(0) => break,
                Ok(n) => {
                    got += n;
                    at += n as u64;
                    buf = &mut buf[n..];
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(got)
    }

    fn write_at(&self, buf: &[u8], at: u64) -> io::Result<()> {
        self.0.write_all_at(buf, at)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        let len_off = libc::off_t::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        loop {
            // SAFETY: a plain system call on a descriptor this file owns.
            let failed = unsafe { libc::fallocate(self.0.as_raw_fd(), 0, 0, len_off) } != 0;
            if !failed {
                return Ok(());
            }
            let e = io::Error::last_os_error();
            match e.raw_os_error() {
                Some(libc::EINTR) => {}
                // A file system without reservations: writes may meet a full disk later, which is handled.
                Some(libc::EOPNOTSUPP) => return self.0.set_len(len.max(self.len()?)),
                _ => return Err(e),
            }
        }
    }

    fn map(&self, len: usize) -> io::Result<Box<dyn Mapping>> {
        let map = MmapOptions::new().len(len).map_raw(&self.0)?;
        Ok(Box::new(DiskMapping(map)))
    }
}

struct DiskMapping(MmapRaw);

impl Mapping for DiskMapping {
    fn as_ptr(&self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sync(&self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_when_it_is_dropped_whoever_has_a_copy_of_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let file = File::create(&path).expect("a file");
        file.try_lock().expect("nobody has it");
        let copy = file.try_clone().expect("a descriptor");
        assert!(DiskDoor.lock(&path).is_err(), "it is locked");
        drop(Locked(file));
        drop(
            DiskDoor
                .lock(&path)
                .expect("it is free, although a copy is open"),
        );
        drop(copy);
    }
}
