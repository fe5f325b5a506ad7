//! How often cold keys were touched lately: a count-min sketch of 4-bit counters that ages by halving
//! (the frequency sketch of TinyLFU, Einziger, Friedman and Manes 2017).
//!
//! It is what lets a read of a cold key prove itself before it takes memory from the hot set. It has to look back far
//! enough: a key that is worth its memory may be touched once in as many reads of cold keys as memory holds keys. So its
//! size goes with the budget. Each touch ages the next few counters, so that no read waits for all of them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::KeyHash;

/// Counters a key is counted in.
const ROWS: usize = 4;
/// Largest count.
const LIMIT: u8 = 15;
/// Counters in a word.
const PER_WORD: usize = 16;
/// The counters of a word, each without its highest bit.
const HALVES: u64 = 0x7777_7777_7777_7777;

/// The sketch; updates race harmlessly.
#[derive(Debug)]
pub(crate) struct Sketch {
    words: Box<[AtomicU64]>,
    /// The word that is aged next.
    next: AtomicUsize,
}

impl Sketch {
    /// A sketch of so many bytes (a power of two, 8 at least). It looks back over an eighth as many touches, which is a
    /// sixteenth of its counters, so that a pass over keys seen once leaves most counters at zero.
    pub(crate) fn new(bytes: usize) -> Sketch {
        assert!(bytes.is_power_of_two() && bytes >= size_of::<u64>());
        Sketch {
            words: (0..bytes / size_of::<u64>())
                .map(|_| AtomicU64::new(0))
                .collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// Bytes for a budget: about a sixtieth of it, 16 MiB at most.
    pub(crate) fn bytes_for(budget_bytes: u64) -> usize {
        const LEAST: u64 = 1 << 20;
        const MOST: u64 = 16 << 20;
        let bytes = (budget_bytes / 64).clamp(LEAST, MOST);
        1 << bytes.ilog2()
    }

    /// Counts a touch and returns how many the key has had lately, this one included (at most 15).
    pub(crate) fn touch(&self, hash: KeyHash) -> u8 {
        let mask = self.words.len() * PER_WORD - 1;
        let cells: [(&AtomicU64, usize); ROWS] = std::array::from_fn(|row| {
            let salted = hash.0 ^ (row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let cell = (salted.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32) as usize & mask;
            (&self.words[cell / PER_WORD], cell % PER_WORD * 4)
        });
        let count = |(word, shift): &(&AtomicU64, usize)| (word.load(Relaxed) >> shift) as u8 & 15;
        let least = cells.iter().map(count).min().unwrap_or(0);
        if least < LIMIT {
            // Conservative update: only the smallest counters say something about this key.
            for cell in &cells {
                if count(cell) == least {
                    let (word, shift) = cell;
                    word.store(word.load(Relaxed) + (1 << shift), Relaxed);
                }
            }
        }
        self.age_next();
        (least + 1).min(LIMIT)
    }

    fn age_next(&self) {
        let next = self.next.fetch_add(1, Relaxed) & (self.words.len() - 1);
        let word = &self.words[next];
        let counts = word.load(Relaxed);
        if counts != 0 {
            word.store((counts >> 1) & HALVES, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_stays_at_one_while_a_hot_key_rises() {
        let sketch = Sketch::new(1 << 12);
        let mut high = 0;
        for i in 0..30_000u64 {
            let count = sketch.touch(KeyHash::of(1, &i.to_le_bytes()));
            high += u32::from(count > 1);
        }
        assert!(
            high < 300,
            "{high} of 30000 keys seen once were counted more often"
        );
        let hot = KeyHash::of(1, b"hot");
        assert!((0..8).map(|_| sketch.touch(hot)).last() >= Some(7));
    }

    #[test]
    fn a_key_that_is_touched_as_often_as_the_sketch_looks_back_is_known_again() {
        const BYTES: u64 = 1 << 12;
        let sketch = Sketch::new(BYTES as usize);
        let regular = KeyHash::of(1, b"regular");
        let mut counts = Vec::new();
        for i in 0..BYTES * 4 {
            if i % (BYTES / 24) == 0 {
                counts.push(sketch.touch(regular));
            }
            sketch.touch(KeyHash::of(2, &i.to_le_bytes()));
        }
        let known = counts.iter().filter(|count| **count > 1).count();
        assert!(known * 10 > counts.len() * 8, "{counts:?}");
    }

    #[test]
    fn counts_age() {
        let sketch = Sketch::new(1 << 10);
        let hot = KeyHash::of(1, b"hot");
        for _ in 0..20 {
            sketch.touch(hot);
        }
        for _ in 0..sketch.words.len() {
            sketch.age_next();
        }
        let aged = sketch.touch(hot);
        assert!((6..=8).contains(&aged), "{aged}");
    }

    #[test]
    fn its_size_goes_with_the_budget() {
        assert_eq!(Sketch::bytes_for(0), 1 << 20);
        assert_eq!(Sketch::bytes_for(256 << 20), 4 << 20);
        assert_eq!(Sketch::bytes_for(1 << 40), 16 << 20);
    }
}
