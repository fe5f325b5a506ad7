//! Replicas of replicas.

use std::thread;
use std::time::Duration;

use crate::node::Node;
use crate::writer::Writers;

#[test]
fn a_chain_of_three_holds_the_same() {
    let first = Node::start(&[]);
    let mut second = Node::start_following(first.port(), &[]);
    second.assert_same_as(&first);
    let third = Node::start_following(second.port(), &[]);
    third.assert_same_as(&second);
    let writers = Writers::start(first.port(), 2, 11);
    thread::sleep(Duration::from_millis(500));
    second.server.crash();
    thread::sleep(Duration::from_millis(500));
    writers.stop();
    second.assert_same_as(&first);
    third.assert_same_as(&second);
    // Not the digests of one moment each: keys expire meanwhile.
    third.assert_same_as(&first);
    assert_eq!(first.full_syncs(), 1);
    // The middle one takes over; its replica goes on.
    second.lead();
    assert!(second.call("SET after promotion").is_ok());
    third.assert_same_as(&second);
    assert_eq!(second.full_syncs(), 0, "{}", second.server.log());
    assert_eq!(third.call("GET after").text(), "promotion");
}

#[test]
fn a_full_sync_in_the_middle_reaches_the_end_of_the_chain() {
    let first = Node::start(&[]);
    assert!(first.call("SET of first").is_ok());
    let second = Node::start(&[]);
    let third = Node::start_following(second.port(), &[]);
    third.assert_same_as(&second);
    second.follow(first.port());
    second.assert_same_as(&first);
    third.assert_same_as(&second);
    assert_eq!(third.call("GET of").text(), "first");
}
