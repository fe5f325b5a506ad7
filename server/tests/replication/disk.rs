//! A replica whose disk is full: it stops, keeps what it has, and goes on when there is room.
//!
//! The disk is a small file system in memory. To mount one takes root; without, these scenarios say so and pass.

use std::path::Path;
use std::process::Command;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::node::Node;

struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path, mib: u32) -> Option<Disk<'a>> {
        let size = format!("size={mib}m");
        let args = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        let done = Command::new("mount").args(args).arg(at).status();
        if done.is_ok_and(|status| status.success()) {
            return Some(Disk(at));
        }
        eprintln!("skipped: a file system cannot be mounted here");
        None
    }

    fn resize(&self, mib: u32) {
        let size = format!("remount,size={mib}m");
        let done = Command::new("mount")
            .args(["-o", &size])
            .arg(self.0)
            .status();
        assert!(done.expect("mount").success());
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

const SMALL: [&str; 4] = [
    "--binlog-segment-bytes",
    "4mb",
    "--binlog-retention-bytes",
    "4mb",
];

fn write(node: &Node, batches: usize) {
    let mut client = node.client();
    let value = "x".repeat(1000);
    for batch in 0..batches {
        let batch: Vec<Vec<String>> = (0..500)
            .map(|n| {
                let value = format!("{value}{batch}{n}");
                vec!["SET".into(), format!("k:{}", n * 7 + batch % 7), value]
            })
            .collect();
        client.pipeline(&batch).expect("the master takes writes");
    }
}

#[test]
fn a_replica_whose_disk_is_full_goes_on_when_there_is_room() {
    let master = Node::start(&[]);
    let mut replica = Node::start(&SMALL);
    assert!(replica.server.terminate());
    let dir = replica.server.dir().to_owned();
    let Some(disk) = Disk::mount(&dir, 48) else {
        return;
    };
    replica.server.start_again();
    replica.follow(master.port());
    replica.assert_same_as(&master);
    let filler = dir.join("filler");
    let full = std::fs::write(&filler, vec![1; 64 << 20]);
    assert!(full.is_err(), "the disk is full");
    write(&master, 60);
    replica.until("it is behind", |node| {
        master.offset() > node.number("slave_repl_offset") + 1_000_000
    });
    // It still serves, and the master is none the worse.
    assert!(replica.call("DBSIZE").int().is_some());
    assert!(master.call("SET while full").is_ok());
    std::thread::sleep(std::time::Duration::from_secs(2));
    disk.resize(400);
    std::fs::remove_file(&filler).expect("it is there");
    replica.assert_same_as(&master);
    assert_eq!(master.full_syncs(), 1, "{}", replica.server.log());
    // What it wrote meanwhile is whole.
    replica.server.crash();
    replica.until("it holds what it held", |node| {
        node.call("GET while").text() == "full"
    });
    assert!(replica.server.terminate());
}

#[test]
fn a_full_sync_that_finds_no_room_leaves_the_replica_as_it_was() {
    let master = Node::start(&[]);
    write(&master, 7);
    let mut rng = SmallRng::seed_from_u64(1);
    let random: String = (0..40_000_000)
        .map(|_| char::from(rng.random_range(b'!'..b'~')))
        .collect();
    for (n, part) in random.as_bytes().chunks(1_000_000).enumerate() {
        let part = String::from_utf8(part.to_vec()).expect("text");
        let set = vec!["SET".into(), format!("large:{n}"), part];
        master.client().pipeline(&[set]).expect("it takes it");
    }
    let mut replica = Node::start(&SMALL);
    assert!(replica.server.terminate());
    let dir = replica.server.dir().to_owned();
    let Some(disk) = Disk::mount(&dir, 40) else {
        return;
    };
    replica.server.start_again();
    assert!(replica.call("SET old yes").is_ok());
    replica.follow(master.port());
    replica.until("it has run out of room", |node| {
        node.server.log().contains("No space left")
    });
    assert_eq!(replica.call("GET old").text(), "yes");
    disk.resize(400);
    replica.assert_same_as(&master);
    assert!(replica.server.terminate());
}
