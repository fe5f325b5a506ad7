//! The two buffers of a connection, and the worker's pool they come from.
//!
//! A connection holds a buffer only while there is something in it: ten thousand idle clients hold none, and
//! the few buffers in use stay in the processor's cache. A buffer that grew large is freed, not pooled.

use std::cell::{Cell, RefCell};

/// Size of a fresh buffer: one read of this size holds some hundred small commands.
const FRESH_BYTES: usize = 16 * 1024;
/// Largest buffer worth keeping.
const KEPT_BYTES: usize = 256 * 1024;
/// Bytes a pool keeps of each sort: enough for the clients whose pipelines run one after the other before the first of
/// them is answered.
const SHELF_BYTES: usize = 1 << 20;

/// Buffers ready for use.
#[derive(Debug, Default)]
pub struct Pool {
    inputs: Shelf,
    outputs: Shelf,
}

/// Those of one sort, the warmest last.
#[derive(Debug, Default)]
struct Shelf {
    buffers: RefCell<Vec<Vec<u8>>>,
    bytes: Cell<usize>,
}

impl Shelf {
    #[inline]
    fn take(&self) -> Option<Vec<u8>> {
        let buffer = self.buffers.borrow_mut().pop()?;
        self.bytes.set(self.bytes.get() - buffer.capacity());
        Some(buffer)
    }

    #[inline]
    fn put(&self, buffer: Vec<u8>) {
        let bytes = self.bytes.get() + buffer.capacity();
        if (1..=KEPT_BYTES).contains(&buffer.capacity()) && bytes <= SHELF_BYTES {
            self.bytes.set(bytes);
            self.buffers.borrow_mut().push(buffer);
        }
    }
}

/// Bytes read and not yet consumed. The buffer is initialized to its end, so that reading into it needs
/// neither zeroing nor unsafe code.
#[derive(Debug, Default)]
pub struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// What there is to decode.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Number of bytes to decode.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// True if there is nothing to decode.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room behind the bytes.
    #[must_use]
    pub fn free(&self) -> usize {
        self.buffer.len() - self.end
    }

    /// Drops the first `n` bytes.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.end, "more was consumed than there is");
    }

    /// Gives the buffer back if nothing is in it.
    pub fn release(&mut self, pool: &Pool) {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
            pool.inputs.put(std::mem::take(&mut self.buffer));
        }
    }

    /// Room to read into, when at least `needed` more bytes are awaited. Memory grows with what has arrived, at most
    /// fourfold, not with what was announced; and at least by half, since a command of many arguments announces them one
    /// by one, and each time all that is there is copied.
    pub fn room(&mut self, pool: &Pool, needed: usize) -> &mut [u8] {
        if self.buffer.is_empty() {
            self.buffer = pool.inputs.take().unwrap_or_else(|| vec![0; FRESH_BYTES]);
        }
        if self.start > 0 && self.buffer.len() - self.end < needed.max(FRESH_BYTES / 4) {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let len = self.buffer.len();
        if len - self.end < needed.max(1) {
            self.resize((self.end + needed).clamp(len + len / 2, len * 4));
        }
        &mut self.buffer[self.end..]
    }

    /// Fresh zeroed memory comes from the system without being touched, which `resize` cannot promise.
    fn resize(&mut self, len: usize) {
        let mut larger = vec![0; len];
        larger[..self.end - self.start].copy_from_slice(&self.buffer[self.start..self.end]);
        self.end -= self.start;
        self.start = 0;
        self.buffer = larger;
    }

    /// Notes that `n` bytes were read into the room.
    pub fn filled(&mut self, n: usize) {
        self.end += n;
        debug_assert!(
            self.end <= self.buffer.len(),
            "more was read than there was room"
        );
    }
}

/// Replies not yet written.
#[derive(Debug, Default)]
pub struct Output {
    /// Replies are appended here.
    pub bytes: Vec<u8>,
    sent: usize,
}

impl Output {
    /// Makes sure there is a buffer.
    #[inline]
    pub fn take(&mut self, pool: &Pool) {
        if self.bytes.capacity() == 0 {
            let warm = pool.outputs.take();
            self.bytes = warm.unwrap_or_else(|| Vec::with_capacity(FRESH_BYTES));
        }
    }

    /// What is still to be written.
    #[inline]
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Notes that `n` bytes were written.
    #[inline]
    pub fn wrote(&mut self, n: usize) {
        self.sent += n;
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        } else if self.sent > KEPT_BYTES {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Gives the buffer back if everything is written.
    #[inline]
    pub fn release(&mut self, pool: &Pool) {
        if self.bytes.is_empty() {
            pool.outputs.put(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(input: &mut Input, pool: &Pool, bytes: &[u8], needed: usize) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = input.room(pool, needed);
            let n = room.len().min(rest.len());
            room[..n].copy_from_slice(&rest[..n]);
            input.filled(n);
            rest = &rest[n..];
        }
    }

    #[test]
    fn bytes_come_out_as_they_went_in_however_the_buffer_moves() {
        let (pool, mut input) = (Pool::default(), Input::default());
        let data: Vec<u8> = (0..500_000u32).map(|n| n as u8 ^ (n >> 8) as u8).collect();
        let mut out = Vec::new();
        for (round, piece) in data.chunks(7_001).enumerate() {
            feed(&mut input, &pool, piece, 1 + round % 9_000);
            let n = input.len().saturating_sub(round % 4_000);
            out.extend_from_slice(&input.bytes()[..n]);
            input.consume(n);
            input.release(&pool);
        }
        out.extend_from_slice(input.bytes());
        assert!(out == data);
    }

    #[test]
    fn a_command_of_many_arguments_is_copied_a_few_times_only() {
        let (pool, mut input) = (Pool::default(), Input::default());
        let mut sizes = vec![0];
        for _ in 0..4000 {
            feed(&mut input, &pool, &[b'x'; 1000], 1000);
            if sizes.last() != Some(&input.buffer.len()) {
                sizes.push(input.buffer.len());
            }
        }
        assert!(sizes.len() < 20, "{sizes:?}");
    }

    #[test]
    fn announced_lengths_do_not_take_memory_by_themselves() {
        let (pool, mut input) = (Pool::default(), Input::default());
        feed(&mut input, &pool, b"*1\r\n$536870912\r\n", 1);
        assert!(input.room(&pool, 512 << 20).len() <= FRESH_BYTES * 4);
    }

    #[test]
    fn an_empty_input_and_a_written_output_hold_no_buffer() {
        let (pool, mut input, mut output) = (Pool::default(), Input::default(), Output::default());
        feed(&mut input, &pool, b"PING\r\n", 1);
        input.consume(6);
        input.release(&pool);
        output.take(&pool);
        output.bytes.extend_from_slice(b"+PONG\r\n");
        output.wrote(3);
        assert_eq!(output.pending(), b"NG\r\n");
        output.wrote(4);
        output.release(&pool);
        assert_eq!((input.free(), output.bytes.capacity()), (0, 0));
        let kept = |shelf: &Shelf| (shelf.buffers.borrow().len(), shelf.bytes.get());
        assert_eq!(kept(&pool.inputs), (1, FRESH_BYTES));
        assert_eq!(kept(&pool.outputs), (1, FRESH_BYTES));
        for _ in 0..1000 {
            pool.inputs.put(vec![0; KEPT_BYTES / 2]);
            pool.outputs.put(vec![0; KEPT_BYTES + 1]);
        }
        let (_, bytes) = kept(&pool.inputs);
        assert!(SHELF_BYTES - KEPT_BYTES < bytes && bytes <= SHELF_BYTES);
        assert_eq!(kept(&pool.outputs), (1, FRESH_BYTES));
    }
}
