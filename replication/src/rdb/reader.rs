//! Numbers, lengths and strings, from bytes that may be wrong.

use std::borrow::Cow;

use super::{RdbError, Result, StreamId, lzf};

/// What is left to be read.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

/// A length, or the form of a string that has none.
enum Length {
    Plain(u64),
    Form(u8),
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes }
    }

    /// How many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, tail) = self
            .bytes
            .split_at_checked(count)
            .ok_or(RdbError::Truncated)?;
        self.bytes = tail;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or(RdbError::Truncated)?;
        self.bytes = tail;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u64_le(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn raw_length(&mut self) -> Result<Length> {
        let first = self.u8()?;
        let low = first & 0x3f;
        Ok(match first >> 6 {
            0 => Length::Plain(u64::from(low)),
            1 => Length::Plain(u64::from(low) << 8 | u64::from(self.u8()?)),
            2 if first == 0x80 => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            2 if first == 0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
            2 => return Err(RdbError::Corrupt("a length")),
            _ => Length::Form(low),
        })
    }

    /// A number in the form of a length.
    pub fn number(&mut self) -> Result<u64> {
        match self.raw_length()? {
            Length::Plain(number) => Ok(number),
            Length::Form(_) => Err(RdbError::Corrupt("a length")),
        }
    }

    /// How many of something follow, each of them at least `least` bytes.
    pub(super) fn count(&mut self, least: usize) -> Result<usize> {
        let count = usize::try_from(self.number()?).map_err(|_| RdbError::Truncated)?;
        match count.checked_mul(least) {
            Some(bytes) if bytes <= self.left() => Ok(count),
            _ => Err(RdbError::Truncated),
        }
    }

    /// A string in any of its forms.
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>> {
        let integer = |number: i64| {
            let digits = itoa::Buffer::new().format(number).as_bytes().to_vec();
            Ok(Cow::Owned(digits))
        };
        match self.raw_length()? {
            Length::Plain(len) => {
                let len = usize::try_from(len).map_err(|_| RdbError::Truncated)?;
                Ok(Cow::Borrowed(self.take(len)?))
            }
            Length::Form(0) => integer(i64::from(i8::from_le_bytes(self.array()?))),
            Length::Form(1) => integer(i64::from(i16::from_le_bytes(self.array()?))),
            Length::Form(2) => integer(i64::from(i32::from_le_bytes(self.array()?))),
            Length::Form(3) => {
                let packed_len = self.count(1)?;
                let len = usize::try_from(self.number()?).map_err(|_| RdbError::Truncated)?;
                let packed = self.take(packed_len)?;
                lzf::unpack(packed, len).map(Cow::Owned)
            }
            Length::Form(_) => Err(RdbError::Corrupt("a string's form")),
        }
    }

    /// A score as text, as Redis wrote them before version 8.
    pub(super) fn text_score(&mut self) -> Result<f64> {
        match self.u8()? {
            253 => Ok(f64::NAN),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            len => {
                let text = self.take(usize::from(len))?;
                basalt_resp::parse_f64(text).ok_or(RdbError::Corrupt("a score"))
            }
        }
    }

    pub(super) fn binary_score(&mut self) -> Result<f64> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// An id as two numbers.
    pub(super) fn stream_id(&mut self) -> Result<StreamId> {
        Ok(StreamId {
            ms: self.number()?,
            seq: self.number()?,
        })
    }

    /// An id as sixteen bytes.
    pub(super) fn raw_stream_id(&mut self) -> Result<StreamId> {
        Ok(StreamId {
            ms: u64::from_be_bytes(self.array()?),
            seq: u64::from_be_bytes(self.array()?),
        })
    }
}
