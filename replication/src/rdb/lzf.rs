//! LZF, the compression of strings in RDB: literal runs and references into what was already written.
//!
//! ```text
//!   000lllll                    l + 1 literal bytes follow
//!   lllooooo oooooooo           copy l + 2 bytes from o + 1 bytes back   (l = 1..6)
//!   111ooooo llllllll oooooooo  copy l + 9 bytes from o + 1 bytes back
//! ```

use super::{RdbError, Result};

const MAX_LITERALS: usize = 32;
const MAX_COPY: usize = 9 + 255;
const MAX_DISTANCE: usize = 1 << 13;
/// The most bytes that one byte of compressed data can stand for.
const MAX_RATIO: usize = MAX_COPY / 3 + 1;

/// The `len` bytes that `packed` stands for.
pub(super) fn unpack(packed: &[u8], len: usize) -> Result<Vec<u8>> {
    const CORRUPT: RdbError = RdbError::Corrupt("compressed data");
    if len / MAX_RATIO > packed.len() {
        return Err(CORRUPT);
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = packed;
    let mut next = |count: usize| {
        let (head, tail) = rest.split_at_checked(count)?;
        rest = tail;
        Some(head)
    };
    while let Some(&[control]) = next(1) {
        let (kind, low) = (usize::from(control >> 5), usize::from(control & 0x1f));
        if kind == 0 {
            out.extend_from_slice(next(low + 1).ok_or(CORRUPT)?);
        } else {
            let long = match kind {
                7 => usize::from(next(1).ok_or(CORRUPT)?[0]),
                _ => 0,
            };
            let distance = (low << 8 | usize::from(next(1).ok_or(CORRUPT)?[0])) + 1;
            copy(&mut out, distance, kind + long + 2).ok_or(CORRUPT)?;
        }
        if out.len() > len {
            return Err(CORRUPT);
        }
    }
    if out.len() == len {
        Ok(out)
    } else {
        Err(CORRUPT)
    }
}

/// Appends `count` bytes from `distance` back, which may run into what is being appended.
fn copy(out: &mut Vec<u8>, distance: usize, count: usize) -> Option<()> {
    let mut left = count;
    let start = out.len().checked_sub(distance)?;
    while left > 0 {
        let step = left.min(out.len() - start);
        out.extend_from_within(start..start + step);
        left -= step;
    }
    Some(())
}

/// `bytes` compressed, if that makes them shorter.
pub(super) fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    const MOST_BITS: u32 = 14;
    let limit = bytes.len().checked_sub(4)?;
    // Most strings are short: clearing a large table would take longer than all the rest.
    let table_bits = (bytes.len().ilog2() + 1).min(MOST_BITS);
    // Where three bytes were seen last, plus one.
    let mut seen = vec![0u32; 1 << table_bits];
    let mut out = Vec::with_capacity(limit);
    let (mut at, mut literals) = (0, 0);
    while at + 3 <= bytes.len() {
        let three = u32::from_be_bytes([0, bytes[at], bytes[at + 1], bytes[at + 2]]);
        let slot = (three.wrapping_mul(0x9e37_79b1) >> (32 - table_bits)) as usize;
        let found = std::mem::replace(&mut seen[slot], at as u32 + 1);
        let found = found.checked_sub(1).map(|found| found as usize);
        let found = found.filter(|found| {
            at - found <= MAX_DISTANCE && bytes[*found..found + 3] == bytes[at..at + 3]
        });
        let Some(found) = found else {
            at += 1;
            continue;
        };
        let longest = (bytes.len() - at).min(MAX_COPY);
        let same = bytes[found..].iter().zip(&bytes[at..at + longest]);
        let count = same.take_while(|(a, b)| a == b).count();
        push_literals(&mut out, &bytes[literals..at]);
        push_copy(&mut out, at - found, count);
        if out.len() > limit {
            return None;
        }
        at += count;
        literals = at;
    }
    push_literals(&mut out, &bytes[literals..]);
    (out.len() <= limit).then_some(out)
}

fn push_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(MAX_LITERALS) {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

fn push_copy(out: &mut Vec<u8>, distance: usize, count: usize) {
    let (distance, count) = (distance - 1, count - 2);
    let high = (distance >> 8) as u8;
    if count < 7 {
        out.push((count as u8) << 5 | high);
    } else {
        out.extend([7 << 5 | high, (count - 7) as u8]);
    }
    out.push(distance as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let words = prop::collection::vec(
            prop::sample::select(vec!["aaaa", "ab", "hello ", "x"]),
            0..300,
        );
        prop_oneof![
            words.prop_map(|words| words.concat().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..3000),
            (any::<u8>(), 0usize..20_000).prop_map(|(byte, len)| vec![byte; len]),
        ]
    }

    proptest! {
        #[test]
        fn what_is_packed_unpacks(bytes in text()) {
            if let Some(packed) = pack(&bytes) {
                prop_assert!(packed.len() < bytes.len());
                prop_assert_eq!(unpack(&packed, bytes.len()), Ok(bytes));
            }
        }

        #[test]
        fn anything_unpacks_or_fails(packed in prop::collection::vec(any::<u8>(), 0..200), len in 0usize..100_000) {
            if let Ok(bytes) = unpack(&packed, len) {
                prop_assert_eq!(bytes.len(), len);
            }
        }
    }

    #[test]
    fn repetitions_become_short() {
        assert!(pack(&[b'a'; 1000]).is_some_and(|packed| packed.len() < 20));
        assert_eq!(pack(b"abcdefgh"), None);
        assert_eq!(pack(b""), None);
    }
}
