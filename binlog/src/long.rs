//! A frame that is too long to be held in memory: checked and read in pieces.
//!
//! Its checksum covers all of it, so it is read twice: once to be judged, once to be given out. The second time it
//! comes from the page cache, unless it is larger than that.

use crate::frame::{HEADER_BYTES, Header};
use crate::segment::Segment;
use std::io;
use std::sync::Arc;

/// Frames above this are read in pieces by who can do with pieces.
pub(crate) const LONG_BYTES: u64 = 1 << 20;
const PIECE_BYTES: usize = 128 << 10;

/// A frame in the file of a segment.
pub(crate) struct Long {
    pub(crate) header: Header,
    segment: Arc<Segment>,
    file_pos: u64,
}

impl Long {
    /// The frame with this header at `file_pos`; none if it is damaged.
    pub(crate) fn checked(
        header: Header,
        segment: &Arc<Segment>,
        file_pos: u64,
    ) -> io::Result<Option<Long>> {
        let long = Long {
            header,
            segment: Arc::clone(segment),
            file_pos,
        };
        let mut crc = crc32fast::Hasher::new();
        let mut piece = Vec::new();
        let mut at = 0;
        while at < u64::from(header.len) {
            piece.clear();
            let read = long.read(at, &mut piece, PIECE_BYTES)?;
            if read == 0 {
                return Ok(None);
            }
            crc.update(&piece);
            at += read as u64;
        }
        Ok(header.crc_fits(crc).then_some(long))
    }

    /// Adds payload from `at` on to `out`, `max` bytes at most; returns how many.
    pub(crate) fn read(&self, at: u64, out: &mut Vec<u8>, max: usize) -> io::Result<usize> {
        let left = u64::from(self.header.len) - at;
        let (had, want) = (out.len(), left.min(max as u64) as usize);
        out.resize(had + want, 0);
        let from = self.file_pos + HEADER_BYTES as u64 + at;
        let read = self.segment.file.read_at(&mut out[had..], from);
        out.truncate(had + *read.as_ref().unwrap_or(&0));
        read
    }

    /// Where the frame behind it begins in the file.
    pub(crate) fn file_end(&self) -> u64 {
        self.file_pos + self.header.total()
    }
}
