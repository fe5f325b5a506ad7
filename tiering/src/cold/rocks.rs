//! The store: opening, reading and writing. This file and those below it are the only ones that name
//! `rocksdb::`; see `rocks/tuning.rs` for settings, `rocks/scan.rs` for ordered reads, `rocks/figures.rs`
//! for statistics and upkeep.

mod figures;
mod pages;
mod scan;
#[cfg(test)]
mod tests;
mod tuning;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    Cache, ColumnFamily, ColumnFamilyDescriptor, DBPinnableSlice, DBWithThreadMode, ErrorKind,
    FlushOptions, Options, ReadOptions, ReadTier, SingleThreaded, WriteBatch, WriteBufferManager,
    WriteOptions,
};

use self::tuning::Tuning;
use super::CachedLookup;
use super::error::ColdError;
use super::key::{ColdKey, end_of_namespace, page_key, position, with_encoded};
use super::nowait;
use super::options::{ColdOptions, Division};
use super::record::{ColdRecord, RecordHeader};
use super::write_set::{Family, WriteSet};
use crate::ids::{NamespaceId, Slot};

/// Families never change while the store is open, so their handles need no lock.
type Db = DBWithThreadMode<SingleThreaded>;

/// Number of the latest flush.
const STATE_FLUSHED: &str = "flushed";

/// The cold tier of one data directory. Shared by reference between threads; every method may be called from
/// any thread. All but `get_cached`, those named `at_hand`, and `state_get` of small blobs may wait for the disk.
///
/// Dropping it does not flush: what was written since the last [`ColdTier::flush`] may be gone, as after a
/// crash, and comes back from the binlog.
pub struct ColdTier {
    db: Db,
    /// Kept for its counters.
    db_options: Options,
    cache: Cache,
    memtables: WriteBufferManager,
    read: ReadOptions,
    read_past_cache: ReadOptions,
    read_cached: ReadOptions,
    read_persisted: ReadOptions,
    write: WriteOptions,
    /// Flushes so far, those of earlier times included.
    flushes: AtomicU64,
    /// Reads pass the system's page cache by.
    direct_reads: bool,
}

impl ColdTier {
    /// Opens the store at `options.path`, making it if there is none.
    pub fn open(options: ColdOptions) -> Result<Self, ColdError> {
        Self::open_by(&options, |db_options, families| {
            Db::open_cf_descriptors(db_options, &options.path, families)
        })
    }

    /// Opens the store at `path` to look at it: it must exist, and another process may have it open. What that
    /// one has not flushed is not seen.
    pub fn open_read_only(path: &Path) -> Result<Self, ColdError> {
        const MEMORY_BYTES: usize = 64 << 20;
        let options = ColdOptions::new(path, MEMORY_BYTES);
        Self::open_by(&options, |db_options, families| {
            Db::open_cf_descriptors_read_only(db_options, path, families, false)
        })
    }

    fn open_by(
        options: &ColdOptions,
        open: impl FnOnce(&Options, Vec<ColumnFamilyDescriptor>) -> Result<Db, rocksdb::Error>,
    ) -> Result<Self, ColdError> {
        let Tuning {
            db_options,
            families,
            cache,
            memtables,
        } = Tuning::new(options)?;
        let db = open(&db_options, families).map_err(store("open"))?;
        let mut read_past_cache = ReadOptions::default();
        read_past_cache.fill_cache(false);
        let mut read_cached = ReadOptions::default();
        read_cached.set_read_tier(ReadTier::BlockCache);
        let mut write = WriteOptions::default();
        write.disable_wal(true);
        let mut read_persisted = ReadOptions::default();
        read_persisted.set_read_tier(ReadTier::Persisted);
        let flushed = db
            .cf_handle(Family::State.name())
            .map_or(Ok(None), |state| db.get_cf(state, STATE_FLUSHED))
            .map_err(store("read state"))?;
        let flushes = flushed.and_then(|bytes| bytes.try_into().ok().map(u64::from_le_bytes));
        Ok(ColdTier {
            db,
            db_options,
            cache,
            memtables,
            read: ReadOptions::default(),
            read_past_cache,
            read_cached,
            read_persisted,
            write,
            flushes: AtomicU64::new(flushes.unwrap_or(0)),
            direct_reads: options.direct_reads,
        })
    }

    /// Reads the record of `key`, from disk if need be.
    pub fn get(&self, key: &ColdKey<'_>) -> Result<Option<ColdRecord>, ColdError> {
        with_encoded(key, |key| match self.lookup(key, self.read_of_record()) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => record_of(key, &bytes).map(Some),
            Err(e) => Err(store("get")(e)),
        })
    }

    /// Looks `key` up in memory alone: memtables, filters, cached blocks.
    pub fn get_cached(&self, key: &ColdKey<'_>) -> Result<CachedLookup, ColdError> {
        with_encoded(key, |key| match self.lookup(key, &self.read_cached) {
            Ok(None) => Ok(CachedLookup::Absent),
            Ok(Some(bytes)) => record_of(key, &bytes).map(CachedLookup::Hit),
            Err(e) if e.kind() == ErrorKind::Incomplete => Ok(CachedLookup::Unknown),
            Err(e) => Err(store("get from memory")(e)),
        })
    }

    /// As [`ColdTier::get_cached`], and reads the file if the system has that part of it in memory.
    pub fn get_at_hand(&self, key: &ColdKey<'_>) -> Result<CachedLookup, ColdError> {
        if !self.reads_at_hand() {
            return self.get_cached(key);
        }
        with_encoded(key, |key| {
            match nowait::without_waiting(|| self.lookup(key, self.read_of_record())) {
                None => Ok(CachedLookup::Unknown),
                Some(Ok(None)) => Ok(CachedLookup::Absent),
                Some(Ok(Some(bytes))) => record_of(key, &bytes).map(CachedLookup::Hit),
                Some(Err(e)) => Err(store("get at hand")(e)),
            }
        })
    }

    /// Whether a read can be ended where it would wait.
    fn reads_at_hand(&self) -> bool {
        !self.direct_reads && nowait::is_known()
    }

    /// How records are read. They lie in the order of hashes, so that nobody wants the rest of a block soon: of the blocks
    /// that were kept 2 % were used again (Zipf). Where the system can be asked for what it has in memory, it alone keeps
    /// what was read.
    fn read_of_record(&self) -> &ReadOptions {
        if self.reads_at_hand() {
            &self.read_past_cache
        } else {
            &self.read
        }
    }

    /// Reads the header of `key`'s record, from disk if need be, without copying the value.
    pub fn header(&self, key: &ColdKey<'_>) -> Result<Option<RecordHeader>, ColdError> {
        with_encoded(key, |key| {
            let Some(bytes) = self
                .lookup(key, self.read_of_record())
                .map_err(store("get header"))?
            else {
                return Ok(None);
            };
            let (header, _) =
                RecordHeader::decode(&bytes).map_err(|e| ColdError::record(key, e))?;
            Ok(Some(header))
        })
    }

    /// Whether there is a record of `key`; says nothing of its expiry.
    pub fn contains(&self, key: &ColdKey<'_>) -> Result<bool, ColdError> {
        with_encoded(key, |key| {
            self.lookup(key, self.read_of_record())
                .map(|v| v.is_some())
                .map_err(store("get"))
        })
    }

    /// Applies all changes of `set` as one and clears it. They are readable at once, and on disk after the
    /// next flush. The set is left as it was if the store refuses it.
    pub fn write(&self, set: &mut WriteSet) -> Result<(), ColdError> {
        /// Type byte, family number and two lengths; enough that the batch does not grow.
        const ROW_BYTES: usize = 16;
        if set.is_empty() {
            return Ok(());
        }
        let mut batch = WriteBatch::with_capacity_bytes(set.bytes() + ROW_BYTES * (set.len() + 1));
        let families = Family::ALL.map(|family| self.family(family));
        for change in set.changes() {
            let family = families[change.family as usize];
            match change.value {
                Some(value) => batch.put_cf(family, change.key, value),
                None => batch.delete_cf(family, change.key),
            }
        }
        self.add_page_changes(set, &mut batch);
        self.db
            .write_opt(batch, &self.write)
            .map_err(store("write"))?;
        set.clear();
        Ok(())
    }

    /// Puts everything written so far on disk, all families at once, and waits for it.
    ///
    /// RocksDB's word alone is not enough: where it flushes by itself at the same time, its wait for a flush over several
    /// families compares the memtables of one with those of another (they come out of a hash map in another order) and may
    /// end too early. So a mark goes along, and what was written is on disk when the mark is.
    pub fn flush(&self) -> Result<(), ColdError> {
        const PAUSE: Duration = Duration::from_millis(1);
        let mark = self.flushes.fetch_add(1, Relaxed) + 1;
        let state = self.family(Family::State);
        self.db
            .put_cf_opt(state, STATE_FLUSHED, mark.to_le_bytes(), &self.write)
            .map_err(store("mark a flush"))?;
        let mut options = FlushOptions::default();
        options.set_wait(true);
        let families = Family::ALL.map(|family| self.family(family));
        let families: Vec<&&ColumnFamily> = families.iter().collect();
        loop {
            self.db
                .flush_cfs_opt(&families, &options)
                .map_err(store("flush"))?;
            let found = self
                .db
                .get_cf_opt(state, STATE_FLUSHED, &self.read_persisted)
                .map_err(store("see a flush end"))?;
            let found = found.and_then(|bytes| bytes.try_into().ok().map(u64::from_le_bytes));
            if found.is_some_and(|found| found >= mark) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Deletes every record and page of `ns`. Cheap whatever their number: a range tombstone, then whole files are
    /// dropped; the remains go with later compactions.
    ///
    /// The binlog must already be on disk up to the command that gave the namespace up, since dropped files
    /// do not come back in a crash. Expiry rows stay until they are due; their keys are then absent.
    pub fn drop_namespace(&self, ns: NamespaceId) -> Result<(), ColdError> {
        let (from, to) = (position(ns, Slot(0), 0), end_of_namespace(ns));
        let keys = self.family(Family::Keys);
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(keys, from, to);
        let next = NamespaceId(ns.0.saturating_add(1));
        let pages = self.family(Family::Pages);
        batch.delete_range_cf(pages, page_key(ns, 0, 0), page_key(next, 0, 0));
        self.db
            .write_opt(batch, &self.write)
            .map_err(store("drop namespace"))?;
        self.db
            .delete_file_in_range_cf(keys, from, to)
            .map_err(store("drop namespace's files"))
    }

    /// Reads a named blob of state.
    pub fn state_get(&self, name: &str) -> Result<Option<Vec<u8>>, ColdError> {
        self.db
            .get_cf_opt(self.family(Family::State), name, &self.read)
            .map_err(store("read state"))
    }

    /// Makes a consistent copy of the store at `path` (which must not exist) out of hard links, flushing
    /// first. The copy can be opened, or shipped file by file.
    pub fn hard_link_snapshot(&self, path: &Path) -> Result<(), ColdError> {
        let checkpoint = Checkpoint::new(&self.db).map_err(store("prepare snapshot"))?;
        checkpoint
            .create_checkpoint(path)
            .map_err(store("make snapshot"))
    }

    /// Changes the memory budget at once; what is over it is released as blocks are evicted and memtables
    /// flushed.
    pub fn set_memory_budget(&self, bytes: usize) -> Result<(), ColdError> {
        let parts = Division::of(bytes);
        self.cache.clone().set_capacity(parts.cache_bytes);
        self.memtables.set_buffer_size(parts.memtables_bytes);
        let write_buffer = parts.write_buffer_bytes.to_string();
        for family in Family::ALL {
            self.db
                .set_options_cf(self.family(family), &[("write_buffer_size", &write_buffer)])
                .map_err(store("change memory budget"))?;
        }
        Ok(())
    }

    /// Deletes the store at `path`; nobody may have it open.
    pub fn destroy(path: &Path) -> Result<(), ColdError> {
        Db::destroy(&Options::default(), path).map_err(store("destroy"))
    }

    fn lookup(
        &self,
        key: &[u8],
        options: &ReadOptions,
    ) -> Result<Option<DBPinnableSlice<'_>>, rocksdb::Error> {
        self.db
            .get_pinned_cf_opt(self.family(Family::Keys), key, options)
    }

    fn family(&self, family: Family) -> &ColumnFamily {
        self.db
            .cf_handle(family.name())
            .expect("every family is opened with the store")
    }
}

fn record_of(key: &[u8], bytes: &[u8]) -> Result<ColdRecord, ColdError> {
    ColdRecord::parse(bytes.into()).map_err(|e| ColdError::record(key, e))
}

/// Turns RocksDB's error into ours; it has only a text to tell a full disk from a broken one.
fn store(doing: &'static str) -> impl Fn(rocksdb::Error) -> ColdError {
    move |e| {
        let kind = e.kind();
        let message = e.into_string();
        if message.contains("No space left on device") || message.contains("NoSpace") {
            ColdError::DiskFull { doing, message }
        } else if kind == ErrorKind::Corruption {
            ColdError::Damaged { doing, message }
        } else {
            ColdError::Store { doing, message }
        }
    }
}
