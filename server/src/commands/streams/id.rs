//! Ids of entries: what clients write, and the bytes by which entries are sorted.
//!
//! ```text
//!   milliseconds   6 bytes, big-endian, below 0xFFFF_0000_0000; else 0xFF 0xFF and 8 bytes
//!   sequence       one byte, 0 to 0xF7; else 0xF7 + n and n bytes, big-endian
//! ```
//!
//! The bytes sort as ids do, and no id's bytes begin another's: a usual id takes seven of them, not sixteen.

use std::ops::Deref;

use basalt_replication::rdb::StreamId;

use super::texts;
use crate::errors::Error;

/// An entry's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Unix milliseconds, usually.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

/// From here on the milliseconds take ten bytes.
const WIDE_MS: u64 = 0xFFFF_0000_0000;
/// The last number that is its own byte.
const OWN_BYTE: u8 = 0xF7;
const MOST_BYTES: usize = 10 + 9;

/// An id's bytes.
#[derive(Clone, Copy, Debug)]
pub struct IdKey {
    bytes: [u8; MOST_BYTES],
    len: u8,
}

impl Deref for IdKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// A number as bytes that sort as numbers do, and of which none begin another's.
#[must_use]
pub fn ordered(number: u64) -> ([u8; 9], usize) {
    let mut bytes = [0; 9];
    if number <= u64::from(OWN_BYTE) {
        bytes[0] = number as u8;
        return (bytes, 1);
    }
    let len = 8 - number.leading_zeros() as usize / 8;
    bytes[0] = OWN_BYTE + len as u8;
    bytes[1..=len].copy_from_slice(&number.to_be_bytes()[8 - len..]);
    (bytes, len + 1)
}

/// Takes such a number off the front.
#[must_use]
pub fn take_ordered(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let len = usize::from(first.saturating_sub(OWN_BYTE));
    if len == 0 {
        return Some((u64::from(first), rest));
    }
    let number = rest.get(..len)?;
    let number = number
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some((number, &rest[len..]))
}

impl Id {
    /// The smallest; no entry has it.
    pub const MIN: Id = Id { ms: 0, seq: 0 };
    /// The largest.
    pub const MAX: Id = Id {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// The next larger one.
    #[must_use]
    pub fn next(self) -> Option<Id> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Id { ms: self.ms, seq }),
            None => Some(Id {
                ms: self.ms.checked_add(1)?,
                seq: 0,
            }),
        }
    }

    /// The next smaller one.
    #[must_use]
    pub fn previous(self) -> Option<Id> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Id { ms: self.ms, seq }),
            None => Some(Id {
                ms: self.ms.checked_sub(1)?,
                seq: u64::MAX,
            }),
        }
    }

    /// Reads `ms` or `ms-seq`; a sequence that is not there is `missing_seq`.
    pub fn parse(text: &[u8], missing_seq: u64) -> Result<Id, Error> {
        let mut parts = text.splitn(2, |byte| *byte == b'-');
        let ms = parts.next().and_then(number).ok_or(texts::INVALID_ID)?;
        let seq = match parts.next() {
            Some(seq) => number(seq).ok_or(texts::INVALID_ID)?,
            None => missing_seq,
        };
        Ok(Id { ms, seq })
    }

    /// As [`Id::parse`]; `-` is the smallest and `+` the largest id.
    pub fn parse_end(text: &[u8], missing_seq: u64) -> Result<Id, Error> {
        match text {
            b"-" => Ok(Id::MIN),
            b"+" => Ok(Id::MAX),
            _ => Id::parse(text, missing_seq),
        }
    }

    /// The bytes by which entries are sorted.
    #[must_use]
    pub fn key(self) -> IdKey {
        let mut bytes = [0; MOST_BYTES];
        let at = if self.ms < WIDE_MS {
            bytes[..6].copy_from_slice(&self.ms.to_be_bytes()[2..]);
            6
        } else {
            bytes[..2].fill(0xFF);
            bytes[2..10].copy_from_slice(&self.ms.to_be_bytes());
            10
        };
        let (seq, len) = ordered(self.seq);
        bytes[at..at + len].copy_from_slice(&seq[..len]);
        IdKey {
            bytes,
            len: (at + len) as u8,
        }
    }

    /// Takes an id in this form off the front.
    #[must_use]
    pub fn take(bytes: &[u8]) -> Option<(Id, &[u8])> {
        let (from, to) = match bytes.get(..2)? {
            [0xFF, 0xFF] => (2, 10),
            _ => (0, 6),
        };
        let ms = bytes.get(from..to)?;
        let ms = ms.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let (seq, rest) = take_ordered(&bytes[to..])?;
        Some((Id { ms, seq }, rest))
    }

    /// The id whose bytes these are.
    ///
    /// # Panics
    /// If they are none: keys of a stream are written here alone.
    #[must_use]
    pub fn of_key(bytes: &[u8]) -> Id {
        Id::take(bytes).expect("an entry's key is an id").0
    }

    /// As clients read it.
    #[must_use]
    pub fn text(self) -> String {
        format!("{}-{}", self.ms, self.seq)
    }
}

/// An unsigned number as C reads one: behind blanks, maybe with a plus.
fn number(text: &[u8]) -> Option<u64> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let blanks = text.iter().take_while(|byte| is_blank(byte)).count();
    std::str::from_utf8(&text[blanks..]).ok()?.parse().ok()
}

impl From<StreamId> for Id {
    fn from(id: StreamId) -> Self {
        Id {
            ms: id.ms,
            seq: id.seq,
        }
    }
}

impl From<Id> for StreamId {
    fn from(id: Id) -> Self {
        StreamId {
            ms: id.ms,
            seq: id.seq,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_number() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0u32..64).prop_map(|(number, shift)| number >> shift)
    }

    fn any_id() -> impl Strategy<Value = Id> {
        (any_number(), any_number()).prop_map(|(ms, seq)| Id { ms, seq })
    }

    proptest! {
        #[test]
        fn bytes_sort_as_ids_do(a in any_id(), b in any_id()) {
            prop_assert_eq!(a.cmp(&b), a.key().cmp(&*b.key()));
            let key = a.key();
            prop_assert_eq!(Id::take(&key), Some((a, &[][..])));
            let same_ms = Id { ms: a.ms, seq: b.seq };
            prop_assert_eq!(a.cmp(&same_ms), a.key().cmp(&*same_ms.key()));
            prop_assert_eq!(Id::parse(a.text().as_bytes(), 7), Ok(a));
            prop_assert_eq!(a.next().and_then(Id::previous), a.next().map(|_| a));
        }

        #[test]
        fn damaged_bytes_are_no_id(a in any_id(), cut in 0usize..19) {
            let key = a.key();
            if cut < key.len() {
                prop_assert_eq!(Id::take(&key[..cut]), None);
            }
        }
    }

    #[test]
    fn usual_ids_are_short() {
        let id = |ms, seq| Id { ms, seq }.key().len();
        assert_eq!(id(1_700_000_000_000, 0), 7);
        assert_eq!(id(1, 0xF7), 7);
        assert_eq!(id(1, 0xF8), 8);
        assert_eq!(id(u64::MAX, u64::MAX), 19);
    }

    #[test]
    fn what_is_no_id() {
        for text in [
            "",
            "-",
            "+",
            "x",
            "1-",
            "-1",
            "1-x",
            "1-1-1",
            "18446744073709551616",
            "(1",
            "1-*",
            "1 ",
            "++1",
        ] {
            assert!(Id::parse(text.as_bytes(), 0).is_err(), "{text}");
        }
        assert_eq!(Id::parse(b"007", 3), Ok(Id { ms: 7, seq: 3 }));
        assert_eq!(Id::parse(b" +7- 3", 0), Ok(Id { ms: 7, seq: 3 }));
        assert_eq!(Id::parse_end(b"+", 0), Ok(Id::MAX));
        assert_eq!(Id::parse_end(b"-", 9), Ok(Id::MIN));
    }
}
