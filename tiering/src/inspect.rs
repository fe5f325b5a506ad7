//! A look at the cold tier from outside, beside a running server too: nothing is written. What is seen is what was
//! flushed, the state of the last checkpoint or later; the rest is in the binlog from the replay offset on.

use std::collections::BTreeMap;
use std::path::Path;

use basalt_binlog::Offset;

use crate::cold::{ColdKey, ColdRecord, ColdStats, ColdTier};
use crate::store::{STATE_COUNTS, Saved, StoreError, le_u32, read_saved};
use crate::{KeyHash, NamespaceId, Slot};

/// A cold tier that is only looked at.
pub struct ColdInspector {
    cold: ColdTier,
    saved: Saved,
}

/// What a cold tier says of itself.
#[derive(Clone, Debug)]
pub struct ColdFacts {
    /// From here on the binlog has what the cold tier has not; `None` before the first checkpoint.
    pub replay_offset: Option<Offset>,
    /// Records by database; those without records are left out.
    pub records: BTreeMap<u32, u64>,
    /// Records of databases that were flushed, still to be deleted.
    pub doomed_records: u64,
    /// Figures of the files.
    pub stats: ColdStats,
}

impl ColdInspector {
    /// Looks at the cold tier in this directory.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn open(dir: &Path) -> Result<ColdInspector, StoreError> {
        let cold = ColdTier::open_read_only(dir)?;
        let saved = read_saved(Some(&cold))?;
        Ok(ColdInspector { cold, saved })
    }

    /// Its figures.
    ///
    /// # Errors
    /// It is damaged.
    pub fn facts(&self) -> Result<ColdFacts, StoreError> {
        let databases: BTreeMap<u32, u32> =
            (0..).zip(self.map()).map(|(db, ns)| (ns.0, db)).collect();
        let (mut records, mut doomed_records) = (BTreeMap::new(), 0);
        for (name, value) in self.cold.state_scan(STATE_COUNTS)? {
            let damaged = || StoreError::Damaged(format!("count {name}"));
            let (ns, _) = name[STATE_COUNTS.len()..]
                .split_once('/')
                .ok_or_else(damaged)?;
            let ns = u32::from_str_radix(ns, 16).map_err(|_| damaged())?;
            let count = u64::from(le_u32(value.get(..4).ok_or_else(damaged)?));
            match databases.get(&ns) {
                Some(db) => *records.entry(*db).or_default() += count,
                None => doomed_records += count,
            }
        }
        records.retain(|_, count| *count > 0);
        Ok(ColdFacts {
            replay_offset: self.saved.replay,
            records,
            doomed_records,
            stats: self.cold.stats()?,
        })
    }

    /// The record of a key; it may be older than what the binlog says.
    ///
    /// # Errors
    /// It is damaged.
    pub fn get(&self, db: u32, key: &[u8]) -> Result<Option<ColdRecord>, StoreError> {
        let Some(ns) = self.map().nth(db as usize) else {
            return Ok(None);
        };
        let hash = KeyHash::of(self.saved.seed, key);
        Ok(self.cold.get(&ColdKey::new(ns, Slot::of(key), hash, key))?)
    }

    /// The namespaces of the databases, in order.
    fn map(&self) -> impl Iterator<Item = NamespaceId> + '_ {
        let newest = self.saved.keyspace.as_ref();
        let newest = newest.and_then(|saved| saved.history.last());
        newest
            .into_iter()
            .flat_map(|epoch| epoch.map.iter().copied())
    }
}
