//! How long commands take: counters by logarithm, one writer each.
//!
//! A bucket is an eighth of an octave: its bounds differ by at most 12.5 %. A histogram is two kilobytes, made at
//! the first call of its command on its worker.

use std::sync::OnceLock;

use crate::stats::Counter;

const SUB_BITS: u32 = 3;
const SUB: usize = 1 << SUB_BITS;
/// Up to 2^37 ns, two minutes; what is longer counts there.
const BUCKETS: usize = (38 - SUB_BITS as usize) * SUB;

/// Durations of one command on one worker.
#[derive(Debug, Default)]
pub struct Histogram(OnceLock<Box<[Counter]>>);

impl Histogram {
    /// Counts a duration; only the owning worker may.
    #[inline]
    pub fn record(&self, nanos: u64) {
        let buckets = self
            .0
            .get_or_init(|| (0..BUCKETS).map(|_| Counter::default()).collect());
        buckets[bucket_of(nanos)].add(1);
    }

    /// Adds what was counted to a sum.
    pub fn add_to(&self, sum: &mut Distribution) {
        if let Some(buckets) = self.0.get() {
            for (sum, bucket) in sum.0.iter_mut().zip(buckets) {
                *sum += bucket.get();
            }
        }
    }
}

#[inline]
fn bucket_of(nanos: u64) -> usize {
    if nanos < SUB as u64 {
        return nanos as usize;
    }
    let octave = 63 - nanos.leading_zeros();
    let sub = (nanos >> (octave - SUB_BITS)) as usize & (SUB - 1);
    (((octave - SUB_BITS + 1) as usize) * SUB + sub).min(BUCKETS - 1)
}

/// The largest duration of a bucket.
fn bound_of(bucket: usize) -> u64 {
    if bucket < SUB {
        return bucket as u64;
    }
    let (octave, sub) = (bucket / SUB - 1, (bucket % SUB) as u64);
    ((SUB as u64 + sub + 1) << octave) - 1
}

/// Durations summed over workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution(Vec<u64>);

impl Default for Distribution {
    fn default() -> Self {
        Distribution(vec![0; BUCKETS])
    }
}

impl Distribution {
    /// Number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What came since `earlier` was taken.
    #[must_use]
    pub fn since(&self, earlier: Option<&Distribution>) -> Distribution {
        let Some(earlier) = earlier else {
            return self.clone();
        };
        Distribution(
            self.0
                .iter()
                .zip(&earlier.0)
                .map(|(now, then)| now - then)
                .collect(),
        )
    }

    /// The duration in nanoseconds that `percent` of the calls did not exceed.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = ((percent / 100.0 * self.count() as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        bound_of(reached.unwrap_or(0))
    }

    /// Adds the durations of another.
    pub fn add(&mut self, other: &Distribution) {
        for (sum, more) in self.0.iter_mut().zip(&other.0) {
            *sum += more;
        }
    }

    /// Calls up to bounds that quadruple, from a (binary) microsecond to a minute: nanoseconds and calls so far.
    #[must_use]
    pub fn cumulative_by_quadrupling(&self) -> Vec<(u64, u64)> {
        let (mut seen, mut bucket) = (0, 0);
        let up_to = |octave: u32| {
            while bucket < BUCKETS && bound_of(bucket) < 1 << octave {
                seen += self.0[bucket];
                bucket += 1;
            }
            (1 << octave, seen)
        };
        (10..=36).step_by(2).map(up_to).collect()
    }

    /// Calls up to each power of two of (binary) microseconds that took some: microseconds and calls so far.
    #[must_use]
    pub fn cumulative_by_power(&self) -> Vec<(u64, u64)> {
        const FIRST_OCTAVE: usize = 10;
        let mut steps = Vec::new();
        let (mut seen, mut told) = (0, 0);
        let mut bucket = 0;
        for octave in FIRST_OCTAVE..=38 {
            while bucket < BUCKETS && bound_of(bucket) < 1 << octave {
                seen += self.0[bucket];
                bucket += 1;
            }
            if seen > told {
                told = seen;
                steps.push(((1u64 << octave) / 1000, seen));
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lies_within_its_bucket() {
        for nanos in (0..2000).chain([1 << 20, (1 << 20) + 1, 123_456_789, (1 << 37) - 1]) {
            let bucket = bucket_of(nanos);
            assert!(bound_of(bucket) >= nanos, "{nanos}");
            assert!(bucket == 0 || bound_of(bucket - 1) < nanos, "{nanos}");
            assert!(
                bound_of(bucket) as f64 <= nanos as f64 * 1.125 + 1.0,
                "{nanos}"
            );
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_and_steps_count_every_call() {
        let histogram = Histogram::default();
        for micros in 1..=100 {
            histogram.record(micros * 1000);
        }
        let mut sum = Distribution::default();
        histogram.add_to(&mut sum);
        assert_eq!(sum.count(), 100);
        assert!(
            (45_000..60_000).contains(&sum.percentile(50.0)),
            "{}",
            sum.percentile(50.0)
        );
        assert!((100_000..113_000).contains(&sum.percentile(100.0)));
        let steps = sum.cumulative_by_power();
        assert_eq!(steps.last(), Some(&(131, 100)));
        assert!(steps.is_sorted());
        assert_eq!(sum.since(Some(&sum)).count(), 0);
        let steps = sum.cumulative_by_quadrupling();
        assert_eq!((steps[0], steps[1]), ((1 << 10, 1), (1 << 12, 4)));
        assert_eq!(steps.last(), Some(&(1 << 36, 100)));
        let mut twice = sum.clone();
        twice.add(&sum);
        assert_eq!(twice.count(), 200);
    }
}
