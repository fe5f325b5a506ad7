//! Frames too long to be held in memory: sealed, streamed and checked in pieces.
#![allow(missing_docs)]

mod common;

use basalt_binlog::{Binlog, DiskDoor, Error, Frame, Offset};
use common::{append, open, payload, small};
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Counts what is allocated now, and the most there was.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What one test holds is not to be taken for another's.
static ALONE: Mutex<()> = Mutex::new(());

/// Bytes held at most while `doing`, beyond those before.
fn held_while<T>(doing: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    let result = doing();
    (result, MOST.load(Relaxed) - before)
}

const SELECT_0: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
const LONG_BYTES: usize = 16 << 20;

/// Bytes that are packed to about a half.
fn long(seed: u32) -> Vec<u8> {
    let mut x = seed | 1;
    let mut next = move || {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        (x & 15) as u8
    };
    (0..LONG_BYTES).map(|_| next()).collect()
}

/// A log of three short frames, each followed by a long one; all that it holds.
fn filled(dir: &Path) -> (Binlog, Vec<u8>) {
    let mut options = small(dir.to_str().unwrap());
    options.segment_bytes = 128 << 20;
    let (log, _) = open(&options, &DiskDoor);
    let mut whole = SELECT_0.to_vec();
    for n in 0..3 {
        append(&log, n).unwrap();
        whole.extend(payload(n));
        let long = long(n as u32);
        log.append(&Frame::data(1, 1, 0), &[&long]).unwrap();
        whole.extend(&long);
    }
    append(&log, 3).unwrap();
    whole.extend(payload(3));
    (log, whole)
}

/// Streams from `from` on and compares with `whole`, holding nothing.
fn is_streamed(log: &Binlog, whole: &[u8], from: usize) -> Result<(), Error> {
    let mut stream = log.stream(Offset(from as u64))?;
    let (mut got, mut at) = (Vec::with_capacity(100_000), from);
    while stream.read(&mut got, 100_000)? > 0 {
        assert!(got == whole[at..at + got.len()], "at {at}, from {from}");
        at += got.len();
        got.clear();
    }
    assert_eq!(at, whole.len());
    Ok(())
}

fn sealed_file(dir: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .find(|path| path.extension().is_some_and(|e| e == "zlog"))
        .expect("a sealed segment")
}

#[test]
fn long_frames_are_sealed_and_streamed_from_any_byte_in_little_memory() {
    const LITTLE: usize = 4 << 20;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (log, whole) = filled(dir.path());
    let starts = [0, 30, 200, 1 << 20, 20 << 20, whole.len() - 1, whole.len()];
    let stream_all = || starts.map(|from| is_streamed(&log, &whole, from).unwrap());
    let (_, held) = held_while(stream_all);
    assert!(
        held < LITTLE,
        "{held} bytes held while raw ones are streamed"
    );

    log.rotate().unwrap();
    log.sync_now().unwrap();
    let (sealed, held) = held_while(|| log.seal_full_segments());
    assert_eq!(sealed.unwrap(), 1);
    assert!(held < LITTLE, "{held} bytes held while sealing");
    let bytes = std::fs::metadata(sealed_file(dir.path())).unwrap().len();
    assert!(bytes < whole.len() as u64 * 2 / 3, "{bytes} bytes");

    let (_, held) = held_while(stream_all);
    assert!(
        held < LITTLE,
        "{held} bytes held while sealed ones are streamed"
    );

    // And as whole frames, by who wants them so.
    let mut reader = log.reader(Offset(0)).unwrap();
    let mut at = 0;
    while let Some(frame) = reader.next().unwrap() {
        assert!(frame.payload == &whole[at..at + frame.payload.len()]);
        at += frame.payload.len();
    }
    assert_eq!(at, whole.len());

    // Opened again, it is the same.
    drop((reader, log));
    let mut options = small(dir.path().to_str().unwrap());
    options.segment_bytes = 128 << 20;
    let (log, _) = open(&options, &DiskDoor);
    is_streamed(&log, &whole, 20 << 20).unwrap();
}

#[test]
fn damage_in_a_sealed_long_frame_is_seen_before_its_first_byte_is_given() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (log, whole) = filled(dir.path());
    log.rotate().unwrap();
    log.sync_now().unwrap();
    log.seal_full_segments().unwrap();
    let name = sealed_file(dir.path());
    let bytes = std::fs::read(&name).unwrap();
    // In the second of three.
    for at in (bytes.len() / 2..).step_by(1000).take(5) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        std::fs::write(&name, &damaged).unwrap();
        let mut stream = log.stream(Offset(0)).unwrap();
        let (mut got, mut read) = (Vec::new(), 0);
        let error = loop {
            match stream.read(&mut got, 100_000) {
                Ok(0) => panic!("the damage at {at} was not seen"),
                Ok(n) => read += n,
                Err(error) => break error,
            }
            got.clear();
        };
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        let second = SELECT_0.len() + payload(0).len() + LONG_BYTES + payload(1).len();
        assert!(read <= second, "{read} bytes were given");
        is_streamed(&log, &whole, second + LONG_BYTES + 1).unwrap();
    }
}
