//! How often a key is used: Redis' logarithmic 8-bit counter with decay.
//!
//! The counter rises with probability `1 / ((counter - 5) * lfu-log-factor + 1)` per access and falls by
//! one per `lfu-decay-time` minutes without access (Redis documentation, "LFU mode" of key eviction). Eight
//! bits of counter live in the hot table's word, sixteen bits of clock in the entry. Where an LRU policy is
//! chosen (memory-only mode) the same 24 bits hold the access time in seconds.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use crate::UnixMs;

/// Counter of a new key: high enough not to be the first victim.
pub(crate) const INITIAL: u8 = 5;

/// The parameters `lfu-log-factor`, `lfu-decay-time` and whether the bits mean LRU.
#[derive(Debug)]
pub(crate) struct Heat {
    /// `chance[c]` / 2^32: probability that counter `c` rises.
    chance: [AtomicU32; 256],
    decay_minutes: AtomicU32,
    lru: AtomicBool,
}

/// The reading of the clock in the units of the 24 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    minutes: u16,
    seconds: u32,
}

impl Tick {
    pub(crate) fn at(now: UnixMs) -> Tick {
        Tick {
            minutes: (now.0 / 60_000) as u16,
            seconds: (now.0 / 1000) as u32 & 0x00FF_FFFF,
        }
    }
}

impl Heat {
    pub(crate) fn new(log_factor: u32, decay_minutes: u32) -> Heat {
        let heat = Heat {
            chance: std::array::from_fn(|_| AtomicU32::new(0)),
            decay_minutes: AtomicU32::new(decay_minutes),
            lru: AtomicBool::new(false),
        };
        heat.configure(log_factor, decay_minutes, false);
        heat
    }

    /// Takes new parameters; they hold from the next access on.
    pub(crate) fn configure(&self, log_factor: u32, decay_minutes: u32, lru: bool) {
        for (counter, chance) in self.chance.iter().enumerate() {
            let above = counter.saturating_sub(usize::from(INITIAL)) as f64;
            let probability = if counter == 255 {
                0.0
            } else {
                1.0 / (above * f64::from(log_factor) + 1.0)
            };
            chance.store((probability * f64::from(u32::MAX)) as u32, Relaxed);
        }
        self.decay_minutes.store(decay_minutes, Relaxed);
        self.lru.store(lru, Relaxed);
    }

    /// True if the bits hold an access time.
    pub(crate) fn is_lru(&self) -> bool {
        self.lru.load(Relaxed)
    }

    /// Bits of a new key.
    pub(crate) fn fresh(&self, tick: Tick) -> (u8, u16) {
        if self.is_lru() {
            lru_bits(tick)
        } else {
            (INITIAL, tick.minutes)
        }
    }

    /// Bits of a key that comes from elsewhere, with what was known of it there.
    pub(crate) fn restored(
        &self,
        freq: Option<u8>,
        idle_seconds: Option<u64>,
        tick: Tick,
    ) -> (u8, u16) {
        let idle = idle_seconds.unwrap_or(0);
        if self.is_lru() {
            let seconds = tick.seconds.wrapping_sub(idle.min(0x00FF_FFFF) as u32);
            return lru_bits(Tick { seconds, ..tick });
        }
        let minutes = (idle / 60).min(u64::from(u16::MAX)) as u16;
        (freq.unwrap_or(INITIAL), tick.minutes.wrapping_sub(minutes))
    }

    /// Bits after an access.
    #[inline]
    pub(crate) fn touched(&self, counter: u8, clock: u16, tick: Tick) -> (u8, u16) {
        if self.is_lru() {
            return lru_bits(tick);
        }
        let counter = if clock == tick.minutes {
            counter
        } else {
            self.decayed(counter, clock, tick)
        };
        (self.raised(counter), tick.minutes)
    }

    /// The counter after one more access, without decay.
    pub(crate) fn raised(&self, counter: u8) -> u8 {
        let rises = fast_random() <= self.chance[usize::from(counter)].load(Relaxed);
        counter.saturating_add(u8::from(rises))
    }

    /// The counter as of now (for LRU: 255 minus a logarithm of the idle time, so that low is cold).
    pub(crate) fn decayed(&self, counter: u8, clock: u16, tick: Tick) -> u8 {
        if self.is_lru() {
            let idle = self.idle_seconds(counter, clock, tick);
            if idle == 0 {
                return 255;
            }
            return 255 - (((idle + 1) as f64).log2() * 10.0).min(255.0) as u8;
        }
        let period = self.decay_minutes.load(Relaxed);
        if period == 0 || clock == tick.minutes {
            return counter;
        }
        let periods = u32::from(tick.minutes.wrapping_sub(clock)) / period;
        counter.saturating_sub(periods.min(255) as u8)
    }

    /// Seconds since the last access (whole minutes under LFU).
    pub(crate) fn idle_seconds(&self, counter: u8, clock: u16, tick: Tick) -> u64 {
        if self.is_lru() {
            let then = u32::from(counter) | (u32::from(clock) << 8);
            return u64::from(tick.seconds.wrapping_sub(then) & 0x00FF_FFFF);
        }
        u64::from(tick.minutes.wrapping_sub(clock)) * 60
    }
}

fn lru_bits(tick: Tick) -> (u8, u16) {
    (tick.seconds as u8, (tick.seconds >> 8) as u16)
}

/// A fast, per-thread pseudo-random number (xorshift, Marsaglia 2003): sampling needs no more.
pub(crate) fn fast_random() -> u32 {
    (fast_random_u64() >> 32) as u32
}

/// As [`fast_random`], 64 bits.
pub(crate) fn fast_random_u64() -> u64 {
    use std::cell::Cell;
    thread_local! {
        static STATE: Cell<u64> = Cell::new(rand::random::<u64>() | 1);
    }
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_saturates_as_redis_documents() {
        // Redis' table: with factor 10, a thousand hits give about 18, a hundred thousand about 142.
        let heat = Heat::new(10, 1);
        let tick = Tick::at(UnixMs(0));
        let mean = |hits: u32| {
            let runs = 20;
            let sum: u32 = (0..runs)
                .map(|_| {
                    let mut bits = heat.fresh(tick);
                    for _ in 0..hits {
                        bits = heat.touched(bits.0, bits.1, tick);
                    }
                    u32::from(bits.0)
                })
                .sum();
            sum / runs
        };
        assert!((8..=13).contains(&mean(100)), "{}", mean(100));
        assert!((15..=22).contains(&mean(1000)), "{}", mean(1000));
        assert!((130..=155).contains(&mean(100_000)), "{}", mean(100_000));
    }

    #[test]
    fn the_counter_decays_by_one_a_period() {
        let heat = Heat::new(10, 2);
        let later = Tick::at(UnixMs(7 * 60_000));
        assert_eq!(heat.decayed(10, 0, later), 7);
        assert_eq!(heat.decayed(2, 0, later), 0);
        heat.configure(10, 0, false);
        assert_eq!(heat.decayed(10, 0, later), 10);
    }

    #[test]
    fn lru_bits_tell_the_idle_time() {
        let heat = Heat::new(10, 1);
        heat.configure(10, 1, true);
        let (low, high) = heat.fresh(Tick::at(UnixMs(1_000_000)));
        assert_eq!(
            heat.idle_seconds(low, high, Tick::at(UnixMs(1_300_000))),
            300
        );
    }
}
