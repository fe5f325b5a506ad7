//! Counting replies without building them, for a load generator that takes in millions a second.
//!
//! Unlike the decoders it keeps its place in the stream, not in a buffer: each chunk is looked at
//! once and may be thrown away. Nesting needs no stack, only the number of values outstanding: an
//! array of n takes one away and adds n.
//!
//! ```text
//!   Type ──'$' '=' '!' '*' '~' '>' '%' '|'──▶ Length ── string ──▶ Body ──┐
//!    ▲ │                                        │ aggregate               │
//!    │ └─ any other type ──▶ Line ──'\n'──┐     │                         │
//!    └────────────────────────────────────┴─────┴─────────────────────────┘
//! ```
//!
//! It trusts the server: values are not validated, only lengths are.

use memchr::memchr;

use crate::lengths::short_length;
use crate::parse_reply::ReplyError;

/// What a load generator wants to know of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyClass {
    /// A value.
    Value,
    /// No value: a miss.
    Null,
    /// An error.
    Error,
    /// A push message, which answers no command.
    Push,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// At the first byte of a value.
    Type,
    /// In a line whose content does not matter.
    Line,
    /// In the length behind a type byte.
    Length(PartialLength),
    /// In a string, its `\r\n` included.
    Body { left: usize },
}

/// As much of a length as was seen.
#[derive(Debug, Clone, Copy)]
struct PartialLength {
    tag: u8,
    negative: bool,
    value: Option<usize>,
    /// `\r` was seen.
    ended: bool,
}

/// Counts replies in a stream.
///
/// A reply with an attribute before it counts as a value, whatever it is.
///
/// ```
/// use basalt_resp::{ReplyClass, ReplySkipper};
///
/// let (mut skipper, mut seen) = (ReplySkipper::new(), Vec::new());
/// for chunk in [&b"+OK\r\n$-1\r\n*2\r\n:1\r"[..], b"\n:2\r\n-ERR no\r\n"] {
///     skipper.feed(chunk, |class| seen.push(class)).unwrap();
/// }
/// assert_eq!(seen, [ReplyClass::Value, ReplyClass::Null, ReplyClass::Value, ReplyClass::Error]);
/// ```
#[derive(Debug)]
pub struct ReplySkipper {
    state: State,
    /// Values outstanding until the current reply is complete; 0 between replies.
    outstanding: usize,
    class: ReplyClass,
    /// The current value is the reply itself, not a part of it.
    is_whole: bool,
}

impl Default for ReplySkipper {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplySkipper {
    /// A skipper at the start of a reply.
    pub const fn new() -> Self {
        ReplySkipper {
            state: State::Type,
            outstanding: 0,
            class: ReplyClass::Value,
            is_whole: true,
        }
    }

    /// True if the stream so far ends with a complete reply.
    pub fn is_between_replies(&self) -> bool {
        self.outstanding == 0
    }

    /// Takes the next bytes of the stream and calls `on_reply` for each reply that they complete.
    /// After an error the stream is lost.
    #[inline]
    pub fn feed(
        &mut self,
        chunk: &[u8],
        mut on_reply: impl FnMut(ReplyClass),
    ) -> Result<(), ReplyError> {
        let mut rest = chunk;
        while let Some(&byte) = rest.first() {
            match self.state {
                State::Type => rest = self.start(byte, rest)?,
                State::Line => {
                    let Some(end) = memchr(b'\n', rest) else {
                        return Ok(());
                    };
                    rest = rest.get(end + 1..).unwrap_or_default();
                    self.state = State::Type;
                }
                State::Length(partial) => {
                    rest = rest.get(1..).unwrap_or_default();
                    self.length_byte(byte, partial)?;
                }
                State::Body { left } => {
                    let taken = left.min(rest.len());
                    rest = rest.get(taken..).unwrap_or_default();
                    self.state = if taken == left {
                        State::Type
                    } else {
                        State::Body { left: left - taken }
                    };
                }
            }
            if matches!(self.state, State::Type) && self.outstanding == 0 {
                on_reply(self.class);
            }
        }
        Ok(())
    }

    /// Reads a type byte, and what follows if it is in the chunk. A value is taken off
    /// `outstanding` here, when it begins: so 0 together with `State::Type` says "complete".
    #[inline]
    fn start<'b>(&mut self, tag: u8, rest: &'b [u8]) -> Result<&'b [u8], ReplyError> {
        self.is_whole = self.outstanding == 0;
        if self.is_whole {
            self.outstanding = 1;
            self.class = class(tag);
        }
        let rest = rest.get(1..).unwrap_or_default();
        match tag {
            b'$' | b'!' | b'=' | b'*' | b'~' | b'>' | b'%' | b'|' => {
                if let Some((len, used)) = short_length(rest) {
                    self.begin(tag, len)?;
                    return Ok(rest.get(used..).unwrap_or_default());
                }
                self.state = State::Length(PartialLength {
                    tag,
                    negative: false,
                    value: None,
                    ended: false,
                });
            }
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {
                self.outstanding -= 1;
                self.state = State::Line;
            }
            _ => return Err(ReplyError::UnknownType(tag)),
        }
        Ok(rest)
    }

    /// The length behind `tag` is known.
    #[inline]
    fn begin(&mut self, tag: u8, len: usize) -> Result<(), ReplyError> {
        let values = match tag {
            b'$' | b'!' | b'=' => {
                self.outstanding -= 1;
                self.state = State::Body {
                    left: len.checked_add(2).ok_or(ReplyError::InvalidLength)?,
                };
                return Ok(());
            }
            // The value an attribute belongs to is outstanding still.
            b'|' => len.checked_mul(2).and_then(|values| values.checked_add(1)),
            b'%' => len.checked_mul(2),
            _ => Some(len),
        };
        let outstanding = values.and_then(|values| (self.outstanding - 1).checked_add(values));
        self.outstanding = outstanding.ok_or(ReplyError::InvalidLength)?;
        self.state = State::Type;
        Ok(())
    }

    /// A length in a form, or at a place, that the fast path does not take.
    #[cold]
    fn length_byte(&mut self, byte: u8, mut partial: PartialLength) -> Result<(), ReplyError> {
        match byte {
            b'0'..=b'9' if !partial.ended => {
                let digit = usize::from(byte - b'0');
                let value = partial
                    .value
                    .unwrap_or(0)
                    .checked_mul(10)
                    .and_then(|value| value.checked_add(digit));
                partial.value = Some(value.ok_or(ReplyError::InvalidLength)?);
            }
            b'-' if partial.value.is_none() && !partial.negative => partial.negative = true,
            b'\r' if partial.value.is_some() => partial.ended = true,
            b'\n' if partial.ended => return self.length_end(partial),
            _ => return Err(ReplyError::InvalidLength),
        }
        self.state = State::Length(partial);
        Ok(())
    }

    fn length_end(&mut self, partial: PartialLength) -> Result<(), ReplyError> {
        match (partial.tag, partial.value, partial.negative) {
            (tag, Some(len), false) => self.begin(tag, len),
            (b'$' | b'*', Some(1), true) => {
                if self.is_whole {
                    self.class = ReplyClass::Null;
                }
                self.outstanding -= 1;
                self.state = State::Type;
                Ok(())
            }
            _ => Err(ReplyError::InvalidLength),
        }
    }
}

/// What a reply that starts with this byte is, as far as one can tell.
fn class(tag: u8) -> ReplyClass {
    match tag {
        b'-' | b'!' => ReplyClass::Error,
        b'_' => ReplyClass::Null,
        b'>' => ReplyClass::Push,
        _ => ReplyClass::Value,
    }
}

#[cfg(test)]
#[path = "skip_tests.rs"]
mod tests;
