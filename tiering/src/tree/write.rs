//! Changing a tree. Every operation first makes sure that each page it will need is in memory, and returns which is
//! not; from its first change on it cannot fail.
//!
//! A page that runs short is joined with a neighbour only if that happens to be in memory: no page is read to be
//! tidied up. A leaf without cells goes only if the leaf that is responsible for its keys from then on is in memory, too.
//! So once all keys a command will name were looked up, none of its changes makes another one meet an absent page.

use std::ops::Range;

use super::inner::{self, Child, INNER_MAX};
use super::leaf::{self, LEAF_MAX, Spot};
use super::pages::PageTable;
use super::read::{Path, View, overlaps};
use super::{Absent, Flavour, PageId, Pages, Shape};

/// Pages shorter than this look for a neighbour to join …
const SHORT_SHARE: usize = 4;
/// … if both together fill no more than these four-parts of the limit.
const JOINED_SHARE: usize = 3;

/// A tree, to be changed.
#[derive(Debug)]
pub(crate) struct Editor<'a> {
    pub(crate) pages: &'a mut PageTable,
    pub(crate) shape: &'a mut Shape,
}

/// A page that takes the place of another, or stands behind it.
struct Piece {
    page: PageId,
    count: u64,
    key: Vec<u8>,
}

impl Editor<'_> {
    fn view(&self) -> View<&PageTable> {
        View::new(self.pages, *self.shape)
    }

    fn page(&self, id: PageId) -> &[u8] {
        self.pages.page(id).expect("looked at before the first change")
    }

    /// Puts a cell at its key, in the place of the one that is there; true if there was none.
    pub(crate) fn insert(&mut self, key: &[u8], cell: &[u8]) -> Result<bool, Absent> {
        let path = self.view().path_to(key)?;
        let page = self.pages.page(path.leaf).ok_or(Absent(path.leaf))?;
        match leaf::search(page, key) {
            Ok(spot) => {
                self.pages.edit(path.leaf, |page| leaf::replace(page, spot, cell));
                self.settle(&path, spot.index);
                Ok(false)
            }
            Err(spot) => {
                self.add(&path, spot, cell);
                Ok(true)
            }
        }
    }

    /// Puts a cell in front of the one at `rank`.
    pub(crate) fn insert_at(&mut self, rank: u64, cell: &[u8]) -> Result<(), Absent> {
        debug_assert!(rank <= self.shape.len);
        let (path, within) = self.view().path_at(rank)?;
        let page = self.pages.page(path.leaf).ok_or(Absent(path.leaf))?;
        let spot = leaf::spot(page, within as usize);
        self.add(&path, spot, cell);
        Ok(())
    }

    /// Puts another cell in the place of the one at `rank`.
    pub(crate) fn replace_at(&mut self, rank: u64, cell: &[u8]) -> Result<(), Absent> {
        debug_assert!(rank < self.shape.len);
        let (path, within) = self.view().path_at(rank)?;
        let page = self.pages.page(path.leaf).ok_or(Absent(path.leaf))?;
        let spot = leaf::spot(page, within as usize);
        self.pages.edit(path.leaf, |page| leaf::replace(page, spot, cell));
        self.settle(&path, spot.index);
        Ok(())
    }

    fn add(&mut self, path: &Path, spot: Spot, cell: &[u8]) {
        self.pages.edit(path.leaf, |page| leaf::insert(page, spot, cell));
        self.count(path, 1);
        self.settle(path, spot.index);
    }

    /// Adds to the counts on a path.
    fn count(&mut self, path: &Path, n: i64) {
        self.shape.len = self.shape.len.checked_add_signed(n).expect("no more go than were there");
        for &(id, index) in path.steps() {
            self.pages.edit(id, |page| {
                let count = inner::child_count(page, index as usize);
                let count = count.checked_add_signed(n).expect("no more go than were there");
                inner::set_child_count(page, index as usize, count);
            });
        }
    }

    /// Splits the leaf of a path if it is too long; cell `fresh` made it so.
    fn settle(&mut self, path: &Path, fresh: usize) {
        let page = self.page(path.leaf);
        if page.len() <= LEAF_MAX || leaf::count(page) < 2 {
            return;
        }
        let parts = leaf::split(page, fresh);
        let keys: Vec<Vec<u8>> = parts.windows(2).map(|pair| separator(&pair[0], &pair[1])).collect();
        let mut counts = parts.iter().map(|part| leaf::count(part) as u64).collect::<Vec<_>>().into_iter();
        let mut parts = parts.into_iter();
        let first = parts.next().expect("there are parts");
        self.pages.edit(path.leaf, |page| *page = first);
        let first = counts.next().expect("there are parts");
        let pieces = parts.zip(counts).zip(keys).map(|((part, count), key)| Piece {
            page: self.pages.add(part),
            count,
            key,
        });
        let pieces: Vec<Piece> = pieces.collect();
        self.graft(path, path.steps().len(), path.leaf, first, pieces);
    }

    /// Lists `pieces` behind the child of `level` on a path, which keeps `count`.
    fn graft(&mut self, path: &Path, level: usize, child: PageId, count: u64, pieces: Vec<Piece>) {
        let has_keys = self.shape.flavour.has_keys();
        let Some(above) = level.checked_sub(1) else {
            let mut children = vec![Child { page: child, count, key: &[] }];
            children.extend(pieces.iter().map(Piece::child));
            // More pieces than fit one page: a giant key can do that.
            let parts = inner::split(&children, has_keys, 0);
            let (root, rest) = self.store(&parts, None);
            self.shape.root = root;
            self.shape.height += 1;
            if !rest.is_empty() {
                let total = parts[0].iter().map(|child| child.count).sum();
                self.graft(path, 0, root, total, rest);
            }
            return;
        };
        let (parent, at) = path.steps()[above];
        let at = at as usize;
        let old = self.page(parent).to_vec();
        let mut children: Vec<Child<'_>> = inner::children(&old).collect();
        children[at].count = count;
        children.splice(at + 1..at + 1, pieces.iter().map(Piece::child));
        let parts = inner::split(&children, has_keys, at + pieces.len());
        let (_, rest) = self.store(&parts, Some(parent));
        if !rest.is_empty() {
            let total = parts[0].iter().map(|child| child.count).sum();
            self.graft(path, above, parent, total, rest);
        }
    }

    /// Writes the parts of a node: the first to `first` or a new page, the others to new ones.
    fn store(&mut self, parts: &[&[Child<'_>]], first: Option<PageId>) -> (PageId, Vec<Piece>) {
        let has_keys = self.shape.flavour.has_keys();
        let page = inner::build(parts[0], has_keys);
        let first = match first {
            Some(id) => {
                self.pages.edit(id, |old| *old = page);
                id
            }
            None => self.pages.add(page),
        };
        let rest = parts[1..].iter().map(|part| Piece {
            page: self.pages.add(inner::build(part, has_keys)),
            count: part.iter().map(|child| child.count).sum(),
            key: part[0].key.to_vec(),
        });
        (first, rest.collect())
    }

    /// Takes a key out; true if it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<bool, Absent> {
        let path = self.view().path_to(key)?;
        let page = self.pages.page(path.leaf).ok_or(Absent(path.leaf))?;
        let Ok(spot) = leaf::search(page, key) else {
            return Ok(false);
        };
        self.take(&path, spot);
        Ok(true)
    }

    /// Takes out what is at a rank.
    pub(crate) fn remove_at(&mut self, rank: u64) -> Result<(), Absent> {
        debug_assert!(rank < self.shape.len);
        let (path, within) = self.view().path_at(rank)?;
        let page = self.pages.page(path.leaf).ok_or(Absent(path.leaf))?;
        let spot = leaf::spot(page, within as usize);
        self.take(&path, spot);
        Ok(())
    }

    fn take(&mut self, path: &Path, spot: Spot) {
        self.pages.edit(path.leaf, |page| leaf::remove(page, spot));
        self.count(path, -1);
        self.shape.shifts = self.shape.shifts.wrapping_add(1);
        self.tidy(path);
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
            self.pages.edit(into, |page| *page = joined);
        }
        let total = inner::child_count(&node, left) + inner::child_count(&node, left + 1);
        self.unlist(parent, left + 1);
        self.pages.edit(parent, |page| inner::set_child_count(page, left, total));
        self.pages.free(from);
    }

    fn unlist(&mut self, parent: PageId, at: usize) {
        let old = self.page(parent).to_vec();
        let mut children: Vec<Child<'_>> = inner::children(&old).collect();
        children.remove(at);
        let page = inner::build(&children, self.shape.flavour.has_keys());
        self.pages.edit(parent, |old| *old = page);
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
                    self.shape.root = self.pages.add(leaf::empty(flavour));
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
        if !ranks.is_empty() {
            let whole = ranks == (0..self.shape.len);
            self.absent_below(self.shape.root, self.shape.height, &ranks, whole, absent);
        }
    }

    fn absent_below(&self, id: PageId, height: u8, ranks: &Range<u64>, whole: bool, absent: &mut Vec<PageId>) {
        if whole && height == 0 {
            return;
        }
        let Some(page) = self.pages.page(id) else {
            return absent.push(id);
        };
        if height > 0 {
            for (child, part) in overlaps(page, ranks) {
                self.absent_below(inner::child(page, child), height - 1, &part.ranks, part.whole, absent);
            }
        }
    }

    /// Takes out a range of ranks. Leaves that go as a whole need not be in memory.
    pub(crate) fn remove_range(&mut self, ranks: Range<u64>) -> Result<u64, Absent> {
        let ranks = ranks.start..ranks.end.min(self.shape.len);
        if ranks.is_empty() {
            return Ok(0);
        }
        let mut absent = Vec::new();
        self.absent_for_removal(&ranks, &mut absent);
        if let Some(id) = absent.pop() {
            return Err(Absent(id));
        }
        let n = ranks.end - ranks.start;
        let (root, height) = (self.shape.root, self.shape.height);
        if n == self.shape.len {
            self.free_below(root, height);
            self.shape.root = self.pages.add(leaf::empty(self.shape.flavour));
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
            let children: Vec<PageId> = inner::children(self.page(id)).map(|child| child.page).collect();
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
        self.pages.edit(id, |old| *old = page);
    }

    /// Frees every page of the tree, of which the inner ones are in memory.
    pub(crate) fn clear(&mut self) -> Result<(), Absent> {
        self.remove_range(0..self.shape.len).map(drop)
    }
}

impl Piece {
    fn child(&self) -> Child<'_> {
        Child {
            page: self.page,
            count: self.count,
            key: &self.key,
        }
    }
}

/// The shortest key that is larger than every key of `left` and not larger than any of `right`.
fn separator(left: &[u8], right: &[u8]) -> Vec<u8> {
    let last = leaf::key(left, leaf::spot(left, leaf::count(left) - 1));
    let first = leaf::key(right, leaf::spot(right, 0));
    let common = last.iter().zip(first).take_while(|(a, b)| a == b).count();
    first[..first.len().min(common + 1)].to_vec()
}

/// Builds a tree out of cells in their order; `cells` calls its argument with key and cell of each.
pub(crate) struct Builder<'a> {
    pages: &'a mut PageTable,
    flavour: Flavour,
    leaf: Vec<u8>,
    last_key: Vec<u8>,
    /// Finished nodes of each level, lowest first: of the leaves, the first key of each.
    done: Vec<Piece>,
    first_key: Vec<u8>,
    len: u64,
}

impl<'a> Builder<'a> {
    /// A tree without cells so far.
    pub(crate) fn new(pages: &'a mut PageTable, flavour: Flavour) -> Self {
        Builder {
            pages,
            flavour,
            leaf: leaf::empty(flavour),
            last_key: Vec::new(),
            done: Vec::new(),
            first_key: Vec::new(),
            len: 0,
        }
    }

    /// Adds a cell behind the last; keys must rise.
    pub(crate) fn push(&mut self, key: &[u8], cell: &[u8]) {
        debug_assert!(self.len == 0 || !self.flavour.has_keys() || *self.last_key < *key);
        let n = leaf::count(&self.leaf);
        if n > 0 && self.leaf.len() + cell.len() + 2 > LEAF_MAX {
            let common = self.last_key.iter().zip(key).take_while(|(a, b)| a == b).count();
            self.finish_leaf();
            self.first_key = key[..key.len().min(common + 1)].to_vec();
        }
        let end = leaf::spot(&self.leaf, usize::MAX);
        let spot = Spot { index: leaf::count(&self.leaf), at: end.at };
        leaf::insert(&mut self.leaf, spot, cell);
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.len += 1;
    }

    fn finish_leaf(&mut self) {
        let leaf = std::mem::replace(&mut self.leaf, leaf::empty(self.flavour));
        let count = leaf::count(&leaf) as u64;
        let page = self.pages.add(leaf);
        self.done.push(Piece { page, count, key: std::mem::take(&mut self.first_key) });
    }

    /// The shape of the tree.
    pub(crate) fn finish(mut self) -> Shape {
        self.finish_leaf();
        let has_keys = self.flavour.has_keys();
        let mut nodes = self.done;
        let mut height = 0;
        while nodes.len() > 1 {
            let children: Vec<Child<'_>> = nodes.iter().map(Piece::child).collect();
            let mut above = Vec::new();
            for part in inner::split(&children, has_keys, 0) {
                above.push(Piece {
                    page: self.pages.add(inner::build(part, has_keys)),
                    count: part.iter().map(|child| child.count).sum(),
                    key: part[0].key.to_vec(),
                });
            }
            nodes = above;
            height += 1;
        }
        Shape {
            root: nodes[0].page,
            height,
            len: self.len,
            flavour: self.flavour,
            shifts: 0,
        }
    }
}
