//! Which key comes next: uniform, Zipf, sequential, or Zipf over the most recently written.
//!
//! Zipf draws a *rank* (0 is the most popular) exactly, by rejection, for any number of keys, and
//! [`Scatter`] turns the rank into a key, so that popular keys are strewn over the key space: hot
//! keys that are neighbours would share disk blocks and flatter a tiered store. The scattering
//! depends on the number of keys alone, not on the seed, so two runs have the same hot set.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::Rng;
use rand::distr::Distribution as _;
use rand::rngs::SmallRng;
use rand_distr::Zipf;

/// A distribution as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Dist {
    /// Every key is as likely as any other.
    Uniform,
    /// Popularity falls with rank to the power of the exponent.
    Zipf(f64),
    /// Key 0, 1, 2, … and around again, in one order shared by all threads.
    Sequential,
    /// Writes go to the next key in turn; reads prefer what was written last, by Zipf.
    Latest(f64),
}

impl Dist {
    /// Whether keys have a popularity rank.
    pub(crate) fn is_ranked(self) -> bool {
        matches!(self, Dist::Zipf(_) | Dist::Latest(_))
    }
}

const DEFAULT_EXPONENT: f64 = 0.99;

impl FromStr for Dist {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, exponent) = match text.split_once(':') {
            Some((name, number)) => (name, Some(parse_exponent(number)?)),
            None => (text, None),
        };
        match (name, exponent) {
            ("uniform", None) => Ok(Dist::Uniform),
            ("sequential", None) => Ok(Dist::Sequential),
            ("zipf", exponent) => Ok(Dist::Zipf(exponent.unwrap_or(DEFAULT_EXPONENT))),
            ("latest", exponent) => Ok(Dist::Latest(exponent.unwrap_or(DEFAULT_EXPONENT))),
            _ => Err(format!(
                "'{text}' is not uniform, sequential, zipf[:EXPONENT] or latest[:EXPONENT]"
            )),
        }
    }
}

fn parse_exponent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(exponent) if exponent > 0.0 && exponent <= 10.0 => Ok(exponent),
        _ => Err(format!(
            "the exponent '{text}' is not a number above 0 and up to 10"
        )),
    }
}

impl fmt::Display for Dist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dist::Uniform => f.write_str("uniform"),
            Dist::Sequential => f.write_str("sequential"),
            Dist::Zipf(exponent) => write!(f, "zipf:{exponent}"),
            Dist::Latest(exponent) => write!(f, "latest:{exponent}"),
        }
    }
}

/// A drawn key and whether it belongs to the hot set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    pub(crate) key: u64,
    pub(crate) hot: bool,
}

/// Draws keys for one thread. Clones share the sequence of `sequential` and `latest`.
#[derive(Clone, Debug)]
pub(crate) struct Picker {
    keys: u64,
    /// Ranks below this are hot.
    hot_ranks: u64,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Uniform,
    Zipf(Zipf<f64>, Scatter),
    /// The number of keys drawn so far, over all threads.
    Sequential(Arc<AtomicU64>),
    /// The number of keys written so far, over all threads.
    Latest(Zipf<f64>, Arc<AtomicU64>),
}

impl Picker {
    /// A picker over keys `0..keys`; `hot_ranks` of them, the most popular, are called hot.
    pub(crate) fn new(dist: Dist, keys: u64, hot_ranks: u64) -> Picker {
        assert!(keys > 0, "a picker needs keys to pick from");
        let zipf = |exponent| Zipf::new(keys as f64, exponent).expect("checked when it was parsed");
        let source = match dist {
            Dist::Uniform => Source::Uniform,
            Dist::Zipf(exponent) => Source::Zipf(zipf(exponent), Scatter::new(keys)),
            Dist::Sequential => Source::Sequential(Arc::default()),
            Dist::Latest(exponent) => Source::Latest(zipf(exponent), Arc::default()),
        };
        Picker {
            keys,
            hot_ranks,
            source,
        }
    }

    /// The next key for a command that writes, or only reads.
    #[inline]
    pub(crate) fn next(&self, rng: &mut SmallRng, writes: bool) -> Draw {
        let cold = |key| Draw { key, hot: false };
        match &self.source {
            Source::Uniform => cold(rng.random_range(0..self.keys)),
            Source::Zipf(zipf, scatter) => {
                let rank = self.rank(zipf, rng);
                Draw {
                    key: scatter.key_of(rank),
                    hot: rank < self.hot_ranks,
                }
            }
            Source::Sequential(next) => cold(next.fetch_add(1, Ordering::Relaxed) % self.keys),
            Source::Latest(_, head) if writes => Draw {
                key: head.fetch_add(1, Ordering::Relaxed) % self.keys,
                hot: self.hot_ranks > 0,
            },
            Source::Latest(zipf, head) => {
                let rank = self.rank(zipf, rng);
                let newest = (head.load(Ordering::Relaxed) + self.keys - 1) % self.keys;
                Draw {
                    key: (newest + self.keys - rank) % self.keys,
                    hot: rank < self.hot_ranks,
                }
            }
        }
    }

    #[inline]
    fn rank(&self, zipf: &Zipf<f64>, rng: &mut SmallRng) -> u64 {
        // The sampler yields 1..=keys; floating point may touch the far end.
        (zipf.sample(rng) as u64).clamp(1, self.keys) - 1
    }
}

/// A fixed bijection of `0..keys` onto itself that leaves no two neighbours together but by chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scatter {
    keys: u64,
    mask: u64,
    shift: u32,
}

impl Scatter {
    pub(crate) fn new(keys: u64) -> Scatter {
        let bits = (64 - (keys - 1).leading_zeros()).max(2);
        Scatter {
            keys,
            mask: u64::MAX >> (64 - bits),
            shift: bits.div_ceil(2),
        }
    }

    /// Mixes within the next power of two, again and again until it lands inside: each step is a
    /// bijection (odd factor, shift to the right), so the walk is one too. Below two steps on average.
    #[inline]
    pub(crate) fn key_of(&self, rank: u64) -> u64 {
        debug_assert!(rank < self.keys);
        let mut x = rank;
        loop {
            x = x.wrapping_add(0x9E37_79B9_7F4A_7C15) & self.mask;
            x ^= x >> self.shift;
            x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93) & self.mask;
            x ^= x >> self.shift;
            x = x.wrapping_mul(0xA5A3_564E_B2E6_97B5) & self.mask;
            x ^= x >> self.shift;
            if x < self.keys {
                return x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn names_parse_and_print_the_same() {
        for text in [
            "uniform",
            "sequential",
            "zipf:0.99",
            "zipf:1.2",
            "latest:0.8",
        ] {
            assert_eq!(text.parse::<Dist>().unwrap().to_string(), text);
        }
        assert_eq!("zipf".parse::<Dist>(), Ok(Dist::Zipf(0.99)));
        for bad in ["", "zipf:", "zipf:-1", "zipf:nan", "uniform:1", "pareto"] {
            assert!(bad.parse::<Dist>().is_err(), "{bad}");
        }
    }

    #[test]
    fn scatter_is_a_bijection_for_any_number_of_keys() {
        for keys in [1, 2, 3, 4, 5, 7, 100, 1000, 1024, 1025, 65_537] {
            let scatter = Scatter::new(keys);
            let mut seen = vec![false; keys as usize];
            for rank in 0..keys {
                let key = scatter.key_of(rank) as usize;
                assert!(
                    !std::mem::replace(&mut seen[key], true),
                    "{keys} keys: {key} came twice"
                );
            }
        }
    }

    #[test]
    fn hot_keys_are_not_neighbours() {
        let keys = 1_000_000;
        let scatter = Scatter::new(keys);
        let mut hot: Vec<u64> = (0..10_000).map(|rank| scatter.key_of(rank)).collect();
        hot.sort_unstable();
        // Thrown at random, about 1 % of neighbours would touch, and each tenth of the key space
        // would hold a tenth of them.
        let touching = hot.windows(2).filter(|pair| pair[1] - pair[0] == 1).count();
        assert!(touching < 200, "{touching} of 10000 hot keys touch");
        for tenth in 0..10 {
            let range = tenth * keys / 10..(tenth + 1) * keys / 10;
            let count = hot.iter().filter(|key| range.contains(key)).count();
            assert!(
                (850..1150).contains(&count),
                "{count} hot keys in {range:?}"
            );
        }
    }

    /// Draws against the exact probabilities, by the chi-square statistic over the first ranks and
    /// the rest as one class.
    fn zipf_fits(keys: u64, exponent: f64) {
        const CLASSES: usize = 50;
        const DRAWS: usize = 400_000;
        let picker = Picker::new(Dist::Zipf(exponent), keys, 0);
        let Source::Zipf(zipf, _) = &picker.source else {
            unreachable!("asked for Zipf")
        };
        let mut rng = SmallRng::seed_from_u64(7);
        let mut seen = [0u64; CLASSES + 1];
        for _ in 0..DRAWS {
            seen[(picker.rank(zipf, &mut rng) as usize).min(CLASSES)] += 1;
        }
        let total: f64 = (1..=keys).map(|rank| (rank as f64).powf(-exponent)).sum();
        let mut expected: Vec<f64> = (1..=CLASSES)
            .map(|rank| (rank as f64).powf(-exponent) / total)
            .collect();
        expected.push(1.0 - expected.iter().sum::<f64>());
        let chi_square: f64 = expected
            .iter()
            .zip(seen)
            .map(|(p, count)| (count as f64 - p * DRAWS as f64).powi(2) / (p * DRAWS as f64))
            .sum();
        // 50 degrees of freedom: one fair sampler in ten thousand is above 94.
        assert!(
            chi_square < 94.0,
            "{keys} keys, exponent {exponent}: chi-square {chi_square}"
        );
    }

    #[test]
    fn zipf_is_exact() {
        zipf_fits(1_000, 0.99);
        zipf_fits(1_000_000, 0.99);
        zipf_fits(100_000, 1.0);
        zipf_fits(100_000, 1.4);
    }

    #[test]
    fn zipf_reaches_far_ranks_of_a_hundred_million_keys() {
        let keys = 100_000_000;
        let picker = Picker::new(Dist::Zipf(0.99), keys, keys / 100);
        let mut rng = SmallRng::seed_from_u64(1);
        let draws: Vec<Draw> = (0..100_000).map(|_| picker.next(&mut rng, false)).collect();
        assert!(draws.iter().all(|draw| draw.key < keys));
        // ln(10^6)-ish over ln(10^8)-ish of the mass, a little more by the exponent below 1.
        let hot = draws.iter().filter(|draw| draw.hot).count();
        assert!(
            (72_000..80_000).contains(&hot),
            "{hot} of 100000 draws were hot"
        );
    }

    #[test]
    fn sequential_visits_every_key_in_order_over_all_clones() {
        let first = Picker::new(Dist::Sequential, 5, 0);
        let second = first.clone();
        let mut rng = SmallRng::seed_from_u64(1);
        let mut keys = Vec::new();
        for _ in 0..3 {
            keys.push(first.next(&mut rng, true).key);
            keys.push(second.next(&mut rng, false).key);
        }
        assert_eq!(keys, [0, 1, 2, 3, 4, 0]);
    }

    #[test]
    fn latest_reads_near_the_last_write() {
        let picker = Picker::new(Dist::Latest(0.99), 1000, 10);
        let mut rng = SmallRng::seed_from_u64(3);
        for _ in 0..500 {
            picker.next(&mut rng, true);
        }
        let near = (0..1000)
            .map(|_| picker.next(&mut rng, false))
            .inspect(|draw| assert_eq!(draw.hot, (490..500).contains(&draw.key)))
            .filter(|draw| (400..500).contains(&draw.key))
            .count();
        assert!(
            near > 600,
            "{near} of 1000 reads were among the last 100 writes"
        );
    }

    #[test]
    fn uniform_covers_the_keys_evenly() {
        let picker = Picker::new(Dist::Uniform, 10, 0);
        let mut rng = SmallRng::seed_from_u64(5);
        let mut seen = [0u32; 10];
        for _ in 0..100_000 {
            seen[picker.next(&mut rng, false).key as usize] += 1;
        }
        assert!(
            seen.iter().all(|count| (9_500..10_500).contains(count)),
            "{seen:?}"
        );
    }
}
