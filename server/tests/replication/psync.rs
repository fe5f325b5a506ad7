//! What a master sends to whom, seen from a replica written by hand.

use std::time::{Duration, Instant};

use crate::fake::{Fake, PORT};
use crate::node::Node;

#[test]
fn the_stream_is_the_log_from_its_first_byte() {
    let master = Node::start(&[]);
    master.call("SET a 1");
    master.call("SET b 2");
    let mut fake = Fake::following(&master);
    let end = master.offset();
    assert_eq!(fake.commands_to(end), ["SELECT 0", "SET a 1", "SET b 2"]);
    // Who joins must not depend on what was selected before.
    master.call("SET c 3");
    assert_eq!(fake.command(), "SELECT 0");
    assert_eq!(fake.command(), "SET c 3");
    fake.ack();
    let field = format!(
        "ip=127.0.0.1,port={PORT},state=online,offset={},lag=0",
        fake.offset
    );
    master.until("the acknowledgement arrives", |node| {
        node.info("slave0") == field
    });
    assert_eq!(master.info("connected_slaves"), "1");
    assert!(
        master
            .call("CLIENT LIST TYPE replica")
            .text()
            .contains(" flags=S ")
    );
    assert_eq!(master.call("CLIENT LIST TYPE master").text(), "");
    let role = master.call("ROLE");
    let role = role.items().expect("an array");
    assert_eq!(role[0].text(), "master");
    let offset = fake.offset.to_string();
    assert_eq!(
        role[2].to_string(),
        format!("[[\"127.0.0.1\", \"{PORT}\", \"{offset}\"]]")
    );
    drop(fake);
    master.until("it is gone", |node| node.info("connected_slaves") == "0");
    assert_eq!(master.info("sync_partial_ok"), "1");
    assert_eq!(master.info("sync_full"), "0");
}

/// A sibling that moves over to a replica may be ahead of it for a moment. That is no reason for a full sync.
#[test]
fn who_is_ahead_of_a_replica_waits_for_it() {
    let master = Node::start(&[]);
    let replica = Node::start_following(master.port(), &[]);
    replica.assert_same_as(&master);
    let id = master.info("master_replid");
    let (ahead, before) = (replica.offset() + 1_000_000, replica.full_syncs());
    let mut fake = Fake::greet(&replica, &["eof", "psync2"]);
    let answer = fake.psync(&id, ahead);
    assert!(answer.starts_with("NOMASTERLINK"), "{answer}");
    assert_eq!(replica.full_syncs(), before);
}

#[test]
fn a_stream_begins_at_any_byte_and_across_segments() {
    let master = Node::start(&[]);
    let mut client = master.client();
    for round in 0..5 {
        for n in 0..50 {
            client.words(&format!("SET key:{round}:{n} {}", "v".repeat(n)));
        }
        // Sealed segments are read as well as the one being written.
        assert!(client.words("BINLOG ROTATE").is_ok());
    }
    let end = master.offset();
    let id = master.info("master_replid");
    let whole = Fake::following(&master).bytes(end);
    for from in [1, 23, 24, end / 3, end / 2 + 7, end - 1, end] {
        let mut fake = Fake::greet(&master, &["eof", "psync2"]);
        assert_eq!(fake.psync(&id, from), format!("CONTINUE {id}"));
        let got = fake.bytes(end - from);
        assert!(
            got == whole[from as usize..],
            "the stream from {from} differs"
        );
    }
}

#[test]
fn the_master_gives_signs_of_life_only_while_somebody_listens() {
    let master = Node::start(&["--repl-ping-replica-period", "1"]);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(master.offset(), 0);
    let mut fake = Fake::following(&master);
    assert_eq!(fake.command(), "PING");
    assert_eq!(fake.command(), "PING");
    // They consume offsets, and nothing else.
    assert_eq!(master.offset(), fake.offset);
    assert_eq!(master.call("DBSIZE").int(), Some(0));
}

#[test]
fn silence_cuts_a_replica_slowness_does_not() {
    let master = Node::start(&["--repl-timeout", "2"]);
    let silent = Fake::following(&master);
    let mut slow = Fake::following(&master);
    // More than sockets buffer, so that the slow one makes its feeder wait.
    let mut client = master.client();
    let value = "x".repeat(1 << 20);
    let before = memory_bytes(&master);
    for _ in 0..96 {
        assert!(client.call(&["SET", "k", &value]).unwrap().is_ok());
    }
    let grown = memory_bytes(&master).saturating_sub(before);
    assert!(
        grown < 48 << 20,
        "{grown} bytes more for replicas that do not read"
    );
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        slow.ack_at(0, None);
        std::thread::sleep(Duration::from_millis(200));
    }
    master.until("the silent one is cut", |node| {
        node.info("connected_slaves") == "1"
    });
    let end = master.offset();
    let bytes = slow.bytes(end);
    assert_eq!(bytes.len() as u64, end);
    slow.ack();
    // What it was sent before is still in its socket.
    drop(silent);
}

/// What the master has resident beyond its files.
fn memory_bytes(node: &Node) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", node.server.pid())).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .expect("a line");
    let kb: u64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    kb << 10
}

#[test]
fn who_has_another_past_is_not_continued() {
    let master = Node::start(&[]);
    master.call("SET a 1");
    let id = master.info("master_replid");
    let no_sync = "ERR full sync of Redis replicas is not supported yet";
    let mut fake = Fake::greet(&master, &["eof", "psync2"]);
    assert_eq!(fake.psync("?", 0), no_sync);
    assert_eq!(fake.psync(&"0".repeat(40), 5), no_sync);
    assert_eq!(fake.psync(&id, master.offset() + 1), no_sync);
    assert_eq!(fake.client.words("SYNC").text(), no_sync);
    assert_eq!(master.info("sync_partial_err"), "2");
    assert_eq!(fake.psync(&id, 3), format!("CONTINUE {id}"));
    let mut fake = Fake::greet(&master, &["eof"]);
    // Who does not know of ids that change is told none.
    assert_eq!(fake.psync(&id, 3), "CONTINUE");
    let mut client = master.client();
    assert_eq!(
        client.words(&format!("PSYNC {id} 1 FAILOVER")).text(),
        "ERR PSYNC FAILOVER can't be sent to a master."
    );
    assert_eq!(
        client.words("PSYNC ? x").text(),
        "ERR value is not an integer or out of range"
    );
}

#[test]
fn replicas_are_closed_by_their_kind() {
    let master = Node::start(&[]);
    let mut fake = Fake::following(&master);
    master.until("it is there", |node| node.info("connected_slaves") == "1");
    assert_eq!(master.call("CLIENT KILL TYPE master").int(), Some(0));
    assert_eq!(master.call("CLIENT KILL TYPE replica").int(), Some(1));
    assert!(fake.closed());
    assert_eq!(master.call("PING").text(), "PONG");
}

#[test]
fn a_master_that_ends_sends_what_it_has() {
    let mut master = Node::start(&[]);
    let mut fake = Fake::following(&master);
    let mut client = master.client();
    for n in 0..1000 {
        client.words(&format!("SET k:{n} {n}"));
    }
    let end = master.offset();
    assert!(master.server.terminate());
    assert!(fake.commands_to(end).contains(&"SET k:999 999".to_owned()));
    assert!(fake.closed());
}

#[test]
fn an_id_survives_restarts_and_kills() {
    let mut master = Node::start(&[]);
    master.call("SET a 1");
    let (id, end) = (master.info("master_replid"), master.offset());
    assert!(master.server.terminate());
    master.server.start_again();
    assert_eq!(master.info("master_replid"), id);
    master.server.kill();
    master.server.start_again();
    assert_eq!(master.info("master_replid"), id);
    let mut fake = Fake::greet(&master, &["psync2"]);
    assert_eq!(fake.psync(&id, end), format!("CONTINUE {id}"));
}
