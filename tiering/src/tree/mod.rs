//! Collections as counted B+trees of small pages.
//!
//! ```text
//!                    ┌──────────── inner page ────────────┐       inner pages list, for each child, its page,
//!                    │ p7: 141   p2: 88 from "k"   p9: 90 │       how many elements it holds, and the key from
//!                    └──┬────────────┬──────────────┬─────┘       which on it holds them
//!              ┌────────▼───┐   ┌────▼────┐    ┌────▼────┐
//!              │ cells a..j │   │ k .. q  │    │ r .. z  │       leaves hold cells, packed, in order
//!              └────────────┘   └─────────┘    └─────────┘
//! ```
//!
//! Every tree is one of three [`Flavour`]s: keys alone, keys with values, or values by position. Keys are ordered byte by
//! byte; the counts give each element its rank, so that a position, a random element, and the length of a range
//! cost one way down. A page is about 2 KiB (`LEAF_MAX`); a cell that is longer has a page of its own.
//!
//! The page is the unit of residence (`pages.rs`): it may be absent from memory. An operation that meets an absent
//! page returns [`Absent`] before it has changed anything; the page is read, and the operation made again.
//!
//! | file | role |
//! |---|---|
//! | `value.rs` | keys and values in a cell |
//! | `leaf.rs`, `inner.rs` | the two kinds of pages |
//! | `pages.rs` | which pages are in memory, dirty, being written |
//! | `read.rs`, `write.rs`, `remove.rs`, `build.rs` | the operations |
//! | `object.rs` | a value of several trees: its root as it is stored, its life in memory |
//!
//! Nothing here knows keys, slots, or the cold tier.

mod build;
mod inner;
pub(crate) mod leaf;
mod object;
pub(crate) mod pages;
pub(crate) mod read;
mod remove;
#[cfg(test)]
mod tests;
pub(crate) mod value;
pub(crate) mod write;

pub(crate) use build::Builder;
pub use leaf::Flavour;
pub(crate) use object::{
    LARGE, Object, ObjectId, SMALL_MAX, Small, discard, encode_small, page_of, small_bytes,
};
pub use value::{Bytes, pack, unpack};

/// Number of a page within its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PageId(pub(crate) u32);

/// A page that an operation needs is not in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absent(pub(crate) PageId);

/// Where pages are found.
pub(crate) trait Pages<'a>: Copy {
    /// The page; `None` if it is absent.
    fn page(self, id: PageId) -> Option<&'a [u8]>;

    /// It will soon be asked where the page is.
    fn prefetch_place(self, _: PageId) {}

    /// The page, a leaf, is about to be searched.
    fn prefetch(self, _: PageId) {}

    /// The page, an inner one, is about to be searched.
    fn prefetch_inner(self, _: PageId) {}
}

/// What a tree is, apart from its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) root: PageId,
    /// Levels above the leaves.
    pub(crate) height: u8,
    /// Elements.
    pub(crate) len: u64,
    pub(crate) flavour: Flavour,
    /// How many elements were ever removed, for cursors (see `Collection::scan`).
    pub(crate) shifts: u32,
}

/// Encodes a cell whose value is gone from `deadline` on.
pub(crate) fn encode_cell_until(
    key: &[u8],
    content: &[u8],
    deadline: crate::UnixMs,
    out: &mut Vec<u8>,
) {
    out.clear();
    value::put_key(key, out);
    value::put_value_until(content, deadline, out);
}

/// Encodes a cell.
pub(crate) fn encode_cell(flavour: Flavour, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.clear();
    if flavour != Flavour::Sequence {
        value::put_key(key, out);
    }
    if flavour != Flavour::Keys {
        value::put_value(value, out);
    }
}
