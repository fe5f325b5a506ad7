//! The rows of CLIENT's subcommands.

use super::{Run, client, kill, row};
use crate::commands::{ArgSpec, Command, Flags};

const PLAIN: Flags = Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE);
const ADMIN: Flags = PLAIN.or(Flags::ADMIN);
const PER_CLIENT: &str = "O(N) where N is the number of client connections";

const ON_OFF: &[ArgSpec] = &[ArgSpec::one_of(
    "enabled",
    &[ArgSpec::word("on", "ON"), ArgSpec::word("off", "OFF")],
)];
const CLIENT_TYPES: &[ArgSpec] = &[
    ArgSpec::word("normal", "NORMAL"),
    ArgSpec::word("master", "MASTER").since("3.2.0"),
    ArgSpec::word("slave", "SLAVE"),
    ArgSpec::word("replica", "REPLICA").since("5.0.0"),
    ArgSpec::word("pubsub", "PUBSUB"),
];
const LIST_ARGS: &[ArgSpec] = &[
    ArgSpec::one_of("client-type", CLIENT_TYPES)
        .after("TYPE")
        .optional()
        .since("5.0.0"),
    ArgSpec::new("client-id", "integer")
        .after("ID")
        .optional()
        .since("6.2.0"),
];
const KILL_ARGS: &[ArgSpec] = &[ArgSpec::one_of(
    "filter",
    &[
        ArgSpec::new("old-format", "string"),
        ArgSpec::one_of(
            "new-format",
            &[
                ArgSpec::new("client-id", "integer")
                    .after("ID")
                    .optional()
                    .since("2.8.12"),
                ArgSpec::one_of("client-type", CLIENT_TYPES)
                    .after("TYPE")
                    .optional()
                    .since("2.8.12"),
                ArgSpec::new("username", "string").after("USER").optional(),
                ArgSpec::new("addr", "string").after("ADDR").optional(),
                ArgSpec::new("laddr", "string")
                    .after("LADDR")
                    .optional()
                    .since("6.2.0"),
                ArgSpec::one_of(
                    "skipme",
                    &[ArgSpec::word("yes", "YES"), ArgSpec::word("no", "NO")],
                )
                .after("SKIPME")
                .optional(),
                ArgSpec::new("maxage", "integer")
                    .after("MAXAGE")
                    .optional()
                    .since("7.4.0"),
            ],
        )
        .multiple(),
    ],
)];
const PAUSE_ARGS: &[ArgSpec] = &[
    ArgSpec::new("timeout", "integer"),
    ArgSpec::one_of(
        "mode",
        &[ArgSpec::word("write", "WRITE"), ArgSpec::word("all", "ALL")],
    )
    .optional()
    .since("6.2.0"),
];
const REPLY_ARGS: &[ArgSpec] = &[ArgSpec::one_of(
    "action",
    &[
        ArgSpec::word("on", "ON"),
        ArgSpec::word("off", "OFF"),
        ArgSpec::word("skip", "SKIP"),
    ],
)];
const SETINFO_ARGS: &[ArgSpec] = &[ArgSpec::one_of(
    "attr",
    &[
        ArgSpec::new("libname", "string").after("LIB-NAME"),
        ArgSpec::new("libver", "string").after("LIB-VER"),
    ],
)];
const TRACKING_ARGS: &[ArgSpec] = &[
    ArgSpec::one_of(
        "status",
        &[ArgSpec::word("on", "ON"), ArgSpec::word("off", "OFF")],
    ),
    ArgSpec::new("client-id", "integer")
        .after("REDIRECT")
        .optional(),
    ArgSpec {
        flags: &["optional", "multiple", "multiple_token"],
        ..ArgSpec::new("prefix", "string")
    }
    .after("PREFIX"),
    ArgSpec::word("bcast", "BCAST").optional(),
    ArgSpec::word("optin", "OPTIN").optional(),
    ArgSpec::word("optout", "OPTOUT").optional(),
    ArgSpec::word("noloop", "NOLOOP").optional(),
];
const UNBLOCK_ARGS: &[ArgSpec] = &[
    ArgSpec::new("client-id", "integer"),
    ArgSpec::one_of(
        "unblock-type",
        &[
            ArgSpec::word("timeout", "TIMEOUT"),
            ArgSpec::word("error", "ERROR"),
        ],
    )
    .optional(),
];
const CACHING_ARGS: &[ArgSpec] = &[ArgSpec::one_of(
    "mode",
    &[ArgSpec::word("yes", "YES"), ArgSpec::word("no", "NO")],
)];

const fn plain(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    arity: i32,
    args: &'static [ArgSpec],
    run: Run,
) -> Command {
    row(name, summary, since, arity, PLAIN, args, run)
}

const fn admin(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    arity: i32,
    args: &'static [ArgSpec],
    run: Run,
) -> Command {
    row(name, summary, since, arity, ADMIN, args, run)
}

/// The subcommands.
pub(super) const SUBCOMMANDS: &[Command] = &[
    plain(
        "client|id",
        "Number of this connection",
        "5.0.0",
        2,
        &[],
        client::id,
    ),
    plain(
        "client|getname",
        "Name of this connection",
        "2.6.9",
        2,
        &[],
        client::get_name,
    ),
    plain(
        "client|setname",
        "Names this connection",
        "2.6.9",
        3,
        &[ArgSpec::new("connection-name", "string")],
        client::set_name,
    ),
    plain(
        "client|setinfo",
        "Notes which library speaks",
        "7.2.0",
        4,
        SETINFO_ARGS,
        client::set_info,
    ),
    plain(
        "client|info",
        "Describes this connection",
        "6.2.0",
        2,
        &[],
        client::info,
    ),
    Command {
        complexity: PER_CLIENT,
        ..admin(
            "client|list",
            "Describes all connections",
            "2.4.0",
            -2,
            LIST_ARGS,
            client::list,
        )
    },
    Command {
        complexity: PER_CLIENT,
        ..admin(
            "client|kill",
            "Closes connections",
            "2.4.0",
            -3,
            KILL_ARGS,
            kill::kill,
        )
    },
    admin(
        "client|pause",
        "Holds back commands for a while",
        "2.9.50",
        -3,
        PAUSE_ARGS,
        client::pause,
    ),
    Command {
        complexity: "O(N) Where N is the number of paused clients",
        ..admin(
            "client|unpause",
            "Ends a pause",
            "6.2.0",
            2,
            &[],
            client::unpause,
        )
    },
    plain(
        "client|reply",
        "Chooses which commands are answered",
        "3.2.0",
        3,
        REPLY_ARGS,
        client::reply,
    ),
    admin(
        "client|no-evict",
        "Spares this connection when memory is short",
        "7.0.0",
        3,
        ON_OFF,
        client::no_evict,
    ),
    plain(
        "client|no-touch",
        "Stops counting this connection's reads as use",
        "7.2.0",
        3,
        ON_OFF,
        client::no_touch,
    ),
    Command {
        complexity: "O(1). Some options may introduce additional complexity.",
        ..plain(
            "client|tracking",
            "Switches client-side caching",
            "6.0.0",
            -3,
            TRACKING_ARGS,
            client::tracking,
        )
    },
    plain(
        "client|trackinginfo",
        "State of client-side caching",
        "6.2.0",
        2,
        &[],
        client::tracking_info,
    ),
    plain(
        "client|getredir",
        "Where invalidations go",
        "6.0.0",
        2,
        &[],
        client::get_redir,
    ),
    plain(
        "client|caching",
        "Steers client-side caching of the next command",
        "6.0.0",
        3,
        CACHING_ARGS,
        client::caching,
    ),
    Command {
        complexity: "O(log N) where N is the number of client connections",
        ..admin(
            "client|unblock",
            "Ends the wait of a blocked client",
            "5.0.0",
            -3,
            UNBLOCK_ARGS,
            client::unblock,
        )
    },
    row(
        "client|help",
        "Lists the subcommands",
        "5.0.0",
        2,
        Flags::LOADING.or(Flags::STALE),
        &[],
        client::help,
    ),
];
