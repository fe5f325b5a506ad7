//! The mapped ring between `append` and the segment files.
//!
//! ```text
//!  file `ring`:  0        64              128                 4096                      4096 + size
//!                +--------+---------------+-------------------+-------------------------+
//!                | magic  | synced, !it   | clean end, !it    | frames, at pos mod size |
//!                +--------+---------------+-------------------+-------------------------+
//! ```
//!
//! A frame is in the kernel as soon as it is copied in here, so it survives `kill -9` before any system call;
//! its pages are faulted in once and stay cache-hot. Positions (`pos`) count every byte of every frame ever
//! appended, headers included; a segment's header stores the `pos` of its first frame, so recovery knows
//! where in the ring the file's continuation would lie.
//!
//! Invariants: only the holder of the append lock writes, and only to `[pos, drained + size)`; only the holder
//! of the drain lock reads, and only `[drained, pos)`. The two ranges never overlap.

use crate::door::{Door, DoorFile, Mapping};
use crate::error::{Error, Result};
use crate::frame::{HEADER_BYTES, Header, le64, parse};
use std::path::Path;

const MAGIC: &[u8; 8] = b"BSLTRNG1";
const PREFACE: usize = 4096;
const SYNCED_AT: usize = 64;
const CLEAN_AT: usize = 128;
const CACHE_LINE: u64 = 64;
/// How far behind the end `claim_ahead` works: some small frames, so that there is time until they are written. (Of 128,
/// 512, 1024 and 2048 bytes, 512 was best.)
const CLAIM_AHEAD: u64 = 512;
/// Of a long frame no more than this: the processor notices itself that much is written in a row.
const CLAIM_MOST: u64 = 1024;

/// Name of the ring's file in the log's directory.
pub(crate) const RING_NAME: &str = "ring";

/// The live ring.
pub(crate) struct Ring {
    map: Box<dyn Mapping>,
    size: u64,
}

impl Ring {
    /// Makes a fresh ring file under a temporary name; `publish` puts it in place.
    pub(crate) fn create(door: &dyn Door, dir: &Path, ring_bytes: u64) -> Result<Ring> {
        let size = ring_bytes.clamp(8 << 10, 1 << 30).next_power_of_two();
        let path = dir.join("ring.tmp");
        let err = || format!("create {}", path.display());
        let file = door.open(&path, true).map_err(Error::io(err()))?;
        file.preallocate(PREFACE as u64 + size)
            .map_err(Error::io(err()))?;
        let mut head = [0u8; 24];
        head[..8].copy_from_slice(MAGIC);
        head[8..16].copy_from_slice(&size.to_le_bytes());
        file.write_at(&head, 0).map_err(Error::io(err()))?;
        let map = file
            .map(PREFACE + size as usize)
            .map_err(Error::io(err()))?;
        assert_eq!(
            map.len(),
            PREFACE + size as usize,
            "the door mapped what was asked"
        );
        // SAFETY: the mapping is `len` bytes long, new, and not shared yet. Touching every page now keeps
        // the page faults out of `append`.
        unsafe { map.as_ptr().add(PREFACE).write_bytes(0, size as usize) };
        map.sync().map_err(Error::io(err()))?;
        Ok(Ring { map, size })
    }

    /// Replaces the previous ring: from here on, this one is what recovery finds.
    pub(crate) fn publish(&self, door: &dyn Door, dir: &Path) -> Result<()> {
        door.rename(&dir.join("ring.tmp"), &dir.join(RING_NAME))
            .map_err(Error::io("rename the ring"))?;
        door.sync_dir(dir)
            .map_err(Error::io("sync the binlog directory"))
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Copies `bytes` in at `pos`. The caller holds the append lock and has checked that
    /// `pos + bytes.len() <= drained + size`.
    #[inline]
    pub(crate) fn copy_in(&self, pos: u64, bytes: &[u8]) {
        debug_assert!(bytes.len() as u64 <= self.size);
        let at = (pos & (self.size - 1)) as usize;
        let first = bytes.len().min(self.size as usize - at);
        // SAFETY: `at + first <= size` and the rest (shorter than `at`) starts at the front, so both copies
        // stay in the mapping. The range is outside `[drained, pos)`, so no one reads it, and the append
        // lock makes us the only writer.
        unsafe {
            let data = self.map.as_ptr().add(PREFACE);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), data.add(at), first);
            if first < bytes.len() {
                std::ptr::copy_nonoverlapping(bytes.as_ptr().add(first), data, bytes.len() - first);
            }
        }
    }

    /// Has the processor fetch cache lines for writing that frames will lie on soon, as many as a frame of `len` bytes
    /// takes up, some way behind the end `pos`. Each was read by the writer on another core since it was written last;
    /// giving up the append lock waits until what was copied in is in the cache (at full load this took 80 of the 110 ns
    /// an append cost).
    #[inline]
    pub(crate) fn claim_ahead(&self, pos: u64, len: u64) {
        let from = (pos + CLAIM_AHEAD) & !(CACHE_LINE - 1);
        let to = pos + CLAIM_AHEAD + len.min(CLAIM_MOST);
        for line in (from..to).step_by(CACHE_LINE as usize) {
            let at = (line & (self.size - 1)) as usize;
            // SAFETY: `at` is below the ring's size, so the address is in the mapping.
            claim(unsafe { self.map.as_ptr().add(PREFACE + at) });
        }
    }

    /// The bytes `[from, to)` as one or two runs. The caller holds the drain lock and has loaded `to` from the
    /// published position, so the range is complete and stays untouched until `drained` moves.
    pub(crate) fn runs(&self, from: u64, to: u64) -> (&[u8], &[u8]) {
        let len = (to - from) as usize;
        assert!(
            len as u64 <= self.size,
            "the ring never holds more than its size"
        );
        let at = (from & (self.size - 1)) as usize;
        let first = len.min(self.size as usize - at);
        // SAFETY: both runs lie in the mapping, and no one writes to `[drained, pos)`, see above.
        unsafe {
            let data = self.map.as_ptr().add(PREFACE).cast_const();
            (
                std::slice::from_raw_parts(data.add(at), first),
                std::slice::from_raw_parts(data, len - first),
            )
        }
    }

    /// Notes what is on disk. After `kill -9` recovery knows it exactly, after a power cut a lower bound.
    pub(crate) fn note_synced(&self, offset: u64) {
        self.note(SYNCED_AT, offset);
    }

    /// Notes a clean end, durably.
    pub(crate) fn note_clean(&self, end: u64) -> std::io::Result<()> {
        self.note(CLEAN_AT, end);
        self.map.sync()
    }

    fn note(&self, at: usize, value: u64) {
        let mut both = [0u8; 16];
        both[..8].copy_from_slice(&value.to_le_bytes());
        both[8..].copy_from_slice(&(!value).to_le_bytes());
        // SAFETY: inside the preface, which nothing reads in this process and only the holder of the sync
        // lock (or a log being opened or closed) writes. A death in between leaves a mismatch, which
        // recovery takes for "not noted".
        unsafe {
            std::ptr::copy_nonoverlapping(both.as_ptr(), self.map.as_ptr().add(at), both.len())
        };
    }
}

/// Fetches a cache line for writing.
#[inline]
fn claim(line: *const u8) {
    // Not `_mm_prefetch`: without a compiler flag for newer processors it fetches for reading.
    // SAFETY: a hint; it changes neither memory nor registers, and does nothing on a processor that does not know it.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// The ring a previous run left, as recovery reads it.
pub(crate) struct OldRing {
    bytes: Vec<u8>,
    /// Everything before was on disk, for sure.
    pub(crate) synced: u64,
    /// Where the log ended when it was closed cleanly.
    pub(crate) clean_end: Option<u64>,
}

impl OldRing {
    /// Loads it; `None` if there is none or it is not readable as one (then it holds nothing we can use).
    pub(crate) fn load(door: &dyn Door, dir: &Path) -> Result<Option<OldRing>> {
        let file = match door.open(&dir.join(RING_NAME), false) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("open the ring")(e)),
        };
        read_ring(&*file).map_err(Error::io("read the ring"))
    }

    /// The frames that continue the log at `pos` and `offset`, in order, until the first that does not.
    pub(crate) fn frames_from(&self, mut pos: u64, mut offset: u64) -> Vec<(Header, Vec<u8>)> {
        let mut frames = Vec::new();
        let size = self.bytes.len() as u64;
        let mut left = size;
        while left > HEADER_BYTES as u64 {
            let Some(header) = Header::peek(&self.copy_out(pos, HEADER_BYTES)) else {
                break;
            };
            if header.offset != offset || header.total() > left {
                break;
            }
            let bytes = self.copy_out(pos, header.total() as usize);
            let Some((header, payload)) = parse(&bytes) else {
                break;
            };
            frames.push((header, payload.to_vec()));
            pos += header.total();
            left -= header.total();
            offset = header.end();
        }
        frames
    }

    fn copy_out(&self, pos: u64, len: usize) -> Vec<u8> {
        let at = (pos & (self.bytes.len() as u64 - 1)) as usize;
        let first = len.min(self.bytes.len() - at);
        let mut out = self.bytes[at..at + first].to_vec();
        out.extend_from_slice(&self.bytes[..len - first]);
        out
    }
}

fn read_ring(file: &dyn DoorFile) -> std::io::Result<Option<OldRing>> {
    let mut preface = [0u8; PREFACE];
    if file.read_at(&mut preface, 0)? < PREFACE || &preface[..8] != MAGIC {
        return Ok(None);
    }
    let size = le64(&preface, 8);
    if !size.is_power_of_two() || size > 1 << 30 {
        return Ok(None);
    }
    let mut bytes = vec![0u8; size as usize];
    if file.read_at(&mut bytes, PREFACE as u64)? < bytes.len() {
        return Ok(None);
    }
    let noted = |at: usize| {
        let value = le64(&preface, at);
        (le64(&preface, at + 8) == !value).then_some(value)
    };
    Ok(Some(OldRing {
        bytes,
        synced: noted(SYNCED_AT).unwrap_or(0),
        clean_end: noted(CLEAN_AT),
    }))
}
