//! Numbers, lengths and strings, appended to a vector.

use basalt_resp::parse_i64;

use super::{StreamId, lzf};

/// Strings no longer than this are not worth compressing.
const MIN_PACKED_BYTES: usize = 20;
/// Longer strings are not texts of 32-bit integers.
const MAX_INT_BYTES: usize = 11;

/// Appends to `out`.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Writer { out }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A number in the form of a length.
    pub fn number(&mut self, number: u64) {
        match number {
            0..0x40 => self.raw(&[number as u8]),
            0x40..0x4000 => self.raw(&[0x40 | (number >> 8) as u8, number as u8]),
            _ => match u32::try_from(number) {
                Ok(number) => {
                    self.raw(&[0x80]);
                    self.raw(&number.to_be_bytes());
                }
                Err(_) => {
                    self.raw(&[0x81]);
                    self.raw(&number.to_be_bytes());
                }
            },
        }
    }

    pub(super) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    /// A string, as an integer or compressed if that is shorter.
    pub fn string(&mut self, bytes: &[u8]) {
        if bytes.len() <= MAX_INT_BYTES
            && let Some(number) = parse_i64(bytes)
            && self.integer(number)
        {
            return;
        }
        if bytes.len() > MIN_PACKED_BYTES
            && let Some(packed) = lzf::pack(bytes)
        {
            self.raw(&[0xc3]);
            self.count(packed.len());
            self.count(bytes.len());
            self.raw(&packed);
            return;
        }
        self.count(bytes.len());
        self.raw(bytes);
    }

    /// A short form of the number's text, if there is one.
    fn integer(&mut self, number: i64) -> bool {
        if let Ok(number) = i8::try_from(number) {
            self.raw(&[0xc0]);
            self.raw(&number.to_le_bytes());
        } else if let Ok(number) = i16::try_from(number) {
            self.raw(&[0xc1]);
            self.raw(&number.to_le_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.raw(&[0xc2]);
            self.raw(&number.to_le_bytes());
        } else {
            return false;
        }
        true
    }

    /// An id as two numbers.
    pub(super) fn stream_id(&mut self, id: StreamId) {
        self.number(id.ms);
        self.number(id.seq);
    }

    /// An id as sixteen bytes.
    pub(super) fn raw_stream_id(&mut self, id: StreamId) {
        self.raw(&id.ms.to_be_bytes());
        self.raw(&id.seq.to_be_bytes());
    }
}
