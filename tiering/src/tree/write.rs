//! Changing a tree. Every operation first makes sure that each page it will need is in memory, and returns which is
//! not; from its first change on it cannot fail.
//!
//! A page that runs short is joined with a neighbour only if that happens to be in memory: no page is read to be
//! tidied up. A leaf without cells goes only if the leaf that is responsible for its keys from then on is in memory, too.
//! So once all keys a command will name were looked up, none of its changes makes another one meet an absent page.

use super::inner::{self, Child};
use super::leaf::{self, LEAF_MAX, Spot};
use super::pages::PageTable;
use super::read::{Path, Seat, View};
use super::remove::runs_short;
use super::{Absent, PageId, Pages, Shape};

/// A tree, to be changed.
#[derive(Debug)]
pub(crate) struct Editor<'a> {
    pub(crate) pages: &'a mut PageTable,
    pub(crate) shape: &'a mut Shape,
}

/// A page that takes the place of another, or stands behind it.
pub(super) struct Piece {
    pub(super) page: PageId,
    pub(super) count: u64,
    pub(super) key: Vec<u8>,
}

impl Editor<'_> {
    pub(super) fn view(&self) -> View<&PageTable> {
        View::new(self.pages, *self.shape)
    }

    pub(super) fn page(&self, id: PageId) -> &[u8] {
        self.pages
            .page(id)
            .expect("looked at before the first change")
    }

    /// Puts a cell at its key, in the place of the one that is there; true if there was none.
    pub(crate) fn insert(&mut self, key: &[u8], cell: &[u8]) -> Result<bool, Absent> {
        let seat = self.view().seek(key)?;
        Ok(self.put(&seat, cell))
    }

    /// Puts a cell at its key unless one is there; true if there was none.
    pub(crate) fn insert_new(&mut self, key: &[u8], cell: &[u8]) -> Result<bool, Absent> {
        let seat = self.view().seek(key)?;
        Ok(seat.spot.is_err() && self.put(&seat, cell))
    }

    /// Puts a cell at a seat, found for its key since the tree was last changed; true if there was none.
    pub(crate) fn put(&mut self, seat: &Seat, cell: &[u8]) -> bool {
        let Seat { path, spot } = seat;
        match *spot {
            Ok(spot) => {
                self.pages
                    .edit(path.leaf, |page| leaf::replace(page, spot, cell));
                self.settle(path, spot.index);
                false
            }
            Err(spot) => {
                self.add(path, spot, cell);
                true
            }
        }
    }

    /// Takes a key out, and puts the cell of another one, `to`. Both are looked for before either is changed, so that
    /// the second search does not wait for what the first one does.
    pub(crate) fn move_key(&mut self, from: &[u8], to: &[u8], cell: &[u8]) -> Result<(), Absent> {
        let view = self.view();
        let way = view.path_to(to)?;
        let source = view.seek(from)?;
        let target = view.seek_in(way, to)?;
        let (Ok(out), Err(spot)) = (source.spot, target.spot) else {
            self.remove(from)?;
            return self.insert(to, cell).map(drop);
        };
        let page = self.page(source.path.leaf);
        let bytes = leaf::after(page, out).at - out.at;
        if runs_short(page, bytes) {
            // It may be joined with another one, and then nothing is where it was found.
            self.take(&source.path, out);
            return self.insert(to, cell).map(drop);
        }
        let is_behind = source.path.leaf == target.path.leaf && spot.index > out.index;
        let spot = Spot {
            index: spot.index - usize::from(is_behind),
            at: spot.at - if is_behind { bytes } else { 0 },
        };
        self.pages
            .edit(source.path.leaf, |page| leaf::remove(page, out));
        self.pages
            .edit(target.path.leaf, |page| leaf::insert(page, spot, cell));
        self.shape.shifts = self.shape.shifts.wrapping_add(1);
        // What is above both keeps its counts.
        let (old, new) = (source.path.steps(), target.path.steps());
        let shared = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        self.count_steps(&old[shared..], -1);
        self.count_steps(&new[shared..], 1);
        self.settle(&target.path, spot.index);
        Ok(())
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
        self.pages
            .edit(path.leaf, |page| leaf::replace(page, spot, cell));
        self.settle(&path, spot.index);
        Ok(())
    }

    fn add(&mut self, path: &Path, spot: Spot, cell: &[u8]) {
        self.pages
            .edit(path.leaf, |page| leaf::insert(page, spot, cell));
        self.count(path, 1);
        self.settle(path, spot.index);
    }

    /// Adds to the counts on a path.
    pub(super) fn count(&mut self, path: &Path, n: i64) {
        self.shape.len = self
            .shape
            .len
            .checked_add_signed(n)
            .expect("no more go than were there");
        self.count_steps(path.steps(), n);
    }

    fn count_steps(&mut self, steps: &[(PageId, u32)], n: i64) {
        for &(id, index) in steps {
            self.pages.edit(id, |page| {
                let count = inner::child_count(page, index as usize);
                let count = count
                    .checked_add_signed(n)
                    .expect("no more go than were there");
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
        let keys: Vec<Vec<u8>> = parts
            .windows(2)
            .map(|pair| separator(&pair[0], &pair[1]))
            .collect();
        let mut counts = parts
            .iter()
            .map(|part| leaf::count(part) as u64)
            .collect::<Vec<_>>()
            .into_iter();
        let mut parts = parts.into_iter();
        let first = parts.next().expect("there are parts");
        self.pages.rewrite(path.leaf, &first);
        let first = counts.next().expect("there are parts");
        let pieces = parts
            .zip(counts)
            .zip(keys)
            .map(|((part, count), key)| Piece {
                page: self.pages.add(&part),
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
            let mut children = vec![Child {
                page: child,
                count,
                key: &[],
            }];
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
                self.pages.rewrite(id, &page);
                id
            }
            None => self.pages.add(&page),
        };
        let rest = parts[1..].iter().map(|part| Piece {
            page: self.pages.add(&inner::build(part, has_keys)),
            count: part.iter().map(|child| child.count).sum(),
            key: part[0].key.to_vec(),
        });
        (first, rest.collect())
    }
}

impl Piece {
    pub(super) fn child(&self) -> Child<'_> {
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
