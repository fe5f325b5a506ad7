//! Consumer groups. Consumers are not made by name nor counted: redis-server 7.0 makes one when it first gets something, 8.2
//! when it first asks.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::{Command, Generator, words};

impl Generator {
    fn group(&mut self) -> Vec<u8> {
        format!("group:{}", self.rng.random_range(0..3)).into_bytes()
    }

    fn consumer(&mut self) -> Vec<u8> {
        format!("consumer:{}", self.rng.random_range(0..4)).into_bytes()
    }

    fn some_ids(&mut self, command: &mut Command) {
        for _ in 0..self.rng.random_range(1..8) {
            command.push(self.entry_id());
        }
    }

    /// Nothing has been idle for less than no time, nor for a year.
    fn min_idle(&mut self) -> Vec<u8> {
        ["0", "0", "0", "31536000000"][self.rng.random_range(0..4)].into()
    }
}

pub(super) fn xgroup(g: &mut Generator) -> Command {
    let name = *[
        "CREATE",
        "CREATE",
        "CREATE",
        "SETID",
        "DESTROY",
        "DELCONSUMER",
    ]
    .choose(&mut g.rng)
    .expect("not empty");
    let mut command: Command = vec!["XGROUP".into(), name.into(), g.stream_key(), g.group()];
    match name {
        "CREATE" | "SETID" => {
            command.push(match g.rng.random_range(0..4) {
                0 => b"$".to_vec(),
                1 => b"0".to_vec(),
                _ => g.entry_id(),
            });
            if name == "CREATE" && g.rng.random_ratio(1, 4) {
                command.push("MKSTREAM".into());
            }
            if g.rng.random_ratio(1, 8) {
                command.extend(words("ENTRIESREAD 3"));
            }
        }
        "DELCONSUMER" => command.push(g.consumer()),
        _ => {}
    }
    command
}

pub(super) fn xreadgroup(g: &mut Generator) -> Command {
    let mut command: Command = vec![
        "XREADGROUP".into(),
        "GROUP".into(),
        g.group(),
        g.consumer(),
        "COUNT".into(),
    ];
    command.push(g.rng.random_range(0..20).to_string().into());
    if g.rng.random_ratio(1, 8) {
        command.push("NOACK".into());
    }
    command.extend(["STREAMS".into(), g.stream_key()]);
    command.push(match g.rng.random_range(0..4) {
        0 => g.entry_id(),
        _ => b">".to_vec(),
    });
    command
}

pub(super) fn xack(g: &mut Generator) -> Command {
    let mut command = vec!["XACK".into(), g.stream_key(), g.group()];
    g.some_ids(&mut command);
    command
}

pub(super) fn xclaim(g: &mut Generator) -> Command {
    let mut command = vec!["XCLAIM".into(), g.stream_key(), g.group(), g.consumer()];
    command.push(g.min_idle());
    g.some_ids(&mut command);
    for option in [
        "FORCE",
        "JUSTID",
        "IDLE 1000",
        "TIME 1000000000000",
        "RETRYCOUNT 5",
    ] {
        if g.rng.random_ratio(1, 4) {
            command.extend(words(option));
        }
    }
    if g.rng.random_ratio(1, 10) {
        command.extend(["LASTID".into(), g.entry_id()]);
    }
    command
}

pub(super) fn xautoclaim(g: &mut Generator) -> Command {
    let mut command = vec!["XAUTOCLAIM".into(), g.stream_key(), g.group(), g.consumer()];
    command.extend([g.min_idle(), g.entry_id()]);
    if g.rng.random() {
        let count = g.rng.random_range(1..12).to_string();
        command.extend(["COUNT".into(), count.into()]);
    }
    if g.rng.random_ratio(1, 3) {
        command.push("JUSTID".into());
    }
    command
}

pub(super) fn xpending(g: &mut Generator) -> Command {
    let mut command = vec!["XPENDING".into(), g.stream_key(), g.group()];
    if g.rng.random_ratio(2, 3) {
        if g.rng.random_ratio(1, 4) {
            command.extend(["IDLE".into(), g.min_idle()]);
        }
        command.extend([g.id_bound(), g.id_bound()]);
        command.push(g.rng.random_range(0..40).to_string().into());
        if g.rng.random_ratio(1, 3) {
            command.push(g.consumer());
        }
    }
    command
}
