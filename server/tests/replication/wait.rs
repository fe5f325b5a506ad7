//! WAIT, WAITAOF, min-replicas.

use std::thread;
use std::time::{Duration, Instant};

use crate::fake::Fake;
use crate::node::Node;

#[test]
fn wait_answers_when_enough_replicas_have_the_write() {
    let master = Node::start(&[]);
    let mut fake = Fake::following(&master);
    let mut writer = master.client();
    writer.words("SET a 1");
    let begun = Instant::now();
    writer.send(&["WAIT", "1", "0"]).unwrap();
    // Nobody has said so yet.
    assert!(writer.silent_for(Duration::from_millis(200)).unwrap());
    assert_eq!(master.info("blocked_clients"), "1");
    fake.answer_getack();
    assert_eq!(writer.read().unwrap().int(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(5));
    // What is acknowledged already is not asked for again.
    let end = master.offset();
    assert_eq!(writer.words("WAIT 1 0").int(), Some(1));
    assert_eq!(master.offset(), end);
    // A connection that wrote nothing has nothing to wait for.
    assert_eq!(master.call("WAIT 1 0").int(), Some(1));
}

#[test]
fn wait_gives_up_in_time_and_never_waits_in_a_transaction() {
    let master = Node::start(&[]);
    let mut client = master.client();
    assert_eq!(client.words("WAIT 0 0").int(), Some(0));
    client.words("SET a 1");
    let begun = Instant::now();
    assert_eq!(client.words("WAIT 1 200").int(), Some(0));
    assert!(begun.elapsed() >= Duration::from_millis(200));
    client.words("MULTI");
    client.words("SET a 2");
    client.words("WAIT 1 0");
    assert_eq!(client.words("EXEC").to_string(), "[+OK, 0]");
    let mut quiet = master.client();
    quiet.send(&["CLIENT", "REPLY", "OFF"]).unwrap();
    quiet.send(&["SET", "a", "3"]).unwrap();
    quiet.send(&["WAIT", "1", "50"]).unwrap();
    quiet.send(&["CLIENT", "REPLY", "ON"]).unwrap();
    assert!(quiet.read().unwrap().is_ok());
    for (line, error) in [
        ("WAIT 1 -1", "ERR timeout is negative"),
        ("WAIT 1 x", "ERR timeout is not an integer or out of range"),
        ("WAIT x 0", "ERR value is not an integer or out of range"),
        (
            "WAITAOF 2 0 0",
            "ERR value is out of range, must be between 0 and 1",
        ),
        (
            "WAITAOF 0 -1 0",
            "ERR value is out of range, must be positive",
        ),
    ] {
        assert_eq!(client.words(line).text(), error);
    }
}

#[test]
fn a_waiting_client_is_unblocked_or_leaves() {
    let master = Node::start(&[]);
    let mut client = master.client();
    let id = client.words("CLIENT ID").int().unwrap();
    client.words("SET a 1");
    for (how, answer) in [
        ("TIMEOUT", "0"),
        ("ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        client.send(&["WAIT", "1", "0"]).unwrap();
        master.until("it waits", |node| node.info("blocked_clients") == "1");
        let line = format!("CLIENT UNBLOCK {id} {how}");
        assert_eq!(master.call(&line).int(), Some(1));
        assert_eq!(client.read().unwrap().to_string(), answer);
        assert_eq!(master.call(&line).int(), Some(0));
    }
    client.send(&["WAIT", "1", "0"]).unwrap();
    master.until("it waits", |node| node.info("blocked_clients") == "1");
    drop(client);
    master.until("it is gone", |node| node.info("blocked_clients") == "0");
}

#[test]
fn waitaof_counts_disks() {
    let master = Node::start(&["--appendfsync", "no"]);
    let mut client = master.client();
    client.words("SET a 1");
    assert_eq!(client.words("WAITAOF 1 0 0").to_string(), "[1, 0]");
    let mut fake = Fake::following(&master);
    client.words("SET a 2");
    client.send(&["WAITAOF", "0", "1", "0"]).unwrap();
    while fake.command() != "REPLCONF GETACK *" {}
    // Held is not yet on disk.
    fake.ack_at(fake.offset, None);
    assert!(client.silent_for(Duration::from_millis(200)).unwrap());
    fake.ack();
    let reply = client.read().unwrap();
    assert_eq!(reply.items().unwrap()[1].int(), Some(1));
    let memory = Node::start(&["--binlog", "no", "--tiering", "no"]);
    assert_eq!(
        memory.call("WAITAOF 1 0 0").text(),
        "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
    );
    assert_eq!(
        memory.call("PSYNC ? -1").text(),
        "ERR replication needs the log: the server runs with 'binlog no'"
    );
}

#[test]
fn writes_need_enough_replicas() {
    let master = Node::start(&[
        "--min-replicas-to-write",
        "1",
        "--min-replicas-max-lag",
        "2",
    ]);
    let refused = "NOREPLICAS Not enough good replicas to write.";
    let mut client = master.client();
    assert_eq!(client.words("SET a 1").text(), refused);
    assert!(client.words("GET a").text().contains("nil"));
    client.words("MULTI");
    assert_eq!(client.words("SET a 1").text(), refused);
    assert!(client.words("EXEC").is_error());
    assert_eq!(master.info("min_slaves_good_slaves"), "0");
    let mut fake = Fake::following(&master);
    master.until("it counts", |node| {
        node.info("min_slaves_good_slaves") == "1"
    });
    assert!(client.words("SET a 1").is_ok());
    // It was heard of when it came; from then on it is silent.
    thread::sleep(Duration::from_millis(3500));
    assert_eq!(client.words("SET a 1").text(), refused);
    fake.ack();
    master.until("it counts again", |node| {
        node.info("min_slaves_good_slaves") == "1"
    });
    assert!(client.words("SET a 1").is_ok());
    drop(fake);
    master.until("it is gone", |node| {
        node.info("min_slaves_good_slaves") == "0"
    });
    assert_eq!(client.words("SET a 1").text(), refused);
    assert!(client.words("CONFIG SET min-slaves-to-write 0").is_ok());
    assert!(client.words("SET a 1").is_ok());
}

#[test]
fn many_waiters_share_the_question() {
    let master = Node::start(&[]);
    let mut fake = Fake::following(&master);
    let mut writers: Vec<_> = (0..20).map(|_| master.client()).collect();
    for (n, writer) in writers.iter_mut().enumerate() {
        let all = [
            vec!["SET".to_owned(), format!("k{n}"), "v".to_owned()],
            vec!["WAIT".to_owned(), "1".to_owned(), "0".to_owned()],
        ];
        for words in &all {
            writer.send(words).unwrap();
        }
    }
    let done = thread::spawn(move || {
        for writer in &mut writers {
            assert!(writer.read().unwrap().is_ok());
            assert_eq!(writer.read().unwrap().int(), Some(1));
        }
    });
    while !done.is_finished() {
        fake.ack();
        if fake.client.silent_for(Duration::from_millis(50)).unwrap() {
            continue;
        }
        fake.command();
    }
    done.join().expect("all were answered");
}
