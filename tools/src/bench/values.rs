//! The bytes of a value, made from its key alone.
//!
//! Length and content follow from the key, the length bounds and the kind; no seed takes part. So
//! whatever a run reads can be checked, also in a later process, as long as `--value-bytes` and
//! `--random-values` are the same. Any eight bytes are computed without those before, so a reply
//! is checked in the pieces in which it arrives.

use std::ops::RangeInclusive;

/// How values look.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    pub(crate) bytes: RangeInclusive<u64>,
    /// Bytes no compressor can shorten, rather than one short word over and over.
    pub(crate) random: bool,
}

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of SplitMix64: a bijection whose output passes for random.
#[inline]
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

impl Values {
    /// The length of the value of `key`.
    #[inline]
    pub(crate) fn len_of(&self, key: u64) -> u64 {
        let (min, max) = (*self.bytes.start(), *self.bytes.end());
        if min == max {
            min
        } else {
            min + mix(!key) % (max - min + 1)
        }
    }

    /// Eight bytes of the value: those from `8 * index`.
    #[inline]
    fn word(&self, base: u64, index: u64) -> [u8; 8] {
        if self.random {
            mix(base.wrapping_add(index.wrapping_mul(GAMMA))).to_le_bytes()
        } else {
            // Letters from a to p, so that a human can read them.
            ((base & 0x0f0f_0f0f_0f0f_0f0f) + 0x6161_6161_6161_6161).to_le_bytes()
        }
    }

    /// Appends the value of `key`.
    #[inline]
    pub(crate) fn append(&self, key: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.len_of(key) as usize, 0);
        let base = mix(key.wrapping_add(GAMMA));
        let mut words = out[start..].chunks_exact_mut(8);
        let mut index = 0;
        for word in &mut words {
            word.copy_from_slice(&self.word(base, index));
            index += 1;
        }
        let rest = words.into_remainder();
        let last = self.word(base, index);
        rest.copy_from_slice(&last[..rest.len()]);
    }

    /// Whether `piece` is what the value of `key` holds from position `at` on. The caller has
    /// compared the lengths.
    pub(crate) fn matches(&self, key: u64, at: u64, piece: &[u8]) -> bool {
        let base = mix(key.wrapping_add(GAMMA));
        let skip = (at % 8) as usize;
        let first = piece.len().min(8 - skip);
        let (head, tail) = piece.split_at(first);
        if head != &self.word(base, at / 8)[skip..skip + first] {
            return false;
        }
        let next = at / 8 + 1;
        tail.chunks(8)
            .enumerate()
            .all(|(i, chunk)| chunk == &self.word(base, next + i as u64)[..chunk.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(values: &Values, key: u64) -> Vec<u8> {
        let mut out = Vec::new();
        values.append(key, &mut out);
        out
    }

    #[test]
    fn every_piece_of_a_value_matches_and_a_changed_byte_does_not() {
        for random in [false, true] {
            let values = Values {
                bytes: 0..=100,
                random,
            };
            for key in 0..200 {
                let whole = value(&values, key);
                assert_eq!(whole.len() as u64, values.len_of(key));
                for from in 0..whole.len() {
                    for to in from + 1..=whole.len() {
                        assert!(values.matches(key, from as u64, &whole[from..to]));
                    }
                    let mut wrong = whole.clone();
                    wrong[from] ^= 1;
                    assert!(!values.matches(key, 0, &wrong));
                    assert!(!values.matches(key, from as u64, &wrong[from..]));
                }
            }
        }
    }

    #[test]
    fn keys_have_different_values_and_lengths_within_bounds() {
        let values = Values {
            bytes: 16..=48,
            random: false,
        };
        let all: Vec<Vec<u8>> = (0..1000).map(|key| value(&values, key)).collect();
        assert!(all.iter().all(|value| (16..=48).contains(&value.len())));
        assert!((16..=48).all(|len| all.iter().any(|value| value.len() == len)));
        let distinct: std::collections::HashSet<&[u8]> = all.iter().map(|v| &v[..8]).collect();
        assert_eq!(distinct.len(), 1000);
    }

    #[test]
    fn random_values_use_every_byte_evenly() {
        let values = Values {
            bytes: 1 << 20..=1 << 20,
            random: true,
        };
        let mut seen = [0u32; 256];
        for byte in value(&values, 42) {
            seen[usize::from(byte)] += 1;
        }
        assert!(
            seen.iter().all(|count| (3_700..4_500).contains(count)),
            "{seen:?}"
        );
    }
}
