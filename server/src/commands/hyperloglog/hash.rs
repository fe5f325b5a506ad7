//! Where an element goes: MurmurHash2 of 64 bits (variant A), by Austin Appleby, over little-endian words.

use super::dense::{INDEX_BITS, MAX_RANK};

const SEED: u64 = 0xadc8_3b19;
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;

/// A register, and the rank an element gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) index: usize,
    /// One more than the zeroes before the first one of the hash, at least 1.
    pub(super) rank: u8,
}

impl Hit {
    /// The low bits of the hash choose the register, the others give the rank.
    pub(super) fn of(element: &[u8]) -> Self {
        let hash = murmur64a(element, SEED);
        let rest = hash >> INDEX_BITS;
        Hit {
            index: (hash & ((1 << INDEX_BITS) - 1)) as usize,
            rank: (rest.trailing_zeros() as u8 + 1).min(MAX_RANK),
        }
    }
}

/// The hash of these bytes.
pub(in crate::commands) fn murmur64a(bytes: &[u8], seed: u64) -> u64 {
    let mix = |word: u64| {
        let word = word.wrapping_mul(MULTIPLIER);
        (word ^ (word >> 47)).wrapping_mul(MULTIPLIER)
    };
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ mix(u64::from_le_bytes(*word))).wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        let mut last = [0u8; 8];
        last[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 47)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 47)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_go_where_redis_puts_them() {
        // PFADD of "a" to an empty one, then PFDEBUG DECODE: 12711 empty registers, one of rank 2.
        assert_eq!(
            Hit::of(b"a"),
            Hit {
                index: 12711,
                rank: 2
            }
        );
    }
}
