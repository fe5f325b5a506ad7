//! The coordinates of the keyspace: slot, key hash, namespace, time.
//!
//! A key is found by `(namespace, slot, hash, bytes)`. The slot is the cluster slot of Redis (CRC16 of
//! the key or of its hash tag); the hash is seeded per data directory and orders keys *inside* a slot, in
//! both tiers alike, so that one SCAN cursor walks both (docs/decisions/0001-scan-order.md).

use std::time::{SystemTime, UNIX_EPOCH};

use crc::{CRC_16_XMODEM, Crc, Table};

/// Number of slots, as in Redis Cluster.
pub const SLOTS: usize = 16384;

/// A cluster slot, `0..16384`: the unit of locking, scanning and migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

impl Slot {
    /// The slot of `key`: CRC16 (XMODEM) of the key, or of its hash tag, modulo 16384
    /// (Redis Cluster specification, "Key distribution model" and "Hash tags").
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Slot(CRC16.checksum(hash_tag(key)) & 0x3FFF)
    }

    /// The slot as an index into a table of [`SLOTS`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The part of `key` that decides its slot: what stands between the first `{` and the next `}`, if that is
/// not empty, else the whole key.
fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&b| b == b'{') else {
        return key;
    };
    let rest = &key[open + 1..];
    match rest.iter().position(|&b| b == b'}') {
        Some(close) if close > 0 => &rest[..close],
        _ => key,
    }
}

/// CRC16 as Redis Cluster has it, over sixteen bytes at a time.
static CRC16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);

/// 64-bit hash of a key's bytes under the data directory's seed.
///
/// Its top 32 bits are the *order* of the key inside its slot, in the hot table and in the cold tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub u64);

impl KeyHash {
    /// Hashes `key` with XXH3 (64 bit) under `seed`; stable across versions, since the cold tier stores it.
    #[must_use]
    pub fn of(seed: u64, key: &[u8]) -> Self {
        KeyHash(xxhash_rust::xxh3::xxh3_64_with_seed(key, seed))
    }

    /// Position of the key in the order of its slot.
    #[must_use]
    pub fn order(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A namespace: what a database's number maps to. FLUSHDB and SWAPDB change the map, not the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceId(pub u32);

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// The wall clock: the only place in this crate that reads it.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMs(since.as_millis() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_agree_with_the_cluster_specification() {
        assert_eq!(CRC16.checksum(b"123456789"), 0x31C3);
        assert_eq!(Slot::of(b"foo"), Slot(12182));
        assert_eq!(
            Slot::of(b"{user1000}.following"),
            Slot::of(b"{user1000}.followers")
        );
        assert_eq!(
            Slot::of(b"foo{}{bar}"),
            Slot(CRC16.checksum(b"foo{}{bar}") & 0x3FFF)
        );
        assert_eq!(Slot::of(b"foo{{bar}}zap"), Slot::of(b"{bar"));
    }
}
