//! Recovery: from what a crash left to a log that can be appended to.
//!
//! 1. Temporary files go. A segment that is there raw and sealed stays sealed.
//! 2. Segments are walked in order. What is surely synced (sealed, or before the synced mark) is trusted;
//!    the rest is read frame by frame until the first that is not as expected: the *bad point*.
//! 3. Nothing but zeroes behind it is a clean end. Else it is a torn tail, cut, or damage, refused. The
//!    difference: torn bytes were never on disk. Evidence that they were: the synced mark of the ring, of
//!    a later segment's header, or a later valid frame that says (by its `lag`) that more was synced
//!    when it was appended; a later sealed segment. Evidence beyond the bad point means damage.
//! 4. What continues the log in the ring (`kill -9`: frames not drained yet) is appended again and synced.
//! 5. Only then a fresh ring replaces the old one, marked unclean until the next clean close.
//!
//! A crash during recovery finds the same or less to do the next time.

use crate::door::{Door, DoorFile};
use crate::error::{Error, Result};
use crate::frame::Header;
use crate::ring::OldRing;
use crate::scan::{Scanner, Step, find_frame, used_bytes};
use crate::sealed::SealedIndex;
use crate::segment::{
    Body, Catalog, INDEX_EVERY, IndexEntry, SEGMENT_HEADER, Segment, SegmentHeader, SparseIndex,
    parse_name, raw_name, sealed_name,
};
use crate::types::{Flags, Offset, Options};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What the segment files hold.
pub(crate) struct Recovered {
    pub(crate) catalog: Catalog,
    /// The last segment again, if it is raw and can be continued.
    pub(crate) active: Option<Active>,
    pub(crate) end: u64,
    pub(crate) pos: u64,
    pub(crate) db: Option<u16>,
    pub(crate) cut_bytes: u64,
    pub(crate) replication_id: [u8; 40],
}

/// Where the last segment is continued.
pub(crate) struct Active {
    pub(crate) segment: Arc<Segment>,
    pub(crate) index: Arc<SparseIndex>,
    pub(crate) file_pos: u64,
}

/// Reads the directory; `None` if there is no log in it.
pub(crate) fn recover(
    door: &dyn Door,
    options: &Options,
    ring: Option<&OldRing>,
) -> Result<Option<Recovered>> {
    let files = clean_up(door, &options.dir)?;
    let Some((&first, _)) = files.first_key_value() else {
        return Ok(None);
    };
    let mut walk = Walk {
        door,
        options,
        synced: ring.map_or(0, |r| r.synced),
        catalog: Vec::new(),
        end: first,
        pos: 0,
        db: None,
        cut_bytes: 0,
        active: None,
        replication_id: options.replication_id,
    };
    let files: Vec<(u64, bool)> = files.into_iter().collect();
    walk.gather_evidence(&files)?;
    for (i, &(first, sealed)) in files.iter().enumerate() {
        let next = files.get(i + 1).map(|f| f.0);
        if sealed {
            walk.sealed(first)?;
        } else if walk.raw(first, next, &files[i + 1..])? == After::Cut {
            break;
        }
    }
    if walk.synced > walk.end && !options.cut_damage {
        let file = walk
            .catalog
            .last()
            .map_or_else(|| raw_name(walk.end), |s| s.name.clone());
        let why = format!("the log ends here but was on disk up to {}", walk.synced);
        return Err(Error::Damaged {
            offset: Offset(walk.end),
            file,
            why,
        });
    }
    Ok(Some(Recovered {
        catalog: walk.catalog,
        active: walk.active,
        end: walk.end,
        pos: walk.pos,
        db: walk.db,
        cut_bytes: walk.cut_bytes,
        replication_id: walk.replication_id,
    }))
}

/// Removes what a crash left half done; returns the segments: first offset → sealed.
fn clean_up(door: &dyn Door, dir: &Path) -> Result<BTreeMap<u64, bool>> {
    let mut files = BTreeMap::new();
    let remove = |name: &str| {
        door.remove(&dir.join(name))
            .map_err(Error::io(format!("remove {name}")))
    };
    for name in door
        .list(dir)
        .map_err(Error::io(format!("list {}", dir.display())))?
    {
        if name.ends_with(".tmp") {
            remove(&name)?;
        } else if let Some((first, sealed)) = parse_name(&name) {
            match files.insert(first, sealed) {
                None => {}
                // It got its name after it was synced, so it is whole; the raw one is only not removed yet.
                Some(_) => {
                    files.insert(first, true);
                    remove(&raw_name(first))?;
                }
            }
        }
    }
    Ok(files)
}

#[derive(PartialEq)]
enum After {
    GoOn,
    Cut,
}

struct Walk<'a> {
    door: &'a dyn Door,
    options: &'a Options,
    /// Everything before was on disk, as far as is known.
    synced: u64,
    catalog: Catalog,
    end: u64,
    pos: u64,
    db: Option<u16>,
    cut_bytes: u64,
    active: Option<Active>,
    replication_id: [u8; 40],
}

impl Walk<'_> {
    fn open(&self, name: &str) -> Result<Arc<dyn DoorFile>> {
        self.door
            .open(&self.options.dir.join(name), false)
            .map_err(Error::io(format!("open {name}")))
    }

    fn damaged<T>(&self, name: &str, why: impl Into<String>) -> Result<T> {
        Err(Error::Damaged {
            offset: Offset(self.end),
            file: name.to_owned(),
            why: why.into(),
        })
    }

    /// The cheap evidence of what was on disk: sealed segments and headers.
    fn gather_evidence(&mut self, files: &[(u64, bool)]) -> Result<()> {
        for &(first, sealed) in files {
            let name = if sealed {
                sealed_name(first)
            } else {
                raw_name(first)
            };
            let file = self.open(&name)?;
            let header = match SegmentHeader::read(&*file, &name, sealed) {
                Ok(header) => header,
                Err(_) if self.options.cut_damage => continue,
                Err(e) => return Err(e),
            };
            self.synced = self.synced.max(header.map_or(0, |h| h.synced));
            if sealed {
                // It is sealed only after it was synced.
                self.synced = self.synced.max(first);
            }
        }
        Ok(())
    }

    fn sealed(&mut self, first: u64) -> Result<()> {
        let name = sealed_name(first);
        if first != self.end {
            return self.damaged(
                &name,
                format!(
                    "the segment before {first} is missing or ends at {}",
                    self.end
                ),
            );
        }
        let file = self.open(&name)?;
        let (header, index) = SealedIndex::open(&*file, &name, first)?;
        self.end = index.end;
        self.pos = header.pos + index.raw_bytes;
        self.synced = self.synced.max(index.end);
        self.replication_id = header.replication_id;
        self.db = None;
        self.active = None;
        self.catalog.push(Arc::new(Segment {
            header,
            name,
            file,
            body: Body::Sealed(index),
        }));
        Ok(())
    }

    /// Takes a raw segment; `later` are the segments behind it, the next beginning at `next`.
    fn raw(&mut self, first: u64, next: Option<u64>, later: &[(u64, bool)]) -> Result<After> {
        let name = raw_name(first);
        if first != self.end {
            return self.damaged(
                &name,
                format!(
                    "the segment before {first} is missing or ends at {}",
                    self.end
                ),
            );
        }
        let file = self.open(&name)?;
        let header = match SegmentHeader::read(&*file, &name, false) {
            Err(_) if self.options.cut_damage => None,
            read => read?,
        };
        let Some(header) = header.filter(|h| h.first == first) else {
            // Its header never reached the disk, so nothing in it was synced.
            return self.bad_point(&name, None, later, "the header is missing");
        };
        self.replication_id = header.replication_id;
        let index = Arc::new(SparseIndex::for_capacity(self.options.segment_bytes));
        let length = file.len().map_err(Error::io(format!("read {name}")))?;
        let mut scanned = Scanned {
            file_pos: SEGMENT_HEADER,
            end: first,
            why: None,
        };
        if let Some(next) = next.filter(|&n| n <= self.synced) {
            // Surely on disk: not read again now; a reader judges each frame anyway. A header that says more than the
            // file holds is wrong, and the frames are read after all.
            let written = self.position_of(next, &header)?;
            if let Some(written) = written.filter(|&bytes| bytes <= length) {
                scanned = Scanned {
                    file_pos: written,
                    end: next,
                    why: None,
                };
                self.db = None;
            }
        }
        if scanned.end == first {
            scanned = self.scan(&*file, &name, first, length, next, &index)?;
        }
        self.end = scanned.end;
        self.pos = header.pos + (scanned.file_pos - SEGMENT_HEADER);
        let end = next.filter(|&n| n == self.end).unwrap_or(u64::MAX);
        let segment = Arc::new(Segment::raw(
            header,
            file,
            scanned.file_pos,
            end,
            index.clone(),
        ));
        self.catalog.push(segment.clone());
        self.active = Some(Active {
            segment: segment.clone(),
            index,
            file_pos: scanned.file_pos,
        });
        if next == Some(self.end) {
            return Ok(After::GoOn);
        }
        self.bad_point(
            &name,
            Some((&segment, scanned.file_pos, length)),
            later,
            scanned.why.unwrap_or("it ends early"),
        )
    }

    /// File length of a segment that is followed by the one at `next`, from that one's header.
    fn position_of(&self, next: u64, header: &SegmentHeader) -> Result<Option<u64>> {
        for (name, sealed) in [(raw_name(next), false), (sealed_name(next), true)] {
            let Ok(file) = self.door.open(&self.options.dir.join(&name), false) else {
                continue;
            };
            if let Some(follower) = SegmentHeader::read(&*file, &name, sealed)? {
                return Ok(follower
                    .pos
                    .checked_sub(header.pos)
                    .and_then(|bytes| bytes.checked_add(SEGMENT_HEADER)));
            }
        }
        Ok(None)
    }

    fn scan(
        &mut self,
        file: &dyn DoorFile,
        name: &str,
        first: u64,
        length: u64,
        next: Option<u64>,
        index: &SparseIndex,
    ) -> Result<Scanned> {
        let mut scanner = Scanner::new(SEGMENT_HEADER);
        let mut at = Scanned {
            file_pos: SEGMENT_HEADER,
            end: first,
            why: None,
        };
        let mut index_due = 0;
        while Some(at.end) != next {
            match scanner
                .step(file, at.end, length)
                .map_err(Error::io(format!("read {name}")))?
            {
                Step::Frame(frame, _) => {
                    if at.file_pos >= index_due {
                        let entry = IndexEntry {
                            offset: frame.offset,
                            file_pos: at.file_pos,
                            unix_ms: frame.unix_ms,
                        };
                        index.push(entry);
                        index_due = at.file_pos + INDEX_EVERY;
                    }
                    scanner.take(&frame);
                    at.file_pos = scanner.file_pos();
                    at.end = frame.end();
                    if !Flags(frame.flags).has(Flags::NO_DATA) {
                        self.db = Some(frame.end_db);
                    }
                    self.synced = self.synced.max(frame.synced_then());
                }
                Step::End => break,
                Step::Bad(why) => {
                    at.why = Some(why);
                    break;
                }
            }
        }
        Ok(at)
    }

    /// The log cannot be read on at `self.end`: decides whether that is its end, and makes it so.
    fn bad_point(
        &mut self,
        name: &str,
        segment: Option<(&Segment, u64, u64)>,
        later: &[(u64, bool)],
        why: &str,
    ) -> Result<After> {
        if !self.options.cut_damage {
            if self.synced > self.end {
                return self.damaged(
                    name,
                    format!("{why}, and the log was on disk up to {}", self.synced),
                );
            }
            if let Some((segment, file_pos, length)) = segment {
                self.refuse_if_synced_beyond(name, &*segment.file, file_pos, length, why)?;
            }
            for &(first, _) in later {
                // Raw, else `synced` would have told. Its frames may know more than its header.
                let name = raw_name(first);
                let file = self.open(&name)?;
                let length = file.len().map_err(Error::io(format!("read {name}")))?;
                self.refuse_if_synced_beyond(&name, &*file, SEGMENT_HEADER, length, why)?;
            }
        }
        self.cut(name, segment, later)?;
        Ok(After::Cut)
    }

    /// Looks for any valid frame behind the bad point that proves the bytes at it were on disk.
    fn refuse_if_synced_beyond(
        &self,
        name: &str,
        file: &dyn DoorFile,
        from: u64,
        to: u64,
        why: &str,
    ) -> Result<()> {
        let proof = |header: &Header| header.offset > self.end && header.synced_then() > self.end;
        match find_frame(file, from, to, self.end, proof)
            .map_err(Error::io(format!("read {name}")))?
        {
            None => Ok(()),
            Some(header) => self.damaged(
                name,
                format!("{why}, but a later frame at {} is whole", header.offset),
            ),
        }
    }

    /// Removes everything behind the bad point, durably, before anything is appended there.
    fn cut(
        &mut self,
        name: &str,
        segment: Option<(&Segment, u64, u64)>,
        later: &[(u64, bool)],
    ) -> Result<()> {
        let dir = &self.options.dir;
        // From the newest on, so that a crash in between leaves no gap.
        for &(first, sealed) in later.iter().rev() {
            let name = if sealed {
                sealed_name(first)
            } else {
                raw_name(first)
            };
            self.cut_bytes +=
                used_bytes(&*self.open(&name)?, 0).map_err(Error::io(format!("read {name}")))?;
            self.door
                .remove(&dir.join(&name))
                .map_err(Error::io(format!("remove {name}")))?;
        }
        match segment {
            Some((segment, file_pos, _)) => {
                let file = &*segment.file;
                self.cut_bytes +=
                    used_bytes(file, file_pos).map_err(Error::io(format!("read {name}")))?;
                let cut = file.set_len(file_pos).and_then(|()| file.sync_data());
                cut.map_err(Error::io(format!("cut {name}")))?;
            }
            None => self
                .door
                .remove(&dir.join(name))
                .map_err(Error::io(format!("remove {name}")))?,
        }
        self.door
            .sync_dir(dir)
            .map_err(Error::io("sync the binlog directory"))
    }
}

struct Scanned {
    file_pos: u64,
    end: u64,
    why: Option<&'static str>,
}
