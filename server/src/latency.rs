//! Latency spikes (LATENCY LATEST, HISTORY): events that took at least `latency-monitor-threshold`.

use std::collections::{BTreeMap, VecDeque};

use basalt_tiering::UnixMs;
use parking_lot::Mutex;

/// Spikes kept of one event.
const MAX_SAMPLES: usize = 160;

/// One spike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spike {
    /// When, Unix seconds.
    pub unix_seconds: u64,
    /// How long, milliseconds.
    pub ms: u64,
}

/// The spikes of one event.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// The latest, oldest first; of one second only the longest.
    pub spikes: VecDeque<Spike>,
    /// The longest ever.
    pub max_ms: u64,
}

/// The spikes of all events.
#[derive(Debug, Default)]
pub struct Latency {
    events: Mutex<BTreeMap<&'static str, Event>>,
}

impl Latency {
    /// Notes a spike. Events are `command` and `fast-command`, as Redis calls them, and our background work.
    pub fn record(&self, event: &'static str, ms: u64, now: UnixMs) {
        let mut events = self.events.lock();
        let event = events.entry(event).or_default();
        event.max_ms = event.max_ms.max(ms);
        let spike = Spike {
            unix_seconds: now.0 / 1000,
            ms,
        };
        match event.spikes.back_mut() {
            Some(last) if last.unix_seconds == spike.unix_seconds => last.ms = last.ms.max(ms),
            _ => {
                event.spikes.push_back(spike);
                if event.spikes.len() > MAX_SAMPLES {
                    event.spikes.pop_front();
                }
            }
        }
    }

    /// All events.
    #[must_use]
    pub fn events(&self) -> BTreeMap<&'static str, Event> {
        self.events.lock().clone()
    }

    /// Forgets the events of these names, or all; returns how many there were.
    pub fn reset(&self, names: &[&[u8]]) -> usize {
        let mut events = self.events.lock();
        let before = events.len();
        let named = |event: &str| {
            names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(event.as_bytes()))
        };
        events.retain(|event, _| !names.is_empty() && !named(event));
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spike_a_second_is_kept_the_longest() {
        let latency = Latency::default();
        for (ms, at) in [(5, 1000), (9, 1900), (7, 1950), (3, 2000)] {
            latency.record("command", ms, UnixMs(at));
        }
        let event = &latency.events()["command"];
        let spikes: Vec<_> = event
            .spikes
            .iter()
            .map(|spike| (spike.unix_seconds, spike.ms))
            .collect();
        assert_eq!((spikes, event.max_ms), (vec![(1, 9), (2, 3)], 9));
        assert_eq!(
            (
                latency.reset(&[b"nosuch"]),
                latency.reset(&[b"COMMAND"]),
                latency.reset(&[])
            ),
            (0, 1, 0)
        );
    }
}
