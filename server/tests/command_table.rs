//! COMMAND beside a redis-server's: what clients, proxies and cluster libraries derive keys and
//! routing from must be the same for every command that both know.

mod support;

use std::collections::BTreeMap;

use support::resp::Reply;
use support::server::{Binary, Server};
use support::world::World;

/// Parts of a COMMAND entry that must be equal, by position.
const COMPARED: [(usize, &str); 8] = [
    (0, "name"),
    (1, "arity"),
    (2, "flags"),
    (3, "first key"),
    (4, "last key"),
    (5, "step"),
    (6, "ACL categories"),
    (8, "key specifications"),
];

/// Where Redis 8.2, which we follow, differs from the Redis 7.0 that is usually installed.
const ACCEPTED: [(&str, &str); 4] = [
    ("command|getkeys", "arity"),
    ("command|getkeysandflags", "arity"),
    ("zrank", "arity"),
    ("zrevrank", "arity"),
];

fn table(server: &Server) -> BTreeMap<String, Vec<Reply>> {
    let reply = server.client().words("COMMAND");
    let mut table = BTreeMap::new();
    for entry in reply.items().expect("an array") {
        let parts = entry.items().expect("an array").to_vec();
        let subcommands = parts.get(9).and_then(Reply::items).unwrap_or_default();
        for sub in subcommands {
            let parts = sub.items().expect("an array").to_vec();
            table.insert(parts[0].text(), parts);
        }
        table.insert(parts[0].text(), parts);
    }
    table
}

/// Flags and categories in any order; of key specifications the order counts, and the notes for people that some
/// of Redis' carry do not.
fn normal(position: usize, part: &Reply) -> Reply {
    match part {
        Reply::Array(specs) if position == 8 => {
            Reply::Array(specs.iter().map(without_notes).collect())
        }
        Reply::Array(items) => {
            let mut items = items.clone();
            items.sort();
            Reply::Array(items)
        }
        other => other.clone(),
    }
}

fn without_notes(spec: &Reply) -> Reply {
    let pairs = spec.items().expect("pairs").chunks(2);
    let told = pairs.filter(|pair| pair[0].bytes() != Some(b"notes"));
    Reply::Array(told.flatten().cloned().collect())
}

#[test]
fn commands_are_described_as_redis_describes_them() {
    let Some(peer) = Binary::peer() else {
        assert!(std::env::var_os("CI").is_none(), "redis-server is needed");
        eprintln!("skipped: no redis-server to compare with");
        return;
    };
    let ours = Server::start(World::Hot, &[]).expect("every server has it");
    let theirs = Server::start_binary(peer, &["--save", ""]);
    let (ours, theirs) = (table(&ours), table(&theirs));
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (name, entry) in &ours {
        let Some(other) = theirs.get(name) else {
            continue;
        };
        compared += 1;
        for (position, part) in COMPARED {
            let (a, b) = (
                normal(position, &entry[position]),
                normal(position, &other[position]),
            );
            if a != b && !ACCEPTED.contains(&(name.as_str(), part)) {
                wrong.push(format!("{name}: {part}\n  ours   {a}\n  theirs {b}"));
            }
        }
    }
    println!("{compared} commands and subcommands compared");
    assert!(compared > 80, "only {compared} commands are known to both");
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
