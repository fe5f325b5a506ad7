//! CLIENT, all but KILL.

use basalt_resp::parse_i64;
use basalt_tiering::UnixMs;

use crate::args;
use crate::blocking::Unblock;
use crate::clients::{ClientId, ClientInfo, ClientKind, flag};
use crate::errors::{self, Error};
use crate::server::PauseMode;
use crate::session::{Next, ReplyMode, SessionCtx};

const BAD_NAME: Error =
    Error::new("ERR Client names cannot contain spaces, newlines or special characters.");
const BAD_ID: Error = Error::new("ERR Invalid client ID");
const NO_TRACKING: Error = Error::new("ERR client-side caching is not supported yet");
const CACHING_ALONE: Error = Error::new(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
);

/// Printable ASCII without spaces, so that a line of CLIENT LIST stays one line of fields.
fn is_plain(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_graphic)
}

pub(super) fn checked_name(name: &[u8]) -> Result<String, Error> {
    if is_plain(name) {
        Ok(String::from_utf8_lossy(name).into_owned())
    } else {
        Err(BAD_NAME)
    }
}

fn ok(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.out.ok();
    Next::Done
}

pub(super) fn id(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.out.integer(ctx.session.info.id.0 as i64);
    Next::Done
}

pub(super) fn get_name(ctx: &mut SessionCtx<'_>) -> Next {
    let name = ctx.session.info.labels.lock().name.clone();
    ctx.out.bulk_or_null((!name.is_empty()).then_some(name));
    Next::Done
}

pub(super) fn set_name(ctx: &mut SessionCtx<'_>) -> Next {
    match checked_name(&ctx.args[2]) {
        Ok(name) => {
            ctx.session.info.labels.lock().name = name;
            ok(ctx)
        }
        Err(error) => error.into(),
    }
}

pub(super) fn set_info(ctx: &mut SessionCtx<'_>) -> Next {
    let (attribute, value) = (&ctx.args[2], &ctx.args[3]);
    let is_name = args::is(attribute, "LIB-NAME");
    if !is_name && !args::is(attribute, "LIB-VER") {
        let attribute = String::from_utf8_lossy(attribute);
        return Error::text(format!("ERR Unrecognized option '{attribute}'")).into();
    }
    let word = if is_name { "lib-name" } else { "lib-ver" };
    if !is_plain(value) {
        return Error::text(format!(
            "ERR {word} cannot contain spaces, newlines or special characters."
        ))
        .into();
    }
    let value = String::from_utf8_lossy(value).into_owned();
    let mut labels = ctx.session.info.labels.lock();
    *(if is_name {
        &mut labels.lib_name
    } else {
        &mut labels.lib_ver
    }) = value;
    drop(labels);
    ok(ctx)
}

pub(super) fn info(ctx: &mut SessionCtx<'_>) -> Next {
    let mut line = String::new();
    ctx.session.info.describe(ctx.now, &mut line);
    line.push('\n');
    ctx.out.verbatim(*b"txt", line);
    Next::Done
}

pub(super) fn list(ctx: &mut SessionCtx<'_>) -> Next {
    let mut clients = ctx.server.clients.all();
    // Of one who was killed only the end of its task is still to come.
    clients.retain(|client| !client.is_killed());
    let text = match (ctx.args.len(), ctx.args.get(2)) {
        (2, _) => lines(clients.iter().map(AsRef::as_ref), ctx.now),
        (4, Some(option)) if args::is(option, "TYPE") => {
            let Some(kind) = ClientKind::parse(&ctx.args[3]) else {
                return unknown_type(&ctx.args[3]).into();
            };
            lines(
                clients
                    .iter()
                    .map(AsRef::as_ref)
                    .filter(|client| client.kind() == kind),
                ctx.now,
            )
        }
        (4.., Some(option)) if args::is(option, "ID") => {
            let mut wanted = Vec::new();
            for arg in ctx.args.iter().skip(3) {
                let Some(id) = parse_i64(arg).and_then(|id| u64::try_from(id).ok()) else {
                    return BAD_ID.into();
                };
                wanted.extend(ctx.server.clients.get(ClientId(id)));
            }
            lines(wanted.iter().map(AsRef::as_ref), ctx.now)
        }
        _ => return errors::SYNTAX.into(),
    };
    ctx.out.verbatim(*b"txt", text);
    Next::Done
}

fn lines<'c>(clients: impl Iterator<Item = &'c ClientInfo>, now: UnixMs) -> String {
    let mut text = String::new();
    for client in clients {
        client.describe(now, &mut text);
        text.push('\n');
    }
    text
}

pub(super) fn unknown_type(name: &[u8]) -> Error {
    Error::text(format!(
        "ERR Unknown client type '{}'",
        String::from_utf8_lossy(name)
    ))
}

pub(super) fn pause(ctx: &mut SessionCtx<'_>) -> Next {
    const NOT_A_TIMEOUT: Error = Error::new("ERR timeout is not an integer or out of range");
    let mode = match ctx.args.get(3) {
        None => PauseMode::All,
        Some(word) if args::is(word, "ALL") => PauseMode::All,
        Some(word) if args::is(word, "WRITE") => PauseMode::Write,
        Some(_) => return Error::new("ERR CLIENT PAUSE mode must be WRITE or ALL").into(),
    };
    if ctx.args.len() > 4 {
        return errors::SYNTAX.into();
    }
    let Some(ms) = parse_i64(&ctx.args[2]) else {
        return NOT_A_TIMEOUT.into();
    };
    let Ok(ms) = u64::try_from(ms) else {
        return Error::new("ERR timeout is negative").into();
    };
    let Some(until) = ctx.now.0.checked_add(ms) else {
        return NOT_A_TIMEOUT.into();
    };
    ctx.server.pause.begin(UnixMs(until), mode, ctx.now);
    ok(ctx)
}

pub(super) fn unpause(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.server.pause.end();
    ok(ctx)
}

pub(super) fn reply(ctx: &mut SessionCtx<'_>) -> Next {
    let mode = &ctx.args[2];
    if args::is(mode, "ON") {
        ctx.session.reply = ReplyMode::On;
        return ok(ctx);
    }
    if args::is(mode, "OFF") {
        ctx.session.reply = ReplyMode::Off;
    } else if args::is(mode, "SKIP") {
        if ctx.session.reply != ReplyMode::Off {
            ctx.session.reply = ReplyMode::SkipNext;
        }
    } else {
        return errors::SYNTAX.into();
    }
    Next::Done
}

fn on_or_off(word: &[u8]) -> Result<bool, Error> {
    match (args::is(word, "ON"), args::is(word, "OFF")) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(errors::SYNTAX),
    }
}

pub(super) fn no_evict(ctx: &mut SessionCtx<'_>) -> Next {
    match on_or_off(&ctx.args[2]) {
        Ok(on) => {
            ctx.session.info.set_flag(flag::NO_EVICT, on);
            ok(ctx)
        }
        Err(error) => error.into(),
    }
}

pub(super) fn no_touch(ctx: &mut SessionCtx<'_>) -> Next {
    match on_or_off(&ctx.args[2]) {
        Ok(on) => {
            ctx.session.no_touch = on;
            ctx.session.info.set_flag(flag::NO_TOUCH, on);
            ok(ctx)
        }
        Err(error) => error.into(),
    }
}

pub(super) fn tracking(ctx: &mut SessionCtx<'_>) -> Next {
    match on_or_off(&ctx.args[2]) {
        Ok(true) => NO_TRACKING.into(),
        Ok(false) if ctx.args.len() > 3 => errors::SYNTAX.into(),
        Ok(false) => ok(ctx),
        Err(error) => error.into(),
    }
}

pub(super) fn tracking_info(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.out.map(3);
    ctx.out.bulk("flags");
    ctx.out.set(1);
    ctx.out.bulk("off");
    ctx.out.bulk("redirect");
    ctx.out.integer(-1);
    ctx.out.bulk("prefixes");
    ctx.out.set(0);
    Next::Done
}

pub(super) fn get_redir(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.out.integer(-1);
    Next::Done
}

pub(super) fn caching(ctx: &mut SessionCtx<'_>) -> Next {
    let word = &ctx.args[2];
    if args::is(word, "YES") || args::is(word, "NO") {
        CACHING_ALONE.into()
    } else {
        errors::SYNTAX.into()
    }
}

pub(super) fn unblock(ctx: &mut SessionCtx<'_>) -> Next {
    let how = match ctx.args.get(3) {
        None => Unblock::Timeout,
        Some(reason) if args::is(reason, "TIMEOUT") => Unblock::Timeout,
        Some(reason) if args::is(reason, "ERROR") => Unblock::Error,
        Some(_) => {
            return Error::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR").into();
        }
    };
    let Some(id) = parse_i64(&ctx.args[2]) else {
        return errors::NOT_AN_INTEGER.into();
    };
    // Who waits for a key is known there; who waits for replicas listens himself.
    let ended = u64::try_from(id).map(ClientId).is_ok_and(|id| {
        ctx.server.waiters.unblock(id, how)
            || ctx
                .server
                .clients
                .get(id)
                .is_some_and(|client| client.unblock(how == Unblock::Error))
    });
    ctx.out.integer(i64::from(ended));
    Next::Done
}

pub(super) fn help(ctx: &mut SessionCtx<'_>) -> Next {
    const LINES: &[&str] = &[
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ID",
        "    The number of this connection.",
        "INFO",
        "    Describe this connection.",
        "LIST [TYPE <type> | ID <id> [<id> ...]]",
        "    Describe all connections, those of a type, or those with these numbers.",
        "GETNAME | SETNAME <name>",
        "    The name of this connection.",
        "SETINFO (LIB-NAME|LIB-VER) <value>",
        "    Note which library speaks.",
        "KILL <ip:port>",
        "    Close the connection from this address.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Close all connections that fit: ID, TYPE, USER, ADDR, LADDR, MAXAGE <seconds>, SKIPME (YES|NO).",
        "PAUSE <milliseconds> [WRITE|ALL]",
        "    Hold back writes, or all commands, for a while.",
        "UNPAUSE",
        "    End a pause.",
        "REPLY (ON|OFF|SKIP)",
        "    Choose whether commands of this connection are answered.",
        "NO-EVICT (ON|OFF)",
        "    Spare this connection when memory is short.",
        "NO-TOUCH (ON|OFF)",
        "    Do not count this connection's reads as use of a key.",
        "TRACKING OFF | TRACKINGINFO | GETREDIR",
        "    The state of client-side caching.",
        "UNBLOCK <id> [TIMEOUT|ERROR]",
        "    End the wait of a blocked client.",
        "HELP",
        "    Print this help.",
    ];
    ctx.out.array(LINES.len());
    for line in LINES {
        ctx.out.simple(line);
    }
    Next::Done
}
