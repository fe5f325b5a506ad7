//! What a worker counts: latencies and outcomes per command, and per second if asked.
//!
//! Every worker has its own [`Stats`]; they are merged when the run is over. Latencies are kept in
//! nanoseconds to three digits, up to an hour.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

const LONGEST_NS: u64 = 3_600_000_000_000;
/// Distinct texts of error replies that are kept apart.
const ERROR_TEXTS: usize = 32;
const SECOND_NS: u64 = 1_000_000_000;

/// What happened to the requests of one command.
#[derive(Clone, Debug)]
pub(crate) struct CommandStats {
    /// Latencies of requests for hot keys, if they are told apart; otherwise empty.
    pub(crate) hot: Histogram<u64>,
    /// Latencies of all other requests.
    pub(crate) rest: Histogram<u64>,
    pub(crate) errors: u64,
    /// Replies, or elements of replies, that were null.
    pub(crate) misses: u64,
    /// Values that were not those of their keys.
    pub(crate) wrong: u64,
    /// Values that were compared.
    pub(crate) checked: u64,
}

impl CommandStats {
    fn new() -> CommandStats {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("constant bounds");
        CommandStats {
            hot: histogram(),
            rest: histogram(),
            errors: 0,
            misses: 0,
            wrong: 0,
            checked: 0,
        }
    }

    /// Replies counted, errors among them.
    pub(crate) fn count(&self) -> u64 {
        self.hot.len() + self.rest.len()
    }

    /// Latencies of all requests.
    pub(crate) fn all(&self) -> Histogram<u64> {
        let mut all = self.hot.clone();
        all.add(&self.rest).expect("same bounds");
        all
    }

    pub(crate) fn merge(&mut self, other: &CommandStats) {
        self.hot.add(&other.hot).expect("same bounds");
        self.rest.add(&other.rest).expect("same bounds");
        self.errors += other.errors;
        self.misses += other.misses;
        self.wrong += other.wrong;
        self.checked += other.checked;
    }
}

/// Everything one worker, or all together, counted while measuring.
#[derive(Clone, Debug)]
pub(crate) struct Stats {
    pub(crate) commands: Vec<CommandStats>,
    pub(crate) error_texts: BTreeMap<String, u64>,
    /// A few of the first wrong values, described.
    pub(crate) wrong_examples: Vec<String>,
    /// Latencies by the second in which the reply came; empty unless asked for.
    pub(crate) series: Vec<Histogram<u32>>,
    keeps_series: bool,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// When the last counted reply came, since the start of measuring.
    pub(crate) last_reply_ns: u64,
}

impl Stats {
    pub(crate) fn new(commands: usize, keeps_series: bool) -> Stats {
        Stats {
            commands: vec![CommandStats::new(); commands],
            error_texts: BTreeMap::new(),
            wrong_examples: Vec::new(),
            series: Vec::new(),
            keeps_series,
            bytes_in: 0,
            bytes_out: 0,
            last_reply_ns: 0,
        }
    }

    /// Counts a reply that came `now_ns` after the start of measuring.
    #[inline]
    pub(crate) fn record(&mut self, command: usize, hot: bool, latency_ns: u64, now_ns: u64) {
        let stats = &mut self.commands[command];
        let histogram = if hot { &mut stats.hot } else { &mut stats.rest };
        histogram.saturating_record(latency_ns);
        self.last_reply_ns = now_ns;
        if self.keeps_series {
            self.record_second((now_ns / SECOND_NS) as usize, latency_ns);
        }
    }

    fn record_second(&mut self, second: usize, latency_ns: u64) {
        while self.series.len() <= second {
            self.series
                .push(Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("constant bounds"));
        }
        self.series[second].saturating_record(latency_ns);
    }

    /// Remembers what an error reply said.
    pub(crate) fn error_text(&mut self, text: &str) {
        if let Some(count) = self.error_texts.get_mut(text) {
            *count += 1;
        } else if self.error_texts.len() < ERROR_TEXTS {
            self.error_texts.insert(text.to_owned(), 1);
        } else {
            *self
                .error_texts
                .entry("(other texts)".to_owned())
                .or_default() += 1;
        }
    }

    pub(crate) fn merge(&mut self, other: &Stats) {
        for (mine, theirs) in self.commands.iter_mut().zip(&other.commands) {
            mine.merge(theirs);
        }
        for (text, count) in &other.error_texts {
            *self.error_texts.entry(text.clone()).or_default() += count;
        }
        self.wrong_examples
            .extend(other.wrong_examples.iter().cloned());
        self.wrong_examples.truncate(WRONG_EXAMPLES);
        for (second, theirs) in other.series.iter().enumerate() {
            match self.series.get_mut(second) {
                Some(mine) => mine.add(theirs).expect("same bounds"),
                None => self.series.push(theirs.clone()),
            }
        }
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.last_reply_ns = self.last_reply_ns.max(other.last_reply_ns);
    }
}

/// How many wrong values are described.
pub(crate) const WRONG_EXAMPLES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_workers_count_as_one() {
        let (mut one, mut two) = (Stats::new(2, true), Stats::new(2, true));
        one.record(0, false, 1_000, 500);
        one.record(1, true, 2_000, 1_500_000_000);
        one.error_text("ERR a");
        two.record(0, false, 3_000, 2_100_000_000);
        two.error_text("ERR a");
        two.commands[0].misses = 3;
        one.merge(&two);
        assert_eq!(one.commands[0].count(), 2);
        assert_eq!(
            (one.commands[1].hot.len(), one.commands[1].rest.len()),
            (1, 0)
        );
        assert_eq!(one.commands[0].misses, 3);
        assert_eq!(one.error_texts["ERR a"], 2);
        assert_eq!(
            one.series.iter().map(Histogram::len).collect::<Vec<_>>(),
            [1, 1, 1]
        );
        assert_eq!(one.last_reply_ns, 2_100_000_000);
    }

    #[test]
    fn error_texts_are_bounded() {
        let mut stats = Stats::new(1, false);
        for i in 0..1000 {
            stats.error_text(&format!("MOVED {i}"));
        }
        assert_eq!(stats.error_texts.len(), ERROR_TEXTS + 1);
        assert_eq!(stats.error_texts.values().sum::<u64>(), 1000);
    }

    #[test]
    fn latencies_beyond_an_hour_are_kept_as_the_longest() {
        let mut stats = Stats::new(1, false);
        stats.record(0, false, u64::MAX, 1);
        assert!(stats.commands[0].rest.max() >= LONGEST_NS);
    }
}
