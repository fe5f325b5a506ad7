//! How keys and values are packed into cells.
//!
//! ```text
//!   key     length (one byte, or 0xFF and a u32)  bytes
//!   value   0..=0xBF  that many bytes follow
//!           0xC0      a u32 with the length, and the bytes
//!           0xC1..C8  a little-endian integer of 1 to 8 bytes, sign-extended
//!           0xC9      a deadline, Unix ms in 6 bytes, little-endian, and a value of one of the first two forms
//!           0xD0..FF  the integer 0 to 47
//! ```
//!
//! A value that is the decimal text of a 64-bit integer, exactly as an integer is printed, is kept as that
//! integer. Keys are kept as they are, since they are compared byte by byte.

use std::cmp::Ordering;
use std::ops::Deref;

use crate::UnixMs;

const LONG: u8 = 0xFF;
const RAW_MAX: usize = 0xBF;
const RAW_LONG: u8 = 0xC0;
const INT: u8 = 0xC0;
const UNTIL: u8 = 0xC9;
const DEADLINE_BYTES: usize = 6;
const SMALL: u8 = 0xD0;
const SMALL_MAX: i64 = (0xFF - SMALL) as i64;
/// Longest text of a 64-bit integer.
const TEXT_MAX: usize = 20;

/// A key or value as it was put in: borrowed from its page, or printed if it was packed as an integer.
#[derive(Clone, Copy)]
pub enum Bytes<'a> {
    /// In its page.
    Raw(&'a [u8]),
    /// The text of an integer.
    Text([u8; TEXT_MAX], u8),
    /// In its page, with the moment from which it is gone.
    Until(&'a [u8], UnixMs),
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Raw(bytes) | Bytes::Until(bytes, _) => bytes,
            Bytes::Text(text, len) => &text[..usize::from(*len)],
        }
    }
}

impl AsRef<[u8]> for Bytes<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self))
    }
}

impl Bytes<'_> {
    /// From when on it is gone, if it does not stay.
    #[inline]
    #[must_use]
    pub fn deadline(&self) -> Option<UnixMs> {
        match self {
            Bytes::Until(_, at) => Some(*at),
            _ => None,
        }
    }

    /// True if it is gone at `now`.
    #[inline]
    #[must_use]
    pub fn is_expired(&self, now: UnixMs) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    /// The text of a number.
    #[must_use]
    pub fn of_integer(number: i64) -> Bytes<'static> {
        let mut buffer = itoa::Buffer::new();
        Self::of_text(buffer.format(number).as_bytes())
    }

    /// A text of its own.
    ///
    /// # Panics
    /// If it is longer than that of any integer.
    #[must_use]
    pub fn of_text(bytes: &[u8]) -> Bytes<'static> {
        let mut text = [0; TEXT_MAX];
        text[..bytes.len()].copy_from_slice(bytes);
        Bytes::Text(text, bytes.len() as u8)
    }
}

/// The integer that prints as exactly this text.
fn canonical_integer(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > TEXT_MAX {
        return None;
    }
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || (digits[0] == b'0' && (digits.len() > 1 || negative)) {
        return None;
    }
    let mut number: i64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?;
        number = if negative {
            number.checked_sub(i64::from(digit))?
        } else {
            number.checked_add(i64::from(digit))?
        };
    }
    Some(number)
}

/// Appends a key.
pub(super) fn put_key(key: &[u8], out: &mut Vec<u8>) {
    if key.len() >= usize::from(LONG) {
        out.push(LONG);
        out.extend_from_slice(&(key.len() as u32).to_le_bytes());
    } else {
        out.push(key.len() as u8);
    }
    out.extend_from_slice(key);
}

/// Appends a value.
pub(super) fn put_value(value: &[u8], out: &mut Vec<u8>) {
    match canonical_integer(value) {
        Some(number @ 0..=SMALL_MAX) => out.push(SMALL + number as u8),
        Some(number) => {
            let bytes = number.to_le_bytes();
            let spare = (number ^ (number >> 63)).leading_zeros() as usize - 1;
            let len = 8 - spare / 8;
            if len < value.len() {
                out.push(INT + len as u8);
                out.extend_from_slice(&bytes[..len]);
            } else {
                out.push(value.len() as u8);
                out.extend_from_slice(value);
            }
        }
        None => put_raw(value, out),
    }
}

/// Appends a value in the form that values have in cells, for types that keep several values in one.
pub fn pack(value: &[u8], out: &mut Vec<u8>) {
    put_value(value, out);
}

/// The value that `bytes` begin with, packed by [`pack`], and what is behind it; `None` if they are damaged.
#[must_use]
pub fn unpack(bytes: &[u8]) -> Option<(Bytes<'_>, &[u8])> {
    let end = value_end(bytes, 0)?;
    Some((value_at(bytes, 0), &bytes[end..]))
}

fn put_raw(value: &[u8], out: &mut Vec<u8>) {
    if value.len() <= RAW_MAX {
        out.push(value.len() as u8);
    } else {
        out.push(RAW_LONG);
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    }
    out.extend_from_slice(value);
}

/// Appends a value that is gone from `deadline` on, which lies before 2^48.
pub(super) fn put_value_until(value: &[u8], deadline: UnixMs, out: &mut Vec<u8>) {
    out.push(UNTIL);
    out.extend_from_slice(&deadline.0.to_le_bytes()[..DEADLINE_BYTES]);
    put_raw(value, out);
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(field.try_into().expect("four bytes")) as usize)
}

/// The key at `at` and where it ends; `None` if the bytes end before.
#[inline]
pub(super) fn key_at(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (start, len) = match *bytes.get(at)? {
        LONG => (at + 5, u32_at(bytes, at + 1)?),
        len => (at + 1, usize::from(len)),
    };
    let end = start.checked_add(len)?;
    Some((bytes.get(start..end)?, end))
}

/// Where the value at `at` ends; `None` if the bytes end before, or it is no value.
#[inline]
pub(super) fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    let tag = *bytes.get(at)?;
    let end = match tag {
        RAW_LONG => (at + 5).checked_add(u32_at(bytes, at + 1)?)?,
        0xC1..=0xC8 => at + 1 + usize::from(tag - INT),
        UNTIL => {
            let at = at + 1 + DEADLINE_BYTES;
            return match *bytes.get(at)? {
                0..=RAW_LONG => value_end(bytes, at),
                _ => None,
            };
        }
        0xCA..=0xCF => return None,
        SMALL.. => at + 1,
        len => at + 1 + usize::from(len),
    };
    (end <= bytes.len()).then_some(end)
}

/// How long a value with this tag is, tag included, if the tag alone tells; else 0.
#[inline]
pub(super) fn value_step(tag: u8) -> usize {
    const STEPS: [u8; 256] = {
        let mut steps = [0; 256];
        let mut tag = 0;
        while tag < steps.len() {
            steps[tag] = match tag as u8 {
                RAW_LONG | UNTIL..SMALL => 0,
                0xC1..=0xC8 => tag as u8 - INT + 1,
                SMALL.. => 1,
                len => len + 1,
            };
            tag += 1;
        }
        steps
    };
    usize::from(STEPS[usize::from(tag)])
}

/// Orders keys byte by byte, as `Ord` does: keys are short for the most part, and eight bytes are compared at once
/// quicker than a function is called.
#[inline]
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    const WORD: usize = 8;
    const CALL_MIN: usize = 64;
    let shorter = a.len().min(b.len());
    if shorter >= CALL_MIN {
        return a.cmp(b);
    }
    if shorter < WORD {
        let differ = a.iter().zip(b).find(|(a, b)| a != b);
        return differ.map_or_else(|| a.len().cmp(&b.len()), |(a, b)| a.cmp(b));
    }
    let word = |bytes: &[u8], at: usize| {
        let word = bytes[at..at + WORD].try_into().expect("eight bytes");
        u64::from_be_bytes(word)
    };
    let mut at = 0;
    loop {
        let (x, y) = (word(a, at), word(b, at));
        if x != y {
            return x.cmp(&y);
        }
        if at + WORD == shorter {
            return a.len().cmp(&b.len());
        }
        // The last word overlaps the one before.
        at = (at + WORD).min(shorter - WORD);
    }
}

/// The value at `at`, which is known to be whole.
#[inline]
pub(super) fn value_at(bytes: &[u8], at: usize) -> Bytes<'_> {
    let tag = bytes[at];
    match tag {
        RAW_LONG => {
            let len = u32_at(bytes, at + 1).expect("a whole value");
            Bytes::Raw(&bytes[at + 5..at + 5 + len])
        }
        UNTIL => {
            let mut deadline = [0u8; 8];
            deadline[..DEADLINE_BYTES].copy_from_slice(&bytes[at + 1..at + 1 + DEADLINE_BYTES]);
            let raw = match value_at(bytes, at + 1 + DEADLINE_BYTES) {
                Bytes::Raw(raw) => raw,
                _ => unreachable!("a page is checked when it is read"),
            };
            Bytes::Until(raw, UnixMs(u64::from_le_bytes(deadline)))
        }
        0xC1..=0xCF => {
            let len = usize::from(tag - INT);
            let mut number = [0u8; 8];
            number[..len].copy_from_slice(&bytes[at + 1..at + 1 + len]);
            let shift = 64 - 8 * len as u32;
            Bytes::of_integer((i64::from_le_bytes(number) << shift) >> shift)
        }
        SMALL.. => Bytes::of_integer(i64::from(tag - SMALL)),
        len => Bytes::Raw(&bytes[at + 1..at + 1 + usize::from(len)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(value: &[u8]) -> usize {
        let mut out = vec![9, 9];
        put_value(value, &mut out);
        assert_eq!(value_end(&out, 2), Some(out.len()));
        assert_eq!(&*value_at(&out, 2), value);
        for cut in 2..out.len() {
            assert_eq!(value_end(&out[..cut], 2), None);
        }
        out.len() - 2
    }

    #[test]
    fn a_step_is_what_a_tag_tells() {
        for tag in 0..=255u8 {
            let mut value = vec![tag];
            value.resize(300, 0);
            let step = value_step(tag);
            match tag {
                RAW_LONG | UNTIL..SMALL => assert_eq!(step, 0),
                _ => assert_eq!(value_end(&value, 0), Some(step)),
            }
        }
    }

    #[test]
    fn integers_are_packed_small() {
        for (text, bytes) in [
            ("0", 1),
            ("47", 1),
            ("48", 2),
            ("127", 2),
            ("128", 3),
            ("-1", 2),
            ("-128", 2),
            ("-129", 3),
            ("32767", 3),
            ("32768", 4),
            ("8388607", 4),
            ("9223372036854775807", 9),
            ("-9223372036854775808", 9),
            ("9223372036854775808", 20),
            ("-0", 3),
            ("007", 4),
            ("", 1),
            ("-", 2),
            ("12x", 4),
        ] {
            assert_eq!(round_trip(text.as_bytes()), bytes, "{text}");
        }
    }

    proptest! {
        #[test]
        fn values_round_trip(number in any::<i64>(), shift in 0u32..64, raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            round_trip((number >> shift).to_string().as_bytes());
            round_trip(&raw);
        }

        #[test]
        fn values_with_a_deadline_round_trip(raw in proptest::collection::vec(any::<u8>(), 0..300), at in 0u64..1 << 48) {
            let mut out = vec![9];
            put_value_until(&raw, UnixMs(at), &mut out);
            prop_assert_eq!(value_end(&out, 1), Some(out.len()));
            let value = value_at(&out, 1);
            prop_assert_eq!((&*value, value.deadline()), (&raw[..], Some(UnixMs(at))));
            for cut in 1..out.len() {
                prop_assert_eq!(value_end(&out[..cut], 1), None);
            }
        }

        #[test]
        fn keys_are_ordered_byte_by_byte(
            mut a in proptest::collection::vec(0u8..3, 0..80),
            b in proptest::collection::vec(any::<u8>(), 0..80),
            shared in 0usize..80,
        ) {
            let shared = shared.min(a.len()).min(b.len());
            a[..shared].copy_from_slice(&b[..shared]);
            prop_assert_eq!(compare(&a, &b), a.cmp(&b));
            prop_assert_eq!(compare(&b[..shared], &b), b[..shared].cmp(&b));
        }

        #[test]
        fn keys_round_trip(key in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut out = vec![7];
            put_key(&key, &mut out);
            prop_assert_eq!(key_at(&out, 1), Some((&key[..], out.len())));
            prop_assert_eq!(key_at(&out[..out.len() - 1], 1), None);
        }
    }
}
