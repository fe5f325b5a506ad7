//! The texts of error replies, as Redis words them, in one place.

use std::borrow::Cow;

/// An error reply: the whole text after the `-`, with its code. Bytes, since it may repeat a client's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Cow<'static, [u8]>);

impl Error {
    /// A fixed text.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Error(Cow::Borrowed(text.as_bytes()))
    }

    /// A text made at run time.
    #[must_use]
    pub fn text(text: String) -> Self {
        Error(Cow::Owned(text.into_bytes()))
    }

    /// A text made of a client's words among others.
    #[must_use]
    pub fn bytes(text: Vec<u8>) -> Self {
        Error(Cow::Owned(text))
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A client's word as an error repeats it: up to a NUL, where C ends, and up to `limit`.
#[must_use]
pub fn echoed(word: &[u8], limit: usize) -> &[u8] {
    let word = &word[..word.len().min(limit)];
    word.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A value of another type than the command works on.
pub const WRONG_TYPE: Error =
    Error::new("WRONGTYPE Operation against a key holding the wrong kind of value");
/// A command whose wait CLIENT UNBLOCK ended.
pub const UNBLOCKED: Error = Error::new("UNBLOCKED client unblocked via CLIENT UNBLOCK");
/// A command whose wait ended since this node follows another one now.
pub const UNBLOCKED_BY_ROLE: Error = Error::new(
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
);
/// A timeout that is no number.
pub const TIMEOUT_NOT_A_FLOAT: Error = Error::new("ERR timeout is not a float or out of range");
/// A timeout below zero.
pub const TIMEOUT_NEGATIVE: Error = Error::new("ERR timeout is negative");
/// A timeout beyond all times.
pub const TIMEOUT_OUT_OF_RANGE: Error = Error::new("ERR timeout is out of range");
/// A position that a list has not.
pub const INDEX_OUT_OF_RANGE: Error = Error::new("ERR index out of range");
/// A cursor that no scan gives.
pub const INVALID_CURSOR: Error = Error::new("ERR invalid cursor");
/// Arguments in a form the command does not know.
pub const SYNTAX: Error = Error::new("ERR syntax error");
/// SORT without ALPHA of what are no numbers.
pub const SORT_NOT_A_NUMBER: Error =
    Error::new("ERR One or more scores can't be converted into double");
/// Not a 64-bit signed integer.
pub const NOT_AN_INTEGER: Error = Error::new("ERR value is not an integer or out of range");
/// Not a number.
pub const NOT_A_FLOAT: Error = Error::new("ERR value is not a valid float");
/// The source key of RENAME, LSET, … is not there.
pub const NO_SUCH_KEY: Error = Error::new("ERR no such key");
/// The memory (or disk) limit is reached and the policy evicts nothing.
pub const OUT_OF_MEMORY: Error =
    Error::new("OOM command not allowed when used memory > 'maxmemory'.");
/// RENAME, COPY or MOVE of what has outgrown memory.
#[must_use]
pub fn too_large_to_copy(bytes: u64) -> Error {
    Error::text(format!(
        "OOM the value takes about {} MB, more than the memory budget ('maxmemory'), and would have to be in memory as a \
         whole",
        bytes >> 20
    ))
}
/// A value, or a part of one, could not be read from disk.
#[must_use]
pub fn unreadable(why: &dyn std::fmt::Display) -> Error {
    store_failed(&format_args!("cannot read the key from disk: {why}"))
}
/// The log cannot take a write; reads go on.
#[must_use]
pub fn log_refuses(why: &basalt_binlog::Error) -> Error {
    match why {
        basalt_binlog::Error::TooLarge(_) => Error::text(format!("ERR {why}")),
        _ => Error::text(format!("MISCONF {why}. Reads are served, writes are not.")),
    }
}
/// The log took a change no more that was already made in memory.
#[must_use]
pub fn change_not_logged(why: &basalt_binlog::Error) -> Error {
    Error::text(format!(
        "MISCONF the change was made in memory but could not be logged ({why}): a restart may undo it. Writes are \
         refused until then."
    ))
}
/// A change was not logged, so no further one may be.
pub const AHEAD_OF_LOG: Error = Error::new(
    "MISCONF an earlier change could not be logged: memory is ahead of the log. Writes are refused until a restart.",
);
/// A write on a replica that takes none.
pub const READ_ONLY_REPLICA: Error =
    Error::new("READONLY You can't write against a read only replica.");
/// The link to the master is down and old data is not to be served.
pub const MASTER_DOWN: Error =
    Error::new("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");
/// The server is about to end.
pub const SHUTTING_DOWN: Error = Error::new("ERR the server is shutting down");
/// A number that a C `int` does not hold.
pub const NOT_A_C_INT: Error =
    Error::new("ERR value is out of range, value must between -2147483648 and 2147483647");
/// A database number that `databases` does not reach.
pub const DB_OUT_OF_RANGE: Error = Error::new("ERR DB index is out of range");
/// COPY or MOVE of a key onto itself.
pub const SAME_OBJECT: Error = Error::new("ERR source and destination objects are the same");
/// INCR past the range of a 64-bit integer.
pub const INCREMENT_OVERFLOW: Error = Error::new("ERR increment or decrement would overflow");
/// DECRBY by a number whose negation is no 64-bit integer.
pub const DECREMENT_OVERFLOW: Error = Error::new("ERR decrement would overflow");
/// INCRBYFLOAT to a result that is no number.
pub const INCREMENT_NOT_A_NUMBER: Error = Error::new("ERR increment would produce NaN or Infinity");
/// A negative offset, or one beyond what a string may hold.
pub const OFFSET_OUT_OF_RANGE: Error = Error::new("ERR offset is out of range");
/// A string that would outgrow `proto-max-bulk-len`.
pub const STRING_TOO_LONG: Error =
    Error::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
/// EXPIRE with NX and another condition.
pub const EXPIRE_NX_CONFLICT: Error =
    Error::new("ERR NX and XX, GT or LT options at the same time are not compatible");
/// EXPIRE with GT and LT.
pub const EXPIRE_GT_LT_CONFLICT: Error =
    Error::new("ERR GT and LT options at the same time are not compatible");
/// LCS of something else.
pub const LCS_NOT_STRINGS: Error = Error::new("ERR The specified keys must contain string values");
/// LCS with both LEN and IDX.
pub const LCS_LEN_AND_IDX: Error =
    Error::new("ERR If you want both the length and indexes, please just use IDX.");
/// LCS of strings whose product is beyond `proto-max-bulk-len`.
pub const LCS_TOO_LARGE: Error =
    Error::new("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
/// A bit's number that is none, or lies beyond what a string may hold.
pub const BIT_OFFSET: Error = Error::new("ERR bit offset is not an integer or out of range");
/// A bit that is neither 0 nor 1, for SETBIT.
pub const BIT_VALUE: Error = Error::new("ERR bit is not an integer or out of range");
/// A bit that is neither 0 nor 1, for BITPOS.
pub const BIT_ARGUMENT: Error = Error::new("ERR The bit argument must be 1 or 0.");
/// BITOP NOT of several values.
pub const BITOP_NOT_SOURCES: Error =
    Error::new("ERR BITOP NOT must be called with a single source key.");
/// BITFIELD with a width that is none.
pub const BITFIELD_TYPE: Error = Error::new(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
);
/// BITFIELD OVERFLOW with an unknown word.
pub const BITFIELD_OVERFLOW: Error = Error::new("ERR Invalid OVERFLOW type specified");
/// BITFIELD_RO with an operation that writes.
pub const BITFIELD_READ_ONLY: Error =
    Error::new("ERR BITFIELD_RO only supports the GET subcommand");
/// A string that is no HyperLogLog.
pub const NOT_A_HYPERLOGLOG: Error =
    Error::new("WRONGTYPE Key is not a valid HyperLogLog string value.");
/// A HyperLogLog whose runs do not add up.
pub const HYPERLOGLOG_CORRUPT: Error = Error::new("INVALIDOBJ Corrupted HLL object detected");
/// PFDEBUG DECODE of a dense one.
pub const HYPERLOGLOG_NOT_SPARSE: Error = Error::new("ERR HLL encoding is not sparse");
/// PFDEBUG of an absent key.
pub const SPECIFIED_KEY_ABSENT: Error = Error::new("ERR The specified key does not exist");
/// DUMP of a value that Redis' format has no form for.
pub const NOT_DUMPED: Error = Error::new("ERR values of this type cannot be dumped");
/// RESTORE of a payload that is damaged or of a newer version.
pub const PAYLOAD_VERSION: Error = Error::new("ERR DUMP payload version or checksum are wrong");
/// RESTORE of a payload that makes no value.
pub const BAD_DATA_FORMAT: Error = Error::new("ERR Bad data format");
/// RESTORE onto a key that is there.
pub const BUSY_KEY: Error = Error::new("BUSYKEY Target key name already exists.");
/// RESTORE with a negative time to live.
pub const INVALID_TTL: Error = Error::new("ERR Invalid TTL value, must be >= 0");
/// RESTORE with a negative idle time.
pub const INVALID_IDLETIME: Error = Error::new("ERR Invalid IDLETIME value, must be >= 0");
/// RESTORE with a frequency that a counter cannot hold.
pub const INVALID_FREQ: Error = Error::new("ERR Invalid FREQ value, must be >= 0 and <= 255");
/// A count that has to be 0 or more.
pub const NOT_POSITIVE: Error = Error::new("ERR value is out of range, must be positive");
/// The one count whose negation is no number.
pub const COUNT_OUT_OF_RANGE: Error = Error::new(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
/// More elements, with repetitions, than a reply can hold.
pub const COUNT_TOO_LARGE: Error = Error::new("ERR value is out of range");
/// SINTERCARD, ZMPOP and their like without keys.
pub const NUMKEYS_NOT_POSITIVE: Error = Error::new("ERR numkeys should be greater than 0");
/// SINTERCARD with fewer keys than it says.
pub const NUMKEYS_BEYOND_ARGS: Error =
    Error::new("ERR Number of keys can't be greater than number of args");
/// SINTERCARD and ZINTERCARD with a negative limit.
pub const LIMIT_NEGATIVE: Error = Error::new("ERR LIMIT can't be negative");
/// ZMPOP of nothing.
pub const COUNT_NOT_POSITIVE: Error = Error::new("ERR count should be greater than 0");
/// ZADD with both.
pub const ZADD_NX_XX: Error =
    Error::new("ERR XX and NX options at the same time are not compatible");
/// ZADD with more than one of them.
pub const ZADD_GT_LT_NX: Error =
    Error::new("ERR GT, LT, and/or NX options at the same time are not compatible");
/// ZADD INCR of several members.
pub const ZADD_INCR_PAIRS: Error =
    Error::new("ERR INCR option supports a single increment-element pair");
/// An increment that makes infinity minus infinity.
pub const SCORE_NOT_A_NUMBER: Error = Error::new("ERR resulting score is not a number (NaN)");
/// A weight that is no number.
pub const NOT_A_WEIGHT: Error = Error::new("ERR weight value is not a float");
/// An end of a range of scores that is none.
pub const NOT_A_SCORE_RANGE: Error = Error::new("ERR min or max is not a float");
/// An end of a range of words that is none.
pub const NOT_A_LEX_RANGE: Error = Error::new("ERR min or max not valid string range item");
/// ZRANGE by rank with a limit.
pub const ZRANGE_LIMIT: Error = Error::new(
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
/// ZRANGE by word with scores.
pub const ZRANGE_WITHSCORES: Error =
    Error::new("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
/// A unit of length that is none.
pub const GEO_UNIT: Error = Error::new("ERR unsupported unit provided. please use M, KM, FT, MI");
/// A search around a member that is not there.
pub const GEO_MEMBER: Error = Error::new("ERR could not decode requested zset member");
/// A radius that is no number.
pub const GEO_RADIUS: Error = Error::new("ERR need numeric radius");
/// A radius below zero.
pub const GEO_RADIUS_NEGATIVE: Error = Error::new("ERR radius cannot be negative");
/// A box's width that is no number.
pub const GEO_WIDTH: Error = Error::new("ERR need numeric width");
/// A box's height that is no number.
pub const GEO_HEIGHT: Error = Error::new("ERR need numeric height");
/// A box's side below zero.
pub const GEO_BOX_NEGATIVE: Error = Error::new("ERR height or width cannot be negative");
/// COUNT of nothing, for a search of places or XAUTOCLAIM.
pub const COUNT_ABOVE_ZERO: Error = Error::new("ERR COUNT must be > 0");
/// GEOSEARCH with ANY alone.
pub const GEO_ANY: Error = Error::new("ERR the ANY argument requires COUNT argument");
/// OBJECT FREQ without frequencies.
pub const NO_FREQUENCIES: Error = Error::new(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
     switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
/// OBJECT IDLETIME under an LFU policy.
pub const NO_IDLE_TIMES: Error = Error::new(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
     between policies at runtime LRU and LFU data will take some time to adjust.",
);

/// A time to live that is not positive, or too far away.
#[must_use]
pub fn invalid_expire_time(command: &str) -> Error {
    Error::text(format!("ERR invalid expire time in '{command}' command"))
}

/// An option of EXPIRE that is none.
#[must_use]
pub fn unsupported_option(option: &[u8]) -> Error {
    Error::bytes([b"ERR Unsupported option ", echoed(option, usize::MAX)].concat())
}

/// A word where HSETEX has options.
#[must_use]
pub fn unknown_argument(word: &[u8]) -> Error {
    Error::bytes([b"ERR unknown argument: ", echoed(word, usize::MAX)].concat())
}

/// ZUNION and its like without keys.
#[must_use]
pub fn no_input_keys(command: &str) -> Error {
    Error::text(format!(
        "ERR at least 1 input key is needed for '{command}' command"
    ))
}

/// A place that the earth, or the grid laid over it, does not have.
#[must_use]
pub fn geo_pair(longitude: f64, latitude: f64) -> Error {
    Error::text(format!(
        "ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
    ))
}

/// A search whose result is stored, with what only a reply can have; `what` is stored so.
#[must_use]
pub fn geo_store(what: &str) -> Error {
    Error::text(format!(
        "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
    ))
}

/// GEOSEARCH without one of two options that exclude each other.
#[must_use]
pub fn geo_one_of(options: &str, command: &[u8]) -> Error {
    let text = format!("ERR exactly one of {options} can be specified for ");
    Error::bytes([text.as_bytes(), echoed(command, usize::MAX)].concat())
}

/// A BITOP that treats its first value apart, without another.
#[must_use]
pub fn bitop_sources(operation: &str) -> Error {
    Error::text(format!(
        "ERR BITOP {operation} must be called with at least two source keys."
    ))
}

/// A subcommand of PFDEBUG that is none.
#[must_use]
pub fn unknown_pfdebug(word: &[u8]) -> Error {
    Error::bytes(
        [
            b"ERR Unknown PFDEBUG subcommand '",
            echoed(word, usize::MAX),
            b"'",
        ]
        .concat(),
    )
}

/// A number of arguments that the arity allows and the command does not.
#[must_use]
pub fn wrong_arity(command: &str) -> Error {
    Error::text(format!(
        "ERR wrong number of arguments for '{command}' command"
    ))
}

/// The cold tier or the log failed a command that waited for it.
#[must_use]
pub fn store_failed(why: &dyn std::fmt::Display) -> Error {
    // A reply is one line, whatever a library put into its message.
    Error::text(format!("ERR {why}").replace(['\r', '\n'], " "))
}
