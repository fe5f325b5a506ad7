//! A store with its host, driven as the server drives it.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use basalt_tiering::{
    Expiry, Fault, Key, Kind, OpenError, Opened, PinSet, Policy, Store, StoreLimits, StoreOptions,
    Tx, UnixMs,
};

use crate::host::{Effect, FakeHost, Frame, Log, Why};
use crate::model::{Held, Model};

pub(crate) const DATABASES: u32 = 3;

/// Options for tests: background work does nothing by itself.
pub(crate) fn options(dir: &Path) -> StoreOptions {
    StoreOptions {
        cold_dir: dir.join("cold"),
        databases: DATABASES,
        tiering: true,
        durable: true,
        readers: 2,
        limits: StoreLimits {
            maxmemory: 0,
            maxdisk: 0,
            policy: Policy::NoEviction,
            samples: 5,
            lfu_log_factor: 10,
            lfu_decay_minutes: 1,
            checkpoint_interval_ms: 3_600_000,
            replay_limit_bytes: 1 << 40,
            active_expire: false,
            expire_percent: 25,
            warmup: false,
            warmup_rate: 1_000_000,
        },
    }
}

/// Runs a future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A store and its host.
pub(crate) struct Driver {
    pub(crate) store: Store,
    pub(crate) host: Arc<FakeHost>,
}

/// What a command saw and where in the log it stood.
pub(crate) struct Seen<R> {
    pub(crate) result: R,
    /// Effects logged before this command's own.
    pub(crate) at: usize,
}

/// What there is to load first; these keys hold strings only.
pub(crate) fn fault(error: OpenError) -> Fault {
    assert_eq!(error, OpenError::Fault, "it is a string");
    Fault
}

/// The string at a key; `count` says whether the access counts.
pub(crate) fn held(tx: &mut Tx<'_>, key: &Key<'_>, count: bool) -> Result<Option<Held>, Fault> {
    let text = if count {
        tx.text(key)
    } else {
        tx.peek_text(key)
    };
    let Some(text) = text.map_err(fault)? else {
        return Ok(None);
    };
    Ok(Some(Held {
        value: text.bytes()?.into_owned(),
        expiry: text.expiry(),
    }))
}

/// APPEND; answers the new length.
pub(crate) fn append(tx: &mut Tx<'_>, key: &Key<'_>, tail: &[u8]) -> Result<usize, Fault> {
    let text = tx.peek_text(key).map_err(fault)?;
    let len = text.map_or(0, |text| text.len());
    Ok(tx.write_text(key, len, tail).map_err(fault)? as usize)
}

impl Driver {
    /// Opens a store and attaches it; it serves after [`Driver::replay`] and `start`.
    pub(crate) fn open(options: StoreOptions, log: &Arc<Log>) -> (Driver, Opened) {
        let durable = options.durable;
        let (store, opened) = Store::open(options).expect("opens");
        let host = FakeHost::new(log, durable);
        store.attach(Arc::clone(&host) as Arc<dyn basalt_tiering::Host>);
        (Driver { store, host }, opened)
    }

    /// A store that serves, on an empty directory.
    pub(crate) fn fresh(options: StoreOptions) -> Driver {
        let (driver, opened) = Driver::open(options, &Log::new());
        assert!(opened.replay_from.is_none() && opened.keys == 0);
        driver.store.start();
        driver
    }

    /// Ends the store as a crash does: what is not flushed is lost.
    pub(crate) fn crash(self) -> Arc<Log> {
        self.store.close(false).expect("nothing is saved");
        self.host.check_rules();
        Arc::clone(&self.host.log)
    }

    /// Runs a command on one key. `work` may run several times and returns what it saw and its effect.
    pub(crate) fn command<R>(
        &self,
        pins: &mut PinSet,
        (db, key): (u32, &[u8]),
        now: UnixMs,
        mut work: impl FnMut(&mut Tx<'_>, &Key<'_>) -> Result<(R, Option<Effect>), Fault>,
    ) -> Seen<R> {
        for _ in 0..1000 {
            let _shared = self.host.gate.read();
            let key = self.store.key(db, key);
            let mut tx = self.store.begin(&[key.slot], now, pins);
            let done = work(&mut tx, &key);
            for gone in tx.expired() {
                let why = Why::Expired(now);
                self.host
                    .log
                    .append(Effect::Del(gone.db, gone.key.to_vec(), why));
            }
            if let Ok((result, effect)) = done {
                let at = self.host.log.len();
                effect.map(|effect| self.host.log.append(effect));
                return Seen { result, at };
            }
            assert!(tx.take_failure().is_none(), "a cold read failed");
            drop(tx);
            self.load(&key, pins);
        }
        panic!("a command faults for ever");
    }

    /// Pins a key, by either way of waiting.
    fn load(&self, key: &Key<'_>, pins: &mut PinSet) {
        if key.bytes.len().is_multiple_of(2) {
            return self.store.pin_blocking(&[*key], pins).expect("reads");
        }
        if let Some(wait) = self.store.pin(&[*key], pins) {
            block_on(wait).expect("reads");
        }
    }

    /// GET.
    pub(crate) fn get(&self, db: u32, key: &[u8], now: UnixMs) -> Option<Vec<u8>> {
        let read = |tx: &mut Tx<'_>, key: &Key<'_>| {
            Ok((held(tx, key, true)?.map(|held| held.value), None))
        };
        self.command(&mut PinSet::default(), (db, key), now, read)
            .result
    }

    /// A blind SET.
    pub(crate) fn set(&self, db: u32, key: &[u8], value: &[u8], expiry: Option<UnixMs>) {
        let write = |tx: &mut Tx<'_>, key: &Key<'_>| {
            tx.set(
                key,
                Kind::String,
                value,
                expiry.map_or(Expiry::Never, Expiry::At),
            );
            let effect = Effect::Set(db, key.bytes.to_vec(), value.to_vec(), expiry);
            Ok(((), Some(effect)))
        };
        self.command(&mut PinSet::default(), (db, key), UnixMs::now(), write);
    }

    /// DEL; true if the key was there.
    pub(crate) fn del(&self, db: u32, key: &[u8]) -> bool {
        let write = |tx: &mut Tx<'_>, key: &Key<'_>| {
            let there = tx.remove(key)?;
            let effect = there.then(|| Effect::Del(db, key.bytes.to_vec(), Why::Asked));
            Ok((there, effect))
        };
        self.command(&mut PinSet::default(), (db, key), UnixMs::now(), write)
            .result
    }

    pub(crate) fn flush(&self, dbs: &[u32]) {
        let _alone = self.host.gate.write();
        let _changing = self.store.begin_map_change();
        let end = self.host.log.append(Effect::Flush(dbs.to_vec()));
        self.store.flush(dbs, end);
    }

    pub(crate) fn swap(&self, a: u32, b: u32) {
        let _alone = self.host.gate.write();
        let _changing = self.store.begin_map_change();
        let end = self.host.log.append(Effect::Swap(a, b));
        self.store.swap(a, b, end);
    }

    pub(crate) fn spill(&self, db: u32, keys: &[&[u8]]) {
        let keys: Vec<Key<'_>> = keys.iter().map(|key| self.store.key(db, key)).collect();
        self.store.spill(&keys).expect("spills");
    }

    /// Changes the limits.
    pub(crate) fn limit(&self, change: impl FnOnce(&mut StoreLimits)) {
        let mut limits = (*self.store.limits()).clone();
        change(&mut limits);
        self.store.reconfigure(limits);
    }

    /// SCAN from start to end, `count` keys at a step; a key met twice is an error.
    pub(crate) fn scan(&self, db: u32, count: usize) -> BTreeSet<Vec<u8>> {
        let met = self.scan_keys(db, count);
        let set: BTreeSet<Vec<u8>> = met.iter().cloned().collect();
        assert_eq!(set.len(), met.len(), "SCAN met a key twice: {met:?}");
        set
    }

    /// SCAN while others write: a key may come twice.
    pub(crate) fn scan_loosely(&self, db: u32) -> BTreeSet<Vec<u8>> {
        self.scan_keys(db, 3).into_iter().collect()
    }

    fn scan_keys(&self, db: u32, count: usize) -> Vec<Vec<u8>> {
        let mut met = Vec::new();
        let mut cursor = 0;
        loop {
            let ns = self.store.namespace(db);
            cursor = self
                .store
                .scan(ns, cursor, count, &mut |key, _| met.push(key.to_vec()))
                .expect("scans");
            if cursor == 0 {
                return met;
            }
        }
    }

    /// Applies the log from `opened` on, as recovery does; `between` runs after each effect and ends the
    /// replay early by returning false.
    pub(crate) fn replay(
        &self,
        opened: &Opened,
        mut blind: impl FnMut() -> bool,
        mut between: impl FnMut(&Driver) -> bool,
    ) -> bool {
        for frame in self.host.log.tail(opened.replay_from) {
            self.apply(&frame, blind());
            if !between(self) {
                return false;
            }
        }
        true
    }

    fn apply(&self, frame: &Frame, blind: bool) {
        match &frame.effect {
            Effect::Flush(dbs) if !self.store.knows_flush(frame.end) => {
                self.store.flush(dbs, frame.end);
            }
            Effect::Swap(a, b) if !self.store.knows_flush(frame.end) => {
                self.store.swap(*a, *b, frame.end);
            }
            Effect::Flush(_) | Effect::Swap(..) => {}
            Effect::Set(db, key, value, expiry) => self.apply_to(frame, *db, key, |tx, key| {
                if !blind {
                    tx.peek(key)?;
                }
                tx.set(
                    key,
                    Kind::String,
                    value,
                    expiry.map_or(Expiry::Never, Expiry::At),
                );
                Ok(())
            }),
            Effect::Append(db, key, tail) => {
                self.apply_to(frame, *db, key, |tx, key| append(tx, key, tail).map(drop));
            }
            Effect::Expire(db, key, at) => {
                self.apply_to(frame, *db, key, |tx, key| tx.set_expiry(key, *at).map(drop));
            }
            Effect::Del(db, key, _) => {
                self.apply_to(frame, *db, key, |tx, key| tx.remove(key).map(drop));
            }
        }
    }

    fn apply_to(
        &self,
        frame: &Frame,
        db: u32,
        key: &[u8],
        work: impl Fn(&mut Tx<'_>, &Key<'_>) -> Result<(), Fault>,
    ) {
        let Some(key) = self.store.key_at(db, key, frame.start) else {
            return;
        };
        let mut pins = PinSet::default();
        for _ in 0..10 {
            let mut tx =
                self.store
                    .begin_replay(&[key.slot], UnixMs::now(), &pins, frame.start, frame.end);
            if work(&mut tx, &key).is_ok() || tx.take_skipped() {
                return;
            }
            assert!(tx.take_failure().is_none(), "a cold read failed");
            drop(tx);
            self.store.pin_blocking(&[key], &mut pins).expect("reads");
        }
        panic!("an effect faults for ever");
    }

    /// Compares counts, SCAN and RANDOMKEY with the model, which has followed the whole log.
    pub(crate) fn check_counts(&self, model: &Model, scan_count: usize) {
        self.host.check_rules();
        let wall = UnixMs::now();
        let mut live = 0;
        for db in 0..DATABASES {
            let ns = self.store.namespace(db);
            let keys = &model.dbs[db as usize];
            let volatile = keys.values().filter(|held| held.expiry.is_some()).count();
            assert_eq!(
                self.store.dbsize(ns).expect("counts"),
                keys.len() as u64,
                "DBSIZE of {db}"
            );
            assert!(self.store.dbsize_is_known(ns));
            assert_eq!(
                self.store.expires_count(ns),
                volatile as u64,
                "keys with expiry in {db}"
            );
            let visible = |held: &Held| held.expiry.is_none_or(|at| at > wall);
            let expected: BTreeSet<Vec<u8>> = keys
                .iter()
                .filter(|(_, held)| visible(held))
                .map(|(key, _)| key.clone())
                .collect();
            assert_eq!(
                self.scan(db, scan_count),
                expected,
                "SCAN {db} COUNT {scan_count}"
            );
            let random = self.store.random_key(ns).expect("picks");
            match random {
                Some(key) => assert!(expected.contains(&key), "RANDOMKEY gave {key:?}"),
                None => assert!(expected.is_empty(), "RANDOMKEY found none of {expected:?}"),
            }
            live += keys.len() as u64;
        }
        let stats = self.store.stats();
        let counted = stats.hot_entries - stats.tombstones + stats.cold_only_keys;
        assert_eq!(counted, live, "entries and cold keys: {stats:?}");
    }

    /// Reads every key of the model, and `others` that may or may not be there.
    pub(crate) fn check_values(&self, model: &Model, others: &[Vec<u8>]) {
        // Long ago: nothing has expired then.
        let now = UnixMs(1);
        for db in 0..DATABASES {
            let mut pins = PinSet::default();
            let ours = model.dbs[db as usize].keys();
            for key in ours.chain(others) {
                let seen = self.command(&mut pins, (db, key), now, |tx, key| {
                    Ok((held(tx, key, false)?, None))
                });
                assert_eq!(
                    seen.result.as_ref(),
                    model.get(db, key),
                    "db {db} key {key:?}"
                );
            }
        }
    }
}
