//! The log, the slow log, latency, the process and its end.

use super::*;

const SHUTDOWN: Kind = Kind::Words(checks::shutdown_options);

pub(super) const PARAMS: &[Param] = &[
    live(
        "loglevel",
        Kind::Choice(LogLevel::NAMES),
        "notice",
        Topic::Log,
        "How much is logged, from most to nothing.",
    ),
    fixed(
        "logfile",
        ANY_TEXT,
        "",
        "File to log to; empty is standard output.",
    ),
    live(
        "slowlog-log-slower-than",
        int(-1, i64::MAX),
        "10000",
        Topic::Slowlog,
        "Commands that take longer than this many microseconds enter the slow log; 0 is all of them, -1 none.",
    ),
    live(
        "slowlog-max-len",
        LONG_COUNT,
        "128",
        Topic::Slowlog,
        "Entries that the slow log keeps.",
    ),
    live(
        "latency-monitor-threshold",
        LONG_COUNT,
        "0",
        Topic::Latency,
        "Events that take at least this many milliseconds are kept for LATENCY; 0 is none.",
    ),
    live(
        "latency-tracking",
        Kind::Bool,
        "yes",
        Topic::Latency,
        "Whether the latency of each command is tracked.",
    ),
    live(
        "latency-tracking-info-percentiles",
        Kind::Words(checks::percentiles),
        "50 99 99.9",
        Topic::Latency,
        "The percentiles that INFO shows of it.",
    ),
    fixed(
        "databases",
        int(1, I32_MAX),
        "16",
        "How many databases SELECT can choose from.",
    ),
    fixed(
        "dir",
        Kind::Directory,
        "./",
        "Directory of all data: `binlog` and `cold` are created in it.",
    ),
    fixed(
        "pidfile",
        ANY_TEXT,
        "",
        "File that holds the process id while the server runs; empty is none.",
    ),
    kept(
        "daemonize",
        Kind::Bool,
        "no",
        "The server stays in the foreground, for the service manager to watch.",
    )
    .at_start(),
    kept(
        "supervised",
        Kind::Choice(&["upstart", "systemd", "auto", "no"]),
        "no",
        "The service manager is not notified.",
    )
    .at_start(),
    kept(
        "syslog-enabled",
        Kind::Bool,
        "no",
        "Standard output is what gets collected.",
    )
    .at_start(),
    kept(
        "syslog-facility",
        Kind::Choice(&[
            "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
        ]),
        "local0",
        "See `syslog-enabled`.",
    )
    .at_start(),
    kept("syslog-ident", ANY_TEXT, "redis", "See `syslog-enabled`.").at_start(),
    kept("always-show-logo", Kind::Bool, "no", "There is no logo.").at_start(),
    kept(
        "set-proc-title",
        Kind::Bool,
        "yes",
        "The process keeps its title.",
    )
    .at_start(),
    kept(
        "proc-title-template",
        ANY_TEXT,
        "{title} {listen-addr} {server-mode}",
        "See `set-proc-title`.",
    ),
    kept(
        "hide-user-data-from-log",
        Kind::Bool,
        "no",
        "Keys and values are never logged.",
    ),
    kept(
        "crash-log-enabled",
        Kind::Bool,
        "yes",
        "A crash always prints where it was.",
    ),
    kept(
        "crash-memcheck-enabled",
        Kind::Bool,
        "yes",
        "Memory is not tested after a crash.",
    ),
    kept(
        "ignore-warnings",
        ANY_TEXT,
        "",
        "There are no warnings that stop a start.",
    ),
    kept("locale-collate", ANY_TEXT, "", "SORT ALPHA compares bytes."),
    kept(
        "shutdown-timeout",
        COUNT,
        "10",
        "A shutdown does not wait for replicas yet.",
    ),
    kept(
        "shutdown-on-sigint",
        SHUTDOWN,
        "default",
        "A signal always ends the server in good order.",
    ),
    kept(
        "shutdown-on-sigterm",
        SHUTDOWN,
        "default",
        "A signal always ends the server in good order.",
    ),
    kept(
        "server-cpulist",
        ANY_TEXT,
        "",
        "Threads are not pinned; use `taskset`.",
    )
    .or(&["server_cpulist"])
    .at_start(),
    kept("bio-cpulist", ANY_TEXT, "", "Threads are not pinned.")
        .or(&["bio_cpulist"])
        .at_start(),
    kept(
        "aof-rewrite-cpulist",
        ANY_TEXT,
        "",
        "Threads are not pinned.",
    )
    .or(&["aof_rewrite_cpulist"])
    .at_start(),
    kept("bgsave-cpulist", ANY_TEXT, "", "Threads are not pinned.")
        .or(&["bgsave_cpulist"])
        .at_start(),
];
