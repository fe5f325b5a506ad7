//! Random steps on a store, each compared with the model.

use std::sync::Arc;

use basalt_tiering::{Expiry, Key, Kind, PinSet, Tx, UnixMs};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::driver::{DATABASES, Driver, Seen, append, fault, held};
use crate::host::{Effect, Log, Why};
use crate::model::{Held, Model};

const HOUR_MS: u64 = 3_600_000;

/// A store under random steps.
pub(crate) struct World {
    pub(crate) driver: Driver,
    pub(crate) model: Model,
    pub(crate) rng: SmallRng,
    /// Kept over several commands, as a pipeline's prefetched keys are.
    pins: PinSet,
    keys: Vec<Vec<u8>>,
    /// The clock of the commands: begins long before the wall clock and ends long after it, so that expiries
    /// lie on either side of both and never near one.
    now: UnixMs,
    wall: UnixMs,
}

impl World {
    pub(crate) fn new(driver: Driver, seed: u64) -> World {
        let mut rng = SmallRng::seed_from_u64(seed);
        let wall = UnixMs::now();
        // Many keys share a slot, and even more the table of it.
        let keys = (0..rng.random_range(3..40))
            .map(|n| match n % 3 {
                0 => format!("{{tag}}{n}").into_bytes(),
                1 => format!("key:{n}").into_bytes(),
                _ => format!("{{other}}{n}{}", "x".repeat(rng.random_range(0..80))).into_bytes(),
            })
            .collect();
        World {
            model: Model::new(DATABASES),
            pins: PinSet::default(),
            keys,
            now: UnixMs(wall.0 - 50 * HOUR_MS),
            wall,
            rng,
            driver,
        }
    }

    fn log(&self) -> &Arc<Log> {
        &self.driver.host.log
    }

    fn db(&mut self) -> u32 {
        // The first database is used most.
        [0, 0, 0, 1, 1, 2][self.rng.random_range(0..6)]
    }

    fn key(&mut self) -> Vec<u8> {
        self.keys[self.rng.random_range(0..self.keys.len())].clone()
    }

    fn value(&mut self) -> Vec<u8> {
        let len = match self.rng.random_range(0..100) {
            0 => 70_000,
            1..5 => self.rng.random_range(200..400),
            _ => self.rng.random_range(0..24),
        };
        let first: u64 = self.rng.random();
        (0..len).map(|i| (first >> (i % 8 * 8)) as u8).collect()
    }

    fn expiry(&mut self) -> Option<UnixMs> {
        self.rng.random_bool(0.4).then(|| {
            // Never at the wall clock itself.
            let hours = self.rng.random_range(1..60);
            let at = self.now.0 + hours * HOUR_MS + HOUR_MS / 3;
            UnixMs(if at.abs_diff(self.wall.0) < HOUR_MS / 6 {
                at + HOUR_MS / 3
            } else {
                at
            })
        })
    }

    /// One step; `true` if it may have changed more than one key.
    pub(crate) fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..58 => self.command(),
            58..66 => self.spill_some(),
            66..70 => drop(self.driver.store.spill_all().expect("spills")),
            70..72 => self.driver.store.checkpoint().expect("is written"),
            72..78 => self.relieve(),
            78..83 => self.warm(),
            83..86 => self.pins.clear(),
            86..90 => self.prefetch(),
            90..92 => self.now.0 += self.rng.random_range(0..6) * HOUR_MS,
            92..94 => self.flush_or_swap(),
            _ => self.check(),
        }
    }

    fn spill_some(&mut self) {
        let db = self.db();
        let keys: Vec<Vec<u8>> = (0..self.rng.random_range(1..6))
            .map(|_| self.key())
            .collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        self.driver.spill(db, &keys);
    }

    /// Memory pressure for a moment, or for longer.
    fn relieve(&mut self) {
        // Changing the budget is slow: it changes options of the cold tier.
        if self.rng.random_bool(0.2) {
            let maxmemory = 1 - self.driver.store.limits().maxmemory;
            self.driver.limit(|limits| limits.maxmemory = maxmemory);
        }
        self.driver.store.relieve();
    }

    fn warm(&mut self) {
        let db = self.db();
        let keys: Vec<Vec<u8>> = (0..4).map(|_| self.key()).collect();
        let keys: Vec<Key<'_>> = keys
            .iter()
            .map(|key| self.driver.store.key(db, key))
            .collect();
        self.driver.store.warm(&keys).expect("warms");
    }

    fn prefetch(&mut self) {
        let db = self.db();
        let keys: Vec<Vec<u8>> = (0..4).map(|_| self.key()).collect();
        let keys: Vec<Key<'_>> = keys
            .iter()
            .map(|key| self.driver.store.key(db, key))
            .collect();
        if self.rng.random_bool(0.5) {
            self.driver.store.prefetch(&keys, &mut self.pins);
        } else {
            self.driver
                .store
                .pin_blocking(&keys, &mut self.pins)
                .expect("reads");
        }
    }

    fn flush_or_swap(&mut self) {
        let (a, b) = (self.db(), self.db());
        match self.rng.random_range(0..6) {
            0 => self.driver.flush(&[0, 1, 2]),
            1..3 => self.driver.flush(&[a]),
            _ if a != b => self.driver.swap(a, b),
            _ => {}
        }
    }

    /// Compares everything that counts.
    pub(crate) fn check(&mut self) {
        let upto = self.log().len();
        self.model.follow(&self.driver.host.log, upto);
        let count = [1, 2, 3, 10, 1000][self.rng.random_range(0..5)];
        self.driver.check_counts(&self.model, count);
    }

    /// Compares every value too.
    pub(crate) fn check_all(&mut self) {
        self.check();
        self.driver.check_values(&self.model, &self.keys);
    }

    /// The model as of a command that saw `at` effects; what has expired must be gone by then.
    fn held(&mut self, db: u32, key: &[u8], at: usize) -> Option<Held> {
        let log = Arc::clone(self.log());
        self.model.follow(&log, at);
        let held = self.model.get(db, key).cloned();
        let expired = held
            .as_ref()
            .and_then(|held| held.expiry)
            .is_some_and(|at| at <= self.now);
        assert!(!expired, "an expired key was left: {held:?}");
        held
    }

    fn command(&mut self) {
        let (db, key) = (self.db(), self.key());
        match self.rng.random_range(0..11) {
            0..3 => self.set(db, &key),
            3..5 => self.append(db, &key),
            5 => self.set_expiry(db, &key),
            6 => self.remove(db, &key),
            7 => self.set_keeping_expiry(db, &key),
            8 => self.modify(db, &key),
            _ => self.read(db, &key),
        }
    }

    /// A blind overwrite: looks at nothing.
    fn set(&mut self, db: u32, key: &[u8]) {
        let (value, expiry) = (self.value(), self.expiry());
        self.driver
            .command(&mut self.pins, (db, key), self.now, |tx, key| {
                tx.set(
                    key,
                    Kind::String,
                    &value,
                    expiry.map_or(Expiry::Never, Expiry::At),
                );
                Ok((
                    (),
                    Some(Effect::Set(db, key.bytes.to_vec(), value.clone(), expiry)),
                ))
            });
    }

    fn set_keeping_expiry(&mut self, db: u32, key: &[u8]) {
        let value = self.value();
        let seen = self
            .driver
            .command(&mut self.pins, (db, key), self.now, |tx, key| {
                let expiry = tx.get(key)?.and_then(|value| value.expiry);
                tx.set(key, Kind::String, &value, Expiry::Keep);
                let now_has = tx.peek(key)?.and_then(|value| value.expiry);
                assert_eq!(now_has, expiry, "the expiry was to be kept");
                Ok((
                    expiry,
                    Some(Effect::Set(db, key.bytes.to_vec(), value.clone(), expiry)),
                ))
            });
        let held = self.held(db, key, seen.at);
        assert_eq!(seen.result, held.and_then(|held| held.expiry));
    }

    fn append(&mut self, db: u32, key: &[u8]) {
        let tail = self.value();
        let seen = self
            .driver
            .command(&mut self.pins, (db, key), self.now, |tx, key| {
                let len = append(tx, key, &tail)?;
                Ok((
                    len,
                    Some(Effect::Append(db, key.bytes.to_vec(), tail.clone())),
                ))
            });
        let held = self.held(db, key, seen.at);
        assert_eq!(
            seen.result,
            held.map_or(0, |held| held.value.len()) + tail.len(),
            "APPEND {key:?}"
        );
    }

    fn modify(&mut self, db: u32, key: &[u8]) {
        let (len, byte) = (self.rng.random_range(1..40), self.rng.random());
        let seen = self
            .driver
            .command(&mut self.pins, (db, key), self.now, |tx, key| {
                let before = held(tx, key, false)?;
                let expiry = before.as_ref().and_then(|held| held.expiry);
                let mut value = before.map_or_else(Vec::new, |held| held.value);
                value.resize(value.len().max(len), 0);
                value[len - 1] = byte;
                tx.write_text(key, len as u64 - 1, &[byte]).map_err(fault)?;
                Ok((
                    value.clone(),
                    Some(Effect::Set(db, key.bytes.to_vec(), value, expiry)),
                ))
            });
        let held = self.held(db, key, seen.at);
        let mut expected = held.map_or_else(Vec::new, |held| held.value);
        expected.resize(expected.len().max(len), 0);
        expected[len - 1] = byte;
        assert_eq!(seen.result, expected, "SETRANGE {key:?}");
    }

    fn set_expiry(&mut self, db: u32, key: &[u8]) {
        let expiry = self.expiry();
        let seen = self
            .driver
            .command(&mut self.pins, (db, key), self.now, |tx, key| {
                let there = tx.set_expiry(key, expiry)?;
                let effect = there.then(|| Effect::Expire(db, key.bytes.to_vec(), expiry));
                Ok((there, effect))
            });
        assert_eq!(
            seen.result,
            self.held(db, key, seen.at).is_some(),
            "EXPIRE {key:?}"
        );
    }

    fn remove(&mut self, db: u32, key: &[u8]) {
        let seen = self
            .driver
            .command(&mut self.pins, (db, key), self.now, |tx, key| {
                let there = tx.remove(key)?;
                let effect = there.then(|| Effect::Del(db, key.bytes.to_vec(), Why::Asked));
                Ok((there, effect))
            });
        assert_eq!(
            seen.result,
            self.held(db, key, seen.at).is_some(),
            "DEL {key:?}"
        );
    }

    fn read(&mut self, db: u32, key: &[u8]) {
        let count = self.rng.random_bool(0.7);
        let read = |tx: &mut Tx<'_>, key: &Key<'_>| Ok((held(tx, key, count)?, None));
        let Seen { result, at } = self
            .driver
            .command(&mut self.pins, (db, key), self.now, read);
        assert_eq!(result, self.held(db, key, at), "GET {key:?}");
    }

    /// The store ends as in a crash; what is left to open it again.
    pub(crate) fn crash(self) -> Ruins {
        let World {
            driver,
            rng,
            keys,
            now,
            mut pins,
            ..
        } = self;
        pins.clear();
        Ruins {
            log: driver.crash(),
            rng,
            keys,
            now,
        }
    }
}

/// What a crash leaves of a [`World`] besides the directory.
pub(crate) struct Ruins {
    pub(crate) log: Arc<Log>,
    pub(crate) rng: SmallRng,
    keys: Vec<Vec<u8>>,
    now: UnixMs,
}

impl Ruins {
    /// A world again, on a store that has recovered.
    pub(crate) fn rebuilt(self, driver: Driver) -> World {
        World {
            driver,
            model: Model::new(DATABASES),
            rng: self.rng,
            pins: PinSet::default(),
            keys: self.keys,
            now: self.now,
            wall: UnixMs::now(),
        }
    }
}
