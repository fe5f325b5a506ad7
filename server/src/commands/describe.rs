//! What COMMAND says about a row of the table: names of flags, ACL categories, the legacy range of keys, the
//! syntax of arguments. Pure functions of the table; COMMAND, the ACLs, HELP and `docs/commands.md` use them.

use basalt_resp::Args;

use super::{ArgSpec, Command, Find, Flags, Group, KeySpec};
use crate::args;

/// The order in which Redis lists flags.
const FLAG_ORDER: [Flags; 21] = [
    Flags::WRITE,
    Flags::READONLY,
    Flags::DENYOOM,
    Flags::ADMIN,
    Flags::PUBSUB,
    Flags::NOSCRIPT,
    Flags::BLOCKING,
    Flags::LOADING,
    Flags::STALE,
    Flags::SKIP_MONITOR,
    Flags::SKIP_SLOWLOG,
    Flags::ASKING,
    Flags::FAST,
    Flags::NO_AUTH,
    Flags::MAY_REPLICATE,
    Flags::NO_MANDATORY_KEYS,
    Flags::PROTECTED,
    Flags::NO_ASYNC_LOADING,
    Flags::NO_MULTI,
    Flags::MOVABLE_KEYS,
    Flags::ALLOW_BUSY,
];

/// Every ACL category, in the order in which Redis lists them.
pub const CATEGORIES: [&str; 22] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
    "bloom",
];

/// Categories that follow from neither group nor flags.
const EXTRA_CATEGORIES: &[(&str, &[&str])] = &[
    ("keys", &["dangerous"]),
    ("sort", &["set", "sortedset", "list", "dangerous"]),
    ("sort_ro", &["set", "sortedset", "list", "dangerous"]),
    ("restore", &["dangerous"]),
    ("dbsize", &["keyspace"]),
    ("flushdb", &["keyspace", "dangerous"]),
    ("flushall", &["keyspace", "dangerous"]),
    ("swapdb", &["keyspace", "dangerous"]),
    ("info", &["dangerous"]),
    ("lastsave", &["admin", "dangerous"]),
    ("role", &["admin", "dangerous"]),
    ("command", &["connection"]),
];

impl Group {
    /// The name COMMAND DOCS has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::Stream => "stream",
            Group::Bitmap => "bitmap",
            Group::HyperLogLog => "hyperloglog",
            // As Redis calls what its modules bring.
            Group::Bloom => "module",
            Group::Geo => "geo",
            Group::PubSub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::Cluster => "cluster",
            Group::Basalt => "basalt",
        }
    }

    /// The ACL category of its commands.
    fn category(self) -> Option<&'static str> {
        match self {
            Group::Generic => Some("keyspace"),
            Group::SortedSet => Some("sortedset"),
            Group::Bloom => Some("bloom"),
            Group::Transactions => Some("transaction"),
            Group::Server | Group::Cluster | Group::Basalt => None,
            other => Some(other.name()),
        }
    }
}

/// Names of the flags, as COMMAND INFO lists them.
#[must_use]
pub fn flags(command: &Command) -> Vec<&'static str> {
    let name = |flag: &Flags| {
        Flags::NAMES
            .iter()
            .find(|(named, _)| named == flag)
            .map_or("", |(_, name)| name)
    };
    FLAG_ORDER
        .iter()
        .filter(|flag| command.flags.has(**flag))
        .map(name)
        .collect()
}

/// The ACL categories of a command, without `@`, in Redis' order.
#[must_use]
pub fn categories(command: &Command) -> Vec<&'static str> {
    let has = |flag: Flags| command.flags.has(flag);
    let family = command.name.split('|').next().unwrap_or_default();
    let extra = EXTRA_CATEGORIES
        .iter()
        .find(|(name, _)| *name == family)
        .map_or(&[][..], |(_, extra)| extra);
    // A container is nothing by itself, and SORT is of the types that it sorts.
    let of_group = command
        .group
        .category()
        .filter(|_| command.subcommands.is_empty() && !family.starts_with("sort"));
    let belongs = |category: &str| {
        let implied = match category {
            "write" => has(Flags::WRITE),
            "read" => has(Flags::READONLY) && command.group != Group::Scripting,
            "admin" | "dangerous" => has(Flags::ADMIN),
            "pubsub" => has(Flags::PUBSUB),
            "fast" => has(Flags::FAST),
            "slow" => !has(Flags::FAST),
            "blocking" => has(Flags::BLOCKING),
            _ => false,
        };
        implied || of_group == Some(category) || extra.contains(&category)
    };
    CATEGORIES
        .into_iter()
        .filter(|category| belongs(category))
        .collect()
}

/// First key, last key and step, as clients of before key specs use them; zeroes if there are no keys.
#[must_use]
pub fn key_range(command: &Command) -> (usize, i64, usize) {
    let range = |spec: &KeySpec| match spec.find {
        Find::Range { last, step } => Some((spec.first, last, step)),
        Find::Count | Find::Unknown | Find::SortStore | Find::HalfBehind(_) | Find::Behind(_) => {
            None
        }
    };
    let ranges: Vec<_> = command.keys.iter().filter_map(range).collect();
    let Some(first) = ranges.iter().map(|(first, ..)| *first).min() else {
        return (0, 0, 0);
    };
    let absolute = |(first, last, _): &(usize, i32, usize)| match *last {
        last if last >= 0 => *first as i64 + i64::from(last),
        last => i64::from(last),
    };
    let last = ranges.iter().map(absolute).find(|last| *last < 0);
    let last = last
        .or_else(|| ranges.iter().map(absolute).max())
        .unwrap_or_default();
    let step = if let [(_, _, step)] = ranges[..] {
        step
    } else {
        1
    };
    (first, last, step)
}

/// The flags of a key in this very call: those of its spec, unless they depend on the other arguments.
#[must_use]
pub fn key_flags(command: &Command, spec: &KeySpec, call: &Args<'_>) -> Vec<&'static str> {
    if !spec.flags.contains(&"variable_flags") {
        return spec.flags.to_vec();
    }
    let says = |word: &str| call.iter().skip(2).any(|arg| args::is(arg, word));
    match command.name {
        "bitfield" if says("SET") || says("INCRBY") => vec!["RW", "access", "update"],
        "bitfield" => vec!["RO", "access"],
        "set" if call.iter().skip(3).any(|arg| args::is(arg, "GET")) => {
            vec!["RW", "access", "update"]
        }
        _ => vec!["OW", "update"],
    }
}

/// The arguments as one writes them: `key [NX | XX] [EX seconds]`.
#[must_use]
pub fn syntax(args: &[ArgSpec]) -> String {
    args.iter().map(argument).collect::<Vec<_>>().join(" ")
}

fn argument(arg: &ArgSpec) -> String {
    let inner = || arg.args.iter().map(argument);
    let plain = match arg.kind {
        "oneof" => inner().collect::<Vec<_>>().join(" | "),
        "block" => inner().collect::<Vec<_>>().join(" "),
        "pure-token" => String::new(),
        _ => arg.name.to_owned(),
    };
    let mut text = match arg.token {
        Some(token) if plain.is_empty() => token.to_owned(),
        Some(token) => format!("{token} {plain}"),
        None => plain,
    };
    if arg.flags.contains(&"multiple") {
        text = format!("{text} [{text} ...]");
    }
    match arg.kind {
        _ if arg.flags.contains(&"optional") => format!("[{text}]"),
        "oneof" => format!("<{text}>"),
        _ => text,
    }
}

#[cfg(test)]
#[path = "describe_tests.rs"]
mod tests;
