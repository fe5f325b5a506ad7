//! Keys whose time is over.
//!
//! A lookup that meets such a key deletes it (`tx`). What nobody asks for is deleted here, by the master
//! alone: hot keys by looking through the slots that hold one that is due (each remembers a lower bound of
//! its next expiry), cold keys by the cold tier's index ordered by time. Index rows are never updated: a
//! row whose key has another expiry by now is stale and simply goes.
//!
//! Fields of hashes likewise: each slot has its hashes in memory in the order in which a field of them may be due
//! (`Space::fields_due`), and a cold hash has a row in the cold tier's index for its next deadline. A replica waits for
//! its master's HDEL, and a field past its time that is still there is hidden by the commands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cold::{ColdKeyOwned, WriteSet};
use crate::collection::fields::Expired;
use crate::promote::PinSet;
use crate::store::{DeleteReason, Inner, StoreError};
use crate::tx::{Key, Tx};
use crate::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};

/// Share of a round (100 ms) spent here at most, as Redis' active expiry takes a quarter of the time.
const TIME_LIMIT: Duration = Duration::from_millis(25);
/// Cold keys expired per portion.
const COLD_PORTION: usize = 256;

/// After a read that failed.
const RETRY_MS: u64 = 1000;
/// Fields deleted at a time, under the slot's lock.
const FIELDS_AT_ONCE: u64 = 256;
/// Hashes of a slot looked at in a round.
const HASHES_AT_ONCE: usize = 64;

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
        // Where nothing expires the slots are left in peace, and in the caches what others need.
        let slots = if self.keyspace.may_expire() { SLOTS } else { 0 };
        for _ in 0..slots {
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

    fn expire_slot(self: &Arc<Self>, slot: Slot, now: UnixMs) {
        let (mut is_due, mut has_fields) = (false, false);
        for space in self.slots[slot.index()].lock().spaces() {
            is_due |= space.next_expiry <= now.0;
            has_fields |= space.next_fields().is_some_and(|at| at <= now.0);
        }
        if is_due {
            self.host().with_gate(&mut || self.expire_due(slot, now));
        }
        if has_fields && let Err(error) = self.expire_due_fields(slot, now) {
            tracing::error!(%error, "fields of hashes do not expire");
        }
    }

    /// Works off the hashes in memory of which fields are due.
    fn expire_due_fields(self: &Arc<Self>, slot: Slot, now: UnixMs) -> Result<(), StoreError> {
        let mut found: Vec<(NamespaceId, KeyHash, Box<[u8]>)> = Vec::new();
        for space in self.slots[slot.index()].lock().spaces() {
            let ns = space.ns;
            let due = space.take_fields_due(now, HASHES_AT_ONCE);
            found.extend(due.into_iter().map(|(hash, key)| (ns, hash, key)));
        }
        for (ns, hash, bytes) in found {
            let Some(db) = self.keyspace.db_of(ns) else {
                continue;
            };
            let key = Key {
                db,
                ns,
                slot,
                hash,
                bytes: &bytes,
            };
            let expired = self.expire_fields(&key);
            // What is left, or was not to be read now, comes again in the next round.
            let again = match &expired {
                Ok(left) => left.filter(|at| *at <= now),
                Err(_) => Some(UnixMs(now.0 + RETRY_MS)),
            };
            if let Some(at) = again
                && let Some(space) = self.slots[slot.index()].lock().space(ns)
            {
                space.queue_fields(hash, at);
            }
            expired?;
        }
        Ok(())
    }

    /// Deletes fields of a hash that are past their time, a portion of them; returns when the next one is due.
    fn expire_fields(self: &Arc<Self>, key: &Key<'_>) -> Result<Option<UnixMs>, StoreError> {
        let mut pins = PinSet::default();
        loop {
            self.pin_blocking(&[*key], &mut pins)?;
            let mut done = None;
            self.host().with_gate(&mut || {
                if !self.is_master() || self.keyspace.db_of(key.ns) != Some(key.db) {
                    done = Some(Ok(None));
                    return;
                }
                let mut tx = Tx::begin(self, &[key.slot], UnixMs::now(), &pins, None);
                done = match tx.expire_fields(key, FIELDS_AT_ONCE) {
                    Err(_) => tx.take_failure().map(Err),
                    Ok(expired) => Some(Ok(self.log_expired(key, &tx, expired))),
                };
            });
            if let Some(done) = done {
                return done;
            }
        }
    }

    /// Logs what became of a key whose fields were looked at; the slot is locked.
    fn log_expired(&self, key: &Key<'_>, tx: &Tx<'_>, expired: Option<Expired>) -> Option<UnixMs> {
        let delete = || {
            let (db, slot) = (key.db, key.slot);
            self.host()
                .log_deletes(db, slot, &[key.bytes], DeleteReason::Expired);
        };
        if !tx.expired().is_empty() {
            // The key itself was past its time.
            delete();
        }
        let expired = expired?;
        self.stats.expired_fields.add(expired.fields.len() as u64);
        if expired.emptied {
            delete();
        } else if !expired.fields.is_empty() {
            let (db, slot) = (key.db, key.slot);
            self.host()
                .log_field_deletes(db, slot, key.bytes, &expired.fields);
        }
        expired.next
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
                let next = self.expire_fields(&key)?;
                // The record is as it was until it is written again, and has to be found by its row until then.
                if let Some(at) = next {
                    done.put_expiry(at, &item.key.as_ref());
                }
                if next == Some(item.at) {
                    continue;
                }
            }
            done.delete_expiry(item.at, &item.key.as_ref());
        }
        if !self.is_master() {
            // What is due is another's affair by now; the rows stay for when it is ours again.
            return Ok(0);
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

    /// Evicts a key that is only in the cold tier; true if it was. The pin makes sure that the record judged is still
    /// the key's last word.
    pub(crate) fn delete_cold_key(self: &Arc<Self>, key: &Key<'_>) -> Result<bool, StoreError> {
        let mut pins = PinSet::default();
        self.pin_blocking(&[*key], &mut pins)?;
        let mut deleted = false;
        self.host().with_gate(&mut || {
            if self.keyspace.db_of(key.ns) != Some(key.db) {
                return;
            }
            let mut tx = Tx::begin(self, &[key.slot], UnixMs::now(), &pins, None);
            let evicted = tx.is_cold(key) && matches!(tx.remove(key), Ok(true));
            // It may turn out to have expired: then the look has deleted it.
            let reason = match (evicted, tx.expired().is_empty()) {
                (true, _) => DeleteReason::Evicted,
                (false, false) => DeleteReason::Expired,
                (false, true) => return,
            };
            deleted = true;
            self.stats.evicted_keys.add(u64::from(evicted));
            self.host()
                .log_deletes(key.db, key.slot, &[key.bytes], reason);
        });
        Ok(deleted)
    }
}
