//! The server is not cold after a restart: the hot keys' names and counters are saved now and then, and
//! read again in the background, hottest first, at a limited rate.
//!
//! The list lives in the cold tier's state as numbered pieces of `u32 namespace, u16 slot, u8 counter, u32
//! key length, key`, all little endian, hottest first.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::lfu::Tick;
use crate::store::{Inner, Store, StoreError};
use crate::tx::Key;
use crate::{KeyHash, NamespaceId, Slot, UnixMs};

const NAME: &str = "warm/";
/// Bytes of one piece.
const PIECE_BYTES: usize = 256 << 10;
/// Keys saved at most: what outgrows this is too much to be worth a list.
const KEYS_MAX: usize = 4 << 20;
/// Keys read between two looks at the clock and the budget.
const PORTION: usize = 64;

/// A hot key as saved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HotKey {
    pub(crate) ns: NamespaceId,
    pub(crate) slot: Slot,
    pub(crate) counter: u8,
    pub(crate) key: Box<[u8]>,
}

impl Inner {
    /// Saves the names of the keys in memory, hottest first.
    pub(crate) fn save_hot_keys(&self) -> Result<(), StoreError> {
        let mut by_counter: Vec<Vec<HotKey>> = (0..256).map(|_| Vec::new()).collect();
        let tick = Tick::at(UnixMs::now());
        let mut count = 0;
        for (number, slot) in self.slots.iter().enumerate() {
            let mut table = slot.lock();
            for space in table.spaces() {
                for (place, entry) in space
                    .table
                    .iter()
                    .filter(|(_, entry)| !entry.is_tombstone())
                {
                    let counter = self
                        .heat
                        .decayed(space.table.lfu(place), entry.clock(), tick);
                    let slot = Slot(number as u16);
                    let key = HotKey {
                        ns: space.names.id,
                        slot,
                        counter,
                        key: entry.key().into(),
                    };
                    by_counter[usize::from(counter)].push(key);
                    count += 1;
                }
            }
            if count >= KEYS_MAX {
                break;
            }
        }
        let mut batch = self.spiller.turn();
        let mut pieces = 0;
        let mut bytes = Vec::with_capacity(PIECE_BYTES + 1024);
        for key in by_counter.iter().rev().flatten() {
            key.encode(&mut bytes);
            if bytes.len() >= PIECE_BYTES {
                batch.put_state(&piece_name(pieces), &bytes);
                bytes.clear();
                pieces += 1;
            }
        }
        batch.put_state(&piece_name(pieces), &bytes);
        for (name, _) in self.cold().state_scan(NAME)? {
            if name > piece_name(pieces) {
                batch.delete_state(&name);
            }
        }
        self.write_surely(&mut batch)?;
        batch.done_with_state();
        Ok(())
    }

    /// Reads the saved keys into memory until the budget is used; returns how many.
    fn warm_up(self: &Arc<Self>) -> Result<u64, StoreError> {
        let mut warmed = 0;
        let started = Instant::now();
        for (_, piece) in self.cold().state_scan(NAME)? {
            let mut rest = &piece[..];
            let mut portion = Vec::with_capacity(PORTION);
            loop {
                let key = HotKey::decode(&mut rest);
                let done = key.is_none();
                portion.extend(key);
                if portion.len() == PORTION || done {
                    warmed += self.warm_portion(&portion)?;
                    portion.clear();
                    if self.closing.load(Relaxed) || !self.budget.is_roomy() {
                        return Ok(warmed);
                    }
                    self.throttle(warmed, started);
                }
                if done {
                    break;
                }
            }
        }
        Ok(warmed)
    }

    fn throttle(&self, warmed: u64, started: Instant) {
        let rate = self.limits().warmup_rate.max(1);
        let due = Duration::from_millis(warmed * 1000 / rate);
        if let Some(ahead) = due.checked_sub(started.elapsed()) {
            std::thread::sleep(ahead.min(Duration::from_millis(100)));
        }
    }

    fn warm_portion(self: &Arc<Self>, portion: &[HotKey]) -> Result<u64, StoreError> {
        let keys: Vec<Key<'_>> = portion
            .iter()
            .filter_map(|hot| {
                let db = self.keyspace.db_of(hot.ns)?;
                let hash = KeyHash::of(self.seed, &hot.key);
                Some(Key {
                    db,
                    ns: hot.ns,
                    slot: hot.slot,
                    hash,
                    bytes: &hot.key,
                })
            })
            .collect();
        let store = Store {
            inner: Arc::clone(self),
        };
        let warmed = store.warm(&keys)? as u64;
        for (key, hot) in keys.iter().zip(portion) {
            let mut table = self.slots[key.slot.index()].lock();
            if let Some(space) = table.space(key.ns)
                && let Some(place) = space.table.find(key.hash, key.bytes)
                && space.table.lfu(place) < hot.counter
            {
                space.table.set_lfu(place, hot.counter);
            }
        }
        self.stats.warmed_keys.add(warmed);
        Ok(warmed)
    }
}

/// A hot key as one node names it to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotName {
    /// Its database.
    pub db: u32,
    /// How often it is used.
    pub counter: u8,
    /// The key.
    pub key: Box<[u8]>,
}

impl Store {
    /// The hottest keys, `count` at most, as the list of them was last saved; if none was yet, it is saved now.
    /// Blocks.
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn hot_names(&self, count: usize) -> Result<Vec<HotName>, StoreError> {
        let inner = &self.inner;
        if !inner.tiering || !inner.durable {
            return Ok(Vec::new());
        }
        let mut pieces = inner.cold().state_scan(NAME)?;
        if pieces.is_empty() {
            inner.save_hot_keys()?;
            pieces = inner.cold().state_scan(NAME)?;
        }
        let mut names = Vec::new();
        for (_, piece) in pieces {
            let mut rest = &piece[..];
            while names.len() < count
                && let Some(hot) = HotKey::decode(&mut rest)
            {
                // A database that was flushed since has no hot keys.
                names.extend(inner.keyspace.db_of(hot.ns).map(|db| HotName {
                    db,
                    counter: hot.counter,
                    key: hot.key,
                }));
            }
        }
        Ok(names)
    }

    /// Reads keys that are hot elsewhere into memory and gives them at least the counters they have there, as long
    /// as the budget has room; returns how many were read, or nothing if there is no room. Blocks.
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn warm_names(&self, names: &[HotName]) -> Result<Option<u64>, StoreError> {
        let inner = &self.inner;
        if !inner.tiering || !inner.budget.is_roomy() || inner.closing.load(Relaxed) {
            return Ok(None);
        }
        let known = names.iter().filter(|name| name.db < self.databases());
        let portion: Vec<HotKey> = known
            .map(|name| HotKey {
                ns: self.namespace(name.db),
                slot: Slot::of(&name.key),
                counter: name.counter,
                key: name.key.clone(),
            })
            .collect();
        inner.warm_portion(&portion).map(Some)
    }

    /// Starts reading the keys that were hot before the restart, in the background.
    pub fn start_warm_up(&self) {
        let inner = Arc::clone(&self.inner);
        if !inner.tiering || !inner.durable || !inner.limits().warmup {
            return;
        }
        let work = move || {
            let started = Instant::now();
            match inner.warm_up() {
                Ok(keys) => {
                    tracing::info!(keys, ms = started.elapsed().as_millis() as u64, "warmed up")
                }
                Err(error) => tracing::error!(%error, "warming up ended early"),
            }
        };
        if let Err(error) = std::thread::Builder::new()
            .name("warm-up".to_owned())
            .spawn(work)
        {
            tracing::warn!(%error, "no thread to warm up with");
        }
    }

    /// Memory-only mode after a restart: reads every key into memory, so that none is read from disk later.
    /// Returns how many. Blocks.
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn load_all(&self) -> Result<u64, StoreError> {
        if self.inner.tiering || !self.inner.has_cold() {
            return Ok(0);
        }
        let mut loaded = 0;
        for db in 0..self.databases() {
            let mut cursor = 0;
            loop {
                let mut names: Vec<Vec<u8>> = Vec::new();
                cursor = self.scan(self.namespace(db), cursor, 1024, &mut |key, _| {
                    names.push(key.to_vec());
                })?;
                let keys: Vec<Key<'_>> = names.iter().map(|name| self.key(db, name)).collect();
                loaded += self.warm(&keys)? as u64;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(loaded)
    }

    /// Saves the list of hot keys now (at a graceful shutdown).
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn save_hot_keys(&self) -> Result<(), StoreError> {
        let inner = &self.inner;
        if inner.tiering && inner.durable {
            inner.save_hot_keys()
        } else {
            Ok(())
        }
    }
}

fn piece_name(number: usize) -> String {
    format!("{NAME}{number:08x}")
}

impl HotKey {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ns.0.to_le_bytes());
        out.extend_from_slice(&self.slot.0.to_le_bytes());
        out.push(self.counter);
        out.extend_from_slice(&(self.key.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.key);
    }

    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<HotKey> {
        let ns = NamespaceId(u32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?));
        let slot = Slot(u16::from_le_bytes(*bytes.split_off(..2)?.first_chunk()?) & 0x3FFF);
        let counter = *bytes.split_off_first()?;
        let len = u32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?);
        let key = bytes.split_off(..len as usize)?.into();
        Some(HotKey {
            ns,
            slot,
            counter,
            key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_key_comes_back_and_cut_bytes_are_refused() {
        let key = HotKey {
            ns: NamespaceId(7),
            slot: Slot(99),
            counter: 200,
            key: b"some key"[..].into(),
        };
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        for len in 0..bytes.len() {
            assert_eq!(HotKey::decode(&mut &bytes[..len]), None);
        }
        assert_eq!(HotKey::decode(&mut &bytes[..]), Some(key));
    }
}
