//! A look at a log from outside, open or not: nothing is locked, repaired or written.
//!
//! The frames are those a start would find: of the segments in order, then those of the ring that continue them. Where
//! recovery would cut a torn tail, the look ends and says so; damage before that is an error. Of a log that is in use,
//! the newest frames may be missing, and one that is just being written looks torn.

use crate::door::{Door, DoorFile};
use crate::error::{Error, Result};
use crate::frame::Header;
use crate::ring::OldRing;
use crate::scan::{Front, Scanner, Step, Window, used_bytes};
use crate::sealed::SealedIndex;
use crate::segment::{SEGMENT_HEADER, SegmentHeader, parse_name, raw_name, sealed_name};
use crate::types::{FrameView, Offset};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the files of a log hold.
pub struct Inspector {
    door: Arc<dyn Door>,
    dir: PathBuf,
    segments: Vec<SegmentInfo>,
}

/// A segment, by its header (and its index, if it is sealed).
#[derive(Clone, Debug)]
pub struct SegmentInfo {
    /// Name of its file.
    pub name: String,
    /// Offset of its first frame.
    pub first: Offset,
    /// Offset behind its last frame, if that is known without reading it.
    pub end: Option<Offset>,
    /// Whether it is compressed.
    pub sealed: bool,
    /// Bytes of the file, reserved ones included.
    pub file_bytes: u64,
    /// Time of its first frame, Unix ms.
    pub first_ms: u64,
    /// Replication id it was begun under.
    pub replication_id: String,
}

/// What lies behind the last frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Bytes that are no frame.
    pub bytes: u64,
    /// Why they are none.
    pub why: String,
}

impl Inspector {
    /// Looks at the log in `dir`.
    pub fn open(dir: &Path, door: Arc<dyn Door>) -> Result<Inspector> {
        let names = door
            .list(dir)
            .map_err(Error::io(format!("list {}", dir.display())))?;
        let mut found = BTreeMap::new();
        for (first, sealed) in names.iter().filter_map(|name| parse_name(name)) {
            // Of two the raw one is only not removed yet.
            *found.entry(first).or_insert(false) |= sealed;
        }
        let mut inspector = Inspector {
            door,
            dir: dir.to_owned(),
            segments: Vec::new(),
        };
        for (first, sealed) in found {
            let segment = inspector.look(first, sealed)?;
            inspector.segments.push(segment);
        }
        let firsts: Vec<Offset> = inspector.segments.iter().map(|s| s.first).collect();
        for (segment, next) in inspector.segments.iter_mut().zip(firsts.iter().skip(1)) {
            segment.end.get_or_insert(*next);
        }
        Ok(inspector)
    }

    fn look(&self, first: u64, sealed: bool) -> Result<SegmentInfo> {
        let name = if sealed {
            sealed_name(first)
        } else {
            raw_name(first)
        };
        let file = self.file(&name)?;
        let (header, end) = if sealed {
            let (header, index) = SealedIndex::open(&*file, &name, first)?;
            (Some(header), Some(Offset(index.end)))
        } else {
            (SegmentHeader::read(&*file, &name, false)?, None)
        };
        let id = header.map(|header| String::from_utf8_lossy(&header.replication_id).into_owned());
        Ok(SegmentInfo {
            first: Offset(first),
            end,
            sealed,
            file_bytes: file.len().map_err(Error::io(format!("read {name}")))?,
            first_ms: header.map_or(0, |header| header.first_ms),
            replication_id: id.unwrap_or_default(),
            name,
        })
    }

    fn file(&self, name: &str) -> Result<Arc<dyn DoorFile>> {
        self.door
            .open(&self.dir.join(name), false)
            .map_err(Error::io(format!("open {name}")))
    }

    /// The segments in order; none if there is no log.
    #[must_use]
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.segments
    }

    /// The frames from the one that holds `from` on.
    pub fn frames(&self, from: Offset) -> Result<Frames<'_>> {
        let at = self
            .segments
            .partition_point(|segment| segment.first <= from)
            .checked_sub(1)
            .ok_or(Error::Gone {
                asked: from,
                first: self.segments.first().map_or(Offset(0), |s| s.first),
            })?;
        let mut frames = Frames {
            log: self,
            at,
            next: self.segments[at].first.0,
            from: from.0,
            source: Source::End,
            payload: 0..0,
            torn: None,
            in_ring: 0,
        };
        frames.enter()?;
        Ok(frames)
    }
}

/// A cursor over the frames of a log that is only looked at.
pub struct Frames<'a> {
    log: &'a Inspector,
    /// The segment it is in.
    at: usize,
    /// Offset of the next frame.
    next: u64,
    from: u64,
    source: Source,
    payload: Range<usize>,
    torn: Option<Torn>,
    in_ring: u64,
}

enum Source {
    Raw {
        file: Arc<dyn DoorFile>,
        scanner: Scanner,
        length: u64,
        pos: u64,
    },
    Sealed {
        file: Arc<dyn DoorFile>,
        index: SealedIndex,
        window: Window,
        next_block: usize,
        pos: u64,
    },
    Ring {
        left: std::vec::IntoIter<(Header, Vec<u8>)>,
        payload: Vec<u8>,
    },
    End,
}

impl Frames<'_> {
    /// The next frame; `None` at the end.
    #[allow(
        clippy::should_implement_trait,
        reason = "a frame borrows from the cursor"
    )]
    pub fn next(&mut self) -> Result<Option<FrameView<'_>>> {
        loop {
            let Some(header) = self.step()? else {
                return Ok(None);
            };
            if header.end() > self.from {
                return Ok(Some(header.view(self.bytes())));
            }
        }
    }

    /// Where the log ends, once `next` has said so; before that, where the next frame begins.
    #[must_use]
    pub fn offset(&self) -> Offset {
        Offset(self.next)
    }

    /// What follows the last frame and is none, once `next` has returned `None`.
    #[must_use]
    pub fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    /// How many frames came out of the ring so far.
    #[must_use]
    pub fn frames_in_ring(&self) -> u64 {
        self.in_ring
    }

    fn bytes(&self) -> &[u8] {
        match &self.source {
            Source::Raw { scanner, .. } => scanner.window.bytes(self.payload.clone()),
            Source::Sealed { window, .. } => window.bytes(self.payload.clone()),
            Source::Ring { payload, .. } => payload,
            Source::End => &[],
        }
    }

    fn name(&self) -> &str {
        &self.log.segments[self.at].name
    }

    fn damaged(&self, why: impl Into<String>) -> Error {
        Error::Damaged {
            offset: Offset(self.next),
            file: self.name().to_owned(),
            why: why.into(),
        }
    }

    /// Takes the next frame, wherever it is.
    fn step(&mut self) -> Result<Option<Header>> {
        loop {
            let found = match &mut self.source {
                Source::End => return Ok(None),
                Source::Raw {
                    file,
                    scanner,
                    length,
                    ..
                } => match scanner
                    .step(&**file, self.next, *length)
                    .map_err(Error::io("read a segment"))?
                {
                    Step::Frame(header, payload) => {
                        scanner.take(&header);
                        Some((header, payload))
                    }
                    Step::End => self.leave_raw("it ends early")?,
                    Step::Bad(why) => self.leave_raw(why)?,
                },
                Source::Sealed { .. } => self.step_sealed()?,
                Source::Ring { left, payload } => match left.next() {
                    Some((header, bytes)) => {
                        *payload = bytes;
                        self.in_ring += 1;
                        Some((header, 0..0))
                    }
                    None => {
                        self.source = Source::End;
                        None
                    }
                },
            };
            if let Some((header, payload)) = found {
                self.next = header.end();
                self.payload = payload;
                return Ok(Some(header));
            }
        }
    }

    fn step_sealed(&mut self) -> Result<Option<(Header, Range<usize>)>> {
        let name = self.log.segments[self.at].name.clone();
        let Source::Sealed {
            file,
            index,
            window,
            next_block,
            pos,
        } = &mut self.source
        else {
            unreachable!("called for a sealed segment")
        };
        if window.left() == 0 {
            if *next_block == index.blocks.len() {
                let pos = *pos + index.raw_bytes;
                self.leave(pos, None)?;
                return Ok(None);
            }
            window.replace(|out| index.load(*next_block, &**file, &name, out))?;
            *next_block += 1;
        }
        match window.front(self.next) {
            Front::Frame(header, payload) => {
                window.take(&header);
                Ok(Some((header, payload)))
            }
            Front::Need(_) => Err(self.damaged("a block ends inside a frame")),
            Front::Bad(why) => Err(self.damaged(why)),
        }
    }

    fn leave_raw(&mut self, why: &str) -> Result<Option<(Header, Range<usize>)>> {
        let Source::Raw {
            file, scanner, pos, ..
        } = &self.source
        else {
            unreachable!("called for a raw segment")
        };
        let at = scanner.file_pos();
        let bytes = used_bytes(&**file, at).map_err(Error::io("read a segment"))?;
        let torn = (bytes > 0).then(|| Torn {
            bytes,
            why: why.to_owned(),
        });
        let pos = *pos + (at - SEGMENT_HEADER);
        self.leave(pos, torn)?;
        Ok(None)
    }

    /// Goes on to the next segment, or from the last one to the ring.
    fn leave(&mut self, pos: u64, torn: Option<Torn>) -> Result<()> {
        if let Some(next) = self.log.segments.get(self.at + 1) {
            if next.first.0 != self.next {
                let why = torn.map_or_else(|| "it ends early".to_owned(), |torn| torn.why);
                let why = format!("{why}, and the next segment begins at {}", next.first);
                return Err(self.damaged(why));
            }
            self.at += 1;
            return self.enter();
        }
        let ring = OldRing::load(&*self.log.door, &self.log.dir)?;
        let left = ring.map_or_else(Vec::new, |ring| ring.frames_from(pos, self.next));
        // Frames in the ring are written over what is torn.
        self.torn = torn.filter(|_| left.is_empty());
        self.source = Source::Ring {
            left: left.into_iter(),
            payload: Vec::new(),
        };
        Ok(())
    }

    /// Begins with the segment at `at`.
    fn enter(&mut self) -> Result<()> {
        let segment = &self.log.segments[self.at];
        let file = self.log.file(&segment.name)?;
        if segment.sealed {
            let (header, index) = SealedIndex::open(&*file, &segment.name, segment.first.0)?;
            let next_block = index.block_of(self.from);
            self.next = index.blocks[next_block].first;
            self.source = Source::Sealed {
                file,
                index,
                window: Window::default(),
                next_block,
                pos: header.pos,
            };
            return Ok(());
        }
        let Some(header) = SegmentHeader::read(&*file, &segment.name, false)? else {
            // It never reached the disk, so nothing in it did.
            self.source = Source::End;
            return Ok(());
        };
        let length = file
            .len()
            .map_err(Error::io(format!("read {}", segment.name)))?;
        self.source = Source::Raw {
            file,
            scanner: Scanner::new(SEGMENT_HEADER),
            length,
            pos: header.pos,
        };
        Ok(())
    }
}
