//! Full syncs.

use std::thread;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::node::Node;
use crate::proxy::Proxy;
use crate::writer::Writers;

fn fill(node: &Node, keys: usize, bytes: usize) {
    let mut client = node.client();
    // Nothing that compresses, for there to be something to fetch.
    let mut rng = SmallRng::seed_from_u64(bytes as u64);
    let mut value = || -> String {
        (0..bytes)
            .map(|_| char::from(rng.random_range(b'!'..b'~')))
            .collect()
    };
    for first in (0..keys).step_by(500) {
        let batch: Vec<Vec<String>> = (first..(first + 500).min(keys))
            .map(|n| vec!["SET".into(), format!("fill:{n}"), value()])
            .collect();
        client.pipeline(&batch).expect("the node takes writes");
    }
}

#[test]
fn a_new_replica_gets_everything_and_then_follows() {
    let master = Node::start(&[]);
    let mut client = master.client();
    client.words("SET a 1");
    client.words("SELECT 3");
    client.words("SET b 2 EX 1000");
    fill(&master, 3000, 200);
    let replica = Node::start(&[]);
    assert!(replica.call("SET own 1").is_ok());
    replica.follow(master.port());
    replica.assert_same_as(&master);
    assert_eq!(master.full_syncs(), 1);
    client.words("SET c 3");
    client.words("APPEND b x");
    let writers = Writers::start(master.port(), 3, 1);
    thread::sleep(Duration::from_millis(1500));
    writers.stop();
    replica.assert_same_as(&master);
    assert_eq!(master.full_syncs(), 1);
    // What it was before is gone from its disk, too.
    let names: Vec<String> = std::fs::read_dir(replica.server.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.contains(&"data-1".to_owned()), "{names:?}");
    replica.until("the old data is removed", |node| {
        !node.server.dir().join("cold").exists() && !node.server.dir().join("binlog").exists()
    });
}

#[test]
fn a_full_sync_goes_on_where_it_was_cut() {
    let master = Node::start(&[]);
    fill(&master, 12_000, 2000);
    let proxy = Proxy::start(master.port(), 3);
    proxy.cut_within(6 << 20);
    let replica = Node::start(&[]);
    let writers = Writers::start(master.port(), 1, 2);
    replica.follow(proxy.port());
    replica.until("the link was cut a few times", |_| proxy.cuts() >= 4);
    proxy.cut_within(0);
    replica.until_linked();
    writers.stop();
    replica.assert_same_as(&master);
    let log = replica.server.log();
    assert!(log.contains("the snapshot is here"), "{log}");
}

#[test]
fn a_replica_serves_its_old_data_until_the_new_is_complete() {
    let master = Node::start(&[]);
    fill(&master, 12_000, 2000);
    let proxy = Proxy::start(master.port(), 4);
    proxy.cut_within(1 << 20);
    let replica = Node::start(&[]);
    assert!(replica.call("SET old yes").is_ok());
    let mut connected = replica.client();
    connected.words("WATCH old");
    replica.follow(proxy.port());
    replica.until("it is being synced", |_| proxy.cuts() >= 2);
    assert_eq!(connected.words("GET old").text(), "yes");
    assert_eq!(replica.call("DBSIZE").int(), Some(1));
    assert!(replica.call("SET old no").text().starts_with("READONLY"));
    // Given up, the replica has what it had, and can write again.
    replica.lead();
    assert_eq!(replica.call("GET old").text(), "yes");
    assert!(replica.call("SET old no").is_ok());
    assert!(!replica.server.dir().join("CURRENT").exists());
    proxy.cut_within(0);
    replica.follow(proxy.port());
    replica.assert_same_as(&master);
    // The connection is still there, and sees the new data; what it watched has changed.
    assert_eq!(connected.words("GET old").text(), "(nil)");
    connected.words("MULTI");
    connected.words("GET old");
    assert_eq!(connected.words("EXEC").to_string(), "(nil array)");
}

#[test]
fn a_replica_killed_during_a_full_sync_is_what_it_was_or_what_it_became() {
    let master = Node::start(&[]);
    fill(&master, 8000, 1000);
    let mut replica = Node::start(&[]);
    assert!(replica.call("SET old yes").is_ok());
    replica.follow(master.port());
    let port = master.port().to_string();
    replica
        .server
        .add_args(&["--replicaof", "127.0.0.1", &port]);
    for life_ms in [1, 20, 60, 120, 250, 400] {
        thread::sleep(Duration::from_millis(life_ms));
        replica.server.crash();
        let size = replica.call("DBSIZE").int();
        assert!(size == Some(1) || size == Some(8000), "{size:?}");
    }
    replica.assert_same_as(&master);
}

#[test]
fn a_fetch_goes_on_after_the_replica_was_killed() {
    let master = Node::start(&["--repl-sync-rate-bytes", "8mb"]);
    fill(&master, 12_000, 2000);
    let mut replica = Node::start_following(master.port(), &[]);
    let held = |node: &Node| node.info("master_sync_read_bytes").parse().unwrap_or(0u64);
    replica.until("half of it is here", |node| held(node) > 12_000_000);
    replica.server.crash();
    replica.until("it goes on", |node| held(node) > 0);
    assert!(
        held(&replica) >= 12_000_000,
        "from the start again: {}",
        held(&replica)
    );
    replica.assert_same_as(&master);
    let sent = master.number("basalt_snapshot_bytes_sent");
    assert!(sent < 36_000_000, "{sent} bytes were sent");
    let left = replica.server.dir().join("data-1").join("fetching");
    assert!(!left.exists());
}
