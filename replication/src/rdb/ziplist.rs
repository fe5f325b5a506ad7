//! Ziplists and zipmaps, the forms of small collections before Redis 7.0 and 2.6: read, never written.
//!
//! ```text
//!   ziplist   total bytes u32 LE   offset of the last entry u32 LE   entries u16 LE   entries   0xff
//!   entry     length of the one before (u8, or 0xfe and u32 LE)   code   data
//!   zipmap    entries u8   { length, key, length, unused u8, value, unused bytes }   0xff
//! ```

use super::{RdbError, Reader, Result};

const END: u8 = 0xff;
const CORRUPT: RdbError = RdbError::Corrupt("a ziplist");

/// The entries of a ziplist as byte strings.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut reader = Reader::new(bytes);
    let total = u32::from_le_bytes(reader.array()?);
    let _last = reader.take(4)?;
    let announced = u16::from_le_bytes(reader.array()?);
    if total as usize != bytes.len() {
        return Err(CORRUPT);
    }
    let mut entries = Vec::new();
    let mut len_before = 0;
    loop {
        let before = reader.left();
        let first = reader.u8()?;
        if first == END {
            break;
        }
        let said = match first {
            0xfe => u32::from_le_bytes(reader.array()?) as usize,
            len => usize::from(len),
        };
        if said != len_before {
            return Err(CORRUPT);
        }
        entries.push(entry(&mut reader)?);
        len_before = before - reader.left();
    }
    let is_counted = announced == u16::MAX || usize::from(announced) == entries.len();
    if reader.left() == 0 && is_counted {
        Ok(entries)
    } else {
        Err(CORRUPT)
    }
}

fn entry(reader: &mut Reader<'_>) -> Result<Vec<u8>> {
    let first = reader.u8()?;
    let low = usize::from(first & 0x3f);
    let number = match first {
        0x00..0x40 => return Ok(reader.take(low)?.to_vec()),
        0x40..0x80 => {
            let len = low << 8 | usize::from(reader.u8()?);
            return Ok(reader.take(len)?.to_vec());
        }
        0x80 => {
            let len = u32::from_be_bytes(reader.array()?);
            return Ok(reader.take(len as usize)?.to_vec());
        }
        0xc0 => i64::from(i16::from_le_bytes(reader.array()?)),
        0xd0 => i64::from(i32::from_le_bytes(reader.array()?)),
        0xe0 => i64::from_le_bytes(reader.array()?),
        0xf0 => {
            let [a, b, c] = reader.array()?;
            i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)
        }
        0xf1..=0xfd => i64::from(first & 0x0f) - 1,
        0xfe => i64::from(i8::from_le_bytes(reader.array()?)),
        _ => return Err(CORRUPT),
    };
    Ok(itoa::Buffer::new().format(number).as_bytes().to_vec())
}

/// Keys and values of a zipmap, in turn.
pub(super) fn decode_zipmap(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut reader = Reader::new(bytes);
    // The count is not kept up to date beyond 253.
    let _count = reader.u8()?;
    let mut found = Vec::new();
    loop {
        let Some(key_len) = zipmap_length(&mut reader)? else {
            break;
        };
        found.push(reader.take(key_len)?.to_vec());
        let value_len = zipmap_length(&mut reader)?.ok_or(CORRUPT)?;
        let unused = reader.u8()?;
        found.push(reader.take(value_len)?.to_vec());
        reader.take(usize::from(unused))?;
    }
    if reader.left() == 0 {
        Ok(found)
    } else {
        Err(CORRUPT)
    }
}

fn zipmap_length(reader: &mut Reader<'_>) -> Result<Option<usize>> {
    Ok(match reader.u8()? {
        END => None,
        0xfe => Some(u32::from_le_bytes(reader.array()?) as usize),
        len => Some(usize::from(len)),
    })
}
