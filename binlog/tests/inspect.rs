//! A look from outside finds what the log holds, and changes nothing.
#![allow(missing_docs)]

mod common;

use std::path::Path;
use std::sync::Arc;

use basalt_binlog::{Door, Error, Inspector, Offset, SimDoor};
use common::{append, open, small};

type Found = (Vec<(Offset, Offset)>, Offset, u64);

/// The frames from an offset on, where the log ends, and how many torn bytes follow.
fn frames(door: &SimDoor, from: Offset) -> Result<Found, Error> {
    let log = Inspector::open(Path::new("log"), Arc::new(door.clone()))?;
    let mut cursor = log.frames(from)?;
    let mut all = Vec::new();
    while let Some(frame) = cursor.next()? {
        assert_eq!(frame.payload.len() as u64, frame.end.0 - frame.start.0);
        all.push((frame.start, frame.end));
    }
    let torn = cursor.torn().map_or(0, |torn| torn.bytes);
    Ok((all, cursor.offset(), torn))
}

#[test]
fn every_frame_is_found_in_segments_of_both_kinds_and_in_the_ring() {
    let door = SimDoor::new(1);
    let options = small("log");
    let (log, _) = open(&options, &door);
    let mut appended = Vec::new();
    for n in 0..200 {
        appended.push(append(&log, n).expect("there is room"));
        if n == 120 {
            log.sync_now().expect("the disk is fine");
            assert!(log.seal_full_segments().expect("the disk is fine") > 1);
        }
    }
    // Killed: what was not drained is in the ring alone.
    let door = door.kill();
    let before = door.operations();
    let wanted: Vec<_> = appended.iter().map(|a| (a.start, a.end)).collect();
    for skipped in [0, 1, 50, 121, 199] {
        let (all, end, torn) = frames(&door, appended[skipped].start).expect("it can be read");
        assert_eq!(all, wanted[skipped..]);
        assert_eq!((end, torn), (appended[199].end, 0));
    }
    let segments = Inspector::open(Path::new("log"), Arc::new(door.clone()));
    let segments = segments.expect("it can be read");
    let segments = segments.segments();
    assert!(segments[0].sealed && !segments[segments.len() - 1].sealed);
    let follow = |pair: &[basalt_binlog::SegmentInfo]| pair[0].end == Some(pair[1].first);
    assert!(segments.windows(2).all(follow));
    assert_eq!(door.operations(), before, "nothing was changed");
}

#[test]
fn a_torn_tail_is_told_and_damage_is_an_error() {
    let door = SimDoor::new(1);
    let options = small("log");
    let (log, _) = open(&options, &door);
    for n in 0..100 {
        append(&log, n).expect("there is room");
    }
    log.sync_now().expect("the disk is fine");
    log.close().expect("the disk is fine");
    let segments = Inspector::open(Path::new("log"), Arc::new(door.clone()));
    let segments = segments.expect("it can be read").segments().to_vec();
    let last = Path::new("log").join(&segments[segments.len() - 1].name);
    door.rot(&last, 600, 0xFF);
    door.remove(Path::new("log/ring")).expect("it is there");
    let (_, end, torn) = frames(&door, Offset(0)).expect("the rest can be read");
    assert!(torn > 0 && end == segments[segments.len() - 1].first);
    door.rot(&Path::new("log").join(&segments[0].name), 600, 0xFF);
    let error = frames(&door, Offset(0)).expect_err("it is damaged");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}
