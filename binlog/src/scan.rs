//! Reading frames one after the other out of a file, through a buffer.
//!
//! Shared by recovery, sealing and readers, so that all judge a frame in the same way: its length is possible,
//! its offset is the one expected, its CRC matches.

use crate::door::DoorFile;
use crate::frame::{HEADER_BYTES, Header, parse};
use crate::long::LONG_BYTES;
use std::io;
use std::ops::Range;

/// How much is read at once.
const CHUNK: usize = 128 << 10;
/// A buffer grown beyond this for one large frame is given back afterwards.
const KEEP: usize = 1 << 20;

/// What stands at the front of a window.
#[derive(Debug)]
pub(crate) enum Front {
    /// A valid frame; the payload's place in the window's buffer.
    Frame(Header, Range<usize>),
    /// Too few bytes to tell: at least this many are needed.
    Need(usize),
    /// Not the expected frame.
    Bad(&'static str),
}

/// A buffer of bytes of which the front is to be read as frames.
#[derive(Default)]
pub(crate) struct Window {
    buf: Vec<u8>,
    at: usize,
}

impl Window {
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buf[range]
    }

    pub(crate) fn left(&self) -> usize {
        self.buf.len() - self.at
    }

    /// Judges the front without taking it.
    pub(crate) fn front(&self, offset: u64) -> Front {
        let bytes = &self.buf[self.at..];
        if bytes.len() < HEADER_BYTES {
            return Front::Need(HEADER_BYTES);
        }
        let Some(header) = Header::peek(bytes) else {
            return Front::Bad("impossible length");
        };
        if header.offset != offset {
            return Front::Bad("a frame of another offset");
        }
        let Some(payload) = bytes[HEADER_BYTES..].get(..header.len as usize) else {
            return Front::Need(header.total() as usize);
        };
        if !header.matches(payload) {
            return Front::Bad("the frame's checksum does not match");
        }
        let start = self.at + HEADER_BYTES;
        Front::Frame(header, start..start + payload.len())
    }

    pub(crate) fn take(&mut self, header: &Header) {
        self.at += header.total() as usize;
        debug_assert!(self.at <= self.buf.len());
    }

    /// Forgets the contents and shows the whole of what `fill` puts in.
    pub(crate) fn replace<E>(
        &mut self,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.clear();
        fill(&mut self.buf)
    }

    pub(crate) fn clear(&mut self) {
        self.buf.clear();
        self.at = 0;
        if self.buf.capacity() > KEEP {
            self.buf = Vec::new();
        }
    }

    /// Moves what is left to the front and reads on at `file_pos`; returns how much came.
    fn refill(&mut self, file: &dyn DoorFile, file_pos: u64, want: usize) -> io::Result<usize> {
        if self.at == self.buf.len() {
            self.clear();
        } else {
            self.buf.drain(..self.at);
            self.at = 0;
        }
        let had = self.buf.len();
        self.buf.resize(had + want, 0);
        let got = file.read_at(&mut self.buf[had..], file_pos)?;
        self.buf.truncate(had + got);
        Ok(got)
    }
}

/// Reads the frames of a raw segment's file.
pub(crate) struct Scanner {
    pub(crate) window: Window,
    /// Where the window's end lies in the file.
    read_to: u64,
}

/// What a scanner came upon.
#[derive(Debug)]
pub(crate) enum Step {
    Frame(Header, Range<usize>),
    /// The limit, exactly.
    End,
    Bad(&'static str),
}

impl Scanner {
    /// Begins at `file_pos`.
    pub(crate) fn new(file_pos: u64) -> Scanner {
        Scanner {
            window: Window::default(),
            read_to: file_pos,
        }
    }

    /// Where the next frame lies in the file.
    pub(crate) fn file_pos(&self) -> u64 {
        self.read_to - self.window.left() as u64
    }

    /// Looks at the next frame, reading no further than `limit`. `take` goes past it.
    pub(crate) fn step(
        &mut self,
        file: &dyn DoorFile,
        offset: u64,
        limit: u64,
    ) -> io::Result<Step> {
        loop {
            match self.window.front(offset) {
                Front::Frame(header, payload) => return Ok(Step::Frame(header, payload)),
                Front::Bad(why) => return Ok(Step::Bad(why)),
                Front::Need(need) => {
                    if self.window.left() == 0 && self.read_to >= limit {
                        return Ok(Step::End);
                    }
                    let left = limit.saturating_sub(self.read_to);
                    let missing = need - self.window.left();
                    if missing as u64 > left {
                        return Ok(Step::Bad("the frame is cut short"));
                    }
                    let want = (missing.max(CHUNK) as u64).min(left) as usize;
                    let got = self.window.refill(file, self.read_to, want)?;
                    self.read_to += got as u64;
                    if got < missing {
                        return Ok(Step::Bad("the file is cut short"));
                    }
                }
            }
        }
    }

    pub(crate) fn take(&mut self, header: &Header) {
        self.window.take(header);
    }

    /// The header of the next frame and its place in the file, if it is a long one that was not read yet.
    pub(crate) fn long_front(
        &mut self,
        file: &dyn DoorFile,
        offset: u64,
        limit: u64,
    ) -> io::Result<Option<(Header, u64)>> {
        if self.window.left() < HEADER_BYTES {
            let missing = (HEADER_BYTES - self.window.left()) as u64;
            let left = limit.saturating_sub(self.read_to);
            if missing > left {
                return Ok(None);
            }
            let want = (CHUNK as u64).min(left) as usize;
            self.read_to += self.window.refill(file, self.read_to, want)? as u64;
        }
        let Some(header) = Header::peek(&self.window.buf[self.window.at..]) else {
            return Ok(None);
        };
        let unread = header.total() > self.window.left() as u64;
        let whole = self.file_pos() + header.total() <= limit;
        let wanted = header.offset == offset && header.total() > LONG_BYTES && unread && whole;
        Ok(wanted.then(|| (header, self.file_pos())))
    }
}

/// The first valid frame in `[from, to)` that begins at any byte, continues a log beyond `offset`, and is
/// `wanted`.
pub(crate) fn find_frame(
    file: &dyn DoorFile,
    from: u64,
    to: u64,
    offset: u64,
    wanted: impl Fn(&Header) -> bool,
) -> std::io::Result<Option<Header>> {
    const CHUNK: usize = 1 << 20;
    let mut buf = vec![0u8; CHUNK + HEADER_BYTES];
    let mut at = from;
    while at < to {
        let got = file.read_at(&mut buf, at)?;
        let bytes = &buf[..got];
        let mut i = 0;
        while i < got.min(CHUNK) {
            // Zeroes are no frame; skip runs of them quickly.
            if let Some(zeroes) = leading_zero_words(&bytes[i..]) {
                i += zeroes;
                continue;
            }
            // In one segment a frame's offset cannot lie further on than the bytes before it.
            let near = |h: &Header| h.offset >= offset && h.offset - offset <= 1 << 40;
            if let Some(header) = Header::peek(&bytes[i..]).filter(|h| near(h) && wanted(h)) {
                let mut frame = vec![0u8; header.total().min(to - (at + i as u64)) as usize];
                file.read_at(&mut frame, at + i as u64)?;
                if parse(&frame).is_some() {
                    return Ok(Some(header));
                }
            }
            i += 1;
        }
        at += CHUNK as u64;
    }
    Ok(None)
}

/// How many bytes can be skipped because they are zero and no frame can begin in them: a length field of
/// four zero bytes is impossible, so the last three stay.
fn leading_zero_words(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<64>();
    let zero = words.iter().take_while(|w| **w == [0; 64]).count() * 64;
    (zero > 0).then(|| zero - 3)
}

/// Bytes from `from` to the last one that is not zero.
pub(crate) fn used_bytes(file: &dyn DoorFile, from: u64) -> std::io::Result<u64> {
    let mut buf = vec![0u8; 1 << 20];
    let (mut at, mut used) = (from, 0);
    loop {
        let got = file.read_at(&mut buf, at)?;
        if got == 0 {
            return Ok(used);
        }
        if let Some(last) = buf[..got].iter().rposition(|&b| b != 0) {
            used = at + last as u64 + 1 - from;
        }
        at += got as u64;
    }
}
