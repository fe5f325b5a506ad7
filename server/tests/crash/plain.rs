//! Clients that write strings, and each a hash of many pages (see `model`).

use std::io;

use rand::rngs::SmallRng;

use crate::model::{Entry, Op, State, field_key, hash, real_key};
use crate::support::client::Client;
use crate::support::resp::{Reply, quote};
use crate::worker::Load;

/// Keys of one client, besides its counters.
const KEYS: u32 = 400;

#[derive(Debug)]
pub(crate) struct Plain;

impl Load for Plain {
    type Op = Op;
    type State = State;

    /// Half of the clients work in another database.
    fn database(id: usize) -> usize {
        id % 2
    }

    fn next(rng: &mut SmallRng, id: usize, stamp: &mut u64, state: &State) -> Op {
        loop {
            *stamp += 1;
            let op = Op::random(rng, id, KEYS, *stamp);
            if !op.grows_too_large(state) {
                return op;
            }
        }
    }

    fn encode(op: &Op, out: &mut Vec<u8>) {
        op.encode(out);
    }

    fn replies(op: &Op) -> usize {
        op.replies()
    }

    fn apply(op: &Op, state: &mut State) -> Reply {
        op.apply(state)
    }

    fn fetch(client: &mut Client, id: usize) -> io::Result<State> {
        let names: Vec<Vec<u8>> = (0..KEYS)
            .map(|n| format!("k{}:{n}", id).into_bytes())
            .chain((0..9).map(|n| format!("n{}:{n}", id).into_bytes()))
            .collect();
        let mut found = State::new();
        for some in names.chunks(50) {
            let commands: Vec<Vec<&[u8]>> = some
                .iter()
                .flat_map(|k| [vec![b"GET" as &[u8], k], vec![b"PEXPIRETIME", k]])
                .collect();
            let replies = client.pipeline(&commands)?;
            for (key, pair) in some.iter().zip(replies.chunks(2)) {
                if let (Reply::Bulk(value), Reply::Int(expires_ms)) = (&pair[0], &pair[1]) {
                    let (value, expires_ms) = (value.clone(), *expires_ms);
                    found.insert(key.clone(), Entry { value, expires_ms });
                } else if pair[0] != Reply::Nil {
                    return Err(io::Error::other(format!("GET: {}", pair[0])));
                }
            }
        }
        let fields = client.call(&[&b"HGETALL"[..], &hash(id)])?;
        for pair in fields.items().unwrap_or_default().chunks(2) {
            let [Reply::Bulk(field), Reply::Bulk(value)] = pair else {
                return Err(io::Error::other(format!("HGETALL: {fields}")));
            };
            let name = field_key(&hash(id), &String::from_utf8_lossy(field));
            let (value, expires_ms) = (value.clone(), -1);
            found.insert(name, Entry { value, expires_ms });
        }
        Ok(found)
    }

    /// The hash comes once for each field.
    fn keys(state: &State) -> Vec<&[u8]> {
        state.keys().map(|name| real_key(name)).collect()
    }

    fn wrong(want: &State, found: &State) -> Vec<String> {
        let show = |entry: Option<&Entry>| match entry {
            Some(e) => format!("{} (expires {})", quote(&e.value), e.expires_ms),
            None => "(absent)".into(),
        };
        let mut names: Vec<&Vec<u8>> = want.keys().chain(found.keys()).collect();
        names.sort();
        names.dedup();
        names
            .into_iter()
            .filter(|k| want.get(*k) != found.get(*k))
            .map(|k| {
                format!(
                    "{}: expected {}, found {}",
                    quote(k),
                    show(want.get(k)),
                    show(found.get(k))
                )
            })
            .collect()
    }
}
