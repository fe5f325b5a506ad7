//! Why a request cannot be read. Every one of them ends the connection: after a framing error
//! nobody knows where the next command starts.

use std::fmt;

/// A request that is not RESP, or that exceeds a limit. The texts are Redis' own, since client
/// libraries and tests look at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolError {
    /// The line with the argument count does not end.
    TooBigCountString,
    /// The argument count is not a number or is over the limit.
    InvalidMultibulkLength,
    /// More arguments than a client may send before it authenticates.
    UnauthenticatedMultibulkLength,
    /// An argument must start with `$`; this byte came instead.
    ExpectedDollar(u8),
    /// The line with an argument's length does not end.
    TooBigBulkCountString,
    /// An argument's length is not a number, is negative, or is over the limit.
    InvalidBulkLength,
    /// A longer argument than a client may send before it authenticates.
    UnauthenticatedBulkLength,
    /// An inline command does not end.
    TooBigInlineRequest,
    /// Quotes in an inline command do not match.
    UnbalancedQuotes,
}

impl ProtocolError {
    fn text(self) -> &'static str {
        match self {
            Self::TooBigCountString => "too big mbulk count string",
            Self::InvalidMultibulkLength => "invalid multibulk length",
            Self::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            Self::ExpectedDollar(_) => "expected '$', got '",
            Self::TooBigBulkCountString => "too big bulk count string",
            Self::InvalidBulkLength => "invalid bulk length",
            Self::UnauthenticatedBulkLength => "unauthenticated bulk length",
            Self::TooBigInlineRequest => "too big inline request",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
        }
    }

    /// Appends the error reply that is sent before the connection is closed, as in
    /// `-ERR Protocol error: invalid bulk length\r\n`.
    pub fn write_reply(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"-ERR Protocol error: ");
        out.extend_from_slice(self.text().as_bytes());
        if let Self::ExpectedDollar(byte) = self {
            // A line break inside an error would end the reply early.
            out.push(if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                byte
            });
            out.push(b'\'');
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protocol error: {}", self.text())?;
        match self {
            Self::ExpectedDollar(byte) => write!(f, "{}'", byte.escape_ascii()),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ProtocolError {}
