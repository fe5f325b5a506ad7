//! Links that are cut, at any byte, and links that fall silent.

use std::thread;
use std::time::Duration;

use crate::node::Node;
use crate::proxy::Proxy;
use crate::support::env_number;
use crate::writer::Writers;

#[test]
fn a_link_cut_at_any_byte_resumes_without_a_full_sync() {
    let seed = env_number("BASALT_REPL_SEED", 5);
    let master = Node::start(&[]);
    let proxy = Proxy::start(master.port(), seed);
    let replica = Node::start_following(proxy.port(), &[]);
    replica.assert_same_as(&master);
    assert_eq!(master.full_syncs(), 1);
    proxy.cut_within(60_000);
    replica.call("CLIENT KILL TYPE master");
    master.call("CLIENT KILL TYPE replica");
    let writers = Writers::start(master.port(), 3, seed);
    let wanted = env_number("BASALT_REPL_CYCLES", 8);
    let before = proxy.cuts();
    replica.until("the link was cut often enough", |_| {
        proxy.cuts() >= before + wanted
    });
    proxy.cut_within(0);
    writers.stop();
    replica.assert_same_as(&master);
    assert_eq!(master.full_syncs(), 1, "{}", replica.server.log());
    assert!(master.number("sync_partial_ok") >= wanted);
}

#[test]
fn a_silent_link_is_given_up_after_repl_timeout() {
    let master = Node::start(&[]);
    let proxy = Proxy::start(master.port(), 6);
    let replica = Node::start_following(proxy.port(), &[]);
    replica.assert_same_as(&master);
    replica.call("CONFIG SET repl-timeout 2");
    proxy.mute(true);
    replica.until("the link is down", |node| {
        node.info("master_link_status") == "down"
    });
    assert!(master.call("SET k v").is_ok());
    proxy.mute(false);
    replica.assert_same_as(&master);
    assert_eq!(master.full_syncs(), 1);
}

#[test]
fn a_small_replica_falls_behind_rather_than_grow() {
    let master = Node::start(&[]);
    let replica = Node::start_following(master.port(), &["--maxmemory", "60mb"]);
    replica.until_linked();
    let mut client = master.client();
    let value = "x".repeat(4000);
    for round in 0..60 {
        let batch: Vec<Vec<String>> = (0..500)
            .map(|n| vec!["SET".into(), format!("big:{round}:{n}"), value.clone()])
            .collect();
        client.pipeline(&batch).expect("the master takes writes");
    }
    replica.assert_same_as(&master);
    // 120 MB were written; the budget and what a process needs besides is less.
    let used = replica.number("used_memory");
    assert!(used < 70 << 20, "{used} bytes are in use");
    thread::sleep(Duration::from_millis(1));
}
