//! Cold records: what the cold tier stores under a key.
//!
//! ```text
//!   0         1      2       3            4                6               14
//!   version   kind   flags   LFU counter  LFU clock u16 LE guard u64 LE    [expiry ms u64 LE]  payload…
//! ```
//!
//! The expiry is there if flag bit 0 is set; bit 1 says that fields of the hash expire; all other flag bits are zero. Everything a SCAN with a TYPE
//! filter or an expiry check needs is in the first 22 bytes. `kind` belongs to the caller and is opaque here.
//! There is no checksum of our own: RocksDB checks each block it reads.
//!
//! Invariant: decoding never panics, whatever the bytes.

use std::ops::Deref;

use super::Offset;
use crate::ids::UnixMs;

const VERSION: u8 = 1;
const FLAG_EXPIRY: u8 = 1;
const FLAG_FIELDS: u8 = 2;
const FIXED_BYTES: usize = 14;

/// Largest size of an encoded header.
pub const HEADER_MAX_BYTES: usize = FIXED_BYTES + 8;

/// Everything a record says about its key, without the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// Type and encoding of the payload, as the caller numbers them.
    pub kind: u8,
    /// LFU counter at the time of spilling.
    pub lfu_counter: u8,
    /// LFU clock (minutes, 16 bits) at the time of spilling.
    pub lfu_clock: u16,
    /// The offset up to which the record is complete: replay skips this key's effects up to there.
    pub guard: Offset,
    /// When the key expires, if it does.
    pub expiry: Option<UnixMs>,
    /// It is a hash of which fields expire.
    pub fields_expire: bool,
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Fewer bytes than the header needs.
    #[error("{bytes} bytes are too few for a record")]
    Truncated {
        /// How many bytes there were.
        bytes: usize,
    },
    /// Written by a version this one does not know.
    #[error("unknown record version {0}")]
    UnknownVersion(u8),
    /// Flag bits this version does not know.
    #[error("unknown record flags {0:#04x}")]
    UnknownFlags(u8),
}

impl RecordHeader {
    /// Whether the key is expired at `now`.
    #[must_use]
    pub fn is_expired(&self, now: UnixMs) -> bool {
        self.expiry.is_some_and(|at| at <= now)
    }

    /// Bytes of the encoded header.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        if self.expiry.is_some() {
            HEADER_MAX_BYTES
        } else {
            FIXED_BYTES
        }
    }

    /// Appends the encoded header to `out`; the payload follows it.
    pub fn encode_onto(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; HEADER_MAX_BYTES];
        bytes[0] = VERSION;
        bytes[1] = self.kind;
        bytes[3] = self.lfu_counter;
        bytes[4..6].copy_from_slice(&self.lfu_clock.to_le_bytes());
        bytes[6..FIXED_BYTES].copy_from_slice(&self.guard.0.to_le_bytes());
        if self.fields_expire {
            bytes[2] = FLAG_FIELDS;
        }
        if let Some(at) = self.expiry {
            bytes[2] |= FLAG_EXPIRY;
            bytes[FIXED_BYTES..].copy_from_slice(&at.0.to_le_bytes());
        }
        out.extend_from_slice(&bytes[..self.encoded_bytes()]);
    }

    /// Splits a record into its header and its payload.
    pub fn decode(record: &[u8]) -> Result<(Self, &[u8]), RecordError> {
        let truncated = RecordError::Truncated {
            bytes: record.len(),
        };
        let version = *record.first().ok_or(truncated)?;
        if version != VERSION {
            return Err(RecordError::UnknownVersion(version));
        }
        let (fixed, rest) = record.split_first_chunk::<FIXED_BYTES>().ok_or(truncated)?;
        let [_, kind, flags, lfu_counter, c0, c1, guard @ ..] = *fixed;
        if flags & !(FLAG_EXPIRY | FLAG_FIELDS) != 0 {
            return Err(RecordError::UnknownFlags(flags));
        }
        let (expiry, payload) = if flags & FLAG_EXPIRY == 0 {
            (None, rest)
        } else {
            let (at, payload) = rest.split_first_chunk::<8>().ok_or(truncated)?;
            (Some(UnixMs(u64::from_le_bytes(*at))), payload)
        };
        let header = RecordHeader {
            kind,
            lfu_counter,
            lfu_clock: u16::from_le_bytes([c0, c1]),
            guard: Offset(u64::from_le_bytes(guard)),
            expiry,
            fields_expire: flags & FLAG_FIELDS != 0,
        };
        Ok((header, payload))
    }
}

/// A record read from the cold tier. Owns its bytes, so that it outlives RocksDB's block and may cross
/// threads; they were copied once, out of the block or memtable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColdRecord {
    header: RecordHeader,
    bytes: Box<[u8]>,
}

impl ColdRecord {
    pub(super) fn parse(bytes: Box<[u8]>) -> Result<Self, RecordError> {
        let (header, _) = RecordHeader::decode(&bytes)?;
        Ok(ColdRecord { header, bytes })
    }

    /// What the record says about its key.
    #[must_use]
    pub fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// The value, as the caller encoded it.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.header.encoded_bytes()..]
    }
}

impl Deref for ColdRecord {
    type Target = RecordHeader;

    fn deref(&self) -> &RecordHeader {
        &self.header
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_header() -> impl Strategy<Value = RecordHeader> {
        (
            any::<u8>(),
            any::<u8>(),
            any::<u16>(),
            any::<u64>(),
            any::<Option<u64>>(),
            any::<bool>(),
        )
            .prop_map(
                |(kind, lfu_counter, lfu_clock, guard, expiry, fields_expire)| RecordHeader {
                    kind,
                    lfu_counter,
                    lfu_clock,
                    guard: Offset(guard),
                    expiry: expiry.map(UnixMs),
                    fields_expire,
                },
            )
    }

    fn encoded(header: &RecordHeader, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        header.encode_onto(&mut out);
        out.extend_from_slice(payload);
        out
    }

    proptest! {
        #[test]
        fn records_round_trip(header in any_header(), payload in prop::collection::vec(any::<u8>(), 0..80)) {
            let bytes = encoded(&header, &payload);
            prop_assert_eq!(bytes.len(), header.encoded_bytes() + payload.len());
            let record = ColdRecord::parse(bytes.into()).unwrap();
            prop_assert_eq!(record.header(), &header);
            prop_assert_eq!(record.payload(), payload.as_slice());
        }

        #[test]
        fn decoding_arbitrary_bytes_never_panics(
            known_version in any::<bool>(),
            mut bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            if known_version && let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            if let Ok((header, payload)) = RecordHeader::decode(&bytes) {
                prop_assert_eq!(encoded(&header, payload), bytes);
            }
        }

        #[test]
        fn a_cut_header_is_an_error(header in any_header(), cut in 0..HEADER_MAX_BYTES) {
            let bytes = encoded(&header, b"");
            prop_assume!(cut < bytes.len());
            prop_assert_eq!(
                RecordHeader::decode(&bytes[..cut]),
                Err(RecordError::Truncated { bytes: cut })
            );
        }
    }

    #[test]
    fn unknown_versions_and_flags_are_named() {
        let header = RecordHeader {
            kind: 7,
            lfu_counter: 1,
            lfu_clock: 2,
            guard: Offset(3),
            expiry: None,
            fields_expire: false,
        };
        let mut bytes = encoded(&header, b"v");
        bytes[2] = 0x82;
        assert_eq!(
            RecordHeader::decode(&bytes),
            Err(RecordError::UnknownFlags(0x82))
        );
        bytes[0] = 9;
        assert_eq!(
            RecordHeader::decode(&bytes),
            Err(RecordError::UnknownVersion(9))
        );
    }

    #[test]
    fn expiry_is_inclusive() {
        let header = RecordHeader {
            kind: 0,
            lfu_counter: 0,
            lfu_clock: 0,
            guard: Offset(0),
            expiry: Some(UnixMs(10)),
            fields_expire: false,
        };
        assert!(!header.is_expired(UnixMs(9)));
        assert!(header.is_expired(UnixMs(10)));
    }
}
