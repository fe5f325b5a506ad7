//! Pages of large values: written with the records they belong to, read many at a time.

use rocksdb::{ReadOptions, WriteBatch};

use super::{ColdTier, store};
use crate::cold::error::ColdError;
use crate::cold::key::page_key;
use crate::cold::nowait;
use crate::cold::write_set::{Family, PageChange, WriteSet};
use crate::ids::NamespaceId;

impl ColdTier {
    /// Adds the changes of pages to a batch, in their order.
    pub(super) fn add_page_changes(&self, set: &WriteSet, batch: &mut WriteBatch) {
        let family = self.family(Family::Pages);
        for change in set.page_changes() {
            match change {
                PageChange::Put(ns, object, page, bytes) => {
                    batch.put_cf(family, page_key(*ns, *object, *page), &bytes[..]);
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

    /// As [`ColdTier::pages`]; `None` if the disk would have to be asked.
    #[must_use]
    pub fn pages_at_hand(
        &self,
        ns: NamespaceId,
        object: u64,
        pages: &[u32],
    ) -> Option<Vec<Option<Vec<u8>>>> {
        if !self.reads_at_hand() {
            return self.read_pages(ns, object, pages, &self.read_cached).ok();
        }
        nowait::without_waiting(|| self.read_pages(ns, object, pages, &self.read))?.ok()
    }

    fn read_pages(
        &self,
        ns: NamespaceId,
        object: u64,
        pages: &[u32],
        options: &ReadOptions,
    ) -> Result<Vec<Option<Vec<u8>>>, ColdError> {
        // One by one: asking for many at once is no cheaper (docs/decisions/0004-rocksdb-settings.md).
        let family = self.family(Family::Pages);
        let read = |page: &u32| {
            let key = page_key(ns, object, *page);
            let bytes = self.db.get_pinned_cf_opt(family, key, options);
            bytes.map(|bytes| bytes.map(|bytes| bytes.to_vec()))
        };
        let found: Result<Vec<_>, _> = pages.iter().map(read).collect();
        found.map_err(store("read pages"))
    }
}
