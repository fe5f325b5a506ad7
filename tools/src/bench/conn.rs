//! One connection of a worker: requests out, replies in, and what is under way between them.
//!
//! The socket is non-blocking and watched edge-triggered. `receive` may stop before the socket is
//! empty only if nothing more can come (all replies are there) or the read was short (the socket
//! was drained), so no edge is lost.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, anyhow, bail};

use super::args::Plan;
use super::stats::{Stats, WRONG_EXAMPLES};
use super::template::Source;
use super::wire::{ReplySkipper, Sink};

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Op {
    /// When it was sent, or should have been; since the start of the phase.
    at_ns: u64,
    command: u32,
    hot: bool,
}

/// What is known of the reply that is coming in.
#[derive(Debug, Default)]
struct Reply {
    errored: bool,
    misses: u32,
    wrong: u32,
    checked: u32,
    /// Keys taken from the queue so far.
    keys_taken: usize,
    value: Option<Value>,
}

/// The value that is being compared.
#[derive(Clone, Copy, Debug)]
struct Value {
    key: u64,
    len: u64,
    at: u64,
    right: bool,
}

pub(crate) struct Conn {
    stream: TcpStream,
    out: Vec<u8>,
    sent: usize,
    under_way: VecDeque<Op>,
    /// Keys of the requests under way whose values are to be checked.
    keys: VecDeque<u64>,
    skipper: ReplySkipper,
    /// The incomplete line at the end of the last read.
    leftover: Vec<u8>,
    reply: Reply,
}

/// Time, in nanoseconds since the start of the phase.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now_ns: u64,
    /// Requests from before are not counted.
    pub(crate) measure_from_ns: u64,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream) -> anyhow::Result<Conn> {
        stream.set_nonblocking(true)?;
        Ok(Conn {
            stream,
            out: Vec::new(),
            sent: 0,
            under_way: VecDeque::new(),
            keys: VecDeque::new(),
            skipper: ReplySkipper::default(),
            leftover: Vec::new(),
            reply: Reply::default(),
        })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Whether requests wait for the socket.
    pub(crate) fn has_unsent(&self) -> bool {
        self.sent < self.out.len()
    }

    /// Adds a request, to be sent by [`Conn::flush`]; its latency counts from `at_ns`.
    #[inline]
    pub(crate) fn append(&mut self, plan: &Plan, source: &mut Source<'_>, at_ns: u64) {
        let index = source.choose(&plan.commands, plan.weight_sum);
        let command = &plan.commands[index];
        let keys = (plan.verify && command.reads_values).then_some(&mut self.keys);
        let hot = command.append(source, &mut self.out, keys);
        self.under_way.push_back(Op {
            at_ns,
            command: index as u32,
            hot,
        });
    }

    /// Sends what the socket takes; the rest goes when it is writable again.
    pub(crate) fn flush(&mut self, stats: &mut Stats, counted: bool) -> anyhow::Result<()> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(count) => {
                    self.sent += count;
                    stats.bytes_out += if counted { count as u64 } else { 0 };
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("sending to the server"),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Takes in the replies that have come. `clock` is read once per system call.
    pub(crate) fn receive(
        &mut self,
        plan: &Plan,
        buf: &mut [u8],
        stats: &mut Stats,
        clock: impl Fn() -> Moment,
    ) -> anyhow::Result<()> {
        loop {
            let kept = self.leftover.len();
            buf[..kept].copy_from_slice(&self.leftover);
            let count = match self.stream.read(&mut buf[kept..]) {
                Ok(0) => bail!(closed(stats)),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("receiving from the server"),
            };
            let moment = clock();
            if moment.now_ns >= moment.measure_from_ns {
                stats.bytes_in += count as u64;
            }
            let filled = &buf[..kept + count];
            let mut sink = ReplySink {
                plan,
                stats,
                moment,
                under_way: &mut self.under_way,
                keys: &mut self.keys,
                reply: &mut self.reply,
                unasked: false,
            };
            let consumed = self
                .skipper
                .feed(filled, &mut sink)
                .map_err(|text| anyhow!("protocol error: {text}"))?;
            if sink.unasked {
                bail!("protocol error: a reply that nobody asked for");
            }
            self.leftover.clear();
            self.leftover.extend_from_slice(&filled[consumed..]);
            if self.under_way.is_empty() || kept + count < buf.len() {
                return Ok(());
            }
        }
    }
}

fn closed(stats: &Stats) -> String {
    match stats.error_texts.keys().next() {
        Some(text) => format!("the server closed a connection; it had said: {text}"),
        None => "the server closed a connection".to_owned(),
    }
}

struct ReplySink<'a> {
    plan: &'a Plan,
    stats: &'a mut Stats,
    moment: Moment,
    under_way: &'a mut VecDeque<Op>,
    keys: &'a mut VecDeque<u64>,
    reply: &'a mut Reply,
    unasked: bool,
}

impl ReplySink<'_> {
    /// The key whose value the next element should be, if that is to be checked.
    fn next_key(&mut self) -> Option<u64> {
        if !self.plan.verify {
            return None;
        }
        let command = &self.plan.commands[self.under_way.front()?.command as usize];
        if !command.reads_values || self.reply.keys_taken == command.draws {
            return None;
        }
        self.reply.keys_taken += 1;
        self.keys.pop_front()
    }

    fn value_done(&mut self, value: Value) {
        self.reply.value = None;
        self.reply.checked += 1;
        if value.right {
            return;
        }
        self.reply.wrong += 1;
        if self.stats.wrong_examples.len() < WRONG_EXAMPLES {
            let expected = self.plan.values.len_of(value.key);
            let text = if value.len == expected {
                format!(
                    "key number {}: {} bytes, but not the right ones",
                    value.key, value.len
                )
            } else {
                format!(
                    "key number {}: {} bytes instead of {expected}",
                    value.key, value.len
                )
            };
            self.stats.wrong_examples.push(text);
        }
    }

    /// Leaves the queue of keys where the next reply begins, whatever this one was.
    fn drop_keys(&mut self, command: usize) {
        let command = &self.plan.commands[command];
        if self.plan.verify && command.reads_values {
            self.keys.drain(..command.draws - self.reply.keys_taken);
        }
    }
}

impl Sink for ReplySink<'_> {
    #[inline]
    fn nil(&mut self) {
        self.reply.misses += 1;
        self.next_key();
    }

    fn error(&mut self, text: &[u8]) {
        self.reply.errored = true;
        self.stats.error_text(&String::from_utf8_lossy(text));
    }

    #[inline]
    fn bulk(&mut self, len: u64) {
        if let Some(key) = self.next_key() {
            let value = Value {
                key,
                len,
                at: 0,
                right: len == self.plan.values.len_of(key),
            };
            if len == 0 {
                self.value_done(value);
            } else {
                self.reply.value = Some(value);
            }
        }
    }

    #[inline]
    fn piece(&mut self, bytes: &[u8]) {
        let Some(mut value) = self.reply.value else {
            return;
        };
        value.right = value.right && self.plan.values.matches(value.key, value.at, bytes);
        value.at += bytes.len() as u64;
        if value.at == value.len {
            self.value_done(value);
        } else {
            self.reply.value = Some(value);
        }
    }

    #[inline]
    fn end(&mut self) {
        let Some(op) = self.under_way.pop_front() else {
            self.unasked = true;
            return;
        };
        let command = op.command as usize;
        self.drop_keys(command);
        let reply = std::mem::take(self.reply);
        let Moment {
            now_ns,
            measure_from_ns,
        } = self.moment;
        if op.at_ns < measure_from_ns {
            return;
        }
        let stats = &mut self.stats.commands[command];
        stats.errors += u64::from(reply.errored);
        stats.misses += u64::from(reply.misses);
        stats.wrong += u64::from(reply.wrong);
        stats.checked += u64::from(reply.checked);
        let hot = op.hot && self.plan.splits_hot;
        self.stats
            .record(command, hot, now_ns - op.at_ns, now_ns - measure_from_ns);
    }
}
