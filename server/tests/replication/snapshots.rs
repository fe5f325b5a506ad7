//! Full syncs as the master gives them, fetched by hand.

use std::time::{Duration, Instant};

use crate::fake::Fake;
use crate::node::Node;
use crate::support::resp::Reply;

struct Manifest {
    snapshot: String,
    id: String,
    replay: u64,
    end: u64,
    files: Vec<(String, u64)>,
}

const CAPA: &[&str] = &["eof", "psync2", "basalt"];

fn ask(fake: &mut Fake) -> Manifest {
    let answer = fake.psync("?", 0);
    let words: Vec<&str> = answer.split(' ').collect();
    assert_eq!(words[0], "BASALTSYNC", "{answer}");
    let reply = fake
        .client
        .words(&format!("BASALTSYNC MANIFEST {}", words[2]));
    let items = reply.items().unwrap_or_else(|| panic!("{reply}"));
    assert_eq!(items[0].text(), words[2]);
    assert_eq!(items[1].text(), words[1]);
    let number = |reply: &Reply| u64::try_from(reply.int().expect("a number")).expect("positive");
    Manifest {
        snapshot: items[0].text(),
        id: items[1].text(),
        replay: number(&items[2]),
        end: number(&items[3]),
        files: items[5..]
            .iter()
            .map(|file| {
                let file = file.items().expect("a pair");
                (file[0].text(), number(&file[1]))
            })
            .collect(),
    }
}

/// CRC-32 bit by bit, so that no table of the server's is believed.
fn crc32(bytes: &[u8]) -> i64 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    i64::from(!crc)
}

fn read(fake: &mut Fake, snapshot: &str, file: &str, at: u64, max: u64) -> Vec<u8> {
    let reply = fake
        .client
        .words(&format!("BASALTSYNC READ {snapshot} {file} {at} {max}"));
    let items = reply
        .items()
        .unwrap_or_else(|| panic!("{file} at {at}: {reply}"));
    let bytes = items[1].bytes().expect("bytes").to_vec();
    assert_eq!(items[0].int(), Some(crc32(&bytes)), "{file} at {at}");
    bytes
}

fn fetch(fake: &mut Fake, manifest: &Manifest) {
    for (name, size) in &manifest.files {
        let mut at = 0;
        while at < *size {
            let piece = read(fake, &manifest.snapshot, name, at, 50_000);
            assert!(!piece.is_empty());
            at += piece.len() as u64;
        }
        assert_eq!(at, *size);
    }
}

fn snapshots(node: &Node) -> usize {
    std::fs::read_dir(node.server.dir().join("snapshots")).map_or(0, Iterator::count)
}

fn populated(more: &[&str]) -> Node {
    let node = Node::start(&[&["--enable-debug-command", "yes"], more].concat());
    assert!(node.call("DEBUG POPULATE 5000 key 200").is_ok());
    node
}

#[test]
fn a_snapshot_is_fetched_in_checked_pieces_and_goes_when_all_have_it() {
    let master = populated(&[]);
    let (mut one, mut two) = (Fake::greet(&master, CAPA), Fake::greet(&master, CAPA));
    let manifest = ask(&mut one);
    assert!(manifest.replay <= manifest.end && manifest.end <= master.offset());
    assert!(manifest.files.iter().any(|(name, _)| name == "CURRENT"));
    assert!(manifest.files.iter().map(|(_, size)| size).sum::<u64>() > 100_000);
    assert_eq!(ask(&mut two).snapshot, manifest.snapshot, "two share one");
    assert_eq!(snapshots(&master), 1);
    assert!(master.info("slave0").contains("state=send_bulk"));
    fetch(&mut one, &manifest);
    master.call("SET later 1");
    for fake in [&mut one, &mut two] {
        assert!(
            fake.client
                .words(&format!("BASALTSYNC DONE {}", manifest.snapshot))
                .is_ok()
        );
        assert_eq!(
            fake.psync(&manifest.id, manifest.replay),
            format!("CONTINUE {}", manifest.id)
        );
        assert!(
            fake.commands_to(master.offset())
                .contains(&"SET later 1".to_owned())
        );
    }
    master.until("the snapshot is removed", |node| snapshots(node) == 0);
    assert_eq!(master.info("sync_full"), "2");
    assert_eq!(master.info("basalt_snapshots"), "0");
}

#[test]
fn a_fetch_that_was_cut_goes_on_with_the_same_snapshot() {
    let mut master = populated(&["--repl-timeout", "3"]);
    let mut fake = Fake::greet(&master, CAPA);
    let manifest = ask(&mut fake);
    drop(fake);
    let mut fake = Fake::greet(&master, CAPA);
    assert_eq!(ask(&mut fake).snapshot, manifest.snapshot);
    fetch(&mut fake, &manifest);
    // What is not there is not read, and does no harm.
    for line in [
        format!("BASALTSYNC READ {} nosuch 0 10", manifest.snapshot),
        format!("BASALTSYNC READ {} ../binlog/ring 0 10", manifest.snapshot),
        format!("BASALTSYNC READ {} CURRENT 100000 10", manifest.snapshot),
        "BASALTSYNC MANIFEST nosuch".to_owned(),
        format!("BASALTSYNC READ {} CURRENT x 10", manifest.snapshot),
    ] {
        assert!(fake.client.words(&line).is_error(), "{line}");
    }
    drop(fake);
    // Nobody came back for it.
    master.until("the snapshot is removed", |node| snapshots(node) == 0);
    // What a kill leaves is removed at the next start.
    let mut fake = Fake::greet(&master, CAPA);
    assert_ne!(ask(&mut fake).snapshot, manifest.snapshot);
    assert_eq!(snapshots(&master), 1);
    master.server.kill();
    master.server.start_again();
    assert_eq!(snapshots(&master), 0);
}

#[test]
fn the_log_a_snapshot_needs_stays() {
    let master = populated(&[
        "--binlog-segment-bytes",
        "1mb",
        "--binlog-retention-bytes",
        "0",
    ]);
    let mut fake = Fake::greet(&master, CAPA);
    let manifest = ask(&mut fake);
    let mut client = master.client();
    let value = "x".repeat(100_000);
    for n in 0..60 {
        client.call(&["SET", &format!("big:{n}"), &value]).unwrap();
    }
    assert!(client.words("SAVE").is_ok());
    client.words("BINLOG PURGE");
    assert_eq!(
        fake.psync(&manifest.id, manifest.replay),
        format!("CONTINUE {}", manifest.id)
    );
    let commands = fake.commands_to(master.offset());
    assert!(
        commands
            .iter()
            .filter(|line| line.starts_with("SET big:"))
            .count()
            == 60
    );
    // Once it is acknowledged, the log may go.
    fake.ack();
    master.until("the log goes", |node| {
        node.call("BINLOG PURGE");
        node.number("repl_backlog_first_byte_offset") > manifest.replay
    });
}

#[test]
fn the_pace_of_full_syncs_is_limited() {
    let master = populated(&["--repl-sync-rate-bytes", "300kb"]);
    let mut fake = Fake::greet(&master, CAPA);
    let manifest = ask(&mut fake);
    let largest = manifest
        .files
        .iter()
        .max_by_key(|(_, size)| *size)
        .expect("files");
    let begun = Instant::now();
    let mut at = 0;
    // Five grants: four waits of a sixth of a second.
    for _ in 0..5 {
        let piece = read(
            &mut fake,
            &manifest.snapshot,
            &largest.0,
            at % largest.1,
            50_000,
        );
        at += piece.len() as u64;
    }
    assert!(
        begun.elapsed() > Duration::from_millis(600),
        "{:?}",
        begun.elapsed()
    );
}
