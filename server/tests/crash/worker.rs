//! A client with keys of its own. It knows which of its operations were acknowledged and which were
//! only sent, and so which states of its keys a crash may leave.

use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::support::client::Client;
use crate::support::resp::Reply;

/// The longest pipeline.
const BATCH: usize = 16;

/// What clients write, and a model of it: operations, their replies, and the state they leave.
pub(crate) trait Load {
    /// Happens as a whole or not at all.
    type Op: Clone + Debug + Send;
    type State: Clone + Debug + Default + Send;

    /// The database of client `id`.
    fn database(id: usize) -> usize;

    /// A random operation of client `id`; `stamp` makes its values unique. `state` is what the client knows it has.
    fn next(rng: &mut SmallRng, id: usize, stamp: &mut u64, state: &Self::State) -> Self::Op;

    /// Appends the commands to `out`.
    fn encode(op: &Self::Op, out: &mut Vec<u8>);

    /// How many replies it gets; the last one tells that it happened.
    fn replies(op: &Self::Op) -> usize;

    /// Changes `state` and returns the last reply.
    fn apply(op: &Self::Op, state: &mut Self::State) -> Reply;

    /// Whether the model's reply and the server's say the same.
    fn explains(want: &Reply, got: &Reply) -> bool {
        want == got
    }

    /// What the server holds of every key client `id` may have written.
    fn fetch(client: &mut Client, id: usize) -> io::Result<Self::State>;

    /// Every key of a state, some perhaps several times.
    fn keys(state: &Self::State) -> Vec<&[u8]>;

    /// A line for each key that differs.
    fn wrong(want: &Self::State, found: &Self::State) -> Vec<String>;
}

/// One client and what it knows.
#[derive(Debug)]
pub(crate) struct Worker<L: Load> {
    id: usize,
    rng: SmallRng,
    stamp: u64,
    /// The state after all acknowledged operations.
    state: L::State,
    /// Sent, not acknowledged.
    pending: Vec<L::Op>,
    pub(crate) acknowledged: u64,
}

impl<L: Load> Worker<L> {
    pub(crate) fn new(id: usize, seed: u64) -> Self {
        Self {
            id,
            rng: SmallRng::seed_from_u64(seed.wrapping_add(id as u64 * 7919)),
            stamp: 0,
            state: L::State::default(),
            pending: Vec::new(),
            acknowledged: 0,
        }
    }

    pub(crate) fn database(&self) -> usize {
        L::database(self.id)
    }

    /// Every key the worker holds, some perhaps several times.
    pub(crate) fn keys(&self) -> Vec<&[u8]> {
        L::keys(&self.state)
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
                let op = L::next(&mut self.rng, self.id, &mut self.stamp, &self.state);
                L::encode(&op, &mut bytes);
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

    /// The last reply of the oldest pending operation.
    fn read_reply(&mut self, client: &mut Client) -> io::Result<Reply> {
        let count = L::replies(&self.pending[0]);
        (1..count).try_for_each(|_| client.read().map(drop))?;
        client.read()
    }

    fn acknowledge(&mut self, got: &Reply) -> Result<(), String> {
        let op = self.pending.remove(0);
        let want = L::apply(&op, &mut self.state);
        self.acknowledged += 1;
        match L::explains(&want, got) {
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
        let found = self
            .connect(port)
            .and_then(|mut client| L::fetch(&mut client, self.id));
        let found = found.map_err(|e| format!("client {}: reading back: {e}", self.id))?;
        let pending = std::mem::take(&mut self.pending);
        let mut state = self.state.clone();
        let mut nearest = L::wrong(&state, &found);
        for op in &pending {
            if nearest.is_empty() {
                break;
            }
            L::apply(op, &mut state);
            let wrong = L::wrong(&state, &found);
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
        Ok(self.keys().len())
    }
}
