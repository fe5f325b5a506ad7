//! Replies of both protocol versions as values, read from a socket and printed as scripts write them.
//!
//! This decoder is deliberately naive and shares no code with the server's own codec, so that an
//! error in one is not mirrored in the other.

use std::fmt;
use std::io::{self, BufRead};

/// One reply. Doubles keep their wire text, since clients see the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reply {
    Status(Vec<u8>),
    Error(Vec<u8>),
    Int(i64),
    Bulk(Vec<u8>),
    /// `$-1` and RESP3's `_`.
    Nil,
    /// `*-1`.
    NilArray,
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    Double(String),
    Bool(bool),
    Verbatim(Vec<u8>),
    BigNumber(String),
}

impl Reply {
    /// The bytes of a textual reply.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Status(b) | Self::Error(b) | Self::Bulk(b) | Self::Verbatim(b) => Some(b),
            _ => None,
        }
    }

    /// The text of a textual reply, or its printed form.
    pub(crate) fn text(&self) -> String {
        match self.bytes() {
            Some(b) => String::from_utf8_lossy(b).into_owned(),
            None => self.to_string(),
        }
    }

    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The elements of an array, set or push.
    pub(crate) fn items(&self) -> Option<&[Reply]> {
        match self {
            Self::Array(v) | Self::Set(v) | Self::Push(v) => Some(v),
            _ => None,
        }
    }

    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    pub(crate) fn is_ok(&self) -> bool {
        matches!(self, Self::Status(s) if s == b"OK")
    }
}

/// Appends a command as an array of bulk strings.
pub(crate) fn encode<A: AsRef<[u8]>>(args: &[A], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        let arg = arg.as_ref();
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads one reply.
pub(crate) fn decode(from: &mut impl BufRead) -> io::Result<Reply> {
    let line = read_line(from)?;
    let (kind, rest) = line
        .split_first()
        .ok_or_else(|| malformed("an empty line"))?;
    Ok(match kind {
        b'+' => Reply::Status(rest.to_vec()),
        b'-' => Reply::Error(rest.to_vec()),
        b':' => Reply::Int(number(rest)?),
        b'(' => Reply::BigNumber(text(rest)?),
        b',' => Reply::Double(text(rest)?),
        b'_' => Reply::Nil,
        b'#' => Reply::Bool(rest == b"t"),
        b'$' => match number(rest)? {
            -1 => Reply::Nil,
            n => Reply::Bulk(read_body(from, n)?),
        },
        b'!' => Reply::Error(read_body(from, number(rest)?)?),
        b'=' => {
            let body = read_body(from, number(rest)?)?;
            let after_format = body
                .get(4..)
                .ok_or_else(|| malformed("a verbatim string"))?;
            Reply::Verbatim(after_format.to_vec())
        }
        b'*' => match number(rest)? {
            -1 => Reply::NilArray,
            n => Reply::Array(read_items(from, n)?),
        },
        b'~' => Reply::Set(read_items(from, number(rest)?)?),
        b'>' => Reply::Push(read_items(from, number(rest)?)?),
        b'%' => {
            let pairs = number(rest)?;
            let mut map = Vec::new();
            for _ in 0..pairs {
                map.push((decode(from)?, decode(from)?));
            }
            Reply::Map(map)
        }
        _ => return Err(malformed(&String::from_utf8_lossy(&line))),
    })
}

fn read_items(from: &mut impl BufRead, count: i64) -> io::Result<Vec<Reply>> {
    (0..count).map(|_| decode(from)).collect()
}

fn read_body(from: &mut impl BufRead, len: i64) -> io::Result<Vec<u8>> {
    let len = usize::try_from(len).map_err(|_| malformed("a negative length"))?;
    let mut body = vec![0; len + 2];
    from.read_exact(&mut body)?;
    if !body.ends_with(b"\r\n") {
        return Err(malformed("a body that does not end in CR LF"));
    }
    body.truncate(len);
    Ok(body)
}

fn read_line(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if !line.ends_with(b"\r\n") {
        return Err(malformed("a line that does not end in CR LF"));
    }
    line.truncate(line.len() - 2);
    Ok(line)
}

fn number(text: &[u8]) -> io::Result<i64> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|t| t.parse().ok())
        .ok_or_else(|| malformed(&String::from_utf8_lossy(text)))
}

fn text(bytes: &[u8]) -> io::Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| malformed("a number that is not text"))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("malformed reply: {what}"),
    )
}

/// Quotes bytes as scripts write them; very long ones are cut for the reader's sake.
pub(crate) fn quote(bytes: &[u8]) -> String {
    const SHOWN: usize = 200;
    let mut out = String::from('"');
    for &b in bytes.iter().take(SHOWN) {
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            0x20..=0x7e => out.push(char::from(b)),
            _ => out.push_str(&format!("\\x{b:02x}")),
        }
    }
    out.push('"');
    if bytes.len() > SHOWN {
        out.push_str(&format!("... ({} bytes)", bytes.len()));
    }
    out
}

/// Prints a command as a script line.
pub(crate) fn print_command<A: AsRef<[u8]>>(args: &[A]) -> String {
    let printed: Vec<String> = args
        .iter()
        .map(|a| {
            let a = a.as_ref();
            let plain = !a.is_empty() && a.iter().all(|b| b.is_ascii_graphic() && *b != b'"');
            if plain && a.len() < 200 {
                String::from_utf8_lossy(a).into_owned()
            } else {
                quote(a)
            }
        })
        .collect();
    printed.join(" ")
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(s) => write!(f, "+{}", String::from_utf8_lossy(s)),
            Self::Error(e) => write!(f, "-{}", String::from_utf8_lossy(e)),
            Self::Int(n) => write!(f, "{n}"),
            Self::Bulk(b) => f.write_str(&quote(b)),
            Self::Nil => f.write_str("(nil)"),
            Self::NilArray => f.write_str("(nil array)"),
            Self::Array(v) => list(f, "[", v),
            Self::Set(v) => list(f, "~[", v),
            Self::Push(v) => list(f, ">[", v),
            Self::Map(pairs) => {
                f.write_str("{")?;
                for (i, (k, v)) in pairs.iter().enumerate() {
                    write!(f, "{}{k}: {v}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Double(d) => write!(f, "double {d}"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Verbatim(b) => write!(f, "verbatim {}", quote(b)),
            Self::BigNumber(n) => write!(f, "big {n}"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, open: &str, items: &[Reply]) -> fmt::Result {
    f.write_str(open)?;
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
    }
    f.write_str("]")
}
