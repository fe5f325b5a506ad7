//! Commands on sets. What is random in them is generated only where the answer is not.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::{Command, Generator};

impl Generator {
    /// Mostly a key that others hardly touch, so that sets grow and meet each other.
    pub(super) fn set_key(&mut self) -> Vec<u8> {
        match self.rng.random_ratio(1, 12) {
            true => self.key(),
            false => format!("set:{}", self.rng.random_range(0..6)).into_bytes(),
        }
    }

    pub(super) fn member(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..20) {
            0 => self.value(),
            1..8 => self.rng.random_range(-50..50).to_string().into_bytes(),
            _ => format!("member {}", self.rng.random_range(0..400)).into_bytes(),
        }
    }

    pub(super) fn push_members(&mut self, command: &mut Command) {
        let count = match self.rng.random_range(0..12) {
            0 => 150,
            _ => self.rng.random_range(1..6),
        };
        command.extend((0..count).map(|_| self.member()));
    }
}

pub(super) fn sadd(g: &mut Generator) -> Command {
    let mut command = vec!["SADD".into(), g.set_key()];
    g.push_members(&mut command);
    command
}

pub(super) fn srem(g: &mut Generator) -> Command {
    let mut command = vec!["SREM".into(), g.set_key()];
    g.push_members(&mut command);
    command
}

pub(super) fn ask(g: &mut Generator) -> Command {
    let name = *["SCARD", "SMEMBERS", "SISMEMBER", "SMISMEMBER", "SSCAN"]
        .choose(&mut g.rng)
        .expect("not empty");
    let mut command = vec![name.into(), g.set_key()];
    match name {
        "SISMEMBER" => command.push(g.member()),
        "SMISMEMBER" => g.push_members(&mut command),
        "SSCAN" => command.extend(["0".into(), "COUNT".into(), "100000".into()]),
        _ => {}
    }
    command
}

pub(super) fn smove(g: &mut Generator) -> Command {
    vec!["SMOVE".into(), g.set_key(), g.set_key(), g.member()]
}

/// All members at once, or none.
pub(super) fn pick(g: &mut Generator) -> Command {
    let name = *["SPOP", "SRANDMEMBER"]
        .choose(&mut g.rng)
        .expect("not empty");
    let count = *["0", "100000"].choose(&mut g.rng).expect("not empty");
    vec![name.into(), g.set_key(), count.into()]
}

pub(super) fn combine(g: &mut Generator) -> Command {
    let name = *[
        "SINTER",
        "SUNION",
        "SDIFF",
        "SINTERSTORE",
        "SUNIONSTORE",
        "SDIFFSTORE",
        "SINTERCARD",
    ]
    .choose(&mut g.rng)
    .expect("not empty");
    let count = g.rng.random_range(1..4);
    let mut command: Command = vec![name.into()];
    match name {
        "SINTERCARD" => command.push(count.to_string().into()),
        name if name.ends_with("STORE") => command.push(g.set_key()),
        _ => {}
    }
    command.extend((0..count).map(|_| g.set_key()));
    if name == "SINTERCARD" && g.rng.random() {
        let limit = g.rng.random_range(0..20).to_string();
        command.extend(["LIMIT".into(), limit.into()]);
    }
    command
}
