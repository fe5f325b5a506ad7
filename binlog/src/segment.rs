//! Segments: their names, their file header, the sparse index, and the catalog of all of them.
//!
//! ```text
//!  raw segment  <first offset, 20 digits>.log          sealed: <first offset>.zlog, see sealed.rs
//!  0                                   512
//!  +-----------------------------------+-------+-------+-- ... --+------------------+
//!  | magic, version, first offset,     | frame | frame |         | zeroes (reserved)|
//!  | pos, synced, ms, replication id   |       |       |         |                  |
//!  +-----------------------------------+-------+-------+-- ... --+------------------+
//! ```
//!
//! The header is one sector: a power cut leaves it whole or not at all. Files named `*.tmp` belong to
//! no one after a restart and are removed.

use crate::door::DoorFile;
use crate::error::{Error, Result};
use crate::frame::{le32, le64};
use crate::sealed::SealedIndex;
use crate::types::Offset;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a segment's header; frames begin behind it.
pub(crate) const SEGMENT_HEADER: u64 = 512;
/// A sparse index entry is made each time this many bytes were appended.
pub(crate) const INDEX_EVERY: u64 = 64 << 10;

const VERSION: u32 = 1;
const RAW_MAGIC: &[u8; 8] = b"BSLTLOG\n";
const SEALED_MAGIC: &[u8; 8] = b"BSLTZLG\n";

/// What a segment's first sector says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    pub(crate) first: u64,
    /// Position (headers counted) of its first frame.
    pub(crate) pos: u64,
    /// What was surely on disk when it was started.
    pub(crate) synced: u64,
    /// Time of its first frame.
    pub(crate) first_ms: u64,
    pub(crate) replication_id: [u8; 40],
}

impl SegmentHeader {
    pub(crate) fn encode(&self, sealed: bool) -> [u8; SEGMENT_HEADER as usize] {
        let mut b = [0u8; SEGMENT_HEADER as usize];
        b[..8].copy_from_slice(if sealed { SEALED_MAGIC } else { RAW_MAGIC });
        b[8..12].copy_from_slice(&VERSION.to_le_bytes());
        for (at, value) in [
            (16, self.first),
            (24, self.pos),
            (32, self.synced),
            (40, self.first_ms),
        ] {
            b[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        b[48..88].copy_from_slice(&self.replication_id);
        let crc = crc32fast::hash(&b[..508]);
        b[508..].copy_from_slice(&crc.to_le_bytes());
        b
    }

    /// Reads a header; `Ok(None)` if the sector is all zeroes or missing (it never reached the disk).
    pub(crate) fn read(
        file: &dyn DoorFile,
        name: &str,
        sealed: bool,
    ) -> Result<Option<SegmentHeader>> {
        let mut b = [0u8; SEGMENT_HEADER as usize];
        let got = file
            .read_at(&mut b, 0)
            .map_err(Error::io(format!("read {name}")))?;
        if b[..got].iter().all(|&x| x == 0) {
            return Ok(None);
        }
        let bad = |why: &str| {
            Err(Error::Format {
                file: name.to_owned(),
                why: why.to_owned(),
            })
        };
        if &b[..8] != if sealed { SEALED_MAGIC } else { RAW_MAGIC } {
            return bad("wrong magic");
        }
        if le32(&b, 508) != crc32fast::hash(&b[..508]) {
            return bad("the header's checksum does not match");
        }
        if le32(&b, 8) != VERSION {
            return bad("unknown format version");
        }
        let mut replication_id = [0u8; 40];
        replication_id.copy_from_slice(&b[48..88]);
        let header = SegmentHeader {
            first: le64(&b, 16),
            pos: le64(&b, 24),
            synced: le64(&b, 32),
            first_ms: le64(&b, 40),
            replication_id,
        };
        Ok(Some(header))
    }
}

/// Where a frame begins: one in every `INDEX_EVERY` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IndexEntry {
    pub(crate) offset: u64,
    pub(crate) file_pos: u64,
    pub(crate) unix_ms: u64,
}

/// The sparse index of a raw segment. May be empty (an old segment trusted at open): then a seek reads on
/// from the segment's start.
#[derive(Default)]
pub(crate) struct SparseIndex(Mutex<Vec<IndexEntry>>);

impl SparseIndex {
    /// Room for a segment of that capacity, so that `append` does not allocate.
    pub(crate) fn for_capacity(bytes: u64) -> SparseIndex {
        SparseIndex(Mutex::new(Vec::with_capacity(
            (bytes / INDEX_EVERY) as usize + 2,
        )))
    }

    pub(crate) fn push(&self, entry: IndexEntry) {
        self.0.lock().push(entry);
    }

    /// The last entry at or before `offset`.
    pub(crate) fn before(&self, offset: u64) -> Option<IndexEntry> {
        let entries = self.0.lock();
        entries
            .partition_point(|e| e.offset <= offset)
            .checked_sub(1)
            .map(|i| entries[i])
    }

    /// The last entry from before `unix_ms`.
    pub(crate) fn before_time(&self, unix_ms: u64) -> Option<IndexEntry> {
        let entries = self.0.lock();
        entries
            .partition_point(|e| e.unix_ms < unix_ms)
            .checked_sub(1)
            .map(|i| entries[i])
    }
}

/// One segment, of either kind. Readers keep it alive, and its file open, after it left the catalog.
pub(crate) struct Segment {
    pub(crate) header: SegmentHeader,
    pub(crate) name: String,
    pub(crate) file: Arc<dyn DoorFile>,
    pub(crate) body: Body,
}

/// What differs between a raw and a sealed segment.
pub(crate) enum Body {
    Raw {
        /// File bytes that may be read; always at a frame's end.
        written: AtomicU64,
        /// Offset behind the last frame once the segment is full, `u64::MAX` before.
        end: AtomicU64,
        index: Arc<SparseIndex>,
    },
    Sealed(SealedIndex),
}

impl Segment {
    pub(crate) fn raw(
        header: SegmentHeader,
        file: Arc<dyn DoorFile>,
        written: u64,
        end: u64,
        index: Arc<SparseIndex>,
    ) -> Segment {
        let body = Body::Raw {
            written: AtomicU64::new(written),
            end: AtomicU64::new(end),
            index,
        };
        Segment {
            name: raw_name(header.first),
            header,
            file,
            body,
        }
    }

    /// Offset behind its last frame, if it takes no more.
    pub(crate) fn end(&self) -> Option<u64> {
        match &self.body {
            Body::Raw { end, .. } => Some(end.load(Ordering::Acquire)).filter(|&e| e != u64::MAX),
            Body::Sealed(index) => Some(index.end),
        }
    }

    /// File bytes in use.
    pub(crate) fn disk_bytes(&self) -> u64 {
        match &self.body {
            Body::Raw { written, .. } => written.load(Ordering::Relaxed),
            Body::Sealed(index) => index.file_bytes,
        }
    }

    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self.body, Body::Sealed(_))
    }

    /// Tells readers how far the file goes now. Raw segments only.
    pub(crate) fn set_written(&self, bytes: u64) {
        let Body::Raw { written, .. } = &self.body else {
            unreachable!("a sealed segment is not written to")
        };
        written.store(bytes, Ordering::Release);
    }

    /// Tells readers that the next segment follows. Raw segments only.
    pub(crate) fn set_end(&self, offset: u64) {
        let Body::Raw { end, .. } = &self.body else {
            unreachable!("a sealed segment is not written to")
        };
        end.store(offset, Ordering::Release);
    }
}

/// File name of a raw segment.
pub(crate) fn raw_name(first: u64) -> String {
    format!("{first:020}.log")
}

/// File name of a sealed segment.
pub(crate) fn sealed_name(first: u64) -> String {
    format!("{first:020}.zlog")
}

/// First offset and kind by file name: `(first, sealed)`.
pub(crate) fn parse_name(name: &str) -> Option<(u64, bool)> {
    let (digits, extension) = name.split_once('.')?;
    let sealed = match extension {
        "log" => false,
        "zlog" => true,
        _ => return None,
    };
    (digits.len() == 20)
        .then(|| digits.parse().ok())
        .flatten()
        .map(|first| (first, sealed))
}

/// All segments in order; the last is the one being written.
pub(crate) type Catalog = Vec<Arc<Segment>>;

/// Index of the segment that holds (or will hold) `offset`.
pub(crate) fn find(catalog: &Catalog, offset: u64) -> Option<usize> {
    catalog
        .partition_point(|s| s.header.first <= offset)
        .checked_sub(1)
}

/// The first offset that can be read.
pub(crate) fn first_offset(catalog: &Catalog) -> Offset {
    Offset(
        catalog
            .first()
            .expect("a log has at least the segment being written")
            .header
            .first,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_strangers_are_ignored() {
        assert_eq!(parse_name(&raw_name(17)), Some((17, false)));
        assert_eq!(parse_name(&sealed_name(u64::MAX)), Some((u64::MAX, true)));
        for stranger in [
            "ring",
            "LOCK",
            "17.log",
            "00000000000000000017.tmp",
            "0000000000000000001x.log",
        ] {
            assert_eq!(parse_name(stranger), None, "{stranger}");
        }
    }
}
