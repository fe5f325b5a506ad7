//! The envelope of DUMP and RESTORE.

use super::{
    MAX_VERSION, RdbError, RdbValue, Reader, Result, VERSION, crc64, decode, encode,
    encode::Encoded,
};

const VERSION_BYTES: usize = 2;
const CRC_BYTES: usize = 8;

/// The payload that DUMP answers for `value`.
#[must_use]
pub fn dump(value: &RdbValue) -> Vec<u8> {
    let mut payload = vec![0];
    let Encoded { code, version } = encode(value, &mut payload);
    payload[0] = code;
    payload.extend(version.max(VERSION).to_le_bytes());
    let sum = crc64(&payload);
    payload.extend(sum.to_le_bytes());
    payload
}

/// The value in a payload of DUMP.
pub fn restore(payload: &[u8]) -> Result<RdbValue> {
    const WRONG: RdbError = RdbError::VersionOrChecksum;
    let (signed, sum) = payload.split_last_chunk::<CRC_BYTES>().ok_or(WRONG)?;
    let (body, version) = signed.split_last_chunk::<VERSION_BYTES>().ok_or(WRONG)?;
    if u16::from_le_bytes(*version) > MAX_VERSION {
        return Err(WRONG);
    }
    if u64::from_le_bytes(*sum) != crc64(signed) {
        return Err(WRONG);
    }
    let (code, value) = body.split_first().ok_or(RdbError::Truncated)?;
    let mut reader = Reader::new(value);
    let value = decode(*code, &mut reader)?;
    match reader.left() {
        0 => Ok(value),
        _ => Err(RdbError::Corrupt("bytes behind the value")),
    }
}
