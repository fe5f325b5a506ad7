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

use crate::cold::{ColdKeyOwned, ExpiryItem, WriteSet};
use crate::collection::fields::Expired;
use crate::promote::PinSet;
use crate::store::{DeleteReason, Inner, StoreError};
use crate::tx::{Key, Tx};
use crate::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};

/// Rows of the index taken at a time.
const COLD_PORTION: usize = 256;
/// So many cold records are read together, so that they wait for the disk together …
const RECORDS_AT_ONCE: usize = 16;
/// … unless those before held more than this, bytes: then one by one.
const RECORD_BYTES_AT_ONCE: usize = 1 << 20;
/// For so long the index is read on from where the last portion ended: the rows before are deleted, and it takes longer and
/// longer to pass what is left of them. Rows that came in behind are met when it is read from its beginning again.
const READ_ON: Duration = Duration::from_secs(2);

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
    /// The last row of the index that was worked off, and since when it has been read on.
    cold: Option<(ExpiryItem, Instant)>,
    records_at_once: usize,
    /// More is due than the last round had time for.
    behind: bool,
}

impl Cursor {
    /// Reads the index from its beginning again.
    fn rewind(&mut self) {
        self.cold = None;
    }
}

impl Inner {
    /// Deletes expired keys in both tiers for a share of `round`, the time until this is called again.
    pub(crate) fn expire_round(self: &Arc<Self>, cursor: &mut Cursor, round: Duration) {
        let limits = self.limits();
        if !limits.active_expire || !self.is_master() {
            return;
        }
        let percent = limits.expire_percent * (1 + u32::from(cursor.behind));
        let until = Instant::now() + round * percent / 100;
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
            match self.expire_cold_portion(cursor, until) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "cold keys do not expire");
                    cursor.rewind();
                    break;
                }
            }
        }
        cursor.behind = Instant::now() >= until;
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
            let expired = self.expire_fields(&key, &mut PinSet::default());
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
    fn expire_fields(
        self: &Arc<Self>,
        key: &Key<'_>,
        pins: &mut PinSet,
    ) -> Result<Option<UnixMs>, StoreError> {
        loop {
            self.pin_blocking(&[*key], pins)?;
            let mut done = None;
            self.host().with_gate(&mut || {
                if !self.is_master() || self.keyspace.db_of(key.ns) != Some(key.db) {
                    done = Some(Ok(None));
                    return;
                }
                let mut tx = Tx::begin(self, &[key.slot], UnixMs::now(), pins, None);
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

    /// Works off the next rows of the expiry index; returns how many.
    fn expire_cold_portion(
        self: &Arc<Self>,
        cursor: &mut Cursor,
        until: Instant,
    ) -> Result<usize, StoreError> {
        if cursor
            .cold
            .as_ref()
            .is_some_and(|(_, since)| since.elapsed() > READ_ON)
        {
            cursor.rewind();
        }
        let from = cursor.cold.as_ref().map(|(row, _)| row);
        let due = self.cold().expired(UnixMs::now(), COLD_PORTION, from)?;
        let mut worked_off = WriteSet::new();
        let mut rows = &due[..];
        while !rows.is_empty() && Instant::now() < until {
            let at_once = cursor.records_at_once.clamp(1, rows.len());
            let (now, later) = rows.split_at(at_once);
            let bytes = self.expire_rows(now, &mut worked_off, until)?;
            cursor.records_at_once = if bytes > RECORD_BYTES_AT_ONCE {
                1
            } else {
                RECORDS_AT_ONCE
            };
            rows = later;
        }
        if !self.is_master() {
            // What is due is another's affair by now; the rows stay for when it is ours again.
            cursor.rewind();
            return Ok(0);
        }
        self.cold().write(&mut worked_off)?;
        let done = due.len() - rows.len();
        match due[..done].last() {
            Some(last) => {
                let since = cursor.cold.take().map_or_else(Instant::now, |(_, at)| at);
                cursor.cold = Some((last.clone(), since));
            }
            None => cursor.rewind(),
        }
        Ok(done)
    }

    /// Deletes what is due of the keys of some rows, and has the rows deleted; returns the bytes of the records read for it.
    fn expire_rows(
        self: &Arc<Self>,
        rows: &[ExpiryItem],
        worked_off: &mut WriteSet,
        until: Instant,
    ) -> Result<usize, StoreError> {
        // A namespace without a database is doomed.
        let mut keys: Vec<Option<Key<'_>>> = Vec::with_capacity(rows.len());
        for ExpiryItem { key, .. } in rows {
            let db = self.keyspace.db_of(key.ns);
            keys.push(db.map(|db| self.key_of(db, key)));
        }
        let mut pins = PinSet::default();
        self.pin_blocking(
            &keys.iter().copied().flatten().collect::<Vec<_>>(),
            &mut pins,
        )?;
        for (row, key) in rows.iter().zip(keys) {
            if let Some(key) = key {
                let mut next = self.expire_fields(&key, &mut pins)?;
                while next.is_some_and(|at| at <= UnixMs::now()) && Instant::now() < until {
                    next = self.expire_fields(&key, &mut pins)?;
                }
                // The record is as it was until it is written again, and has to be found by its row until then.
                if let Some(at) = next {
                    worked_off.put_expiry(at, &row.key.as_ref());
                }
                if next == Some(row.at) {
                    continue;
                }
            }
            worked_off.delete_expiry(row.at, &row.key.as_ref());
        }
        Ok(pins.record_bytes())
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
}
