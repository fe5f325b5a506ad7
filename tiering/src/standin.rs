//! A stand-in for the store while the real one is built: memory only, nothing is ever absent from it.
#![allow(missing_docs, clippy::missing_errors_doc, clippy::type_complexity, clippy::pedantic, missing_debug_implementations)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard};

use crate::{Expiry, Fault, Key, KeyHash, Kind, NamespaceId, SLOTS, Slot, UnixMs, Value};

#[derive(Debug, thiserror::Error)]
#[error("store: {0}")]
pub struct StoreError(pub String);

#[derive(Debug, Default)]
pub struct PinSet;
impl PinSet {
    pub fn clear(&mut self) {}
}
pub type PinWait = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Go,
    Wait,
    OutOfMemory,
}

#[derive(Debug, Clone)]
pub struct ExpiredKey {
    pub db: u32,
    pub key: Box<[u8]>,
}

#[derive(Debug)]
struct Entry {
    ns: NamespaceId,
    key: Box<[u8]>,
    kind: Kind,
    bytes: Vec<u8>,
    expiry: Option<UnixMs>,
    hash: u64,
}
#[derive(Debug, Default)]
struct SlotTable {
    table: HashTable<Entry>,
    watches: Vec<(NamespaceId, Box<[u8]>, Arc<AtomicBool>)>,
}
#[derive(Debug)]
struct Inner {
    slots: Box<[Mutex<SlotTable>]>,
    map: Mutex<Vec<u32>>,
}
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    pub fn new() -> Store {
        let slots = (0..SLOTS).map(|_| Mutex::default()).collect();
        Store(Arc::new(Inner { slots, map: Mutex::new((0..1024).collect()) }))
    }
    pub fn namespace(&self, db: u32) -> NamespaceId {
        NamespaceId(db)
    }
    pub fn key<'k>(&self, db: u32, bytes: &'k [u8]) -> Key<'k> {
        Key { db, ns: self.namespace(db), slot: Slot::of(bytes), hash: KeyHash::of(7, bytes), bytes }
    }
    pub fn begin(&self, slots: &[Slot], now: UnixMs, _pins: &PinSet) -> Tx<'_> {
        let mut guards: [Option<(Slot, MutexGuard<'_, SlotTable>)>; 2] = [None, None];
        let mut more = Vec::new();
        for (i, slot) in slots.iter().enumerate() {
            let guard = (*slot, self.0.slots[slot.index()].lock());
            match guards.get_mut(i) {
                Some(place) => *place = Some(guard),
                None => more.push(guard),
            }
        }
        Tx { guards, more, now, expired: Vec::new() }
    }
    pub fn pin(&self, _keys: &[Key<'_>], _pins: &mut PinSet) -> Option<PinWait> {
        None
    }
    pub fn prefetch(&self, _keys: &[Key<'_>], _pins: &mut PinSet) {}
    pub fn pin_blocking(&self, _keys: &[Key<'_>], _pins: &mut PinSet) {}
    pub fn unwatch(&self, flag: &Arc<AtomicBool>, key: &Key<'_>) {
        self.0.slots[key.slot.index()].lock().watches.retain(|w| !Arc::ptr_eq(&w.2, flag));
    }
    pub fn all_resident(&self) -> bool {
        true
    }
    pub fn dbsize(&self, ns: NamespaceId) -> u64 {
        self.0.slots.iter().map(|s| s.lock().table.iter().filter(|e| e.ns == ns).count() as u64).sum()
    }
    pub fn expires_count(&self, ns: NamespaceId) -> u64 {
        let count = |e: &&Entry| e.ns == ns && e.expiry.is_some();
        self.0.slots.iter().map(|s| s.lock().table.iter().filter(count).count() as u64).sum()
    }
    pub fn scan(
        &self,
        ns: NamespaceId,
        _cursor: u64,
        _count: usize,
        each: &mut dyn FnMut(&[u8], Kind),
    ) -> Result<u64, StoreError> {
        for slot in &self.0.slots {
            slot.lock().table.iter().filter(|e| e.ns == ns).for_each(|e| each(&e.key, e.kind));
        }
        Ok(0)
    }
    pub fn random_key(&self, ns: NamespaceId) -> Result<Option<Vec<u8>>, StoreError> {
        let find = |s: &Mutex<SlotTable>| s.lock().table.iter().find(|e| e.ns == ns).map(|e| e.key.to_vec());
        Ok(self.0.slots.iter().find_map(find))
    }
    pub fn flush(&self, dbs: &[u32]) {
        for slot in &self.0.slots {
            let mut slot = slot.lock();
            slot.table.retain(|e| !dbs.contains(&e.ns.0));
            slot.watches.iter().filter(|w| dbs.contains(&w.0.0)).for_each(|w| w.2.store(true, Ordering::Release));
        }
    }
    pub fn swap(&self, _a: u32, _b: u32) {}
    pub fn admit_write(&self) -> Admission {
        Admission::Go
    }
    pub fn room(&self) -> impl Future<Output = ()> + Send + 'static {
        std::future::ready(())
    }
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[derive(Debug)]
pub struct Tx<'s> {
    guards: [Option<(Slot, MutexGuard<'s, SlotTable>)>; 2],
    more: Vec<(Slot, MutexGuard<'s, SlotTable>)>,
    now: UnixMs,
    expired: Vec<ExpiredKey>,
}

impl Tx<'_> {
    fn slot(&mut self, slot: Slot) -> &mut SlotTable {
        let all = self.guards.iter_mut().flatten().chain(self.more.iter_mut());
        &mut all.into_iter().find(|g| g.0 == slot).expect("the slot is locked").1
    }
    fn entry(&mut self, key: &Key<'_>) -> Option<&mut Entry> {
        let now = self.now;
        let table = self.slot(key.slot);
        let same = |e: &Entry| e.ns == key.ns && *e.key == *key.bytes;
        if let Ok(found) = table.table.find_entry(key.hash.0, same)
            && found.get().expiry.is_some_and(|at| at <= now)
        {
            found.remove();
            table.trip(key);
            self.expired.push(ExpiredKey { db: key.db, key: key.bytes.into() });
            return None;
        }
        self.slot(key.slot).table.find_mut(key.hash.0, same)
    }
    pub fn is_resident(&self, _key: &Key<'_>) -> bool {
        true
    }
    pub fn expired(&self) -> &[ExpiredKey] {
        &self.expired
    }
    pub fn watch(&mut self, key: &Key<'_>, flag: &Arc<AtomicBool>) {
        self.slot(key.slot).watches.push((key.ns, key.bytes.into(), Arc::clone(flag)));
    }
    pub fn get(&mut self, key: &Key<'_>) -> Result<Option<Value<'_>>, Fault> {
        Ok(self.entry(key).map(|e| Value { kind: e.kind, bytes: &e.bytes, expiry: e.expiry, freq: 5, idle_seconds: 0 }))
    }
    pub fn peek(&mut self, key: &Key<'_>) -> Result<Option<Value<'_>>, Fault> {
        self.get(key)
    }
    pub fn exists(&mut self, key: &Key<'_>) -> Result<bool, Fault> {
        Ok(self.entry(key).is_some())
    }
    pub fn set(&mut self, key: &Key<'_>, kind: Kind, value: &[u8], expiry: Expiry) {
        self.slot(key.slot).trip(key);
        if let Some(e) = self.entry(key) {
            e.kind = kind;
            e.bytes.clear();
            e.bytes.extend_from_slice(value);
            match expiry {
                Expiry::Never => e.expiry = None,
                Expiry::At(at) => e.expiry = Some(at),
                Expiry::Keep => {}
            }
            return;
        }
        let expiry = if let Expiry::At(at) = expiry { Some(at) } else { None };
        let entry =
            Entry { ns: key.ns, key: key.bytes.into(), kind, bytes: value.to_vec(), expiry, hash: key.hash.0 };
        self.slot(key.slot).table.insert_unique(key.hash.0, entry, |e| e.hash);
    }
    pub fn remove(&mut self, key: &Key<'_>) -> Result<bool, Fault> {
        if self.entry(key).is_none() {
            return Ok(false);
        }
        let table = self.slot(key.slot);
        table.trip(key);
        if let Ok(found) = table.table.find_entry(key.hash.0, |e| e.ns == key.ns && *e.key == *key.bytes) {
            found.remove();
        }
        Ok(true)
    }
    pub fn set_expiry(&mut self, key: &Key<'_>, expiry: Option<UnixMs>) -> Result<bool, Fault> {
        self.slot(key.slot).trip(key);
        Ok(self.entry(key).map(|e| e.expiry = expiry).is_some())
    }
    pub fn append(&mut self, key: &Key<'_>, tail: &[u8]) -> Result<usize, Fault> {
        let len = self.entry(key).map_or(0, |e| e.bytes.len());
        let bytes = self.modify(key, len + tail.len())?;
        bytes[len..].copy_from_slice(tail);
        Ok(len + tail.len())
    }
    pub fn modify(&mut self, key: &Key<'_>, len: usize) -> Result<&mut [u8], Fault> {
        if self.entry(key).is_none() {
            self.set(key, Kind::RawString, b"", Expiry::Never);
        }
        self.slot(key.slot).trip(key);
        let entry = self.entry(key).expect("it was made above");
        entry.kind = Kind::RawString;
        if entry.bytes.len() < len {
            entry.bytes.resize(len, 0);
        }
        Ok(&mut entry.bytes)
    }
    pub fn now(&self) -> UnixMs {
        self.now
    }
}

impl SlotTable {
    fn trip(&mut self, key: &Key<'_>) {
        for watch in &self.watches {
            if watch.0 == key.ns && *watch.1 == *key.bytes {
                watch.2.store(true, Ordering::Release);
            }
        }
    }
}

impl Store {
    pub fn replay_offset(&self) -> basalt_binlog::Offset {
        basalt_binlog::Offset(0)
    }
    pub fn replay_begin(
        &self,
        key: &Key<'_>,
        _end: basalt_binlog::Offset,
        now: UnixMs,
        pins: &PinSet,
    ) -> Option<Tx<'_>> {
        Some(self.begin(&[key.slot], now, pins))
    }
}
