//! Taking elements out: one, or a range of ranks; joining what runs short.

use std::ops::Range;

use super::inner::{self, Child, INNER_MAX};
use super::leaf::{self, LEAF_MAX, Spot};
use super::pages::Tail;
use super::read::{Path, overlaps};
use super::value::Bytes;
use super::write::Editor;
use super::{Absent, PageId, Pages};

/// Pages shorter than this part of the limit look for a neighbour to join …
const SHORT_SHARE: usize = 4;
/// … if both together fill no more than these four-parts of the limit.
const JOINED_SHARE: usize = 3;

/// True if a leaf may look for a neighbour, or go, once it has so many bytes less in one cell.
pub(super) fn runs_short(page: &[u8], less: usize) -> bool {
    const PLACE: usize = 2;
    leaf::count(page) == 1 || page.len() < LEAF_MAX / SHORT_SHARE + less + PLACE
}

impl Editor<'_> {
    /// Takes a key out; true if it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<bool, Absent> {
        let seat = self.view().seek(key)?;
        let Ok(spot) = seat.spot else {
            return Ok(false);
        };
        self.take(&seat.path, spot);
        Ok(true)
    }

    pub(super) fn take(&mut self, path: &Path, spot: Spot) {
        self.pages.edit(path.leaf, |page| leaf::remove(page, spot));
        self.count(path, -1);
        self.shape.shifts = self.shape.shifts.wrapping_add(1);
        self.tidy(path);
    }

    /// Takes out the cell at a rank that is there; `visit` sees it before, when nothing can be absent any more.
    pub(crate) fn take_at<R>(
        &mut self,
        rank: u64,
        visit: impl FnOnce(&[u8], Bytes<'_>) -> R,
    ) -> Result<R, Absent> {
        debug_assert!(rank < self.shape.len);
        let (path, within) = self.view().path_at(rank)?;
        let page = self.pages.page(path.leaf).ok_or(Absent(path.leaf))?;
        let (cells, has_keys) = (leaf::count(page), self.shape.flavour.has_keys());
        let is_last = !has_keys
            && cells > 1
            && within as usize + 1 == cells
            && page.len() <= usize::from(u16::MAX);
        let spot = if is_last {
            self.last_spot(path.leaf)
        } else {
            leaf::spot(page, within as usize)
        };
        let (key, value) = leaf::cell(self.page(path.leaf), spot);
        let seen = visit(key, value);
        if cells == 1 && !has_keys {
            // Nobody has to be responsible for the keys of the leaf.
            self.remove_range(rank..rank + 1)?;
        } else {
            // One of another page stays.
            let tail = is_last.then(|| self.pages.take_tail()).flatten();
            self.take(&path, spot);
            self.keep_tail(tail, spot);
        }
        Ok(seen)
    }

    /// The last cell of a leaf of values by position; remembers where those before it begin.
    fn last_spot(&mut self, id: PageId) -> Spot {
        const REMEMBERED: usize = 64;
        let page = self.page(id);
        let index = leaf::count(page) - 1;
        if self.pages.tail_of(id).is_none() {
            let starts = leaf::last_starts(page, REMEMBERED);
            self.pages.set_tail(Some(Tail { leaf: id, starts }));
        }
        let starts = self.pages.tail_of(id).map(|tail| &tail.starts[..]);
        let at = *starts.and_then(<[u16]>::last).expect("it is not empty");
        Spot {
            index,
            at: usize::from(at),
        }
    }

    /// What was remembered stays true without the last cell, which is gone, if that is all that has changed.
    fn keep_tail(&mut self, tail: Option<Tail>, gone: Spot) {
        let Some(mut tail) = tail else { return };
        tail.starts.pop();
        let is_same = |page: &[u8]| leaf::count(page) == gone.index && page.len() == gone.at;
        if !tail.starts.is_empty() && self.pages.page(tail.leaf).is_some_and(is_same) {
            self.pages.set_tail(Some(tail));
        }
    }

    /// Takes ranks out that lie in one leaf, if that keeps others; true if so. Of the inner pages only counts change.
    fn take_few(&mut self, ranks: &Range<u64>) -> Result<bool, Absent> {
        let (path, within) = self.view().path_at(ranks.start)?;
        let (from, n) = (within as usize, ranks.end - ranks.start);
        let Some(page) = self.pages.page(path.leaf) else {
            return Ok(false);
        };
        let there = leaf::count(page) as u64;
        if n >= there || within + n > there {
            return Ok(false);
        }
        self.pages.edit(path.leaf, |page| {
            let spot = leaf::spot(page, from);
            leaf::remove_many(page, spot, from + n as usize);
        });
        self.count(&path, -(n as i64));
        self.shape.shifts = self.shape.shifts.wrapping_add(n as u32);
        self.tidy(&path);
        Ok(true)
    }

    /// Joins what runs short along a path, and drops what is empty.
    fn tidy(&mut self, path: &Path) {
        if leaf::count(self.page(path.leaf)) == 0 {
            self.drop_empty(path);
            return self.lower_root();
        }
        let mut low = path.leaf;
        for (level, &(parent, at)) in path.steps().iter().enumerate().rev() {
            let is_leaf = level + 1 == path.steps().len();
            if !self.tidy_child(parent, at as usize, low, is_leaf) {
                break;
            }
            low = parent;
        }
        self.lower_root();
    }

    /// Drops the empty leaf of a path, with the nodes that hold nothing else.
    fn drop_empty(&mut self, path: &Path) {
        let steps = path.steps();
        let holds_more = |(page, _): &(PageId, u32)| inner::count(self.page(*page)) > 1;
        // Without such a node the tree is empty: what is above the leaf goes, and the leaf is the root.
        let Some(level) = steps.iter().rposition(holds_more) else {
            for (page, _) in steps {
                self.pages.free(*page);
            }
            self.shape.root = path.leaf;
            self.shape.height = 0;
            return;
        };
        let (parent, at) = (steps[level].0, steps[level].1 as usize);
        if !self.has_heir(parent, at, steps.len() - level - 1) {
            return;
        }
        for (page, _) in &steps[level + 1..] {
            self.pages.free(*page);
        }
        self.pages.free(path.leaf);
        self.unlist(parent, at);
    }

    /// True if the leaf next to a child of `parent`, `below` levels under the child's own, is in memory.
    fn has_heir(&self, parent: PageId, at: usize, below: usize) -> bool {
        let node = self.page(parent);
        let (mut heir, is_left) = match at.checked_sub(1) {
            Some(left) => (inner::child(node, left), true),
            None => (inner::child(node, 1), false),
        };
        for _ in 0..below {
            let Some(page) = self.pages.page(heir) else {
                return false;
            };
            let edge = if is_left { inner::count(page) - 1 } else { 0 };
            heir = inner::child(page, edge);
        }
        self.pages.page(heir).is_some()
    }

    /// True if the parent has a child less now.
    fn tidy_child(&mut self, parent: PageId, at: usize, child: PageId, is_leaf: bool) -> bool {
        let page = self.page(child);
        let limit = if is_leaf { LEAF_MAX } else { INNER_MAX };
        if page.len() >= limit / SHORT_SHARE {
            return false;
        }
        let n = inner::count(self.page(parent));
        let fits = |left: usize| {
            let child = |index| self.pages.page(inner::child(self.page(parent), index));
            let pair = (left + 1 < n).then(|| (child(left), child(left + 1)));
            matches!(pair, Some((Some(a), Some(b))) if a.len() + b.len() <= limit / 4 * JOINED_SHARE)
        };
        let left = if fits(at) {
            at
        } else if at > 0 && fits(at - 1) {
            at - 1
        } else {
            return false;
        };
        self.join(parent, left, is_leaf);
        true
    }

    /// Joins two neighbours, both in memory, into the left one.
    fn join(&mut self, parent: PageId, left: usize, is_leaf: bool) {
        let node = self.page(parent).to_vec();
        let (into, from) = (inner::child(&node, left), inner::child(&node, left + 1));
        let right = self.page(from).to_vec();
        if is_leaf {
            self.pages.edit(into, |page| leaf::append(page, &right));
        } else {
            let has_keys = self.shape.flavour.has_keys();
            let old = self.page(into).to_vec();
            let mut children: Vec<Child<'_>> = inner::children(&old).collect();
            children.extend(inner::children(&right));
            // The first key of a node is not looked at where it stands, but here it separates.
            let seam = inner::count(&old);
            children[seam].key = inner::children(&node).nth(left + 1).expect("listed").key;
            let joined = inner::build(&children, has_keys);
            self.pages.rewrite(into, &joined);
        }
        let total = inner::child_count(&node, left) + inner::child_count(&node, left + 1);
        self.unlist(parent, left + 1);
        self.pages
            .edit(parent, |page| inner::set_child_count(page, left, total));
        self.pages.free(from);
    }

    fn unlist(&mut self, parent: PageId, at: usize) {
        let old = self.page(parent).to_vec();
        let mut children: Vec<Child<'_>> = inner::children(&old).collect();
        children.remove(at);
        let page = inner::build(&children, self.shape.flavour.has_keys());
        self.pages.rewrite(parent, &page);
    }

    /// While the root has one child, the child is the root; a root without any is an empty leaf.
    fn lower_root(&mut self) {
        while self.shape.height > 0 {
            // It may be absent, if all that was beside it is gone.
            let Some(root) = self.pages.page(self.shape.root) else {
                return;
            };
            match inner::count(root) {
                0 => {
                    let flavour = self.shape.flavour;
                    self.pages.free(self.shape.root);
                    self.shape.root = self.pages.add(&leaf::empty(flavour));
                    self.shape.height = 0;
                }
                1 => {
                    let child = inner::child(root, 0);
                    self.pages.free(self.shape.root);
                    self.shape.root = child;
                    self.shape.height -= 1;
                }
                _ => return,
            }
        }
    }

    /// The absent pages that keep these ranks from being removed, as far as they can be told.
    pub(crate) fn absent_for_removal(&self, ranks: &Range<u64>, absent: &mut Vec<PageId>) {
        let ranks = ranks.start..ranks.end.min(self.shape.len);
        if !ranks.is_empty() && !self.pages.is_whole() {
            let whole = ranks == (0..self.shape.len);
            self.absent_below(self.shape.root, self.shape.height, &ranks, whole, absent);
        }
    }

    fn absent_below(
        &self,
        id: PageId,
        height: u8,
        ranks: &Range<u64>,
        whole: bool,
        absent: &mut Vec<PageId>,
    ) {
        if whole && height == 0 {
            return;
        }
        let Some(page) = self.pages.page(id) else {
            return absent.push(id);
        };
        if height > 0 {
            for (child, part) in overlaps(page, ranks) {
                self.absent_below(
                    inner::child(page, child),
                    height - 1,
                    &part.ranks,
                    part.whole,
                    absent,
                );
            }
        }
    }

    /// Takes out a range of ranks. Leaves that go as a whole need not be in memory.
    pub(crate) fn remove_range(&mut self, ranks: Range<u64>) -> Result<u64, Absent> {
        let ranks = ranks.start..ranks.end.min(self.shape.len);
        if ranks.is_empty() {
            return Ok(0);
        }
        let n = ranks.end - ranks.start;
        if self.take_few(&ranks)? {
            return Ok(n);
        }
        let mut absent = Vec::new();
        self.absent_for_removal(&ranks, &mut absent);
        if let Some(id) = absent.pop() {
            return Err(Absent(id));
        }
        let (root, height) = (self.shape.root, self.shape.height);
        if n == self.shape.len {
            self.free_below(root, height);
            self.shape.root = self.pages.add(&leaf::empty(self.shape.flavour));
            self.shape.height = 0;
        } else {
            self.cut(root, height, &ranks);
        }
        self.shape.len -= n;
        self.shape.shifts = self.shape.shifts.wrapping_add(n as u32);
        self.lower_root();
        Ok(n)
    }

    fn free_below(&mut self, id: PageId, height: u8) {
        if height > 0 {
            let children: Vec<PageId> = inner::children(self.page(id))
                .map(|child| child.page)
                .collect();
            for child in children {
                self.free_below(child, height - 1);
            }
        }
        self.pages.free(id);
    }

    /// Takes a range of ranks, not all of them, out of a node.
    fn cut(&mut self, id: PageId, height: u8, ranks: &Range<u64>) {
        if height == 0 {
            return self.pages.edit(id, |page| {
                let from = leaf::spot(page, ranks.start as usize);
                leaf::remove_many(page, from, ranks.end as usize);
            });
        }
        let old = self.page(id).to_vec();
        let mut parts = overlaps(&old, ranks).peekable();
        let mut kept: Vec<Child<'_>> = Vec::with_capacity(inner::count(&old));
        for (index, mut child) in inner::children(&old).enumerate() {
            if let Some((_, part)) = parts.next_if(|(at, _)| *at == index) {
                if part.whole {
                    self.free_below(child.page, height - 1);
                    continue;
                }
                self.cut(child.page, height - 1, &part.ranks);
                child.count -= part.ranks.end - part.ranks.start;
            }
            kept.push(child);
        }
        let page = inner::build(&kept, self.shape.flavour.has_keys());
        self.pages.rewrite(id, &page);
    }
}
