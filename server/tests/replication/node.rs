//! A node, and what the scenarios ask of it.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::resp::Reply;
use crate::support::server::{Binary, Server};

/// Nothing that settles takes longer, even on a busy machine.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// Two nodes that have read the same may differ for so long: by what expires.
const DIFFERENT_LIMIT: Duration = Duration::from_secs(8);

pub(crate) struct Node {
    pub(crate) server: Server,
}

impl Node {
    pub(crate) fn start(more: &[&str]) -> Node {
        let args = [
            &["--repl-timeout", "10", "--checkpoint-interval-seconds", "1"],
            more,
        ]
        .concat();
        Node {
            server: Server::start_binary(Binary::under_test(), &args),
        }
    }

    /// A node that follows whoever is at `port` from its start, and after every restart.
    pub(crate) fn start_following(port: u16, more: &[&str]) -> Node {
        let port = port.to_string();
        Node::start(&[&["--replicaof", "127.0.0.1", &port], more].concat())
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    pub(crate) fn client(&self) -> Client {
        self.server.client()
    }

    pub(crate) fn call(&self, line: &str) -> Reply {
        self.client().words(line)
    }

    pub(crate) fn follow(&self, port: u16) {
        let reply = self.call(&format!("REPLICAOF 127.0.0.1 {port}"));
        assert!(reply.is_ok(), "{reply}\n{}", self.server.log());
    }

    pub(crate) fn lead(&self) {
        let reply = self.call("REPLICAOF NO ONE");
        assert!(reply.is_ok(), "{reply}\n{}", self.server.log());
    }

    /// A field of INFO; empty if it is not there.
    pub(crate) fn info(&self, field: &str) -> String {
        let text = self.call("INFO everything").text();
        text.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn number(&self, field: &str) -> u64 {
        let text = self.info(field);
        text.parse()
            .unwrap_or_else(|_| panic!("{field} is {text:?}\n{}", self.server.log()))
    }

    /// Full syncs this node has given.
    pub(crate) fn full_syncs(&self) -> u64 {
        self.number("sync_full")
    }

    pub(crate) fn offset(&self) -> u64 {
        self.number("master_repl_offset")
    }

    pub(crate) fn digest(&self) -> String {
        self.call("DEBUG DIGEST").text()
    }

    fn sizes(&self) -> Vec<Reply> {
        let mut client = self.client();
        (0..16)
            .map(|db| {
                client.words(&format!("SELECT {db}"));
                client.words("DBSIZE")
            })
            .collect()
    }

    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Node) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(
                begun.elapsed() < SETTLE_LIMIT,
                "not within {SETTLE_LIMIT:?}: {what}\n{}\n{}",
                self.call("INFO replication").text(),
                self.server.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn until_linked(&self) {
        self.until("the link is up", |node| {
            node.info("master_link_status") == "up"
        });
    }

    /// Waits until this replica has everything `master` has, and asserts that the two hold the same.
    pub(crate) fn assert_same_as(&self, master: &Node) {
        self.until_linked();
        let begun = Instant::now();
        loop {
            self.until("the replica is where its master is", |node| {
                node.info("slave_repl_offset") == master.offset().to_string()
            });
            // What expires between two looks is gone from one of them only.
            let (ours, theirs) = (self.digest(), master.digest());
            if ours == theirs && self.sizes() == master.sizes() {
                break;
            }
            assert!(
                begun.elapsed() < DIFFERENT_LIMIT,
                "{ours} is not {theirs}\n--- replica\n{}\n--- master\n{}",
                self.server.log(),
                master.server.log()
            );
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(self.info("master_replid"), master.info("master_replid"));
    }
}
