//! SCAN, RANDOMKEY, DBSIZE: the whole keyspace, over both tiers.
//!
//! Keys are ordered by slot, then by the top 32 bits of their hash, in memory as in the cold tier. A
//! cursor is `slot << 32 | order`, so it needs no state on the server and survives restarts and resizing.
//!
//! A step looks into memory first and into the cold tier after that. A key that is there throughout is in
//! memory at the first look, or has its record by then (an entry leaves memory only when its record is
//! written), so it is found; found twice, memory has the say.

use std::sync::atomic::Ordering::Relaxed;

use crate::lfu::fast_random_u64;
use crate::promote::PinSet;
use crate::store::{Inner, Store, StoreError};
use crate::tx::Kind;
use crate::{NamespaceId, SLOTS, Slot, UnixMs};

/// A key met in memory: its order, and its kind if it is alive.
struct HotKey {
    order: u32,
    key: Box<[u8]>,
    kind: Option<Kind>,
}

impl Inner {
    /// Visits the keys of a slot from `from` on until about `count` were met; returns the last order done.
    fn scan_slot(
        &self,
        ns: NamespaceId,
        slot: Slot,
        from: u32,
        count: usize,
        now: UnixMs,
        visit: &mut dyn FnMut(&[u8], Kind),
    ) -> Result<(u32, usize), StoreError> {
        let mut hot = Vec::new();
        let (mut cut, cold_only) = {
            let mut table = self.slots[slot.index()].lock();
            let Some(space) = table.space(ns) else {
                return Ok((u32::MAX, 0));
            };
            let cut = space.table.scan(from, count, self.seed, |order, entry| {
                let alive = entry.expiry().is_none_or(|at| at > now);
                hot.push(HotKey {
                    order,
                    key: entry.key().into(),
                    kind: entry.kind().filter(|_| alive),
                });
            });
            (cut, space.cold_only)
        };
        // Keys that leave memory from here on have a record; without records before there is nothing to add
        // but those, and they were just met.
        let cold = if cold_only > 0 {
            self.cold().scan_slot(ns, slot, from, count)?
        } else {
            Vec::new()
        };
        if cold.len() >= count.max(1)
            && let Some((last, _)) = cold.last()
        {
            cut = cut.min(last.order);
        }
        let mut met = 0;
        for (key, header) in cold.iter().filter(|(key, _)| key.order <= cut) {
            let in_memory = hot
                .iter()
                .any(|hot| hot.order == key.order && hot.key == key.key);
            if !in_memory && !header.is_expired(now) {
                visit(
                    &key.key,
                    Kind::from_code(header.kind).unwrap_or(Kind::String),
                );
                met += 1;
            }
        }
        for hot in hot.iter().filter(|hot| hot.order <= cut) {
            if let Some(kind) = hot.kind {
                visit(&hot.key, kind);
                met += 1;
            }
        }
        Ok((cut, met))
    }
}

/// While this is held nothing is written to the cold tier.
#[derive(Debug)]
pub struct Frozen<'a>(#[allow(dead_code, reason = "held for its drop")] crate::spill::Turn<'a>);

impl Store {
    /// Keeps the cold tier as it is, for a transaction whose effects are logged only at its end.
    pub fn freeze(&self) -> Frozen<'_> {
        Frozen(self.inner.spiller.turn())
    }

    /// One SCAN step: visits about `count` keys from `cursor` on; returns the next cursor, 0 at the end.
    /// May read from disk.
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn scan(
        &self,
        ns: NamespaceId,
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(&[u8], Kind),
    ) -> Result<u64, StoreError> {
        let now = UnixMs::now();
        let first = (cursor >> 32) as usize;
        let mut left = count.max(1);
        // A flush may have taken the namespace away.
        let Some(names) = self.inner.keyspace.namespace(ns) else {
            return Ok(0);
        };
        for slot in names.slots_from(first) {
            let mut from = if slot.index() == first {
                cursor as u32
            } else {
                0
            };
            loop {
                let (cut, met) = self.inner.scan_slot(ns, slot, from, left, now, visit)?;
                left = left.saturating_sub(met);
                let next = match cut.checked_add(1) {
                    Some(next) => (slot.index() as u64) << 32 | u64::from(next),
                    None => (slot.index() as u64 + 1) << 32,
                };
                if left == 0 && next < (SLOTS as u64) << 32 {
                    return Ok(next);
                }
                if cut == u32::MAX {
                    break;
                }
                from = cut + 1;
            }
        }
        Ok(0)
    }

    /// Exact number of keys in a database's namespace. May read from disk if keys were overwritten blindly
    /// and not yet looked up. While others write, each slot's keys are those of some moment during the call.
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn dbsize(&self, ns: NamespaceId) -> Result<u64, StoreError> {
        let inner = &self.inner;
        let counted = if self.dbsize_is_known(ns) {
            None
        } else {
            Some(inner.count_keys_of(ns)?)
        };
        // A flush may have taken the namespace away.
        let Some(names) = inner.keyspace.namespace(ns) else {
            return Ok(0);
        };
        Ok(match counted {
            Some(counted) if names.unknown.load(Relaxed) > 0 => counted,
            _ => names.live.load(Relaxed).max(0) as u64,
        })
    }

    /// True if [`Store::dbsize`] needs no look at the disk.
    #[must_use]
    pub fn dbsize_is_known(&self, ns: NamespaceId) -> bool {
        self.inner
            .keyspace
            .namespace(ns)
            .is_none_or(|names| names.unknown.load(Relaxed) == 0)
    }

    /// Keys of a namespace that have an expiry.
    #[must_use]
    pub fn expires_count(&self, ns: NamespaceId) -> u64 {
        self.inner
            .keyspace
            .namespace(ns)
            .map_or(0, |names| names.volatile.load(Relaxed).max(0) as u64)
    }

    /// Hashes of a namespace of which fields expire.
    #[must_use]
    pub fn subexpiring_count(&self, ns: NamespaceId) -> u64 {
        self.inner
            .keyspace
            .namespace(ns)
            .map_or(0, |names| names.subexpiring.load(Relaxed).max(0) as u64)
    }

    /// A key chosen about uniformly; `None` only if no key is there that is not past its time. May read from disk.
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn random_key(&self, ns: NamespaceId) -> Result<Option<Vec<u8>>, StoreError> {
        /// In slots chosen at random nothing may be left that is not past its time.
        const ATTEMPTS: usize = 100;
        for attempt in 0..ATTEMPTS {
            let Some((slot, size)) = self.random_slot(ns, attempt) else {
                return Ok(None);
            };
            if let Some(key) = self.random_key_in(ns, slot, size)? {
                return Ok(Some(key));
            }
        }
        let first = fast_random_u64() as usize;
        for step in 0..SLOTS {
            let slot = Slot(((first + step) % SLOTS) as u16);
            if let Some(key) = self.random_key_in(ns, slot, u64::MAX)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// A key of a slot that has about `size`: one of the next from a random place on, or from the beginning.
    fn random_key_in(
        &self,
        ns: NamespaceId,
        slot: Slot,
        size: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        const PORTION: u64 = 16;
        let portion = size.min(PORTION) as usize;
        let random = fast_random_u64();
        let now = UnixMs::now();
        let mut picked: Vec<Vec<u8>> = Vec::new();
        for (mut from, to) in [(random as u32, u32::MAX), (0, random as u32)] {
            // What a step meets may be deleted or past its time.
            loop {
                let pick = &mut |key: &[u8], _| picked.push(key.to_vec());
                let (cut, _) = self.inner.scan_slot(ns, slot, from, portion, now, pick)?;
                if !picked.is_empty() {
                    let at = (random >> 32) as usize % picked.len();
                    return Ok(Some(picked.swap_remove(at)));
                }
                if cut >= to {
                    break;
                }
                from = cut + 1;
            }
        }
        Ok(None)
    }

    /// A slot with keys of `ns`, by its share of them as far as a few attempts can tell, and how many.
    fn random_slot(&self, ns: NamespaceId, attempt: usize) -> Option<(Slot, u64)> {
        let size = |slot: Slot| {
            let mut table = self.inner.slots[slot.index()].lock();
            table.space(ns).map_or(0, |space| space.keys())
        };
        // Few keys: walk them all and take one slot by weight. Many: tournament of random slots.
        let names = self.inner.keyspace.namespace(ns)?;
        let live = names.live.load(Relaxed).max(0) as u64;
        if live == 0 || attempt > 50 {
            let slots = names.slots_from(0);
            let sizes: Vec<(Slot, u64)> = slots.map(|slot| (slot, size(slot))).collect();
            let total: u64 = sizes.iter().map(|(_, size)| size).sum();
            let mut at = fast_random_u64().checked_rem(total)?;
            for (slot, size) in sizes {
                if at < size {
                    return Some((slot, size));
                }
                at -= size;
            }
            return None;
        }
        let bound = (live * 4 / SLOTS as u64).max(4);
        for _ in 0..200_000 {
            let random = fast_random_u64();
            let slot = Slot((random as usize % SLOTS) as u16);
            let size = size(slot);
            // Accept in proportion to the size (rejection sampling).
            if size > 0 && (random >> 32) % bound < size {
                return Some((slot, size));
            }
            if live < 1024 {
                break;
            }
        }
        self.random_slot(ns, usize::MAX)
    }

    /// Reads keys into memory; returns how many are there afterwards. May read from disk.
    ///
    /// # Errors
    /// The cold tier failed.
    pub fn warm(&self, keys: &[crate::Key<'_>]) -> Result<usize, StoreError> {
        let mut warmed = 0;
        for portion in keys.chunks(64) {
            let mut pins = PinSet::default();
            self.inner.pin_blocking(portion, &mut pins)?;
            for key in portion {
                let mut tx = self.begin(&[key.slot], UnixMs::now(), &pins);
                warmed += usize::from(tx.warm(key));
            }
        }
        Ok(warmed)
    }
}
