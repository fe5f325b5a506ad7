//! `kill -9` of either side under load.

use std::thread;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::node::Node;
use crate::support::env_number;
use crate::writer::Writers;

fn cycles() -> u64 {
    env_number("BASALT_REPL_CYCLES", 4)
}

#[test]
fn a_replica_killed_under_load_resumes_where_its_log_ends() {
    let seed = env_number("BASALT_REPL_SEED", 7);
    let mut rng = SmallRng::seed_from_u64(seed);
    let master = Node::start(&[]);
    let mut replica = Node::start_following(master.port(), &[]);
    replica.assert_same_as(&master);
    let writers = Writers::start(master.port(), 3, seed);
    for _ in 0..cycles() {
        thread::sleep(Duration::from_millis(rng.random_range(50..700)));
        replica.server.crash();
    }
    replica.until_linked();
    writers.stop();
    replica.assert_same_as(&master);
    assert_eq!(master.full_syncs(), 1, "{}", replica.server.log());
    println!(
        "{} kills of the replica under load: digests equal, no full sync but the first; {} keys",
        cycles(),
        replica.call("DBSIZE")
    );
}

#[test]
fn a_master_killed_under_load_goes_on_with_its_replicas() {
    let seed = env_number("BASALT_REPL_SEED", 8);
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut master = Node::start(&[]);
    let replica = Node::start_following(master.port(), &[]);
    replica.assert_same_as(&master);
    let writers = Writers::start(master.port(), 3, seed);
    for _ in 0..cycles() {
        thread::sleep(Duration::from_millis(rng.random_range(50..700)));
        master.server.crash();
    }
    writers.stop();
    replica.assert_same_as(&master);
    // The replica has fetched one snapshot in its life: its first.
    let log = std::fs::read_to_string(replica.server.dir().join("log")).expect("a log");
    assert_eq!(log.matches("the snapshot is here").count(), 1, "{log}");
    println!(
        "{} kills of the master under load: digests equal, no full sync but the first; {} keys",
        cycles(),
        replica.call("DBSIZE")
    );
}

#[test]
fn both_stopped_in_order_go_on() {
    let mut master = Node::start(&[]);
    let mut replica = Node::start_following(master.port(), &[]);
    replica.assert_same_as(&master);
    let writers = Writers::start(master.port(), 2, 9);
    thread::sleep(Duration::from_millis(300));
    writers.stop();
    assert!(replica.server.terminate());
    assert!(master.call("SELECT 2").is_ok());
    let mut client = master.client();
    client.words("SELECT 2");
    client.words("SET while away");
    assert!(master.server.terminate());
    master.server.start_again();
    assert!(master.call("SET after start").is_ok());
    replica.server.start_again();
    replica.assert_same_as(&master);
    assert_eq!(master.full_syncs(), 0);
}
