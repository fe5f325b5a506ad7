//! Crashes: power cuts and kills at every kind of moment, and rot.
//!
//! Each seed is one history of several lives. A life appends, syncs, rotates, seals, removes and closes at random, until
//! the simulated disk dies at a random operation (or the test ends the life between two). What the next
//! life finds is compared with what was appended. `BASALT_SIM_CUTS` sets how many histories.
#![allow(missing_docs)]

mod common;

use basalt_binlog::{Binlog, Error, Frame, Offset, OpenReport, Options, SimDoor};
use common::{frames, read_all, small};
use std::path::Path;
use std::sync::Arc;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// What the log should hold.
#[derive(Default)]
struct Model {
    frames: Vec<(Offset, Offset, Vec<u8>)>,
    /// What was reported as synced.
    synced: Offset,
    /// Numbers frames over all lives, so that a frame of a lost history cannot pass for a new one.
    made: u64,
    /// The last life ended with a close.
    closed: bool,
    floor: Offset,
    /// A frame whose append failed as the disk died: it may be there or not.
    doubtful: Option<Vec<u8>>,
}

impl Model {
    fn end(&self) -> Offset {
        self.frames.last().map_or(Offset(0), |f| f.1)
    }

    /// Compares with what recovery found; `all`: nothing at all may be missing.
    fn check(&mut self, log: &Binlog, report: &OpenReport, all: bool, what: &str) {
        assert!(
            report.end >= self.synced,
            "{what}: synced to {} but ends at {}",
            self.synced,
            report.end
        );
        assert!(
            report.first <= self.floor,
            "{what}: {} is needed, begins at {}",
            self.floor,
            report.first
        );
        let found = read_all(log, report.first).unwrap_or_else(|e| panic!("{what}: {e}"));
        if let (Some(bytes), Some(last)) = (self.doubtful.take(), found.last())
            && last.0 == self.end()
            && last.2 == bytes
        {
            self.frames.push(last.clone());
        }
        assert!(report.end <= self.end(), "{what}: more than was appended");
        if all {
            assert_eq!(
                report.end,
                self.end(),
                "{what}: an appended frame is missing"
            );
        }
        if report.clean && !report.created && !self.frames.is_empty() {
            assert!(self.closed, "{what}: called clean but was not closed");
            assert_eq!(
                report.end,
                self.end(),
                "{what}: called clean but something is missing"
            );
        }
        assert_eq!(
            found.last().map_or(report.first, |f| f.1),
            report.end,
            "{what}"
        );
        self.frames.retain(|f| f.1 <= report.end);
        let from = self
            .frames
            .iter()
            .position(|f| f.0 >= report.first)
            .unwrap_or(self.frames.len());
        assert!(found[..] == self.frames[from..], "{what}: contents differ");
        // Recovery syncs what it keeps.
        self.synced = report.end;
        self.closed = false;
    }

    fn append(&mut self, log: &Binlog, random: &mut Random) -> Result<(), Error> {
        let size = match random.below(40) {
            0 => 9000 + random.below(20_000),
            1..4 => 2000,
            _ => 20 + random.below(300),
        };
        self.made += 1;
        let mut bytes = format!("<{:08}>", self.made).into_bytes();
        bytes.resize(size as usize, self.made as u8);
        log.admit(bytes.len())?;
        self.doubtful = Some(bytes.clone());
        let at = log.append(&Frame::data(self.made, 1, 0), &[&bytes])?;
        self.doubtful = None;
        self.frames.push((at.start, at.end, bytes));
        Ok(())
    }

    /// One life, until something fails or it has lasted long enough.
    fn live(&mut self, log: &Binlog, random: &mut Random) -> Result<(), Error> {
        for _ in 0..20 + random.below(250) {
            match random.below(100) {
                0..80 => self.append(log, random)?,
                80..88 => {
                    let synced = log.sync_now()?;
                    assert_eq!(synced, self.end());
                }
                88..91 => log.drain()?,
                91..93 => log.rotate()?,
                93..95 => log.prepare_spare()?,
                95..98 => drop(log.seal_full_segments()?),
                98 => {
                    self.floor = log.synced();
                    log.set_floor(self.floor);
                    log.apply_retention(u64::MAX)?;
                }
                _ => {
                    let end = self.end();
                    drop(log.stream(Offset(end.0 / 2).max(log.first()))?);
                }
            }
            self.synced = self.synced.max(log.synced());
        }
        if random.below(3) == 0 {
            // Also if the disk dies in it: it may have been complete but for the answer.
            self.closed = true;
            log.close()?;
            self.synced = self.end();
        }
        Ok(())
    }
}

fn try_open(door: &SimDoor, options: &Options) -> Result<(Binlog, OpenReport), Error> {
    Binlog::open(options.clone(), Arc::new(door.clone()))
}

/// One history; returns how many power cuts it had.
fn history(seed: u64) -> u64 {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let options = small("/log");
    let mut door = SimDoor::new(seed);
    let mut model = Model::default();
    let (mut all, mut cuts) = (true, 0);
    for life in 0..4 {
        let what = format!("seed {seed}, life {life}");
        if random.below(4) > 0 {
            let within = if random.below(3) == 0 { 30 } else { 400 };
            door.die_after(1 + random.below(within));
        }
        match try_open(&door, &options) {
            Ok((log, report)) => {
                model.check(&log, &report, all, &what);
                all = true;
                // An error is fine if the disk died; nothing else may fail.
                if let Err(e) = model.live(&log, &mut random) {
                    assert!(door.is_dead(), "{what}: {e}");
                }
            }
            Err(e) => assert!(door.is_dead(), "{what}: {e}"),
        }
        if random.below(3) > 0 {
            door = door.power_cut();
            all = false;
            cuts += 1;
        } else {
            door = door.kill();
        }
    }
    let what = format!("seed {seed}, last life");
    let (log, report) = try_open(&door, &options).unwrap_or_else(|e| panic!("{what}: {e}"));
    model.check(&log, &report, all, &what);
    model.append(&log, &mut random).unwrap();
    log.sync_now().unwrap();
    cuts
}

fn histories() -> u64 {
    std::env::var("BASALT_SIM_CUTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000)
}

#[test]
fn a_crash_loses_nothing_synced_and_leaves_nothing_torn() {
    let cuts: u64 = (1..=histories()).map(history).sum();
    println!("{} histories, {cuts} power cuts", histories());
    assert!(cuts > histories());
}

/// A log with sealed, full and active segments, all synced; its frames and its files.
fn rich_log(seed: u64) -> (SimDoor, Vec<(Offset, Offset, Vec<u8>)>) {
    let door = SimDoor::new(seed);
    let (log, _) = try_open(&door, &small("/log")).unwrap();
    let mut model = Model::default();
    let mut random = Random(seed + 1);
    for n in 0..160 {
        model.append(&log, &mut random).unwrap();
        if n == 60 {
            log.sync_now().unwrap();
            log.seal_full_segments().unwrap();
        }
    }
    log.sync_now().unwrap();
    drop(log);
    (door.kill(), model.frames)
}

/// Rot in what was on disk is an error at open or in a reader that gets there; what is read before it is right.
#[test]
fn rot_is_refused_never_skipped() {
    use basalt_binlog::Door;
    let mut random = Random(99);
    let (mut at_open, mut at_read) = (0, 0);
    for seed in 0..300 {
        let (door, all) = rich_log(seed % 10);
        let names: Vec<String> = door
            .list(Path::new("/log"))
            .unwrap()
            .into_iter()
            .filter(|n| n.ends_with("log"))
            .collect();
        let path = Path::new("/log").join(&names[random.below(names.len() as u64) as usize]);
        let file = door.open(&path, false).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        let used = bytes.iter().rposition(|&b| b != 0).unwrap() as u64 + 1;
        door.rot(&path, random.below(used), 1 << random.below(8));
        let what = format!("seed {seed}, {}", path.display());
        match try_open(&door, &small("/log")) {
            Err(Error::Damaged { .. } | Error::Format { .. }) => at_open += 1,
            Err(e) => panic!("{what}: {e}"),
            Ok((log, _)) => {
                let mut reader = match log.reader(Offset(0)) {
                    Ok(reader) => reader,
                    Err(e) => {
                        assert!(
                            matches!(
                                e,
                                Error::Damaged {
                                    offset: Offset(0),
                                    ..
                                }
                            ),
                            "{what}: {e}"
                        );
                        at_read += 1;
                        continue;
                    }
                };
                let mut read = 0;
                let error = loop {
                    match reader.next() {
                        Ok(Some(frame)) => {
                            assert!(
                                frame.payload.ends_with(&all[read].2),
                                "{what}: frame {read} differs"
                            );
                            read += 1;
                        }
                        Ok(None) => {
                            panic!("{what}: not noticed after {read} of {} frames", all.len())
                        }
                        Err(e) => break e,
                    }
                };
                let Error::Damaged { offset, .. } = error else {
                    panic!("{what}: {error}")
                };
                assert!(offset <= all[read].0, "{what}: reported at {offset}");
                at_read += 1;
            }
        }
    }
    assert!(
        at_open > 30 && at_read > 30,
        "{at_open} at open, {at_read} while reading"
    );
}

#[test]
fn a_repair_can_cut_at_damage_and_says_so() {
    let (door, all) = rich_log(3);
    // Once more, so that the ring has no copy of the newest frames: it would mend what is cut.
    drop(try_open(&door, &small("/log")).unwrap());
    // The newest segment: the others are not read again at open.
    let last = {
        use basalt_binlog::Door;
        door.list(Path::new("/log"))
            .unwrap()
            .into_iter()
            .filter(|n| n.ends_with(".log"))
            .max()
            .unwrap()
    };
    door.rot(&Path::new("/log").join(&last), 530, 1);
    let mut options = small("/log");
    assert!(matches!(
        try_open(&door, &options),
        Err(Error::Damaged { .. })
    ));
    options.cut_damage = true;
    let (log, report) = try_open(&door, &options).unwrap();
    assert!(report.cut_bytes > 0 && report.end < all.last().unwrap().1);
    let kept = frames(&log, Offset(0));
    assert!(kept[..] == all[..kept.len()]);
}

#[test]
fn a_missing_segment_is_refused() {
    use basalt_binlog::Door;
    let (door, _) = rich_log(4);
    let mut names: Vec<String> = door
        .list(Path::new("/log"))
        .unwrap()
        .into_iter()
        .filter(|n| n.ends_with("log"))
        .collect();
    names.sort();
    for victim in [names[1].clone(), names.last().unwrap().clone()] {
        let door = door.kill();
        door.remove(&Path::new("/log").join(victim)).unwrap();
        assert!(matches!(
            try_open(&door, &small("/log")),
            Err(Error::Damaged { .. })
        ));
    }
}
