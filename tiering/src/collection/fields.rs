//! Hashes whose fields expire.
//!
//! ```text
//!   tree 0   field ─▶ value, or deadline and value    (what stays costs nothing)
//!   tree 1   deadline, 6 bytes big-endian ++ field    only while a field has a deadline
//!   extra    u64 LE: no field expires before this     only while there is tree 1
//! ```
//!
//! So a field's deadline is read with its value, what is due is the beginning of tree 1, and the bound tells without
//! looking at a page that nothing is. The bound may be too low, never too high; [`NEVER`] says that nothing is in tree 1.
//!
//! What a field's deadline means is the caller's affair: nothing here hides a field that is past it. Fields are put
//! and taken out with the functions here alone, never with [`Collection::insert`] and [`Collection::remove`].

use std::ops::ControlFlow;

use super::{Collection, Form, MAIN};
use crate::UnixMs;
use crate::tree::{Flavour, encode_cell_until};
use crate::tx::{Fault, Key, Kind, Tx};

/// Fields in the order of their deadlines.
const BY_DEADLINE: usize = 1;
/// Bound of a hash in which no field has a deadline any more.
const NEVER: u64 = u64::MAX;

/// The bound that the extra bytes of a hash hold.
pub(crate) fn bound_in(extra: &[u8]) -> Option<UnixMs> {
    let bound = u64::from_le_bytes(extra.try_into().ok()?);
    (bound != NEVER).then_some(UnixMs(bound))
}

fn row(deadline: UnixMs, field: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(6 + field.len());
    row.extend_from_slice(&deadline.0.to_be_bytes()[2..]);
    row.extend_from_slice(field);
    row
}

/// Some fields of a hash that were past their time, and are gone.
#[derive(Debug, Default)]
pub(crate) struct Expired {
    pub(crate) fields: Vec<Vec<u8>>,
    /// The hash went with its last field.
    pub(crate) emptied: bool,
    /// When the next one is due, if fields with deadlines are left.
    pub(crate) next: Option<UnixMs>,
}

impl Collection<'_, '_> {
    fn has_index(&self) -> bool {
        !self.extra().is_empty()
    }

    /// A time before which no field expires; `None` if none ever does.
    #[must_use]
    pub fn next_deadline(&self) -> Option<UnixMs> {
        bound_in(self.extra())
    }

    /// How many fields have a deadline.
    #[must_use]
    pub fn deadlines(&self) -> u64 {
        if self.has_index() {
            self.len(BY_DEADLINE)
        } else {
            0
        }
    }

    /// How many fields are past their deadline at `now`.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn expired_fields(&self, now: UnixMs) -> Result<u64, Fault> {
        if self.next_deadline().is_none_or(|bound| bound > now) {
            return Ok(0);
        }
        let behind = row(UnixMs(now.0 + 1), &[]);
        Ok(self.rank(BY_DEADLINE, &behind)?.0)
    }

    fn deadline_of(&self, field: &[u8]) -> Result<Option<UnixMs>, Fault> {
        if !self.has_index() {
            return Ok(None);
        }
        let value = self.get(MAIN, field)?;
        Ok(value.and_then(|value| value.deadline()))
    }

    /// Makes sure that putting these fields, with this deadline or none, and taking them out does not fault.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn prefault_fields<'k>(
        &self,
        fields: impl IntoIterator<Item = &'k [u8]> + Clone,
        deadline: Option<UnixMs>,
    ) -> Result<(), Fault> {
        self.prefault(MAIN, fields.clone())?;
        if !self.has_index() || self.is_small() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for field in fields {
            let old = self.deadline_of(field)?;
            rows.extend(old.into_iter().chain(deadline).map(|at| row(at, field)));
        }
        self.prefault(BY_DEADLINE, rows.iter().map(Vec::as_slice))
    }

    /// Puts a field that is gone from `deadline` on (before 2^48), if one is given; true if it is new.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn put_field(
        &mut self,
        field: &[u8],
        value: &[u8],
        deadline: Option<UnixMs>,
    ) -> Result<bool, Fault> {
        let old = self.deadline_of(field)?;
        if old.is_some() || deadline.is_some() {
            self.prefault_fields([field], deadline)?;
            self.move_row(field, old, deadline)?;
        }
        let Some(at) = deadline else {
            return self.insert(MAIN, field, value);
        };
        let mut cell = std::mem::take(&mut self.cell);
        encode_cell_until(field, value, at, &mut cell);
        self.insert_cell(MAIN, field, cell)
    }

    /// Takes a field out; true if it was there.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn remove_field(&mut self, field: &[u8]) -> Result<bool, Fault> {
        let old = self.deadline_of(field)?;
        if old.is_some() {
            self.prefault_fields([field], None)?;
            self.move_row(field, old, None)?;
        }
        self.remove(MAIN, field)
    }

    /// Gives a field that is there another deadline, or none.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read; nothing was changed then.
    pub fn set_deadline(&mut self, field: &[u8], deadline: Option<UnixMs>) -> Result<(), Fault> {
        let value = self.get(MAIN, field)?.map(|value| value.to_vec());
        let value = value.expect("a field is there before its deadline is set");
        self.put_field(field, &value, deadline)?;
        Ok(())
    }

    /// Keeps the index in step. Its pages are there.
    fn move_row(
        &mut self,
        field: &[u8],
        old: Option<UnixMs>,
        new: Option<UnixMs>,
    ) -> Result<(), Fault> {
        if old == new {
            return Ok(());
        }
        if let Some(old) = old {
            self.remove(BY_DEADLINE, &row(old, field))?;
        }
        if let Some(new) = new {
            self.add_index();
            self.insert(BY_DEADLINE, &row(new, field), &[])?;
            if self.next_deadline().is_none_or(|bound| new < bound) {
                self.set_bound(Some(new));
            }
        }
        Ok(())
    }

    fn add_index(&mut self) {
        if self.has_index() {
            return;
        }
        self.own();
        self.note_change();
        match &mut self.form {
            Form::Lent(_) => unreachable!("made our own"),
            Form::Own { pages, .. } => {
                if pages.len() <= BY_DEADLINE {
                    pages.push(super::empty_page(Flavour::Keys).to_vec());
                }
            }
            Form::Large(object) => object.add_tree(Flavour::Keys),
            Form::Grown(object) => object.add_tree(Flavour::Keys),
        }
        self.set_bound(None);
    }

    fn set_bound(&mut self, bound: Option<UnixMs>) {
        let before = self.next_deadline();
        self.set_extra(&bound.map_or(NEVER, |at| at.0).to_le_bytes());
        self.note_bound(before);
    }

    /// The bound of a value that is changed in its place is counted at once; of others, when they are stored.
    fn note_bound(&mut self, before: Option<UnixMs>) {
        let after = self.next_deadline();
        if matches!(self.form, Form::Large(_)) && before != after {
            self.tx.note_fields(&self.key, before, after);
        }
    }

    /// Drops the index of a hash in which no field has a deadline any more.
    pub(super) fn drop_idle_index(&mut self) {
        if self.kind != Kind::Hash || !self.has_index() || self.len(BY_DEADLINE) > 0 {
            return;
        }
        let before = self.next_deadline();
        match &mut self.form {
            Form::Lent(_) => unreachable!("only its own form is changed"),
            Form::Own { extra, pages } => {
                pages.truncate(BY_DEADLINE);
                extra.clear();
            }
            Form::Grown(object) => object.drop_second(),
            Form::Large(object) => object.drop_second(),
        }
        if self.has_index() {
            self.set_extra(&NEVER.to_le_bytes());
        }
        self.note_bound(before);
    }

    /// Takes out fields that are past their time, `most` of them.
    fn expire(&mut self, now: UnixMs, most: u64) -> Result<Expired, Fault> {
        let due = self.expired_fields(now)?.min(most);
        let Some(bound) = self.next_deadline() else {
            return Ok(Expired::default());
        };
        self.prefault_ranks(BY_DEADLINE, 0..due + 1)?;
        self.prefault_removal(BY_DEADLINE, 0..due)?;
        let (mut fields, mut next) = (Vec::new(), None);
        self.each(BY_DEADLINE, 0..due + 1, false, |row, _| {
            let (deadline, field) = row.split_at(6);
            if fields.len() as u64 == due {
                let number = deadline.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
                next = Some(UnixMs(number));
            } else {
                fields.push(field.to_vec());
            }
            ControlFlow::Continue(())
        })?;
        self.prefault(MAIN, fields.iter().map(Vec::as_slice))?;
        self.remove_ranks(BY_DEADLINE, 0..due)?;
        for field in &fields {
            self.remove(MAIN, field)?;
        }
        if next.is_some_and(|next| next != bound) {
            self.set_bound(next);
        }
        Ok(Expired {
            emptied: self.is_empty(),
            fields,
            next,
        })
    }
}

impl Tx<'_> {
    /// Takes out of a hash the fields that are past their time, `most` of them; `None` if the key holds no hash.
    pub(crate) fn expire_fields(
        &mut self,
        key: &Key<'_>,
        most: u64,
    ) -> Result<Option<Expired>, Fault> {
        let now = self.now();
        match self.peek_collection(key, Kind::Hash) {
            Ok(mut hash) if hash.existed() => hash.expire(now, most).map(Some),
            Err(super::OpenError::Fault) => Err(Fault),
            _ => Ok(None),
        }
    }
}
