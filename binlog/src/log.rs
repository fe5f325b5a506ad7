//! The handle others hold: opening, closing, and every call of the public interface.
//!
//! The work is done elsewhere (`append`, `writer`, `reader`, `seal`, `space`, `repair`); here is what is
//! offered and the life of the background threads.

use crate::door::{Door, DoorFile};
use crate::error::{Error, Result, no_space};
use crate::reader::Reader;
use crate::repair::{Active, Recovered, recover};
use crate::ring::{OldRing, Ring};
use crate::segment::{SEGMENT_HEADER, Segment, SegmentHeader, SparseIndex, first_offset, raw_name};
use crate::shared::{Parts, Shared};
use crate::stream::Stream;
use crate::types::{
    Appended, Frame, FsyncPolicy, Info, LogEvent, LogState, Offset, OpenReport, Options, Retention,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
        door.create_dir(&dir).map_err(Error::io(format!("create {}", dir.display())))?;
        let lock = door.lock(&dir.join("LOCK")).map_err(|e| match e.kind() {
            std::io::ErrorKind::WouldBlock => Error::Locked(dir.display().to_string()),
            _ => Error::io("lock the binlog directory")(e),
        })?;
        let old_ring = OldRing::load(&*door, &dir)?;
        let found = recover(&*door, &options, old_ring.as_ref())?;
        let created = found.is_none();
        let found = found.unwrap_or_else(|| Recovered::nothing(&options));
        let cut_bytes = found.cut_bytes;
        let files_end = found.end;
        let (shared, full) = assemble(options, door, lock, found)?;

        let continued = old_ring.as_ref().map(|r| r.frames_from(shared.pos.0.load(Ordering::Relaxed), files_end));
        for (header, payload) in continued.into_iter().flatten() {
            shared.append_again(header, &payload)?;
        }
        // Also of what the files held: a file written before `kill -9` is in the kernel, not yet on disk.
        shared.sync_all_files()?;
        let end = shared.end.0.load(Ordering::Relaxed);
        shared.ring.note_synced(end);
        shared.ring.publish(&*shared.door, &dir)?;
        if full {
            shared.set_full(true);
        }
        let first = first_offset(&shared.catalog.read());
        let replication_id = *shared.replication_id.lock();
        let log = Binlog(Arc::new(Inner { shared, threads: Mutex::default() }));
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
        Offset(self.shared().end.0.load(Ordering::Acquire))
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
        let mut tail = shared.tail.0.lock();
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
        self.shared().tail.0.lock().db = None;
    }

    /// Sets the replication id written into segments from the next on; call `rotate` to make that now.
    pub fn set_replication_id(&self, id: [u8; 40]) {
        *self.shared().replication_id.lock() = id;
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
            let tail = shared.tail.0.lock();
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
            frames_per_sync: if syncs == 0 { 0.0 } else { appends as f64 / syncs as f64 },
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
        if std::mem::replace(&mut shared.tail.0.lock().closed, true) {
            return Ok(());
        }
        self.0.stop_threads();
        shared.sync_now()?;
        shared.drain()?;
        shared.drop_spares();
        shared.sync_all_files()?;
        {
            let d = shared.drain.lock();
            let trimmed = d.segment.file.set_len(d.file_pos).and_then(|()| d.segment.file.sync_data());
            trimmed.map_err(Error::io(format!("trim {}", d.segment.name)))?;
        }
        let end = shared.end.0.load(Ordering::Acquire);
        shared.ring.note_clean(end).map_err(Error::io("mark the log clean"))
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
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || role(&shared));
            self.0.threads.lock().push(thread.map_err(Error::io(format!("start {name}")))?);
        }
        self.shared().wake.keeper.raise();
        Ok(())
    }
}

impl Inner {
    fn stop_threads(&self) {
        let shared = &self.shared;
        shared.stop.store(true, Ordering::SeqCst);
        for signal in [&shared.wake.writer, &shared.wake.syncer, &shared.wake.keeper, &shared.wake.sealer] {
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
    }
}

impl Hold {
    /// Lets go of what lies before `to`; never goes back.
    pub fn advance(&self, to: Offset) {
        let mut floor = self.shared.floor.lock();
        let held = floor.holds.get_mut(&self.id).expect("a hold is removed only by its drop");
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

impl Recovered {
    fn nothing(options: &Options) -> Recovered {
        Recovered {
            catalog: Vec::new(),
            active: None,
            end: options.create_at.0,
            pos: 0,
            db: None,
            cut_bytes: 0,
            replication_id: options.replication_id,
        }
    }
}

impl Shared {
    /// The keeper's thread: the next segment's space, retention, and waiting for space to return.
    pub(crate) fn run_keeper(&self) {
        while !self.stop.load(Ordering::Acquire) {
            self.wake.keeper.wait(Some(Duration::from_secs(1)));
            if self.state() != LogState::Poisoned {
                // A full disk is in the state, and the next round tries again.
                drop(self.prepare_spare(0));
                drop(self.drain());
            }
            if let Err(e) = self.apply_retention(unix_ms_now()) {
                self.note_error(&e);
            }
        }
    }

    /// The sealer's thread.
    pub(crate) fn run_sealer(&self) {
        // Compression is never urgent: it takes the CPU others leave. Failing that, it just runs.
        // SAFETY: a plain system call on the calling thread.
        let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, libc::gettid() as libc::id_t, 19) };
        let mut pause = Duration::from_secs(1);
        while !self.stop.load(Ordering::Acquire) {
            self.wake.sealer.wait(Some(pause));
            pause = match self.seal_full_segments() {
                Ok(_) | Err(Error::Closed) => Duration::from_secs(1),
                Err(e) => {
                    self.note_error(&e);
                    Duration::from_secs(60)
                }
            };
        }
    }

    /// Forces the newest segment and the directory to disk though nothing may be new.
    fn sync_all_files(&self) -> Result<()> {
        self.sync_now()?;
        let d = self.drain.lock();
        let files = self.catalog.read().clone();
        for segment in files.iter().filter(|s| !s.is_sealed()) {
            segment.file.sync_data().map_err(Error::io(format!("fsync {}", segment.name)))?;
        }
        drop(d);
        self.door.sync_dir(&self.options.dir).map_err(Error::io("fsync the binlog directory"))
    }
}

/// Makes the live state from what recovery found; the flag says that no space could be reserved.
fn assemble(
    options: Options,
    door: Arc<dyn Door>,
    lock: Box<dyn Send + Sync>,
    mut found: Recovered,
) -> Result<(Arc<Shared>, bool)> {
    let ring = Ring::create(&*door, &options.dir, options.ring_bytes)?;
    let mut full = false;
    let (active, capacity) = match found.active.take() {
        Some(active) => {
            // It may have been followed by a segment that was cut off.
            active.segment.set_end(u64::MAX);
            let capacity = options.segment_bytes.max(active.file_pos);
            match active.segment.file.preallocate(capacity) {
                Ok(()) => (active, capacity),
                Err(e) if no_space(&e) => {
                    full = true;
                    let capacity = active.file_pos;
                    (active, capacity)
                }
                Err(e) => return Err(Error::io("reserve space for the newest segment")(e)),
            }
        }
        None => {
            let active = first_segment(&options, &*door, &found)?;
            found.catalog.push(active.segment.clone());
            (active, options.segment_bytes.max(SEGMENT_HEADER))
        }
    };
    let shared = Shared::new(Parts {
        ring,
        catalog: found.catalog,
        active: active.segment,
        index: active.index,
        file_pos: active.file_pos,
        capacity,
        end: found.end,
        pos: found.pos,
        db: found.db,
        replication_id: found.replication_id,
        options,
        door,
        lock,
    });
    Ok((Arc::new(shared), full))
}

/// Creates a segment at the end of what was found, durably.
fn first_segment(options: &Options, door: &dyn Door, found: &Recovered) -> Result<Active> {
    let name = raw_name(found.end);
    let temporary = options.dir.join("first.tmp");
    let header = SegmentHeader {
        first: found.end,
        pos: found.pos,
        synced: found.end,
        first_ms: unix_ms_now(),
        replication_id: found.replication_id,
    };
    let create = || -> std::io::Result<Arc<dyn DoorFile>> {
        let file = door.open(&temporary, true)?;
        file.preallocate(options.segment_bytes.max(SEGMENT_HEADER))?;
        file.write_at(&header.encode(false), 0)?;
        file.sync_data()?;
        door.rename(&temporary, &options.dir.join(&name))?;
        door.sync_dir(&options.dir)?;
        Ok(file)
    };
    let file = create().map_err(Error::io(format!("create {name}")))?;
    let index = Arc::new(SparseIndex::for_capacity(options.segment_bytes));
    let segment = Arc::new(Segment::raw(header, file, SEGMENT_HEADER, u64::MAX, index.clone()));
    Ok(Active { segment, index, file_pos: SEGMENT_HEADER })
}

/// The wall clock, for the age of segments only; frames bring their own time.
fn unix_ms_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}
