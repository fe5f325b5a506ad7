//! Intsets: sorted integers of one width. `width u32 LE`, `count u32 LE`, the integers LE.

use super::{RdbError, Reader, Result};

const CORRUPT: RdbError = RdbError::Corrupt("an intset");

/// The integers as texts.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut reader = Reader::new(bytes);
    let width = u32::from_le_bytes(reader.array()?);
    let count = u32::from_le_bytes(reader.array()?) as usize;
    if !matches!(width, 2 | 4 | 8) || count.checked_mul(width as usize) != Some(reader.left()) {
        return Err(CORRUPT);
    }
    let mut members = Vec::with_capacity(count);
    let mut before = None;
    while reader.left() > 0 {
        let number = match width {
            2 => i64::from(i16::from_le_bytes(reader.array()?)),
            4 => i64::from(i32::from_le_bytes(reader.array()?)),
            _ => i64::from_le_bytes(reader.array()?),
        };
        if before
            .replace(number)
            .is_some_and(|before| before >= number)
        {
            return Err(CORRUPT);
        }
        members.push(itoa::Buffer::new().format(number).as_bytes().to_vec());
    }
    Ok(members)
}

/// The intset of `numbers`.
pub(super) fn encode(mut numbers: Vec<i64>) -> Vec<u8> {
    numbers.sort_unstable();
    let fits = |width: u32| {
        let limit = 1i64 << (8 * width - 1);
        numbers
            .iter()
            .all(|number| (-limit..limit).contains(number))
    };
    let width = [2, 4].into_iter().find(|width| fits(*width)).unwrap_or(8);
    let mut bytes = Vec::with_capacity(8 + numbers.len() * width as usize);
    bytes.extend(width.to_le_bytes());
    bytes.extend((numbers.len() as u32).to_le_bytes());
    for number in numbers {
        bytes.extend(&number.to_le_bytes()[..width as usize]);
    }
    bytes
}
