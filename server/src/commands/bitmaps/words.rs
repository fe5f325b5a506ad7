//! Counting and finding bits, a word at a time. Bit 0 is the highest of byte 0.

use std::ops::Range;

/// A range of bits, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    /// The first bit.
    pub(super) first: u64,
    /// The last one, not before it.
    pub(super) last: u64,
}

/// The bits of a byte from `first` (0 is the highest) to `last`.
fn mask(first: u64, last: u64) -> u8 {
    (0xff >> first) & (0xff << (7 - last))
}

/// A byte's index, and the bits of it that count.
type Edge = (usize, u8);

impl Bits {
    /// The bytes that have some of the bits.
    pub(super) fn bytes(self) -> Range<u64> {
        self.first / 8..self.last / 8 + 1
    }

    /// Those of the bits that lie in the `len` bytes from byte `at` on, which have some: counted from there.
    pub(super) fn within(self, at: u64, len: usize) -> Bits {
        let (start, end) = (at * 8, (at + len as u64) * 8);
        Bits {
            first: self.first.max(start) - start,
            last: self.last.min(end - 1) - start,
        }
    }

    /// Splits the range into a first byte, whole bytes, and a last byte, the outer ones with the bits that count.
    fn parts(self, bytes: &[u8]) -> (Edge, &[u8], Option<Edge>) {
        let (first, last) = ((self.first / 8) as usize, (self.last / 8) as usize);
        if first == last {
            return ((first, mask(self.first % 8, self.last % 8)), &[], None);
        }
        (
            (first, mask(self.first % 8, 7)),
            &bytes[first + 1..last],
            Some((last, mask(0, self.last % 8))),
        )
    }
}

/// How many bits of `bits`, which lie within `bytes`, are set.
pub(super) fn count(bytes: &[u8], bits: Bits) -> u64 {
    let (first, whole, last) = bits.parts(bytes);
    let edge = |(at, mask): Edge| u64::from((bytes[at] & mask).count_ones());
    edge(first) + count_all(whole) + last.map_or(0, edge)
}

fn count_all(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    // Partial sums of 32 bits, which vectorise twice as wide.
    let in_words: u64 = words
        .chunks(1 << 20)
        .map(|part| {
            let ones = part
                .iter()
                .map(|word| u64::from_ne_bytes(*word).count_ones());
            u64::from(ones.sum::<u32>())
        })
        .sum();
    in_words
        + rest
            .iter()
            .map(|byte| u64::from(byte.count_ones()))
            .sum::<u64>()
}

/// The first bit of `bits`, which lie within `bytes`, that is `wanted`.
pub(super) fn find(bytes: &[u8], bits: Bits, wanted: bool) -> Option<u64> {
    let (first, whole, last) = bits.parts(bytes);
    // Turned so that what is looked for is always 1.
    let turn = if wanted { 0 } else { 0xff };
    let edge = |(at, mask): Edge| {
        let byte = (bytes[at] ^ turn) & mask;
        (byte != 0).then(|| at as u64 * 8 + u64::from(byte.leading_zeros()))
    };
    edge(first)
        .or_else(|| {
            let found = find_byte(whole, if wanted { 0 } else { 0xff })?;
            edge((first.0 + 1 + found, 0xff))
        })
        .or_else(|| last.and_then(edge))
}

/// The first byte that is not `skipped`.
fn find_byte(bytes: &[u8], skipped: u8) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let same = u64::from_ne_bytes([skipped; 8]);
    let start = words
        .iter()
        .position(|word| u64::from_ne_bytes(*word) != same)
        .unwrap_or(words.len())
        * 8;
    let found = bytes[start..].iter().position(|byte| *byte != skipped)?;
    Some(start + found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bit(bytes: &[u8], at: u64) -> bool {
        bytes[(at / 8) as usize] & (0x80 >> (at % 8)) != 0
    }

    proptest! {
        #[test]
        fn counts_and_finds_as_bit_by_bit(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 1..64),
                prop::collection::vec(prop_oneof![20 => Just(0u8), 1 => any::<u8>()], 1..64),
                prop::collection::vec(prop_oneof![20 => Just(0xffu8), 1 => any::<u8>()], 1..64),
            ],
            a in any::<u64>(),
            b in any::<u64>(),
        ) {
            let total = bytes.len() as u64 * 8;
            let (a, b) = (a % total, b % total);
            let bits = Bits { first: a.min(b), last: a.max(b) };
            let mut range = bits.first..=bits.last;
            let ones = range.clone().filter(|at| bit(&bytes, *at)).count() as u64;
            prop_assert_eq!(count(&bytes, bits), ones);
            prop_assert_eq!(find(&bytes, bits, true), range.clone().find(|at| bit(&bytes, *at)));
            prop_assert_eq!(find(&bytes, bits, false), range.find(|at| !bit(&bytes, *at)));
        }
    }
}
