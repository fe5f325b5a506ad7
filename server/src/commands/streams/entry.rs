//! An entry's fields and values as bytes, and the names of fields that entries share.
//!
//! ```text
//!   entry    0 and the names, or the number of known names (from 1 on)
//!            the values, packed as in cells (integers small)
//!   names    how many, then each with its length
//!   known    the known names one after the other, each with the length of all of it
//! ```
//!
//! Numbers are varints. Most entries of a stream have the same fields, so their names are kept once, with the stream
//! (`Head::shapes`), as long as they are not many. They are forgotten when the stream is empty.

use basalt_tiering::{Bytes, pack, unpack};

/// Longest list of names that is shared …
const SHAPE_BYTES: usize = 768;
/// … and of all together.
const SHAPES_BYTES: usize = 1024;

/// Appends a number, seven bits to a byte.
pub fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes such a number off the front.
#[must_use]
pub fn take_varint<'a>(bytes: &mut &'a [u8]) -> Option<u64> {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let rest: &'a [u8] = bytes;
            *bytes = &rest[index + 1..];
            return Some(number);
        }
    }
    None
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_varint(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

/// Encodes the entry of these words, fields and values in turn; new names may become known ones.
pub fn encode<'w>(
    words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
    shapes: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    out.clear();
    let mut names = Vec::with_capacity(64);
    put_varint(words.len() as u64 / 2, &mut names);
    for name in words.clone().step_by(2) {
        put_varint(name.len() as u64, &mut names);
        names.extend_from_slice(name);
    }
    match number_of(&names, shapes) {
        Some(number) => put_varint(number, out),
        None => {
            out.push(0);
            out.extend_from_slice(&names);
        }
    }
    for value in words.skip(1).step_by(2) {
        pack(value, out);
    }
}

/// The number of these names among the known ones, which they may join.
fn number_of(names: &[u8], shapes: &mut Vec<u8>) -> Option<u64> {
    let (mut rest, mut number) = (&shapes[..], 0);
    while let Some(known) = take_bytes(&mut rest) {
        number += 1;
        if known == names {
            return Some(number);
        }
    }
    if names.len() > SHAPE_BYTES || shapes.len() + names.len() + 2 > SHAPES_BYTES {
        return None;
    }
    put_varint(names.len() as u64, shapes);
    shapes.extend_from_slice(names);
    Some(number + 1)
}

/// An entry's fields and values.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    count: usize,
    names: &'a [u8],
    values: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads an entry of a stream with these known names; `None` if it is damaged.
    #[must_use]
    pub fn decode(shapes: &'a [u8], bytes: &'a [u8]) -> Option<Entry<'a>> {
        let mut values = bytes;
        let number = take_varint(&mut values)?;
        if number > 0 {
            let mut known = shapes;
            for _ in 1..number {
                take_bytes(&mut known)?;
            }
            let mut names = take_bytes(&mut known)?;
            let count = usize::try_from(take_varint(&mut names)?).ok()?;
            return Some(Entry {
                count,
                names,
                values,
            });
        }
        let count = usize::try_from(take_varint(&mut values)?).ok()?;
        let names = values;
        for _ in 0..count {
            take_bytes(&mut values)?;
        }
        Some(Entry {
            count,
            names,
            values,
        })
    }

    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True of no entry that a client added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Fields with their values, in the order in which they were given.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], Bytes<'a>)> + use<'a> {
        let (mut names, mut values) = (self.names, self.values);
        (0..self.count).map_while(move |_| {
            let name = take_bytes(&mut names)?;
            let (value, rest) = unpack(values)?;
            values = rest;
            Some((name, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Words = Vec<Vec<u8>>;

    fn round_trip(words: &Words, shapes: &mut Vec<u8>) -> usize {
        let mut bytes = Vec::new();
        encode(words.iter().map(Vec::as_slice), shapes, &mut bytes);
        let entry = Entry::decode(shapes, &bytes).expect("it was just written");
        assert_eq!(entry.len(), words.len() / 2);
        let read: Words = entry
            .fields()
            .flat_map(|(name, value)| [name.to_vec(), value.to_vec()])
            .collect();
        assert_eq!(&read, words);
        bytes.len()
    }

    fn words(text: &str) -> Words {
        text.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    }

    #[test]
    fn names_are_kept_once() {
        let mut shapes = Vec::new();
        let first = round_trip(&words("sensor 7 value 123456"), &mut shapes);
        assert_eq!(first, 1 + 1 + 4);
        let known = shapes.len();
        round_trip(&words("sensor 8 value x"), &mut shapes);
        assert_eq!(shapes.len(), known);
        round_trip(&words("value 8 sensor x"), &mut shapes);
        assert!(shapes.len() > known);
        assert_eq!(
            round_trip(&words("sensor 47 value -"), &mut shapes),
            1 + 1 + 2
        );
    }

    #[test]
    fn names_beyond_the_limits_stay_with_their_entries() {
        let mut shapes = Vec::new();
        for number in 0..500 {
            round_trip(&words(&format!("field:{number} 1")), &mut shapes);
        }
        assert!(shapes.len() <= SHAPES_BYTES);
        let long = vec![vec![b'n'; 5000], b"1".to_vec()];
        assert_eq!(round_trip(&long, &mut Vec::new()), 1 + 1 + 2 + 5000 + 1);
    }

    proptest! {
        #[test]
        fn entries_round_trip(
            entries in proptest::collection::vec(
                proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 1..6), 1..20),
        ) {
            let mut shapes = Vec::new();
            for entry in entries {
                let words: Words = entry.iter().flat_map(|word| [word.clone(), word.clone()]).collect();
                round_trip(&words, &mut shapes);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            shapes in proptest::collection::vec(any::<u8>(), 0..40), bytes in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            if let Some(entry) = Entry::decode(&shapes, &bytes) {
                entry.fields().for_each(drop);
            }
        }

        #[test]
        fn varints_round_trip(number in any::<u64>(), shift in 0u32..64) {
            let mut bytes = Vec::new();
            put_varint(number >> shift, &mut bytes);
            let mut rest = &bytes[..];
            prop_assert_eq!(take_varint(&mut rest), Some(number >> shift));
            prop_assert!(rest.is_empty());
        }
    }
}
