//! From the ring to the files, and from the files to the disk: drain, sync, fsync policy.
//!
//! - `drain` moves what was appended into segment files and starts new segments where `append` cut.
//!   Any thread may run it (the writer when the ring fills, the syncer, a reader that wants the newest
//!   frames, an append that found the ring full).
//! - `sync_now` drains, forces the files to disk and moves `synced`. Whoever asks while one runs is
//!   served by the next: that is the group commit.
//!
//! Policy: `always` syncs whenever someone asks for an offset beyond `synced`; `everysec` also once a second
//! by itself; `no` only drains once a second. A failed write or fsync poisons the log (see `Shared::poison`).

use crate::error::{Error, Result};
use crate::segment::{SEGMENT_HEADER, Segment, SegmentHeader, raw_name};
use crate::shared::{Cut, Drain, Shared};
use crate::types::{FsyncPolicy, LogEvent, LogState, Offset};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the syncer looks by itself.
const TICK: Duration = Duration::from_secs(1);

impl Shared {
    /// Writes everything published so far into segment files. Also when poisoned: what was appended before is
    /// still to be read.
    pub(crate) fn drain(&self) -> Result<()> {
        let mut d = self.drain.lock();
        loop {
            // Position before cuts: a cut below this position is in the queue already.
            let target = self.front.pos.load(Ordering::Acquire);
            let next_cut = self.cuts.lock().front().map(|c| c.pos);
            let limit = next_cut.map_or(target, |cut| cut.min(target));
            if d.pos < limit {
                self.drain_to(&mut d, limit)
                    .map_err(|e| self.write_failed(e))?;
            } else if next_cut == Some(d.pos) {
                let cut = self
                    .cuts
                    .lock()
                    .pop_front()
                    .expect("seen just now, and only the drain takes cuts");
                self.start_segment(&mut d, cut)?;
            } else {
                return Ok(());
            }
        }
    }

    fn drain_to(&self, d: &mut Drain, limit: u64) -> Result<()> {
        let (first, second) = self.ring.runs(d.pos, limit);
        let write = |bytes: &[u8], at: u64| {
            d.segment
                .file
                .write_at(bytes, at)
                .map_err(Error::io(format!("write {}", d.segment.name)))
        };
        write(first, d.file_pos)?;
        if !second.is_empty() {
            write(second, d.file_pos + first.len() as u64)?;
        }
        self.advance(d, limit);
        Ok(())
    }

    fn advance(&self, d: &mut Drain, to: u64) {
        d.file_pos += to - d.pos;
        d.pos = to;
        d.segment.set_written(d.file_pos);
        self.drained.0.store(to, Ordering::Release);
    }

    /// Turns the cut's spare into the segment that is written from here on.
    fn start_segment(&self, d: &mut Drain, cut: Cut) -> Result<()> {
        let header = SegmentHeader {
            first: cut.first,
            pos: cut.pos,
            synced: self.synced.0.load(Ordering::Acquire),
            first_ms: cut.first_ms,
            replication_id: *self.replication_id.lock(),
        };
        let dir = &self.options.dir;
        let name = raw_name(cut.first);
        // A frame too large for a segment that is still empty: the new file takes its name and place.
        let replaces = d.segment.header.first == cut.first;
        let file = &cut.spare.file;
        let started = file
            .write_at(&header.encode(false), 0)
            // What is replaced has its header on disk, so this one must have it too.
            .and_then(|()| if replaces { file.sync_data() } else { Ok(()) })
            .and_then(|()| {
                self.door
                    .rename(&dir.join(&cut.spare.name), &dir.join(&name))
            });
        if let Err(e) = started {
            let failed = self.write_failed(Error::io(format!("start {name}"))(e));
            // Kept for the next try: a full disk may recover.
            self.cuts.lock().push_front(cut);
            return Err(failed);
        }
        let segment = Arc::new(Segment::raw(
            header,
            cut.spare.file,
            SEGMENT_HEADER,
            u64::MAX,
            cut.index,
        ));
        // The successor first: a reader that sees the end looks for it.
        let mut catalog = self.catalog.write();
        if replaces {
            catalog.pop();
        }
        catalog.push(segment.clone());
        drop(catalog);
        d.segment.set_end(cut.first);
        let full = std::mem::replace(&mut d.segment, segment);
        if !replaces {
            d.unsynced.push(full);
        }
        d.file_pos = SEGMENT_HEADER;
        d.dir_changed = true;
        Ok(())
    }

    /// Writes a frame too large for the ring straight into its segment. The caller holds the append lock, so
    /// that nothing is published meanwhile, and publishes the frame afterwards.
    pub(crate) fn write_past_ring(
        &self,
        header: &[u8],
        select: &[u8],
        parts: &[&[u8]],
    ) -> Result<()> {
        self.drain()?;
        let mut d = self.drain.lock();
        let mut at = d.file_pos;
        for part in [header, select].iter().chain(parts) {
            let written = d.segment.file.write_at(part, at);
            written
                .map_err(Error::io(format!("write {}", d.segment.name)))
                .map_err(|e| self.write_failed(e))?;
            at += part.len() as u64;
        }
        let to = d.pos + (at - d.file_pos);
        self.advance(&mut d, to);
        Ok(())
    }

    /// Forces everything appended so far to disk; returns where that ends.
    pub(crate) fn sync_now(&self) -> Result<Offset> {
        let guard = self.sync.lock();
        self.check_writable()?;
        let before = self.synced.0.load(Ordering::Relaxed);
        let end = self.front.end_of(&self.front.tail.lock());
        if end == before {
            return Ok(Offset(end));
        }
        self.drain()?;
        let (full, active, dir_changed) = {
            let mut d = self.drain.lock();
            (
                std::mem::take(&mut d.unsynced),
                d.segment.clone(),
                std::mem::take(&mut d.dir_changed),
            )
        };
        let began = Instant::now();
        let done = full.iter().chain([&active]).try_for_each(|segment| {
            self.stats.fsyncs.fetch_add(1, Ordering::Relaxed);
            segment
                .file
                .sync_data()
                .map_err(Error::io(format!("fsync {}", segment.name)))
        });
        let done = done.and_then(|()| {
            if !dir_changed {
                return Ok(());
            }
            self.door
                .sync_dir(&self.options.dir)
                .map_err(Error::io("fsync the binlog directory"))
        });
        if let Err(e) = done {
            // Even ENOSPC: the kernel may have dropped the pages, so what is on disk is unknown.
            self.poison(&e);
            return Err(self.poisoned());
        }
        self.count_sync(began.elapsed());
        self.ring.note_synced(end);
        self.synced.0.store(end, Ordering::Release);
        drop(guard);
        if !full.is_empty() {
            self.wake.sealer.raise();
        }
        self.events.send(LogEvent::Synced(Offset(end)));
        Ok(Offset(end))
    }

    fn count_sync(&self, took: Duration) {
        let us = took.as_micros() as u64;
        self.stats.syncs.fetch_add(1, Ordering::Relaxed);
        self.stats.fsync_total_us.fetch_add(us, Ordering::Relaxed);
        self.stats.fsync_last_us.store(us, Ordering::Relaxed);
        self.stats.fsync_max_us.fetch_max(us, Ordering::Relaxed);
    }

    /// Asks for a sync up to `upto`; returns at once.
    pub(crate) fn request_sync(&self, upto: Offset) {
        if upto.0 > self.synced.0.load(Ordering::Acquire) {
            self.wake.syncer.raise();
        }
    }

    /// Waits until everything before `upto` is on disk.
    pub(crate) fn wait_synced(&self, upto: Offset) -> Result<()> {
        let reached = || self.synced.0.load(Ordering::Acquire) >= upto.0;
        if reached() {
            return Ok(());
        }
        let end = Offset(self.front.end.load(Ordering::Acquire));
        if upto > end {
            return Err(Error::Beyond { asked: upto, end });
        }
        if !self.options.background || self.stop.load(Ordering::Acquire) {
            return self.sync_now().map(|_| ());
        }
        self.request_sync(upto);
        self.events.wait_until(None, || {
            reached() || self.state() == LogState::Poisoned || self.stop.load(Ordering::Acquire)
        });
        if reached() {
            return Ok(());
        }
        self.check_writable()?;
        self.sync_now().map(|_| ())
    }

    /// The syncer's thread: one sync at a time, for all who asked meanwhile.
    pub(crate) fn run_syncer(&self) {
        let mut looked = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            self.wake
                .syncer
                .wait(Some(TICK.saturating_sub(looked.elapsed())));
            let by_clock = looked.elapsed() >= TICK;
            if by_clock {
                looked = Instant::now();
            }
            let done = if by_clock && self.policy() == FsyncPolicy::No {
                self.drain()
            } else {
                self.sync_now().map(|_| ())
            };
            // Noted in the log's state where it arose; here there is only the next round.
            drop(done);
        }
    }

    /// The writer's thread: keeps the ring from filling and sends what was posted.
    pub(crate) fn run_writer(&self) {
        while !self.stop.load(Ordering::Acquire) {
            self.wake.writer.wait(None);
            self.events.dispatch();
            // As above: a failure is noted where it arose.
            drop(self.drain());
        }
    }
}
