//! Reading the log: frame by frame from an offset or a time, following the end.
//!
//! A reader sees everything appended, synced or not, and reads files only: at the end it asks the drain to bring
//! the newest frames into them. It holds its segment's file open, so sealing and retention never pull it
//! away; a reader that must not lose what lies *ahead* takes a `Hold` as well. Damage is an error with
//! the offset at which it begins, never skipped.

use crate::error::{Error, Result};
use crate::long::{LONG_BYTES, Long};
use crate::scan::{Front, Scanner, Step, Window};
use crate::sealed::Block;
use crate::segment::{Body, SEGMENT_HEADER, Segment, find, first_offset};
use crate::shared::Shared;
use crate::types::{FrameView, Offset};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A cursor over the frames of a log.
pub struct Reader {
    log: Arc<Shared>,
    segment: Arc<Segment>,
    source: Source,
    /// Offset of the next frame.
    next: u64,
    /// What `peek` found and nobody took yet: a frame is checked once, however often it is looked at.
    peeked: Option<Here>,
}

enum Source {
    Raw(Scanner),
    Sealed { window: Window, next_block: usize },
}

/// A frame in the reader's buffer, and where its payload lies there.
#[derive(Clone)]
pub(crate) struct Here {
    pub(crate) header: crate::frame::Header,
    pub(crate) payload: Range<usize>,
}

impl Reader {
    /// At the frame that holds `from` (or begins there, or will).
    pub(crate) fn at_offset(log: Arc<Shared>, from: Offset) -> Result<Reader> {
        let end = Offset(log.front.end.load(Ordering::Acquire));
        if from > end {
            return Err(Error::Beyond { asked: from, end });
        }
        // So that the segment that holds `from` is in the catalog.
        if log.drained.0.load(Ordering::Acquire) != log.front.pos.load(Ordering::Acquire) {
            log.drain()?;
        }
        let segment = {
            let catalog = log.catalog.read();
            let at = find(&catalog, from.0).ok_or_else(|| Error::Gone {
                asked: from,
                first: first_offset(&catalog),
            })?;
            catalog[at].clone()
        };
        let (source, next) = match &segment.body {
            Body::Raw { index, .. } => {
                let near = index.before(from.0).map(|e| (e.file_pos, e.offset));
                let (file_pos, offset) = near.unwrap_or((SEGMENT_HEADER, segment.header.first));
                (Source::Raw(Scanner::new(file_pos)), offset)
            }
            Body::Sealed(index) => {
                let block = index.block_of(from.0);
                (
                    Source::Sealed {
                        window: Window::default(),
                        next_block: block,
                    },
                    index.blocks[block].first,
                )
            }
        };
        let mut reader = Reader {
            log,
            segment,
            source,
            next,
            peeked: None,
        };
        loop {
            if let Some(long) = reader.long_front()? {
                if long.header.end() > from.0 {
                    break;
                }
                reader.skip_long(&long);
                continue;
            }
            match reader.peek()? {
                Some(here) if here.header.end() <= from.0 => reader.take(&here),
                _ => break,
            }
        }
        Ok(reader)
    }

    /// At the first frame that is not older than `unix_ms`; at the end if all are.
    ///
    /// Clocks may step back; the frame found is the first of those that no earlier index entry rules out.
    pub(crate) fn at_time(log: Arc<Shared>, unix_ms: u64) -> Result<Reader> {
        log.drain()?;
        let from = {
            let catalog = log.catalog.read();
            let at = catalog
                .partition_point(|s| s.header.first_ms < unix_ms)
                .saturating_sub(1);
            let segment = &catalog[at];
            let near = match &segment.body {
                Body::Raw { index, .. } => index.before_time(unix_ms).map(|e| e.offset),
                Body::Sealed(index) => index
                    .blocks
                    .get(index.block_before_time(unix_ms))
                    .map(|b| b.first),
            };
            near.unwrap_or(segment.header.first)
        };
        let mut reader = Reader::at_offset(log, Offset(from))?;
        while let Some(here) = reader.peek()? {
            if here.header.unix_ms >= unix_ms {
                break;
            }
            reader.take(&here);
        }
        Ok(reader)
    }

    /// The offset of the frame `next` will give.
    #[must_use]
    pub fn offset(&self) -> Offset {
        Offset(self.next)
    }

    /// The next frame, or `None` at the end of the log. (Not an `Iterator`: the frame borrows the reader.)
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<FrameView<'_>>> {
        let Some(here) = self.peek()? else {
            return Ok(None);
        };
        self.take(&here);
        Ok(Some(here.header.view(self.bytes(here.payload))))
    }

    /// Waits until there is something beyond the reader's position; false if the time is over first, or
    /// the log is closed.
    pub fn wait_for_more(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            if self.log.arm_appended() > self.next {
                return true;
            }
            let stopped = || self.log.stop.load(Ordering::Acquire);
            let more = || self.log.front.end.load(Ordering::Acquire) > self.next;
            if stopped()
                || !self
                    .log
                    .events
                    .wait_until(Some(deadline), || more() || stopped())
            {
                return more();
            }
        }
    }

    /// Shows the next frame without going past it.
    pub(crate) fn peek(&mut self) -> Result<Option<Here>> {
        if self.peeked.is_some() {
            return Ok(self.peeked.clone());
        }
        loop {
            // Whether the segment is full is asked before how far it goes: the other way round, frames
            // written in between would be taken for the next segment's.
            let full = self.segment.end();
            let found = match &self.segment.body {
                Body::Raw { written, .. } => self.peek_raw(written.load(Ordering::Acquire))?,
                Body::Sealed(_) => self.peek_sealed()?,
            };
            if found.is_some() {
                self.peeked.clone_from(&found);
                return Ok(found);
            }
            if let Some(end) = full {
                if self.next != end {
                    return Err(self.damaged("the segment ends too early"));
                }
                self.go_to_next_segment()?;
            } else if self.log.drained.0.load(Ordering::Acquire)
                == self.log.front.pos.load(Ordering::Acquire)
            {
                // Nothing undrained; unless the drain moved on since we looked, this is the end.
                if self.segment.end().is_none()
                    && self.next >= self.log.front.end.load(Ordering::Acquire)
                {
                    return Ok(None);
                }
            } else {
                self.log.drain()?;
            }
        }
    }

    pub(crate) fn take(&mut self, here: &Here) {
        self.peeked = None;
        match &mut self.source {
            Source::Raw(scanner) => scanner.take(&here.header),
            Source::Sealed { window, .. } => window.take(&here.header),
        }
        self.next = here.header.end();
    }

    /// The next frame, if it is a long one that was not peeked at.
    pub(crate) fn long_front(&mut self) -> Result<Option<Long>> {
        if self.peeked.is_some() {
            return Ok(None);
        }
        let read = |error| Error::io(format!("read {}", self.segment.name))(error);
        let found = match (&mut self.source, &self.segment.body) {
            (Source::Raw(scanner), Body::Raw { written, .. }) => {
                let limit = written.load(Ordering::Acquire);
                let front = scanner.long_front(&*self.segment.file, self.next, limit);
                let Some((header, file_pos)) = front.map_err(read)? else {
                    return Ok(None);
                };
                Long::in_raw(header, &self.segment, file_pos)
            }
            (Source::Sealed { window, next_block }, Body::Sealed(index)) => {
                let block = index.blocks.get(*next_block);
                let is_long = |block: &&Block| u64::from(block.raw_len) > LONG_BYTES;
                let Some(block) = block.filter(is_long).filter(|_| window.left() == 0) else {
                    return Ok(None);
                };
                Long::in_block(self.next, &self.segment, *block)
            }
            _ => unreachable!("the source fits the segment"),
        };
        match found.map_err(read)? {
            Some(long) => Ok(Some(long)),
            None => Err(self.damaged("the frame's checksum does not match")),
        }
    }

    /// Goes past a frame that was read in pieces.
    pub(crate) fn skip_long(&mut self, long: &Long) {
        match (&mut self.source, long.file_end()) {
            (Source::Sealed { next_block, .. }, None) => *next_block += 1,
            (source, Some(end)) => *source = Source::Raw(Scanner::new(end)),
            _ => unreachable!("the frame came from this source"),
        }
        self.next = long.header.end();
    }

    /// Bytes of the frame last peeked at or taken.
    pub(crate) fn bytes(&self, payload: Range<usize>) -> &[u8] {
        match &self.source {
            Source::Raw(scanner) => scanner.window.bytes(payload),
            Source::Sealed { window, .. } => window.bytes(payload),
        }
    }

    fn peek_raw(&mut self, limit: u64) -> Result<Option<Here>> {
        let Source::Raw(scanner) = &mut self.source else {
            unreachable!("the source fits the segment")
        };
        let step = scanner.step(&*self.segment.file, self.next, limit);
        match step.map_err(Error::io(format!("read {}", self.segment.name)))? {
            Step::Frame(header, payload) => Ok(Some(Here { header, payload })),
            Step::End => Ok(None),
            Step::Bad(why) => Err(self.damaged(why)),
        }
    }

    fn peek_sealed(&mut self) -> Result<Option<Here>> {
        let Body::Sealed(index) = &self.segment.body else {
            unreachable!("the source fits the segment")
        };
        let Source::Sealed { window, next_block } = &mut self.source else {
            unreachable!("the source fits the segment")
        };
        if window.left() == 0 {
            let block = *next_block;
            if block == index.blocks.len() {
                return Ok(None);
            }
            window
                .replace(|out| index.load(block, &*self.segment.file, &self.segment.name, out))?;
            *next_block += 1;
        }
        match window.front(self.next) {
            Front::Frame(header, payload) => Ok(Some(Here { header, payload })),
            Front::Need(_) => Err(self.damaged("a block ends inside a frame")),
            Front::Bad(why) => Err(self.damaged(why)),
        }
    }

    fn go_to_next_segment(&mut self) -> Result<()> {
        let catalog = self.log.catalog.read();
        let found = find(&catalog, self.next).map(|at| catalog[at].clone());
        let Some(segment) = found.filter(|s| s.header.first == self.next) else {
            return Err(Error::Gone {
                asked: Offset(self.next),
                first: first_offset(&catalog),
            });
        };
        drop(catalog);
        self.source = match &segment.body {
            Body::Raw { .. } => Source::Raw(Scanner::new(SEGMENT_HEADER)),
            Body::Sealed(_) => Source::Sealed {
                window: Window::default(),
                next_block: 0,
            },
        };
        self.segment = segment;
        Ok(())
    }

    fn damaged(&self, why: &str) -> Error {
        Error::Damaged {
            offset: Offset(self.next),
            file: self.segment.name.clone(),
            why: why.to_owned(),
        }
    }

    pub(crate) fn log(&self) -> &Arc<Shared> {
        &self.log
    }
}

impl Shared {
    /// Asks to be told of the next append (`LogEvent::Appended`), once; returns the end as it is now.
    ///
    /// Taking the append lock makes this exact: an append is either before, and in the returned end, or
    /// after, and sees the flag.
    pub(crate) fn arm_appended(&self) -> u64 {
        let tail = self.front.tail.lock();
        self.events.armed.store(true, Ordering::Relaxed);
        self.front.end_of(&tail)
    }
}
