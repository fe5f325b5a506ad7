//! Which bits are an item's. Filters on disk and in the log depend on it: it never changes.

use super::layout::Layout;
use crate::commands::hyperloglog::murmur64a;

const SEED: u64 = 0xb10c_f117;
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// An item, hashed: 64 bits choose its chunks, 64 others its bits there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    chunk: u64,
    bits: u64,
}

/// SplitMix64's mixing, by Sebastiano Vigna: every bit of the result depends on every bit of the number.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Place {
    pub(super) fn of(item: &[u8]) -> Self {
        let chunk = murmur64a(item, SEED);
        Place {
            chunk,
            bits: murmur64a(item, chunk),
        }
    }

    /// The chunk of a layer.
    pub(super) fn chunk(&self, layer: usize, layout: &Layout) -> u32 {
        let hash = mix(self
            .chunk
            .wrapping_add((layer as u64 + 1).wrapping_mul(STEP)));
        ((u128::from(hash) * u128::from(layout.chunks)) >> 64) as u32
    }

    /// The bits within that chunk.
    pub(super) fn bits(
        &self,
        layer: usize,
        layout: &Layout,
    ) -> impl Iterator<Item = usize> + use<> {
        let (bits, hashes) = (u64::from(layout.chunk_bits()), usize::from(layout.hashes));
        let mut state = self.bits ^ mix(layer as u64);
        let words = std::iter::repeat_with(move || {
            state = state.wrapping_add(STEP);
            mix(state)
        });
        let halves = words.flat_map(|word| [word >> 32, word & 0xffff_ffff]);
        halves
            .take(hashes)
            .map(move |half| ((half * bits) >> 32) as usize)
    }
}

/// True if all these bits are set.
pub(super) fn has_all(chunk: &[u8], mut bits: impl Iterator<Item = usize>) -> bool {
    bits.all(|bit| {
        chunk
            .get(bit / 8)
            .is_some_and(|byte| byte & (1 << (bit % 8)) != 0)
    })
}

/// Sets these bits.
pub(super) fn set_all(chunk: &mut [u8], bits: impl Iterator<Item = usize>) {
    bits.for_each(|bit| chunk[bit / 8] |= 1 << (bit % 8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_what_they_are() {
        let layout = Layout {
            chunks: 1000,
            chunk_bytes: 2016,
            hashes: 7,
        };
        let place = Place::of(b"item");
        let found = (
            place.chunk(3, &layout),
            place.bits(3, &layout).collect::<Vec<_>>(),
        );
        assert_eq!(found, (325, vec![8404, 533, 4237, 1038, 2423, 4277, 3021]));
    }

    /// Fills a layer to its capacity and asks for as many other items.
    fn measured(capacity: u64, error: f64) -> f64 {
        let layout = Layout::fit(capacity, error).expect("it is small");
        let mut chunks = vec![vec![0; usize::from(layout.chunk_bytes)]; layout.chunks as usize];
        for item in 0..capacity {
            let place = Place::of(format!("item:{item}").as_bytes());
            let chunk = place.chunk(0, &layout) as usize;
            set_all(&mut chunks[chunk], place.bits(0, &layout));
        }
        let asked = 1_000_000;
        let wrong = (0..asked).filter(|item| {
            let place = Place::of(format!("other:{item}").as_bytes());
            has_all(
                &chunks[place.chunk(0, &layout) as usize],
                place.bits(0, &layout),
            )
        });
        wrong.count() as f64 / f64::from(asked)
    }

    #[test]
    fn the_error_rate_holds() {
        // Three standard deviations of what is counted are allowed, and 3 % that the formula misses in tiny layers.
        for (capacity, error) in [
            (100, 0.005),
            (1_000, 0.01),
            (2_000, 0.01),
            (10_000, 0.1),
            (300_000, 0.01),
            (300_000, 0.001),
            (300_000, 0.000_05),
        ] {
            let found = measured(capacity, error);
            let most = error * 1.03 + 3.0 * (error / 1e6).sqrt();
            // One small layer is one sample: how many bits are set varies by itself.
            let most = if capacity < 10_000 { most * 1.35 } else { most };
            let least = if capacity < 10_000 { 0.5 } else { 0.85 };
            println!("{capacity} items at {error}: {found}");
            assert!(
                found <= most,
                "{capacity} items: {found} instead of {error}"
            );
            assert!(
                found >= error * least,
                "{capacity} items: {found} is far below {error}: bits are wasted"
            );
        }
    }
}
