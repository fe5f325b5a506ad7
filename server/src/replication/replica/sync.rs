//! A full sync: a snapshot of the master is fetched into a directory beside the data, opened there, fed with the
//! stream until it is complete, and then takes the place of what was served so far.
//!
//! ```text
//!   fetch ──▶ <dir>/data-N/cold ──▶ open, with a log that begins at the replay offset ──▶ feed
//!                                                                                         │ applied ≥ end
//!   old data is served until here ◀── CURRENT, swap under the exclusive gate ◀────────────┘
//! ```
//!
//! Records of a snapshot may hold effects up to where the master's log ended when it was cut (`end`); until the
//! stream is applied up to there, some keys may be older than others, so nobody reads before that.
//! Whatever fails before `CURRENT` is written leaves the node as it was.
//!
//! What arrived outlives links and, with the file `fetching` beside it, the process: it is gone on with as long as
//! the master has that snapshot. Not the machine: what was not synced may be anything after a power cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use basalt_binlog::{Binlog, Offset};
use basalt_replication::fetch::Sink;
use basalt_replication::wire::Manifest;
use basalt_resp::ReplyDecoder;

use super::feed::Feed;
use super::stream_db;
use crate::data::Data;
use crate::replication::history::boot_id;
use crate::server::Server;
use crate::startup::open::{self, Begin};
use crate::startup::place::{Place, sync_dir};

/// How long the last readers of exchanged data are waited for before its files are removed all the same.
const LAST_READERS: Duration = Duration::from_secs(30);

/// A snapshot on its way; it outlives links.
pub(super) struct Staging {
    pub(super) manifest: Manifest,
    place: Place,
}

impl Staging {
    /// Begins with nothing.
    pub(super) fn new(server: &Server, manifest: Manifest) -> io::Result<Staging> {
        let place = current_place(server).next()?;
        fs::create_dir_all(place.dir().join("cold"))?;
        let mut note = format!("{}\n", boot_id()).into_bytes();
        manifest.to_value().encode(&mut note);
        fs::write(place.fetching(), note)?;
        Ok(Staging { manifest, place })
    }

    /// What an earlier run of this node was fetching.
    pub(super) fn found(server: &Server) -> Option<Staging> {
        let place = server.replication.replica.place.lock().clone()?.following();
        let note = fs::read(place.fetching()).ok()?;
        let manifest = noted(&note, &boot_id());
        if manifest.is_none() {
            discard(&place);
        }
        Some(Staging {
            manifest: manifest?,
            place,
        })
    }

    pub(super) fn sink(&self) -> DirSink {
        DirSink {
            dir: self.place.dir().join("cold"),
            open: None,
        }
    }

    /// Removes what arrived.
    pub(super) fn discard(self) {
        discard(&self.place);
    }

    /// Opens what was fetched, which is complete. Blocks.
    pub(super) fn open(&self, server: &Arc<Server>) -> anyhow::Result<Staged> {
        let (dir, manifest) = (self.place.dir(), &self.manifest);
        // From here on its files change: they are no longer what the manifest says.
        fs::remove_file(self.place.fetching())?;
        // What an earlier attempt replayed is not kept: the stream begins at the replay offset again.
        remove_dir(&dir.join("binlog"))?;
        sync_files(&dir.join("cold")).context("cannot sync the snapshot")?;
        sync_dir(&dir)?;
        let settings = server.config.load();
        let begin = Begin {
            at: manifest.replay,
            id: *manifest.id.as_bytes(),
            leads: false,
        };
        let number = server.current.number() + 1;
        let opened = open::open(&settings, &dir, number, begin)?;
        opened.host.connect(server);
        let data = opened.data;
        if let Some(from) = opened.store.replay_from
            && from < manifest.replay
        {
            bail!(
                "the snapshot needs the stream from {from} on, but says {}",
                manifest.replay
            );
        }
        if let (Some(db), Some(binlog)) = (manifest.db, data.binlog()) {
            stream_db::note(&dir, binlog, db)?;
        }
        data.log.progress.follow(manifest.replay);
        data.store.start();
        let feed = Feed::start(server, &data, manifest.db.unwrap_or(0))?;
        Ok(Staged {
            feed,
            place: self.place.clone(),
            end: manifest.end,
        })
    }
}

/// The manifest in a note of an earlier run, if it was made since the machine started.
fn noted(note: &[u8], boot: &str) -> Option<Manifest> {
    let at = note.iter().position(|byte| *byte == b'\n')?;
    let (noted, rest) = (&note[..at], &note[at + 1..]);
    if boot.is_empty() || noted != boot.as_bytes() {
        return None;
    }
    let (value, _) = ReplyDecoder::new().decode(rest).ok()??;
    Manifest::from_value(&value)
}

fn discard(place: &Place) {
    if let Err(error) = place.remove() {
        tracing::warn!(%error, "a snapshot that is of no use cannot be removed");
    }
}

fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn current_place(server: &Server) -> Place {
    let place = server.replication.replica.place.lock();
    place.clone().expect("set before anything is followed")
}

/// Appends to the files of a directory.
pub(super) struct DirSink {
    dir: PathBuf,
    open: Option<(String, File)>,
}

impl Sink for DirSink {
    fn held(&mut self, file: &str) -> io::Result<u64> {
        match fs::metadata(self.dir.join(file)) {
            Ok(meta) => Ok(meta.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn append(&mut self, file: &str, _at: u64, bytes: &[u8]) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|(name, _)| name != file) {
            let opened = OpenOptions::new()
                .append(true)
                .create(true)
                .open(self.dir.join(file))?;
            self.open = Some((file.to_owned(), opened));
        }
        let (_, open) = self.open.as_mut().expect("opened above");
        open.write_all(bytes)
    }
}

/// Forces the files of a directory, and their names, to disk.
fn sync_files(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        File::open(entry?.path())?.sync_all()?;
    }
    sync_dir(dir)
}

/// A snapshot that is open and fed, and not yet complete.
pub(super) struct Staged {
    pub(super) feed: Feed,
    place: Place,
    end: Offset,
}

impl Staged {
    /// Everything that its records may hold is applied.
    pub(super) fn is_complete(&self) -> bool {
        self.feed.data.log.progress.applied() >= self.end
    }

    /// Gives it up.
    pub(super) fn discard(self) {
        let Staged { feed, place, .. } = self;
        let data = Arc::clone(&feed.data);
        drop(feed);
        close(&data);
        drop(data);
        discard(&place);
    }

    /// Puts it in the place of what is served. Blocks. On an error nothing has changed, and it can be tried again.
    pub(super) fn take_over(&self, server: &Arc<Server>) -> anyhow::Result<Old> {
        let data = &self.feed.data;
        let binlog = data.binlog().expect("it was opened with a log");
        // From the moment it counts, a start replays its log, and must find it whole up to `end`.
        binlog.sync_now()?;
        let keys = data.store.load_all().context("cannot load the keys")?;
        tracing::debug!(keys, "keys loaded into memory");
        self.place
            .make_current()
            .context("cannot make the snapshot the data that counts")?;
        let place = server
            .replication
            .replica
            .place
            .lock()
            .replace(self.place.clone())
            .expect("set before anything is followed");
        let everybody = server.gate.exclusive();
        let old = server.current.swap(Arc::clone(data));
        crate::exec::serve_all(server, data);
        drop(everybody);
        data.store.start_warm_up();
        Ok(Old { data: old, place })
    }

    /// What is left of it once it has taken over.
    pub(super) fn into_feed(self) -> Feed {
        self.feed
    }
}

fn close(data: &Data) {
    // Its threads would go on making files; who still reads it can.
    if let Some(Err(error)) = data.binlog().map(Binlog::close) {
        tracing::warn!(%error, "a log that is of no use was not closed in order");
    }
    if let Err(error) = data.store.close(false) {
        tracing::warn!(%error, "data that is of no use was not closed in order");
    }
}

/// What was served before.
pub(super) struct Old {
    data: Arc<Data>,
    place: Place,
}

/// Closes data that was exchanged, and removes it once nobody reads it any more. Blocks, for as long as that takes.
pub(super) fn retire(old: Old) {
    close(&old.data);
    let weak: Weak<Data> = Arc::downgrade(&old.data);
    drop(old.data);
    let begun = Instant::now();
    while weak.strong_count() > 0 && begun.elapsed() < LAST_READERS {
        std::thread::sleep(Duration::from_millis(20));
    }
    if let Err(error) = old.place.remove() {
        tracing::warn!(%error, "the data before the full sync cannot be removed");
    }
}
