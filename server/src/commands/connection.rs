//! Commands on the connection: who the client is, what it speaks, which database it uses.
//!
//! CLIENT and its subcommands are in `connection/client.rs` and `connection/kill.rs`.

use basalt_resp::{Encoder, Proto, parse_i64};

use super::{ArgSpec, Command, Flags, Group, Handler};
use crate::args;
use crate::errors::{self, Error};
use crate::server::REDIS_VERSION;
use crate::session::{Next, SessionCtx};

mod client;
mod kill;
mod table;

type Run = fn(&mut SessionCtx<'_>) -> Next;

const OPEN: Flags = Flags::NOSCRIPT
    .or(Flags::LOADING)
    .or(Flags::STALE)
    .or(Flags::FAST)
    .or(Flags::NO_AUTH)
    .or(Flags::ALLOW_BUSY);
const QUICK: Flags = Flags::LOADING.or(Flags::STALE).or(Flags::FAST);

const USERNAME: ArgSpec = ArgSpec::new("username", "string");
const PASSWORD: ArgSpec = ArgSpec::new("password", "string");
const HELLO_ARGS: &[ArgSpec] = &[ArgSpec::block(
    "arguments",
    &[
        ArgSpec::new("protover", "integer"),
        ArgSpec::block("auth", &[USERNAME, PASSWORD])
            .after("AUTH")
            .optional(),
        ArgSpec::new("clientname", "string")
            .after("SETNAME")
            .optional(),
    ],
)
.optional()];

/// A row whose cost is constant.
const fn row(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    arity: i32,
    flags: Flags,
    args: &'static [ArgSpec],
    run: Run,
) -> Command {
    Command {
        name,
        summary,
        since,
        group: Group::Connection,
        complexity: "O(1)",
        arity,
        flags,
        keys: &[],
        args,
        subcommands: &[],
        handler: Handler::Session(run),
    }
}

/// The commands.
pub const FAMILY: &[Command] = &[
    row(
        "ping",
        "Answers, or sends the message back",
        "1.0.0",
        -1,
        Flags::FAST,
        &[ArgSpec::new("message", "string").optional()],
        ping,
    ),
    row(
        "echo",
        "Sends the message back",
        "1.0.0",
        2,
        QUICK,
        &[ArgSpec::new("message", "string")],
        echo,
    ),
    row(
        "hello",
        "Chooses the protocol, and may authenticate and name the client",
        "6.0.0",
        -1,
        OPEN,
        HELLO_ARGS,
        hello,
    ),
    Command {
        complexity: "O(N) where N is the number of passwords defined for the user",
        ..row(
            "auth",
            "Authenticates the connection",
            "1.0.0",
            -2,
            OPEN,
            &[USERNAME.optional().since("6.0.0"), PASSWORD],
            auth,
        )
    },
    row(
        "quit",
        "Closes the connection",
        "1.0.0",
        -1,
        OPEN,
        &[],
        quit,
    ),
    row(
        "reset",
        "Takes the connection back to its beginnings",
        "6.2.0",
        1,
        OPEN,
        &[],
        reset,
    ),
    row(
        "select",
        "Chooses the database of the connection",
        "1.0.0",
        2,
        QUICK,
        &[ArgSpec::new("index", "integer")],
        select,
    ),
    Command {
        complexity: "Depends on subcommand.",
        subcommands: table::SUBCOMMANDS,
        ..row(
            "client",
            "Commands about client connections",
            "2.4.0",
            -2,
            Flags::NONE,
            &[],
            never,
        )
    },
];

const WRONG_PASS: Error =
    Error::new("WRONGPASS invalid username-password pair or user is disabled.");
const NO_PASSWORD: Error = Error::new(
    "ERR AUTH <password> called without any password configured for the default user. \
     Are you sure your configuration is correct?",
);
const NO_PROTO: Error = Error::new("NOPROTO unsupported protocol version");
const NOT_A_VERSION: Error = Error::new("ERR Protocol version is not an integer or out of range");
const HELLO_UNAUTHENTICATED: Error = Error::new(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
     <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the \
     same time",
);

/// The arity of a container lets nobody call it bare.
fn never(_: &mut SessionCtx<'_>) -> Next {
    errors::SYNTAX.into()
}

fn ping(ctx: &mut SessionCtx<'_>) -> Next {
    match ctx.args.len() {
        1 => ctx.out.simple("PONG"),
        2 => ctx.out.bulk(&ctx.args[1]),
        _ => return errors::wrong_arity("ping").into(),
    }
    Next::Done
}

fn echo(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.out.bulk(&ctx.args[1]);
    Next::Done
}

fn select(ctx: &mut SessionCtx<'_>) -> Next {
    match args::database(&ctx.args[1], ctx.server.config.peek().databases) {
        Ok(db) => {
            ctx.session.select(db);
            ctx.out.ok();
            Next::Done
        }
        Err(error) => error.into(),
    }
}

fn quit(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.out.ok();
    Next::Close
}

fn reset(ctx: &mut SessionCtx<'_>) -> Next {
    let open = ctx.server.config.peek().requirepass.is_none();
    ctx.session.reset(ctx.server, open);
    ctx.out.simple("RESET");
    Next::Done
}

fn auth(ctx: &mut SessionCtx<'_>) -> Next {
    let (user, password): (&[u8], &[u8]) = match ctx.args.len() {
        2 => {
            if ctx.server.config.peek().requirepass.is_none() {
                return NO_PASSWORD.into();
            }
            (b"default", &ctx.args[1])
        }
        3 => (&ctx.args[1], &ctx.args[2]),
        _ => return errors::SYNTAX.into(),
    };
    if !is_right(ctx, user, password) {
        return WRONG_PASS.into();
    }
    ctx.session.authenticated = true;
    ctx.out.ok();
    Next::Done
}

/// Without a password the default user takes any.
fn is_right(ctx: &SessionCtx<'_>, user: &[u8], password: &[u8]) -> bool {
    let settings = ctx.server.config.peek();
    user == b"default"
        && settings
            .requirepass
            .as_ref()
            .is_none_or(|wanted| equal_in_constant_time(wanted, password))
}

/// Takes as long for a nearly right password as for a wrong one: how long depends on the guess alone.
fn equal_in_constant_time(wanted: &[u8], given: &[u8]) -> bool {
    let mut difference = wanted.len() ^ given.len();
    for (i, byte) in given.iter().enumerate() {
        difference |= usize::from(byte ^ wanted.get(i).copied().unwrap_or(!byte));
    }
    difference == 0
}

fn hello(ctx: &mut SessionCtx<'_>) -> Next {
    match greet(ctx) {
        Ok(()) => Next::Done,
        Err(error) => error.into(),
    }
}

fn greet(ctx: &mut SessionCtx<'_>) -> Result<(), Error> {
    let mut proto = None;
    if let Some(version) = ctx.args.get(1) {
        proto = match parse_i64(version).ok_or(NOT_A_VERSION)? {
            2 => Some(Proto::Resp2),
            3 => Some(Proto::Resp3),
            _ => return Err(NO_PROTO),
        };
    }
    let (mut authenticated, mut name) = (ctx.session.authenticated, None);
    let mut at = 2;
    while let Some(option) = ctx.args.get(at) {
        match (
            args::is(option, "AUTH"),
            args::is(option, "SETNAME"),
            ctx.args.get(at + 1),
            ctx.args.get(at + 2),
        ) {
            (true, _, Some(user), Some(password)) => {
                if !is_right(ctx, user, password) {
                    return Err(WRONG_PASS);
                }
                authenticated = true;
                at += 3;
            }
            (_, true, Some(given), _) => {
                name = Some(client::checked_name(given)?);
                at += 2;
            }
            _ => {
                let option = String::from_utf8_lossy(option);
                return Err(Error::text(format!(
                    "ERR Syntax error in HELLO option '{option}'"
                )));
            }
        }
    }
    if !authenticated {
        return Err(HELLO_UNAUTHENTICATED);
    }
    ctx.session.authenticated = true;
    if let Some(name) = name {
        ctx.session.info.labels.lock().name = name;
    }
    if let Some(proto) = proto {
        ctx.session.set_proto(proto);
    }
    introduce(ctx);
    Ok(())
}

/// The reply is in the protocol that was just chosen, so it is made apart.
fn introduce(ctx: &mut SessionCtx<'_>) {
    let proto = ctx.session.proto;
    let mut bytes = Vec::new();
    let mut out = Encoder::new(&mut bytes, proto);
    out.map(7);
    out.bulk("server");
    out.bulk("redis");
    out.bulk("version");
    out.bulk(REDIS_VERSION);
    out.bulk("proto");
    out.integer(if proto == Proto::Resp3 { 3 } else { 2 });
    out.bulk("id");
    out.integer(ctx.session.info.id.0 as i64);
    out.bulk("mode");
    out.bulk("standalone");
    out.bulk("role");
    out.bulk("master");
    out.bulk("modules");
    out.array(0);
    ctx.out.raw(&bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_equal_only_if_every_byte_is() {
        assert!(equal_in_constant_time(b"secret", b"secret"));
        for wrong in ["", "s", "secre", "secrets", "Secret", "secreT"] {
            assert!(
                !equal_in_constant_time(b"secret", wrong.as_bytes()),
                "{wrong}"
            );
        }
    }
}
