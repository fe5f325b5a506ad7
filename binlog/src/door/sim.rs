//! Files in memory that can lose power.
//!
//! What a cut leaves is drawn from a seed: of a file's unsynced 512-byte sectors each survives or not, its unsynced
//! length likewise; of the unsynced directory changes a random number of the oldest survives (a
//! journal keeps their order). As in a real kernel, some of the unsynced may have reached the disk at
//! any time before, in an older version.
//!
//! `kill` is the death of the process alone: nothing is lost, but what was unsynced still is.

use super::{Door, DoorFile, Mapping};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const SECTOR: usize = 512;

/// A simulated disk.
#[derive(Clone)]
pub struct SimDoor(Arc<Mutex<Disk>>);

/// An operation that can be made to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SimFault {
    /// `write_at`.
    Write,
    /// `sync_data`, and `sync` of a mapping.
    Sync,
    /// `preallocate`.
    Preallocate,
    /// `rename`.
    Rename,
    /// `sync_dir`.
    SyncDir,
    /// `read_at`.
    Read,
}

struct Disk {
    random: u64,
    files: BTreeMap<u64, File>,
    next_file: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    unsynced_changes: Vec<Change>,
    /// Bytes all files together may have.
    capacity: u64,
    operations: u64,
    dies_at: Option<u64>,
    dead: bool,
    faults: Vec<(SimFault, i32, u32)>,
}

#[derive(Clone, Default)]
struct File {
    data: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    length_dirty: bool,
    /// If set, the first bytes of the file live here instead of in `data`.
    map: Option<Arc<SharedBytes>>,
}

#[derive(Clone)]
enum Change {
    Link(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// Bytes of a mapping. Atomic, so that looking at them while someone stores is merely a torn read, as it
/// would be for a kernel writing a page back.
struct SharedBytes(Box<[AtomicU8]>);

impl SimDoor {
    /// An empty disk; `seed` decides what cuts lose.
    #[must_use]
    pub fn new(seed: u64) -> SimDoor {
        SimDoor(Arc::new(Mutex::new(Disk {
            random: seed,
            files: BTreeMap::new(),
            next_file: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_changes: Vec::new(),
            capacity: u64::MAX,
            operations: 0,
            dies_at: None,
            dead: false,
            faults: Vec::new(),
        })))
    }

    /// Cuts the power: this door fails from now on, the one returned shows what is left.
    #[must_use]
    pub fn power_cut(&self) -> SimDoor {
        let mut disk = self.0.lock();
        disk.dead = true;
        let left = disk.after_power_cut();
        SimDoor(Arc::new(Mutex::new(left)))
    }

    /// Kills the process: this door fails from now on, the one returned shows the same files.
    #[must_use]
    pub fn kill(&self) -> SimDoor {
        let mut disk = self.0.lock();
        disk.dead = true;
        let left = disk.after_kill();
        SimDoor(Arc::new(Mutex::new(left)))
    }

    /// Has every operation fail from the one on that changes something for the `operations`-th time from now.
    pub fn die_after(&self, operations: u64) {
        let mut disk = self.0.lock();
        disk.dies_at = Some(disk.operations + operations);
    }

    /// Whether it died.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.0.lock().dead
    }

    /// How many changing operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Has the next `times` operations of this kind fail with this error number.
    pub fn fail(&self, what: SimFault, error_number: i32, times: u32) {
        self.0.lock().faults.push((what, error_number, times));
    }

    /// Limits what all files together may take.
    pub fn set_capacity(&self, bytes: u64) {
        self.0.lock().capacity = bytes;
    }

    /// Bytes all files take now.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.lock().used()
    }

    /// Flips bits of a byte of a file, on disk too: rot.
    pub fn rot(&self, path: &Path, at: u64, mask: u8) {
        let mut disk = self.0.lock();
        let id = disk.names[path];
        let file = disk.files.get_mut(&id).expect("a name leads to a file");
        for bytes in [&mut file.data, &mut file.durable] {
            if let Some(byte) = bytes.get_mut(at as usize) {
                *byte ^= mask;
            }
        }
    }
}

impl Disk {
    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.random().is_multiple_of(one_in)
    }

    /// Counts a changing operation, and fails it if it is to fail.
    fn operation(&mut self, fault: Option<SimFault>) -> io::Result<()> {
        self.alive()?;
        self.operations += 1;
        if self.dies_at.is_some_and(|at| self.operations >= at) {
            self.dead = true;
        }
        fault.map_or(Ok(()), |fault| self.fault(fault))
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead {
            Err(io::Error::from_raw_os_error(libc::EIO))
        } else {
            Ok(())
        }
    }

    fn fault(&mut self, kind: SimFault) -> io::Result<()> {
        let Some(at) = self.faults.iter().position(|f| f.0 == kind && f.2 > 0) else {
            return Ok(());
        };
        self.faults[at].2 -= 1;
        Err(io::Error::from_raw_os_error(self.faults[at].1))
    }

    fn file(&mut self, id: u64) -> &mut File {
        self.files.get_mut(&id).expect("files are never forgotten")
    }

    fn used(&self) -> u64 {
        self.names
            .values()
            .map(|id| self.files[id].data.len() as u64)
            .sum()
    }

    fn grow(&mut self, id: u64, len: u64) -> io::Result<()> {
        let had = self.file(id).data.len() as u64;
        if len <= had {
            return Ok(());
        }
        if self.used() + (len - had) > self.capacity {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let file = self.file(id);
        file.data.resize(len as usize, 0);
        file.length_dirty = true;
        file.dirty
            .extend(had as usize / SECTOR..(len as usize).div_ceil(SECTOR));
        Ok(())
    }

    /// Now and then the kernel writes some of it back by itself.
    fn write_back(&mut self, id: u64) {
        if !self.chance(8) {
            return;
        }
        let mut file = std::mem::take(self.file(id));
        file.see_map();
        for sector in std::mem::take(&mut file.dirty) {
            if self.chance(2) {
                file.write_back(sector);
            } else {
                file.dirty.insert(sector);
            }
        }
        *self.file(id) = file;
    }

    fn reborn(&mut self) -> Disk {
        Disk {
            random: self.random(),
            files: BTreeMap::new(),
            next_file: self.next_file,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_changes: Vec::new(),
            capacity: self.capacity,
            operations: 0,
            dies_at: None,
            dead: false,
            faults: Vec::new(),
        }
    }

    fn after_power_cut(&mut self) -> Disk {
        let mut left = self.reborn();
        let mut names = self.durable_names.clone();
        let survive = self.random() % (self.unsynced_changes.len() as u64 + 1);
        for change in &self.unsynced_changes[..survive as usize] {
            change.apply(&mut names);
        }
        for id in names.values() {
            let mut file = self.files[id].clone();
            file.see_map();
            let longer = file.data.len().max(file.durable.len());
            let len = if file.length_dirty && self.chance(2) {
                file.data.len()
            } else {
                file.durable.len()
            };
            file.durable.resize(longer, 0);
            for sector in std::mem::take(&mut file.dirty) {
                if self.chance(2) {
                    file.write_back(sector);
                }
            }
            file.durable.resize(len, 0);
            let data = file.durable;
            left.files.insert(
                *id,
                File {
                    durable: data.clone(),
                    data,
                    ..File::default()
                },
            );
        }
        left.durable_names = names.clone();
        left.names = names;
        left
    }

    fn after_kill(&mut self) -> Disk {
        let mut left = self.reborn();
        left.files = self.files.clone();
        for file in left.files.values_mut() {
            file.see_map();
            file.map = None;
        }
        left.names = self.names.clone();
        left.durable_names = self.durable_names.clone();
        left.unsynced_changes = self.unsynced_changes.clone();
        left
    }
}

impl File {
    /// Takes over what was stored through the mapping.
    fn see_map(&mut self) {
        let Some(map) = self.map.clone() else { return };
        for sector in 0..map.0.len().div_ceil(SECTOR) {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(map.0.len());
            let now: Vec<u8> = map.0[range.clone()]
                .iter()
                .map(|b| b.load(Ordering::Relaxed))
                .collect();
            if self.data[range.clone()] != now[..] {
                self.data[range].copy_from_slice(&now);
                self.dirty.insert(sector);
            }
        }
    }

    fn write_back(&mut self, sector: usize) {
        let start = sector * SECTOR;
        let end = (start + SECTOR).min(self.data.len());
        if start >= end {
            return;
        }
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        self.durable[start..end].copy_from_slice(&self.data[start..end]);
    }

    fn write(&mut self, bytes: &[u8], at: usize) {
        self.data[at..at + bytes.len()].copy_from_slice(bytes);
        if let Some(map) = &self.map {
            for (i, byte) in bytes.iter().enumerate() {
                map.0[at + i].store(*byte, Ordering::Relaxed);
            }
        }
        self.dirty
            .extend(at / SECTOR..(at + bytes.len()).div_ceil(SECTOR));
    }

    fn sync(&mut self) {
        self.see_map();
        self.durable.clone_from(&self.data);
        self.dirty.clear();
        self.length_dirty = false;
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Change::Link(path, id) => drop(names.insert(path.clone(), *id)),
            Change::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
            Change::Remove(path) => drop(names.remove(path)),
        }
    }

    fn is_in(&self, dir: &Path) -> bool {
        let (Change::Link(path, _) | Change::Rename(path, _) | Change::Remove(path)) = self;
        path.parent() == Some(dir)
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Door for SimDoor {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        self.0.lock().alive()
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DoorFile>> {
        let mut disk = self.0.lock();
        disk.alive()?;
        let id = match disk.names.get(path) {
            Some(&id) => id,
            None if create => {
                disk.operation(None)?;
                let id = disk.next_file;
                disk.next_file += 1;
                disk.files.insert(id, File::default());
                let change = Change::Link(path.to_owned(), id);
                change.apply(&mut disk.names);
                disk.unsynced_changes.push(change);
                id
            }
            None => return Err(not_found()),
        };
        Ok(Arc::new(SimFile {
            door: self.clone(),
            id,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.operation(Some(SimFault::Rename))?;
        if !disk.names.contains_key(from) {
            return Err(not_found());
        }
        let change = Change::Rename(from.to_owned(), to.to_owned());
        change.apply(&mut disk.names);
        disk.unsynced_changes.push(change);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.operation(None)?;
        if !disk.names.contains_key(path) {
            return Err(not_found());
        }
        let change = Change::Remove(path.to_owned());
        change.apply(&mut disk.names);
        disk.unsynced_changes.push(change);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.operation(Some(SimFault::SyncDir))?;
        if disk.dead {
            return disk.alive();
        }
        let (here, elsewhere) = std::mem::take(&mut disk.unsynced_changes)
            .into_iter()
            .partition(|c| c.is_in(dir));
        let here: Vec<Change> = here;
        disk.unsynced_changes = elsewhere;
        for change in here {
            change.apply(&mut disk.durable_names);
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.0.lock();
        disk.alive()?;
        let here = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(here
            .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
            .collect())
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        // One simulated process at a time: the tests see to it.
        self.0
            .lock()
            .alive()
            .map(|()| Box::new(()) as Box<dyn Send + Sync>)
    }
}

struct SimFile {
    door: SimDoor,
    id: u64,
}

impl DoorFile for SimFile {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let mut disk = self.door.0.lock();
        disk.alive()?;
        disk.fault(SimFault::Read)?;
        let file = disk.file(self.id);
        file.see_map();
        let from = file.data.get(at as usize..).unwrap_or_default();
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], at: u64) -> io::Result<()> {
        let mut disk = self.door.0.lock();
        disk.operation(Some(SimFault::Write))?;
        disk.grow(self.id, at + buf.len() as u64)?;
        disk.file(self.id).write(buf, at as usize);
        disk.write_back(self.id);
        // The operation in which the power goes may leave anything, but never reports success.
        disk.alive()
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.door.0.lock();
        disk.operation(Some(SimFault::Sync))?;
        disk.alive()?;
        disk.file(self.id).sync();
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut disk = self.door.0.lock();
        disk.alive()?;
        Ok(disk.file(self.id).data.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.door.0.lock();
        disk.operation(None)?;
        disk.grow(self.id, len)?;
        let file = disk.file(self.id);
        if len < file.data.len() as u64 {
            file.dirty
                .extend(len as usize / SECTOR..file.data.len().div_ceil(SECTOR));
            file.data.truncate(len as usize);
            file.length_dirty = true;
        }
        disk.alive()
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        let mut disk = self.door.0.lock();
        disk.operation(Some(SimFault::Preallocate))?;
        disk.grow(self.id, len)?;
        disk.alive()
    }

    fn map(&self, len: usize) -> io::Result<Box<dyn Mapping>> {
        let mut disk = self.door.0.lock();
        disk.alive()?;
        let file = disk.file(self.id);
        if file.map.is_some() || len > file.data.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let bytes = Arc::new(SharedBytes(
            file.data[..len].iter().map(|b| AtomicU8::new(*b)).collect(),
        ));
        file.map = Some(bytes.clone());
        Ok(Box::new(SimMapping {
            bytes,
            door: self.door.clone(),
            id: self.id,
        }))
    }
}

struct SimMapping {
    bytes: Arc<SharedBytes>,
    door: SimDoor,
    id: u64,
}

impl Mapping for SimMapping {
    fn as_ptr(&self) -> *mut u8 {
        // Every byte is in an atomic, so storing through this pointer is allowed.
        self.bytes.0.as_ptr().cast::<u8>().cast_mut()
    }

    fn len(&self) -> usize {
        self.bytes.0.len()
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.door.0.lock();
        disk.operation(Some(SimFault::Sync))?;
        disk.alive()?;
        disk.file(self.id).sync();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(door: &SimDoor, path: &str) -> Option<Vec<u8>> {
        let file = door.open(Path::new(path), false).ok()?;
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        Some(bytes)
    }

    #[test]
    fn what_was_synced_survives_every_cut() {
        for seed in 0..100 {
            let door = SimDoor::new(seed);
            let file = door.open(Path::new("/d/a"), true).unwrap();
            file.write_at(&[1; 2000], 0).unwrap();
            file.sync_data().unwrap();
            door.sync_dir(Path::new("/d")).unwrap();
            file.write_at(&[2; 512], 512).unwrap();
            let left = read(&door.power_cut(), "/d/a").unwrap();
            assert_eq!(
                (&left[..512], &left[1024..]),
                (&[1; 512][..], &[1; 976][..])
            );
            assert!(left[512..1024] == [1; 512] || left[512..1024] == [2; 512]);
        }
    }

    #[test]
    fn what_was_not_synced_is_sometimes_lost_and_a_kill_loses_nothing() {
        let (mut names, mut contents) = (0, 0);
        for seed in 0..100 {
            let door = SimDoor::new(seed);
            let file = door.open(Path::new("/d/a"), true).unwrap();
            file.write_at(&[1; 512], 0).unwrap();
            let killed = door.kill();
            assert_eq!(read(&killed, "/d/a").unwrap(), [1; 512]);
            match read(&killed.power_cut(), "/d/a") {
                None => names += 1,
                Some(bytes) if bytes != [1; 512] => contents += 1,
                Some(_) => {}
            }
        }
        assert!(
            names > 20 && contents > 10,
            "names lost {names}, contents lost {contents}"
        );
    }

    #[test]
    fn a_mapping_is_the_file() {
        let door = SimDoor::new(1);
        let file = door.open(Path::new("/d/a"), true).unwrap();
        file.preallocate(4096).unwrap();
        let map = file.map(4096).unwrap();
        // SAFETY: inside the mapping, and nothing else touches it.
        unsafe { map.as_ptr().add(100).write(7) };
        map.sync().unwrap();
        door.sync_dir(Path::new("/d")).unwrap();
        assert_eq!(read(&door.power_cut(), "/d/a").unwrap()[100], 7);
    }

    #[test]
    fn a_full_disk_and_an_injected_fault_are_reported() {
        let door = SimDoor::new(1);
        door.set_capacity(1000);
        let file = door.open(Path::new("/d/a"), true).unwrap();
        assert_eq!(
            file.preallocate(1001).unwrap_err().raw_os_error(),
            Some(libc::ENOSPC)
        );
        door.fail(SimFault::Sync, libc::EIO, 1);
        assert!(file.sync_data().is_err());
        assert!(file.sync_data().is_ok());
    }
}
