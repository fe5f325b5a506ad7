//! A set of changes to the cold tier that takes effect as one.
//!
//! Changes are kept flat: one buffer with all keys and values back to back, one small row per change. The
//! set knows nothing of RocksDB, can be filled under any lock, and keeps its memory for the next round.

use super::key::{ColdKey, encode_expiry_onto};
use super::record::RecordHeader;
use crate::ids::{NamespaceId, UnixMs};
use crate::page::Page;

/// The families a change can go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Keys,
    Expiry,
    Pages,
    State,
}

impl Family {
    pub(super) const ALL: [Family; 4] =
        [Family::Keys, Family::Expiry, Family::Pages, Family::State];

    pub(super) fn name(self) -> &'static str {
        match self {
            Family::Keys => "keys",
            Family::Expiry => "expiry",
            Family::Pages => "pages",
            Family::State => "state",
        }
    }
}

struct Change {
    family: Family,
    key_end: usize,
    /// Where the value ends; `None` deletes the key.
    value_end: Option<usize>,
}

/// One change as the store applies it: `value` `None` deletes.
pub(super) struct ChangeRef<'a> {
    pub(super) family: Family,
    pub(super) key: &'a [u8],
    pub(super) value: Option<&'a [u8]>,
}

/// A change of the pages of a large value.
pub(super) enum PageChange {
    /// The page is this.
    Put(NamespaceId, u64, u32, Page),
    /// The page is gone.
    Delete(NamespaceId, u64, u32),
    /// All pages of the object are gone.
    DeleteObject(NamespaceId, u64),
}

/// Changes that `ColdTier::write` applies all together or not at all. A later change of a key wins.
#[derive(Default)]
pub struct WriteSet {
    changes: Vec<Change>,
    bytes: Vec<u8>,
    /// In their order. Pages are shared with memory, not copied.
    pages: Vec<PageChange>,
    page_bytes: usize,
}

impl WriteSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a record for `key`. The expiry row, if the record has one, is the caller's to keep in step
    /// ([`WriteSet::put_expiry`], [`WriteSet::delete_expiry`]): only the caller knows the former deadline.
    pub fn put(&mut self, key: &ColdKey<'_>, header: &RecordHeader, payload: &[u8]) {
        key.encode_onto(&mut self.bytes);
        let key_end = self.bytes.len();
        header.encode_onto(&mut self.bytes);
        self.bytes.extend_from_slice(payload);
        self.push_put(Family::Keys, key_end);
    }

    /// Deletes the record of `key`; nothing happens if there is none.
    pub fn delete(&mut self, key: &ColdKey<'_>) {
        key.encode_onto(&mut self.bytes);
        self.push_delete(Family::Keys);
    }

    /// Adds `key` to the expiry order at `at`.
    pub fn put_expiry(&mut self, at: UnixMs, key: &ColdKey<'_>) {
        encode_expiry_onto(at, key, &mut self.bytes);
        self.push_put(Family::Expiry, self.bytes.len());
    }

    /// Takes `key` at `at` out of the expiry order.
    pub fn delete_expiry(&mut self, at: UnixMs, key: &ColdKey<'_>) {
        encode_expiry_onto(at, key, &mut self.bytes);
        self.push_delete(Family::Expiry);
    }

    /// Stores a named blob of state.
    pub fn put_state(&mut self, name: &str, value: &[u8]) {
        self.bytes.extend_from_slice(name.as_bytes());
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.push_put(Family::State, key_end);
    }

    /// Deletes a named blob of state.
    pub fn delete_state(&mut self, name: &str) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.push_delete(Family::State);
    }

    /// Stores a page of a large value.
    pub(crate) fn put_page(&mut self, ns: NamespaceId, object: u64, page: u32, bytes: Page) {
        self.page_bytes += bytes.len();
        self.pages.push(PageChange::Put(ns, object, page, bytes));
    }

    /// Deletes a page of a large value.
    pub fn delete_page(&mut self, ns: NamespaceId, object: u64, page: u32) {
        self.pages.push(PageChange::Delete(ns, object, page));
    }

    /// Deletes all pages of a large value: one row, whatever their number.
    pub fn delete_object(&mut self, ns: NamespaceId, object: u64) {
        self.pages.push(PageChange::DeleteObject(ns, object));
    }

    /// Number of changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len() + self.pages.len()
    }

    /// Whether there is no change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.pages.is_empty()
    }

    /// Bytes of all keys and values in the set.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.page_bytes
    }

    /// Forgets all changes, keeps the memory up to `KEEP_BYTES`.
    pub fn clear(&mut self) {
        /// A rare huge value must not pin its size for good.
        const KEEP_BYTES: usize = 4 << 20;
        self.changes.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEEP_BYTES);
        self.pages.clear();
        self.page_bytes = 0;
    }

    pub(super) fn page_changes(&self) -> &[PageChange] {
        &self.pages
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = ChangeRef<'_>> {
        let mut at = 0;
        self.changes.iter().map(move |change| {
            let key = &self.bytes[at..change.key_end];
            let value = change.value_end.map(|end| &self.bytes[change.key_end..end]);
            at = change.value_end.unwrap_or(change.key_end);
            ChangeRef {
                family: change.family,
                key,
                value,
            }
        })
    }

    fn push_put(&mut self, family: Family, key_end: usize) {
        self.changes.push(Change {
            family,
            key_end,
            value_end: Some(self.bytes.len()),
        });
    }

    fn push_delete(&mut self, family: Family) {
        self.changes.push(Change {
            family,
            key_end: self.bytes.len(),
            value_end: None,
        });
    }
}
