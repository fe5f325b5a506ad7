//! Segments and the ring: recovery and readers on any files.
//!
//! ```text
//!   0      1        9           10
//!   +------+--------+-----------+--------------------+--------
//!   | mode | first  | n patches | n × (place, xor)   | frames
//!   +------+--------+-----------+--------------------+--------
//! ```
//!
//! The frames go into one segment or two, raw or sealed, and into a ring. The patches, 3 bytes each, change
//! bytes of the last segment file. Checksums keep a fuzzer out, so unless the mode forbids it they are made
//! right after the patches (docs/formats.md has the layout): what is behind them is to be tested, too.

use std::path::Path;
use std::sync::Arc;

use basalt_binlog::{Binlog, Door as _, Error, Frame, Offset, Options, SimDoor};

const DIR: &str = "log";
const SEGMENT_HEADER: usize = 512;
const FRAME_HEADER: usize = 40;
const ENTRY: usize = 40;
const FOOTER: usize = 64;
const PREFACE: usize = 4096;
const RING_BYTES: usize = 4096;

#[derive(Clone, Copy)]
struct Mode(u8);

impl Mode {
    fn sealed(self) -> bool {
        self.0 & 1 != 0
    }
    fn in_order(self) -> bool {
        self.0 & 2 == 0
    }
    fn mended(self) -> bool {
        self.0 & 4 == 0
    }
    fn two_files(self) -> bool {
        self.0 & 8 != 0
    }
    fn with_ring(self) -> bool {
        self.0 & 16 != 0
    }
    fn cut_damage(self) -> bool {
        self.0 & 32 != 0
    }
}

/// A log made of any bytes: opened, read, written to, opened again.
pub fn binlog(mut data: &[u8]) {
    let [mode] = crate::take(&mut data);
    let mode = Mode(mode);
    let first = u64::from_le_bytes(crate::take(&mut data));
    let [patches] = crate::take(&mut data);
    let patches: Vec<[u8; 3]> = (0..patches % 16).map(|_| crate::take(&mut data)).collect();
    let door = SimDoor::new(1);
    lay_out(&door, mode, first, &patches, data);
    let mut options = Options::new(DIR);
    options.segment_bytes = 8 << 10;
    options.ring_bytes = 8 << 10;
    options.background = false;
    options.cut_damage = mode.cut_damage();
    let Ok((log, report)) = Binlog::open(options.clone(), Arc::new(door.clone())) else {
        return;
    };
    assert!(report.first <= report.end);
    let Ok(before) = frames(&log) else { return };
    let frame = Frame::data(1, 2, 3);
    if report.end.0 < u64::MAX / 2 {
        let appended = log.append(&frame, &[b"*1\r\n$4\r\nPING\r\n"]);
        let appended = appended.expect("an opened log can be written to");
        log.sync_now().expect("the disk is fine");
        let after = frames(&log).expect("what could be read can be read");
        assert_eq!(after.len(), before.len() + 1, "one frame more");
        assert_eq!(after.last().map(|(_, end)| *end), Some(appended.end));
        log.reader_at_time(report.first.0).ok();
        log.close().expect("the disk is fine");
        drop(log);
        let again = Binlog::open(options, Arc::new(door)).and_then(|(log, _)| frames(&log));
        match again {
            Ok(again) => assert_eq!(again, after, "the same frames again"),
            // What is known to be on disk is not read again at a start, but found by what headers say.
            Err(error) => assert!(!patches.is_empty(), "it was closed cleanly: {error}"),
        }
    }
}

/// All frames, which must follow each other.
fn frames(log: &Binlog) -> Result<Vec<(Offset, Offset)>, Error> {
    let (mut all, mut at) = (Vec::new(), log.first());
    let mut reader = log.reader(at)?;
    while let Some(frame) = reader.next()? {
        assert_eq!(frame.start, at, "frames follow each other");
        assert_eq!(frame.start.plus(frame.payload.len() as u64), frame.end);
        at = frame.end;
        all.push((frame.start, frame.end));
    }
    assert_eq!(at, log.end(), "the reader stops at the end");
    Ok(all)
}

fn lay_out(door: &SimDoor, mode: Mode, first: u64, patches: &[[u8; 3]], data: &[u8]) {
    let ring_part = if mode.with_ring() { data.len() / 3 } else { 0 };
    let (bytes, ring_bytes) = data.split_at(data.len() - ring_part);
    let half = if mode.two_files() { bytes.len() / 2 } else { 0 };
    let (mut end, mut pos) = (first, 0);
    if half > 0 {
        let mut frames = bytes[..half].to_vec();
        let whole = mend_frames(&mut frames, &mut end, mode);
        frames.truncate(whole);
        write_segment(door, mode, first, 0, &mut frames, end, &[]);
        pos = whole as u64;
    }
    let (start, mut frames) = (end, bytes[half..].to_vec());
    mend_frames(&mut frames, &mut end, mode);
    write_segment(door, mode, start, pos, &mut frames, end, patches);
    if mode.with_ring() {
        let mut frames = ring_bytes.to_vec();
        mend_frames(&mut frames, &mut end, mode);
        write_ring(door, &frames, patches);
    }
}

/// Gives whole frames right lengths, offsets and checksums; returns where the last of them ends.
fn mend_frames(bytes: &mut [u8], offset: &mut u64, mode: Mode) -> usize {
    let mut at = 0;
    while mode.mended() && bytes.len() - at > FRAME_HEADER {
        let room = bytes.len() - at - FRAME_HEADER;
        let wanted = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let len = (wanted as usize % room).max(1);
        let frame = &mut bytes[at..at + FRAME_HEADER + len];
        frame[..4].copy_from_slice(&(len as u32).to_le_bytes());
        if mode.in_order() {
            frame[8..16].copy_from_slice(&offset.to_le_bytes());
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&frame[FRAME_HEADER..]);
        crc.update(&frame[..4]);
        crc.update(&frame[8..FRAME_HEADER]);
        frame[4..8].copy_from_slice(&crc.finalize().to_le_bytes());
        *offset = offset.wrapping_add(len as u64);
        at += FRAME_HEADER + len;
    }
    at
}

fn header(mode: Mode, first: u64, pos: u64) -> Vec<u8> {
    let mut header = vec![0; SEGMENT_HEADER];
    let magic: &[u8; 8] = if mode.sealed() {
        b"BSLTZLG\n"
    } else {
        b"BSLTLOG\n"
    };
    header[..8].copy_from_slice(magic);
    header[8] = 1;
    header[16..24].copy_from_slice(&first.to_le_bytes());
    header[24..32].copy_from_slice(&pos.to_le_bytes());
    header[48..88].fill(b'a');
    header
}

fn write_segment(
    door: &SimDoor,
    mode: Mode,
    first: u64,
    pos: u64,
    frames: &mut [u8],
    end: u64,
    patches: &[[u8; 3]],
) {
    let mut file = header(mode, first, pos);
    if mode.sealed() {
        let packed = zstd::bulk::compress(frames, 1).expect("memory is no limit");
        file.extend_from_slice(&packed);
        let index_at = file.len() as u64;
        let mut tail = [0; ENTRY + FOOTER];
        tail[..8].copy_from_slice(&first.to_le_bytes());
        tail[8..16].copy_from_slice(&(SEGMENT_HEADER as u64).to_le_bytes());
        tail[24..28].copy_from_slice(&(packed.len() as u32).to_le_bytes());
        tail[28..32].copy_from_slice(&(frames.len() as u32).to_le_bytes());
        let footer = &mut tail[ENTRY..];
        footer[..8].copy_from_slice(&index_at.to_le_bytes());
        footer[8] = 1;
        footer[16..24].copy_from_slice(&end.to_le_bytes());
        footer[32..40].copy_from_slice(&(frames.len() as u64).to_le_bytes());
        footer[40..48].copy_from_slice(b"BSLTZEND");
        file.extend_from_slice(&tail);
    } else {
        file.extend_from_slice(frames);
    }
    patch(&mut file, patches);
    if mode.mended() {
        if mode.sealed() {
            mend_sealed(&mut file);
        }
        let crc = crc32fast::hash(&file[..508]);
        file[508..512].copy_from_slice(&crc.to_le_bytes());
    }
    let kind = if mode.sealed() { "zlog" } else { "log" };
    write(door, &format!("{first:020}.{kind}"), &file);
}

/// Changes bytes, counted from the end in a segment, where its index is.
fn patch(file: &mut [u8], patches: &[[u8; 3]]) {
    for [low, high, mask] in patches {
        let place = usize::from(u16::from_le_bytes([*low, *high])) % file.len();
        let place = file.len() - 1 - place;
        file[place] ^= mask;
    }
}

/// The checksums of blocks, index and footer.
fn mend_sealed(file: &mut [u8]) {
    let footer_at = file.len() - FOOTER;
    let entry_at = footer_at - ENTRY;
    let number = |file: &[u8], at: usize| {
        u64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes")) as usize
    };
    let (from, len) = (
        number(file, entry_at + 8),
        number(file, entry_at + 24) as u32,
    );
    if let Some(block) = from
        .checked_add(len as usize)
        .and_then(|to| file.get(from..to))
    {
        let crc = crc32fast::hash(block);
        file[entry_at + 32..entry_at + 36].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = crc32fast::hash(&file[entry_at..footer_at]);
    file[footer_at + 12..footer_at + 16].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32fast::hash(&file[footer_at..footer_at + 60]);
    file[footer_at + 60..].copy_from_slice(&crc.to_le_bytes());
}

fn write_ring(door: &SimDoor, frames: &[u8], patches: &[[u8; 3]]) {
    let mut file = vec![0; PREFACE + RING_BYTES];
    file[..8].copy_from_slice(b"BSLTRNG1");
    file[8..16].copy_from_slice(&(RING_BYTES as u64).to_le_bytes());
    let marks = patches.first().map_or(0, |patch| u64::from(patch[2]));
    for at in [64, 128] {
        file[at..at + 8].copy_from_slice(&marks.to_le_bytes());
        file[at + 8..at + 16].copy_from_slice(&(!marks).to_le_bytes());
    }
    let len = frames.len().min(RING_BYTES);
    file[PREFACE..PREFACE + len].copy_from_slice(&frames[..len]);
    write(door, "ring", &file);
}

fn write(door: &SimDoor, name: &str, bytes: &[u8]) {
    let path = Path::new(DIR).join(name);
    let file = door.open(&path, true).expect("the disk is fine");
    file.write_at(bytes, 0).expect("the disk is fine");
    file.sync_data().expect("the disk is fine");
    door.sync_dir(Path::new(DIR)).expect("the disk is fine");
}
