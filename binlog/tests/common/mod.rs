//! Small helpers the behaviour tests share.
#![allow(dead_code, missing_docs)]

use basalt_binlog::{Appended, Binlog, Door, Error, Frame, Offset, OpenReport, Options};
use std::sync::Arc;

/// Small segments, no threads, no retention: everything happens when the test says.
pub(crate) fn small(dir: &str) -> Options {
    let mut options = Options::new(dir);
    options.segment_bytes = 8 << 10;
    options.ring_bytes = 8 << 10;
    options.background = false;
    options.retention.bytes = 0;
    options
}

pub(crate) fn open(
    options: &Options,
    door: &(impl Door + Clone + 'static),
) -> (Binlog, OpenReport) {
    Binlog::open(options.clone(), Arc::new(door.clone())).unwrap()
}

/// The payload of frame number `n`: its own number, padded to a length that varies.
pub(crate) fn payload(n: u64) -> Vec<u8> {
    let mut bytes = format!("*3\r\n$3\r\nSET\r\n$8\r\n{n:08}\r\n").into_bytes();
    bytes.resize(40 + (n * 37 % 200) as usize, b'a' + (n % 26) as u8);
    bytes
}

pub(crate) fn append(log: &Binlog, n: u64) -> Result<Appended, Error> {
    log.append(
        &Frame::data(1000 + n, (n % 16384) as u16, 0),
        &[&payload(n)],
    )
}

/// All frames from `from` on: (start, end, payload without an added SELECT).
pub(crate) fn frames(log: &Binlog, from: Offset) -> Vec<(Offset, Offset, Vec<u8>)> {
    read_all(log, from).unwrap()
}

/// The same, or why they cannot be read.
pub(crate) fn read_all(
    log: &Binlog,
    from: Offset,
) -> Result<Vec<(Offset, Offset, Vec<u8>)>, Error> {
    let mut reader = log.reader(from)?;
    let mut all = Vec::new();
    while let Some(frame) = reader.next()? {
        let payload = frame
            .payload
            .strip_prefix(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")
            .unwrap_or(frame.payload);
        all.push((frame.start, frame.end, payload.to_vec()));
    }
    Ok(all)
}

/// Checks that the log holds frames `0..n` and nothing else.
pub(crate) fn holds_exactly(log: &Binlog, n: u64) {
    let all = frames(log, log.first());
    assert_eq!(all.len() as u64, n);
    let mut at = log.first();
    for (i, (start, end, bytes)) in all.into_iter().enumerate() {
        assert_eq!(start, at);
        assert_eq!(bytes, payload(i as u64), "frame {i}");
        at = end;
    }
    assert_eq!(at, log.end());
}
