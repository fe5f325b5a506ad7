//! HyperLogLog: which register an element raises, and what a key's bytes say of them all.

use std::collections::BTreeMap;

const REGISTERS: u16 = 16384;
const HEADER: usize = 16;

/// The register of an element and its value (MurmurHash64A, as in Redis).
pub(super) fn of(element: &[u8]) -> (u16, u8) {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = 0xadc8_3b19 ^ (element.len() as u64).wrapping_mul(M);
    let mut chunks = element.chunks_exact(8);
    for chunk in &mut chunks {
        let mut k = u64::from_le_bytes(chunk.try_into().expect("eight bytes")).wrapping_mul(M);
        k ^= k >> 47;
        hash = (hash ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    if !chunks.remainder().is_empty() {
        let mut last = [0; 8];
        last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(M);
    }
    hash ^= hash >> 47;
    hash = hash.wrapping_mul(M);
    hash ^= hash >> 47;
    let register = (hash % u64::from(REGISTERS)) as u16;
    let zeros = (hash >> 14 | 1 << 50).trailing_zeros() as u8;
    (register, zeros + 1)
}

/// The registers that are not zero; nothing if these are not the bytes of a HyperLogLog.
pub(super) fn decode(bytes: &[u8]) -> Option<BTreeMap<u16, u8>> {
    let body = bytes.strip_prefix(b"HYLL")?.get(HEADER - 4..)?;
    let mut found = BTreeMap::new();
    if bytes[4] == 0 {
        for register in 0..REGISTERS {
            let bit = usize::from(register) * 6;
            let high = body.get(bit / 8 + 1).copied().unwrap_or(0);
            let pair = u16::from_le_bytes([*body.get(bit / 8)?, high]);
            found.insert(register, (pair >> (bit % 8)) as u8 & 63);
        }
    } else {
        let mut register = 0;
        let mut codes = body.iter().copied();
        while let Some(code) = codes.next() {
            let (value, run) = match code {
                0..64 => (0, u16::from(code) + 1),
                64..128 => (0, u16::from_be_bytes([code & 63, codes.next()?]) + 1),
                _ => ((code >> 2 & 31) + 1, u16::from(code & 3) + 1),
            };
            found.extend((register..register + run).map(|register| (register, value)));
            register += run;
        }
        (register == REGISTERS).then_some(())?;
    }
    found.retain(|_, value| *value > 0);
    Some(found)
}
