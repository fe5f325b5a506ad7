//! DEBUG: for tests, and for clients' own test suites. Off unless `enable-debug-command` says otherwise.
//!
//! DEBUG SLEEP and DEBUG DIGEST keep everybody else out while they run, as in Redis. DEBUG RELOAD makes a checkpoint
//! and then empties memory, so that everything is read back from the cold tier.

use std::sync::Arc;
use std::time::{Duration, Instant};

use basalt_resp::{Encoder, OwnedArgs};
use basalt_tiering::{Admission, Expiry, Fault, Key, Kind, PinSet, Tx, UnixMs};

use super::config::origin;
use super::digest;
use crate::args;
use crate::commands::help;
use crate::data::Data;
use crate::errors::{self, Error};
use crate::exec;
use crate::glob::{self, Case};
use crate::object_encoding::encoding_of;
use crate::server::Server;
use crate::session::{Next, SessionCtx};

const NOT_ALLOWED: Error = Error::new(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it \
     from a local connection, otherwise you need to set this option in the configuration file, and then \
     restart the server.",
);
const NOT_IN_MULTI: Error = Error::new("ERR DEBUG RELOAD is not allowed inside a transaction");
const NOT_POSITIVE: Error = Error::new("ERR value is out of range, must be positive");

/// Accepted without effect: they steer what Basalt does not have, and test suites call them.
const NO_OPS: [&str; 9] = [
    "JMAP",
    "QUICKLIST-PACKED-THRESHOLD",
    "LISTPACK-ENTRIES",
    "SET-SKIP-CHECKSUM-VALIDATION",
    "SET-DISABLE-DENY-SCRIPTS",
    "REPLYBUFFER",
    "DICT-RESIZING",
    "PAUSE-CRON",
    "CHANGE-REPL-ID",
];

const HELP: &[&str] = &[
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DIGEST",
    "    A signature of all data, as a redis-server computes it.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Signatures of values.",
    "ERROR <text>",
    "    An error reply of this text.",
    "LOG <message>",
    "    Writes a message into the server's log.",
    "OBJECT <key>",
    "    How a value is kept.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Sets <count> keys <prefix>:<number> (default: key) that are not there yet.",
    "RELOAD",
    "    Makes a checkpoint and empties memory: all is read from the cold tier again.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Whether expired keys are deleted without being asked for.",
    "SLEEP <seconds>",
    "    Stops the server for a while. Decimals are allowed.",
    "STRINGMATCH-LEN <pattern> <string>",
    "    Whether a string matches a pattern.",
    "JMAP, QUICKLIST-PACKED-THRESHOLD <size>, SET-SKIP-CHECKSUM-VALIDATION <0|1>, ...",
    "    Accepted without effect.",
    "HELP",
    "    This list.",
];

/// Access to keys from a thread that may block.
pub(super) struct Reach {
    pub(super) server: Arc<Server>,
    /// This thread already keeps everybody out (EXEC), so it must not ask for the gate.
    pub(super) still: bool,
}

impl Reach {
    /// Looks at a key wherever its value is; `look` is called again after a fault.
    pub(super) fn with_key<R>(
        &self,
        db: u32,
        key: &[u8],
        mut look: impl FnMut(&mut Tx<'_>, &Key<'_>) -> Result<R, Fault>,
    ) -> Result<R, Error> {
        let mut pins = PinSet::default();
        loop {
            let shared = (!self.still).then(|| self.server.gate.enter_background());
            let data = self.server.data();
            let key = data.store.key(db, key);
            let (seen, _) =
                exec::change(&data, &[key], UnixMs::now(), &pins, |tx, _| look(tx, &key));
            drop(shared);
            match seen {
                Ok(seen) => return Ok(seen),
                Err(_) => pin(&data, &key, &mut pins)?,
            }
        }
    }
}

fn pin(data: &Data, key: &basalt_tiering::Key<'_>, pins: &mut PinSet) -> Result<(), Error> {
    data.store
        .pin_blocking(&[*key], pins)
        .map_err(|error| errors::store_failed(&error))
}

pub(super) fn debug(ctx: &mut SessionCtx<'_>) -> Next {
    if !ctx
        .server
        .config
        .peek()
        .enable_debug_command
        .allows(origin(&ctx.session.info))
    {
        return NOT_ALLOWED.into();
    }
    let name = ctx.args.get(1).unwrap_or_default().to_ascii_uppercase();
    let (argc, at) = (ctx.args.len(), |index: usize| {
        ctx.args.get(index).unwrap_or_default()
    });
    match (&name[..], argc) {
        (b"HELP", 2) => {
            let lines: Vec<String> = HELP.iter().map(|line| (*line).to_owned()).collect();
            help::reply(&mut ctx.out, &lines);
        }
        (b"SLEEP", 3) => return sleep(ctx),
        (b"DIGEST", 2) | (b"DIGEST-VALUE", 3..) | (b"OBJECT", 3) => return look(ctx, &name),
        (b"RELOAD", 2..) => return reload(ctx),
        (b"POPULATE", 3..=5) => return populate(ctx),
        (b"SET-ACTIVE-EXPIRE", 3) => {
            let data = ctx.server.data();
            let mut limits = (*data.store.limits()).clone();
            limits.active_expire = at(2) != b"0";
            data.store.reconfigure(limits);
            ctx.out.ok();
        }
        (b"ERROR", 3) => {
            return Error::text(String::from_utf8_lossy(at(2)).replace(['\r', '\n'], " ")).into();
        }
        (b"LOG", 3) => {
            tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(at(2)));
            ctx.out.ok();
        }
        (b"STRINGMATCH-LEN", 4) => {
            ctx.out
                .integer(i64::from(glob::matches(at(2), at(3), Case::Matters)));
        }
        _ if NO_OPS.iter().any(|no_op| no_op.as_bytes() == name) => ctx.out.ok(),
        _ => {
            let given = String::from_utf8_lossy(at(1));
            let text = format!(
                "ERR unknown subcommand or wrong number of arguments for '{given}'. Try DEBUG HELP."
            );
            return Error::text(text).into();
        }
    }
    Next::Done
}

fn reach(ctx: &SessionCtx<'_>) -> Reach {
    Reach {
        server: Arc::clone(ctx.server),
        still: ctx.session.in_exec,
    }
}

/// Like C's `strtod`, what is no number is zero.
fn sleep(ctx: &SessionCtx<'_>) -> Next {
    let text = String::from_utf8_lossy(ctx.args.get(2).unwrap_or_default()).into_owned();
    let seconds: f64 = text.parse().unwrap_or(0.0);
    let reach = reach(ctx);
    let pause = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
    Next::work(move |out| {
        let everybody = (!reach.still).then(|| reach.server.gate.exclusive());
        std::thread::sleep(pause);
        drop(everybody);
        out.ok();
    })
}

fn look(ctx: &SessionCtx<'_>, name: &[u8]) -> Next {
    let (mut reach, db) = (reach(ctx), ctx.session.db);
    let (name, owned) = (name.to_vec(), ctx.args.to_owned_args());
    Next::work(move |out| {
        let server = Arc::clone(&reach.server);
        let everybody = (!reach.still).then(|| server.gate.exclusive());
        reach.still = true;
        let looked = match &name[..] {
            b"DIGEST" => digest::dataset(&reach).map(|digest| out.simple(digest.hex())),
            b"OBJECT" => object(&reach, db, &owned, out),
            _ => digests_of_values(&reach, db, &owned, out),
        };
        drop(everybody);
        if let Err(error) = looked {
            out.error(error.as_bytes());
        }
    })
}

fn digests_of_values(
    reach: &Reach,
    db: u32,
    owned: &OwnedArgs,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    let args = owned.as_args();
    let digests: Result<Vec<_>, Error> = args
        .iter()
        .skip(2)
        .map(|key| digest::value(reach, db, key))
        .collect();
    let digests = digests?;
    out.array(digests.len());
    digests
        .into_iter()
        .for_each(|digest| out.simple(digest.hex()));
    Ok(())
}

fn object(reach: &Reach, db: u32, owned: &OwnedArgs, out: &mut Encoder<'_>) -> Result<(), Error> {
    let args = owned.as_args();
    let line = reach.with_key(db, args.get(2).unwrap_or_default(), |tx, key| {
        let Some(encoding) = encoding_of(tx, key, &reach.server.config.peek())? else {
            return Ok(None);
        };
        let value = tx.peek(key)?.expect("just seen");
        Ok(Some(format!(
            "Value at:{:p} refcount:1 encoding:{encoding} serializedlength:{} lru:0 lru_seconds_idle:{} freq:{}",
            value.address(),
            value.stored_bytes(),
            value.idle_seconds,
            value.freq,
        )))
    })?;
    out.simple(line.ok_or(errors::NO_SUCH_KEY)?);
    Ok(())
}

fn reload(ctx: &SessionCtx<'_>) -> Next {
    if ctx.session.in_exec {
        return NOT_IN_MULTI.into();
    }
    let server = Arc::clone(ctx.server);
    Next::work(move |out| {
        let data = server.data();
        let spilled = data.store.checkpoint().and_then(|()| {
            // Without tiering what is in memory has to stay there.
            if server.config.peek().tiering {
                data.store.spill_all().map(drop)
            } else {
                Ok(())
            }
        });
        match spilled {
            Ok(()) => out.ok(),
            Err(error) => out.error(errors::store_failed(&error).as_bytes()),
        }
    })
}

fn populate(ctx: &SessionCtx<'_>) -> Next {
    let positive = |index: usize| match ctx.args.get(index) {
        None => Ok(0),
        Some(text) => args::integer(text)
            .ok()
            .and_then(|n| u64::try_from(n).ok())
            .ok_or(NOT_POSITIVE),
    };
    let (count, size) = match (positive(2), positive(4)) {
        (Ok(count), Ok(size)) => (count, size as usize),
        (Err(error), _) | (_, Err(error)) => return error.into(),
    };
    let prefix = ctx.args.get(3).unwrap_or(b"key").to_vec();
    let (reach, db) = (reach(ctx), ctx.session.db);
    Next::work(move |out| {
        let mut key = Vec::new();
        for number in 0..count {
            key.clear();
            key.extend_from_slice(&prefix);
            key.extend_from_slice(format!(":{number}").as_bytes());
            let mut value = format!("value:{number}").into_bytes();
            if size > 0 {
                value.resize(size, 0);
            }
            if let Err(error) = set_if_absent(&reach, db, &key, &value) {
                return out.error(error.as_bytes());
            }
        }
        out.ok();
    })
}

fn set_if_absent(reach: &Reach, db: u32, key: &[u8], value: &[u8]) -> Result<(), Error> {
    let server = &reach.server;
    if !server.replication.is_master() {
        return Err(errors::READ_ONLY_REPLICA);
    }
    server.data().log.admits(key.len() + value.len())?;
    await_room(server)?;
    let mut pins = PinSet::default();
    loop {
        let shared = (!reach.still).then(|| server.gate.enter_background());
        let data = server.data();
        let key = data.store.key(db, key);
        let (set, _) = exec::change(&data, &[key], UnixMs::now(), &pins, |tx, effects| {
            let absent = !tx.exists(&key)?;
            if absent {
                tx.set(&key, Kind::String, value, Expiry::Never);
                effects.set(db, key.bytes, value, None);
            }
            Ok::<(), basalt_tiering::Fault>(())
        });
        drop(shared);
        match set {
            Ok(()) => return Ok(()),
            Err(_) => pin(&data, &key, &mut pins)?,
        }
    }
}

/// Waits on this thread until a write may go on.
fn await_room(server: &Server) -> Result<(), Error> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let begun = Instant::now();
    loop {
        match server.data().store.admit_write() {
            Admission::Go => return Ok(()),
            Admission::Wait if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(1))
            }
            Admission::Wait | Admission::OutOfMemory => return Err(errors::OUT_OF_MEMORY),
        }
    }
}
