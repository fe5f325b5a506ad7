//! `docs/commands.md`, derived from the table.

use std::fmt::Write as _;

use super::{Command, Group, all, describe};

const PREFACE: &str = "\
<!-- Generated from the command table in server/src/commands/ by
     `BASALT_BLESS=1 cargo test --release -p basalt-server docs`. Edit the table, not this file. -->

# Commands

What a command does beyond this table is what Redis documents under the same name; the differences are named
here. COMMAND DOCS answers the same to clients.
";

const GROUPS: &[(Group, &str)] = &[
    (Group::String, "Strings"),
    (Group::Bitmap, "Bitmaps"),
    (Group::HyperLogLog, "HyperLogLogs"),
    (Group::Bloom, "Bloom filters"),
    (Group::Hash, "Hashes"),
    (Group::List, "Lists"),
    (Group::Set, "Sets"),
    (Group::SortedSet, "Sorted sets"),
    (Group::Stream, "Streams"),
    (Group::Geo, "Places on the earth"),
    (Group::Generic, "Keys"),
    (Group::Transactions, "Transactions"),
    (Group::Connection, "Connection"),
    (Group::Server, "Server"),
    (Group::Basalt, "Only in Basalt"),
];

/// The text of the page.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(PREFACE);
    for &(group, title) in GROUPS {
        let mut commands: Vec<&Command> = all().filter(|command| command.group == group).collect();
        if commands.is_empty() {
            continue;
        }
        commands.sort_by_key(|command| command.name);
        let _ = write!(
            text,
            "\n## {title}\n\n| command | what it does | cost | since | flags |\n|---|---|---|---|---|\n"
        );
        for command in commands {
            if command.subcommands.is_empty() || command.arity == -1 {
                row(&mut text, command);
            }
            command
                .subcommands
                .iter()
                .for_each(|sub| row(&mut text, sub));
        }
    }
    text
}

fn row(text: &mut String, command: &Command) {
    let name = command.name.replace('|', " ").to_ascii_uppercase();
    let usage = format!("{name} {}", describe::syntax(command.args));
    let _ = writeln!(
        text,
        "| `{}` | {} | {} | {} | {} |",
        usage.trim_end().replace('|', "\\|"),
        command.summary,
        command.complexity,
        command.since,
        describe::flags(command).join(", "),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");
        if std::env::var_os("BASALT_BLESS").is_some() {
            std::fs::write(path, markdown()).expect("write the page");
        }
        let page = std::fs::read_to_string(path).expect("docs/commands.md is there");
        assert!(
            page == markdown(),
            "docs/commands.md is out of date; its first lines say how to renew it"
        );
        for command in all() {
            assert!(
                GROUPS.iter().any(|(group, _)| *group == command.group),
                "{} has no section",
                command.name
            );
        }
    }
}
