//! Reading a tree: search, rank, select, walking a range of ranks either way, and what of it is absent.

use std::ops::{ControlFlow, Range};

use smallvec::SmallVec;

use super::leaf::{self, Spot};
use super::value::Bytes;
use super::{Absent, Flavour, PageId, Pages, Shape, inner};

/// The way from the root to a leaf: the inner pages, and which child was taken in each.
#[derive(Clone, Debug)]
pub(super) struct Path {
    steps: SmallVec<[(PageId, u32); LEVELS]>,
    pub(super) leaf: PageId,
}

/// Levels of a tree of millions of elements with common keys. Giant keys can make more.
const LEVELS: usize = 6;

/// Keys of which the ways are prefetched together without memory of their own.
const WAYS: usize = 16;

impl Path {
    fn from(root: PageId) -> Path {
        Path {
            steps: SmallVec::new(),
            leaf: root,
        }
    }

    fn push(&mut self, child: usize, next: PageId) {
        self.steps.push((self.leaf, child as u32));
        self.leaf = next;
    }

    /// The inner pages from the root down, each with the child taken.
    pub(super) fn steps(&self) -> &[(PageId, u32)] {
        &self.steps
    }
}

/// Where a key is (`Ok`), or would be, and the way there.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(super) path: Path,
    pub(super) spot: Result<Spot, Spot>,
}

/// A tree, to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<P> {
    pub(super) pages: P,
    pub(super) shape: Shape,
}

impl<'a, P: Pages<'a>> View<P> {
    /// The tree of this shape.
    pub(crate) fn new(pages: P, shape: Shape) -> Self {
        View { pages, shape }
    }

    fn page(&self, id: PageId) -> Result<&'a [u8], Absent> {
        self.pages.page(id).ok_or(Absent(id))
    }

    /// The way to where `key` is, or would be.
    pub(super) fn path_to(&self, key: &[u8]) -> Result<Path, Absent> {
        let mut path = Path::from(self.shape.root);
        for _ in 0..self.shape.height {
            let page = self.page(path.leaf)?;
            let index = inner::search(page, key);
            path.push(index, inner::child(page, index));
        }
        self.pages.prefetch(path.leaf);
        Ok(path)
    }

    /// Prefetches what searches for `keys` read, as far as it is in memory: level by level for all of them.
    pub(crate) fn prefetch<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let mut ways: SmallVec<[(&[u8], PageId); WAYS]> =
            keys.map(|key| (key, self.shape.root)).collect();
        for _ in 0..self.shape.height {
            ways.iter()
                .for_each(|(_, at)| self.pages.prefetch_place(*at));
            ways.iter()
                .for_each(|(_, at)| self.pages.prefetch_inner(*at));
            ways.retain(|(key, at)| match self.pages.page(*at) {
                Some(page) => {
                    *at = inner::child(page, inner::search(page, key));
                    true
                }
                None => false,
            });
        }
        ways.iter()
            .for_each(|(_, at)| self.pages.prefetch_place(*at));
        ways.iter().for_each(|(_, at)| self.pages.prefetch(*at));
    }

    /// The way to the leaf of a rank, and the rank within it.
    pub(super) fn path_at(&self, mut rank: u64) -> Result<(Path, u64), Absent> {
        let mut path = Path::from(self.shape.root);
        let mut total = self.shape.len;
        for _ in 0..self.shape.height {
            let page = self.page(path.leaf)?;
            let (index, within) = inner::select(page, rank, total);
            rank = within;
            total = inner::child_count(page, index);
            path.push(index, inner::child(page, index));
        }
        Ok((path, rank))
    }

    /// The value of a key; `None` if the key is not there.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes<'a>>, Absent> {
        let mut at = self.shape.root;
        for _ in 0..self.shape.height {
            let page = self.page(at)?;
            at = inner::child(page, inner::search(page, key));
        }
        self.pages.prefetch(at);
        let page = self.page(at)?;
        Ok(leaf::search(page, key)
            .ok()
            .map(|spot| leaf::cell(page, spot).1))
    }

    /// Where `key` is, or would be.
    pub(crate) fn seek(&self, key: &[u8]) -> Result<Seat, Absent> {
        self.seek_in(self.path_to(key)?, key)
    }

    /// As [`View::seek`], by a path to it.
    pub(super) fn seek_in(&self, path: Path, key: &[u8]) -> Result<Seat, Absent> {
        let spot = leaf::search(self.page(path.leaf)?, key);
        Ok(Seat { path, spot })
    }

    /// The value at a seat, if its key is there. The leaf is in memory since it was found.
    pub(crate) fn value_at(&self, seat: &Seat) -> Option<Bytes<'a>> {
        let page = self.pages.page(seat.path.leaf)?;
        seat.spot.ok().map(|spot| leaf::cell(page, spot).1)
    }

    /// How many keys are smaller than `key`, and whether it is there.
    pub(crate) fn rank(&self, key: &[u8]) -> Result<(u64, bool), Absent> {
        let path = self.path_to(key)?;
        let page = self.page(path.leaf)?;
        let (spot, found) = match leaf::search(page, key) {
            Ok(spot) => (spot, true),
            Err(spot) => (spot, false),
        };
        let mut before = spot.index as u64;
        for (id, index) in path.steps() {
            before += inner::before(self.page(*id)?, *index as usize);
        }
        Ok((before, found))
    }

    /// Key and value at a rank.
    pub(crate) fn at(&self, rank: u64) -> Result<Option<(&'a [u8], Bytes<'a>)>, Absent> {
        if rank >= self.shape.len {
            return Ok(None);
        }
        let (path, within) = self.path_at(rank)?;
        let page = self.page(path.leaf)?;
        Ok(Some(leaf::cell(page, leaf::spot(page, within as usize))))
    }

    /// The absent pages that keep a walk over these ranks from being made, as far as they can be told.
    pub(crate) fn absent_in(&self, ranks: &Range<u64>, absent: &mut Vec<PageId>) {
        let ranks = ranks.start..ranks.end.min(self.shape.len);
        if !ranks.is_empty() {
            self.absent_below(self.shape.root, self.shape.height, ranks, absent);
        }
    }

    fn absent_below(&self, id: PageId, height: u8, ranks: Range<u64>, absent: &mut Vec<PageId>) {
        let Some(page) = self.pages.page(id) else {
            return absent.push(id);
        };
        if height > 0 {
            for (child, part) in overlaps(page, &ranks) {
                self.absent_below(inner::child(page, child), height - 1, part.ranks, absent);
            }
        }
    }

    /// All absent pages as far as they can be told, also those that hold no element: a leaf that became empty stays where
    /// its neighbour was absent.
    pub(crate) fn absent_anywhere(&self, absent: &mut Vec<PageId>) {
        self.absent_under(self.shape.root, self.shape.height, absent);
    }

    fn absent_under(&self, id: PageId, height: u8, absent: &mut Vec<PageId>) {
        let Some(page) = self.pages.page(id) else {
            return absent.push(id);
        };
        if height > 0 {
            for child in inner::children(page) {
                self.absent_under(child.page, height - 1, absent);
            }
        }
    }

    /// The absent pages in the way to the place of a rank.
    pub(crate) fn absent_at(&self, rank: u64, absent: &mut Vec<PageId>) {
        let missing = self
            .path_at(rank)
            .and_then(|(path, _)| self.page(path.leaf).map(drop));
        if let Err(Absent(id)) = missing {
            absent.push(id);
        }
    }

    /// The absent pages in the way to a key; at most one can be told at a time.
    pub(crate) fn absent_to(&self, key: &[u8], absent: &mut Vec<PageId>) {
        let missing = self
            .path_to(key)
            .and_then(|path| self.page(path.leaf).map(drop));
        if let Err(Absent(id)) = missing {
            absent.push(id);
        }
    }

    /// Calls `visit` with the cells of these ranks, in order or in reverse.
    ///
    /// Whoever acts on what is visited makes sure before that nothing is absent ([`View::absent_in`]).
    pub(crate) fn walk(
        &self,
        ranks: Range<u64>,
        reverse: bool,
        visit: &mut dyn FnMut(&'a [u8], Bytes<'a>) -> ControlFlow<()>,
    ) -> Result<(), Absent> {
        let ranks = ranks.start..ranks.end.min(self.shape.len);
        if !ranks.is_empty() {
            let _stopped =
                self.walk_below(self.shape.root, self.shape.height, ranks, reverse, visit)?;
        }
        Ok(())
    }

    fn walk_below(
        &self,
        id: PageId,
        height: u8,
        ranks: Range<u64>,
        reverse: bool,
        visit: &mut dyn FnMut(&'a [u8], Bytes<'a>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Absent> {
        let page = self.page(id)?;
        if height == 0 {
            return Ok(walk_leaf(page, ranks, reverse, visit));
        }
        let mut parts: Vec<_> = overlaps(page, &ranks).collect();
        if reverse {
            parts.reverse();
        }
        for (child, part) in parts {
            let child = inner::child(page, child);
            if self
                .walk_below(child, height - 1, part.ranks, reverse, visit)?
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn walk_leaf<'a>(
    page: &'a [u8],
    ranks: Range<u64>,
    reverse: bool,
    visit: &mut dyn FnMut(&'a [u8], Bytes<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let (from, to) = (ranks.start as usize, ranks.end as usize);
    let mut spot = leaf::spot(page, from);
    if !reverse {
        while spot.index < to {
            let (key, value) = leaf::cell(page, spot);
            visit(key, value)?;
            spot = leaf::after(page, spot);
        }
        return ControlFlow::Continue(());
    }
    let mut spots: Vec<Spot> = Vec::with_capacity(to - from);
    while spot.index < to {
        spots.push(spot);
        spot = leaf::after(page, spot);
    }
    for spot in spots.into_iter().rev() {
        let (key, value) = leaf::cell(page, spot);
        visit(key, value)?;
    }
    ControlFlow::Continue(())
}

/// The part of a child that a range of its parent's ranks covers.
#[derive(Debug)]
pub(super) struct Part {
    /// Ranks within the child.
    pub(super) ranks: Range<u64>,
    /// All of them.
    pub(super) whole: bool,
}

/// The children that a range of ranks touches.
pub(super) fn overlaps<'p>(
    page: &'p [u8],
    ranks: &Range<u64>,
) -> impl Iterator<Item = (usize, Part)> + use<'p> {
    let Range { start, end } = *ranks;
    let mut next = 0;
    let children = (0..inner::count(page)).map(move |index| {
        let from = next;
        next += inner::child_count(page, index);
        (index, from..next)
    });
    children
        .skip_while(move |(_, held)| held.end <= start)
        .take_while(move |(_, held)| held.start < end)
        .map(move |(index, held)| {
            let part = start.max(held.start) - held.start..end.min(held.end) - held.start;
            let whole = part == (0..held.end - held.start);
            (index, Part { ranks: part, whole })
        })
}

/// A page alone, as the tree that it is: a collection small enough to lie in its entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Single<'a>(pub(crate) &'a [u8]);

impl<'a> Pages<'a> for Single<'a> {
    fn page(self, _: PageId) -> Option<&'a [u8]> {
        Some(self.0)
    }
}

impl Single<'_> {
    /// Its shape.
    pub(crate) fn shape(page: &[u8], flavour: Flavour) -> Shape {
        Shape {
            root: PageId(0),
            height: 0,
            len: leaf::count(page) as u64,
            flavour,
            shifts: 0,
        }
    }
}
