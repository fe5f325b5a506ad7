//! FAILOVER.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::fake::{Fake, PORT};
use crate::node::Node;

fn state(node: &Node) -> String {
    node.info("master_failover_state")
}

#[test]
fn a_handover_loses_no_write_and_needs_no_full_sync() {
    let old = Node::start(&[]);
    let new = Node::start_following(old.port(), &[]);
    new.assert_same_as(&old);
    let (full, stop) = (old.full_syncs(), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (mut client, stop) = (old.client(), Arc::clone(&stop));
            thread::spawn(move || {
                let mut acknowledged = 0;
                while !stop.load(Ordering::Relaxed) {
                    let reply =
                        client.words(&format!("SET w:{writer}:{acknowledged} {acknowledged}"));
                    if !reply.is_ok() {
                        assert!(reply.text().starts_with("READONLY"), "{reply}");
                        break;
                    }
                    acknowledged += 1;
                }
                (writer, acknowledged)
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    assert!(old.call("FAILOVER").is_ok());
    old.until("the roles are exchanged", |node| {
        node.info("role") == "slave" && new.info("role") == "master"
    });
    stop.store(true, Ordering::Relaxed);
    let mut client = new.client();
    for writer in writers {
        let (writer, acknowledged) = writer.join().expect("only refusals end a writer");
        assert!(acknowledged > 0);
        for n in 0..acknowledged {
            let value = client.words(&format!("GET w:{writer}:{n}"));
            assert_eq!(
                value.text(),
                n.to_string(),
                "w:{writer}:{n} was acknowledged"
            );
        }
    }
    assert!(new.call("SET after 1").is_ok());
    old.assert_same_as(&new);
    assert_eq!(state(&old), "no-failover");
    assert_eq!((old.full_syncs(), new.full_syncs()), (full, 0));
    // And back again.
    assert!(
        new.call(&format!(
            "FAILOVER TO 127.0.0.1 {} TIMEOUT 10000",
            old.port()
        ))
        .is_ok()
    );
    new.until("the roles are exchanged again", |node| {
        node.info("role") == "slave" && old.info("role") == "master"
    });
    assert!(old.call("SET again 1").is_ok());
    new.assert_same_as(&old);
    assert_eq!((old.full_syncs(), new.full_syncs()), (full, 0));
}

#[test]
fn a_handover_waits_for_its_target_and_can_be_called_off() {
    let master = Node::start(&[]);
    let mut fake = Fake::following(&master);
    master.call("SET a 1");
    assert!(master.call("FAILOVER").is_ok());
    master.until("it waits", |node| state(node) == "waiting-for-sync");
    assert_eq!(
        master.call("FAILOVER").text(),
        "ERR FAILOVER already in progress."
    );
    let mut writer = master.client();
    writer.send(&["SET", "a", "2"]).unwrap();
    assert!(writer.silent_for(Duration::from_millis(200)).unwrap());
    assert_eq!(master.call("GET a").text(), "1", "reads go on");
    // CLIENT UNPAUSE ends other pauses.
    assert!(master.call("CLIENT UNPAUSE").is_ok());
    assert!(writer.silent_for(Duration::from_millis(50)).unwrap());
    assert!(master.call("FAILOVER ABORT").is_ok());
    assert!(writer.read().unwrap().is_ok());
    master.until("it is over", |node| state(node) == "no-failover");
    assert_eq!(master.info("role"), "master");
    // A limit does the same.
    assert!(
        master
            .call(&format!("FAILOVER TO 127.0.0.1 {PORT} TIMEOUT 200"))
            .is_ok()
    );
    master.until("it is over", |node| state(node) == "no-failover");
    assert!(master.call("SET a 3").is_ok());
    // Everything is acknowledged, but nobody listens where the replica says it does.
    while fake.offset < master.offset() {
        fake.command();
    }
    fake.ack();
    assert!(master.call("FAILOVER").is_ok());
    fake.answer_getack();
    master.until("it is asked", |node| state(node) == "failover-in-progress");
    assert!(master.call("FAILOVER ABORT").is_ok());
    master.until("it is over", |node| state(node) == "no-failover");
    assert!(master.call("SET a 4").is_ok());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let master = Node::start(&[]);
    for (line, error) in [
        ("FAILOVER", "ERR FAILOVER requires connected replicas."),
        ("FAILOVER ABORT", "ERR No failover in progress."),
        ("FAILOVER TO a", "ERR syntax error"),
        (
            "FAILOVER TIMEOUT 0",
            "ERR FAILOVER timeout must be greater than 0",
        ),
        ("FAILOVER ABORT x", "ERR syntax error"),
    ] {
        assert_eq!(master.call(line).text(), error, "{line}");
    }
    let _fake = Fake::following(&master);
    master.until("it is there", |node| node.info("connected_slaves") == "1");
    for (line, error) in [
        (
            "FAILOVER FORCE",
            "ERR FAILOVER with force option requires both a timeout and target HOST and IP.",
        ),
        (
            "FAILOVER TO h 1",
            "ERR FAILOVER target HOST and PORT is not a replica.",
        ),
    ] {
        assert_eq!(master.call(line).text(), error, "{line}");
    }
}
