//! `kill -9` of a real process in the middle of appending, under each fsync policy: what was appended is there.
#![allow(missing_docs)]

mod common;

use basalt_binlog::{Binlog, DiskDoor, FsyncPolicy, Offset, Options};
use common::{append, frames, payload};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const DIR: &str = "BASALT_TEST_KILL_DIR";
const POLICY: &str = "BASALT_TEST_KILL_POLICY";
const POLICIES: [FsyncPolicy; 3] = [FsyncPolicy::Always, FsyncPolicy::Everysec, FsyncPolicy::No];

fn options(dir: &Path, policy: FsyncPolicy) -> Options {
    let mut options = Options::new(dir);
    options.segment_bytes = 512 << 10;
    options.ring_bytes = 128 << 10;
    options.fsync = policy;
    options
}

/// Not a test of its own: the process that is killed. Tells the number of each frame once it may be relied on.
#[test]
fn the_process_to_be_killed() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let policy = POLICIES[std::env::var(POLICY).unwrap().parse::<usize>().unwrap()];
    let (log, _) = Binlog::open(options(Path::new(&dir), policy), Arc::new(DiskDoor)).unwrap();
    let already = frames(&log, Offset(0)).len() as u64;
    let mut out = std::io::stdout().lock();
    for n in already.. {
        let end = append(&log, n).unwrap().end;
        if policy == FsyncPolicy::Always {
            log.wait_synced(end).unwrap();
        }
        out.write_all(format!("\nok {n:08}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn an_appended_frame_survives_kill_9_under_every_policy() {
    for (i, policy) in POLICIES.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let mut told = 0;
        for cycle in 0..4 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "the_process_to_be_killed", "--nocapture"])
                .env(DIR, dir.path())
                .env(POLICY, i.to_string())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut out = child.stdout.take().unwrap();
            let reader = std::thread::spawn(move || {
                let mut text = String::new();
                out.read_to_string(&mut text).unwrap();
                text
            });
            std::thread::sleep(Duration::from_millis(150 + cycle * 70));
            child.kill().unwrap();
            child.wait().unwrap();
            let text = reader.join().unwrap();
            let oks = text
                .lines()
                .filter_map(|line| line.strip_prefix("ok "))
                .filter(|n| n.len() == 8);
            told = oks
                .map(|n| n.parse::<u64>().unwrap() + 1)
                .max()
                .unwrap_or(told)
                .max(told);
            let (log, report) =
                Binlog::open(options(dir.path(), policy), Arc::new(DiskDoor)).unwrap();
            assert!(!report.clean || told == 0);
            let found = frames(&log, Offset(0));
            assert!(
                found.len() as u64 >= told,
                "{policy:?}: {told} were told, {} are there",
                found.len()
            );
            assert!(
                found
                    .iter()
                    .enumerate()
                    .all(|(n, f)| f.2 == payload(n as u64))
            );
        }
        assert!(told > 20, "{policy:?}: only {told} frames in four lives");
    }
}
