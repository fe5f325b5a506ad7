//! Listpacks: many small strings and integers in one.
//!
//! ```text
//!   total bytes u32 LE   elements u16 LE (65535: not known)   elements   0xff
//!   element              code and data   their length, 7 bits a byte, lowest last
//! ```

use basalt_resp::parse_i64;

use super::{RdbError, Reader, Result};

const HEADER_BYTES: usize = 6;
const END: u8 = 0xff;
/// Longest text of a 64-bit integer.
const MAX_INT_BYTES: usize = 20;
const CORRUPT: RdbError = RdbError::Corrupt("a listpack");

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element<'a> {
    Text(&'a [u8]),
    Int(i64),
}

impl Element<'_> {
    /// Its bytes: of an integer, the digits.
    pub(super) fn to_vec(self) -> Vec<u8> {
        match self {
            Element::Text(bytes) => bytes.to_vec(),
            Element::Int(number) => itoa::Buffer::new().format(number).as_bytes().to_vec(),
        }
    }

    pub(super) fn to_i64(self) -> Result<i64> {
        match self {
            Element::Int(number) => Ok(number),
            Element::Text(text) => parse_i64(text).ok_or(CORRUPT),
        }
    }
}

/// Reads elements; an error ends it.
#[derive(Clone, Debug)]
pub(super) struct Listpack<'a> {
    rest: Reader<'a>,
    /// Elements that the header announces, if it does.
    announced: Option<usize>,
    found: usize,
}

impl<'a> Listpack<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let mut rest = Reader::new(bytes);
        let total = u32::from_le_bytes(rest.array()?);
        if total as usize != bytes.len() || bytes.len() <= HEADER_BYTES {
            return Err(CORRUPT);
        }
        let count = u16::from_le_bytes(rest.array()?);
        Ok(Listpack {
            rest,
            announced: (count != u16::MAX).then_some(usize::from(count)),
            found: 0,
        })
    }

    /// The next element; `None` behind the last one.
    pub(super) fn next(&mut self) -> Result<Option<Element<'a>>> {
        let before = self.rest.left();
        let first = self.rest.u8()?;
        if first == END {
            let is_whole = self.rest.left() == 0;
            let is_counted = self.announced.is_none_or(|count| count == self.found);
            return if is_whole && is_counted {
                Ok(None)
            } else {
                Err(CORRUPT)
            };
        }
        let element = self.element(first)?;
        let len = before - self.rest.left();
        let mut expected = Vec::with_capacity(5);
        push_back_length(&mut expected, len);
        if self.rest.take(expected.len())? != expected {
            return Err(CORRUPT);
        }
        self.found += 1;
        Ok(Some(element))
    }

    /// The next element, which has to be there.
    pub(super) fn expect(&mut self) -> Result<Element<'a>> {
        self.next()?.ok_or(CORRUPT)
    }

    fn element(&mut self, first: u8) -> Result<Element<'a>> {
        let rest = &mut self.rest;
        let text = |rest: &mut Reader<'a>, len: usize| rest.take(len).map(Element::Text);
        match first {
            0x00..0x80 => Ok(Element::Int(i64::from(first))),
            0x80..0xc0 => text(rest, usize::from(first & 0x3f)),
            0xc0..0xe0 => {
                let bits = u16::from(first & 0x1f) << 8 | u16::from(rest.u8()?);
                Ok(Element::Int(i64::from((bits << 3) as i16 >> 3)))
            }
            0xe0..0xf0 => {
                let len = usize::from(first & 0x0f) << 8 | usize::from(rest.u8()?);
                text(rest, len)
            }
            0xf0 => {
                let len = u32::from_le_bytes(rest.array()?);
                text(rest, len as usize)
            }
            0xf1 => Ok(Element::Int(i64::from(i16::from_le_bytes(rest.array()?)))),
            0xf2 => {
                let [a, b, c] = rest.array()?;
                Ok(Element::Int(i64::from(
                    i32::from_le_bytes([0, a, b, c]) >> 8,
                )))
            }
            0xf3 => Ok(Element::Int(i64::from(i32::from_le_bytes(rest.array()?)))),
            0xf4 => Ok(Element::Int(i64::from_le_bytes(rest.array()?))),
            _ => Err(CORRUPT),
        }
    }
}

/// All elements as byte strings.
pub(super) fn all(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut listpack = Listpack::new(bytes)?;
    let mut found = Vec::new();
    while let Some(element) = listpack.next()? {
        found.push(element.to_vec());
    }
    Ok(found)
}

/// A listpack that is being written.
#[derive(Debug)]
pub(super) struct Builder {
    bytes: Vec<u8>,
    count: usize,
}

impl Builder {
    pub(super) fn new() -> Self {
        Builder {
            bytes: vec![0; HEADER_BYTES],
            count: 0,
        }
    }

    /// How long it is so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a string, as an integer if it is the text of one.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if bytes.len() <= MAX_INT_BYTES
            && let Some(number) = parse_i64(bytes)
        {
            self.push_int(number);
            return;
        }
        let start = self.bytes.len();
        let len = bytes.len();
        match len {
            0..0x40 => self.bytes.push(0x80 | len as u8),
            0x40..0x1000 => self.bytes.extend([0xe0 | (len >> 8) as u8, len as u8]),
            _ => {
                self.bytes.push(0xf0);
                self.bytes.extend((len as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(bytes);
        self.end(start);
    }

    pub(super) fn push_int(&mut self, number: i64) {
        let start = self.bytes.len();
        match number {
            0..0x80 => self.bytes.push(number as u8),
            -0x1000..0x1000 => {
                let bits = number as u16 & 0x1fff;
                self.bytes.extend([0xc0 | (bits >> 8) as u8, bits as u8]);
            }
            -0x8000..0x8000 => {
                self.bytes.push(0xf1);
                self.bytes.extend((number as i16).to_le_bytes());
            }
            -0x80_0000..0x80_0000 => {
                self.bytes.push(0xf2);
                self.bytes.extend(&number.to_le_bytes()[..3]);
            }
            -0x8000_0000..0x8000_0000 => {
                self.bytes.push(0xf3);
                self.bytes.extend((number as i32).to_le_bytes());
            }
            _ => {
                self.bytes.push(0xf4);
                self.bytes.extend(number.to_le_bytes());
            }
        }
        self.end(start);
    }

    fn end(&mut self, start: usize) {
        let len = self.bytes.len() - start;
        push_back_length(&mut self.bytes, len);
        self.count += 1;
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(END);
        let total = self.bytes.len() as u32;
        let count = u16::try_from(self.count).unwrap_or(u16::MAX);
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        self.bytes[4..6].copy_from_slice(&count.to_le_bytes());
        self.bytes
    }
}

/// Appends the length of an element: seven bits a byte, the highest first, all but the first one marked. The limits
/// are those of Redis, one short of what would fit.
fn push_back_length(out: &mut Vec<u8>, len: usize) {
    let bytes = match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    for at in (0..bytes).rev() {
        let mark = if at == bytes - 1 { 0 } else { 0x80 };
        out.push((len >> (7 * at)) as u8 & 0x7f | mark);
    }
}
