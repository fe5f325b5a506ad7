//! An inner page: the children of a node, how many elements each holds, and the keys that separate them.
//!
//! ```text
//!   byte 0      flags: inner, keys, heads
//!   byte 1..3   number of children, u16 LE
//!   children    page u32 LE, count u64 LE each
//!   key ends    u32 LE each, from the start of the keys; only with keys
//!   keys
//!   prefix      what all keys but the first begin with; this and what follows only with heads
//!   heads       of each key the four bytes behind the prefix (zeroes behind its end), u32 LE, so that they compare
//!               as numbers
//!   byte -2..   length of the prefix, u16 LE
//! ```
//!
//! Child `i` holds the keys from key `i` up to key `i + 1`; the first key is not looked at. Counts change in place; for
//! anything else the page is written anew.
//!
//! A search goes through the heads, which lie side by side, and reads a key only where heads are alike: a binary search
//! through the keys waits for memory at each step. (Lomet, "The Evolution of Effective B-tree Page Organization and
//! Techniques", 2001; Graefe and Larson, "B-Tree Indexes and CPU Caches", 2001: poor man's normalized keys.)

use super::PageId;
use super::leaf::{HEADER, INNER, KEYS};
use super::value::compare;

/// Pages longer than this are split.
pub(super) const INNER_MAX: usize = 4096 - crate::page::HEAD;
const CHILD: usize = 12;
/// Flag of a page with heads: of all pages with keys, but for those that were written before there were any.
const HEADS: u8 = 16;
const HEAD_BYTES: usize = 4;
const PREFIX_LEN: usize = 2;

/// A child as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Child<'a> {
    pub(super) page: PageId,
    pub(super) count: u64,
    pub(super) key: &'a [u8],
}

pub(super) fn count(page: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([page[1], page[2]]))
}

#[inline]
fn u32_at(page: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(page[at..at + 4].try_into().expect("four bytes"))
}

#[inline]
pub(super) fn child(page: &[u8], index: usize) -> PageId {
    PageId(u32_at(page, HEADER + CHILD * index))
}

#[inline]
pub(super) fn child_count(page: &[u8], index: usize) -> u64 {
    let at = HEADER + CHILD * index + 4;
    u64::from_le_bytes(page[at..at + 8].try_into().expect("eight bytes"))
}

pub(super) fn set_child_count(page: &mut [u8], index: usize, count: u64) {
    let at = HEADER + CHILD * index + 4;
    page[at..at + 8].copy_from_slice(&count.to_le_bytes());
}

#[inline]
fn key_end(page: &[u8], n: usize, index: usize) -> usize {
    u32_at(page, HEADER + CHILD * n + 4 * index) as usize
}

#[inline]
fn key(page: &[u8], n: usize, index: usize) -> &[u8] {
    if page[0] & KEYS == 0 {
        return &[];
    }
    let keys = HEADER + (CHILD + 4) * n;
    let start = if index == 0 {
        0
    } else {
        key_end(page, n, index - 1)
    };
    &page[keys + start..keys + key_end(page, n, index)]
}

/// The child that holds `key`, or would.
pub(super) fn search(page: &[u8], wanted: &[u8]) -> usize {
    let n = count(page);
    let (mut low, mut high) = if page[0] & HEADS == 0 {
        (1, n)
    } else {
        match Heads::of(page, n).alike(wanted) {
            Ok(alike) => (alike.start, alike.end),
            Err(index) => return index,
        }
    };
    while low < high {
        let mid = usize::midpoint(low, high);
        if compare(key(page, n, mid), wanted).is_le() {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    low - 1
}

/// The last parts of a page with heads.
struct Heads<'a> {
    prefix: &'a [u8],
    heads: &'a [[u8; HEAD_BYTES]],
}

impl<'a> Heads<'a> {
    #[inline]
    fn of(page: &'a [u8], n: usize) -> Heads<'a> {
        let (rest, len) = page
            .split_last_chunk::<PREFIX_LEN>()
            .expect("a page is checked when it is read");
        let (rest, heads) = rest.split_at(rest.len() - HEAD_BYTES * n);
        let prefix = usize::from(u16::from_le_bytes(*len));
        Heads {
            prefix: &rest[rest.len() - prefix..],
            heads: heads.as_chunks().0,
        }
    }

    /// The children whose heads are that of `wanted` (maybe none, but it begins with where they would be), or the child
    /// that holds it.
    #[inline]
    fn alike(&self, wanted: &[u8]) -> Result<std::ops::Range<usize>, usize> {
        let n = self.heads.len();
        let common = wanted.len().min(self.prefix.len());
        match compare(&wanted[..common], &self.prefix[..common]) {
            std::cmp::Ordering::Less => return Err(0),
            std::cmp::Ordering::Greater => return Err(n - 1),
            std::cmp::Ordering::Equal if common < self.prefix.len() => return Err(0),
            std::cmp::Ordering::Equal => {}
        }
        let head = head(&wanted[common..]);
        let number = |i: usize| u32::from_le_bytes(self.heads[i]);
        // All of them, a few at a time, sooner than one after the other in the order of a binary search.
        let low = 1 + self.heads[1..]
            .iter()
            .map(|other| u32::from(u32::from_le_bytes(*other) < head))
            .sum::<u32>() as usize;
        let mut high = low;
        while high < n && number(high) == head {
            high += 1;
        }
        Ok(low..high)
    }

    fn len_for(children: &[Child<'_>]) -> usize {
        prefix(children).len() + HEAD_BYTES * children.len() + PREFIX_LEN
    }

    fn put(children: &[Child<'_>], page: &mut Vec<u8>) {
        let prefix = prefix(children);
        page.extend_from_slice(prefix);
        for child in children {
            let behind = child.key.get(prefix.len()..).unwrap_or_default();
            page.extend_from_slice(&head(behind).to_le_bytes());
        }
        page.extend_from_slice(&(prefix.len() as u16).to_le_bytes());
    }
}

/// What all keys but the first begin with, up to what its length can tell.
fn prefix<'a>(children: &[Child<'a>]) -> &'a [u8] {
    let [_, first, .., last] = children else {
        return &[];
    };
    let alike = first.key.iter().zip(last.key).take(usize::from(u16::MAX));
    &first.key[..alike.take_while(|(a, b)| a == b).count()]
}

/// The first bytes of a key, as a number that is ordered as they are.
#[inline]
fn head(key: &[u8]) -> u32 {
    match key.first_chunk() {
        Some(bytes) => u32::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; HEAD_BYTES];
            bytes[..key.len()].copy_from_slice(key);
            u32::from_be_bytes(bytes)
        }
    }
}

/// The child that holds the element of this rank, of `total` there are, and the rank within it; a rank past the end goes
/// to the last. Looks from the end that is nearer.
pub(super) fn select(page: &[u8], mut rank: u64, total: u64) -> (usize, u64) {
    let last = count(page) - 1;
    if rank >= total / 2 {
        let mut start = total;
        for index in (1..=last).rev() {
            start -= child_count(page, index);
            if rank >= start {
                return (index, rank - start);
            }
        }
        return (0, rank);
    }
    for index in 0..last {
        let count = child_count(page, index);
        if rank < count {
            return (index, rank);
        }
        rank -= count;
    }
    (last, rank)
}

/// Elements before child `index`.
pub(super) fn before(page: &[u8], index: usize) -> u64 {
    (0..index).map(|index| child_count(page, index)).sum()
}

/// All children.
pub(super) fn children(page: &[u8]) -> impl Iterator<Item = Child<'_>> {
    let n = count(page);
    (0..n).map(move |index| Child {
        page: child(page, index),
        count: child_count(page, index),
        key: key(page, n, index),
    })
}

/// A page of these children.
pub(super) fn build(children: &[Child<'_>], has_keys: bool) -> Vec<u8> {
    let mut page = Vec::with_capacity(bytes_of(children, has_keys));
    page.push(INNER | if has_keys { KEYS | HEADS } else { 0 });
    let n = u16::try_from(children.len()).expect("a page is split long before");
    page.extend_from_slice(&n.to_le_bytes());
    for child in children {
        page.extend_from_slice(&child.page.0.to_le_bytes());
        page.extend_from_slice(&child.count.to_le_bytes());
    }
    if has_keys {
        let mut end = 0;
        for child in children {
            end += child.key.len() as u32;
            page.extend_from_slice(&end.to_le_bytes());
        }
        for child in children {
            page.extend_from_slice(child.key);
        }
        Heads::put(children, &mut page);
    }
    page
}

fn bytes_of(children: &[Child<'_>], has_keys: bool) -> usize {
    let keys = |child: &Child<'_>| if has_keys { 4 + child.key.len() } else { 0 };
    HEADER
        + children
            .iter()
            .map(|child| CHILD + keys(child))
            .sum::<usize>()
        + if has_keys {
            Heads::len_for(children)
        } else {
            0
        }
}

/// Cuts children into parts of pages that are short enough, each of two children at least. `fresh` is the last of
/// those that were added: if that is the end, the others stay together.
pub(super) fn split<'c, 'a>(
    children: &'c [Child<'a>],
    has_keys: bool,
    fresh: usize,
) -> Vec<&'c [Child<'a>]> {
    if children.len() < 4 || bytes_of(children, has_keys) <= INNER_MAX {
        return vec![children];
    }
    let cut = if fresh + 1 == children.len() {
        children.len() - 2
    } else {
        children.len() / 2
    };
    let (left, right) = children.split_at(cut);
    let mut parts = split(left, has_keys, 0);
    parts.extend(split(right, has_keys, 0));
    parts
}

/// True if the bytes are an inner page that can be read without surprises.
pub(super) fn is_sound(page: &[u8], has_keys: bool) -> bool {
    let flags = INNER | if has_keys { KEYS } else { 0 };
    if page.len() < HEADER || page[0] & !HEADS != flags {
        return false;
    }
    let n = count(page);
    let has_heads = page[0] & HEADS != 0;
    let row = if has_keys { CHILD + 4 } else { CHILD };
    let keys = HEADER + row * n;
    if n == 0 || page.len() < keys {
        return false;
    }
    if !has_keys {
        return !has_heads && page.len() == keys;
    }
    let ends: Vec<usize> = (0..n).map(|index| key_end(page, n, index)).collect();
    let end = keys + ends[n - 1];
    if !ends.is_sorted() || end > page.len() {
        return false;
    }
    let mut heads = Vec::new();
    if has_heads {
        Heads::put(&children(page).collect::<Vec<_>>(), &mut heads);
    }
    page[end..] == heads
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Keys of few letters, zero among them, many of which are alike for longer than a head.
        #[test]
        fn a_search_finds_what_looking_at_each_key_finds(
            shared in proptest::collection::vec(0u8..2, 0..12),
            keys in proptest::collection::btree_set(proptest::collection::vec(0u8..3, 0..12), 1..60),
            others in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..14), 1..20),
        ) {
            let behind = |key: &Vec<u8>| [&shared[..], key].concat();
            let keys: BTreeSet<Vec<u8>> = keys.iter().map(behind).collect();
            let children: Vec<Child<'_>> = keys
                .iter()
                .map(|key| Child { page: PageId(1), count: 1, key })
                .collect();
            let page = build(&children, true);
            prop_assert!(is_sound(&page, true));
            // As pages were before there were heads.
            let mut bare = page.clone();
            bare.truncate(page.len() - Heads::len_for(&children));
            bare[0] &= !HEADS;
            prop_assert!(is_sound(&bare, true));
            let wanted = others.iter().cloned().chain(others.iter().map(behind)).chain(keys.iter().cloned());
            for wanted in wanted {
                let index = children[1..].iter().filter(|child| child.key <= &wanted[..]).count();
                prop_assert_eq!(search(&page, &wanted), index);
                prop_assert_eq!(search(&bare, &wanted), index);
            }
        }

        #[test]
        fn arbitrary_bytes_are_refused_or_readable(
            keys in proptest::collection::btree_set(proptest::collection::vec(0u8..3, 0..6), 1..9),
            at in 0usize..300,
            byte: u8,
            cut in 0usize..40,
        ) {
            let children: Vec<Child<'_>> = keys
                .iter()
                .map(|key| Child { page: PageId(1), count: 1, key })
                .collect();
            let mut page = build(&children, true);
            let at = at % page.len();
            page[at] = byte;
            page.truncate(page.len().saturating_sub(cut.saturating_sub(20)));
            if is_sound(&page, true) {
                prop_assert!(search(&page, &[1, 1]) < count(&page));
                prop_assert_eq!(self::children(&page).count(), count(&page));
            }
        }
    }

    #[test]
    fn an_inner_page_gives_back_its_children() {
        let keys: Vec<String> = (0..300).map(|n| format!("k{n:04}")).collect();
        let children: Vec<Child<'_>> = keys
            .iter()
            .enumerate()
            .map(|(n, key)| Child {
                page: PageId(n as u32 * 7),
                count: n as u64 + 1,
                key: key.as_bytes(),
            })
            .collect();
        let page = build(&children, true);
        assert!(is_sound(&page, true) && !is_sound(&page, false));
        assert!(self::children(&page).eq(children.iter().copied()));
        assert_eq!(search(&page, b"a"), 0);
        assert_eq!(search(&page, b"k0005"), 5);
        assert_eq!(search(&page, b"k0005x"), 5);
        assert_eq!(search(&page, b"z"), 299);
        let total = before(&page, 300);
        assert_eq!(select(&page, 0, total), (0, 0));
        assert_eq!(select(&page, 5, total), (2, 2));
        assert_eq!(select(&page, total - 300, total), (299, 0));
        assert_eq!(select(&page, total - 301, total), (298, 298));
        assert_eq!(select(&page, total, total), (299, 300));
        assert_eq!(before(&page, 3), 6);
        for fresh in [0, 150, 299] {
            let parts = split(&children, true, fresh);
            assert!(parts.len() > 1);
            assert!(
                parts
                    .iter()
                    .all(|part| part.len() >= 2 && bytes_of(part, true) <= INNER_MAX)
            );
            assert_eq!(parts.concat(), children);
        }
        assert!(!is_sound(&page[..page.len() - 1], true));
    }
}
