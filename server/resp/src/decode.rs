//! The request decoder.
//!
//! It looks at a buffer that starts with the first byte of the current command and remembers how
//! far it got, so a command that arrives in many pieces is scanned once:
//!
//! ```text
//!              first byte is not '*'
//!   ┌─ Start ───────────────────────────────▶ Line ──── '\n' seen ───────────────┐
//!   │    │ '*'                                                                   │
//!   │    ▼                                                                       │
//!   │  Count ──── n ≤ 0 ─────────────────────────────────────────────────────────┤
//!   │    │ n > 0                                                                 ▼
//!   │    ▼                                                                   command
//!   │  Header ── "$len\r\n" ──▶ Body ── len + 2 bytes ──▶ last argument? ─yes──▶ │
//!   │    ▲                                                     │ no              │
//!   │    └─────────────────────────────────────────────────────┘                 │
//!   └────────────────────────────── Some(consumed) ◀─────────────────────────────┘
//! ```
//!
//! Invariants: between calls the buffer may only grow or move, never change; `pos` never passes
//! its end; what lies before `pos` is done and only what `args` says about it matters; a failed
//! decoder stays where it failed.
//!
//! As in Redis, the two bytes that end a line or an argument are skipped, not checked. They decide
//! whether the command is canonical.

use memchr::memchr;

use crate::args::{ArgRanges, Span};
use crate::inline;
use crate::lengths::short_length;
use crate::limits::Limits;
use crate::number::parse_i64;
use crate::protocol_error::ProtocolError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of the command was seen.
    Start,
    /// Inside an inline command.
    Line,
    /// Inside `*n\r\n`.
    Count,
    /// Inside `$n\r\n`.
    Header,
    /// Inside an argument of this length, at `pos`.
    Body { len: usize },
}

/// Resumable decoder of requests; one per connection.
///
/// ```
/// use basalt_resp::{ArgRanges, Args, Decoder, Limits};
///
/// let (mut decoder, mut ranges, limits) = (Decoder::new(), ArgRanges::new(), Limits::default());
/// assert_eq!(decoder.decode(b"*1\r\n$4\r\nPI", &limits, &mut ranges), Ok(None));
/// assert_eq!(decoder.needed(), 4);
/// let buf = b"*1\r\n$4\r\nPING\r\n*1\r\n";
/// assert_eq!(decoder.decode(buf, &limits, &mut ranges), Ok(Some(14)));
/// assert_eq!(&Args::new(&buf[..14], &ranges)[0], b"PING");
/// ```
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// Everything before this is parsed.
    pos: usize,
    /// Bytes behind `pos` already searched for the end of a line.
    searched: usize,
    /// Arguments still to come, the one at `pos` included.
    remaining: usize,
    needed: usize,
    is_canonical: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the start of a command.
    pub const fn new() -> Self {
        Decoder {
            state: State::Start,
            pos: 0,
            searched: 0,
            remaining: 0,
            needed: 1,
            is_canonical: true,
        }
    }

    /// Reads one command from `buf`, which starts with the command's first byte.
    ///
    /// `Some(consumed)`: the command is the first `consumed` bytes and `args` tells where its
    /// arguments lie; the next call takes the buffer from there. There may be no arguments, for an
    /// empty request, which is to be ignored.
    ///
    /// `None`: more is needed; the next call takes the same bytes with more behind them, and the
    /// same `args`. The bytes may have moved in memory.
    ///
    /// An error ends the connection. Further calls with the same bytes repeat it.
    #[inline]
    pub fn decode(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        args: &mut ArgRanges,
    ) -> Result<Option<usize>, ProtocolError> {
        if self.state == State::Start {
            match buf.first() {
                None => return Ok(None),
                Some(b'*') => self.state = State::Count,
                Some(_) => self.state = State::Line,
            }
            args.clear();
        }
        match self.state {
            State::Line => return self.inline_command(buf, limits, args),
            State::Count => match self.count(buf, limits)? {
                None => return Ok(None),
                Some(0) => return Ok(Some(self.finish())),
                Some(count) => {
                    self.remaining = count;
                    self.state = State::Header;
                }
            },
            State::Start | State::Header | State::Body { .. } => {}
        }
        self.arguments(buf, limits, args)
    }

    /// After `decode` returned `None`: at least this many more bytes complete what is being read.
    /// Exact inside an argument, which lets a session reserve once for a large one.
    #[inline]
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// True if a command has begun and not ended.
    #[inline]
    pub fn is_mid_command(&self) -> bool {
        self.state != State::Start
    }

    /// Forgets a half-read command.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Ends the command at `pos` and gets ready for the next.
    #[inline]
    fn finish(&mut self) -> usize {
        let consumed = self.pos;
        *self = Self::new();
        consumed
    }

    #[inline]
    fn arguments(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        args: &mut ArgRanges,
    ) -> Result<Option<usize>, ProtocolError> {
        loop {
            let len = match self.state {
                State::Body { len } => len,
                _ => match self.header(buf, limits)? {
                    Some(len) => len,
                    None => return Ok(None),
                },
            };
            // Saturating: with a limit near the largest integer the sum could wrap.
            let end = self.pos.saturating_add(len);
            let next = end.saturating_add(2);
            let Some(line_end) = buf.get(end..next) else {
                self.state = State::Body { len };
                self.needed = next - buf.len();
                return Ok(None);
            };
            self.is_canonical &= line_end == b"\r\n";
            args.spans.push(Span {
                start: self.pos,
                len,
            });
            self.pos = next;
            self.remaining -= 1;
            if self.remaining == 0 {
                args.is_canonical = self.is_canonical;
                return Ok(Some(self.finish()));
            }
            self.state = State::Header;
        }
    }

    /// `$len\r\n` at `pos`.
    #[inline]
    fn header(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let rest = buf.get(self.pos..).unwrap_or_default();
        if let [b'$', digits @ ..] = rest
            && let Some((len, used)) = short_length(digits)
            && len <= Limits::UNAUTHENTICATED_MAX_BULK_BYTES.min(limits.max_bulk_bytes)
        {
            self.pos += 1 + used;
            self.searched = 0;
            return Ok(Some(len));
        }
        self.header_carefully(buf, limits)
    }

    #[cold]
    fn header_carefully(
        &mut self,
        buf: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        let start = self.pos;
        let too_long = ProtocolError::TooBigBulkCountString;
        let Some(line) = self.length_line(buf, limits, too_long)? else {
            return Ok(None);
        };
        let checked = match line.split_first() {
            Some((b'$', digits)) => bulk_length(digits, limits),
            // The byte that ends the line stands in for an empty one.
            other => Err(ProtocolError::ExpectedDollar(
                other.map_or(b'\r', |(&byte, _)| byte),
            )),
        };
        if checked.is_err() {
            self.pos = start;
        }
        checked.map(Some)
    }

    /// `*n\r\n` at `pos`. An announced number that is not positive counts as zero.
    #[inline]
    fn count(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        if let Some((count, used)) = short_length(buf.get(1..).unwrap_or_default())
            && count <= Limits::UNAUTHENTICATED_MAX_ARGS.min(limits.max_args)
        {
            self.pos = 1 + used;
            self.searched = 0;
            return Ok(Some(count));
        }
        self.count_carefully(buf, limits)
    }

    #[cold]
    fn count_carefully(
        &mut self,
        buf: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some(line) = self.length_line(buf, limits, ProtocolError::TooBigCountString)? else {
            return Ok(None);
        };
        let checked = match parse_i64(line.get(1..).unwrap_or_default()).map(usize::try_from) {
            None => Err(ProtocolError::InvalidMultibulkLength),
            Some(Err(_)) => Ok(0),
            Some(Ok(count)) if count > limits.max_args => {
                Err(ProtocolError::InvalidMultibulkLength)
            }
            Some(Ok(count))
                if count > Limits::UNAUTHENTICATED_MAX_ARGS && !limits.authenticated =>
            {
                Err(ProtocolError::UnauthenticatedMultibulkLength)
            }
            Some(Ok(count)) => Ok(count),
        };
        if checked.is_err() {
            self.pos = 0;
        }
        checked.map(Some)
    }

    /// Takes the line at `pos`, without its end, which is `\r` and any byte.
    fn length_line<'b>(
        &mut self,
        buf: &'b [u8],
        limits: &Limits,
        too_long: ProtocolError,
    ) -> Result<Option<&'b [u8]>, ProtocolError> {
        let Some(len) = self.find(b'\r', buf, limits, too_long)? else {
            return Ok(None);
        };
        let end = self.pos + len;
        let Some(line_feed) = buf.get(end + 1) else {
            self.needed = 1;
            return Ok(None);
        };
        let line = buf.get(self.pos..end).unwrap_or_default();
        self.is_canonical &= *line_feed == b'\n';
        self.pos = end + 2;
        self.searched = 0;
        Ok(Some(line))
    }

    /// Finds the byte that ends the line at `pos`; the result is relative to `pos`. A line longer
    /// than the limit is refused even if its end is in the buffer: what counts is the line, not
    /// how it was cut into packets.
    fn find(
        &mut self,
        line_end: u8,
        buf: &[u8],
        limits: &Limits,
        too_long: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let rest = buf.get(self.pos..).unwrap_or_default();
        let window = rest
            .get(..limits.max_inline_bytes.saturating_add(1))
            .unwrap_or(rest);
        if let Some(found) = memchr(line_end, window.get(self.searched..).unwrap_or_default()) {
            // Stay on the found byte, in case the one behind it is still to come.
            self.searched += found;
            return Ok(Some(self.searched));
        }
        self.searched = window.len();
        if window.len() > limits.max_inline_bytes {
            return Err(too_long);
        }
        self.needed = 1;
        Ok(None)
    }

    #[cold]
    fn inline_command(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        args: &mut ArgRanges,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some(end) = self.find(b'\n', buf, limits, ProtocolError::TooBigInlineRequest)? else {
            return Ok(None);
        };
        inline::split(buf.get(..end).unwrap_or_default(), args)?;
        self.pos = end + 1;
        Ok(Some(self.finish()))
    }
}

/// The announced length of an argument.
fn bulk_length(digits: &[u8], limits: &Limits) -> Result<usize, ProtocolError> {
    let len = parse_i64(digits).and_then(|len| usize::try_from(len).ok());
    match len {
        Some(len) if len <= limits.max_bulk_bytes => {
            if len > Limits::UNAUTHENTICATED_MAX_BULK_BYTES && !limits.authenticated {
                return Err(ProtocolError::UnauthenticatedBulkLength);
            }
            Ok(len)
        }
        _ => Err(ProtocolError::InvalidBulkLength),
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
