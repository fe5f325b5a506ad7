//! Links that are slow, or of which one side has gone without the other noticing.

use std::thread;
use std::time::Duration;

use crate::node::Node;
use crate::proxy::Proxy;
use crate::writer::Writers;

fn linked(seed: u64) -> (Node, Proxy, Node) {
    let master = Node::start(&[]);
    let proxy = Proxy::start(master.port(), seed);
    // Without its side connection: every link is the stream's.
    let replica = Node::start_following(proxy.port(), &["--replica-warm", "no"]);
    replica.assert_same_as(&master);
    (master, proxy, replica)
}

#[test]
fn a_slow_link_costs_the_master_no_memory_and_is_not_cut() {
    let (master, proxy, replica) = linked(21);
    let links = proxy.links();
    proxy.pace(400_000);
    let before = master.number("used_memory");
    let mut client = master.client();
    let value = "x".repeat(1000);
    for _ in 0..60 {
        // The same keys again and again: the data does not grow, the stream does.
        let batch: Vec<Vec<String>> = (0..500)
            .map(|n| vec!["SET".into(), format!("k:{n}"), value.clone()])
            .collect();
        client.pipeline(&batch).expect("the master takes writes");
    }
    thread::sleep(Duration::from_secs(3));
    let lag = master.offset() - replica.number("slave_repl_offset");
    assert!(lag > 20_000_000, "{lag}");
    let grown = master.number("used_memory").saturating_sub(before);
    assert!(grown < 12_000_000, "{grown} bytes for {lag} bytes of lag");
    proxy.pace(0);
    replica.assert_same_as(&master);
    assert_eq!((proxy.links(), master.full_syncs()), (links, 1));
}

#[test]
fn a_link_that_died_unnoticed_is_left_by_both_sides() {
    let (master, proxy, replica) = linked(22);
    for node in [&master, &replica] {
        node.call("CONFIG SET repl-timeout 2");
    }
    let writers = Writers::start(master.port(), 2, 22);
    thread::sleep(Duration::from_millis(300));
    proxy.kill_links_silently();
    let links = proxy.links();
    replica.until("it has a new link", |_| proxy.links() > links);
    writers.stop();
    replica.assert_same_as(&master);
    master.until("the dead link is gone", |node| {
        node.info("connected_slaves") == "1"
    });
    assert_eq!(master.full_syncs(), 1, "{}", replica.server.log());
}

#[test]
fn a_master_that_hears_nothing_leaves_and_the_replica_comes_again() {
    let (master, proxy, replica) = linked(23);
    master.call("CONFIG SET repl-timeout 2");
    proxy.deaf(true);
    let mut client = master.client();
    assert!(client.words("SET k v").is_ok());
    // The stream still arrives; that it does nobody tells the master.
    replica.until("the write arrives", |node| node.call("GET k").text() == "v");
    assert_eq!(client.words("WAIT 1 300").int(), Some(0));
    master.until("it has given up", |node| {
        node.server.log().contains("silent for too long")
    });
    proxy.deaf(false);
    replica.assert_same_as(&master);
    assert_eq!(client.words("WAIT 1 20000").int(), Some(1));
    assert_eq!(master.full_syncs(), 1, "{}", replica.server.log());
}
