//! The reply encoder: appends replies to a byte vector in the client's protocol version.
//!
//! | method | RESP2 | RESP3 |
//! |---|---|---|
//! | `null`, `null_array` | `$-1`, `*-1` | `_` |
//! | `map` of n pairs | `*2n` | `%n` |
//! | `set`, `push` | `*n` | `~n`, `>n` |
//! | `double` | bulk string | `,1.5` |
//! | `boolean` | `:1`, `:0` | `#t`, `#f` |
//! | `big_number` | bulk string | `(123` |
//! | `verbatim` | bulk string | `=9` `txt:hello` |
//!
//! An aggregate's header is followed by as many values as it announces; nobody checks that here.

use crate::number::F64Text;

/// Version of the protocol a client speaks, as chosen by `HELLO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proto {
    /// The version every connection starts with.
    #[default]
    Resp2,
    /// With maps, sets, doubles, booleans, pushes and one null.
    Resp3,
}

/// Kind of an aggregate whose length is written afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// Values in order.
    Array,
    /// Pairs of key and value; counted in pairs.
    Map,
    /// Values without order.
    Set,
    /// A message that answers no command.
    Push,
}

/// Where the header of a deferred aggregate belongs.
#[must_use = "a deferred aggregate needs its header: pass the mark to end_deferred"]
#[derive(Debug)]
pub struct Mark {
    at: usize,
    reserved: usize,
}

/// Appends replies to `out`. Made for one command and dropped; it holds no state of its own.
#[derive(Debug)]
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    proto: Proto,
}

impl<'a> Encoder<'a> {
    /// An encoder for a client that speaks `proto`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, proto: Proto) -> Self {
        Encoder { out, proto }
    }

    /// The version in use, for replies whose shape depends on it.
    #[inline]
    pub fn proto(&self) -> Proto {
        self.proto
    }

    /// The bytes so far, those of earlier replies included.
    #[inline]
    pub fn written(&self) -> &[u8] {
        self.out
    }

    /// Takes back everything behind the first `len` bytes: a reply that turned into an error.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.out.truncate(len);
    }

    /// Appends bytes that are RESP already.
    #[inline]
    pub fn raw(&mut self, resp: &[u8]) {
        self.out.extend_from_slice(resp);
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A status. Line breaks in it become spaces.
    #[inline]
    pub fn simple(&mut self, text: impl AsRef<[u8]>) {
        push_line(self.out, b'+', text.as_ref());
    }

    /// An error; the text brings its prefix, as in `ERR syntax error`. Line breaks in it, which
    /// may come from the client's own arguments, become spaces.
    #[inline]
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        push_line(self.out, b'-', text.as_ref());
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        match usize::try_from(value) {
            Ok(value) => push_header(self.out, b':', value),
            Err(_) => {
                push_line_unchecked(self.out, b':', itoa::Buffer::new().format(value).as_bytes())
            }
        }
    }

    /// A byte string.
    #[inline]
    pub fn bulk(&mut self, bytes: impl AsRef<[u8]>) {
        push_bulk(self.out, bytes.as_ref());
    }

    /// A byte string of `len` bytes that come in parts: `fill` hands them to its argument. If it fails, nothing is written.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn bulk_in_parts<E>(
        &mut self,
        len: usize,
        fill: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = self.out.len();
        self.out.reserve(len + BULK_FRAME);
        push_header(self.out, b'$', len);
        let start = self.out.len();
        let out = &mut *self.out;
        let filled = fill(&mut |part| out.extend_from_slice(part));
        if filled.is_err() {
            self.out.truncate(before);
            return filled;
        }
        assert_eq!(
            self.out.len() - start,
            len,
            "the parts are as long as was said"
        );
        self.out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// A byte string, or null.
    #[inline]
    pub fn bulk_or_null(&mut self, bytes: Option<impl AsRef<[u8]>>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// An integer as a byte string, as `GET` answers for a counter.
    #[inline]
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value));
    }

    /// No value.
    #[inline]
    pub fn null(&mut self) {
        self.out.extend_from_slice(match self.proto {
            Proto::Resp2 => b"$-1\r\n",
            Proto::Resp3 => b"_\r\n",
        });
    }

    /// No value where an array was expected: a timeout, an aborted transaction.
    #[inline]
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(match self.proto {
            Proto::Resp2 => b"*-1\r\n",
            Proto::Resp3 => b"_\r\n",
        });
    }

    /// Announces `len` values.
    #[inline]
    pub fn array(&mut self, len: usize) {
        push_header(self.out, b'*', len);
    }

    /// Announces `pairs` keys, each followed by its value.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        self.aggregate(Aggregate::Map, pairs);
    }

    /// Announces a set of `len` values.
    #[inline]
    pub fn set(&mut self, len: usize) {
        self.aggregate(Aggregate::Set, len);
    }

    /// Announces a push message of `len` values.
    #[inline]
    pub fn push(&mut self, len: usize) {
        self.aggregate(Aggregate::Push, len);
    }

    /// Announces `len` values, or pairs for a map.
    #[inline]
    pub fn aggregate(&mut self, kind: Aggregate, len: usize) {
        let (tag, len) = self.aggregate_header(kind, len);
        push_header(self.out, tag, len);
    }

    fn aggregate_header(&self, kind: Aggregate, len: usize) -> (u8, usize) {
        match (self.proto, kind) {
            (_, Aggregate::Array) | (Proto::Resp2, Aggregate::Set | Aggregate::Push) => (b'*', len),
            (Proto::Resp2, Aggregate::Map) => (b'*', len * 2),
            (Proto::Resp3, Aggregate::Map) => (b'%', len),
            (Proto::Resp3, Aggregate::Set) => (b'~', len),
            (Proto::Resp3, Aggregate::Push) => (b'>', len),
        }
    }

    /// A floating point number; see [`F64Text`] for its form.
    pub fn double(&mut self, value: f64) {
        let text = F64Text::new(value);
        match self.proto {
            Proto::Resp2 => push_bulk(self.out, text.as_bytes()),
            Proto::Resp3 => push_line_unchecked(self.out, b',', text.as_bytes()),
        }
    }

    /// A truth value.
    #[inline]
    pub fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.proto, value) {
            (Proto::Resp2, true) => b":1\r\n",
            (Proto::Resp2, false) => b":0\r\n",
            (Proto::Resp3, true) => b"#t\r\n",
            (Proto::Resp3, false) => b"#f\r\n",
        });
    }

    /// An integer of any size, in decimal.
    pub fn big_number(&mut self, digits: &str) {
        match self.proto {
            Proto::Resp2 => push_bulk(self.out, digits.as_bytes()),
            Proto::Resp3 => push_line(self.out, b'(', digits.as_bytes()),
        }
    }

    /// Text to be shown as it is; `format` is `txt` or `mkd`.
    pub fn verbatim(&mut self, format: [u8; 3], text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        match self.proto {
            Proto::Resp2 => push_bulk(self.out, text),
            Proto::Resp3 => {
                push_header(self.out, b'=', text.len() + 4);
                self.out.extend_from_slice(&format);
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Starts an aggregate whose length is known only when its values are written.
    #[inline]
    pub fn begin_deferred(&mut self) -> Mark {
        self.begin_deferred_expecting(1)
    }

    /// The same, with a guess. If the announced number turns out to have as many digits as the
    /// guess, nothing has to move; otherwise the values are shifted by the difference, once.
    pub fn begin_deferred_expecting(&mut self, len: usize) -> Mark {
        let at = self.out.len();
        push_header(self.out, b'*', len);
        Mark {
            at,
            reserved: self.out.len() - at,
        }
    }

    /// Writes the header: `len` values (pairs, for a map) were appended since the mark was made.
    /// Of nested aggregates the inner one ends first.
    ///
    /// # Panics
    /// If the reply was truncated to before the mark.
    pub fn end_deferred(&mut self, mark: Mark, len: usize, kind: Aggregate) {
        let body = mark.at + mark.reserved;
        assert!(body <= self.out.len(), "a mark outlived its reply");
        let (tag, len) = self.aggregate_header(kind, len);
        let header = Header::new(tag, len);
        let header = header.as_bytes();
        if header.len() == mark.reserved {
            self.out[mark.at..body].copy_from_slice(header);
        } else {
            self.out.splice(mark.at..body, header.iter().copied());
        }
    }
}

/// `tag`, a number, `\r\n`, built on the stack so that it is appended in one go.
struct Header {
    bytes: [u8; 24],
    len: usize,
}

impl Header {
    fn new(tag: u8, value: usize) -> Self {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value).as_bytes();
        let mut header = Header {
            bytes: [0; 24],
            len: digits.len() + 3,
        };
        header.bytes[0] = tag;
        header.bytes[1..=digits.len()].copy_from_slice(digits);
        header.bytes[digits.len() + 1..header.len].copy_from_slice(b"\r\n");
        header
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Appends a header. Small numbers have arrays of constant size, which compile to plain stores.
#[inline]
pub(crate) fn push_header(out: &mut Vec<u8>, tag: u8, value: usize) {
    let digit = |n: usize| b'0' + (n % 10) as u8;
    match value {
        0..10 => out.extend_from_slice(&[tag, digit(value), b'\r', b'\n']),
        10..100 => out.extend_from_slice(&[tag, digit(value / 10), digit(value), b'\r', b'\n']),
        100..1000 => out.extend_from_slice(&[
            tag,
            digit(value / 100),
            digit(value / 10),
            digit(value),
            b'\r',
            b'\n',
        ]),
        _ => push_long_header(out, tag, value),
    }
}

#[inline(never)]
fn push_long_header(out: &mut Vec<u8>, tag: u8, value: usize) {
    // All of the array is put there, which is quicker than a part whose length is known only now.
    let (header, start) = (Header::new(tag, value), out.len());
    out.extend_from_slice(&header.bytes);
    out.truncate(start + header.len);
}

/// Most bytes around those of a byte string.
const BULK_FRAME: usize = 1 + 20 + 2 + 2;

#[inline]
pub(crate) fn push_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    // One growth at most, whatever the length.
    out.reserve(bytes.len() + BULK_FRAME);
    push_header(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends a line whose text contains no line break.
#[inline]
pub(crate) fn push_line_unchecked(out: &mut Vec<u8>, tag: u8, text: &[u8]) {
    out.reserve(text.len() + 3);
    out.push(tag);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Appends a line. A line break in the text would end the reply early and let whoever supplied the
/// text forge the next one, so it becomes a space.
#[inline]
pub(crate) fn push_line(out: &mut Vec<u8>, tag: u8, text: &[u8]) {
    let start = out.len() + 1;
    push_line_unchecked(out, tag, text);
    if memchr::memchr2(b'\r', b'\n', text).is_some() {
        let end = out.len() - 2;
        for byte in &mut out[start..end] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
