//! What a full sync ships: a copy of the cold tier out of hard links, with the log held from its replay offset on.
//!
//! ```text
//!   nothing ──a replica asks──▶ being cut ──▶ alive ──nobody uses it, and did not for a while──▶ removed
//!                                              ▲ │ shared by all who ask meanwhile,
//!                                              └─┘ found again by one whose link was cut
//! ```
//!
//! While a snapshot lives it costs disk: data files that compaction has replaced, and the log since its replay
//! offset. Memory it costs none: its files are read piece by piece.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use basalt_binlog::{Binlog, Flags, Hold, Offset};
use basalt_tiering::{Store, StoreError};
use parking_lot::Mutex;

use crate::ids::{History, ReplicationId};
use crate::wire::{Manifest, SnapshotFile, is_plain_name};

/// Largest piece that is read at once.
pub const PIECE_MAX_BYTES: u64 = 1 << 20;

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The store cannot make one.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log cannot be held or read.
    #[error("binlog: {0}")]
    Log(#[from] basalt_binlog::Error),
    /// Its files cannot be listed or read.
    #[error("{0}: {1}")]
    Io(String, #[source] io::Error),
}

/// A living snapshot. Its files go when the last who holds it lets go.
pub struct Snapshot {
    /// What it holds.
    pub manifest: Manifest,
    dir: PathBuf,
    /// The log from the replay offset on stays.
    _hold: Hold,
    used: Mutex<Instant>,
    /// Somebody has all of it.
    done: AtomicBool,
    shipped: AtomicU64,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("manifest", &self.manifest)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Reads a piece of a file; `None` if there is no such file or piece. Blocks.
    ///
    /// # Errors
    /// The file cannot be read, or has become shorter.
    pub fn read(&self, file: &str, at: u64, max: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(known) = self.manifest.files.iter().find(|known| known.name == file) else {
            return Ok(None);
        };
        if at > known.bytes {
            return Ok(None);
        }
        let len = max.min(PIECE_MAX_BYTES).min(known.bytes - at);
        let mut bytes = vec![0; len as usize];
        File::open(self.dir.join(&known.name))?.read_exact_at(&mut bytes, at)?;
        self.touch();
        self.shipped.fetch_add(len, Relaxed);
        Ok(Some(bytes))
    }

    /// Somebody has all of it.
    pub fn note_done(&self) {
        self.done.store(true, Relaxed);
        self.touch();
    }

    /// Somebody works with it now.
    pub fn touch(&self) {
        *self.used.lock() = Instant::now();
    }

    /// Bytes read from it so far, by all who fetch it.
    #[must_use]
    pub fn shipped(&self) -> u64 {
        self.shipped.load(Relaxed)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        remove(&self.dir);
    }
}

fn remove(dir: &Path) {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(dir = %dir.display(), %error, "a snapshot's files stay");
        }
        _ => {}
    }
}

/// What a snapshot is cut from.
pub struct Origin<'a> {
    /// The keys.
    pub store: &'a Store,
    /// Their log.
    pub binlog: &'a Binlog,
    /// Whose history they are.
    pub history: History,
    /// The log is written by this node, so that it can be told to name its database again.
    pub writes_log: bool,
}

/// The snapshots of a node: at most one that can be asked for.
#[derive(Debug, Default)]
pub struct Snapshots {
    dir: Mutex<PathBuf>,
    current: Mutex<Option<Arc<Snapshot>>>,
    cutting: Mutex<()>,
}

impl Snapshots {
    /// Says where snapshots live, and removes those of an earlier run. The directory lies on the file system of
    /// the cold tier.
    pub fn settle(&self, dir: PathBuf) {
        remove(&dir);
        *self.dir.lock() = dir;
    }

    /// The living snapshot if there is one of this history, else a new one. Blocks; who asks while one is being
    /// cut waits for it.
    ///
    /// # Errors
    /// See [`SnapshotError`]; nothing is left behind.
    pub fn get_or_cut(&self, origin: &Origin<'_>) -> Result<Arc<Snapshot>, SnapshotError> {
        let _one_at_a_time = self.cutting.lock();
        let is_ours = |snapshot: &Arc<Snapshot>| {
            let manifest = &snapshot.manifest;
            // The log may have been exchanged for one that does not reach back so far.
            origin.history.accepts(&manifest.id, manifest.end)
                && origin.binlog.first() <= manifest.replay
        };
        if let Some(living) = self.current.lock().clone().filter(is_ours) {
            living.touch();
            // It is not to go because the one before was done with it.
            living.done.store(false, Relaxed);
            return Ok(living);
        }
        let snapshot = Arc::new(self.cut(origin)?);
        let before = self.current.lock().replace(Arc::clone(&snapshot));
        drop(before);
        Ok(snapshot)
    }

    fn cut(&self, origin: &Origin<'_>) -> Result<Snapshot, SnapshotError> {
        let root = self.dir.lock().clone();
        fs::create_dir_all(&root).map_err(at(&root))?;
        let name = format!("{}", ReplicationId::random())[..16].to_owned();
        let dir = root.join(&name);
        let cut = make(origin, &dir, name);
        if cut.is_err() {
            remove(&dir);
        }
        cut
    }

    /// The living snapshot, if it goes by this name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<Arc<Snapshot>> {
        let current = self.current.lock().clone();
        current.filter(|snapshot| snapshot.manifest.snapshot.as_bytes() == name)
    }

    /// The living snapshot.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.lock().clone()
    }

    /// Removes the snapshot that nobody uses: at once if it was fetched, else when nobody did for `timeout`.
    /// Called now and then. Blocks.
    pub fn expire(&self, timeout: Duration) {
        let gone = self.current.lock().take_if(|snapshot| {
            let unused = Arc::strong_count(snapshot) == 1;
            let left_alone = snapshot.used.lock().elapsed() > timeout;
            unused && (snapshot.done.load(Relaxed) || left_alone)
        });
        if let Some(snapshot) = gone {
            tracing::info!(
                snapshot = snapshot.manifest.snapshot,
                shipped = snapshot.shipped(),
                "snapshot removed"
            );
        }
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> SnapshotError {
    let text = path.display().to_string();
    move |error| SnapshotError::Io(text.clone(), error)
}

fn make(origin: &Origin<'_>, dir: &Path, name: String) -> Result<Snapshot, SnapshotError> {
    let begun = Instant::now();
    let hold = hold_what_is_needed(origin)?;
    let replay = origin.store.snapshot(dir)?;
    hold.advance(replay);
    // What the copy holds was logged before it was written to the cold tier, so before now.
    let end = origin.binlog.end();
    let manifest = Manifest {
        snapshot: name,
        id: origin.history.id,
        replay,
        end,
        db: database_at(origin, replay)?,
        files: list(dir)?,
    };
    tracing::info!(
        snapshot = manifest.snapshot,
        bytes = manifest.bytes(),
        files = manifest.files.len(),
        replay = replay.0,
        end = end.0,
        seconds = begun.elapsed().as_secs_f64(),
        "snapshot cut"
    );
    Ok(Snapshot {
        manifest,
        dir: dir.to_owned(),
        _hold: hold,
        used: Mutex::new(Instant::now()),
        done: AtomicBool::new(false),
        shipped: AtomicU64::new(0),
    })
}

fn hold_what_is_needed(origin: &Origin<'_>) -> Result<Hold, SnapshotError> {
    loop {
        match origin
            .binlog
            .hold(origin.store.persisted().max(origin.binlog.first()))
        {
            // A checkpoint came in between, and the log let go.
            Err(basalt_binlog::Error::Gone { .. }) => {}
            held => return Ok(held?),
        }
    }
}

/// The database the stream is in at `replay`; none if the first data frame there says it by itself.
fn database_at(origin: &Origin<'_>, replay: Offset) -> Result<Option<u16>, SnapshotError> {
    let first_data = || {
        let mut reader = origin.binlog.reader(replay)?;
        while let Some(frame) = reader.next()? {
            if !frame.flags.has(Flags::NO_DATA) {
                return Ok(Some(frame.db));
            }
        }
        Ok::<_, basalt_binlog::Error>(None)
    };
    if let Some(db) = first_data()? {
        return Ok(Some(db));
    }
    let db = origin.binlog.stream_db();
    if origin.writes_log {
        origin.binlog.force_select();
    }
    // What came in between may have been the last frame without a SELECT of its own.
    let now = first_data()?;
    Ok(now.or(if origin.writes_log { None } else { db }))
}

fn list(dir: &Path) -> Result<Vec<SnapshotFile>, SnapshotError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(at(dir))? {
        let entry = entry.map_err(at(dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let metadata = entry.metadata().map_err(at(dir))?;
        if !metadata.is_file() || !is_plain_name(&name) {
            let odd = io::Error::other("not a plain file");
            return Err(SnapshotError::Io(name, odd));
        }
        files.push(SnapshotFile {
            name,
            bytes: metadata.len(),
        });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// A common pace for all who fetch.
#[derive(Debug, Default)]
pub struct Throttle {
    /// When what was granted so far is used up.
    paid_until: Mutex<Option<Instant>>,
}

impl Throttle {
    /// Grants `bytes` at `bytes_per_second` (0: no limit); returns how long to wait before sending them.
    #[must_use]
    pub fn grant(&self, bytes: u64, bytes_per_second: u64, now: Instant) -> Duration {
        if bytes_per_second == 0 {
            return Duration::ZERO;
        }
        let mut paid_until = self.paid_until.lock();
        let from = paid_until.map_or(now, |until| until.max(now));
        let cost = Duration::from_secs_f64(bytes as f64 / bytes_per_second as f64);
        *paid_until = Some(from + cost);
        from - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_spreads_grants_over_time_and_saves_nothing_up() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!(throttle.grant(1 << 20, 0, now), Duration::ZERO);
        assert_eq!(throttle.grant(1000, 1000, now), Duration::ZERO);
        assert_eq!(throttle.grant(500, 1000, now), Duration::from_secs(1));
        assert_eq!(throttle.grant(500, 1000, now), Duration::from_millis(1500));
        let later = now + Duration::from_secs(60);
        assert_eq!(throttle.grant(1000, 1000, later), Duration::ZERO);
        assert_eq!(throttle.grant(1000, 1000, later), Duration::from_secs(1));
    }
}
