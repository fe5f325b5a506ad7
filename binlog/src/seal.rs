//! The sealer and retention: what happens to segments that are full.
//!
//! Sealing a segment, step by step; a crash between any two leaves a log that opens:
//! 1. the segment is full and on disk (its end is behind `synced`);
//! 2. its frames are checked and written, compressed, to `<first>.seal.tmp`, which is synced;
//! 3. renamed to `<first>.zlog`, directory synced: now both are there and recovery prefers the sealed one;
//! 4. the catalog is switched over, the raw file removed. Readers that are in it read on.
//!
//! Retention leaves the segment that is being sealed alone: if it took that one and those behind it, a crash
//! could leave the other of its two files, and a gap behind it.

use crate::error::{Error, Result};
use crate::frame::HEADER_BYTES;
use crate::long::Long;
use crate::scan::{Scanner, Step};
use crate::sealed::{SealedIndex, SealedWriter};
use crate::segment::{Body, SEGMENT_HEADER, Segment, sealed_name};
use crate::shared::Shared;
use crate::types::Offset;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// No segment is being sealed.
pub(crate) const NONE: u64 = u64::MAX;

impl Shared {
    /// Seals every full segment that is on disk; returns how many.
    pub(crate) fn seal_full_segments(&self) -> Result<usize> {
        if !self.options.compress {
            return Ok(0);
        }
        let mut done = 0;
        // Looked up anew each time: retention may remove what stood in a list.
        let mut from = 0;
        while let Some((segment, end)) = self.next_to_seal(from) {
            if self.stop.load(Ordering::Acquire) {
                break;
            }
            from = end;
            let sealed = self.seal(&segment, end);
            self.sealing.store(NONE, Ordering::Release);
            sealed?;
            done += 1;
        }
        Ok(done)
    }

    /// The next segment to seal; from here on it is the one that retention leaves alone.
    fn next_to_seal(&self, from: u64) -> Option<(Arc<Segment>, u64)> {
        let synced = self.synced.0.load(Ordering::Acquire);
        // Held until `sealing` is set: retention decides under the write side.
        let catalog = self.catalog.read();
        let found = catalog
            .iter()
            .filter(|s| !s.is_sealed() && s.header.first >= from)
            .find_map(|s| {
                let end = s
                    .end()
                    .filter(|&end| end <= synced && end > s.header.first)?;
                Some((s.clone(), end))
            });
        if let Some((segment, _)) = &found {
            self.sealing.store(segment.header.first, Ordering::Release);
        }
        found
    }

    fn seal(&self, segment: &Arc<Segment>, end: u64) -> Result<()> {
        let dir = &self.options.dir;
        let temporary = dir.join(format!("{:020}.seal.tmp", segment.header.first));
        let name = sealed_name(segment.header.first);
        let file = self
            .door
            .open(&temporary, true)
            .map_err(Error::io(format!("create {name}")))?;
        let written = file
            .set_len(0)
            .map_err(Error::io(format!("create {name}")))
            .and_then(|()| self.write_sealed(segment, end, &*file, &name));
        let index = match written {
            Ok(index) => index,
            Err(e) => {
                // It holds nothing the raw segment does not; a leftover is removed at the next open.
                let _ = self.door.remove(&temporary);
                return Err(e);
            }
        };
        self.door
            .rename(&temporary, &dir.join(&name))
            .map_err(Error::io(format!("rename {name}")))?;
        self.door
            .sync_dir(dir)
            .map_err(Error::io("sync the binlog directory"))?;
        let sealed = Arc::new(Segment {
            header: segment.header,
            name,
            file,
            body: Body::Sealed(index),
        });
        let mut catalog = self.catalog.write();
        let at = catalog.iter().position(|s| Arc::ptr_eq(s, segment));
        catalog[at.expect("retention leaves a segment that is being sealed alone")] = sealed;
        drop(catalog);
        // May fail only if it is gone already; else recovery removes it.
        let _ = self.door.remove(&dir.join(&segment.name));
        Ok(())
    }

    fn write_sealed(
        &self,
        segment: &Arc<Segment>,
        end: u64,
        file: &dyn crate::door::DoorFile,
        name: &str,
    ) -> Result<SealedIndex> {
        let Body::Raw { written, .. } = &segment.body else {
            unreachable!("only raw segments are sealed")
        };
        let limit = written.load(Ordering::Acquire);
        let mut out = SealedWriter::new(file, name, &segment.header)?;
        let mut scanner = Scanner::new(SEGMENT_HEADER);
        let mut offset = segment.header.first;
        while offset < end {
            if self.stop.load(Ordering::Acquire) {
                return Err(Error::Closed);
            }
            let read = |e| Error::io(format!("read {}", segment.name))(e);
            let long = scanner
                .long_front(&*segment.file, offset, limit)
                .map_err(read)?;
            if let Some((header, file_pos)) = long
                && let Some(mut long) = Long::in_raw(header, segment, file_pos).map_err(read)?
            {
                out.add_long(&mut long)?;
                scanner = Scanner::new(file_pos + header.total());
                offset = header.end();
                continue;
            }
            let step = scanner.step(&*segment.file, offset, limit);
            let why = match step.map_err(read)? {
                Step::Frame(header, payload) => {
                    out.add(
                        &header,
                        scanner
                            .window
                            .bytes(payload.start - HEADER_BYTES..payload.end),
                    )?;
                    scanner.take(&header);
                    offset = header.end();
                    continue;
                }
                Step::Bad(why) => why,
                Step::End => "the segment ends too early",
            };
            let file = segment.name.clone();
            return Err(Error::Damaged {
                offset: Offset(offset),
                file,
                why: why.to_owned(),
            });
        }
        out.finish(end)
    }

    /// Removes the oldest segments that no one needs and that both retention floors let go.
    pub(crate) fn apply_retention(&self, now_ms: u64) -> Result<usize> {
        let keep = *self.retention.lock();
        let mut total: u64 = self.catalog.read().iter().map(|s| s.disk_bytes()).sum();
        self.remove_oldest(|segment, successor| {
            let left = total - segment.disk_bytes();
            let young = successor.header.first_ms.saturating_add(keep.ms) > now_ms;
            let go = left >= keep.bytes && !(keep.ms > 0 && young);
            if go {
                total = left;
            }
            go
        })
    }

    /// Removes whole segments before `upto` that no one needs, retention floors or not.
    pub(crate) fn purge_to(&self, upto: Offset) -> Result<usize> {
        self.remove_oldest(|_, successor| successor.header.first <= upto.0)
    }

    /// Removes segments from the oldest on while `go` agrees, never what is needed, not synced, or written.
    fn remove_oldest(&self, mut go: impl FnMut(&Segment, &Segment) -> bool) -> Result<usize> {
        let mut removed = 0;
        loop {
            // The floor is held through the removal from the catalog: a hold taken meanwhile either
            // comes first and is seen, or finds the segment gone and is told so.
            let floor = self.floor.lock();
            let needed = floor
                .needed_from()
                .min(self.synced.0.load(Ordering::Acquire));
            let mut catalog = self.catalog.write();
            let [first, second, ..] = &catalog[..] else {
                return Ok(removed);
            };
            let end = second.header.first;
            let busy = self.sealing.load(Ordering::Acquire) == first.header.first;
            if busy || end > needed || first.end().is_none() || !go(first, second) {
                return Ok(removed);
            }
            let segment = catalog.remove(0);
            drop(catalog);
            drop(floor);
            let path = self.options.dir.join(&segment.name);
            self.door
                .remove(&path)
                .map_err(Error::io(format!("remove {}", segment.name)))?;
            removed += 1;
        }
    }
}
