//! Listening, client connections, security.

use super::*;

const FROM_WHERE: Kind = Kind::Choice(Access::NAMES);

pub(super) const PARAMS: &[Param] = &[
    fixed("port", PORT, "6379", "TCP port for clients; 0 is none."),
    fixed(
        "bind",
        Kind::Words(checks::addresses),
        "127.0.0.1 -::1",
        "Addresses to listen on; `*` is every address. One with a `-` before it may be missing on this machine.",
    ),
    kept(
        "bind-source-addr",
        ANY_TEXT,
        "",
        "Outgoing connections choose their own address.",
    ),
    fixed(
        "unixsocket",
        ANY_TEXT,
        "",
        "Path of a Unix socket to listen on; empty is none.",
    ),
    fixed(
        "unixsocketperm",
        Kind::Permissions,
        "0",
        "Permissions of the Unix socket, in octal; 0 leaves them to the umask.",
    ),
    fixed(
        "tcp-backlog",
        COUNT,
        "511",
        "Connections that may wait to be accepted; the kernel has a limit of its own.",
    ),
    live(
        "tcp-keepalive",
        COUNT,
        "300",
        Topic::Clients,
        "Seconds of silence after which TCP probes whether a client is still there; 0 is never.",
    ),
    live(
        "timeout",
        COUNT,
        "0",
        Topic::Clients,
        "Seconds of idleness after which a client is disconnected; 0 is never.",
    ),
    live(
        "maxclients",
        int(1, 4_294_967_295),
        "10000",
        Topic::Clients,
        "The most clients connected at once.",
    ),
    kept(
        "max-new-connections-per-cycle",
        int(0, I32_MAX),
        "10",
        "Accepting is not done in cycles.",
    ),
    kept(
        "max-new-tls-connections-per-cycle",
        int(0, I32_MAX),
        "1",
        "Accepting is not done in cycles.",
    ),
    live(
        "proto-max-bulk-len",
        at_least_bytes(1 << 20),
        "512mb",
        Topic::Clients,
        "The longest argument of a command, and so the longest string.",
    ),
    live(
        "client-query-buffer-limit",
        at_least_bytes(1 << 20),
        "1gb",
        Topic::Clients,
        "The most bytes of commands not yet executed that a client may send.",
    ),
    live(
        "client-output-buffer-limit",
        Kind::BufferLimits,
        "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
        Topic::Clients,
        "For the classes `normal`, `replica` and `pubsub`: bytes of replies a client may leave unread before it is \
         disconnected at once, bytes it may leave unread for some time, and that time in seconds. 0 is no limit.",
    ),
    live(
        "protected-mode",
        Kind::Bool,
        "yes",
        Topic::Security,
        "Whether clients of other machines are turned away while there is no password.",
    ),
    live(
        "requirepass",
        ANY_TEXT,
        "",
        Topic::Security,
        "Password of the default user; empty is none.",
    )
    .secret(),
    fixed(
        "enable-debug-command",
        FROM_WHERE,
        "local",
        "Who may use DEBUG: nobody (`no`), everybody (`yes`), or clients of this machine (`local`).",
    ),
    fixed(
        "enable-protected-configs",
        FROM_WHERE,
        "no",
        "Who may set protected parameters at run time: `no`, `yes`, or clients of this machine (`local`).",
    ),
    kept(
        "enable-module-command",
        FROM_WHERE,
        "no",
        "Modules cannot be loaded.",
    )
    .at_start(),
    kept(
        "aclfile",
        ANY_TEXT,
        "",
        "Access control lists are not there yet.",
    )
    .at_start(),
    kept(
        "acllog-max-len",
        LONG_COUNT,
        "128",
        "Access control lists are not there yet.",
    ),
    kept(
        "acl-pubsub-default",
        Kind::Choice(&["allchannels", "resetchannels"]),
        "resetchannels",
        "Access control lists are not there yet.",
    ),
    kept(
        "tracking-table-max-keys",
        LONG_COUNT,
        "1000000",
        "Client tracking is not there yet.",
    ),
    kept(
        "socket-mark-id",
        int(0, 4_294_967_295),
        "0",
        "Sockets are not marked.",
    )
    .at_start(),
    kept(
        "lookahead",
        int(1, I32_MAX),
        "16",
        "Pipelined commands are always looked ahead.",
    ),
];
