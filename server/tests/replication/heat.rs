//! Heat: what is hot at the master is in memory at the replica.

use crate::node::Node;

#[test]
fn a_replica_warms_what_is_hot_at_its_master() {
    let master = Node::start(&[]);
    let replica = Node::start_following(master.port(), &[]);
    // What is written before comes as files, and is not in the replica's memory.
    replica.until_linked();
    let mut client = master.client();
    for n in 0..200 {
        client.words(&format!("SET k:{n} v"));
    }
    for _ in 0..50 {
        client.words("GET k:7");
    }
    replica.assert_same_as(&master);
    let hot = client.words("BASALTSYNC HOT 1000");
    let hot = hot.items().expect("an array");
    assert_eq!(hot.len(), 200 * 3);
    assert_eq!((hot[0].int(), hot[2].text()), (Some(0), "k:7".to_owned()));
    assert!(
        hot[1].int() > hot[598].int(),
        "hottest first, with counters"
    );
    assert_eq!(
        client.words("BASALTSYNC HOT 2").items().map(<[_]>::len),
        Some(6)
    );
    assert_eq!(
        client.words("BASALTSYNC HOT x").text(),
        "ERR value is not an integer or out of range"
    );
    assert!(replica.call("TIER SPILL ALL").int() > Some(0));
    replica.until("it asks, and warms", |node| {
        node.number("warmed_keys") >= 200
    });
}

#[test]
fn warmth_can_be_switched_off() {
    let master = Node::start(&[]);
    let replica = Node::start_following(master.port(), &["--replica-warm", "no"]);
    master.call("SET k v");
    replica.assert_same_as(&master);
    replica.call("TIER SPILL ALL");
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(replica.number("warmed_keys"), 0);
}
