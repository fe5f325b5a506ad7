//! The reply decoder of clients: bytes to [`Value`], resumable, without recursion.
//!
//! The buffer starts with the first byte of the current reply. Open aggregates wait on a stack:
//!
//! ```text
//!   *2\r\n  %1\r\n  $1\r\nk\r\n  :1\r\n  +OK\r\n
//!   │       │       └ value ──┐  │       └ value: array has 2 of 2, done, stack empty: reply
//!   │       └ open map        └──┴ map has 2 of 2, done: becomes a value of the array
//!   └ open array
//! ```
//!
//! Invariants: between calls the buffer may only grow or move; nothing before `pos` is looked at
//! again; a failed decoder stays where it failed, and its connection is useless.

use std::fmt;

use memchr::memchr;

use crate::number::{parse_f64, parse_i64};
use crate::value::Value;

/// A reply that is not RESP, or beyond our limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyError {
    /// No reply starts with this byte.
    UnknownType(u8),
    /// A length is not a number or makes no sense.
    InvalidLength,
    /// A number, boolean, null or verbatim text is malformed.
    InvalidValue,
    /// A line or a string does not end in `\r\n`.
    MissingLineEnd,
    /// Aggregates are nested deeper than the limit.
    TooDeep,
    /// A string is longer than the limit.
    TooLong,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(byte) => write!(f, "no reply starts with '{}'", byte.escape_ascii()),
            Self::InvalidLength => f.write_str("invalid length in a reply"),
            Self::InvalidValue => f.write_str("malformed value in a reply"),
            Self::MissingLineEnd => {
                f.write_str("a line or string in a reply does not end in CR LF")
            }
            Self::TooDeep => f.write_str("reply is nested too deeply"),
            Self::TooLong => f.write_str("string in a reply is too long"),
        }
    }
}

impl std::error::Error for ReplyError {}

/// An aggregate that waits for its values.
#[derive(Debug)]
struct Open {
    tag: u8,
    /// Values to come; for a map two per pair, for an attribute one more: what it is about.
    remaining: usize,
    items: Vec<Value>,
}

impl Open {
    /// `tag` is that of an aggregate.
    fn close(self) -> Value {
        match self.tag {
            b'*' => Value::Array(self.items),
            b'~' => Value::Set(self.items),
            b'>' => Value::Push(self.items),
            b'%' => Value::Map(pairs(self.items)),
            _ => {
                let mut items = self.items;
                let subject = items.pop().unwrap_or(Value::Null);
                Value::Attribute(pairs(items), Box::new(subject))
            }
        }
    }
}

fn pairs(items: Vec<Value>) -> Vec<(Value, Value)> {
    let mut items = items.into_iter();
    std::iter::from_fn(|| items.next().zip(items.next())).collect()
}

/// What stands at the current position.
enum Item {
    Value(Value),
    Open(Open),
}

/// Resumable decoder of replies; one per connection.
///
/// ```
/// use basalt_resp::{ReplyDecoder, Value};
///
/// let mut decoder = ReplyDecoder::new();
/// assert_eq!(decoder.decode(b"*2\r\n:1\r\n$2\r\nh"), Ok(None));
/// let reply = Value::Array(vec![Value::Integer(1), Value::bulk("hi")]);
/// assert_eq!(decoder.decode(b"*2\r\n:1\r\n$2\r\nhi\r\n"), Ok(Some((reply, 16))));
/// ```
#[derive(Debug)]
pub struct ReplyDecoder {
    pos: usize,
    /// Bytes behind `pos` already searched for the end of a line.
    searched: usize,
    /// Tag and length of the string at `pos`.
    blob: Option<(u8, usize)>,
    open: Vec<Open>,
    max_depth: usize,
    max_bulk_bytes: usize,
}

impl Default for ReplyDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplyDecoder {
    /// A decoder with limits that no reply of a healthy server passes.
    pub const fn new() -> Self {
        Self::with_limits(512, 1 << 40)
    }

    /// A decoder that refuses deeper nesting and longer strings.
    pub const fn with_limits(max_depth: usize, max_bulk_bytes: usize) -> Self {
        ReplyDecoder {
            pos: 0,
            searched: 0,
            blob: None,
            open: Vec::new(),
            max_depth,
            max_bulk_bytes,
        }
    }

    /// Reads one reply from `buf`, which starts with the reply's first byte. `Some` carries the
    /// reply and its length; the next call takes the buffer from there. `None` asks for the same
    /// bytes with more behind them.
    pub fn decode(&mut self, buf: &[u8]) -> Result<Option<(Value, usize)>, ReplyError> {
        while let Some(item) = self.item(buf)? {
            match item {
                Item::Open(open) => {
                    if self.open.len() >= self.max_depth {
                        return Err(ReplyError::TooDeep);
                    }
                    self.open.push(open);
                }
                Item::Value(value) => {
                    if let Some(reply) = self.place(value) {
                        self.searched = 0;
                        return Ok(Some((reply, std::mem::take(&mut self.pos))));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Puts a value into the aggregate it belongs to. Returns the reply if that completed it.
    fn place(&mut self, mut value: Value) -> Option<Value> {
        loop {
            let Some(innermost) = self.open.last_mut() else {
                return Some(value);
            };
            innermost.items.push(value);
            innermost.remaining -= 1;
            if innermost.remaining > 0 {
                return None;
            }
            value = self.open.pop()?.close();
        }
    }

    fn item(&mut self, buf: &[u8]) -> Result<Option<Item>, ReplyError> {
        if let Some((tag, len)) = self.blob {
            return self.blob(buf, tag, len);
        }
        let Some(line) = self.line(buf)? else {
            return Ok(None);
        };
        let next = self.pos + line.len() + 2;
        let Some((&tag, text)) = line.split_first() else {
            return Err(ReplyError::UnknownType(b'\r'));
        };
        let item = match tag {
            b'$' | b'!' | b'=' if tag != b'$' || text != b"-1" => {
                let len = length(text)?;
                if len > self.max_bulk_bytes {
                    return Err(ReplyError::TooLong);
                }
                self.advance(next);
                self.blob = Some((tag, len));
                return self.blob(buf, tag, len);
            }
            b'*' | b'~' | b'>' | b'%' | b'|' if tag != b'*' || text != b"-1" => {
                aggregate(tag, length(text)?)?
            }
            _ => Item::Value(scalar(tag, text)?),
        };
        self.advance(next);
        Ok(Some(item))
    }

    fn advance(&mut self, pos: usize) {
        self.pos = pos;
        self.searched = 0;
    }

    /// The line at `pos`, without its end.
    fn line<'b>(&mut self, buf: &'b [u8]) -> Result<Option<&'b [u8]>, ReplyError> {
        let rest = buf.get(self.pos..).unwrap_or_default();
        let Some(found) = memchr(b'\n', rest.get(self.searched..).unwrap_or_default()) else {
            self.searched = rest.len();
            return Ok(None);
        };
        match rest.get(..self.searched + found) {
            Some([line @ .., b'\r']) => Ok(Some(line)),
            _ => Err(ReplyError::MissingLineEnd),
        }
    }

    /// The string at `pos`.
    fn blob(&mut self, buf: &[u8], tag: u8, len: usize) -> Result<Option<Item>, ReplyError> {
        let end = self.pos.saturating_add(len);
        let Some(line_end) = buf.get(end..end.saturating_add(2)) else {
            return Ok(None);
        };
        if line_end != b"\r\n" {
            return Err(ReplyError::MissingLineEnd);
        }
        let bytes = buf.get(self.pos..end).unwrap_or_default();
        let value = match (tag, bytes) {
            (b'!', _) => Value::BulkError(bytes.to_vec()),
            (b'=', [a, b, c, b':', text @ ..]) => Value::Verbatim([*a, *b, *c], text.to_vec()),
            (b'=', _) => return Err(ReplyError::InvalidValue),
            _ => Value::Bulk(bytes.to_vec()),
        };
        self.blob = None;
        self.advance(end + 2);
        Ok(Some(Item::Value(value)))
    }
}

fn length(text: &[u8]) -> Result<usize, ReplyError> {
    parse_i64(text)
        .and_then(|len| usize::try_from(len).ok())
        .ok_or(ReplyError::InvalidLength)
}

fn aggregate(tag: u8, len: usize) -> Result<Item, ReplyError> {
    let remaining = match tag {
        b'%' => len.checked_mul(2),
        b'|' => len.checked_mul(2).and_then(|values| values.checked_add(1)),
        _ => Some(len),
    };
    let remaining = remaining.ok_or(ReplyError::InvalidLength)?;
    // The announced number is not trusted with much memory.
    let open = Open {
        tag,
        remaining,
        items: Vec::with_capacity(remaining.min(64)),
    };
    Ok(if remaining == 0 {
        Item::Value(open.close())
    } else {
        Item::Open(open)
    })
}

fn scalar(tag: u8, text: &[u8]) -> Result<Value, ReplyError> {
    let value = match (tag, text) {
        (b'+', _) => Some(Value::Simple(text.to_vec())),
        (b'-', _) => Some(Value::Error(text.to_vec())),
        (b':', _) => parse_i64(text.strip_prefix(b"+").unwrap_or(text)).map(Value::Integer),
        (b'$', _) => Some(Value::NullBulk),
        (b'*', _) => Some(Value::NullArray),
        (b'_', b"") => Some(Value::Null),
        (b'#', b"t") => Some(Value::Boolean(true)),
        (b'#', b"f") => Some(Value::Boolean(false)),
        (b',', b"nan" | b"-nan") => Some(Value::Double(f64::NAN)),
        (b',', _) => parse_f64(text).map(Value::Double),
        (b'(', _) if is_decimal(text) => Some(Value::BigNumber(text.to_vec())),
        (b'_' | b'#' | b'(', _) => None,
        _ => return Err(ReplyError::UnknownType(tag)),
    };
    value.ok_or(ReplyError::InvalidValue)
}

fn is_decimal(text: &[u8]) -> bool {
    let digits = text
        .strip_prefix(b"-")
        .or(text.strip_prefix(b"+"))
        .unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
#[path = "parse_reply_tests.rs"]
pub(crate) mod tests;
