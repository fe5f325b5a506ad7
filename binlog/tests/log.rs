//! The log as its users see it: appending, reading, rotating, sealing, keeping, following.
#![allow(missing_docs)]

mod common;

use basalt_binlog::{
    DiskDoor, Door, DoorFile, Error, Flags, Frame, FsyncPolicy, LogEvent, LogState, MANY_SLOTS,
    Offset, Options, Retention, SimDoor, SimFault,
};
use common::{append, frames, holds_exactly, open, payload, small};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

const SELECT_0: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";

#[test]
fn what_is_appended_is_read_back_across_segments_and_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let options = small(dir.path().to_str().unwrap());
    let (log, report) = open(&options, &DiskDoor);
    assert!(report.created && report.clean);
    for n in 0..500 {
        append(&log, n).unwrap();
    }
    holds_exactly(&log, 500);
    assert!(log.info().segments > 5);
    log.close().unwrap();
    assert!(matches!(append(&log, 500), Err(Error::Closed)));
    let end = log.end();
    drop(log);
    let (log, report) = open(&options, &DiskDoor);
    assert!(report.clean && !report.created);
    assert_eq!(
        (report.end, report.cut_bytes, report.ring_bytes),
        (end, 0, 0)
    );
    holds_exactly(&log, 500);
    append(&log, 500).unwrap();
    holds_exactly(&log, 501);
}

#[test]
fn a_database_change_puts_a_select_inside_the_frame() {
    let door = SimDoor::new(1);
    let (log, _) = open(&small("/log"), &door);
    let seen = |log: &basalt_binlog::Binlog| {
        let mut reader = log.reader(Offset(0)).unwrap();
        let mut all = Vec::new();
        while let Some(f) = reader.next().unwrap() {
            all.push((f.db, String::from_utf8(f.payload.to_vec()).unwrap()));
        }
        all
    };
    log.append(&Frame::no_data(1), &[b"PING"]).unwrap();
    log.append(&Frame::data(1, 1, 0), &[b"A"]).unwrap();
    log.append(&Frame::data(1, 1, 0), &[b"B"]).unwrap();
    log.append(&Frame::data(1, 1, 12), &[b"C"]).unwrap();
    log.append(&Frame::no_data(1), &[b"PING"]).unwrap();
    log.append(
        &Frame {
            end_db: 3,
            slot: MANY_SLOTS,
            ..Frame::data(1, 1, 12)
        },
        &[b"D"],
    )
    .unwrap();
    log.append(
        &Frame {
            flags: Flags::VERBATIM,
            ..Frame::data(1, 1, 5)
        },
        &[b"E"],
    )
    .unwrap();
    log.force_select();
    log.append(&Frame::data(1, 1, 5), &[b"F"]).unwrap();
    let select = |n: u16| format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{n}\r\n", n.to_string().len());
    let expected = vec![
        (0, "PING".to_owned()),
        (0, select(0) + "A"),
        (0, "B".to_owned()),
        (12, select(12) + "C"),
        (12, "PING".to_owned()),
        (12, "D".to_owned()),
        (5, "E".to_owned()),
        (5, select(5) + "F"),
    ];
    assert_eq!(seen(&log), expected);
    drop(log);
    // The stream's database is found again at open.
    let (log, _) = open(&small("/log"), &door.kill());
    log.append(&Frame::data(1, 1, 5), &[b"G"]).unwrap();
    assert_eq!(seen(&log).last().unwrap(), &(5, "G".to_owned()));
}

#[test]
fn offsets_count_payload_only_and_begin_where_asked() {
    let mut options = small("/log");
    options.create_at = Offset(1_000_000);
    let (log, report) = open(&options, &SimDoor::new(1));
    assert_eq!(
        (report.first, report.end),
        (Offset(1_000_000), Offset(1_000_000))
    );
    let first = log
        .append(&Frame::data(1, 1, 0), &[b"abc", b"", b"def"])
        .unwrap();
    assert_eq!(
        (first.start.0, first.end.0),
        (1_000_000, 1_000_006 + SELECT_0.len() as u64)
    );
    assert!(matches!(
        log.reader(Offset(999_999)),
        Err(Error::Gone { .. })
    ));
    assert!(matches!(
        log.reader(first.end.plus(1)),
        Err(Error::Beyond { .. })
    ));
    assert!(log.reader(first.end).unwrap().next().unwrap().is_none());
}

#[test]
fn a_stream_starts_at_any_byte() {
    let (log, _) = open(&small("/log"), &SimDoor::new(1));
    for n in 0..150 {
        append(&log, n).unwrap();
    }
    log.rotate().unwrap();
    log.seal_full_segments().unwrap();
    for n in 150..200 {
        append(&log, n).unwrap();
    }
    let mut whole = SELECT_0.to_vec();
    (0..200).for_each(|n| whole.extend(payload(n)));
    assert_eq!(log.end().0, whole.len() as u64);
    for from in (0..whole.len()).step_by(97).chain([whole.len()]) {
        let mut stream = log.stream(Offset(from as u64)).unwrap();
        let mut got = Vec::new();
        while stream.read(&mut got, 1000).unwrap() > 0 {}
        assert!(got == whole[from..], "from {from}");
        assert_eq!(stream.offset(), log.end());
    }
}

#[test]
fn sealed_segments_are_smaller_and_read_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let options = small(dir.path().to_str().unwrap());
    let (log, _) = open(&options, &DiskDoor);
    for n in 0..300 {
        append(&log, n).unwrap();
    }
    // A reader in a raw segment stays in it while it is sealed away.
    let mut early = log.reader(Offset(0)).unwrap();
    early.next().unwrap();
    assert_eq!(
        log.seal_full_segments().unwrap(),
        0,
        "nothing is on disk yet"
    );
    log.sync_now().unwrap();
    assert!(log.seal_full_segments().unwrap() > 3);
    let mut left = 299;
    while early.next().unwrap().is_some() {
        left -= 1;
    }
    assert_eq!(left, 0);
    holds_exactly(&log, 300);
    let info = log.info();
    assert_eq!(info.sealed_segments, info.segments - 1);
    assert!(
        info.compressed_bytes < info.uncompressed_bytes / 2,
        "{info:?}"
    );
    log.close().unwrap();
    drop(log);
    let (log, _) = open(&options, &DiskDoor);
    holds_exactly(&log, 300);
}

#[test]
fn a_reader_by_time_begins_at_the_first_frame_not_older() {
    let (log, _) = open(&small("/log"), &SimDoor::new(1));
    for n in 0..300 {
        append(&log, n * 10).unwrap();
    }
    log.sync_now().unwrap();
    log.seal_full_segments().unwrap();
    for (asked, found) in [
        (0, 1000),
        (1000, 1000),
        (1001, 1010),
        (2490, 2490),
        (3989, 3990),
        (3990, 3990),
    ] {
        let mut reader = log.reader_at_time(asked).unwrap();
        assert_eq!(
            reader.next().unwrap().unwrap().unix_ms,
            found,
            "asked for {asked}"
        );
    }
    assert!(log.reader_at_time(3991).unwrap().next().unwrap().is_none());
}

#[test]
fn frames_larger_than_ring_and_segment_fit() {
    let dir = tempfile::tempdir().unwrap();
    let options = small(dir.path().to_str().unwrap());
    let (log, _) = open(&options, &DiskDoor);
    let sizes = [10usize, 7000, 9000, 100_000, 20, 3_000_000, 5, 8000, 8000];
    for (n, &size) in sizes.iter().enumerate() {
        log.admit(size).unwrap();
        log.append(&Frame::data(1, 1, 0), &[&vec![n as u8; size]])
            .unwrap();
    }
    log.sync_now().unwrap();
    let check = |log: &basalt_binlog::Binlog| {
        let all = frames(log, Offset(0));
        assert_eq!(all.len(), sizes.len());
        for (n, (_, _, bytes)) in all.iter().enumerate() {
            assert!(
                bytes.len() == sizes[n] && bytes.iter().all(|&b| b == n as u8),
                "frame {n}"
            );
        }
    };
    check(&log);
    log.seal_full_segments().unwrap();
    check(&log);
    drop(log);
    check(&open(&options, &DiskDoor).0);
}

#[test]
fn retention_keeps_what_is_needed_and_what_is_young() {
    let (log, _) = open(&small("/log"), &SimDoor::new(1));
    for n in 0..400 {
        append(&log, n).unwrap();
    }
    let now = 1_000_000_000;
    assert_eq!(log.apply_retention(now).unwrap(), 0, "no checkpoint yet");
    log.set_floor(log.end());
    assert_eq!(
        log.apply_retention(now).unwrap(),
        0,
        "nothing is synced yet"
    );
    log.sync_now().unwrap();
    log.set_retention(Retention {
        bytes: u64::MAX,
        ms: 0,
    });
    assert_eq!(
        log.apply_retention(now).unwrap(),
        0,
        "the byte floor keeps it"
    );
    log.set_retention(Retention { bytes: 0, ms: now });
    assert_eq!(
        log.apply_retention(now).unwrap(),
        0,
        "the time floor keeps it"
    );
    log.set_retention(Retention::default());
    let third = frames(&log, Offset(0))[130].0;
    let hold = log.hold(third).unwrap();
    assert!(log.apply_retention(now).unwrap() > 0);
    assert!(log.first() <= third && log.first() > Offset(0));
    assert!(matches!(log.hold(Offset(0)), Err(Error::Gone { .. })));
    assert_eq!(log.info().needed_from, third);
    hold.advance(third.plus(3000));
    assert_eq!(hold.offset(), third.plus(3000));
    drop(hold);
    let before = log.info().disk_bytes;
    assert!(log.purge_to(log.end()).unwrap() > 0);
    let info = log.info();
    assert_eq!(info.segments, 1);
    assert!(info.disk_bytes < before);
}

#[test]
fn readers_keep_up_with_writers_on_several_threads() {
    const THREADS: u64 = 4;
    const EACH: u64 = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let mut options = small(dir.path().to_str().unwrap());
    options.segment_bytes = 256 << 10;
    options.ring_bytes = 64 << 10;
    options.background = true;
    options.retention.bytes = u64::MAX;
    let (log, _) = open(&options, &DiskDoor);
    let read_all = |mut reader: basalt_binlog::Reader| {
        let mut next = [0u64; THREADS as usize];
        let mut at = Offset(0);
        while next.iter().sum::<u64>() < THREADS * EACH {
            while let Some(frame) = reader.next().unwrap() {
                assert_eq!(frame.start, at);
                at = frame.end;
                let text = &frame.payload[frame.payload.len() - 16..];
                let thread: usize = std::str::from_utf8(&text[..8]).unwrap().parse().unwrap();
                let n: u64 = std::str::from_utf8(&text[8..]).unwrap().parse().unwrap();
                assert_eq!(n, next[thread], "frames of one thread stay in order");
                next[thread] += 1;
            }
            if at < log.end() || next.iter().sum::<u64>() < THREADS * EACH {
                reader.wait_for_more(Duration::from_secs(5));
            }
        }
        at
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = log.clone();
            scope.spawn(move || {
                for n in 0..EACH {
                    let body = vec![b'x'; (n % 300) as usize];
                    let text = format!("{thread:08}{n:08}");
                    log.append(&Frame::data(n, 1, 0), &[&body, text.as_bytes()])
                        .unwrap();
                }
            });
        }
        let follower = scope.spawn(|| read_all(log.reader(Offset(0)).unwrap()));
        assert_eq!(follower.join().unwrap(), log.end());
    });
    assert_eq!(read_all(log.reader(Offset(0)).unwrap()), log.end());
    log.wait_synced(log.end()).unwrap();
    assert_eq!(log.synced(), log.end());
}

#[test]
fn a_waiting_reader_is_woken_by_an_append_and_by_close() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&Options::new(dir.path()), &DiskDoor);
    let (told, events) = mpsc::channel();
    log.subscribe(Box::new(move |event| told.send(event).unwrap_or(())));
    assert_eq!(log.arm_appended(), Offset(0));
    let mut reader = log.reader(Offset(0)).unwrap();
    let began = Instant::now();
    assert!(!reader.wait_for_more(Duration::from_millis(20)));
    assert!(began.elapsed() >= Duration::from_millis(20));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            assert!(reader.wait_for_more(Duration::from_secs(20)));
            reader.next().unwrap().unwrap();
            reader.wait_for_more(Duration::from_secs(20))
        });
        std::thread::sleep(Duration::from_millis(50));
        append(&log, 0).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        log.close().unwrap();
        assert!(!waiting.join().unwrap(), "a closed log has no more");
    });
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(events.try_iter().next(), Some(LogEvent::Appended));
}

#[test]
fn many_waiters_share_one_sync() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path());
    options.fsync = FsyncPolicy::Always;
    let (log, _) = open(&options, &DiskDoor);
    let numbers = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let end = append(&log, numbers.fetch_add(1, Ordering::Relaxed))
                        .unwrap()
                        .end;
                    log.wait_synced(end).unwrap();
                    assert!(log.synced() >= end);
                }
            });
        }
    });
    let info = log.info();
    assert_eq!(info.appends, 320);
    assert!(info.fsyncs < 320, "{} syncs for 320 writes", info.fsyncs);
}

#[test]
fn a_failed_fsync_poisons_the_log_but_not_its_readers() {
    let door = SimDoor::new(1);
    let (log, _) = open(&small("/log"), &door);
    append(&log, 0).unwrap();
    door.fail(SimFault::Sync, libc::EIO, 1);
    assert!(matches!(log.sync_now(), Err(Error::Poisoned(_))));
    assert_eq!(log.state(), LogState::Poisoned);
    assert!(matches!(append(&log, 1), Err(Error::Poisoned(_))));
    assert!(matches!(log.admit(1), Err(Error::Poisoned(_))));
    assert!(log.wait_synced(log.end()).is_err());
    assert!(log.info().last_error.unwrap().contains("fsync"));
    holds_exactly(&log, 1);
}

#[test]
fn a_full_disk_refuses_writes_keeps_reads_and_recovers() {
    let door = SimDoor::new(1);
    let (log, _) = open(&small("/log"), &door);
    door.set_capacity(door.used());
    let mut n = 0;
    while log.admit(payload(n).len()).is_ok() {
        append(&log, n).expect("what was admitted is taken");
        n += 1;
        assert!(n < 1000, "a full disk is noticed");
    }
    assert!(matches!(log.admit(10), Err(Error::Full)));
    assert_eq!(log.state(), LogState::Full);
    log.sync_now().unwrap();
    holds_exactly(&log, n);
    // As for a write that was admitted earlier by another thread: what is left takes it.
    append(&log, n).unwrap();
    door.set_capacity(u64::MAX);
    log.prepare_spare().unwrap();
    assert_eq!(log.state(), LogState::Ok);
    for more in n + 1..n + 100 {
        log.admit(payload(more).len()).unwrap();
        append(&log, more).unwrap();
    }
    holds_exactly(&log, n + 100);
    // Opening on a full disk: what is there can be read.
    drop(log);
    let door = door.kill();
    door.set_capacity(door.used() + 20_000);
    let (log, report) = open(&small("/log"), &door);
    assert!(report.end > Offset(0));
    holds_exactly(&log, n + 100);
}

#[test]
fn a_full_disk_is_retried_in_the_background() {
    let door = SimDoor::new(1);
    let mut options = small("/log");
    options.background = true;
    let (log, _) = open(&options, &door);
    door.set_capacity(door.used());
    let mut n = 0;
    while log.admit(100).is_ok() {
        append(&log, n).unwrap();
        n += 1;
    }
    door.set_capacity(u64::MAX);
    let deadline = Instant::now() + Duration::from_secs(10);
    while log.admit(100).is_err() {
        assert!(
            Instant::now() < deadline,
            "space returned but writes are still refused"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    append(&log, n).unwrap();
    holds_exactly(&log, n + 1);
}

#[test]
fn a_removed_log_begins_anew_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = small(dir.path().to_str().unwrap());
    let (log, _) = open(&options, &DiskDoor);
    for n in 0..100 {
        append(&log, n).unwrap();
    }
    assert!(matches!(
        basalt_binlog::Binlog::remove(dir.path(), &DiskDoor),
        Err(Error::Locked(_))
    ));
    log.close().unwrap();
    basalt_binlog::Binlog::remove(dir.path(), &DiskDoor).unwrap();
    options.create_at = Offset(77);
    let (log, report) = open(&options, &DiskDoor);
    assert!(report.created);
    assert_eq!((log.first(), log.end()), (Offset(77), Offset(77)));
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let options = small(dir.path().to_str().unwrap());
    let (log, _) = open(&options, &DiskDoor);
    let second = basalt_binlog::Binlog::open(options.clone(), std::sync::Arc::new(DiskDoor));
    assert!(matches!(second, Err(Error::Locked(_))));
    drop(log);
    assert!(Path::new(dir.path()).join("ring").exists());
    open(&options, &DiskDoor);
}

/// A door that has everything purged whenever a file is renamed or removed, and notes which segments there are then.
#[derive(Clone)]
struct Purging {
    door: SimDoor,
    log: Arc<OnceLock<basalt_binlog::Binlog>>,
    seen: Arc<Mutex<Vec<Vec<u64>>>>,
}

impl Purging {
    fn firsts(&self) -> Vec<u64> {
        let names = self.door.list(Path::new("/log")).unwrap();
        let firsts: BTreeSet<u64> = names
            .iter()
            .filter(|name| name.ends_with(".log") || name.ends_with(".zlog"))
            .map(|name| name.split('.').next().unwrap().parse().unwrap())
            .collect();
        firsts.into_iter().collect()
    }

    fn purge(&self) {
        self.seen.lock().unwrap().push(self.firsts());
        if let Some(log) = self.log.get() {
            log.purge_to(log.end()).unwrap();
            self.seen.lock().unwrap().push(self.firsts());
        }
    }
}

impl Door for Purging {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.door.create_dir(dir)
    }
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DoorFile>> {
        self.door.open(path, create)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.door.rename(from, to)?;
        if to.extension().is_some_and(|e| e == "zlog") {
            self.purge();
        }
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.seen.lock().unwrap().push(self.firsts());
        self.door.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.purge();
        self.door.sync_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.door.list(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.door.lock(path)
    }
}

#[test]
fn a_purge_in_the_middle_of_sealing_leaves_no_gap() {
    let door = Purging {
        door: SimDoor::new(1),
        log: Arc::default(),
        seen: Arc::default(),
    };
    let (log, _) = open(&small("/log"), &door);
    for n in 0..300 {
        append(&log, n).unwrap();
    }
    log.sync_now().unwrap();
    log.set_floor(log.end());
    let all = door.firsts();
    assert!(all.len() > 4, "{all:?}");
    door.seen.lock().unwrap().clear();
    door.log.set(log.clone()).ok().unwrap();
    log.seal_full_segments().unwrap();
    let seen = door.seen.lock().unwrap();
    for there in seen.iter() {
        assert!(
            all.ends_with(there),
            "a crash here would leave {there:?} of {all:?}"
        );
    }
    assert!(seen.iter().any(|there| there.len() < all.len()));
}

#[test]
fn a_long_frame_is_streamed_from_any_byte_and_its_damage_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = small(dir.path().to_str().unwrap());
    options.segment_bytes = 16 << 20;
    let (log, _) = open(&options, &DiskDoor);
    let long: Vec<u8> = (0..3 << 20).map(|n: u32| (n % 251) as u8).collect();
    let mut whole = SELECT_0.to_vec();
    for n in 0..3 {
        append(&log, n).unwrap();
        whole.extend(payload(n));
        log.append(&Frame::data(1, 1, 0), &[&long]).unwrap();
        whole.extend(&long);
    }
    let read_from = |from: usize| {
        let mut stream = log.stream(Offset(from as u64))?;
        let mut got = Vec::new();
        while stream.read(&mut got, 100_000)? > 0 {}
        Ok::<_, Error>(got)
    };
    for from in [0, 30, 200, 1 << 20, 4 << 20, whole.len() - 1, whole.len()] {
        assert!(read_from(from).unwrap() == whole[from..], "from {from}");
    }
    // One byte in the second of them.
    let name = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let bytes = std::fs::read(path).unwrap();
            bytes.len() > 9 << 20 && bytes.windows(500).any(|part| part == &long[..500])
        })
        .expect("the segment");
    let mut bytes = std::fs::read(&name).unwrap();
    bytes[5 << 20] ^= 1;
    std::fs::write(&name, bytes).unwrap();
    assert!(matches!(read_from(0), Err(Error::Damaged { .. })));
    assert!(read_from((7 << 20) + 1).is_ok());
}
