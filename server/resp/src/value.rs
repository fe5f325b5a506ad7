//! A reply as a value, for tests, tools and replication. The server itself never builds one; see
//! [`Encoder`](crate::Encoder).

use std::fmt;

use crate::encode::{push_bulk, push_header, push_line, push_line_unchecked};
use crate::number::F64Text;

/// Any reply of RESP2 or RESP3, with what the wire tells apart kept apart: the three nulls are
/// three variants.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `+OK`.
    Simple(Vec<u8>),
    /// `-ERR …`, without the dash.
    Error(Vec<u8>),
    /// `!`, an error that may contain anything.
    BulkError(Vec<u8>),
    /// `:1`.
    Integer(i64),
    /// `$`, a byte string.
    Bulk(Vec<u8>),
    /// `$-1`, the null of RESP2.
    NullBulk,
    /// `*-1`, RESP2's null where an array was expected.
    NullArray,
    /// `_`, the null of RESP3.
    Null,
    /// `*`.
    Array(Vec<Value>),
    /// `%`, in the order sent.
    Map(Vec<(Value, Value)>),
    /// `~`, in the order sent.
    Set(Vec<Value>),
    /// `>`, a message that answers no command.
    Push(Vec<Value>),
    /// `,`.
    Double(f64),
    /// `#`.
    Boolean(bool),
    /// `(`, an integer in decimal.
    BigNumber(Vec<u8>),
    /// `=`, text with its format.
    Verbatim([u8; 3], Vec<u8>),
    /// `|`, remarks and the reply they belong to.
    Attribute(Vec<(Value, Value)>, Box<Value>),
}

impl Value {
    /// A byte string.
    pub fn bulk(bytes: impl Into<Vec<u8>>) -> Self {
        Value::Bulk(bytes.into())
    }

    /// True for each of the three nulls.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null | Value::NullBulk | Value::NullArray)
    }

    /// The text of an error reply.
    pub fn error(&self) -> Option<&[u8]> {
        match self {
            Value::Error(text) | Value::BulkError(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a string of any kind.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(text) | Value::Bulk(text) | Value::Verbatim(_, text) => Some(text),
            _ => None,
        }
    }

    /// An integer.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The values of an array, a set or a push message.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => Some(items),
            _ => None,
        }
    }

    /// Appends the value as it stands on the wire.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Simple(text) => push_line(out, b'+', text),
            Value::Error(text) => push_line(out, b'-', text),
            Value::BigNumber(text) => push_line(out, b'(', text),
            Value::Integer(value) => {
                push_line_unchecked(out, b':', itoa::Buffer::new().format(*value).as_bytes());
            }
            Value::Bulk(bytes) => push_bulk(out, bytes),
            Value::BulkError(bytes) => encode_blob(out, b'!', &[bytes]),
            Value::Verbatim(format, text) => encode_blob(out, b'=', &[format, b":", text]),
            Value::NullBulk => out.extend_from_slice(b"$-1\r\n"),
            Value::NullArray => out.extend_from_slice(b"*-1\r\n"),
            Value::Null => out.extend_from_slice(b"_\r\n"),
            Value::Array(items) => encode_items(out, b'*', items),
            Value::Set(items) => encode_items(out, b'~', items),
            Value::Push(items) => encode_items(out, b'>', items),
            Value::Map(pairs) => encode_pairs(out, b'%', pairs),
            Value::Double(value) => push_line_unchecked(out, b',', F64Text::new(*value).as_bytes()),
            Value::Boolean(value) => {
                out.extend_from_slice(if *value { b"#t\r\n" } else { b"#f\r\n" })
            }
            Value::Attribute(pairs, value) => {
                encode_pairs(out, b'|', pairs);
                value.encode(out);
            }
        }
    }
}

fn encode_blob(out: &mut Vec<u8>, tag: u8, parts: &[&[u8]]) {
    push_header(out, tag, parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}

fn encode_items(out: &mut Vec<u8>, tag: u8, items: &[Value]) {
    push_header(out, tag, items.len());
    items.iter().for_each(|item| item.encode(out));
}

fn encode_pairs(out: &mut Vec<u8>, tag: u8, pairs: &[(Value, Value)]) {
    push_header(out, tag, pairs.len());
    for (key, value) in pairs {
        key.encode(out);
        value.encode(out);
    }
}

/// Readable in a failed assertion: strings as text, the wire's own signs for the rest.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Simple(text) => write!(f, "+{}", text.escape_ascii()),
            Value::Error(text) => write!(f, "-{}", text.escape_ascii()),
            Value::BulkError(text) => write!(f, "!\"{}\"", text.escape_ascii()),
            Value::Integer(value) => write!(f, ":{value}"),
            Value::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Value::NullBulk => f.write_str("$-1"),
            Value::NullArray => f.write_str("*-1"),
            Value::Null => f.write_str("_"),
            Value::Array(items) => f.debug_list().entries(items).finish(),
            Value::Set(items) => f
                .write_str("~")
                .and_then(|()| f.debug_set().entries(items).finish()),
            Value::Push(items) => f
                .write_str(">")
                .and_then(|()| f.debug_list().entries(items).finish()),
            Value::Map(pairs) => debug_pairs(f, pairs),
            Value::Double(value) => write!(f, ",{value}"),
            Value::Boolean(value) => write!(f, "#{value}"),
            Value::BigNumber(digits) => write!(f, "({}", digits.escape_ascii()),
            Value::Verbatim(format, text) => {
                write!(f, "={}:\"{}\"", format.escape_ascii(), text.escape_ascii())
            }
            Value::Attribute(pairs, value) => {
                f.write_str("|")?;
                debug_pairs(f, pairs)?;
                write!(f, " {value:?}")
            }
        }
    }
}

fn debug_pairs(f: &mut fmt::Formatter<'_>, pairs: &[(Value, Value)]) -> fmt::Result {
    f.debug_map()
        .entries(pairs.iter().map(|(key, value)| (key, value)))
        .finish()
}
