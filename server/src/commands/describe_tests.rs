//! The table itself: consistent, and the same to clients as a redis-server's.

use std::collections::{BTreeMap, HashSet};

use super::*;
use crate::commands::{Intent, all};

/// Arity, flags, key range, categories and key specs of a redis-server 7.0.15, one command a line, made from its
/// COMMAND INFO; parts are separated by ` ; `, the last but one (tips) is not compared.
const REDIS: &str = include_str!("redis-7.0-commands.txt");

fn with_subcommands() -> impl Iterator<Item = &'static Command> {
    all().flat_map(|command| std::iter::once(command).chain(command.subcommands))
}

fn key_specs(command: &Command) -> String {
    let one = |spec: &KeySpec| match spec.find {
        Find::Range { last, step } => {
            format!(
                "{}/index {}/range {last} {step} 0",
                spec.flags.join(" "),
                spec.first
            )
        }
        Find::Unknown | Find::SortStore => format!("{}/unknown/unknown", spec.flags.join(" ")),
        Find::Count => format!("{}/index {}/keynum 0 1 1", spec.flags.join(" "), spec.first),
        Find::HalfBehind(word) => {
            let flags = spec.flags.join(" ");
            format!("{flags}/keyword {word} {}/range -1 1 2", spec.first)
        }
        Find::Behind(word) => {
            let flags = spec.flags.join(" ");
            format!("{flags}/keyword {word} {}/range 0 1 0", spec.first)
        }
    };
    command.keys.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Where Redis 8.2, which we follow, differs from the 7.0 of the snapshot.
const NEWER: [(&str, &str); 4] = [
    ("command|getkeys", "arity"),
    ("command|getkeysandflags", "arity"),
    ("zrank", "arity"),
    ("zrevrank", "arity"),
];

#[test]
fn commands_look_to_clients_as_redis_ones_do() {
    let redis: BTreeMap<&str, Vec<&str>> = REDIS
        .lines()
        .map(|line| line.split(" ; ").map(str::trim).collect::<Vec<_>>())
        .map(|parts| (parts[0], parts))
        .collect();
    let (mut differences, mut compared) = (Vec::new(), 0);
    for command in with_subcommands() {
        let Some(theirs) = redis.get(command.name) else {
            continue;
        };
        compared += 1;
        let (first, last, step) = key_range(command);
        let categories: Vec<String> = categories(command)
            .iter()
            .map(|name| format!("@{name}"))
            .collect();
        let mut flags: Vec<&str> = flags(command);
        let mut their_flags: Vec<&str> = theirs[2].split_whitespace().collect();
        flags.sort_unstable();
        their_flags.sort_unstable();
        let specs = theirs.get(6).copied().unwrap_or_default();
        for (what, ours, theirs) in [
            ("arity", command.arity.to_string(), theirs[1].to_owned()),
            ("flags", flags.join(" "), their_flags.join(" ")),
            (
                "range",
                format!("{first} {last} {step}"),
                theirs[3].to_owned(),
            ),
            ("categories", categories.join(" "), theirs[4].to_owned()),
            ("key specs", key_specs(command), specs.to_owned()),
        ] {
            if ours != theirs && !NEWER.contains(&(command.name, what)) {
                differences.push(format!(
                    "{}: {what}: ours '{ours}', theirs '{theirs}'",
                    command.name
                ));
            }
        }
    }
    assert!(
        compared > 100,
        "only {compared} commands were found in the snapshot"
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn names_are_unique_and_belong_to_their_container() {
    let mut seen = HashSet::new();
    for command in with_subcommands() {
        assert!(seen.insert(command.name), "{} is there twice", command.name);
        assert_eq!(command.name, command.name.to_ascii_lowercase());
        for sub in command.subcommands {
            assert!(
                sub.name.starts_with(&format!("{}|", command.name)),
                "{}",
                sub.name
            );
        }
    }
}

#[test]
fn keys_lie_within_the_arity_and_writes_say_what_they_write() {
    const WITHOUT_KEYS: [&str; 3] = ["flushdb", "flushall", "swapdb"];
    for command in with_subcommands() {
        let least = command.arity.unsigned_abs() as usize;
        for spec in command.keys {
            // A list of keys may be empty, if another key stands before it.
            let may_be_missing = match spec.find {
                Find::Range { last, .. } => last < 0,
                Find::Count => false,
                // A word that may be missing, too.
                Find::Behind(_) => continue,
            };
            assert!(
                spec.first >= 1 && spec.first < least + usize::from(may_be_missing),
                "{}: a key beyond the arity",
                command.name
            );
        }
        let writes = command
            .keys
            .iter()
            .any(|spec| !matches!(spec.intent, Intent::Read | Intent::Exists));
        if command.is_write() {
            assert!(
                writes || WITHOUT_KEYS.contains(&command.name),
                "{} writes no key",
                command.name
            );
        } else {
            assert!(!writes, "{} writes a key but is no write", command.name);
        }
        assert!(
            !(command.flags.has(Flags::WRITE) && command.flags.has(Flags::READONLY)),
            "{}",
            command.name
        );
    }
}

#[test]
fn every_command_is_documented() {
    for command in with_subcommands() {
        for text in [command.summary, command.since, command.complexity] {
            assert!(!text.is_empty(), "{}", command.name);
        }
        assert!(!command.summary.ends_with('.'), "{}", command.name);
    }
}

#[test]
fn syntax_reads_as_one_writes_it() {
    const ARGS: &[ArgSpec] = &[
        ArgSpec::key("key").multiple(),
        ArgSpec::one_of(
            "condition",
            &[ArgSpec::word("nx", "NX"), ArgSpec::word("xx", "XX")],
        )
        .optional(),
        ArgSpec::new("seconds", "integer").after("EX").optional(),
        ArgSpec::block(
            "pair",
            &[
                ArgSpec::new("name", "string"),
                ArgSpec::new("value", "string"),
            ],
        )
        .multiple(),
    ];
    assert_eq!(
        syntax(ARGS),
        "key [key ...] [NX | XX] [EX seconds] name value [name value ...]"
    );
}
