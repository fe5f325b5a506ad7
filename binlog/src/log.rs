//! The handle others hold: opening, closing, and every call of the public interface.
//!
//! The work is done elsewhere (`append`, `writer`, `reader`, `seal`, `space`, `open`, `repair`); here is what
//! is offered and the life of the background threads.

use crate::background::unix_ms_now;
use crate::door::Door;
use crate::error::{Error, Result};
use crate::open::{assemble, lock_failed, sync_files};
use crate::reader::Reader;
use crate::repair::{Recovered, recover};
use crate::ring::OldRing;
use crate::segment::{SEGMENT_HEADER, Segment, first_offset};
use crate::shared::Shared;
use crate::stream::Stream;
use crate::types::{
    Appended, Frame, FsyncPolicy, Info, LogEvent, LogState, Offset, OpenReport, Options, Retention,
};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

/// An open log. Cheap to clone; every method may be called from any thread.
#[derive(Clone)]
pub struct Binlog(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A position that retention respects while this lives: of a replica, a reader, a backup.
pub struct Hold {
    shared: Arc<Shared>,
    id: u64,
}

impl Binlog {
    /// Opens the log in `options.dir`, repairing what a crash left, or creates it.
    pub fn open(options: Options, door: Arc<dyn Door>) -> Result<(Binlog, OpenReport)> {
        let began = Instant::now();
        let dir = options.dir.clone();
        door.create_dir(&dir)
            .map_err(Error::io(format!("create {}", dir.display())))?;
        let lock = door.lock(&dir.join("LOCK")).map_err(lock_failed(&dir))?;
        let old_ring = OldRing::load(&*door, &dir)?;
        let found = recover(&*door, &options, old_ring.as_ref())?;
        let created = found.is_none();
        let found = found.unwrap_or_else(|| Recovered::nothing(&options));
        // What was written before a `kill -9` is in the kernel, not yet on disk. It must be before anything
        // says that it is: the synced mark, the header of a next segment.
        sync_files(&*door, &dir, &found.catalog)?;
        let cut_bytes = found.cut_bytes;
        let files_end = found.end;
        let (shared, full) = assemble(options, door, lock, found)?;

        let continued = old_ring
            .as_ref()
            .map(|r| r.frames_from(shared.front.pos.load(Ordering::Relaxed), files_end));
        for (header, payload) in continued.into_iter().flatten() {
            shared.append_again(header, &payload)?;
        }
        shared.sync_now()?;
        let end = shared.front.end.load(Ordering::Relaxed);
        shared.ring.note_synced(end);
        shared.ring.publish(&*shared.door, &dir)?;
        if full {
            shared.set_full(true);
        }
        let first = first_offset(&shared.catalog.read());
        let replication_id = *shared.replication_id.lock();
        let log = Binlog(Arc::new(Inner {
            shared,
            threads: Mutex::default(),
        }));
        if log.shared().options.background {
            log.start_threads()?;
        }
        let report = OpenReport {
            first,
            end: Offset(end),
            clean: created || old_ring.is_some_and(|r| r.clean_end == Some(end)),
            cut_bytes,
            ring_bytes: end - files_end,
            replication_id,
            created,
            took: began.elapsed(),
        };
        Ok((log, report))
    }

    /// Removes the log in `dir`, which must not be open: what a replica does before it begins anew at its
    /// master's offset (`Options::create_at`).
    pub fn remove(dir: &Path, door: &dyn Door) -> Result<()> {
        door.create_dir(dir)
            .map_err(Error::io(format!("create {}", dir.display())))?;
        let lock = door.lock(&dir.join("LOCK")).map_err(lock_failed(dir))?;
        let mut names = door
            .list(dir)
            .map_err(Error::io(format!("list {}", dir.display())))?;
        // From the newest on, so that a crash in between leaves a shorter log, not one with a gap; the
        // ring before all, since its marks speak of what is gone then.
        names.sort_unstable_by(|a, b| b.cmp(a));
        for name in names.iter().filter(|n| *n != "LOCK") {
            door.remove(&dir.join(name))
                .map_err(Error::io(format!("remove {name}")))?;
        }
        door.sync_dir(dir)
            .map_err(Error::io("sync the binlog directory"))?;
        drop(lock);
        Ok(())
    }

    /// Whether a frame with a payload of `bytes` would be taken now. Cheap; ask before data changes, so
    /// that an append afterwards does not fail.
    #[inline]
    pub fn admit(&self, bytes: usize) -> Result<()> {
        self.shared().admit(bytes)
    }

    /// Appends a frame whose payload is `parts` in a row. The caller holds the locks that make append order
    /// apply order. When this returns, the frame survives the death of the process.
    ///
    /// If the frame's database is not the stream's, a `SELECT` is put before the payload, inside the frame.
    #[inline]
    pub fn append(&self, frame: &Frame, parts: &[&[u8]]) -> Result<Appended> {
        self.shared().append(frame, parts)
    }

    /// Where the log ends.
    #[must_use]
    #[inline]
    pub fn end(&self) -> Offset {
        Offset(self.shared().front.end.load(Ordering::Acquire))
    }

    /// Everything before this offset is on disk.
    #[must_use]
    #[inline]
    pub fn synced(&self) -> Offset {
        Offset(self.shared().synced.0.load(Ordering::Acquire))
    }

    /// The first offset that can be read.
    #[must_use]
    pub fn first(&self) -> Offset {
        first_offset(&self.shared().catalog.read())
    }

    /// Whether writes are taken.
    #[must_use]
    #[inline]
    pub fn state(&self) -> LogState {
        self.shared().state()
    }

    /// Asks for a sync up to `upto` and returns at once; `LogEvent::Synced` tells when. Under `always` every
    /// write asks; requests made while a sync runs share the next.
    #[inline]
    pub fn request_sync(&self, upto: Offset) {
        self.shared().request_sync(upto);
    }

    /// Waits until everything before `upto` is on disk.
    pub fn wait_synced(&self, upto: Offset) -> Result<()> {
        self.shared().wait_synced(upto)
    }

    /// Syncs on the calling thread; returns where the synced part ends.
    pub fn sync_now(&self) -> Result<Offset> {
        self.shared().sync_now()
    }

    /// Writes everything appended into the segment files, without forcing it to disk.
    pub fn drain(&self) -> Result<()> {
        self.shared().drain()
    }

    /// Has `listener` called on every event, from the log's own threads. It must return quickly and not block
    /// on the log; it stays for the life of the log.
    pub fn subscribe(&self, listener: Box<dyn Fn(LogEvent) + Send + Sync>) {
        self.shared().events.subscribe(listener);
    }

    /// Asks for one `LogEvent::Appended` at the next append, and returns the end as it is now: if that is
    /// beyond what the caller has seen, there is more already.
    pub fn arm_appended(&self) -> Offset {
        Offset(self.shared().arm_appended())
    }

    /// Changes when appended frames are forced to disk.
    pub fn set_fsync_policy(&self, policy: FsyncPolicy) {
        self.shared().set_policy(policy);
    }

    /// The current fsync policy.
    #[must_use]
    pub fn fsync_policy(&self) -> FsyncPolicy {
        self.shared().policy()
    }

    /// Changes what is kept though no one needs it.
    pub fn set_retention(&self, retention: Retention) {
        *self.shared().retention.lock() = retention;
        self.shared().wake.keeper.raise();
    }

    /// Says what the persisted checkpoint still needs: everything from `from` on. Before the first call
    /// nothing is ever removed.
    pub fn set_floor(&self, from: Offset) {
        self.shared().floor.lock().checkpoint = from.0;
        self.shared().wake.keeper.raise();
    }

    /// Keeps everything from `from` on while the hold lives.
    pub fn hold(&self, from: Offset) -> Result<Hold> {
        let shared = self.shared().clone();
        let mut floor = shared.floor.lock();
        let first = first_offset(&shared.catalog.read());
        if from < first {
            return Err(Error::Gone { asked: from, first });
        }
        let id = floor.next_hold;
        floor.next_hold += 1;
        floor.holds.insert(id, from.0);
        drop(floor);
        Ok(Hold { shared, id })
    }

    /// Ends the segment being written; the next frame begins a new one. Nothing happens if it has no frames.
    pub fn rotate(&self) -> Result<()> {
        let shared = self.shared();
        let mut tail = shared.front.tail.lock();
        if tail.closed {
            return Err(Error::Closed);
        }
        if tail.file_pos > SEGMENT_HEADER {
            shared.cut(&mut tail, 0, unix_ms_now())?;
        }
        drop(tail);
        shared.drain()?;
        shared.sync_now()?;
        shared.wake.sealer.raise();
        Ok(())
    }

    /// Removes whole segments before `upto` that neither the checkpoint nor a hold needs, whatever
    /// retention says. Returns how many went.
    pub fn purge_to(&self, upto: Offset) -> Result<usize> {
        self.shared().purge_to(upto)
    }

    /// A reader at the frame that holds `from`, or begins there.
    pub fn reader(&self, from: Offset) -> Result<Reader> {
        Reader::at_offset(self.shared().clone(), from)
    }

    /// A reader at the first frame not older than `unix_ms`; at the end if all are older.
    pub fn reader_at_time(&self, unix_ms: u64) -> Result<Reader> {
        Reader::at_time(self.shared().clone(), unix_ms)
    }

    /// The payload bytes from any offset on, as a replica receives them.
    pub fn stream(&self, from: Offset) -> Result<Stream> {
        Stream::new(self.shared().clone(), from)
    }

    /// Has the next data frame carry a `SELECT` even if its database is the stream's: a replica whose stream
    /// begins here knows none.
    pub fn force_select(&self) {
        self.shared().front.tail.lock().db = None;
    }

    /// The database the stream is in at the end of the log; none if the next data frame carries a `SELECT`, or if
    /// no frame said one so far.
    #[must_use]
    pub fn stream_db(&self) -> Option<u16> {
        self.shared().front.tail.lock().db
    }

    /// Sets the replication id written into segments from the next on; call `rotate` to make that now.
    pub fn set_replication_id(&self, id: [u8; 40]) {
        *self.shared().replication_id.lock() = id;
    }

    /// Says which database the stream is in at the end of the log, for who has found out: after a start it is not
    /// always known.
    pub fn set_stream_db(&self, db: u16) {
        self.shared().front.tail.lock().db = Some(db);
    }

    /// Reserves the next segment's file, if there is none (the keeper's work, for logs without threads).
    pub fn prepare_spare(&self) -> Result<()> {
        self.shared().prepare_spare(0)
    }

    /// Seals what is full and on disk (the sealer's work, for logs without threads). Returns how many.
    pub fn seal_full_segments(&self) -> Result<usize> {
        self.shared().seal_full_segments()
    }

    /// Removes what retention lets go as of `now_ms` (the keeper's work, for logs without threads).
    pub fn apply_retention(&self, now_ms: u64) -> Result<usize> {
        self.shared().apply_retention(now_ms)
    }

    /// The figures of INFO and BINLOG INFO.
    #[must_use]
    pub fn info(&self) -> Info {
        let shared = self.shared();
        let (appends, appended_bytes, append_waits) = {
            let tail = shared.front.tail.lock();
            (tail.appends, tail.appended_bytes, tail.waits)
        };
        let catalog = shared.catalog.read().clone();
        let sealed = || catalog.iter().filter(|s| s.is_sealed());
        let raw_bytes = |s: &Segment| match &s.body {
            crate::segment::Body::Sealed(index) => index.raw_bytes + SEGMENT_HEADER,
            crate::segment::Body::Raw { .. } => 0,
        };
        let stats = &shared.stats;
        let syncs = stats.syncs.load(Ordering::Relaxed);
        Info {
            first: first_offset(&catalog),
            end: self.end(),
            synced: self.synced(),
            segments: catalog.len(),
            sealed_segments: sealed().count(),
            disk_bytes: catalog.iter().map(|s| s.disk_bytes()).sum(),
            compressed_bytes: sealed().map(|s| s.disk_bytes()).sum(),
            uncompressed_bytes: sealed().map(|s| raw_bytes(s)).sum(),
            appends,
            appended_bytes,
            fsyncs: stats.fsyncs.load(Ordering::Relaxed),
            fsync_total_us: stats.fsync_total_us.load(Ordering::Relaxed),
            fsync_last_us: stats.fsync_last_us.load(Ordering::Relaxed),
            fsync_max_us: stats.fsync_max_us.load(Ordering::Relaxed),
            frames_per_sync: if syncs == 0 {
                0.0
            } else {
                appends as f64 / syncs as f64
            },
            append_waits,
            state: shared.state(),
            last_error: shared.last_error(),
            needed_from: Offset(shared.floor.lock().needed_from()),
            fsync: shared.policy(),
            replication_id: *shared.replication_id.lock(),
        }
    }

    /// Clean shutdown: refuses further appends, syncs, gives back reserved space and notes that nothing is
    /// missing. Readers stay usable.
    pub fn close(&self) -> Result<()> {
        let shared = self.shared();
        if std::mem::replace(&mut shared.front.tail.lock().closed, true) {
            return Ok(());
        }
        self.0.stop_threads();
        shared.sync_now()?;
        shared.drain()?;
        shared.drop_spares();
        {
            let d = shared.drain.lock();
            let trimmed = d
                .segment
                .file
                .set_len(d.file_pos)
                .and_then(|()| d.segment.file.sync_data());
            trimmed.map_err(Error::io(format!("trim {}", d.segment.name)))?;
        }
        let end = shared.front.end.load(Ordering::Acquire);
        shared
            .ring
            .note_clean(end)
            .map_err(Error::io("mark the log clean"))?;
        // Readers may outlive the close; another process need not wait for them.
        shared.lock.lock().take();
        Ok(())
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    fn start_threads(&self) -> Result<()> {
        type Role = fn(&Shared);
        let roles: [(&str, Role); 4] = [
            ("binlog-writer", Shared::run_writer),
            ("binlog-syncer", Shared::run_syncer),
            ("binlog-keeper", Shared::run_keeper),
            ("binlog-sealer", Shared::run_sealer),
        ];
        for (name, role) in roles {
            let shared = self.shared().clone();
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || role(&shared));
            self.0
                .threads
                .lock()
                .push(thread.map_err(Error::io(format!("start {name}")))?);
        }
        self.shared().wake.keeper.raise();
        Ok(())
    }
}

impl Inner {
    fn stop_threads(&self) {
        let shared = &self.shared;
        shared.stop.store(true, Ordering::SeqCst);
        for signal in [
            &shared.wake.writer,
            &shared.wake.syncer,
            &shared.wake.keeper,
            &shared.wake.sealer,
        ] {
            signal.raise();
        }
        for thread in self.threads.lock().drain(..) {
            // A panic there was reported by the panic hook; what it left undone, recovery does.
            let _ = thread.join();
        }
        shared.events.wake_all();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Not a clean close: the next open looks at the tail. Nothing acknowledged is lost by that.
        self.stop_threads();
        self.shared.front.tail.lock().closed = true;
        self.shared.lock.lock().take();
    }
}

impl Hold {
    /// Lets go of what lies before `to`; never goes back.
    pub fn advance(&self, to: Offset) {
        let mut floor = self.shared.floor.lock();
        let held = floor
            .holds
            .get_mut(&self.id)
            .expect("a hold is removed only by its drop");
        *held = to.0.max(*held);
    }

    /// What it holds.
    #[must_use]
    pub fn offset(&self) -> Offset {
        Offset(self.shared.floor.lock().holds[&self.id])
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.floor.lock().holds.remove(&self.id);
        self.shared.wake.keeper.raise();
    }
}
