//! What a replica says to its clients.

use std::thread;
use std::time::Duration;

use crate::node::Node;
use crate::support::server::{Binary, Server, free_port};

fn pair() -> (Node, Node) {
    let master = Node::start(&[]);
    let replica = Node::start_following(master.port(), &[]);
    replica.assert_same_as(&master);
    (master, replica)
}

#[test]
fn a_replica_refuses_writes_and_shows_its_role() {
    let (master, replica) = pair();
    let refused = "READONLY You can't write against a read only replica.";
    assert_eq!(replica.call("SET a b").text(), refused);
    assert_eq!(replica.call("FLUSHALL").text(), refused);
    let mut client = replica.client();
    client.words("MULTI");
    assert_eq!(client.words("DEL a").text(), refused);
    assert!(client.words("EXEC").text().starts_with("EXECABORT"));
    let role = replica.call("ROLE");
    let role = role.items().expect("an array");
    assert_eq!(role[0].text(), "slave");
    assert_eq!(role[1].text(), "127.0.0.1");
    assert_eq!(role[2].int(), Some(i64::from(master.port())));
    assert_eq!(role[3].text(), "connected");
    assert_eq!(role[4].int(), Some(master.offset() as i64));
    assert_eq!(replica.info("role"), "slave");
    assert_eq!(replica.info("master_host"), "127.0.0.1");
    assert_eq!(replica.info("slave_priority"), "100");
    assert_eq!(replica.info("slave_read_only"), "1");
    assert_eq!(
        replica.call("CONFIG GET replicaof").items().unwrap()[1].text(),
        format!("127.0.0.1 {}", master.port())
    );
    let again = replica.call(&format!("REPLICAOF 127.0.0.1 {}", master.port()));
    assert_eq!(again.text(), "OK Already connected to specified master");
    assert_eq!(
        replica.call("REPLICAOF h x").text(),
        "ERR Invalid master port"
    );
    assert_eq!(
        replica.call("CONFIG SET replicaof x").text(),
        "ERR CONFIG SET failed (possibly related to argument 'replicaof') - can't set immutable config"
    );
}

#[test]
fn without_a_link_old_data_is_served_unless_told_otherwise() {
    let (mut master, replica) = pair();
    assert!(master.call("SET a 1").is_ok());
    replica.assert_same_as(&master);
    master.server.kill();
    replica.until("the link is down", |node| {
        node.info("master_link_status") == "down"
    });
    assert_eq!(replica.call("GET a").text(), "1");
    assert!(
        replica
            .call("CONFIG SET replica-serve-stale-data no")
            .is_ok()
    );
    assert_eq!(
        replica.call("GET a").text(),
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
    );
    assert_eq!(
        replica.call("PING").text(),
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
    );
    assert_eq!(replica.info("role"), "slave");
    master.server.start_again();
    replica.until_linked();
    assert_eq!(replica.call("GET a").text(), "1");
}

#[test]
fn a_replica_expires_nothing_by_itself_and_shows_nothing_that_has_expired() {
    let (mut master, replica) = pair();
    let mut client = master.client();
    client.words("SET short x PX 300");
    client.words("SET long x");
    replica.assert_same_as(&master);
    // Nobody deletes it now.
    master.server.kill();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(replica.call("GET short").to_string(), "(nil)");
    assert_eq!(replica.call("EXISTS short").int(), Some(0));
    assert_eq!(replica.call("TTL short").int(), Some(-2));
    assert_eq!(replica.call("DBSIZE").int(), Some(2));
    master.server.start_again();
    replica.until("the master has deleted it", |node| {
        node.call("DBSIZE").int() == Some(1)
    });
}

#[test]
fn a_password_is_needed_where_the_master_has_one() {
    let master = Node::start(&[]);
    let mut admin = master.client();
    assert!(admin.words("SET k v").is_ok());
    assert!(admin.words("CONFIG SET requirepass secret").is_ok());
    let replica = Node::start(&[]);
    replica.follow(master.port());
    replica.until("the refusal is in the log", |node| {
        node.server.log().contains("NOAUTH")
    });
    assert_eq!(replica.info("master_link_status"), "down");
    assert!(replica.call("CONFIG SET masterauth secret").is_ok());
    replica.until_linked();
    assert_eq!(replica.call("GET k").text(), "v");
}

#[test]
fn a_writable_replica_keeps_its_own_writes_to_itself() {
    let (master, mut replica) = pair();
    assert!(replica.call("CONFIG SET replica-read-only no").is_ok());
    assert!(replica.call("SET own 1").is_ok());
    assert_eq!(replica.call("GET own").text(), "1");
    assert!(replica.call("FLUSHALL").text().starts_with("READONLY"));
    assert!(master.call("SET theirs 1").is_ok());
    replica.until("the stream goes on", |node| {
        node.call("GET theirs").text() == "1"
    });
    assert_eq!(replica.offset(), master.offset());
    assert_eq!(master.call("GET own").to_string(), "(nil)");
    replica.server.crash();
    replica.until_linked();
    assert_eq!(master.full_syncs(), 1);
}

#[test]
fn config_rewrite_keeps_the_master() {
    let master = Node::start(&[]);
    let mut replica = Node {
        server: Server::start_with_file(Binary::under_test(), "# mine\n", &[]),
    };
    replica.follow(master.port());
    replica.assert_same_as(&master);
    assert!(replica.call("CONFIG REWRITE").is_ok());
    let file = replica.server.config_file();
    assert!(
        file.contains(&format!("replicaof 127.0.0.1 {}", master.port())),
        "{file}"
    );
    replica.server.crash();
    replica.assert_same_as(&master);
    assert_eq!(master.full_syncs(), 1);
    replica.lead();
    assert!(replica.call("CONFIG REWRITE").is_ok());
    assert!(!replica.server.config_file().contains("\nreplicaof 127"));
}

#[test]
fn without_a_log_there_is_no_replica() {
    let node = Node::start(&["--tiering", "no", "--binlog", "no"]);
    let reply = node.call(&format!("REPLICAOF 127.0.0.1 {}", free_port()));
    assert_eq!(
        reply.text(),
        "ERR replication needs the binlog, which is off"
    );
}

#[test]
fn who_waits_on_a_replica_is_served_by_what_its_master_writes() {
    let master = Node::start(&[]);
    let replica = Node::start_following(master.port(), &["--replica-read-only", "no"]);
    replica.until_linked();
    let waits = |line: &str| {
        let mut client = replica.client();
        let words: Vec<&str> = line.split(' ').collect();
        client.send(&words).expect("connected");
        thread::sleep(Duration::from_millis(100));
        client
    };
    let mut popper = waits("BLPOP none a 0");
    let mut other = waits("BZPOPMAX z 0");
    assert_eq!(master.call("RPUSH a 1 2").int(), Some(2));
    assert_eq!(popper.read().unwrap().to_string(), "[\"a\", \"1\"]");
    let mut client = master.client();
    for line in ["MULTI", "SET s 1", "ZADD z 1 m 2 n", "EXEC"] {
        assert!(!client.words(line).is_error());
    }
    assert_eq!(other.read().unwrap().to_string(), "[\"z\", \"n\", \"2\"]");
    let mut mover = waits("BLMOVE b c LEFT LEFT 0");
    assert_eq!(master.call("RPUSH b 1").int(), Some(1));
    assert_eq!(mover.read().unwrap().text(), "1");
    assert_eq!(replica.call("LRANGE c 0 -1").to_string(), "[\"1\"]");
    client.words("SELECT 1");
    assert_eq!(client.words("RPUSH far x").int(), Some(1));
    let mut swapped = waits("BLPOP far 0");
    assert!(client.words("SWAPDB 0 1").is_ok());
    assert_eq!(swapped.read().unwrap().to_string(), "[\"far\", \"x\"]");
}

#[test]
fn who_waits_on_a_master_that_becomes_a_replica_is_told_so() {
    let (first, second) = (Node::start(&[]), Node::start(&[]));
    let mut client = first.client();
    client.send(&["BLPOP", "a", "0"]).expect("connected");
    thread::sleep(Duration::from_millis(100));
    first.follow(second.port());
    assert_eq!(
        client.read().unwrap().text(),
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
    );
    assert!(client.closed_within(Duration::from_secs(5)).unwrap());
}

#[test]
fn readers_of_streams_wait_on_a_replica() {
    let (master, replica) = pair();
    let mut client = replica.client();
    let words = ["XREAD", "BLOCK", "0", "STREAMS", "s", "other", "$", "$"];
    client.send(&words).expect("connected");
    thread::sleep(Duration::from_millis(100));
    assert!(master.call("SET another 1").is_ok());
    assert_eq!(master.call("XADD s 1-1 f v").text(), "1-1");
    assert_eq!(
        client.read().unwrap().to_string(),
        "[[\"s\", [[\"1-1\", [\"f\", \"v\"]]]]]"
    );
}
