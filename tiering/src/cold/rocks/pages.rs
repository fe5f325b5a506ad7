//! Pages of large values: written with the records they belong to, read many at a time.

use rocksdb::{ReadOptions, WriteBatch};

use super::{ColdTier, store};
use crate::cold::error::ColdError;
use crate::cold::key::page_key;
use crate::cold::write_set::{Family, PageChange, WriteSet};
use crate::ids::NamespaceId;

impl ColdTier {
    /// Adds the changes of pages to a batch, in their order.
    pub(super) fn add_page_changes(&self, set: &WriteSet, batch: &mut WriteBatch) {
        let family = self.family(Family::Pages);
        for change in set.page_changes() {
            match change {
                PageChange::Put(ns, object, page, bytes) => {
                    batch.put_cf(family, page_key(*ns, *object, *page), bytes.as_slice());
                }
                PageChange::Delete(ns, object, page) => {
                    batch.delete_cf(family, page_key(*ns, *object, *page));
                }
                PageChange::DeleteObject(ns, object) => {
                    let (from, to) = (page_key(*ns, *object, 0), page_key(*ns, *object, u32::MAX));
                    batch.delete_range_cf(family, from, to);
                }
            }
        }
    }

    /// Reads pages of an object, from disk if need be: each as it was written, or `None` if there is no such page.
    pub fn pages(
        &self,
        ns: NamespaceId,
        object: u64,
        pages: &[u32],
    ) -> Result<Vec<Option<Vec<u8>>>, ColdError> {
        self.read_pages(ns, object, pages, &self.read)
    }

    /// As [`ColdTier::pages`], from memory alone; `None` if the disk would have to be asked.
    #[must_use]
    pub fn pages_cached(
        &self,
        ns: NamespaceId,
        object: u64,
        pages: &[u32],
    ) -> Option<Vec<Option<Vec<u8>>>> {
        self.read_pages(ns, object, pages, &self.read_cached).ok()
    }

    fn read_pages(
        &self,
        ns: NamespaceId,
        object: u64,
        pages: &[u32],
        options: &ReadOptions,
    ) -> Result<Vec<Option<Vec<u8>>>, ColdError> {
        let family = self.family(Family::Pages);
        let mut sorted: Vec<u32> = pages.to_vec();
        sorted.sort_unstable();
        let keys: Vec<_> = sorted
            .iter()
            .map(|page| page_key(ns, object, *page))
            .collect();
        let read = self
            .db
            .batched_multi_get_cf_opt(family, &keys, true, options);
        let mut found = vec![None; pages.len()];
        for (id, bytes) in sorted.iter().zip(read) {
            let bytes = bytes.map_err(store("read pages"))?;
            let at = pages
                .iter()
                .position(|page| page == id)
                .expect("it was asked for");
            found[at] = bytes.map(|bytes| bytes.to_vec());
        }
        Ok(found)
    }
}
