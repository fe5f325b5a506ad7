//! Ordered reads: slots in SCAN order, deadlines in time order, state by name.
//!
//! They bypass the block cache on their way in, so that a scan does not wash it out.

use rocksdb::{DBRawIteratorWithThreadMode, ReadOptions};

use super::{ColdTier, Db, store};
use crate::cold::error::ColdError;
use crate::cold::key::{
    ColdKey, ColdKeyOwned, ExpiryItem, encode_expiry_onto, end_of_slot, position,
};
use crate::cold::record::RecordHeader;
use crate::cold::write_set::Family;
use crate::ids::{NamespaceId, Slot, UnixMs};

impl ColdTier {
    /// Keys of a slot from `from_order` on, in order: at least `limit` of them if there are as many, and
    /// then all keys that share the last one's order, so that a cursor of orders loses none.
    pub fn scan_slot(
        &self,
        ns: NamespaceId,
        slot: Slot,
        from_order: u32,
        limit: usize,
    ) -> Result<Vec<(ColdKeyOwned, RecordHeader)>, ColdError> {
        let mut found: Vec<(ColdKeyOwned, RecordHeader)> = Vec::new();
        let mut rows = self.rows(
            Family::Keys,
            &position(ns, slot, from_order),
            &end_of_slot(ns, slot),
        );
        while let Some((key, value)) = rows.item() {
            let (key, header) = parse(key, value)?;
            if found.len() >= limit && found.last().is_none_or(|(last, _)| last.order != key.order)
            {
                return Ok(found);
            }
            found.push((key.to_owned(), header));
            rows.next();
        }
        rows.status().map_err(store("scan slot"))?;
        Ok(found)
    }

    /// Calls `visit` with every key of a slot, what its record says, and its payload.
    pub fn visit_slot(
        &self,
        ns: NamespaceId,
        slot: Slot,
        visit: &mut dyn FnMut(ColdKey<'_>, RecordHeader, &[u8]),
    ) -> Result<(), ColdError> {
        let mut rows = self.rows(Family::Keys, &position(ns, slot, 0), &end_of_slot(ns, slot));
        while let Some((key, value)) = rows.item() {
            let parsed =
                ColdKey::decode(key).ok_or_else(|| ColdError::key(key, Family::Keys.name()))?;
            let (header, payload) =
                RecordHeader::decode(value).map_err(|e| ColdError::record(key, e))?;
            visit(parsed, header, payload);
            rows.next();
        }
        rows.status().map_err(store("walk over slot"))
    }

    /// The first key of a slot at or after `order`, if the slot has one there: a random pick, given a
    /// random order.
    pub fn seek_from(
        &self,
        ns: NamespaceId,
        slot: Slot,
        order: u32,
    ) -> Result<Option<(ColdKeyOwned, RecordHeader)>, ColdError> {
        let rows = self.rows(
            Family::Keys,
            &position(ns, slot, order),
            &end_of_slot(ns, slot),
        );
        let Some((key, value)) = rows.item() else {
            return rows.status().map(|()| None).map_err(store("seek in slot"));
        };
        let (key, header) = parse(key, value)?;
        Ok(Some((key.to_owned(), header)))
    }

    /// Up to `limit` expiry rows due at `now`, earliest first, after `resume` if given.
    pub fn expired(
        &self,
        now: UnixMs,
        limit: usize,
        resume: Option<&ExpiryItem>,
    ) -> Result<Vec<ExpiryItem>, ColdError> {
        let mut from = Vec::new();
        if let Some(last) = resume {
            encode_expiry_onto(last.at, &last.key.as_ref(), &mut from);
            from.push(0);
        }
        let to = now.0.saturating_add(1).to_be_bytes();
        let mut due = Vec::new();
        let mut rows = self.rows(Family::Expiry, &from, &to);
        while let Some(row) = rows.key() {
            if due.len() == limit {
                return Ok(due);
            }
            due.push(
                ExpiryItem::decode(row)
                    .ok_or_else(|| ColdError::key(row, Family::Expiry.name()))?,
            );
            rows.next();
        }
        rows.status().map_err(store("read expiry order"))?;
        Ok(due)
    }

    /// All named blobs of state whose name starts with `prefix`, by name.
    pub fn state_scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, ColdError> {
        let mut blobs = Vec::new();
        let mut rows = self.rows(Family::State, prefix.as_bytes(), &[0xFF]);
        while let Some((name, value)) = rows.item() {
            if !name.starts_with(prefix.as_bytes()) {
                break;
            }
            let text = std::str::from_utf8(name)
                .map_err(|_| ColdError::key(name, Family::State.name()))?;
            blobs.push((text.to_owned(), value.to_vec()));
            rows.next();
        }
        rows.status().map_err(store("scan state"))?;
        Ok(blobs)
    }

    /// Rows of `family` with `from` ≤ key < `to`, standing on the first.
    fn rows(&self, family: Family, from: &[u8], to: &[u8]) -> DBRawIteratorWithThreadMode<'_, Db> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_iterate_upper_bound(to);
        let mut rows = self.db.raw_iterator_cf_opt(self.family(family), options);
        rows.seek(from);
        rows
    }
}

fn parse<'a>(key: &'a [u8], value: &[u8]) -> Result<(ColdKey<'a>, RecordHeader), ColdError> {
    let parsed = ColdKey::decode(key).ok_or_else(|| ColdError::key(key, Family::Keys.name()))?;
    let (header, _) = RecordHeader::decode(value).map_err(|e| ColdError::record(key, e))?;
    Ok((parsed, header))
}
