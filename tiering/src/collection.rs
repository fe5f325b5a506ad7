//! Collections as commands see them: hashes, sets, sorted sets, lists, streams.
//!
//! [`Tx::collection`] opens one. A key that is absent opens as an empty collection, so most commands need no case for
//! it. What the handle changes is stored when it is dropped; a collection that is empty by then is deleted (a stream
//! or Bloom filter is not). The handle logs nothing: effects are the command's.
//!
//! A collection consists of one or two trees, which every operation names by number:
//!
//! | kind | tree 0 ([`MAIN`]) | tree 1 |
//! |---|---|---|
//! | hash | field → value | fields by deadline, while any expires (`fields.rs`) |
//! | set | member | |
//! | sorted set | score as eight bytes that sort ([`score_bytes`]), then the member | member → score |
//! | list | values by position | |
//! | stream | id as 16 bytes, big-endian → entry | the command's own (groups, pending) |
//! | large string | chunks by number (`text.rs`, whose affair this is) | |
//! | Bloom filter | layer and number → a chunk of its bits | |
//!
//! and extra bytes of the type's own ([`Collection::extra`]). Keys sort byte by byte. A small collection is one
//! page for each tree, inside its entry; a large one is an object whose pages may be absent (`tree`).
//!
//! # Faults
//!
//! Every operation may return [`Fault`], by which it says that pages have to be read; the command returns it, and is
//! run again when they are there. **All faults come before the first change**, which is asserted. An operation that
//! changes something faults before it does. So a command with one change needs no care. A command with several
//! first calls [`Collection::prefault`] with all keys it will name, or [`Collection::prefault_ranks`] with the
//! ranks; after that nothing of the same command faults, since pages do not leave memory while it runs. The same
//! holds for a command that changes two collections: prefault both, then change.

mod change;
pub(crate) mod fields;
mod snapshot;

use std::cell::Cell;
use std::ops::{ControlFlow, Range};

pub use self::snapshot::Snapshot;

use crate::UnixMs;
use crate::promote::PageWant;
use crate::tree::read::{Single, View};
use crate::tree::{Absent, Bytes, Flavour, Object, PageId, Shape, Small};
use crate::tx::{Fault, Found, Key, Kind, Tx};

/// The first tree of every collection; hashes, sets and lists have no other.
pub const MAIN: usize = 0;
/// A sorted set's tree of scores by member; a stream's second tree.
pub const BY_MEMBER: usize = 1;

/// Why a collection cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Something has to be loaded first.
    Fault,
    /// The key holds something else.
    WrongKind,
}

impl From<Fault> for OpenError {
    fn from(_: Fault) -> Self {
        OpenError::Fault
    }
}

/// A score as eight bytes that sort as scores do. Not for NaN; -0 is 0.
#[must_use]
pub fn score_bytes(score: f64) -> [u8; 8] {
    let bits = if score == 0.0 { 0 } else { score.to_bits() };
    let sorted = if bits >> 63 == 0 {
        bits | 1 << 63
    } else {
        !bits
    };
    sorted.to_be_bytes()
}

/// The score of these bytes.
#[must_use]
pub fn bytes_score(bytes: [u8; 8]) -> f64 {
    let sorted = u64::from_be_bytes(bytes);
    f64::from_bits(if sorted >> 63 == 1 {
        sorted & !(1 << 63)
    } else {
        !sorted
    })
}

thread_local! {
    /// Where the next collection that is opened encodes its cells: allocated once, not for each command.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Where a key is in a tree, or would be, until the tree is changed; see [`Collection::find`].
#[derive(Debug)]
pub struct Seat(Option<crate::tree::read::Seat>);

/// Where the value is while the command works on it.
enum Form<'t> {
    /// Small, as it lies in its entry, or in what was read of the cold tier.
    Lent(Small<'t>),
    /// Small, and changed (or about to be).
    Own { extra: Vec<u8>, pages: Vec<Vec<u8>> },
    /// The entry's object.
    Large(&'t mut Object),
    /// It was small before this command.
    Grown(Box<Object>),
}

/// An open collection; see the module's text.
pub struct Collection<'t, 's> {
    tx: &'t mut Tx<'s>,
    key: Key<'t>,
    kind: Kind,
    form: Form<'t>,
    existed: bool,
    /// The key has no entry in memory: what is lent is what was read of the cold tier.
    cold: bool,
    changed: bool,
    expiry: Option<UnixMs>,
    cell: Vec<u8>,
}

impl std::fmt::Debug for Collection<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collection")
            .field("kind", &self.kind)
            .field("len", &self.len(MAIN))
            .finish()
    }
}

const EMPTY: [(Flavour, [u8; 3]); 3] = [
    (Flavour::Keys, [Flavour::Keys as u8, 0, 0]),
    (Flavour::Map, [Flavour::Map as u8, 0, 0]),
    (Flavour::Sequence, [Flavour::Sequence as u8, 0, 0]),
];

fn empty_page(flavour: Flavour) -> &'static [u8] {
    let found = EMPTY.iter().find(|(known, _)| *known == flavour);
    &found.expect("every flavour is listed").1
}

impl<'s> Tx<'s> {
    /// Opens a collection and counts the access; an absent key opens as an empty one.
    ///
    /// # Errors
    /// [`OpenError::WrongKind`] if the key holds something else; [`OpenError::Fault`] if it has to be loaded.
    pub fn collection<'t>(
        &'t mut self,
        key: &Key<'t>,
        kind: Kind,
    ) -> Result<Collection<'t, 's>, OpenError> {
        self.open(key, kind, true)
    }

    /// As [`Tx::collection`], without counting the access.
    ///
    /// # Errors
    /// As [`Tx::collection`].
    pub fn peek_collection<'t>(
        &'t mut self,
        key: &Key<'t>,
        kind: Kind,
    ) -> Result<Collection<'t, 's>, OpenError> {
        self.open(key, kind, false)
    }

    pub(crate) fn open<'t>(
        &'t mut self,
        key: &Key<'t>,
        kind: Kind,
        touch: bool,
    ) -> Result<Collection<'t, 's>, OpenError> {
        debug_assert!(kind.has_trees());
        let entry = match self.find(key)? {
            Found::Absent => {
                self.misses += 1;
                let form = Form::Lent(Small::of_pages(
                    kind.trees()[..kind.least_trees()]
                        .iter()
                        .map(|flavour| empty_page(*flavour)),
                ));
                return Ok(self.handle(key, kind, form, None, false));
            }
            Found::Cold(loaded) => {
                self.hits += 1;
                let header = *loaded.record.header();
                if Kind::from_code(header.kind) != Some(kind) {
                    return Err(OpenError::WrongKind);
                }
                let payload = self
                    .pins
                    .record(key)
                    .expect("the record came from the pin")
                    .record
                    .payload();
                let small =
                    Small::parse(payload).filter(|_| !(touch && loaded.admitted && !self.no_touch));
                if let Some(small) = small {
                    let mut open = self.handle(key, kind, Form::Lent(small), header.expiry, true);
                    open.cold = true;
                    return Ok(open);
                }
                let place = self.install(key, &loaded);
                self.space(key).expect("just installed").table.entry(place)
            }
            Found::Hot(place) => {
                self.hits += 1;
                let entry = self
                    .space(key)
                    .expect("the key was found here")
                    .table
                    .entry(place);
                if entry.kind() != Some(kind) {
                    return Err(OpenError::WrongKind);
                }
                if touch {
                    self.touch(key, place);
                }
                entry
            }
        };
        let form = match entry.object() {
            Some(object) => {
                for (id, page) in self.pins.pages_of(object.id, object.table.epoch()) {
                    object.table.install(*id, page.clone());
                }
                Form::Large(object)
            }
            None => Form::Lent(
                Small::parse(entry.value()).expect("a small value was checked when it was read"),
            ),
        };
        Ok(self.handle(key, kind, form, entry.expiry(), true))
    }

    fn handle<'t>(
        &'t mut self,
        key: &Key<'t>,
        kind: Kind,
        form: Form<'t>,
        expiry: Option<UnixMs>,
        existed: bool,
    ) -> Collection<'t, 's> {
        Collection {
            tx: self,
            key: *key,
            kind,
            form,
            existed,
            cold: false,
            changed: false,
            expiry,
            cell: SCRATCH.take(),
        }
    }
}

/// Calls `$then` with a view of a tree, whatever form the value has.
macro_rules! view {
    ($self:ident, $tree:ident, $view:ident => $then:expr) => {
        match &$self.form {
            Form::Lent(small) => {
                let $view = small.view($tree, $self.kind.trees()[$tree]);
                $then
            }
            Form::Own { pages, .. } => {
                let $view = small_view(&pages[$tree], $self.kind.trees()[$tree]);
                $then
            }
            Form::Large(object) => {
                let $view = object.view($tree);
                $then
            }
            Form::Grown(object) => {
                let $view = object.view($tree);
                $then
            }
        }
    };
}

fn small_view(page: &[u8], flavour: Flavour) -> View<Single<'_>> {
    View::new(Single(page), Single::shape(page, flavour))
}

impl Collection<'_, '_> {
    /// True if the key was there when it was opened.
    #[must_use]
    pub fn existed(&self) -> bool {
        self.existed
    }

    /// When the key expires.
    #[must_use]
    pub fn expiry(&self) -> Option<UnixMs> {
        self.expiry
    }

    /// True if it lies in its entry as one page for each tree.
    #[must_use]
    pub fn is_small(&self) -> bool {
        matches!(self.form, Form::Lent(_) | Form::Own { .. })
    }

    /// True if no page of it is absent, so that nothing faults.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match &self.form {
            Form::Large(object) => object.table.is_whole(),
            Form::Lent(_) | Form::Own { .. } | Form::Grown(_) => true,
        }
    }

    /// Number of elements of a tree.
    #[must_use]
    pub fn len(&self, tree: usize) -> u64 {
        self.shape(tree).len
    }

    /// True if tree [`MAIN`] has no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len(MAIN) == 0
    }

    fn shape(&self, tree: usize) -> Shape {
        match &self.form {
            Form::Lent(small) => Single::shape(small.page(tree), self.kind.trees()[tree]),
            Form::Own { pages, .. } => Single::shape(&pages[tree], self.kind.trees()[tree]),
            Form::Large(object) => object.trees[tree],
            Form::Grown(object) => object.trees[tree],
        }
    }

    /// The value of a key; of a tree of keys alone, an empty one if the key is there.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn get(&self, tree: usize, key: &[u8]) -> Result<Option<Bytes<'_>>, Fault> {
        view!(self, tree, view => view.get(key)).map_err(|absent| self.fault_on(absent))
    }

    /// The value of a key, as [`Collection::get`], and its seat, by which [`Collection::put`] puts another one without
    /// looking for it again.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn find(&self, tree: usize, key: &[u8]) -> Result<(Seat, Option<Bytes<'_>>), Fault> {
        let view = match &self.form {
            Form::Lent(_) | Form::Own { .. } => return Ok((Seat(None), self.get(tree, key)?)),
            Form::Large(object) => object.view(tree),
            Form::Grown(object) => object.view(tree),
        };
        let seat = view.seek(key).map_err(|absent| self.fault_on(absent))?;
        let value = view.value_at(&seat);
        Ok((Seat(Some(seat)), value))
    }

    /// True if the key is there.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn contains(&self, tree: usize, key: &[u8]) -> Result<bool, Fault> {
        Ok(self.get(tree, key)?.is_some())
    }

    /// How many keys are smaller than `key`, and whether it is there.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn rank(&self, tree: usize, key: &[u8]) -> Result<(u64, bool), Fault> {
        view!(self, tree, view => view.rank(key)).map_err(|absent| self.fault_on(absent))
    }

    /// Key and value at a rank (position); a list's elements have an empty key, a set's an empty value.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn at(&self, tree: usize, rank: u64) -> Result<Option<(&[u8], Bytes<'_>)>, Fault> {
        view!(self, tree, view => view.at(rank)).map_err(|absent| self.fault_on(absent))
    }

    /// Calls `visit` with key and value of each element of a range of ranks, in order or in reverse, until it breaks.
    /// All pages are there before the first call, so what `visit` writes into a reply need not be taken back.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn each(
        &self,
        tree: usize,
        ranks: Range<u64>,
        reverse: bool,
        mut visit: impl FnMut(&[u8], Bytes<'_>) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        self.prefault_walks(tree, std::slice::from_ref(&ranks))?;
        view!(self, tree, view => view.walk(ranks, reverse, &mut |key, value| visit(key, value)))
            .map_err(|absent| self.fault_on(absent))
    }

    /// Makes sure that operations on these keys do not fault: all their pages are read together.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn prefault<'k>(
        &self,
        tree: usize,
        keys: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<(), Fault> {
        let Form::Large(object) = &self.form else {
            return Ok(());
        };
        if object.table.is_whole() {
            return Ok(());
        }
        let mut absent = Vec::new();
        for key in keys {
            object.view(tree).absent_to(key, &mut absent);
        }
        self.fault_if(absent)
    }

    /// Makes sure that operations on a range of ranks do not fault, nor insertions at its start and end.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn prefault_ranks(&self, tree: usize, ranks: Range<u64>) -> Result<(), Fault> {
        let Form::Large(object) = &self.form else {
            return Ok(());
        };
        if object.table.is_whole() {
            return Ok(());
        }
        let mut absent = Vec::new();
        let view = object.view(tree);
        view.absent_in(&ranks, &mut absent);
        view.absent_at(ranks.start, &mut absent);
        view.absent_at(ranks.end, &mut absent);
        self.fault_if(absent)
    }

    /// Makes sure that no page is absent.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub(crate) fn prefault_all(&self) -> Result<(), Fault> {
        let Form::Large(object) = &self.form else {
            return Ok(());
        };
        if object.table.is_whole() {
            return Ok(());
        }
        let mut absent = Vec::new();
        for tree in 0..object.trees.len() {
            object.view(tree).absent_anywhere(&mut absent);
        }
        self.fault_if(absent)
    }

    /// Makes sure that looking at these ranks, one by one, does not fault.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn prefault_at(
        &self,
        tree: usize,
        ranks: impl IntoIterator<Item = u64>,
    ) -> Result<(), Fault> {
        let Form::Large(object) = &self.form else {
            return Ok(());
        };
        if object.table.is_whole() {
            return Ok(());
        }
        let (view, mut absent) = (object.view(tree), Vec::new());
        for rank in ranks {
            view.absent_at(rank, &mut absent);
        }
        self.fault_if(absent)
    }

    /// Makes sure that [`Collection::each`] over these ranges of ranks does not fault.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn prefault_walks(&self, tree: usize, walks: &[Range<u64>]) -> Result<(), Fault> {
        let mut absent = Vec::new();
        if let Form::Large(object) = &self.form
            && !object.table.is_whole()
        {
            for ranks in walks {
                object.view(tree).absent_in(ranks, &mut absent);
            }
        }
        self.fault_if(absent)
    }

    fn fault_on(&self, absent: Absent) -> Fault {
        self.fault_if(vec![absent.0]).expect_err("a page is absent")
    }

    /// Leaves word of which pages have to be read.
    fn fault_if(&self, mut pages: Vec<PageId>) -> Result<(), Fault> {
        let (Form::Large(object), false) = (&self.form, pages.is_empty()) else {
            return Ok(());
        };
        assert!(!self.tx.wrote, "a command faults before its first write");
        pages.sort_unstable();
        pages.dedup();
        let epoch = object.table.epoch();
        self.tx.pins.keep_seed(self.tx.seed);
        self.tx.pins.want_pages(PageWant {
            ns: self.key.ns,
            object: object.id,
            epoch,
            pages,
        });
        Err(Fault)
    }

    /// The type's own bytes, empty at first.
    #[must_use]
    pub fn extra(&self) -> &[u8] {
        match &self.form {
            Form::Lent(small) => small.extra,
            Form::Own { extra, .. } => extra,
            Form::Large(object) => &object.extra,
            Form::Grown(object) => &object.extra,
        }
    }

    /// A step of HSCAN, SSCAN, ZSCAN: calls `visit` with about `count` elements behind `cursor` (0: from the start) and
    /// returns the next cursor (0: that was all). An element that is there throughout is visited, maybe twice.
    ///
    /// The cursor is a rank and how many elements had been removed by then: each removal since may have moved what
    /// was not visited yet to a smaller rank, so the scan goes on that much earlier. A small collection is visited at once.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn scan(
        &self,
        tree: usize,
        cursor: u64,
        count: u64,
        mut visit: impl FnMut(&[u8], Bytes<'_>),
    ) -> Result<u64, Fault> {
        const SHIFT_BITS: u32 = 24;
        const SHIFTS: u64 = (1 << SHIFT_BITS) - 1;
        let shape = self.shape(tree);
        let shifts = u64::from(shape.shifts) & SHIFTS;
        let (rank, then) = (cursor >> SHIFT_BITS, cursor & SHIFTS);
        let from = if cursor == 0 || self.is_small() {
            0
        } else {
            rank.saturating_sub(shifts.wrapping_sub(then) & SHIFTS)
        };
        let to = if self.is_small() {
            shape.len
        } else {
            from.saturating_add(count.max(1)).min(shape.len)
        };
        self.each(tree, from..to, false, |key, value| {
            visit(key, value);
            ControlFlow::Continue(())
        })?;
        Ok(if to >= shape.len {
            0
        } else {
            to << SHIFT_BITS | shifts
        })
    }
}
