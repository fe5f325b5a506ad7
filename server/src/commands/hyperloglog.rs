//! HyperLogLogs: strings that estimate how many different elements were added. The table; commands and encodings
//! are in the files below this one.
//!
//! ```text
//!   "HYLL"  encoding u8  3 × 0  cached estimate u64 LE, highest bit set: not valid   registers
//!                                                                            dense   16384 × 6 bits
//!                                                                            sparse  runs, see `sparse`
//! ```
//!
//! The bytes are those of Redis after the same commands, so that values can be exchanged. Flajolet's registers,
//! Ertl's estimator.

use super::{ArgSpec, Command, Ctx, Flags, Group, Handler, Intent, KeySpec};

mod add;
mod count;
mod debug;
mod dense;
mod estimate;
mod hash;
mod header;
mod sparse;

pub(super) use hash::murmur64a;

const KEY: ArgSpec = ArgSpec::key("key");
const WRITE: Flags = Flags::WRITE.or(Flags::DENYOOM);

/// A command on HyperLogLogs.
#[allow(clippy::too_many_arguments, reason = "the columns of the table")]
const fn row(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    complexity: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    args: &'static [ArgSpec],
    handler: fn(&mut Ctx<'_, '_>) -> super::Outcome,
) -> Command {
    let handler = Handler::Data(handler);
    let group = Group::HyperLogLog;
    Command {
        name,
        summary,
        since,
        group,
        complexity,
        arity,
        flags,
        keys,
        args,
        subcommands: &[],
        handler,
    }
}

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &[
    row("pfadd", "Adds elements to a HyperLogLog", "2.8.9", "O(1) for each element", -2, WRITE.or(Flags::FAST),
        &[KeySpec::one(1, Intent::Update, &["RW", "insert"])],
        &[KEY, ArgSpec::new("element", "string").optional_multiple()], add::pfadd),
    // It may keep its answer in the value, which to clients is no change.
    row("pfcount", "Estimates how many different elements HyperLogLogs hold together", "2.8.9",
        "O(1) for one key, O(N) for several, with a large constant", -2, Flags::READONLY,
        &[KeySpec::rest(1, Intent::Read, &["RW", "access"])], &[KEY.multiple()], count::pfcount),
    row("pfmerge", "Merges HyperLogLogs into one", "2.8.9", "O(N), with a large constant", -2, WRITE,
        &[KeySpec::one(1, Intent::Update, &["RW", "access", "insert"]),
          KeySpec::rest(2, Intent::Read, &["RO", "access"])],
        &[ArgSpec::key("destkey"), ArgSpec::key("sourcekey").optional_multiple()], add::pfmerge),
    row("pfdebug", "Shows or changes how a HyperLogLog is encoded", "2.8.9", "N/A", 3, WRITE.or(Flags::ADMIN),
        &[KeySpec::one(2, Intent::Update, &["RW", "access"])],
        &[ArgSpec::new("subcommand", "string"), KEY], debug::pfdebug),
    row("pfselftest", "Tests the encodings and estimates of HyperLogLogs", "2.8.9", "N/A", 1, Flags::ADMIN,
        &[], &[], debug::pfselftest),
];
