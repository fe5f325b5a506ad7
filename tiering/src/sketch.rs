//! How often cold keys were touched lately: a count-min sketch of 4-bit counters that ages by halving
//! (the frequency sketch of TinyLFU, Einziger, Friedman and Manes 2017).
//!
//! It is what lets a read of a cold key prove itself before it takes memory from the hot set.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::KeyHash;

/// Rows of counters a key is counted in.
const ROWS: u64 = 4;
/// Largest count.
const LIMIT: u8 = 15;

/// The sketch; updates race harmlessly.
#[derive(Debug)]
pub(crate) struct Sketch {
    counters: Box<[AtomicU8]>,
    touches: AtomicU64,
    /// Touches after which all counters are halved.
    window: u64,
}

impl Sketch {
    /// A sketch of `counters` bytes (a power of two). The window is an eighth of that, so that a pass over
    /// keys seen once leaves most counters at zero.
    pub(crate) fn new(counters: usize) -> Sketch {
        assert!(counters.is_power_of_two());
        Sketch {
            counters: (0..counters).map(|_| AtomicU8::new(0)).collect(),
            touches: AtomicU64::new(0),
            window: counters as u64 / 8,
        }
    }

    /// Counts a touch and returns how many the key has had lately, this one included (at most 15).
    pub(crate) fn touch(&self, hash: KeyHash) -> u8 {
        let mask = self.counters.len() - 1;
        let cells: [&AtomicU8; ROWS as usize] = std::array::from_fn(|row| {
            let salted = hash.0 ^ (row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            &self.counters[(salted.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32) as usize & mask]
        });
        let least = cells
            .iter()
            .map(|cell| cell.load(Relaxed))
            .min()
            .unwrap_or(0);
        if least < LIMIT {
            // Conservative update: only the smallest counters say something about this key.
            cells
                .iter()
                .filter(|cell| cell.load(Relaxed) == least)
                .for_each(|cell| cell.store(least + 1, Relaxed));
        }
        if self.touches.fetch_add(1, Relaxed) + 1 >= self.window {
            self.age();
        }
        (least + 1).min(LIMIT)
    }

    fn age(&self) {
        self.touches.store(0, Relaxed);
        for counter in &self.counters {
            counter.store(counter.load(Relaxed) / 2, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_stays_at_one_while_a_hot_key_rises() {
        let sketch = Sketch::new(1 << 14);
        let mut high = 0;
        for i in 0..3000u64 {
            let count = sketch.touch(KeyHash::of(1, &i.to_le_bytes()));
            high += u32::from(count > 1);
        }
        assert!(
            high < 300,
            "{high} of 3000 keys seen once were counted more often"
        );
        let hot = KeyHash::of(1, b"hot");
        assert!((0..8).map(|_| sketch.touch(hot)).last() >= Some(8));
    }

    #[test]
    fn counts_age() {
        let sketch = Sketch::new(64);
        let hot = KeyHash::of(1, b"hot");
        for _ in 0..20 {
            sketch.touch(hot);
        }
        sketch.age();
        assert_eq!(sketch.touch(hot), 8);
    }
}
