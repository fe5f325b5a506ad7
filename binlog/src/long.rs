//! A frame that is too long to be held in memory: checked and read in pieces.
//!
//! Its checksum covers all of it, so it is read twice: once to be judged, once to be given out. The second time it
//! comes from the page cache, unless it is larger than that. In a sealed segment it fills a block of its own, which is
//! unpacked in pieces, each time from its beginning.

use crate::frame::{HEADER_BYTES, Header};
use crate::sealed::{Block, Unpacker};
use crate::segment::Segment;
use std::io;
use std::sync::Arc;

/// Frames above this are read in pieces by who can do with pieces.
pub(crate) const LONG_BYTES: u64 = 1 << 20;
pub(crate) const PIECE_BYTES: usize = 128 << 10;

/// A frame in the file of a segment.
pub(crate) struct Long {
    pub(crate) header: Header,
    segment: Arc<Segment>,
    place: Place,
}

enum Place {
    /// As it is, from here on in the file.
    Raw(u64),
    /// Alone in a block.
    Packed {
        block: Block,
        open: Option<Unpacker>,
    },
}

impl Long {
    /// The frame with this header at `file_pos` of a raw segment; none if it is damaged.
    pub(crate) fn in_raw(
        header: Header,
        segment: &Arc<Segment>,
        file_pos: u64,
    ) -> io::Result<Option<Long>> {
        let long = Long {
            header,
            segment: Arc::clone(segment),
            place: Place::Raw(file_pos),
        };
        long.checked()
    }

    /// The frame at `offset` that fills this block of a sealed segment; none if it is damaged.
    pub(crate) fn in_block(
        offset: u64,
        segment: &Arc<Segment>,
        block: Block,
    ) -> io::Result<Option<Long>> {
        let mut open = Unpacker::new(segment, &block)?;
        let mut first = Vec::new();
        open.read(&mut first, HEADER_BYTES)?;
        let is_it = |h: &Header| h.offset == offset && h.total() == u64::from(block.raw_len);
        let Some(header) = Header::peek(&first).filter(is_it) else {
            return Ok(None);
        };
        let long = Long {
            header,
            segment: Arc::clone(segment),
            place: Place::Packed {
                block,
                open: Some(open),
            },
        };
        long.checked()
    }

    fn checked(mut self) -> io::Result<Option<Long>> {
        let mut crc = crc32fast::Hasher::new();
        let mut piece = Vec::new();
        let mut at = 0;
        while at < u64::from(self.header.len) {
            piece.clear();
            let read = match self.read(at, &mut piece, PIECE_BYTES) {
                Ok(0) => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::InvalidData => return Ok(None),
                read => read?,
            };
            crc.update(&piece);
            at += read as u64;
        }
        Ok(self.header.crc_fits(crc).then_some(self))
    }

    /// Adds payload from `at` on to `out`, `max` bytes at most; returns how many. Meant to be read on and on; going back
    /// is dear in a sealed segment.
    pub(crate) fn read(&mut self, at: u64, out: &mut Vec<u8>, max: usize) -> io::Result<usize> {
        let left = u64::from(self.header.len) - at;
        let max = left.min(max as u64) as usize;
        let in_frame = HEADER_BYTES as u64 + at;
        match &mut self.place {
            Place::Raw(file_pos) => read_raw(&self.segment, *file_pos + in_frame, out, max),
            Place::Packed { block, open } => {
                let reached = open.take().filter(|open| open.at() <= in_frame);
                let open = open.insert(match reached {
                    Some(open) => open,
                    None => Unpacker::new(&self.segment, block)?,
                });
                open.skip_to(in_frame)?;
                open.read(out, max)
            }
        }
    }

    /// Adds the frame's header as it lies in the raw segment to `out`.
    pub(crate) fn read_header(&self, out: &mut Vec<u8>) -> io::Result<usize> {
        match self.place {
            Place::Raw(file_pos) => read_raw(&self.segment, file_pos, out, HEADER_BYTES),
            Place::Packed { .. } => unreachable!("only raw segments are sealed"),
        }
    }

    /// Where the frame behind it begins in the file; none if it fills a block.
    pub(crate) fn file_end(&self) -> Option<u64> {
        match self.place {
            Place::Raw(file_pos) => Some(file_pos + self.header.total()),
            Place::Packed { .. } => None,
        }
    }
}

fn read_raw(segment: &Segment, from: u64, out: &mut Vec<u8>, max: usize) -> io::Result<usize> {
    let had = out.len();
    out.resize(had + max, 0);
    let read = segment.file.read_at(&mut out[had..], from);
    out.truncate(had + *read.as_ref().unwrap_or(&0));
    read
}
