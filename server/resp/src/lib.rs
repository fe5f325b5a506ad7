//! RESP2 and RESP3: the bytes Basalt speaks with its clients, its replicas and itself.
//!
//! The crate does no I/O, knows no command and depends on nothing of Basalt. Each side of a
//! conversation has its two halves:
//!
//! | | reads | writes |
//! |---|---|---|
//! | server | [`Decoder`] → [`Args`]: requests, resumable, arguments not copied | [`Encoder`]: replies |
//! | client | [`ReplyDecoder`] → [`Value`], or [`ReplySkipper`], which only counts | [`CommandWriter`], [`encode_command`] |
//!
//! [`number`] holds the strict number syntax Redis applies to arguments and the way it prints
//! floating point; [`LongDouble`] is the 80-bit arithmetic behind `INCRBYFLOAT`.
//!
//! Invariants, held by property tests:
//! - bytes from a peer never panic and never make the crate allocate more than a small multiple
//!   of the bytes received: announced lengths are not trusted;
//! - how the bytes were cut into pieces never changes the result;
//! - no byte is scanned twice, however small the pieces.

mod args;
mod command;
mod decode;
mod encode;
mod inline;
mod lengths;
mod limits;
mod long_double;
pub mod number;
mod parse_reply;
mod protocol_error;
mod skip;
mod value;

pub use args::{ArgRanges, Args, ArgsIter, OwnedArgs};
pub use command::{CommandWriter, encode_command};
pub use decode::Decoder;
pub use encode::{Aggregate, Encoder, Mark, Proto};
pub use inline::split_words;
pub use limits::Limits;
pub use long_double::LongDouble;
pub use number::{format_f64, format_long_double_like, parse_f64, parse_i64};
pub use parse_reply::{ReplyDecoder, ReplyError};
pub use protocol_error::ProtocolError;
pub use skip::{ReplyClass, ReplySkipper};
pub use value::Value;
