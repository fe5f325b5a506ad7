//! Keys whose time is over.
//!
//! A lookup that meets such a key deletes it (`tx`). What nobody asks for is deleted here, by the master
//! alone: hot keys by looking through the slots that hold one that is due (each remembers a lower bound of
//! its next expiry), cold keys by the cold tier's index ordered by time. Index rows are never updated: a
//! row whose key has another expiry by now is stale and simply goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cold::{ColdKeyOwned, WriteSet};
use crate::promote::PinSet;
use crate::store::{DeleteReason, Inner, StoreError};
use crate::tx::{Key, Tx};
use crate::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};

/// Share of a round (100 ms) spent here at most, as Redis' active expiry takes a quarter of the time.
const TIME_LIMIT: Duration = Duration::from_millis(25);
/// Cold keys expired per portion.
const COLD_PORTION: usize = 256;

/// Where the last round stopped.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    slot: usize,
}

impl Inner {
    /// Deletes expired keys in both tiers for a while.
    pub(crate) fn expire_round(self: &Arc<Self>, cursor: &mut Cursor) {
        if !self.limits().active_expire || !self.is_master() {
            return;
        }
        let until = Instant::now() + TIME_LIMIT;
        let mut now = UnixMs::now();
        for _ in 0..SLOTS {
            cursor.slot = (cursor.slot + 1) % SLOTS;
            self.expire_slot(Slot(cursor.slot as u16), now);
            if cursor.slot.is_multiple_of(256) {
                now = UnixMs::now();
                if Instant::now() > until {
                    break;
                }
            }
        }
        while self.has_cold() && Instant::now() < until {
            match self.expire_cold_portion() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "cold keys do not expire");
                    break;
                }
            }
        }
    }

    fn expire_slot(&self, slot: Slot, now: UnixMs) {
        let is_due = self.slots[slot.index()]
            .lock()
            .spaces()
            .any(|space| space.next_expiry <= now.0);
        if is_due {
            self.host().with_gate(&mut || self.expire_due(slot, now));
        }
    }

    fn expire_due(&self, slot: Slot, now: UnixMs) {
        let mut table = self.slots[slot.index()].lock();
        let mut gone: Vec<(NamespaceId, KeyHash, Box<[u8]>)> = Vec::new();
        for space in table.spaces().filter(|space| space.next_expiry <= now.0) {
            let mut next = u64::MAX;
            for (_, entry) in space.table.iter() {
                match entry.expiry() {
                    Some(at) if at <= now => {
                        gone.push((
                            space.names.id,
                            KeyHash::of(self.seed, entry.key()),
                            entry.key().into(),
                        ));
                    }
                    Some(at) => next = next.min(at.0),
                    None => {}
                }
            }
            space.next_expiry = next;
        }
        for (ns, hash, key) in gone {
            // A namespace without a database is doomed; its keys need no farewell.
            let Some(db) = self.keyspace.db_of(ns) else {
                continue;
            };
            let at = self.host().applied();
            self.host()
                .log_deletes(db, slot, &[&key], DeleteReason::Expired);
            table.changed(ns, hash, &key);
            let space = table.space(ns).expect("its entry was just seen");
            let place = space
                .table
                .find(hash, &key)
                .expect("its entry was just seen");
            if self.has_cold() {
                space.delete(place, hash, at, self.seed);
            } else {
                space.forget(place, self.seed);
            }
            self.stats.expired_keys.add(1);
        }
    }

    /// Works off the head of the expiry index; returns how many rows.
    fn expire_cold_portion(self: &Arc<Self>) -> Result<usize, StoreError> {
        let due = self.cold().expired(UnixMs::now(), COLD_PORTION, None)?;
        let mut done = WriteSet::new();
        for item in &due {
            // A namespace without a database is doomed.
            if let Some(db) = self.keyspace.db_of(item.key.ns) {
                let key = self.key_of(db, &item.key);
                self.delete_cold_key(&key, DeleteReason::Expired)?;
            }
            done.delete_expiry(item.at, &item.key.as_ref());
        }
        self.cold().write(&mut done)?;
        Ok(due.len())
    }

    /// A cold key as commands name it.
    pub(crate) fn key_of<'a>(&self, db: u32, owned: &'a ColdKeyOwned) -> Key<'a> {
        let hash = KeyHash::of(self.seed, &owned.key);
        Key {
            db,
            ns: owned.ns,
            slot: owned.slot,
            hash,
            bytes: &owned.key,
        }
    }

    /// Deletes a key that is only in the cold tier (for [`DeleteReason::Expired`], only if its time is
    /// over); true if it was. The pin makes sure that the record judged is still the key's last word.
    pub(crate) fn delete_cold_key(
        self: &Arc<Self>,
        key: &Key<'_>,
        reason: DeleteReason,
    ) -> Result<bool, StoreError> {
        let mut pins = PinSet::default();
        self.pin_blocking(&[*key], &mut pins)?;
        let mut deleted = false;
        self.host().with_gate(&mut || {
            if self.keyspace.db_of(key.ns) != Some(key.db) {
                return;
            }
            let mut tx = Tx::begin(self, &[key.slot], UnixMs::now(), &pins, None);
            deleted = match reason {
                // Looking at it is enough.
                DeleteReason::Expired => tx.peek(key).is_ok() && !tx.expired().is_empty(),
                DeleteReason::Evicted => tx.is_cold(key) && matches!(tx.remove(key), Ok(true)),
            };
            if deleted && reason == DeleteReason::Evicted {
                self.stats.evicted_keys.add(1);
            }
            // A victim of eviction may turn out to have expired: then the look has deleted it.
            let expired = !tx.expired().is_empty();
            deleted |= expired;
            if deleted {
                let reason = if expired {
                    DeleteReason::Expired
                } else {
                    reason
                };
                self.host()
                    .log_deletes(key.db, key.slot, &[key.bytes], reason);
            }
        });
        Ok(deleted)
    }
}
