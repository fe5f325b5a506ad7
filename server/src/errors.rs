//! The texts of error replies, as Redis words them, in one place.

use std::borrow::Cow;

/// An error reply: the whole text after the `-`, with its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(pub Cow<'static, str>);

impl Error {
    /// A fixed text.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Error(Cow::Borrowed(text))
    }

    /// A text made at run time.
    #[must_use]
    pub fn text(text: String) -> Self {
        Error(Cow::Owned(text))
    }
}

/// A value of another type than the command works on.
pub const WRONG_TYPE: Error =
    Error::new("WRONGTYPE Operation against a key holding the wrong kind of value");
/// Arguments in a form the command does not know.
pub const SYNTAX: Error = Error::new("ERR syntax error");
/// Not a 64-bit signed integer.
pub const NOT_AN_INTEGER: Error = Error::new("ERR value is not an integer or out of range");
/// Not a number.
pub const NOT_A_FLOAT: Error = Error::new("ERR value is not a valid float");
/// The source key of RENAME, LSET, … is not there.
pub const NO_SUCH_KEY: Error = Error::new("ERR no such key");
/// The memory (or disk) limit is reached and the policy evicts nothing.
pub const OUT_OF_MEMORY: Error = Error::new("OOM command not allowed when used memory > 'maxmemory'.");
/// The log cannot take a write; reads go on.
#[must_use]
pub fn log_refuses(why: &basalt_binlog::Error) -> Error {
    match why {
        basalt_binlog::Error::TooLarge(_) => Error::text(format!("ERR {why}")),
        _ => Error::text(format!("MISCONF {why}. Reads are served, writes are not.")),
    }
}
/// The server is about to end.
pub const SHUTTING_DOWN: Error = Error::new("ERR the server is shutting down");
