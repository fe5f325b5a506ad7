//! Dense registers: 6 bits each, the lowest bits of a byte first.

/// The bits of a hash that choose a register.
pub(super) const INDEX_BITS: u32 = 14;
/// How many registers there are.
pub(super) const REGISTERS: usize = 1 << INDEX_BITS;
/// The largest rank: all other bits of the hash are zero.
pub(super) const MAX_RANK: u8 = (64 - INDEX_BITS) as u8 + 1;
/// Their length.
pub(super) const BYTES: usize = REGISTERS * BITS / 8;

const BITS: usize = 6;
const MASK: u16 = (1 << BITS) - 1;

/// Register number `index`.
pub(super) fn get(registers: &[u8], index: usize) -> u8 {
    let (at, shift) = (index * BITS / 8, index * BITS % 8);
    let low = u16::from(registers[at]);
    // The last register ends with the last byte.
    let high = u16::from(registers.get(at + 1).copied().unwrap_or(0));
    (((high << 8 | low) >> shift) & MASK) as u8
}

/// Sets register number `index`.
pub(super) fn set(registers: &mut [u8], index: usize, rank: u8) {
    let (at, shift) = (index * BITS / 8, index * BITS % 8);
    let low = u16::from(registers[at]);
    let high = u16::from(registers.get(at + 1).copied().unwrap_or(0));
    let both = (high << 8 | low) & !(MASK << shift) | u16::from(rank) << shift;
    registers[at] = both as u8;
    if let Some(high) = registers.get_mut(at + 1) {
        *high = (both >> 8) as u8;
    }
}

/// Raises a register to `rank`; false if it was that high.
pub(super) fn raise(registers: &mut [u8], index: usize, rank: u8) -> bool {
    let raises = rank > get(registers, index);
    if raises {
        set(registers, index, rank);
    }
    raises
}

/// Calls `each` with every register in order: four of them are three bytes.
pub(super) fn for_each(registers: &[u8], mut each: impl FnMut(usize, u8)) {
    for (nth, [a, b, c]) in registers.as_chunks::<3>().0.iter().enumerate() {
        let word = u32::from_le_bytes([*a, *b, *c, 0]);
        for part in 0..4 {
            let rank = (word >> (part * BITS)) as u8 & MASK as u8;
            each(nth * 4 + part, rank);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_do_not_touch_each_other() {
        let mut registers = vec![0; BYTES];
        let mut expected = vec![0u8; REGISTERS];
        for step in 0..200_000usize {
            let index = step.wrapping_mul(2_654_435_761) % REGISTERS;
            let rank = (step % 64) as u8;
            set(&mut registers, index, rank);
            expected[index] = rank;
        }
        let mut seen = vec![0; REGISTERS];
        for_each(&registers, |index, rank| seen[index] = rank);
        assert_eq!(seen, expected);
        assert!((0..REGISTERS).all(|index| get(&registers, index) == expected[index]));
    }
}
