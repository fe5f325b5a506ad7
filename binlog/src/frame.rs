//! The frame header: how a record lies in a segment and in the ring.
//!
//! ```text
//!  0        4        8                16               24    26    28       32    34    36       40
//!  +--------+--------+----------------+----------------+-----+-----+--------+-----+-----+--------+---------
//!  | length | crc32  | offset         | unix ms        |flags|slot |effects | db  |enddb| lag    | payload
//!  +--------+--------+----------------+----------------+-----+-----+--------+-----+-----+--------+---------
//! ```
//!
//! All little-endian. The CRC covers the payload, then the header without the CRC itself, so the dear part
//! is computed before the append lock is taken. `lag` is how far behind `offset` the synced end was when
//! the frame was appended (`u32::MAX`: unknown). It lets recovery tell a torn tail (bytes that were
//! never on disk) from damage (bytes that were): see `repair.rs`.

use crate::types::{Flags, FrameView, Offset};
use crc32fast::Hasher;

/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 40;

/// Largest payload: leaves room for the header in 32 bits of arithmetic.
pub(crate) const MAX_PAYLOAD: u64 = 0xF000_0000;

/// A decoded (or to be encoded) frame header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) len: u32,
    pub(crate) crc: u32,
    pub(crate) offset: u64,
    pub(crate) unix_ms: u64,
    pub(crate) flags: u16,
    pub(crate) slot: u16,
    pub(crate) effects: u32,
    pub(crate) db: u16,
    pub(crate) end_db: u16,
    pub(crate) lag: u32,
}

impl Header {
    /// Bytes of the whole frame.
    pub(crate) fn total(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.len)
    }

    /// Offset behind the payload.
    pub(crate) fn end(&self) -> u64 {
        self.offset + u64::from(self.len)
    }

    /// What was surely on disk when this frame was appended.
    pub(crate) fn synced_then(&self) -> u64 {
        if self.lag == u32::MAX {
            0
        } else {
            self.offset.saturating_sub(u64::from(self.lag))
        }
    }

    /// Encodes, computing the CRC from that of the payload.
    pub(crate) fn encode(&self, payload_crc: Hasher) -> [u8; HEADER_BYTES] {
        let mut b = self.bytes_without_crc();
        let crc = finish_crc(payload_crc, &b);
        b[4..8].copy_from_slice(&crc.to_le_bytes());
        b
    }

    fn bytes_without_crc(&self) -> [u8; HEADER_BYTES] {
        let mut b = [0u8; HEADER_BYTES];
        b[0..4].copy_from_slice(&self.len.to_le_bytes());
        b[8..16].copy_from_slice(&self.offset.to_le_bytes());
        b[16..24].copy_from_slice(&self.unix_ms.to_le_bytes());
        b[24..26].copy_from_slice(&self.flags.to_le_bytes());
        b[26..28].copy_from_slice(&self.slot.to_le_bytes());
        b[28..32].copy_from_slice(&self.effects.to_le_bytes());
        b[32..34].copy_from_slice(&self.db.to_le_bytes());
        b[34..36].copy_from_slice(&self.end_db.to_le_bytes());
        b[36..40].copy_from_slice(&self.lag.to_le_bytes());
        b
    }

    /// Decodes without judging: any 40 bytes give a header, only the CRC tells whether it is one.
    pub(crate) fn decode(b: &[u8; HEADER_BYTES]) -> Header {
        Header {
            len: le32(b, 0),
            crc: le32(b, 4),
            offset: le64(b, 8),
            unix_ms: le64(b, 16),
            flags: le16(b, 24),
            slot: le16(b, 26),
            effects: le32(b, 28),
            db: le16(b, 32),
            end_db: le16(b, 34),
            lag: le32(b, 36),
        }
    }

    /// Decodes the header at the start of `bytes`, if there are enough and the length is possible.
    pub(crate) fn peek(bytes: &[u8]) -> Option<Header> {
        let header = Header::decode(bytes.first_chunk()?);
        let possible = header.len > 0
            && u64::from(header.len) <= MAX_PAYLOAD
            && header.offset.checked_add(u64::from(header.len)).is_some();
        possible.then_some(header)
    }

    /// Whether `payload` and this header belong together.
    pub(crate) fn matches(&self, payload: &[u8]) -> bool {
        let mut crc = Hasher::new();
        crc.update(payload);
        payload.len() == self.len as usize && self.crc_fits(crc)
    }

    /// Whether a payload with this CRC, of the right length, and this header belong together.
    pub(crate) fn crc_fits(&self, payload_crc: Hasher) -> bool {
        finish_crc(payload_crc, &self.bytes_without_crc()) == self.crc
    }

    /// The frame as shown to readers.
    pub(crate) fn view<'a>(&self, payload: &'a [u8]) -> FrameView<'a> {
        FrameView {
            start: Offset(self.offset),
            end: Offset(self.end()),
            unix_ms: self.unix_ms,
            flags: Flags(self.flags),
            slot: self.slot,
            effects: self.effects,
            db: self.db,
            end_db: self.end_db,
            payload,
        }
    }
}

/// The whole, valid frame at the start of `bytes`, if there is one.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let header = Header::peek(bytes)?;
    let payload = bytes.get(HEADER_BYTES..)?.get(..header.len as usize)?;
    header.matches(payload).then_some((header, payload))
}

fn finish_crc(mut crc: Hasher, header: &[u8; HEADER_BYTES]) -> u32 {
    // 0..4 and 8..40 as one run of 36 bytes: one call is cheaper than two.
    let mut rest = [0u8; HEADER_BYTES - 4];
    rest[..4].copy_from_slice(&header[..4]);
    rest[4..].copy_from_slice(&header[8..]);
    crc.update(&rest);
    crc.finalize()
}

/// The `SELECT` put before a payload when the stream changes database, and its length.
pub(crate) fn select_command(db: u16) -> ([u8; 40], usize) {
    let mut digits = [0u8; 5];
    let mut first = digits.len();
    let mut rest = db;
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let digits = &digits[first..];
    let mut out = [0u8; 40];
    let mut len = 0;
    for part in [
        &b"*2\r\n$6\r\nSELECT\r\n$"[..],
        &[b'0' + digits.len() as u8],
        b"\r\n",
        digits,
        b"\r\n",
    ] {
        out[len..len + part.len()].copy_from_slice(part);
        len += part.len();
    }
    (out, len)
}

pub(crate) fn le16(b: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([b[at], b[at + 1]])
}

pub(crate) fn le32(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

pub(crate) fn le64(b: &[u8], at: usize) -> u64 {
    u64::from(le32(b, at)) | u64::from(le32(b, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(mut header: Header, payload: &[u8]) -> Vec<u8> {
        header.len = payload.len() as u32;
        let mut crc = Hasher::new();
        crc.update(payload);
        let mut out = header.encode(crc).to_vec();
        out.extend_from_slice(payload);
        out
    }

    prop_compose! {
        fn any_header()(offset in 0..u64::MAX / 2, unix_ms: u64, flags: u16, slot: u16, effects: u32, db: u16, end_db: u16, lag: u32) -> Header {
            Header { len: 0, crc: 0, offset, unix_ms, flags, slot, effects, db, end_db, lag }
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(header in any_header(), payload in prop::collection::vec(any::<u8>(), 1..400)) {
            let bytes = encode(header, &payload);
            let (back, got) = parse(&bytes).unwrap();
            prop_assert_eq!(got, &payload[..]);
            prop_assert_eq!(Header { len: 0, crc: 0, ..back }, header);
        }

        #[test]
        fn any_changed_bit_is_noticed(header in any_header(), payload in prop::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, bit in 0..8u8) {
            let mut bytes = encode(header, &payload);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(parse(&bytes).is_none());
        }

        #[test]
        fn garbage_is_no_frame_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&bytes).is_none());
        }
    }

    #[test]
    fn zeroes_are_no_frame() {
        assert!(parse(&[0; 4096]).is_none());
    }

    #[test]
    fn select_is_the_command_redis_would_send() {
        for (db, text) in [
            (0, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"),
            (15, "*2\r\n$6\r\nSELECT\r\n$2\r\n15\r\n"),
            (65535, "*2\r\n$6\r\nSELECT\r\n$5\r\n65535\r\n"),
        ] {
            let (bytes, len) = select_command(db);
            assert_eq!(&bytes[..len], text.as_bytes());
        }
    }
}
