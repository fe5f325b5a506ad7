//! The file of a sealed segment: the same frames, in zstd blocks, with an index.
//!
//! ```text
//!  0       512                                      index                    footer (64 bytes)
//!  +-------+---------+---------+-- ... --+---------+------------------------+----------------------+
//!  | header| block 0 | block 1 |         | block n | 40 bytes for each block| where, how many, crcs|
//!  +-------+---------+---------+-- ... --+---------+------------------------+----------------------+
//!  index entry: first offset u64, file position u64, first unix ms u64, packed bytes u32, raw bytes u32,
//!               crc32 of the packed bytes u32, 0 u32
//!  footer: index position u64, entries u32, index crc32 u32, end offset u64, last unix ms u64,
//!          raw bytes u64, magic 8 bytes, 12 zero bytes, crc32 of all that u32
//! ```
//!
//! A block is whole frames (about 256 KiB, or one larger frame), compressed by itself: a seek reads one
//! block. A long frame goes into its block and comes out of it in pieces. A sealed file is complete before it gets
//! its name, so it is either whole or damaged, never torn.

use crate::door::DoorFile;
use crate::error::{Error, Result};
use crate::frame::{HEADER_BYTES, Header, MAX_PAYLOAD, le32, le64};
use crate::long::{Long, PIECE_BYTES};
use crate::segment::{SEGMENT_HEADER, Segment, SegmentHeader};
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Raw bytes gathered before a block is closed.
pub(crate) const BLOCK_BYTES: usize = 256 << 10;
const ENTRY_BYTES: usize = 40;
const FOOTER_BYTES: usize = 64;
const FOOTER_MAGIC: &[u8; 8] = b"BSLTZEND";
/// Most raw bytes in a block: the largest frame fills one by itself.
const MAX_BLOCK_BYTES: u64 = MAX_PAYLOAD + HEADER_BYTES as u64;
/// Fastest level: the log is written far more often than it is read.
const LEVEL: i32 = 1;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) first: u64,
    pub(crate) file_pos: u64,
    pub(crate) first_ms: u64,
    pub(crate) packed_len: u32,
    pub(crate) raw_len: u32,
    pub(crate) crc: u32,
}

/// The index of a sealed segment, in memory.
#[derive(Debug)]
pub(crate) struct SealedIndex {
    pub(crate) blocks: Vec<Block>,
    pub(crate) end: u64,
    pub(crate) file_bytes: u64,
    pub(crate) raw_bytes: u64,
}

impl SealedIndex {
    /// The block that holds `offset`.
    pub(crate) fn block_of(&self, offset: u64) -> usize {
        self.blocks
            .partition_point(|b| b.first <= offset)
            .saturating_sub(1)
    }

    /// The last block that begins before `unix_ms`.
    pub(crate) fn block_before_time(&self, unix_ms: u64) -> usize {
        self.blocks
            .partition_point(|b| b.first_ms < unix_ms)
            .saturating_sub(1)
    }

    /// Decompresses block `i` into `out`.
    pub(crate) fn load(
        &self,
        i: usize,
        file: &dyn DoorFile,
        name: &str,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let block = &self.blocks[i];
        let mut packed = vec![0u8; block.packed_len as usize];
        let got = file
            .read_at(&mut packed, block.file_pos)
            .map_err(Error::io(format!("read {name}")))?;
        if got < packed.len() || crc32fast::hash(&packed) != block.crc {
            return Err(damaged(
                block.first,
                name,
                "the block's checksum does not match",
            ));
        }
        out.resize(block.raw_len as usize, 0);
        match zstd::bulk::decompress_to_buffer(&packed, &mut out[..]) {
            Ok(n) if n == out.len() => Ok(()),
            _ => Err(damaged(
                block.first,
                name,
                "the block cannot be decompressed",
            )),
        }
    }

    /// Reads header and index of a sealed file.
    pub(crate) fn open(
        file: &dyn DoorFile,
        name: &str,
        first: u64,
    ) -> Result<(SegmentHeader, SealedIndex)> {
        let header = SegmentHeader::read(file, name, true)?
            .filter(|h| h.first == first)
            .ok_or_else(|| damaged(first, name, "the header is missing or of another segment"))?;
        let file_bytes = file.len().map_err(Error::io(format!("read {name}")))?;
        let bad = |why| damaged(first, name, why);
        let footer_at = file_bytes
            .checked_sub(FOOTER_BYTES as u64)
            .ok_or_else(|| bad("the file is cut short"))?;
        let read = |buf: &mut [u8], at: u64| match file.read_at(buf, at) {
            Ok(n) if n == buf.len() => Ok(()),
            Ok(_) => Err(bad("the file is cut short")),
            Err(e) => Err(Error::io(format!("read {name}"))(e)),
        };
        let mut footer = [0u8; FOOTER_BYTES];
        read(&mut footer, footer_at)?;
        if &footer[40..48] != FOOTER_MAGIC || le32(&footer, 60) != crc32fast::hash(&footer[..60]) {
            return Err(bad("the footer's checksum does not match"));
        }
        let (index_at, entries) = (le64(&footer, 0), le32(&footer, 8) as usize);
        if index_at.checked_add((entries * ENTRY_BYTES) as u64) != Some(footer_at) || entries == 0 {
            return Err(bad("the index is not where the footer says"));
        }
        let mut bytes = vec![0u8; entries * ENTRY_BYTES];
        read(&mut bytes, index_at)?;
        if crc32fast::hash(&bytes) != le32(&footer, 12) {
            return Err(bad("the index's checksum does not match"));
        }
        let blocks = bytes.chunks_exact(ENTRY_BYTES).map(Block::decode).collect();
        let index = SealedIndex {
            blocks,
            end: le64(&footer, 16),
            file_bytes,
            raw_bytes: le64(&footer, 32),
        };
        if index.makes_sense(header.first, index_at) {
            Ok((header, index))
        } else {
            Err(bad("the index contradicts itself"))
        }
    }

    /// Whether the blocks lie back to back, hold rising offsets, and add up. A checksum only says that the index is
    /// as it was written; this keeps what it says from leading anyone astray or asking for absurd memory.
    fn makes_sense(&self, first: u64, index_at: u64) -> bool {
        let (mut offset, mut file_pos, mut raw_bytes) = (first, SEGMENT_HEADER, 0);
        for (i, block) in self.blocks.iter().enumerate() {
            let rises = if i == 0 {
                block.first == offset
            } else {
                block.first > offset
            };
            let len = u64::from(block.raw_len);
            if !rises || block.file_pos != file_pos || len > MAX_BLOCK_BYTES {
                return false;
            }
            offset = block.first;
            file_pos += u64::from(block.packed_len);
            raw_bytes += len;
        }
        // Each offset is a byte of payload, and each frame has a header.
        let spans = self.end.checked_sub(first);
        file_pos == index_at
            && raw_bytes == self.raw_bytes
            && self.end > offset
            && spans.is_some_and(|span| span < raw_bytes)
    }
}

impl Block {
    fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut b = [0u8; ENTRY_BYTES];
        for (at, value) in [(0, self.first), (8, self.file_pos), (16, self.first_ms)] {
            b[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        for (at, value) in [(24, self.packed_len), (28, self.raw_len), (32, self.crc)] {
            b[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        b
    }

    fn decode(b: &[u8]) -> Block {
        Block {
            first: le64(b, 0),
            file_pos: le64(b, 8),
            first_ms: le64(b, 16),
            packed_len: le32(b, 24),
            raw_len: le32(b, 28),
            crc: le32(b, 32),
        }
    }
}

/// Writes a sealed file, frame by frame.
pub(crate) struct SealedWriter<'a> {
    file: &'a dyn DoorFile,
    name: &'a str,
    at: u64,
    blocks: Vec<Block>,
    raw: Vec<u8>,
    /// First offset and time of the block being gathered.
    first: (u64, u64),
    packer: zstd::bulk::Compressor<'static>,
    raw_bytes: u64,
    last_ms: u64,
}

impl<'a> SealedWriter<'a> {
    pub(crate) fn new(
        file: &'a dyn DoorFile,
        name: &'a str,
        header: &SegmentHeader,
    ) -> Result<SealedWriter<'a>> {
        file.write_at(&header.encode(true), 0)
            .map_err(Error::io(format!("write {name}")))?;
        let packer = zstd::bulk::Compressor::new(LEVEL).map_err(Error::io("set up zstd"))?;
        let (blocks, raw) = (Vec::new(), Vec::with_capacity(BLOCK_BYTES));
        Ok(SealedWriter {
            file,
            name,
            at: SEGMENT_HEADER,
            blocks,
            raw,
            first: (0, 0),
            packer,
            raw_bytes: 0,
            last_ms: 0,
        })
    }

    /// Adds a frame; its bytes are header and payload as they lie in the raw segment.
    pub(crate) fn add(&mut self, header: &Header, frame: &[u8]) -> Result<()> {
        if !self.raw.is_empty() && self.raw.len() + frame.len() > BLOCK_BYTES {
            self.close_block()?;
        }
        if self.raw.is_empty() {
            self.first = (header.offset, header.unix_ms);
        }
        self.raw.extend_from_slice(frame);
        self.last_ms = header.unix_ms;
        Ok(())
    }

    /// Adds a frame that is too long to be held in memory, as a block of its own.
    pub(crate) fn add_long(&mut self, long: &mut Long) -> Result<()> {
        if !self.raw.is_empty() {
            self.close_block()?;
        }
        let packed = self
            .pack(long)
            .map_err(Error::io(format!("compress into {}", self.name)))?;
        self.blocks.push(Block {
            first: long.header.offset,
            first_ms: long.header.unix_ms,
            file_pos: self.at,
            packed_len: u32::try_from(packed.len).map_err(|_| {
                let beyond = io::Error::other("a block of more than 4 GiB");
                Error::io(format!("compress into {}", self.name))(beyond)
            })?,
            raw_len: long.header.total() as u32,
            crc: packed.crc.finalize(),
        });
        self.at += packed.len;
        self.raw_bytes += long.header.total();
        self.last_ms = long.header.unix_ms;
        Ok(())
    }

    fn pack(&self, long: &mut Long) -> io::Result<PackedSection<'a>> {
        let section = PackedSection {
            file: self.file,
            at: self.at,
            len: 0,
            crc: crc32fast::Hasher::new(),
        };
        let mut encoder = zstd::stream::write::Encoder::new(section, LEVEL)?;
        encoder.set_pledged_src_size(Some(long.header.total()))?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        long.read_header(&mut piece)?;
        encoder.write_all(&piece)?;
        let mut at = 0;
        while at < u64::from(long.header.len) {
            piece.clear();
            let read = long.read(at, &mut piece, PIECE_BYTES)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            encoder.write_all(&piece)?;
            at += read as u64;
        }
        encoder.finish()
    }

    fn close_block(&mut self) -> Result<()> {
        let packed = self
            .packer
            .compress(&self.raw)
            .map_err(Error::io(format!("compress {}", self.name)))?;
        self.file
            .write_at(&packed, self.at)
            .map_err(Error::io(format!("write {}", self.name)))?;
        self.blocks.push(Block {
            first: self.first.0,
            first_ms: self.first.1,
            file_pos: self.at,
            packed_len: packed.len() as u32,
            raw_len: self.raw.len() as u32,
            crc: crc32fast::hash(&packed),
        });
        self.at += packed.len() as u64;
        self.raw_bytes += self.raw.len() as u64;
        self.raw.clear();
        self.raw.shrink_to(BLOCK_BYTES);
        Ok(())
    }

    /// Writes index and footer and makes the file durable.
    pub(crate) fn finish(mut self, end: u64) -> Result<SealedIndex> {
        if !self.raw.is_empty() {
            self.close_block()?;
        }
        assert!(
            !self.blocks.is_empty(),
            "a segment without frames is never sealed"
        );
        let mut bytes: Vec<u8> = self.blocks.iter().flat_map(Block::encode).collect();
        let mut footer = [0u8; FOOTER_BYTES];
        footer[0..8].copy_from_slice(&self.at.to_le_bytes());
        footer[8..12].copy_from_slice(&(self.blocks.len() as u32).to_le_bytes());
        footer[12..16].copy_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        footer[16..24].copy_from_slice(&end.to_le_bytes());
        footer[24..32].copy_from_slice(&self.last_ms.to_le_bytes());
        footer[32..40].copy_from_slice(&self.raw_bytes.to_le_bytes());
        footer[40..48].copy_from_slice(FOOTER_MAGIC);
        let crc = crc32fast::hash(&footer[..60]);
        footer[60..].copy_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(&footer);
        let written = self
            .file
            .write_at(&bytes, self.at)
            .and_then(|()| self.file.sync_data());
        written.map_err(Error::io(format!("write {}", self.name)))?;
        let file_bytes = self.at + bytes.len() as u64;
        Ok(SealedIndex {
            blocks: self.blocks,
            end,
            file_bytes,
            raw_bytes: self.raw_bytes,
        })
    }
}

/// The place of a block in the file that is being written.
struct PackedSection<'a> {
    file: &'a dyn DoorFile,
    at: u64,
    len: u64,
    crc: crc32fast::Hasher,
}

impl Write for PackedSection<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.at + self.len)?;
        self.crc.update(bytes);
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks a block from its beginning, in pieces. Whether the block is as it was written is not asked: the frame has a
/// checksum of its own.
pub(crate) struct Unpacker {
    decoder: zstd::stream::read::Decoder<'static, io::BufReader<BlockSection>>,
    at: u64,
}

/// The packed bytes of a block.
struct BlockSection {
    segment: Arc<Segment>,
    at: u64,
    left: u64,
}

impl Read for BlockSection {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let max = self.left.min(out.len() as u64) as usize;
        let read = self.segment.file.read_at(&mut out[..max], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

impl Unpacker {
    pub(crate) fn new(segment: &Arc<Segment>, block: &Block) -> io::Result<Unpacker> {
        let section = BlockSection {
            segment: Arc::clone(segment),
            at: block.file_pos,
            left: u64::from(block.packed_len),
        };
        let packed = io::BufReader::with_capacity(PIECE_BYTES, section);
        let decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
        Ok(Unpacker {
            decoder: decoder.single_frame(),
            at: 0,
        })
    }

    /// How much has been unpacked.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Adds `max` bytes to `out`, fewer only where the block ends; returns how many. Packed bytes that make no sense are
    /// `InvalidData`, what the system refuses keeps its kind.
    pub(crate) fn read(&mut self, out: &mut Vec<u8>, max: usize) -> io::Result<usize> {
        let read = (&mut self.decoder)
            .take(max as u64)
            .read_to_end(out)
            .map_err(|e| match e.raw_os_error() {
                Some(_) => e,
                None => io::Error::new(io::ErrorKind::InvalidData, e),
            })?;
        self.at += read as u64;
        Ok(read)
    }

    /// Goes on to `at`, or to the end.
    pub(crate) fn skip_to(&mut self, at: u64) -> io::Result<()> {
        let mut piece = Vec::new();
        while self.at < at {
            let max = (at - self.at).min(PIECE_BYTES as u64) as usize;
            piece.clear();
            if self.read(&mut piece, max)? == 0 {
                break;
            }
        }
        Ok(())
    }
}

fn damaged(first: u64, name: &str, why: &str) -> Error {
    Error::Damaged {
        offset: crate::types::Offset(first),
        file: name.to_owned(),
        why: why.to_owned(),
    }
}
