//! Promotion: offsets go on, siblings and the old master resume.

use std::thread;
use std::time::Duration;

use crate::node::Node;
use crate::writer::Writers;

#[test]
fn a_promoted_replica_is_followed_by_its_siblings_and_by_the_old_master() {
    let a = Node::start(&[]);
    let b = Node::start_following(a.port(), &[]);
    let c = Node::start_following(a.port(), &[]);
    let mut client = a.client();
    client.words("SELECT 3");
    client.words("SET in three");
    b.assert_same_as(&a);
    c.assert_same_as(&a);
    let (old_id, old_offset) = (a.info("master_replid"), a.offset());
    b.lead();
    assert_ne!(b.info("master_replid"), old_id);
    assert_eq!(b.info("master_replid2"), old_id);
    assert!(b.number("second_repl_offset") > old_offset.saturating_sub(1));
    let mut client = b.client();
    client.words("SELECT 3");
    client.words("APPEND in !");
    c.follow(b.port());
    a.follow(b.port());
    c.assert_same_as(&b);
    a.assert_same_as(&b);
    assert_eq!(b.full_syncs(), 0, "{}", b.server.log());
    let mut client = a.client();
    client.words("SELECT 3");
    assert_eq!(client.words("GET in").text(), "three!");
}

#[test]
fn writes_the_promoted_replica_never_saw_are_discarded_and_counted() {
    let a = Node::start(&[]);
    let b = Node::start_following(a.port(), &[]);
    assert!(a.call("SET k 1").is_ok());
    b.assert_same_as(&a);
    b.lead();
    assert!(a.call("SET lost yes").is_ok());
    assert!(b.call("SET kept yes").is_ok());
    a.follow(b.port());
    a.assert_same_as(&b);
    assert_eq!(b.full_syncs(), 1);
    assert_eq!(a.call("GET lost").to_string(), "(nil)");
    let log = a.server.log();
    assert!(log.contains("bytes of this node's own writes"), "{log}");
    let line = log
        .lines()
        .find(|line| line.contains("of this node's own writes"))
        .unwrap();
    assert!(!line.contains(" 0 bytes"), "{line}");
}

#[test]
fn promotion_while_writing_loses_nothing_that_was_acknowledged_by_wait() {
    let mut a = Node::start(&[]);
    let b = Node::start_following(a.port(), &[]);
    let c = Node::start_following(a.port(), &[]);
    b.assert_same_as(&a);
    c.assert_same_as(&a);
    let writers = Writers::start(a.port(), 3, 13);
    let mut client = a.client();
    // The writers flush and swap the databases before.
    client.words("SELECT 9");
    let mut sure = 0;
    for n in 0..200 {
        client.words(&format!("SET sure:{n} {n}"));
        if client.words("WAIT 2 2000").int() == Some(2) {
            sure = n + 1;
        }
    }
    assert!(sure > 100, "WAIT was answered {sure} times");
    a.server.kill();
    writers.stop();
    b.lead();
    let mut client = b.client();
    client.words("SELECT 9");
    for n in 0..sure {
        assert_eq!(client.words(&format!("GET sure:{n}")).text(), n.to_string());
    }
    let writers = Writers::start(b.port(), 3, 14);
    c.follow(b.port());
    thread::sleep(Duration::from_millis(300));
    writers.stop();
    c.assert_same_as(&b);
    a.server.start_again();
    a.follow(b.port());
    a.assert_same_as(&b);
}

#[test]
fn a_replica_that_starts_without_its_master_in_the_configuration_leads_under_a_new_id() {
    let master = Node::start(&[]);
    assert!(master.call("SET k v").is_ok());
    let mut replica = Node::start(&[]);
    replica.follow(master.port());
    replica.assert_same_as(&master);
    replica.server.crash();
    assert_eq!(replica.info("role"), "master");
    assert_ne!(replica.info("master_replid"), master.info("master_replid"));
    assert_eq!(replica.info("master_replid2"), master.info("master_replid"));
    assert!(replica.call("SET k w").is_ok());
}
