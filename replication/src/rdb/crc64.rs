//! The checksum of RDB: CRC-64 with Jones' polynomial, reflected, starting from zero.

use crc::{CRC_64_REDIS, Crc, Table};

static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// The checksum of `bytes`.
#[must_use]
pub fn crc64(bytes: &[u8]) -> u64 {
    CRC64.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_checksum_of_redis() {
        // From DUMP of "hello" by a redis-server 7.0.
        let payload = b"\x00\x05hello\x0a\x00cr\xdfve4 \n";
        let (body, sum) = payload.split_at(payload.len() - 8);
        assert_eq!(crc64(body).to_le_bytes(), sum);
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }
}
