//! The texts of errors that only the commands on streams have, as Redis words them.

use crate::errors::{Error, echoed};

/// Something that is no id.
pub const INVALID_ID: Error =
    Error::new("ERR Invalid stream ID specified as stream command argument");
/// XADD of the id that no entry has.
pub const ID_ZERO: Error = Error::new("ERR The ID specified in XADD must be greater than 0-0");
/// XADD of an id that does not rise.
pub const ID_TOO_SMALL: Error =
    Error::new("ERR The ID specified in XADD is equal or smaller than the target stream top item");
/// XADD behind the largest id.
pub const EXHAUSTED: Error =
    Error::new("ERR The stream has exhausted the last possible ID, unable to add more items");
/// A range that begins behind the largest id.
pub const INVALID_START: Error = Error::new("ERR invalid start ID for the interval");
/// A range that ends before the smallest id.
pub const INVALID_END: Error = Error::new("ERR invalid end ID for the interval");
/// A negative length.
pub const MAXLEN_NEGATIVE: Error = Error::new("ERR The MAXLEN argument must be >= 0.");
/// A negative limit.
pub const LIMIT_NEGATIVE: Error = Error::new("ERR The LIMIT argument must be >= 0.");
/// Two trimming strategies.
pub const TWO_STRATEGIES: Error =
    Error::new("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
/// A limit of nothing.
pub const LIMIT_ALONE: Error =
    Error::new("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
/// A limit of trimming that is exact.
pub const LIMIT_EXACT: Error =
    Error::new("ERR syntax error, LIMIT cannot be used without the special ~ option");
/// XTRIM without a strategy.
pub const NO_STRATEGY: Error =
    Error::new("ERR syntax error, XTRIM must be called with a trimming strategy");
/// XSETID below what was deleted.
pub const SETID_BELOW_DELETED: Error =
    Error::new("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
/// XSETID below what is said to have been deleted.
pub const SETID_BELOW_GIVEN: Error =
    Error::new("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
/// XSETID below the last entry.
pub const SETID_BELOW_TOP: Error =
    Error::new("ERR The ID specified in XSETID is smaller than the target stream top item");
/// XSETID with fewer entries than there are.
pub const SETID_ADDED: Error = Error::new(
    "ERR The entries_added specified in XSETID is smaller than the target stream length",
);
/// XSETID with fewer entries than none.
pub const SETID_ADDED_NEGATIVE: Error = Error::new("ERR entries_added must be positive");
/// BLOCK with something that is no number.
pub const TIMEOUT_NOT_AN_INTEGER: Error =
    Error::new("ERR timeout is not an integer or out of range");
/// XREAD with `>`.
pub const NEW_IN_XREAD: Error = Error::new(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
);
/// XDELEX and XACKDEL with no number of ids.
pub const NUMIDS: Error = Error::new("ERR Number of IDs must be a positive integer");
/// XDELEX and XACKDEL with fewer ids than they say.
pub const NUMIDS_MISMATCH: Error =
    Error::new("ERR The `numids` parameter must match the number of arguments");

/// XREADGROUP without a group.
pub const GROUP_MISSING: Error = Error::new("ERR Missing GROUP option for XREADGROUP");
/// XGROUP CREATE of a group that is there.
pub const BUSY_GROUP: Error = Error::new("BUSYGROUP Consumer Group name already exists");
/// XGROUP with a number of entries that is none.
pub const ENTRIESREAD: Error = Error::new("ERR value for ENTRIESREAD must be positive or -1");
/// XGROUP of an absent key.
pub const XGROUP_NO_KEY: Error = Error::new(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option \
     to create an empty stream automatically.",
);

/// A text with a client's words in it.
fn with(parts: &[&[u8]]) -> Error {
    let parts = parts.iter().map(|part| echoed(part, usize::MAX));
    Error::bytes(parts.collect::<Vec<_>>().concat())
}

/// A key or a group that is not there; `place` is the command, if it says so.
#[must_use]
pub fn no_group(key: &[u8], group: &[u8], place: &str) -> Error {
    with(&[
        b"NOGROUP No such key '",
        key,
        b"' or consumer group '",
        group,
        b"'",
        place.as_bytes(),
    ])
}

/// A group that a stream does not have.
#[must_use]
pub fn no_group_for_key(group: &[u8], key: &[u8]) -> Error {
    with(&[
        b"NOGROUP No such consumer group '",
        group,
        b"' for key name '",
        key,
        b"'",
    ])
}

/// XGROUP with words that its subcommand does not know.
#[must_use]
pub fn xgroup_arguments(subcommand: &[u8]) -> Error {
    with(&[
        b"ERR unknown subcommand or wrong number of arguments for '",
        subcommand,
        b"'. Try XGROUP HELP.",
    ])
}

/// XREADGROUP behind an id that only XREAD knows.
#[must_use]
pub fn meaningless(id: &str) -> Error {
    Error::text(format!(
        "ERR The {id} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer \
         by specifying a proper ID, or use the > ID to get new messages. The {id} ID would just return an empty \
         result set."
    ))
}

/// XCLAIM and XAUTOCLAIM with an argument that is no number.
#[must_use]
pub fn invalid_argument(argument: &str, command: &str) -> Error {
    Error::text(format!("ERR Invalid {argument} argument for {command}"))
}

/// XCLAIM with an option's value that is no number.
#[must_use]
pub fn invalid_option(option: &str) -> Error {
    Error::text(format!("ERR Invalid {option} option argument for XCLAIM"))
}

/// XCLAIM with a word that it does not know.
#[must_use]
pub fn unrecognized_xclaim(word: &[u8]) -> Error {
    with(&[b"ERR Unrecognized XCLAIM option '", word, b"'"])
}

/// As many ids as keys are wanted.
#[must_use]
pub fn unbalanced(command: &str, special: &str) -> Error {
    Error::text(format!(
        "ERR Unbalanced '{command}' list of streams: for each stream key an ID{special} must be specified."
    ))
}

/// An option of XREADGROUP.
#[must_use]
pub fn only_in_xreadgroup(option: &str) -> Error {
    Error::text(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    ))
}

/// XINFO STREAM with more words than it knows; `word` is the client's STREAM.
#[must_use]
pub fn xinfo_stream_args(word: &[u8]) -> Error {
    const LIMIT: usize = 128;
    let mut text = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
    text.extend_from_slice(echoed(word, LIMIT));
    text.extend_from_slice(b"'. Try XINFO HELP.");
    Error::bytes(text)
}
