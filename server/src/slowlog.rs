//! The slow log: the last commands that took longer than `slowlog-log-slower-than`.

use std::collections::VecDeque;

use basalt_resp::Args;
use basalt_tiering::UnixMs;
use parking_lot::Mutex;

/// Arguments kept of one command; the last one then says how many more there were.
const MAX_ARGS: usize = 32;
/// Bytes kept of one argument.
const MAX_ARG_BYTES: usize = 128;

/// One slow command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowEntry {
    /// Number, ever rising.
    pub id: u64,
    /// When it was logged, seconds since the Unix epoch.
    pub unix_seconds: u64,
    /// How long it ran.
    pub micros: u64,
    /// Its arguments, shortened.
    pub args: Vec<Vec<u8>>,
    /// Address of the client.
    pub addr: String,
    /// Name of the client.
    pub name: String,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    entries: VecDeque<SlowEntry>,
}

/// The log; newest first.
#[derive(Debug, Default)]
pub struct Slowlog {
    inner: Mutex<Inner>,
}

impl Slowlog {
    /// Adds a command and drops the oldest beyond `max_len`.
    pub fn record(
        &self,
        args: &Args<'_>,
        micros: u64,
        now: UnixMs,
        addr: &str,
        name: &str,
        max_len: usize,
    ) {
        let args = shorten(args);
        let mut inner = self.inner.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        inner.entries.push_front(SlowEntry {
            id,
            unix_seconds: now.0 / 1000,
            micros,
            args,
            addr: addr.to_owned(),
            name: name.to_owned(),
        });
        inner.entries.truncate(max_len);
    }

    /// The newest `count` entries, newest first.
    #[must_use]
    pub fn newest(&self, count: usize) -> Vec<SlowEntry> {
        self.inner
            .lock()
            .entries
            .iter()
            .take(count)
            .cloned()
            .collect()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.lock().entries.len()
    }

    /// True if nothing is logged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all entries; numbers go on.
    pub fn reset(&self) {
        self.inner.lock().entries.clear();
    }
}

fn shorten(args: &Args<'_>) -> Vec<Vec<u8>> {
    let kept = if args.len() > MAX_ARGS {
        MAX_ARGS - 1
    } else {
        args.len()
    };
    let mut out: Vec<Vec<u8>> = args.iter().take(kept).map(shorten_one).collect();
    if kept < args.len() {
        out.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    out
}

fn shorten_one(arg: &[u8]) -> Vec<u8> {
    if arg.len() <= MAX_ARG_BYTES {
        return arg.to_vec();
    }
    let mut out = arg[..MAX_ARG_BYTES].to_vec();
    out.extend_from_slice(format!("... ({} more bytes)", arg.len() - MAX_ARG_BYTES).as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use basalt_resp::OwnedArgs;

    #[test]
    fn long_commands_are_shortened_and_old_ones_dropped() {
        let log = Slowlog::default();
        let mut words = vec![vec![b'x'; 200]];
        words.extend((0..40).map(|i: i32| i.to_string().into_bytes()));
        let args = OwnedArgs::from_slices(&words);
        for micros in 0..5 {
            log.record(&args.as_args(), micros, UnixMs(7_000), "a:1", "", 3);
        }
        let entries = log.newest(10);
        assert_eq!(entries.iter().map(|e| e.id).collect::<Vec<_>>(), [4, 3, 2]);
        assert_eq!(entries[0].args.len(), MAX_ARGS);
        assert!(entries[0].args[0].ends_with(b"... (72 more bytes)"));
        assert_eq!(entries[0].args[31], b"... (10 more arguments)");
        log.reset();
        assert!(log.is_empty());
    }
}
