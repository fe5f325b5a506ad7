//! A client with keys of its own. It knows which of its operations were acknowledged and which were
//! only sent, and so which states of its keys a crash may leave.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::model::{Entry, Op, State, field_key, hash, real_key};
use crate::support::client::Client;
use crate::support::resp::{Reply, quote};

/// Keys of one client, besides its counters.
const KEYS: u32 = 400;
/// The longest pipeline.
const BATCH: usize = 16;

/// One client and what it knows.
#[derive(Debug)]
pub(crate) struct Worker {
    id: usize,
    rng: SmallRng,
    stamp: u64,
    /// The state after all acknowledged operations.
    state: State,
    /// Sent, not acknowledged.
    pending: Vec<Op>,
    pub(crate) acknowledged: u64,
}

impl Worker {
    pub(crate) fn new(id: usize, seed: u64) -> Self {
        Self {
            id,
            rng: SmallRng::seed_from_u64(seed.wrapping_add(id as u64 * 7919)),
            stamp: 0,
            state: State::new(),
            pending: Vec::new(),
            acknowledged: 0,
        }
    }

    /// Half of the clients work in another database.
    pub(crate) fn database(&self) -> usize {
        self.id % 2
    }

    /// Every key the worker holds; its hash once for each field.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.state.keys().map(|name| real_key(name))
    }

    /// A connection to the worker's database.
    pub(crate) fn connect(&self, port: u16) -> io::Result<Client> {
        let mut client = Client::connect(port)?;
        client.call(&["SELECT", &self.database().to_string()])?;
        Ok(client)
    }

    /// Sends operations until the connection fails, as it does when the server is killed; with
    /// `stop` set, ends after a complete batch.
    ///
    /// # Errors
    /// A reply that the worker's own earlier operations do not explain.
    pub(crate) fn load(&mut self, port: u16, stop: &AtomicBool) -> Result<(), String> {
        let Ok(mut client) = self.connect(port) else {
            return Ok(());
        };
        while !stop.load(Ordering::Relaxed) {
            let mut bytes = Vec::new();
            for _ in 0..self.rng.random_range(1..=BATCH) {
                let op = self.next_op();
                op.encode(&mut bytes);
                self.pending.push(op);
            }
            if client.stream().write_all(&bytes).is_err() {
                return Ok(());
            }
            while !self.pending.is_empty() {
                match self.read_reply(&mut client) {
                    Ok(reply) => self.acknowledge(&reply)?,
                    Err(_) => return Ok(()),
                }
            }
        }
        Ok(())
    }

    fn next_op(&mut self) -> Op {
        loop {
            self.stamp += 1;
            let op = Op::random(&mut self.rng, self.id, KEYS, self.stamp);
            if !op.grows_too_large(&self.state) {
                return op;
            }
        }
    }

    /// The last reply of the oldest pending operation.
    fn read_reply(&mut self, client: &mut Client) -> io::Result<Reply> {
        let count = self.pending[0].replies();
        (1..count).try_for_each(|_| client.read().map(drop))?;
        client.read()
    }

    fn acknowledge(&mut self, got: &Reply) -> Result<(), String> {
        let op = self.pending.remove(0);
        let want = op.apply(&mut self.state);
        self.acknowledged += 1;
        match *got == want {
            true => Ok(()),
            false => Err(format!(
                "client {}: {op:?}\n  expected {want}\n  got      {got}",
                self.id
            )),
        }
    }

    /// Compares the server's state with what the operations allow: all acknowledged ones, and some
    /// first part of those sent. The state found becomes the known one.
    ///
    /// # Errors
    /// A description of the keys that fit no such state.
    pub(crate) fn verify(&mut self, port: u16) -> Result<usize, String> {
        let found = self.fetch(port).map_err(|e| format!("reading back: {e}"))?;
        let pending = std::mem::take(&mut self.pending);
        let mut state = self.state.clone();
        let mut nearest = wrong_keys(&state, &found);
        for op in &pending {
            if nearest.is_empty() {
                break;
            }
            op.apply(&mut state);
            let wrong = wrong_keys(&state, &found);
            if wrong.len() < nearest.len() {
                nearest = wrong;
            }
        }
        if !nearest.is_empty() {
            return Err(format!(
                "client {}: after {} acknowledged and {} more sent operations {} keys are wrong:\n  {}",
                self.id,
                self.acknowledged,
                pending.len(),
                nearest.len(),
                nearest[..nearest.len().min(8)].join("\n  ")
            ));
        }
        self.state = found;
        Ok(self.state.len())
    }

    /// What the server holds of every key this worker may have written.
    fn fetch(&self, port: u16) -> io::Result<State> {
        let mut client = self.connect(port)?;
        let names: Vec<Vec<u8>> = (0..KEYS)
            .map(|n| format!("k{}:{n}", self.id).into_bytes())
            .chain((0..9).map(|n| format!("n{}:{n}", self.id).into_bytes()))
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
        let fields = client.call(&[&b"HGETALL"[..], &hash(self.id)])?;
        for pair in fields.items().unwrap_or_default().chunks(2) {
            let [Reply::Bulk(field), Reply::Bulk(value)] = pair else {
                return Err(io::Error::other(format!("HGETALL: {fields}")));
            };
            let name = field_key(&hash(self.id), &String::from_utf8_lossy(field));
            let (value, expires_ms) = (value.clone(), -1);
            found.insert(name, Entry { value, expires_ms });
        }
        Ok(found)
    }
}

/// A line for each key that differs.
fn wrong_keys(want: &State, found: &State) -> Vec<String> {
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
