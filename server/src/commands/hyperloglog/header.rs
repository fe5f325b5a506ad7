//! The sixteen bytes before the registers, and the check that a string is a HyperLogLog at all.

use super::dense;
use super::sparse;
use crate::errors::{self, Error};

/// Length of the header.
pub(super) const HEADER_BYTES: usize = 16;
/// Length of a value with dense registers.
pub(super) const DENSE_BYTES: usize = HEADER_BYTES + dense::BYTES;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const CACHE: std::ops::Range<usize> = 8..16;
/// In the last byte of the cached estimate: it is out of date.
const STALE: u8 = 0x80;

/// How the registers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Dense,
    Sparse,
}

/// The encoding of `bytes`, which an error says are no HyperLogLog.
pub(super) fn encoding(bytes: &[u8]) -> Result<Encoding, Error> {
    let is_hll = bytes.len() >= HEADER_BYTES && bytes.starts_with(MAGIC);
    match bytes.get(ENCODING_AT) {
        Some(0) if is_hll && bytes.len() == DENSE_BYTES => Ok(Encoding::Dense),
        Some(1) if is_hll => Ok(Encoding::Sparse),
        _ => Err(errors::NOT_A_HYPERLOGLOG),
    }
}

/// One without elements.
pub(super) fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[ENCODING_AT] = 1;
    sparse::push_empty(&mut bytes);
    bytes
}

/// The cached estimate, if it holds.
pub(super) fn cached(bytes: &[u8]) -> Option<u64> {
    let cache: [u8; 8] = bytes[CACHE].try_into().expect("a checked header");
    (cache[7] & STALE == 0).then(|| u64::from_le_bytes(cache))
}

/// Where the cached estimate lies.
pub(super) const CACHE_AT: usize = CACHE.start;

/// Marks the cached estimate as out of date.
pub(super) fn invalidate(bytes: &mut [u8]) {
    bytes[CACHE.end - 1] |= STALE;
}

/// The same value with dense registers; an error if its runs do not add up.
pub(super) fn to_dense(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut dense = vec![0; DENSE_BYTES];
    dense[..HEADER_BYTES].copy_from_slice(&bytes[..HEADER_BYTES]);
    dense[ENCODING_AT] = 0;
    let registers = &mut dense[HEADER_BYTES..];
    sparse::for_each_run(&bytes[HEADER_BYTES..], |first, len, rank| {
        for index in first..first + len {
            dense::set(registers, index, rank);
        }
    })?;
    Ok(dense)
}
