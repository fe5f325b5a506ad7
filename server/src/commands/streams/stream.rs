//! A stream as its commands see it: the trees of a collection, and what its extra bytes say.
//!
//! ```text
//!   tree MAIN     id (`id.rs`) → entry (`entry.rs`)
//!   tree GROUPS   groups, consumers, pending entries (`groups.rs`)
//!   extra         version 1, last id, largest deleted id, entries added, number for the next group, known names
//! ```
//!
//! The first id is that of the first entry. What was changed is stored when the handle is dropped; a stream stays when
//! its last entry goes. All faults come before the first change, as with any collection.

use std::ops::{ControlFlow, Range};

use basalt_tiering::{BY_MEMBER, Collection, Fault, Key, Kind, MAIN, Snapshot, Tx};

use super::entry::{self, Entry, put_varint, take_varint};
use super::id::Id;
use crate::commands::Stop;

/// The tree of groups.
pub const GROUPS: usize = BY_MEMBER;
const VERSION: u8 = 1;

/// What a stream is apart from its entries and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last id given out.
    pub last: Id,
    /// The largest id deleted by name.
    pub max_deleted: Id,
    /// How many entries were ever added.
    pub added: u64,
    /// The number that the next group gets.
    pub next_group: u64,
    /// Names of fields that entries refer to.
    pub shapes: Vec<u8>,
}

impl Head {
    /// Reads a value's extra bytes.
    ///
    /// # Panics
    /// If they are not those of a stream.
    #[must_use]
    pub fn decode(extra: &[u8]) -> Head {
        if extra.is_empty() {
            return Head::default();
        }
        Head::read(extra).expect("a stream's head is written here alone")
    }

    fn read(extra: &[u8]) -> Option<Head> {
        let (&version, rest) = extra.split_first()?;
        if version != VERSION {
            return None;
        }
        let (last, rest) = Id::take(rest)?;
        let (max_deleted, mut rest) = Id::take(rest)?;
        Some(Head {
            last,
            max_deleted,
            added: take_varint(&mut rest)?,
            next_group: take_varint(&mut rest)?,
            shapes: rest.to_vec(),
        })
    }

    /// The extra bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        out.push(VERSION);
        out.extend_from_slice(&self.last.key());
        out.extend_from_slice(&self.max_deleted.key());
        put_varint(self.added, out);
        put_varint(self.next_group, out);
        out.extend_from_slice(&self.shapes);
    }
}

/// An open stream.
#[derive(Debug)]
pub struct Stream<'t, 's> {
    pub(super) tree: Collection<'t, 's>,
    head: Head,
    changed: bool,
    bytes: Vec<u8>,
}

impl<'t, 's> Stream<'t, 's> {
    /// Opens a stream; an absent key is an empty one, another type an error.
    pub fn open(tx: &'t mut Tx<'s>, key: &Key<'t>) -> Result<Self, Stop> {
        Ok(Self::of(tx.collection(key, Kind::Stream)?))
    }

    /// As [`Stream::open`], for a command that changes groups alone: as in Redis it trips no WATCH.
    pub fn open_unwatched(tx: &'t mut Tx<'s>, key: &Key<'t>) -> Result<Self, Stop> {
        let mut tree = tx.collection(key, Kind::Stream)?;
        tree.keep_from_watchers();
        Ok(Self::of(tree))
    }

    /// As [`Stream::open`], without counting the access.
    pub fn peek(tx: &'t mut Tx<'s>, key: &Key<'t>) -> Result<Self, Stop> {
        Ok(Self::of(tx.peek_collection(key, Kind::Stream)?))
    }

    /// The stream in an open collection.
    #[must_use]
    pub fn of(tree: Collection<'t, 's>) -> Self {
        let head = Head::decode(tree.extra());
        Stream {
            tree,
            head,
            changed: false,
            bytes: Vec::new(),
        }
    }

    /// The trees, for what has no function here.
    #[must_use]
    pub fn tree(&self) -> &Collection<'t, 's> {
        &self.tree
    }
}

impl Stream<'_, '_> {
    /// True if the key was there when it was opened.
    #[must_use]
    pub fn existed(&self) -> bool {
        self.tree.existed()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.tree.len(MAIN)
    }

    /// True if there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it is apart from its entries.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The same, to be changed; a key that was absent is there from now on.
    pub fn head_mut(&mut self) -> &mut Head {
        self.changed = true;
        &mut self.head
    }

    /// Where an id is among the entries, or would be.
    pub fn rank(&self, id: Id) -> Result<(u64, bool), Fault> {
        self.tree.rank(MAIN, &id.key())
    }

    /// True if there is an entry of this id.
    pub fn contains(&self, id: Id) -> Result<bool, Fault> {
        self.tree.contains(MAIN, &id.key())
    }

    /// The ranks of the entries from one id to another, both included.
    pub fn between(&self, from: Id, to: Id) -> Result<Range<u64>, Fault> {
        let start = match from {
            Id::MIN => 0,
            _ => self.rank(from)?.0,
        };
        let end = match to {
            Id::MAX => self.len(),
            _ => {
                let (rank, is_there) = self.rank(to)?;
                rank + u64::from(is_there)
            }
        };
        Ok(start..end.max(start))
    }

    /// The ranks of the entries behind an id.
    pub fn after(&self, id: Id) -> Result<Range<u64>, Fault> {
        if id >= self.head.last {
            return Ok(self.len()..self.len());
        }
        let (rank, is_there) = self.rank(id)?;
        Ok(rank + u64::from(is_there)..self.len())
    }

    /// Calls `visit` for each entry of a range of ranks until it breaks. All pages are there before the first call.
    pub fn each(
        &self,
        ranks: Range<u64>,
        reverse: bool,
        mut visit: impl FnMut(Id, Entry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        self.tree.each(MAIN, ranks, reverse, |key, bytes| {
            visit(Id::of_key(key), decoded(&self.head, &bytes))
        })
    }

    /// The id at a rank.
    pub fn id_at(&self, rank: u64) -> Result<Option<Id>, Fault> {
        Ok(self.tree.at(MAIN, rank)?.map(|(key, _)| Id::of_key(key)))
    }

    /// The first id; the smallest one if there is no entry.
    pub fn first_id(&self) -> Result<Id, Fault> {
        Ok(self.id_at(0)?.unwrap_or_default())
    }

    /// The id of the last entry that is there; the smallest one if there is none.
    pub fn top_id(&self) -> Result<Id, Fault> {
        match self.len() {
            0 => Ok(Id::MIN),
            len => Ok(self.id_at(len - 1)?.unwrap_or_default()),
        }
    }

    /// Makes sure that adding this entry does not fault.
    pub fn prefault_entry(&self, id: Id) -> Result<(), Fault> {
        self.tree.prefault(MAIN, [&*id.key()])
    }

    /// Adds an entry behind all others, and counts it.
    pub fn append<'w>(
        &mut self,
        id: Id,
        words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
    ) -> Result<(), Fault> {
        let mut bytes = std::mem::take(&mut self.bytes);
        self.forget_shapes();
        entry::encode(words, &mut self.head.shapes, &mut bytes);
        self.tree.insert(MAIN, &id.key(), &bytes)?;
        self.bytes = bytes;
        self.count(id);
        Ok(())
    }

    /// As if this entry had been added and trimmed away.
    pub fn count(&mut self, id: Id) {
        let head = self.head_mut();
        head.last = id;
        head.added = head.added.saturating_add(1);
    }

    /// Known names are known no more when nothing refers to them.
    fn forget_shapes(&mut self) {
        if self.is_empty() {
            self.head.shapes.clear();
        }
    }

    /// Makes sure that deleting these entries does not fault.
    pub fn prefault_entries(&self, ids: &[Id]) -> Result<(), Fault> {
        if self.tree.is_whole() {
            return Ok(());
        }
        let keys: Vec<_> = ids.iter().map(|id| id.key()).collect();
        self.tree.prefault(MAIN, keys.iter().map(|key| &**key))
    }

    /// Deletes an entry; true if it was there.
    pub fn delete(&mut self, id: Id) -> Result<bool, Fault> {
        let deleted = self.tree.remove(MAIN, &id.key())?;
        self.changed |= deleted;
        Ok(deleted)
    }

    /// Makes sure that deleting the first entries does not fault.
    pub fn prefault_first(&mut self, count: u64) -> Result<(), Fault> {
        self.tree.prefault_removal(MAIN, 0..count.min(self.len()))
    }

    /// Deletes the first entries.
    pub fn delete_first(&mut self, count: u64) -> Result<u64, Fault> {
        let deleted = self.tree.remove_ranks(MAIN, 0..count)?;
        self.changed |= deleted > 0;
        Ok(deleted)
    }
}

impl Drop for Stream<'_, '_> {
    fn drop(&mut self) {
        if self.changed && !std::thread::panicking() {
            let mut extra = std::mem::take(&mut self.bytes);
            self.head.encode(&mut extra);
            self.tree.set_extra(&extra);
        }
    }
}

/// Reads an entry.
///
/// # Panics
/// If it is none: entries are written here alone.
#[must_use]
pub fn decoded<'a>(head: &'a Head, bytes: &'a [u8]) -> Entry<'a> {
    Entry::decode(&head.shapes, bytes).expect("an entry is written whole")
}

/// Calls `visit` for each entry of a value that was taken out of the keyspace.
pub fn each_of(snapshot: &Snapshot, mut visit: impl FnMut(Id, Entry<'_>)) {
    let head = Head::decode(snapshot.extra());
    snapshot.each(MAIN, |key, bytes| {
        visit(Id::of_key(key), decoded(&head, &bytes));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        Head::default().encode(&mut bytes);
        assert_eq!(Head::decode(&bytes), Head::default());
        assert_eq!(bytes.len(), 17);
        let head = Head {
            last: Id { ms: 7, seq: 9 },
            max_deleted: Id::MAX,
            added: u64::MAX,
            next_group: 300,
            shapes: vec![1, 2, 3],
        };
        head.encode(&mut bytes);
        assert_eq!(Head::decode(&bytes), head);
        assert_eq!(Head::decode(&[]), Head::default());
    }
}
