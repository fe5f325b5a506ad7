//! Building a tree at once, from its leaves up.

use super::inner::{self, Child};
use super::leaf::{self, LEAF_MAX, Spot};
use super::pages::PageTable;
use super::write::Piece;
use super::{Flavour, Shape};

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
            let common = self
                .last_key
                .iter()
                .zip(key)
                .take_while(|(a, b)| a == b)
                .count();
            self.finish_leaf();
            self.first_key = key[..key.len().min(common + 1)].to_vec();
        }
        let end = leaf::spot(&self.leaf, usize::MAX);
        let spot = Spot {
            index: leaf::count(&self.leaf),
            at: end.at,
        };
        leaf::insert(&mut self.leaf, spot, cell);
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.len += 1;
    }

    fn finish_leaf(&mut self) {
        let leaf = std::mem::replace(&mut self.leaf, leaf::empty(self.flavour));
        let count = leaf::count(&leaf) as u64;
        let page = self.pages.add(&leaf);
        self.done.push(Piece {
            page,
            count,
            key: std::mem::take(&mut self.first_key),
        });
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
                    page: self.pages.add(&inner::build(part, has_keys)),
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
