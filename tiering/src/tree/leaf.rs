//! A leaf page: cells one after the other, in order.
//!
//! ```text
//!   byte 0      flags: keys, values, directory (and never "inner")
//!   byte 1..3   number of cells, u16 LE
//!   cells       [key] [value] each, packed as `value.rs` says
//!   directory   where each cell begins, u16 LE from the start of the page; only in pages with keys that are
//!               longer than DIRECTORY_MIN (a shorter one is as quickly walked), and shorter than 64 KiB
//! ```
//!
//! Cells lie in order without gaps, so that walking a page needs no directory, and a page of values by position
//! has none at all. A page longer than `LEAF_MAX` holds a single cell: long keys and values get pages of their own.

use super::value::{Bytes, compare, key_at, value_at, value_end, value_step};
use crate::page::{Buffer, HEAD};

/// Pages longer than this are split, as long as they have two cells.
pub(crate) const LEAF_MAX: usize = 2048 - HEAD;
/// Shorter pages have no directory.
const DIRECTORY_MIN: usize = 384;
const WIDE: usize = 1 << 16;

pub(super) const HEADER: usize = 3;
pub(super) const INNER: u8 = 1;
pub(super) const KEYS: u8 = 2;
pub(super) const VALUES: u8 = 4;
const DIRECTORY: u8 = 8;

/// What the cells of a tree hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Flavour {
    /// Keys alone: a set.
    Keys = KEYS,
    /// Keys with values: a map.
    Map = KEYS | VALUES,
    /// Values by position: a list.
    Sequence = VALUES,
}

impl Flavour {
    pub(super) fn from_code(code: u8) -> Option<Flavour> {
        [Flavour::Keys, Flavour::Map, Flavour::Sequence]
            .into_iter()
            .find(|flavour| *flavour as u8 == code)
    }

    pub(super) fn has_keys(self) -> bool {
        self as u8 & KEYS != 0
    }
}

/// A place in a leaf: the number of a cell, and where its bytes begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(super) index: usize,
    pub(super) at: usize,
}

/// A leaf without cells.
pub(super) fn empty(flavour: Flavour) -> Vec<u8> {
    vec![flavour as u8, 0, 0]
}

pub(super) fn count(page: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([page[1], page[2]]))
}

fn set_count(page: &mut [u8], count: usize) {
    let count = u16::try_from(count).expect("a page is split long before");
    page[1..3].copy_from_slice(&count.to_le_bytes());
}

fn has_directory(page: &[u8]) -> bool {
    page[0] & DIRECTORY != 0
}

fn cells_end(page: &[u8]) -> usize {
    if has_directory(page) {
        page.len() - 2 * count(page)
    } else {
        page.len()
    }
}

#[inline]
fn listed(page: &[u8], end: usize, index: usize) -> usize {
    let at = end + 2 * index;
    usize::from(u16::from_le_bytes([page[at], page[at + 1]]))
}

/// Where the cell at `at` ends; `None` if it is damaged.
#[inline]
fn cell_end(page: &[u8], at: usize) -> Option<usize> {
    let at = if page[0] & KEYS != 0 {
        key_at(page, at)?.1
    } else {
        at
    };
    if page[0] & VALUES != 0 {
        value_end(page, at)
    } else {
        Some(at)
    }
}

#[inline]
fn next(page: &[u8], at: usize) -> usize {
    cell_end(page, at).expect("a page is checked when it is read")
}

/// Where cell `index` begins (`index` may be the number of cells).
pub(crate) fn spot(page: &[u8], index: usize) -> Spot {
    let end = cells_end(page);
    let at = if index >= count(page) {
        end
    } else if has_directory(page) {
        listed(page, end, index)
    } else {
        skip(page, HEADER, index)
    };
    Spot { index, at }
}

/// Where the cell begins that is `n` behind the one at `at`.
///
/// Values alone are stepped over several at a time as long as they are of one length: each tag is looked at, but none
/// has to wait for the one before it.
fn skip(page: &[u8], mut at: usize, mut n: usize) -> usize {
    const ROW: usize = 8;
    while n >= ROW {
        if page[0] & KEYS == 0 {
            let step = value_step(page[at]);
            let row = page.get(at..at + (ROW - 1) * step + 1);
            let is_even = |row: &[u8]| {
                (1..ROW).fold(true, |even, i| even & (value_step(row[i * step]) == step))
            };
            if step > 0 && row.is_some_and(is_even) {
                at += ROW * step;
                n -= ROW;
                continue;
            }
        }
        at = (0..ROW).fold(at, |at, _| next(page, at));
        n -= ROW;
    }
    (0..n).fold(at, |at, _| next(page, at))
}

/// Where the last cells begin, up to `most` of them, of a page of values by position that is no longer than `WIDE`.
pub(super) fn last_starts(page: &[u8], most: usize) -> Vec<u16> {
    let n = count(page);
    let mut at = skip(page, HEADER, n.saturating_sub(most));
    let starts = (n.saturating_sub(most)..n).map(|_| {
        let start = at as u16;
        at = next(page, at);
        start
    });
    starts.collect()
}

/// The spot after `spot`.
#[inline]
pub(super) fn after(page: &[u8], spot: Spot) -> Spot {
    Spot {
        index: spot.index + 1,
        at: next(page, spot.at),
    }
}

/// The key of a cell; empty where cells have none.
#[inline]
pub(super) fn key(page: &[u8], spot: Spot) -> &[u8] {
    if page[0] & KEYS == 0 {
        return &[];
    }
    key_at(page, spot.at)
        .expect("a page is checked when it is read")
        .0
}

/// Key and value of a cell; what cells do not have is empty.
#[inline]
pub(crate) fn cell(page: &[u8], spot: Spot) -> (&[u8], Bytes<'_>) {
    let (key, at) = if page[0] & KEYS != 0 {
        key_at(page, spot.at).expect("a page is checked when it is read")
    } else {
        (&[][..], spot.at)
    };
    let value = if page[0] & VALUES != 0 {
        value_at(page, at)
    } else {
        Bytes::Raw(&[])
    };
    (key, value)
}

/// Where `key` is, or would be.
pub(crate) fn search(page: &[u8], key: &[u8]) -> Result<Spot, Spot> {
    let n = count(page);
    if has_directory(page) {
        let end = cells_end(page);
        let (mut low, mut high) = (0, n);
        while low < high {
            let mid = usize::midpoint(low, high);
            let at = listed(page, end, mid);
            let (found, _) = key_at(page, at).expect("a page is checked when it is read");
            match compare(found, key) {
                std::cmp::Ordering::Less => low = mid + 1,
                std::cmp::Ordering::Greater => high = mid,
                std::cmp::Ordering::Equal => return Ok(Spot { index: mid, at }),
            }
        }
        return Err(spot(page, low));
    }
    let mut spot = Spot {
        index: 0,
        at: HEADER,
    };
    while spot.index < n {
        match compare(self::key(page, spot), key) {
            std::cmp::Ordering::Less => spot = after(page, spot),
            std::cmp::Ordering::Greater => return Err(spot),
            std::cmp::Ordering::Equal => return Ok(spot),
        }
    }
    Err(spot)
}

/// Puts a cell in front of the one at `spot`.
pub(crate) fn insert(page: &mut impl Buffer, spot: Spot, cell: &[u8]) {
    let (n, listing) = (count(page), has_directory(page));
    open_gap(page, spot.at, cell.len(), if listing { 2 } else { 0 });
    page[spot.at..spot.at + cell.len()].copy_from_slice(cell);
    set_count(page, n + 1);
    if listing && page.len() < WIDE {
        let end = cells_end(page);
        let listed = &mut page[end..];
        listed.copy_within(2 * spot.index..2 * n, 2 * spot.index + 2);
        list(listed, spot.index, spot.at);
        shift(&mut listed[2 * spot.index + 2..], cell.len() as u16);
    }
    keep_directory(page);
}

/// Makes room for `bytes` at `at`, and for `behind` at the end.
fn open_gap(page: &mut impl Buffer, at: usize, bytes: usize, behind: usize) {
    let len = page.len();
    page.resize(len + bytes + behind);
    page.copy_within(at..len, at + bytes);
}

/// Takes the bytes from `from` to `to` out.
fn close_gap(page: &mut impl Buffer, from: usize, to: usize) {
    let len = page.len();
    page.copy_within(to.., from);
    page.resize(len - (to - from));
}

fn list(directory: &mut [u8], index: usize, at: usize) {
    let at = u16::try_from(at).expect("a wide page has no directory");
    directory[2 * index..2 * index + 2].copy_from_slice(&at.to_le_bytes());
}

/// Adds to the places in a part of a directory; what is added wraps, so that a place can move to the front, too.
fn shift(directory: &mut [u8], bytes: u16) {
    for place in directory.as_chunks_mut::<2>().0 {
        *place = u16::from_le_bytes(*place).wrapping_add(bytes).to_le_bytes();
    }
}

/// Adds the directory where one is due, and drops it where it cannot be.
fn keep_directory(page: &mut impl Buffer) {
    let (n, end) = (count(page), cells_end(page));
    let due = page[0] & KEYS != 0 && n > 1 && end >= DIRECTORY_MIN && end + 2 * n < WIDE;
    if has_directory(page) {
        if end + 2 * n >= WIDE {
            page.resize(end);
            page[0] &= !DIRECTORY;
        }
    } else if due {
        page.resize(end + 2 * n);
        let mut at = HEADER;
        for index in 0..n {
            list(&mut page[end..], index, at);
            at = next(page, at);
        }
        page[0] |= DIRECTORY;
    }
}

/// Takes a cell out.
pub(crate) fn remove(page: &mut impl Buffer, spot: Spot) {
    remove_many(page, spot, spot.index + 1);
}

/// Takes the cells from `from` up to, not including, number `to` out.
pub(crate) fn remove_many(page: &mut impl Buffer, from: Spot, to: usize) {
    let n = count(page);
    let to = if to == from.index + 1 && to < n {
        after(page, from)
    } else {
        spot(page, to)
    };
    let (cells, bytes) = (to.index - from.index, to.at - from.at);
    if has_directory(page) {
        let end = cells_end(page);
        let listed = &mut page[end..];
        listed.copy_within(2 * to.index.., 2 * from.index);
        let kept = 2 * (n - cells);
        shift(
            &mut listed[2 * from.index..kept],
            (bytes as u16).wrapping_neg(),
        );
        page.resize(end + kept);
    }
    close_gap(page, from.at, to.at);
    set_count(page, n - cells);
}

/// Puts another cell in the place of one.
pub(crate) fn replace(page: &mut impl Buffer, spot: Spot, cell: &[u8]) {
    let end = next(page, spot.at);
    let (before, after) = (end - spot.at, cell.len());
    if before == after {
        page[spot.at..end].copy_from_slice(cell);
        return;
    }
    if has_directory(page) && page.len() + after < WIDE {
        let from = cells_end(page) + 2 * spot.index + 2;
        shift(
            &mut page[from..],
            (after as u16).wrapping_sub(before as u16),
        );
        if before < after {
            open_gap(page, end, after - before, 0);
        } else {
            close_gap(page, spot.at + after, end);
        }
        page[spot.at..spot.at + after].copy_from_slice(cell);
        return;
    }
    remove(page, spot);
    insert(page, spot, cell);
}

/// The cells from `from` to `to` as a page of their own.
pub(super) fn slice(page: &[u8], from: usize, to: usize) -> Vec<u8> {
    let (start, end) = (spot(page, from).at, spot(page, to).at);
    let mut part = Vec::new();
    part.make_room(HEADER + end - start);
    part.extend_from_slice(&[page[0] & !DIRECTORY, 0, 0]);
    part.extend_from_slice(&page[start..end]);
    set_count(&mut part, to - from);
    keep_directory(&mut part);
    part
}

/// Appends the cells of `right`.
pub(super) fn append(page: &mut impl Buffer, right: &[u8]) {
    let (n, end) = (count(page), cells_end(page));
    page[0] &= !DIRECTORY;
    let cells = &right[HEADER..cells_end(right)];
    page.resize(end + cells.len());
    page[end..].copy_from_slice(cells);
    set_count(page, n + count(right));
    keep_directory(page);
}

/// Parts of a page that is too long, in order. `fresh` is the cell that made it so: one that was added at an end
/// leaves the others together, so that what is filled in order is filled well.
pub(super) fn split(page: &[u8], fresh: usize) -> Vec<Vec<u8>> {
    let n = count(page);
    let mut cuts = Vec::new();
    if fresh + 1 == n {
        cuts_of(page, 0, n - 1, &mut cuts);
        cuts.push(n - 1);
    } else if fresh == 0 {
        cuts.push(1);
        cuts_of(page, 1, n, &mut cuts);
    } else {
        cuts_of(page, 0, n, &mut cuts);
    }
    cuts.push(n);
    let mut from = 0;
    cuts.into_iter()
        .map(|to| slice(page, std::mem::replace(&mut from, to), to))
        .collect()
}

/// Where to cut the cells from `from` to `to` so that each part is short enough or a single cell.
fn cuts_of(page: &[u8], from: usize, to: usize, cuts: &mut Vec<usize>) {
    let (start, end) = (spot(page, from).at, spot(page, to).at);
    let listed = if page[0] & KEYS == 0 {
        0
    } else {
        2 * (to - from)
    };
    if to - from < 2 || HEADER + end - start + listed <= LEAF_MAX {
        return;
    }
    let half = start + (end - start) / 2;
    let mut cut = after(page, spot(page, from));
    while cut.index + 1 < to {
        let next = after(page, cut);
        if next.at > half && next.at - half > half.saturating_sub(cut.at) {
            break;
        }
        cut = next;
    }
    cuts_of(page, from, cut.index, cuts);
    cuts.push(cut.index);
    cuts_of(page, cut.index, to, cuts);
}

/// True if the bytes are a leaf that can be read without surprises.
pub(super) fn is_sound(page: &[u8], flavour: Flavour) -> bool {
    if page.len() < HEADER || page[0] & !DIRECTORY != flavour as u8 {
        return false;
    }
    let n = count(page);
    let listing = has_directory(page);
    let Some(end) = page.len().checked_sub(if listing { 2 * n } else { 0 }) else {
        return false;
    };
    if end < HEADER {
        return false;
    }
    let mut at = HEADER;
    for index in 0..n {
        if listing && listed(page, end, index) != at {
            return false;
        }
        match cell_end(page, at) {
            Some(next) if next <= end => at = next,
            _ => return false,
        }
    }
    at == end
}

#[cfg(test)]
mod tests {
    use super::super::value::{put_key, put_value};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn encode(key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_key(key, &mut out);
        put_value(value, &mut out);
        out
    }

    fn contents(page: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        (0..count(page))
            .map(|index| {
                let (key, value) = cell(page, spot(page, index));
                (key.to_vec(), value.to_vec())
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_leaf_is_a_sorted_map(
            steps in proptest::collection::vec((0u8..60, proptest::collection::vec(any::<u8>(), 0..60), 0u8..4), 1..120),
        ) {
            let mut page = empty(Flavour::Map);
            let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for (number, value, step) in steps {
                let key = format!("key:{}", u32::from(number) * 37).into_bytes();
                match search(&page, &key) {
                    Ok(spot) if step == 0 => {
                        remove(&mut page, spot);
                        model.remove(&key);
                    }
                    Ok(spot) => {
                        prop_assert!(model.contains_key(&key));
                        replace(&mut page, spot, &encode(&key, &value));
                        model.insert(key, value);
                    }
                    Err(spot) => {
                        prop_assert!(!model.contains_key(&key));
                        insert(&mut page, spot, &encode(&key, &value));
                        model.insert(key, value);
                    }
                }
                prop_assert!(is_sound(&page, Flavour::Map));
            }
            let expected: Vec<_> = model.into_iter().collect();
            prop_assert_eq!(&contents(&page), &expected);
            for fresh in [0, expected.len() / 2, expected.len().saturating_sub(1)] {
                if expected.len() < 2 {
                    continue;
                }
                let parts = split(&page, fresh);
                let mut joined = empty(Flavour::Map);
                for part in &parts {
                    prop_assert!(is_sound(part, Flavour::Map) && count(part) > 0);
                    append(&mut joined, part);
                }
                prop_assert_eq!(&contents(&joined), &expected);
                prop_assert!(is_sound(&joined, Flavour::Map));
            }
        }

        #[test]
        fn arbitrary_bytes_are_refused_or_readable(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            for flavour in [Flavour::Keys, Flavour::Map, Flavour::Sequence] {
                let mut bytes = bytes.clone();
                if let Some(first) = bytes.first_mut() {
                    *first = flavour as u8 | (*first & DIRECTORY);
                }
                if is_sound(&bytes, flavour) {
                    contents(&bytes);
                }
            }
        }
    }

    #[test]
    fn a_giant_cell_gets_a_page_of_its_own() {
        let mut page = empty(Flavour::Map);
        for number in 0..20 {
            let key = format!("{number:02}").into_bytes();
            let value = if number == 7 {
                vec![b'x'; 100_000]
            } else {
                vec![b'y'; 20]
            };
            let at = search(&page, &key).unwrap_err();
            insert(&mut page, at, &encode(&key, &value));
            assert!(is_sound(&page, Flavour::Map));
        }
        let parts = split(&page, 7);
        let counts: Vec<usize> = parts.iter().map(|part| count(part)).collect();
        assert_eq!(counts, [7, 1, 12]);
    }
}
