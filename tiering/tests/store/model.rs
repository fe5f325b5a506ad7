//! What the log means.

use std::collections::BTreeMap;

use basalt_tiering::UnixMs;

use crate::host::{Effect, Frame, Log, Why};

/// A key of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) value: Vec<u8>,
    pub(crate) expiry: Option<UnixMs>,
}

/// All databases, as the first `applied` effects of the log leave them. Keys stay until the log says `Del`.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) dbs: Vec<BTreeMap<Vec<u8>, Held>>,
    pub(crate) applied: usize,
}

impl Model {
    pub(crate) fn new(databases: u32) -> Model {
        Model {
            dbs: vec![BTreeMap::new(); databases as usize],
            applied: 0,
        }
    }

    /// Applies the log up to its effect number `upto`.
    pub(crate) fn follow(&mut self, log: &Log, upto: usize) {
        for Frame { effect, .. } in log.frames(self.applied, upto) {
            self.apply(&effect);
            self.applied += 1;
        }
    }

    pub(crate) fn get(&self, db: u32, key: &[u8]) -> Option<&Held> {
        self.dbs[db as usize].get(key)
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Set(db, key, value, expiry) => {
                let held = Held {
                    value: value.clone(),
                    expiry: *expiry,
                };
                self.dbs[*db as usize].insert(key.clone(), held);
            }
            Effect::Append(db, key, tail) => self.dbs[*db as usize]
                .entry(key.clone())
                .or_insert_with(|| Held {
                    value: Vec::new(),
                    expiry: None,
                })
                .value
                .extend_from_slice(tail),
            Effect::Expire(db, key, expiry) => {
                self.dbs[*db as usize]
                    .get_mut(key)
                    .expect("only keys that are there")
                    .expiry = *expiry;
            }
            Effect::Del(db, key, why) => {
                let gone = self.dbs[*db as usize].remove(key);
                let gone = gone.unwrap_or_else(|| panic!("{effect:?} of a key that is not there"));
                if let Why::Expired(now) = why {
                    assert!(
                        gone.expiry.is_some_and(|at| at <= *now),
                        "{effect:?} of {gone:?}"
                    );
                }
            }
            Effect::Flush(dbs) => dbs.iter().for_each(|db| self.dbs[*db as usize].clear()),
            Effect::Swap(a, b) => self.dbs.swap(*a as usize, *b as usize),
        }
    }
}
