//! The command table: every command declared once, as data.
//!
//! Dispatch, arity checks, COMMAND and its subcommands, ACL categories, cluster checks, pinning and
//! `docs/commands.md` are all derived from the rows. One file per family; each exports a `FAMILY` table.
//!
//! A data handler is synchronous, does no I/O and knows no sockets: it parses its arguments, acts on the
//! [`Tx`], records the effects to be logged, and replies. If it meets a key that is not in memory it
//! returns [`Stop::Fault`] (by `?`) before its first write, and is run again once the key is there.

use std::sync::LazyLock;

use basalt_resp::{Args, Encoder};
use basalt_tiering::{Fault, Key, Tx, UnixMs};
use hashbrown::HashMap;

use crate::args::is;
use crate::blocking::Wait;
use crate::effects::Effects;
use crate::errors::Error;
use crate::server::Server;
use crate::session::SessionCtx;

pub mod bitmaps;
pub mod bloom;
pub mod collection;
pub mod connection;
pub mod describe;
pub mod docs;
pub mod geo;
pub mod hashes;
pub mod help;
pub mod hyperloglog;
pub mod introspection;
pub mod keys;
pub mod keyspace;
pub mod lists;
pub mod replicas;
pub mod replication;
pub mod server_admin;
pub mod sets;
pub mod sorted_sets;
mod spec;
pub mod streams;
pub mod strings;
pub mod tier;
pub mod transactions;

/// Why a handler stopped before it replied.
#[derive(Debug)]
pub enum Stop {
    /// A key has to be loaded; nothing was written.
    Fault,
    /// The error is the reply.
    Error(Error),
    /// There is nothing yet: the command waits, or inside MULTI replies so. Nothing was written.
    Block(Box<Wait>),
    /// These keys of its database are needed, too: their slots locked, they themselves in memory, and in this order behind
    /// the declared ones in [`Ctx::keys`]. Only for handlers that are called with more keys than they declare. Nothing was
    /// written.
    Beyond(Vec<Box<[u8]>>),
}

impl From<Fault> for Stop {
    fn from(_: Fault) -> Self {
        Stop::Fault
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

/// What a data or keyspace handler returns.
pub type Outcome = Result<(), Stop>;

/// What a handler on keys sees.
pub struct Ctx<'a, 's> {
    /// The server: configuration, counters.
    pub server: &'a Server,
    /// The arguments, the command's name first.
    pub args: &'a Args<'a>,
    /// The declared keys, in the order of the command's key specs; behind them those of [`Stop::Beyond`].
    pub keys: &'a [Key<'a>],
    /// The locked slots.
    pub tx: &'a mut Tx<'s>,
    /// Where the reply goes.
    pub out: Encoder<'a>,
    /// Effects to be logged if the command succeeds.
    pub effects: &'a mut Effects,
    /// The selected database.
    pub db: u32,
    /// The command's reading of the clock, or [`REPLAY_CLOCK`].
    pub now: UnixMs,
}

/// What commands from a log read on the clock, so that they do again exactly what was done: for them no
/// time is past (what had expired was logged as DEL) and limits that a client meets do not hold.
pub const REPLAY_CLOCK: UnixMs = UnixMs(0);

impl Ctx<'_, '_> {
    /// True for a command from a log.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.now == REPLAY_CLOCK
    }
}

/// What kind of work a command is, and the function that does it.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Works on its declared keys, under their slot locks.
    Data(fn(&mut Ctx<'_, '_>) -> Outcome),
    /// Reads the whole keyspace (SCAN, KEYS, DBSIZE, …); may wait for the disk, so it runs on a thread of
    /// its own unless everything is in memory.
    Keyspace(fn(&mut keyspace::KeyspaceCtx<'_>) -> Outcome),
    /// Needs the whole keyspace still (FLUSHALL, SWAPDB, …): runs under the exclusive gate.
    Exclusive(fn(&mut keyspace::KeyspaceCtx<'_>) -> Outcome),
    /// Concerns the connection or the server, not keys. May answer at once or hand back a future.
    Session(fn(&mut SessionCtx<'_>) -> crate::session::Next),
}

/// A set of command flags, as COMMAND INFO names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u32);

macro_rules! flags {
    ($($name:ident = $bit:literal, $text:literal;)*) => {
        impl Flags {
            $(#[doc = concat!("`", $text, "`")] pub const $name: Flags = Flags(1 << $bit);)*
            /// Every flag with the name COMMAND INFO gives it.
            pub const NAMES: &'static [(Flags, &'static str)] = &[$((Flags::$name, $text)),*];
        }
    };
}

flags! {
    WRITE = 0, "write";
    READONLY = 1, "readonly";
    DENYOOM = 2, "denyoom";
    ADMIN = 3, "admin";
    PUBSUB = 4, "pubsub";
    NOSCRIPT = 5, "noscript";
    BLOCKING = 6, "blocking";
    LOADING = 7, "loading";
    STALE = 8, "stale";
    SKIP_MONITOR = 9, "skip_monitor";
    SKIP_SLOWLOG = 10, "skip_slowlog";
    ASKING = 11, "asking";
    FAST = 12, "fast";
    NO_AUTH = 13, "no_auth";
    MAY_REPLICATE = 14, "may_replicate";
    NO_MANDATORY_KEYS = 15, "no_mandatory_keys";
    NO_MULTI = 16, "no_multi";
    ALLOW_BUSY = 17, "allow_busy";
    MOVABLE_KEYS = 18, "movablekeys";
    NO_ASYNC_LOADING = 19, "no_async_loading";
    PROTECTED = 20, "protected";
}

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);

    /// Both sets together (usable in constants).
    #[must_use]
    pub const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// True if every flag of `other` is set.
    #[must_use]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The family a command belongs to, as COMMAND DOCS names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Stream,
    Bitmap,
    HyperLogLog,
    Bloom,
    Geo,
    PubSub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Cluster,
    /// Commands that only Basalt has.
    Basalt,
}

/// What a command does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Reads the value (`RO access`).
    Read,
    /// Only asks whether it is there, or for metadata (`RO`).
    Exists,
    /// Changes it, depending on what it was (`RW`): the key is pinned first.
    Update,
    /// Replaces it whatever it was (`OW`): nothing is pinned.
    Overwrite,
    /// Deletes it (`RM`).
    Remove,
}

/// Where keys stand among the arguments.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Index of the first key (the command's name is 0).
    pub first: usize,
    /// Which arguments from there are keys.
    pub find: Find,
    /// What is done with them.
    pub intent: Intent,
    /// Flag names for COMMAND INFO, e.g. `&["RW", "access", "update"]`.
    pub flags: &'static [&'static str],
}

/// Which arguments, counted from the first, are keys.
#[derive(Clone, Copy, Debug)]
pub enum Find {
    /// Up to `last` (relative to the first if ≥ 0; -1 is the last argument, -2 the one before) in `step`s.
    Range {
        /// Last key.
        last: i32,
        /// Distance between keys.
        step: usize,
    },
    /// The argument at `first` is a count; that many keys follow. If it is none, or exceeds the arguments, the handler is
    /// called without these keys, and refuses it in the words of the command.
    Count,
    /// What other keys hold says which these are ([`Stop::Beyond`]).
    Unknown,
    /// The argument behind SORT's last STORE.
    SortStore,
    /// The first half of what stands behind the first such word at or behind `first`: keys, then as many other arguments. If
    /// these are no halves, the handler is called without keys, and refuses them.
    HalfBehind(&'static str),
    /// The one argument behind each such word at or behind `first`.
    Behind(&'static str),
}

/// An argument for COMMAND DOCS.
#[derive(Clone, Copy, Debug)]
pub struct ArgSpec {
    /// Name, e.g. `seconds`.
    pub name: &'static str,
    /// Type, e.g. `integer`, `key`, `pure-token`, `oneof`, `block`.
    pub kind: &'static str,
    /// Literal token, e.g. `EX`.
    pub token: Option<&'static str>,
    /// `optional`, `multiple`, `multiple_token`.
    pub flags: &'static [&'static str],
    /// Version that introduced it, where later than the command.
    pub since: Option<&'static str>,
    /// Arguments of a `oneof` or `block`.
    pub args: &'static [ArgSpec],
}

/// One command.
pub struct Command {
    /// Name in lower case; of a subcommand `client|id`.
    pub name: &'static str,
    /// One line of documentation.
    pub summary: &'static str,
    /// The Redis version that introduced it.
    pub since: &'static str,
    /// Family.
    pub group: Group,
    /// Cost, as COMMAND DOCS prints it.
    pub complexity: &'static str,
    /// Number of arguments with the name; negative: at least that many.
    pub arity: i32,
    /// Flags.
    pub flags: Flags,
    /// Its keys.
    pub keys: &'static [KeySpec],
    /// Its arguments.
    pub args: &'static [ArgSpec],
    /// Its subcommands; then the handler serves the bare name only.
    pub subcommands: &'static [Command],
    /// What it does.
    pub handler: Handler,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Command {
    /// True if it may change the data set.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.flags.has(Flags::WRITE)
    }

    /// True if `argc` arguments (name included) fit the arity.
    #[must_use]
    pub fn fits(&self, argc: usize) -> bool {
        if self.arity >= 0 {
            argc == self.arity as usize
        } else {
            argc >= (-self.arity) as usize
        }
    }

    /// Calls `each` with the argument index and intent of every key; false if a key count in the arguments
    /// is no number or exceeds them.
    #[inline]
    pub fn for_each_key(&self, args: &Args<'_>, mut each: impl FnMut(usize, Intent)) -> bool {
        self.keys
            .iter()
            .all(|spec| spec.for_each_index(args, |index| each(index, spec.intent)))
    }
}

/// A row of a family's table: a command on keys, without subcommands. Its group is the table's ([`in_group`]).
#[allow(clippy::too_many_arguments, reason = "the columns of the table")]
const fn data_row(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    complexity: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    args: &'static [ArgSpec],
    handler: fn(&mut Ctx<'_, '_>) -> Outcome,
) -> Command {
    Command {
        name,
        summary,
        since,
        group: Group::Generic,
        complexity,
        arity,
        flags,
        keys,
        args,
        subcommands: &[],
        handler: Handler::Data(handler),
    }
}

/// A family's table: these rows, all of one group.
const fn in_group<const N: usize>(group: Group, mut rows: [Command; N]) -> [Command; N] {
    let mut at = 0;
    while at < N {
        rows[at].group = group;
        at += 1;
    }
    rows
}

impl KeySpec {
    /// Calls `each` with the argument index of every key; false if a key count among the arguments is no
    /// number or exceeds them.
    #[inline]
    pub fn for_each_index(&self, args: &Args<'_>, mut each: impl FnMut(usize)) -> bool {
        match self.find {
            Find::Range { last, step } => {
                let argc = args.len();
                let last = if last >= 0 {
                    self.first + last as usize
                } else {
                    argc.saturating_sub((-last) as usize)
                };
                let mut index = self.first;
                while index <= last && index < argc {
                    each(index);
                    index += step;
                }
            }
            Find::Count => {
                let count = args.get(self.first).and_then(basalt_resp::parse_i64);
                let Some(count) = count.and_then(|n| usize::try_from(n).ok()) else {
                    return false;
                };
                if count >= args.len() - self.first {
                    return false;
                }
                for index in self.first + 1..=self.first + count {
                    each(index);
                }
            }
            Find::Unknown => {}
            Find::SortStore => sort_store(args).into_iter().for_each(each),
            Find::HalfBehind(word) => {
                let mut words = args.iter().skip(self.first);
                let Some(at) = words.position(|arg| is(arg, word)) else {
                    return false;
                };
                let start = self.first + at + 1;
                let behind = args.len() - start;
                if behind == 0 || !behind.is_multiple_of(2) {
                    return false;
                }
                for index in start..start + behind / 2 {
                    each(index);
                }
            }
            Find::Behind(word) => {
                let before = (self.first + 1..args.len()).filter(|at| is(&args[at - 1], word));
                before.for_each(each);
            }
        }
        true
    }
}

/// The argument behind the last STORE among the options of SORT.
fn sort_store(args: &Args<'_>) -> Option<usize> {
    let (mut index, mut found) = (2, None);
    while let Some(word) = args.get(index) {
        let is = |name| crate::args::is(word, name);
        if is("STORE") {
            found = Some(index + 1);
        }
        index += match () {
            () if is("LIMIT") => 3,
            () if is("BY") || is("GET") || is("STORE") => 2,
            () => 1,
        };
    }
    found.filter(|index| *index < args.len())
}

/// Every family's table.
static FAMILIES: &[&[Command]] = &[
    strings::FAMILY,
    bitmaps::FAMILY,
    hyperloglog::FAMILY,
    bloom::FAMILY,
    hashes::FAMILY,
    lists::FAMILY,
    sets::FAMILY,
    sorted_sets::FAMILY,
    streams::FAMILY,
    geo::FAMILY,
    keys::FAMILY,
    keyspace::FAMILY,
    transactions::FAMILY,
    connection::FAMILY,
    introspection::FAMILY,
    server_admin::FAMILY,
    replication::FAMILY,
    tier::FAMILY,
    replicas::FAMILY,
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Command, foldhash::fast::FixedState>> =
    LazyLock::new(|| {
        FAMILIES
            .iter()
            .flat_map(|family| family.iter())
            .map(|c| (c.name, c))
            .collect()
    });

/// All top-level commands.
pub fn all() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The command called `name` in any case.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    let mut lower = [0u8; 32];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    BY_NAME.get(std::str::from_utf8(lower).ok()?).copied()
}
