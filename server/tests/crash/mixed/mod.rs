//! Clients that write values of every type, each to a database of its own.
//!
//! - `value`: what a key may hold
//! - `rules`: what each command does to that
//! - `make`: random commands
//! - `fetch`: what a server holds
//! - `registers`: HyperLogLog

mod fetch;
mod make;
mod registers;
mod rules;
mod value;

use std::fmt;
use std::io;

use rand::Rng;
use rand::rngs::SmallRng;

use crate::support::client::Client;
use crate::support::resp::{Reply, encode, print_command};
use crate::worker::Load;
use make::{Command, Maker, items};
use value::{Entry, State};

/// Every type, and transactions over several.
#[derive(Debug)]
pub(crate) struct Mixed;

/// A command, or a transaction of several.
#[derive(Clone)]
pub(crate) struct Op {
    commands: Vec<Command>,
    is_transaction: bool,
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.commands.iter().map(|c| print_command(c)).collect();
        f.write_str(&lines.join("; "))
    }
}

impl Load for Mixed {
    type Op = Op;
    type State = State;

    /// Each has a database of its own, so that FLUSHDB can be among its commands.
    fn database(id: usize) -> usize {
        id
    }

    fn next(rng: &mut SmallRng, _: usize, stamp: &mut u64, state: &State) -> Op {
        let is_transaction = rng.random_ratio(1, 8);
        let count = match is_transaction {
            true => rng.random_range(2..7),
            false => 1,
        };
        let mut maker = Maker { rng, stamp, state };
        Op {
            commands: (0..count).map(|_| maker.command()).collect(),
            is_transaction,
        }
    }

    fn encode(op: &Op, out: &mut Vec<u8>) {
        if op.is_transaction {
            encode(&["MULTI"], out);
        }
        op.commands.iter().for_each(|command| encode(command, out));
        if op.is_transaction {
            encode(&["EXEC"], out);
        }
    }

    fn replies(op: &Op) -> usize {
        match op.is_transaction {
            true => op.commands.len() + 2,
            false => 1,
        }
    }

    fn apply(op: &Op, state: &mut State) -> Reply {
        let mut replies: Vec<Reply> = op.commands.iter().map(|c| rules::run(state, c)).collect();
        match op.is_transaction {
            true => Reply::Array(replies),
            false => replies.remove(0),
        }
    }

    /// Of errors the first word must be the same.
    fn explains(want: &Reply, got: &Reply) -> bool {
        let word = |text: &[u8]| text.split(|b| *b == b' ').next().map(<[u8]>::to_vec);
        match (want, got) {
            (Reply::Error(want), Reply::Error(got)) => word(want) == word(got),
            (Reply::Array(want), Reply::Array(got)) => {
                want.len() == got.len() && want.iter().zip(got).all(|(w, g)| Self::explains(w, g))
            }
            _ => want == got,
        }
    }

    fn fetch(client: &mut Client, _: usize) -> io::Result<State> {
        fetch::state(client, &items())
    }

    fn keys(state: &State) -> Vec<&[u8]> {
        state.0.keys().map(Vec::as_slice).collect()
    }

    fn wrong(want: &State, found: &State) -> Vec<String> {
        let mut names: Vec<&Vec<u8>> = want.0.keys().chain(found.0.keys()).collect();
        names.sort();
        names.dedup();
        let differ = names
            .into_iter()
            .filter(|k| want.0.get(*k) != found.0.get(*k));
        let lines = differ.map(|k| {
            let name = String::from_utf8_lossy(k);
            match (want.0.get(k), found.0.get(k)) {
                (Some(want), Some(found)) => format!("{name}: {}", unlike(want, found)),
                (want, _) => format!(
                    "{name} is {} expected",
                    if want.is_some() {
                        "absent, but"
                    } else {
                        "there, but not"
                    }
                ),
            }
        });
        lines.collect()
    }
}

/// Where two values begin to differ, with a little of what they hold there.
fn unlike(want: &Entry, found: &Entry) -> String {
    let [want, found] = [want, found].map(|entry| format!("{entry:?}"));
    let pairs = want.bytes().zip(found.bytes());
    let at = pairs.take_while(|(a, b)| a == b).count().saturating_sub(60);
    let [want, found] = [want, found].map(|text| {
        let part = &text.as_bytes()[at.min(text.len())..];
        String::from_utf8_lossy(&part[..part.len().min(160)]).into_owned()
    });
    format!("expected ...{want}..., found ...{found}...")
}
