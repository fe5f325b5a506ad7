//! From the name to the command, and the ordered list of gates every command passes before it runs.
//!
//! The order of the gates is that of [`admit`]; read it there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, OnceLock};

use basalt_resp::Args;
use basalt_tiering::{Admission, UnixMs};

use crate::commands::{self, Command, Find, Flags, Handler};
use crate::config::RenamedCommand;
use crate::data::Data;
use crate::errors::{self, Error};
use crate::server::{PauseMode, Server};
use crate::session::{Multi, Session};

/// Number of a command or subcommand, dense from 0: the index of its counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandId(pub u16);

/// No command yet.
pub const NO_COMMAND: CommandId = CommandId(u16::MAX);

/// A command as dispatch finds it, with what is worth computing once.
#[derive(Debug)]
pub struct Row {
    /// The command.
    pub command: &'static Command,
    /// Its number.
    pub id: CommandId,
    /// Index of its key if it always has exactly one: the common case, with a path of its own.
    pub single_key: Option<usize>,
    /// Its lookups count as keyspace hits and misses.
    pub counts_lookups: bool,
    /// Its accesses count even for a client that said CLIENT NO-TOUCH: TOUCH.
    pub always_touches: bool,
    /// May run while the server loads, inside MULTI at once, … see the gates.
    traits: Traits,
    /// Rows of its subcommands.
    subcommands: std::ops::Range<usize>,
}

/// What the gates ask of a command.
#[derive(Clone, Copy, Debug)]
struct Traits {
    no_auth: bool,
    loading: bool,
    write: bool,
    deny_oom: bool,
    /// Runs at once inside MULTI instead of being queued.
    steers_multi: bool,
    is_exec: bool,
    /// Held back by CLIENT PAUSE WRITE though it is no write.
    may_replicate: bool,
}

impl Traits {
    fn of(command: &Command) -> Self {
        const STEERING: [&str; 6] = ["exec", "discard", "multi", "watch", "quit", "reset"];
        Traits {
            no_auth: command.flags.has(Flags::NO_AUTH),
            loading: command.flags.has(Flags::LOADING),
            write: command.is_write(),
            deny_oom: command.flags.has(Flags::DENYOOM),
            steers_multi: STEERING.contains(&command.name),
            is_exec: command.name == "exec",
            may_replicate: command.flags.has(Flags::MAY_REPLICATE),
        }
    }
}

/// All rows, and an open-addressing table of the short names: a name of at most 16 bytes is one number,
/// so that finding a command is a multiplication and (nearly always) one comparison.
struct Table {
    rows: Vec<Row>,
    top: usize,
    slots: Box<[(u128, u16)]>,
    /// The few names that are longer.
    long: Vec<(String, u16)>,
}

const SLOT_BITS: u32 = 11;
const MAX_NAME_BYTES: usize = 16;
const FREE: u16 = u16::MAX;

/// The lower-cased name as a number; 0 if it is empty or too long.
#[inline]
fn pack(name: &[u8]) -> u128 {
    if name.len() > MAX_NAME_BYTES {
        return 0;
    }
    let mut bytes = [0u8; MAX_NAME_BYTES];
    bytes[..name.len()].copy_from_slice(name);
    bytes.make_ascii_lowercase();
    u128::from_le_bytes(bytes)
}

#[inline]
fn slot_of(packed: u128) -> usize {
    let mixed = (packed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ ((packed >> 64) as u64);
    (mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> (64 - SLOT_BITS)) as usize
}

/// The commands by the names that clients use.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let names = NAMES.get_or_init(|| commands::all().map(|c| Some(c.name.to_owned())).collect());
    Table::build(names)
});
/// The commands by their own names, which the log holds whatever clients say.
static DECLARED: LazyLock<Table> = LazyLock::new(|| {
    let names: Vec<_> = commands::all().map(|c| Some(c.name.to_owned())).collect();
    Table::build(&names)
});
/// What clients call each command, in the order of the command table; `None` if they cannot call it.
static NAMES: OnceLock<Vec<Option<String>>> = OnceLock::new();
/// Some command has another name than its own.
static RENAMED: AtomicBool = AtomicBool::new(false);

/// Gives commands other names (`rename-command`), one after the other. To be called before any command is
/// looked up.
///
/// # Errors
/// A command that does not exist, or a name that is taken or too long.
pub fn rename_commands(renames: &[RenamedCommand]) -> Result<(), String> {
    if renames.is_empty() {
        return Ok(());
    }
    let mut names: Vec<_> = commands::all().map(|c| Some(c.name.to_owned())).collect();
    let find = |names: &[Option<String>], wanted: &str| {
        names.iter().position(|name| {
            name.as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        })
    };
    for RenamedCommand { command, new_name } in renames {
        let at = find(&names, command)
            .ok_or_else(|| format!("rename-command: there is no command '{command}'"))?;
        names[at] = None;
        let Some(new_name) = new_name else { continue };
        if find(&names, new_name).is_some() {
            return Err(format!("rename-command: '{new_name}' is a command already"));
        }
        if pack(new_name.as_bytes()) == 0 {
            return Err(format!(
                "rename-command: a name has 1 to {MAX_NAME_BYTES} bytes, '{new_name}' has not"
            ));
        }
        names[at] = Some(new_name.to_ascii_lowercase());
    }
    NAMES
        .set(names)
        .map_err(|_| "rename-command: the server runs already".to_owned())?;
    RENAMED.store(true, Ordering::Relaxed);
    Ok(())
}

/// The command's own name if clients know it by another one: an effect is logged under its own.
pub(crate) fn own_name(args: &Args<'_>) -> Option<&'static str> {
    if !RENAMED.load(Ordering::Relaxed) {
        return None;
    }
    // A subcommand's own word is among the arguments.
    let name = find(args)?.command.name;
    name.split('|').next()
}

impl Table {
    fn build(names: &[Option<String>]) -> Table {
        let mut rows: Vec<Row> = commands::all()
            .enumerate()
            .map(|(i, command)| row(command, i))
            .collect();
        let top = rows.len();
        for i in 0..top {
            let first = rows.len();
            let subcommands = rows[i].command.subcommands;
            rows.extend(
                subcommands
                    .iter()
                    .enumerate()
                    .map(|(j, command)| row(command, first + j)),
            );
            rows[i].subcommands = first..rows.len();
        }
        let mut slots = vec![(0u128, FREE); 1 << SLOT_BITS].into_boxed_slice();
        assert!(top < slots.len() / 2, "the table of names is too full");
        let mut long = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let Some(name) = name else { continue };
            let packed = pack(name.as_bytes());
            if packed == 0 {
                long.push((name.clone(), i as u16));
                continue;
            }
            let mut slot = slot_of(packed);
            while slots[slot].1 != FREE {
                assert!(slots[slot].0 != packed, "two commands are called {name}");
                slot = (slot + 1) % slots.len();
            }
            slots[slot] = (packed, i as u16);
        }
        Table {
            rows,
            top,
            slots,
            long,
        }
    }

    #[cold]
    fn find_long(&self, name: &[u8]) -> Option<&Row> {
        let is_it = |(known, _): &&(String, u16)| known.as_bytes().eq_ignore_ascii_case(name);
        let (_, index) = self.long.iter().find(is_it)?;
        Some(&self.rows[usize::from(*index)])
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<&Row> {
        let packed = pack(name);
        let mut slot = slot_of(packed);
        loop {
            let (candidate, index) = self.slots[slot];
            if index == FREE {
                return self.find_long(name);
            }
            if candidate == packed {
                return Some(&self.rows[usize::from(index)]);
            }
            slot = (slot + 1) % self.slots.len();
        }
    }
}

/// Writes whose lookups Redis counts like those of reads.
const READING_WRITES: [&str; 3] = ["getdel", "getex", "getset"];

fn row(command: &'static Command, index: usize) -> Row {
    let single_key = match (command.keys, command.handler) {
        ([spec], Handler::Data(_)) if matches!(spec.find, Find::Range { last: 0, .. }) => {
            // The arity must promise that the argument is there.
            let least = command.arity.unsigned_abs() as usize;
            (spec.first < least).then_some(spec.first)
        }
        _ => None,
    };
    Row {
        command,
        id: CommandId(index as u16),
        single_key,
        counts_lookups: command.flags.has(Flags::READONLY)
            || READING_WRITES.contains(&command.name),
        always_touches: command.name == "touch",
        traits: Traits::of(command),
        subcommands: 0..0,
    }
}

/// Number of commands and subcommands.
#[must_use]
pub fn command_count() -> usize {
    TABLE.rows.len()
}

/// Number of commands without subcommands.
#[must_use]
pub fn top_level_count() -> usize {
    TABLE.top
}

/// Name of a command, `NULL` before the first.
#[must_use]
pub fn name_of(id: CommandId) -> &'static str {
    TABLE
        .rows
        .get(usize::from(id.0))
        .map_or("NULL", |row| row.command.name)
}

/// The row of a command or subcommand, without any check of its arity.
#[inline]
#[must_use]
pub fn find(args: &Args<'_>) -> Option<&'static Row> {
    find_row(args).ok()
}

/// The row of a command from a log.
#[must_use]
pub fn find_declared(args: &Args<'_>) -> Option<&'static Row> {
    find_in(&DECLARED, args).ok()
}

#[inline]
fn find_row(args: &Args<'_>) -> Result<&'static Row, Error> {
    find_in(&TABLE, args)
}

#[inline]
fn find_in(table: &'static Table, args: &Args<'_>) -> Result<&'static Row, Error> {
    let Some(row) = args.get(0).and_then(|name| table.find(name)) else {
        return Err(unknown_command(args));
    };
    if row.subcommands.is_empty() {
        return Ok(row);
    }
    let Some(wanted) = args.get(1) else {
        return Ok(row);
    };
    let name = |row: &Row| row.command.name.split_once('|').map_or("", |(_, sub)| sub);
    let found = table.rows[row.subcommands.clone()]
        .iter()
        .find(|r| name(r).as_bytes().eq_ignore_ascii_case(wanted));
    found.ok_or_else(|| unknown_subcommand(row.command.name, wanted))
}

/// A request on its way through the gates.
#[derive(Debug)]
pub struct Request<'a> {
    /// The server.
    pub server: &'a Server,
    /// The keys and their log.
    pub data: &'a Data,
    /// The connection.
    pub session: &'a Session,
    /// The arguments.
    pub args: &'a Args<'a>,
    /// The clock.
    pub now: UnixMs,
}

/// What the gates decided.
#[derive(Debug)]
pub enum Verdict {
    /// Run it.
    Run(&'static Row),
    /// Keep it for EXEC.
    Queue(&'static Row),
    /// Not before a pause ends.
    Hold,
    /// Not before there is room in memory.
    AwaitRoom,
    /// Refused; `Some` if the command is known.
    Refuse(Option<&'static Row>, Error),
}

/// Passes a request through the gates, in this order.
#[inline]
#[must_use]
pub fn admit(request: &Request<'_>) -> Verdict {
    let row = match find_row(request.args) {
        Ok(row) => row,
        Err(error) => return Verdict::Refuse(None, error),
    };
    let checked = known_arity(request, row)
        .and_then(|()| authenticated(request, row))
        .and_then(|()| loaded(request, row))
        .and_then(|()| role_allows(request, row))
        .and_then(|()| log_writable(request, row))
        .and_then(|()| followed(request, row));
    if let Err(error) = checked {
        return Verdict::Refuse(Some(row), error);
    }
    match room(request, row) {
        Admission::Go => {}
        Admission::Wait => return Verdict::AwaitRoom,
        Admission::OutOfMemory => return Verdict::Refuse(Some(row), errors::OUT_OF_MEMORY),
    }
    if is_paused(request, row) {
        return Verdict::Hold;
    }
    if request.session.multi.is_some() && !row.traits.steers_multi {
        return queue(row);
    }
    Verdict::Run(row)
}

#[inline]
fn known_arity(request: &Request<'_>, row: &Row) -> Result<(), Error> {
    if row.command.fits(request.args.len()) {
        Ok(())
    } else {
        Err(errors::wrong_arity(row.command.name))
    }
}

#[inline]
fn authenticated(request: &Request<'_>, row: &Row) -> Result<(), Error> {
    if request.session.authenticated || row.traits.no_auth {
        Ok(())
    } else {
        Err(NO_AUTH)
    }
}

#[inline]
fn loaded(request: &Request<'_>, row: &Row) -> Result<(), Error> {
    if !request.server.is_loading() || row.traits.loading {
        Ok(())
    } else {
        Err(LOADING)
    }
}

/// A replica takes no writes, and may have to keep silent while it has no master.
#[inline]
fn role_allows(request: &Request<'_>, row: &Row) -> Result<(), Error> {
    if request.server.replication.is_master() {
        Ok(())
    } else {
        replica_allows(request, row)
    }
}

#[cold]
fn replica_allows(request: &Request<'_>, row: &Row) -> Result<(), Error> {
    let settings = request.server.config.peek();
    // What changes the whole keyspace is marked in the log, and the log is the master's.
    let still = matches!(row.command.handler, Handler::Exclusive(_));
    if writes(request.session, row) && (settings.replica_read_only || still) {
        return Err(errors::READ_ONLY_REPLICA);
    }
    let silent =
        !settings.replica_serve_stale_data && !request.server.replication.replica.is_connected();
    if silent && !row.command.flags.has(Flags::STALE) {
        return Err(errors::MASTER_DOWN);
    }
    Ok(())
}

/// A log that cannot be written (failed fsync, full disk) refuses writes; reads go on.
#[inline]
fn log_writable(request: &Request<'_>, row: &Row) -> Result<(), Error> {
    if !writes(request.session, row) {
        return Ok(());
    }
    let queued = request
        .session
        .multi
        .as_ref()
        .map_or(0, |multi| multi.bytes);
    request.data.log.admits(request.args.raw().len() + queued)
}

/// A master that too few replicas follow refuses writes (`min-replicas-to-write`).
#[inline]
fn followed(request: &Request<'_>, row: &Row) -> Result<(), Error> {
    let replication = &request.server.replication;
    if !writes(request.session, row) || replication.master.suffice() || !replication.is_master() {
        Ok(())
    } else {
        Err(NO_REPLICAS)
    }
}

#[inline]
fn room(request: &Request<'_>, row: &Row) -> Admission {
    let denies = row.traits.deny_oom
        || (row.traits.is_exec && queued_flags(request.session).has(Flags::DENYOOM));
    if !denies {
        return Admission::Go;
    }
    match request.data.store.admit_write() {
        // To queue a command takes no room; EXEC asks again.
        Admission::Wait if request.session.multi.is_some() && !row.traits.is_exec => Admission::Go,
        other => other,
    }
}

#[inline]
fn is_paused(request: &Request<'_>, row: &Row) -> bool {
    match request.server.pause.in_force(request.now) {
        None => false,
        Some(PauseMode::All) => true,
        Some(PauseMode::Write) => row.traits.may_replicate || writes(request.session, row),
    }
}

fn queue(row: &'static Row) -> Verdict {
    if row.command.flags.has(Flags::NO_MULTI) {
        return Verdict::Refuse(Some(row), NOT_IN_MULTI);
    }
    Verdict::Queue(row)
}

#[inline]
fn writes(session: &Session, row: &Row) -> bool {
    row.traits.write || (row.traits.is_exec && queued_flags(session).has(Flags::WRITE))
}

fn queued_flags(session: &Session) -> Flags {
    session.multi.as_ref().map_or(Flags::NONE, Multi::flags)
}

const NO_AUTH: Error = Error::new("NOAUTH Authentication required.");
const LOADING: Error = Error::new("LOADING Basalt is loading the dataset in memory");
const NO_REPLICAS: Error = Error::new("NOREPLICAS Not enough good replicas to write.");
const NOT_IN_MULTI: Error = Error::new("ERR Command not allowed inside a transaction");

/// True for what a browser says that was led to believe this is a web server: a request line with POST, or the
/// header that every HTTP request has. The request's body would be commands in somebody else's name.
#[cold]
pub(crate) fn is_http(args: &Args<'_>) -> bool {
    let name = args.get(0).unwrap_or_default();
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Bytes of a client's own words that an error repeats.
const ECHOED_BYTES: usize = 128;

#[cold]
fn unknown_command(args: &Args<'_>) -> Error {
    let mut given = Vec::new();
    for arg in args.iter().skip(1) {
        if given.len() >= ECHOED_BYTES {
            break;
        }
        let arg = errors::echoed(arg, ECHOED_BYTES - given.len());
        given.extend_from_slice(&[b"'", arg, b"' "].concat());
    }
    let name = errors::echoed(args.get(0).unwrap_or_default(), ECHOED_BYTES);
    let middle = b"', with args beginning with: ";
    Error::bytes([b"ERR unknown command '", name, middle, &given].concat())
}

#[cold]
fn unknown_subcommand(container: &str, wanted: &[u8]) -> Error {
    let wanted = errors::echoed(wanted, ECHOED_BYTES);
    let hint = format!("'. Try {} HELP.", container.to_ascii_uppercase());
    Error::bytes([b"ERR unknown subcommand '", wanted, hint.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use basalt_resp::OwnedArgs;

    fn error_of(words: &[&str]) -> String {
        match find_row(&OwnedArgs::from_slices(words).as_args()) {
            Ok(row) => panic!("{} was found", row.command.name),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_command_is_found_by_its_name_in_any_case() {
        for command in commands::all() {
            let upper = command.name.to_ascii_uppercase();
            let args = OwnedArgs::from_slices(&[upper.as_bytes()]);
            assert_eq!(
                find(&args.as_args()).map(|row| row.command.name),
                Some(command.name)
            );
            for sub in command.subcommands {
                let words: Vec<&str> = sub.name.split('|').collect();
                let args = OwnedArgs::from_slices(&words);
                assert_eq!(
                    find(&args.as_args()).map(|row| row.command.name),
                    Some(sub.name)
                );
            }
        }
    }

    #[test]
    fn unknown_names_are_refused_in_the_words_of_redis() {
        assert_eq!(
            error_of(&["nosuch", "a", "b"]),
            "ERR unknown command 'nosuch', with args beginning with: 'a' 'b' "
        );
        assert_eq!(
            error_of(&["averyveryverylongname"]),
            "ERR unknown command 'averyveryverylongname', with args beginning with: "
        );
        assert_eq!(
            error_of(&["client", "nosuch"]),
            "ERR unknown subcommand 'nosuch'. Try CLIENT HELP."
        );
    }
}
