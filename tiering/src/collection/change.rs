//! Changing a collection, and storing what was changed when its handle is dropped.

use std::ops::Range;

use super::{Collection, Form, SCRATCH, Seat};
use crate::entry::Entry;
use crate::tree::leaf;
use crate::tree::write::Editor;
use crate::tree::{
    Absent, Bytes, Object, SMALL_MAX, Small, encode_cell, encode_small, small_bytes,
};
use crate::tx::{Expiry, Fault, Found};

/// Larger scratch memory is not kept.
const SCRATCH_MAX: usize = 4096;

impl Collection<'_, '_> {
    /// Replaces the type's own bytes. They are kept with the root: a few dozen, not thousands.
    pub fn set_extra(&mut self, bytes: &[u8]) {
        self.own();
        let extra = match &mut self.form {
            Form::Lent(_) => unreachable!("made our own"),
            Form::Own { extra, .. } => extra,
            Form::Large(object) => &mut object.extra,
            Form::Grown(object) => &mut object.extra,
        };
        extra.clear();
        extra.extend_from_slice(bytes);
        self.note_change();
        self.grow_if_due();
    }

    /// Puts a key with its value (a set's is empty); true if the key is new.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn insert(&mut self, tree: usize, key: &[u8], value: &[u8]) -> Result<bool, Fault> {
        let mut cell = std::mem::take(&mut self.cell);
        encode_cell(self.kind.trees()[tree], key, value, &mut cell);
        self.insert_cell(tree, key, cell)
    }

    /// Puts a key with its value unless it is there; true if it is new.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn insert_new(&mut self, tree: usize, key: &[u8], value: &[u8]) -> Result<bool, Fault> {
        if self.is_small() {
            return Ok(!self.contains(tree, key)? && self.insert(tree, key, value)?);
        }
        let mut cell = std::mem::take(&mut self.cell);
        encode_cell(self.kind.trees()[tree], key, value, &mut cell);
        let inserted = self.object(tree).insert_new(key, &cell);
        self.cell = cell;
        match inserted {
            Ok(false) => Ok(false),
            inserted => self.done(inserted),
        }
    }

    /// Puts a key with its value where [`Collection::find`] found its seat; true if the key is new. The tree was not
    /// changed since.
    ///
    /// # Errors
    /// None where the seat is one of a large value; else as [`Collection::insert`].
    pub fn put(
        &mut self,
        tree: usize,
        seat: &Seat,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, Fault> {
        let Some(seat) = &seat.0 else {
            return self.insert(tree, key, value);
        };
        let mut cell = std::mem::take(&mut self.cell);
        encode_cell(self.kind.trees()[tree], key, value, &mut cell);
        let is_new = self.object(tree).put(seat, &cell);
        self.cell = cell;
        self.done(Ok(is_new))
    }

    /// Takes a key out that is there and puts another one, of a tree of keys alone.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn move_key(&mut self, tree: usize, from: &[u8], to: &[u8]) -> Result<(), Fault> {
        if self.is_small() {
            self.remove(tree, from)?;
            return self.insert(tree, to, &[]).map(drop);
        }
        let mut cell = std::mem::take(&mut self.cell);
        encode_cell(self.kind.trees()[tree], to, &[], &mut cell);
        let moved = self.object(tree).move_key(from, to, &cell);
        self.cell = cell;
        self.done(moved)
    }

    /// A tree of a value that is not small.
    fn object(&mut self, tree: usize) -> Editor<'_> {
        match &mut self.form {
            Form::Lent(_) | Form::Own { .. } => unreachable!("it is not small"),
            Form::Large(object) => object.editor(tree),
            Form::Grown(object) => object.editor(tree),
        }
    }

    /// Puts a cell; its bytes become the scratch memory again.
    pub(super) fn insert_cell(
        &mut self,
        tree: usize,
        key: &[u8],
        cell: Vec<u8>,
    ) -> Result<bool, Fault> {
        self.own();
        let inserted = match &mut self.form {
            Form::Lent(_) => unreachable!("made our own"),
            Form::Own { pages, .. } => Ok(match leaf::search(&pages[tree], key) {
                Ok(spot) => {
                    leaf::replace(&mut pages[tree], spot, &cell);
                    false
                }
                Err(spot) => {
                    leaf::insert(&mut pages[tree], spot, &cell);
                    true
                }
            }),
            Form::Large(object) => object.editor(tree).insert(key, &cell),
            Form::Grown(object) => object.editor(tree).insert(key, &cell),
        };
        self.cell = cell;
        self.done(inserted)
    }

    /// Puts a value in front of the one at `position` (the length: behind the last).
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn insert_at(&mut self, tree: usize, position: u64, value: &[u8]) -> Result<(), Fault> {
        self.place(tree, position, value, false)
    }

    /// Replaces the value at a position that is there.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn replace_at(&mut self, tree: usize, position: u64, value: &[u8]) -> Result<(), Fault> {
        self.place(tree, position, value, true)
    }

    fn place(
        &mut self,
        tree: usize,
        position: u64,
        value: &[u8],
        replace: bool,
    ) -> Result<(), Fault> {
        let mut cell = std::mem::take(&mut self.cell);
        encode_cell(self.kind.trees()[tree], &[], value, &mut cell);
        self.own();
        let edit = |object: &mut Object| match replace {
            true => object.editor(tree).replace_at(position, &cell),
            false => object.editor(tree).insert_at(position, &cell),
        };
        let placed = match &mut self.form {
            Form::Lent(_) => unreachable!("made our own"),
            Form::Own { pages, .. } => {
                let spot = leaf::spot(&pages[tree], position as usize);
                if replace {
                    leaf::replace(&mut pages[tree], spot, &cell);
                } else {
                    leaf::insert(&mut pages[tree], spot, &cell);
                }
                Ok(())
            }
            Form::Large(object) => edit(object),
            Form::Grown(object) => edit(object),
        };
        self.cell = cell;
        self.done(placed)
    }

    /// Takes a key out; true if it was there.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn remove(&mut self, tree: usize, key: &[u8]) -> Result<bool, Fault> {
        if self.is_small() && !self.contains(tree, key)? {
            return Ok(false);
        }
        self.own();
        let removed = match &mut self.form {
            Form::Lent(_) => unreachable!("made our own"),
            Form::Own { pages, .. } => {
                let spot = leaf::search(&pages[tree], key).expect("just found");
                leaf::remove(&mut pages[tree], spot);
                Ok(true)
            }
            Form::Large(object) => object.editor(tree).remove(key),
            Form::Grown(object) => object.editor(tree).remove(key),
        };
        match removed {
            Ok(false) => Ok(false),
            removed => self.done(removed),
        }
    }

    /// Takes out the element at a rank that is there; `visit` sees its key and value before. When it does, no fault is
    /// possible any more, so that it may write into a reply.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn take_at<R>(
        &mut self,
        tree: usize,
        rank: u64,
        visit: impl FnOnce(&[u8], Bytes<'_>) -> R,
    ) -> Result<R, Fault> {
        self.own();
        let taken = match &mut self.form {
            Form::Lent(_) => unreachable!("made our own"),
            Form::Own { pages, .. } => {
                let spot = leaf::spot(&pages[tree], rank as usize);
                let (key, value) = leaf::cell(&pages[tree], spot);
                let seen = visit(key, value);
                leaf::remove(&mut pages[tree], spot);
                Ok(seen)
            }
            Form::Large(object) => object.editor(tree).take_at(rank, visit),
            Form::Grown(object) => object.editor(tree).take_at(rank, visit),
        };
        self.done(taken)
    }

    /// Takes out what is at a range of ranks (positions); returns how many there were. Costs the length of the
    /// way down, not of the range; only the pages at its ends are read.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn remove_ranks(&mut self, tree: usize, ranks: Range<u64>) -> Result<u64, Fault> {
        let ranks = ranks.start..ranks.end.min(self.len(tree));
        if ranks.is_empty() {
            return Ok(0);
        }
        if let Form::Large(object) = &mut self.form {
            let mut absent = Vec::new();
            object.editor(tree).absent_for_removal(&ranks, &mut absent);
            self.fault_if(absent)?;
        }
        self.own();
        let removed = match &mut self.form {
            Form::Lent(_) => unreachable!("made our own"),
            Form::Own { pages, .. } => {
                let from = leaf::spot(&pages[tree], ranks.start as usize);
                leaf::remove_many(&mut pages[tree], from, ranks.end as usize);
                Ok(ranks.end - ranks.start)
            }
            Form::Large(object) => object.editor(tree).remove_range(ranks),
            Form::Grown(object) => object.editor(tree).remove_range(ranks),
        };
        self.done(removed)
    }

    /// Makes sure that removing these ranks does not fault, for a command that removes several ranges.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn prefault_removal(&mut self, tree: usize, ranks: Range<u64>) -> Result<(), Fault> {
        let mut absent = Vec::new();
        if let Form::Large(object) = &mut self.form {
            object.editor(tree).absent_for_removal(&ranks, &mut absent);
        }
        self.fault_if(absent)
    }

    /// Copies a small value, so that it can be changed.
    pub(super) fn own(&mut self) {
        if let Form::Lent(small) = &self.form {
            let page = |tree: usize| {
                let mut page = Vec::with_capacity(small.page(tree).len() + 64);
                page.extend_from_slice(small.page(tree));
                page
            };
            let pages = (0..small.trees()).map(page).collect();
            self.form = Form::Own {
                extra: small.extra.to_vec(),
                pages,
            };
        }
    }

    /// After an operation: if it changed something, that is noted.
    fn done<R>(&mut self, result: Result<R, Absent>) -> Result<R, Fault> {
        match result {
            Ok(result) => {
                self.note_change();
                self.grow_if_due();
                Ok(result)
            }
            Err(absent) => Err(self.fault_on(absent)),
        }
    }

    /// Changes from here on trip no WATCH of the key, as long as it is open.
    pub fn keep_from_watchers(&mut self) {
        self.tx.unwatched = true;
    }

    pub(super) fn note_change(&mut self) {
        if std::mem::replace(&mut self.changed, true) {
            return;
        }
        if let Form::Large(_) = &self.form {
            self.tx.mark_object_written(&self.key);
        }
    }

    fn grow_if_due(&mut self) {
        if let Form::Own { extra, pages } = &mut self.form
            && small_bytes(extra, pages) > SMALL_MAX
        {
            let id = self.tx.inner.new_object();
            let (extra, pages) = (std::mem::take(extra), std::mem::take(pages));
            let object = Object::of_pages(id, self.kind.trees(), pages, extra);
            self.form = Form::Grown(Box::new(object));
        }
    }

    fn store(&mut self) {
        let keeps = self.kind.may_be_empty() || !self.is_empty();
        if !keeps {
            // The object goes with its entry.
            self.form = Form::Lent(Small::default());
            if self.existed {
                let removed = self.tx.remove(&self.key);
                assert!(
                    matches!(removed, Ok(true)),
                    "it was opened, so it is resident"
                );
            }
            return;
        }
        self.drop_idle_index();
        let mut scratch = std::mem::take(&mut self.cell);
        let value = &mut scratch;
        let empty = Form::Lent(Small::default());
        match std::mem::replace(&mut self.form, empty) {
            Form::Lent(_) => unreachable!("only its own form is changed"),
            Form::Own { extra, pages } => encode_small(&extra, &pages, value),
            Form::Grown(object) => {
                value.clear();
                value.extend_from_slice(&Entry::object_value(object));
            }
            Form::Large(object) => match object.as_small() {
                None => {
                    let dirty = object.table.dirty_bytes();
                    self.cell = scratch;
                    return self.tx.inner.note_dirty_bytes(&self.key, dirty);
                }
                Some(small) => *value = small,
            },
        }
        if self.cold
            && let Ok(Found::Cold(loaded)) = self.tx.find(&self.key)
        {
            // It keeps its frequency.
            self.tx.install(&self.key, &loaded);
        }
        let expiry = self.expiry.map_or(Expiry::Never, Expiry::At);
        self.tx.set(&self.key, self.kind, value, expiry);
        self.cell = scratch;
    }
}

impl Drop for Collection<'_, '_> {
    fn drop(&mut self) {
        if self.changed && !std::thread::panicking() {
            self.store();
        }
        self.tx.unwatched = false;
        if (1..=SCRATCH_MAX).contains(&self.cell.capacity()) {
            SCRATCH.set(std::mem::take(&mut self.cell));
        }
    }
}
