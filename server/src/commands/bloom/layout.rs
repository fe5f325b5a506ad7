//! How large a layer has to be to keep to its error rate.
//!
//! A layer of one chunk is an ordinary Bloom filter: with `m` bits, `k` hash functions and `n` items a bit is still clear with
//! probability `(1 - 1/m)^(k n)`, and all bits of another item are set with probability `(1 - that)^k`. In a layer
//! of many chunks the number of items in a chunk varies (a Poisson distribution), and the fuller ones err more than
//! the emptier ones make up for; the mean over that distribution is what has to keep to the rate.
//!
//! Only additions, multiplications and divisions are used, no logarithms: every machine must come to the same size,
//! since a replica and a replay place bits by it.

/// Most bytes of a chunk, and those of nearly every one: with its key it fills a page and a block of the allocator.
pub(super) const CHUNK_BYTES: u16 = 2016;
/// More hash functions do not help: items whose 64-bit hashes are equal cannot be told apart anyway.
const HASHES_MAX: u8 = 60;
/// Sizes of chunks are multiples of this.
const STEP_BYTES: u16 = 8;

/// Size of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) chunks: u32,
    pub(super) chunk_bytes: u16,
    /// Bits of an item.
    pub(super) hashes: u8,
}

impl Layout {
    /// The smallest layer that takes `capacity` items with this error rate; `None` if it would be too large.
    pub(super) fn fit(capacity: u64, error: f64) -> Option<Layout> {
        let hashes = hashes_for(error);
        let fits_one = |bytes: u16| rate(hashes, bytes, capacity as f64) <= error;
        if fits_one(CHUNK_BYTES) {
            let steps = first(1, u64::from(CHUNK_BYTES / STEP_BYTES), |steps| {
                fits_one(steps as u16 * STEP_BYTES)
            });
            return Some(Layout {
                chunks: 1,
                chunk_bytes: steps as u16 * STEP_BYTES,
                hashes,
            });
        }
        let fits =
            |chunks: u64| mean_rate(hashes, CHUNK_BYTES, capacity as f64 / chunks as f64) <= error;
        let mut high = 2;
        while !fits(high) {
            high *= 2;
            if high > u64::from(u32::MAX) {
                return None;
            }
        }
        let chunks = u32::try_from(first(high / 2, high, fits)).ok()?;
        // A few chunks need not all be full pages.
        let items = capacity as f64 / f64::from(chunks);
        let steps = first(1, u64::from(CHUNK_BYTES / STEP_BYTES), |steps| {
            mean_rate(hashes, steps as u16 * STEP_BYTES, items) <= error
        });
        Some(Layout {
            chunks,
            chunk_bytes: steps as u16 * STEP_BYTES,
            hashes,
        })
    }

    pub(super) fn chunk_bits(&self) -> u32 {
        u32::from(self.chunk_bytes) * 8
    }

    /// Bytes of all chunks.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.chunks) * u64::from(self.chunk_bytes)
    }

    /// True if it could be the result of [`Layout::fit`]: what comes from outside is asked.
    pub(super) fn is_sound(&self) -> bool {
        (1..=HASHES_MAX).contains(&self.hashes)
            && (STEP_BYTES..=CHUNK_BYTES).contains(&self.chunk_bytes)
            && self.chunks > 0
    }
}

/// The number of hash functions that needs the fewest bits: minus the binary logarithm of the rate, rounded up.
fn hashes_for(error: f64) -> u8 {
    let (mut hashes, mut rate) = (1, 0.5);
    while rate > error && hashes < HASHES_MAX {
        hashes += 1;
        rate /= 2.0;
    }
    hashes
}

/// The smallest number of `low..=high` for which `holds`; it does for `high`, and for all above one that does.
fn first(mut low: u64, mut high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while low < high {
        let mid = low + (high - low) / 2;
        if holds(mid) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    high
}

/// `base` to the power of a whole number.
fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut result = 1.0;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result *= base;
        }
        base *= base;
        exponent >>= 1;
    }
    result
}

/// The rate of errors of one chunk that has this many items.
fn rate(hashes: u8, bytes: u16, items: f64) -> f64 {
    let clear = power(1.0 - 1.0 / (f64::from(bytes) * 8.0), u64::from(hashes));
    power(1.0 - power(clear, items as u64), u64::from(hashes))
}

/// The mean rate of errors of chunks that have this many items on the average.
fn mean_rate(hashes: u8, bytes: u16, items: f64) -> f64 {
    /// Weights below this are left out.
    const NOTHING: f64 = 1e-20;
    let one = f64::from(bytes) * 8.0;
    if items > one * 4.0 {
        // No bit would be left clear; nor could the sum be made in a short time.
        return 1.0;
    }
    let middle = items as u64;
    let (mut weights, mut errors) = (0.0, 0.0);
    let mut add = |weight: f64, number: u64| {
        weights += weight;
        errors += weight * rate(hashes, bytes, number as f64);
    };
    let (mut weight, mut number) = (1.0, middle);
    while weight > NOTHING {
        add(weight, number);
        number += 1;
        weight *= items / number as f64;
    }
    (weight, number) = (1.0, middle);
    while number > 0 && weight > NOTHING {
        weight *= number as f64 / items;
        number -= 1;
        add(weight, number);
    }
    errors / weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_layers_are_as_large_as_those_of_an_ordinary_filter() {
        for (capacity, error, bytes) in [(100, 0.005, 144), (1000, 0.0005, 1984), (1, 0.5, 8)] {
            let layout = Layout::fit(capacity, error).expect("it is small");
            assert_eq!(
                (layout.chunks, layout.chunk_bytes),
                (1, bytes),
                "{capacity} {error}"
            );
        }
    }

    #[test]
    fn uneven_chunks_cost_little() {
        for (error, more) in [(0.01, 1.01), (0.001, 1.012), (0.000_001, 1.025)] {
            let capacity = 10_000_000u64;
            let layout = Layout::fit(capacity, error).expect("it is not that large");
            let ideal = capacity as f64 * -f64::ln(error) / (2f64.ln() * 2f64.ln());
            let bits = layout.bytes() as f64 * 8.0;
            assert!(
                bits >= ideal && bits < ideal * more,
                "{error}: {bits} against {ideal}"
            );
        }
    }

    #[test]
    fn hashes_are_as_many_as_halvings() {
        for (error, hashes) in [
            (0.9, 1),
            (0.5, 1),
            (0.49, 2),
            (0.01, 7),
            (0.005, 8),
            (1e-300, 60),
        ] {
            assert_eq!(hashes_for(error), hashes, "{error}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert_eq!(Layout::fit(u64::MAX, 0.01), None);
        assert_eq!(Layout::fit(1 << 50, 0.01), None);
        assert!(Layout::fit(1 << 32, 0.01).is_some_and(|layout| layout.is_sound()));
    }
}
