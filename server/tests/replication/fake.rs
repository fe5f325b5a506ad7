//! A replica written by hand: it speaks the protocol byte by byte, and only when it is told to.

use std::time::Duration;

use crate::node::Node;
use crate::support::client::Client;
use crate::support::resp::{Reply, decode};

/// What it says it listens on.
pub(crate) const PORT: u16 = 7_777;

pub(crate) struct Fake {
    pub(crate) client: Client,
    /// Bytes of the stream it holds.
    pub(crate) offset: u64,
}

impl Fake {
    /// Connects and introduces itself; `capa` says what it can do.
    pub(crate) fn greet(node: &Node, capa: &[&str]) -> Fake {
        let mut client = node.client();
        assert_eq!(client.words("PING").text(), "PONG");
        assert!(
            client
                .words(&format!("REPLCONF listening-port {PORT}"))
                .is_ok()
        );
        let capa: Vec<String> = capa.iter().map(|word| format!("capa {word}")).collect();
        assert!(
            client
                .words(&format!("REPLCONF {}", capa.join(" ")))
                .is_ok()
        );
        Fake { client, offset: 0 }
    }

    /// PSYNC from `offset` on; the answer.
    pub(crate) fn psync(&mut self, id: &str, offset: u64) -> String {
        self.offset = offset;
        self.client
            .words(&format!("PSYNC {id} {}", offset + 1))
            .text()
    }

    /// A replica that follows `node` from the beginning of its log on.
    pub(crate) fn following(node: &Node) -> Fake {
        let mut fake = Fake::greet(node, &["eof", "psync2"]);
        let id = node.info("master_replid");
        assert_eq!(fake.psync(&id, 0), format!("CONTINUE {id}"));
        fake
    }

    /// The next `len` bytes of the stream.
    pub(crate) fn bytes(&mut self, len: u64) -> Vec<u8> {
        self.offset += len;
        self.client
            .read_raw(usize::try_from(len).expect("it fits"))
            .expect("the stream goes on")
    }

    /// The commands of the stream up to `offset`.
    pub(crate) fn commands_to(&mut self, offset: u64) -> Vec<String> {
        let bytes = self.bytes(offset - self.offset);
        let mut rest = &bytes[..];
        let mut commands = Vec::new();
        while !rest.is_empty() {
            commands.push(line(&decode(&mut rest).expect("whole commands")));
        }
        commands
    }

    /// The next command.
    pub(crate) fn command(&mut self) -> String {
        let reply = self.client.read().expect("the stream goes on");
        let mut bytes = Vec::new();
        let words: Vec<Vec<u8>> = reply
            .items()
            .expect("a command")
            .iter()
            .map(|word| word.bytes().expect("a word").to_vec())
            .collect();
        crate::support::resp::encode(&words, &mut bytes);
        self.offset += bytes.len() as u64;
        line(&reply)
    }

    /// Says that it holds everything it has read, and that all of it is on its disk.
    pub(crate) fn ack(&mut self) {
        self.ack_at(self.offset, Some(self.offset));
    }

    pub(crate) fn ack_at(&mut self, held: u64, synced: Option<u64>) {
        let held = held.to_string();
        let mut words = vec!["REPLCONF".to_owned(), "ACK".to_owned(), held];
        if let Some(synced) = synced {
            words.extend(["FACK".to_owned(), synced.to_string()]);
        }
        self.client.send(&words).expect("the master reads");
    }

    /// Reads until the master asks for an acknowledgement, and gives it.
    pub(crate) fn answer_getack(&mut self) {
        while self.command() != "REPLCONF GETACK *" {}
        self.ack();
    }

    pub(crate) fn closed(&mut self) -> bool {
        self.client
            .closed_within(Duration::from_secs(20))
            .expect("a socket")
    }
}

fn line(command: &Reply) -> String {
    let words: Vec<String> = command
        .items()
        .expect("a command")
        .iter()
        .map(Reply::text)
        .collect();
    words.join(" ")
}
