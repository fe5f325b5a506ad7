//! Commands on streams. Ids are mostly given, rising with every entry; `~` is left out, since what it takes out depends on
//! how each server lays entries out.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::{Command, Generator, words};

impl Generator {
    /// Mostly a key that others hardly touch, so that streams grow.
    pub(super) fn stream_key(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..16) {
            0 => self.key(),
            1..8 => b"stream:large".to_vec(),
            n => format!("stream:{}", n % 3).into_bytes(),
        }
    }

    /// An id that is, was or will be that of an entry.
    pub(super) fn entry_id(&mut self) -> Vec<u8> {
        let ms = self.rng.random_range(0..self.entries + 3);
        match self.rng.random_range(0..4) {
            0 => ms.to_string(),
            _ => format!("{ms}-{}", self.rng.random_range(0..3)),
        }
        .into_bytes()
    }

    pub(super) fn id_bound(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..8) {
            0 => b"-".to_vec(),
            1 => b"+".to_vec(),
            2 => [b"(".to_vec(), self.entry_id()].concat(),
            _ => self.entry_id(),
        }
    }

    fn push_trim(&mut self, command: &mut Command) {
        let sign = *["", "= "].choose(&mut self.rng).expect("not empty");
        let bound = match self.rng.random_range(0..3) {
            0 => format!("MAXLEN {sign}{}", self.rng.random_range(0..4)),
            1 => format!("MAXLEN {sign}{}", self.rng.random_range(100..900)),
            _ => format!("MINID {sign}{}", self.rng.random_range(0..self.entries + 2)),
        };
        command.extend(words(&bound));
    }

    fn push_count(&mut self, command: &mut Command) {
        if self.rng.random() {
            let count = self.rng.random_range(-1..20).to_string();
            command.extend(["COUNT".into(), count.into()]);
        }
    }
}

pub(super) fn xadd(g: &mut Generator) -> Command {
    let mut command: Command = vec!["XADD".into(), g.stream_key()];
    if g.rng.random_ratio(1, 20) {
        command.push("NOMKSTREAM".into());
    }
    if g.rng.random_ratio(1, 25) {
        g.push_trim(&mut command);
    }
    g.entries += g.rng.random_range(0..2);
    let (ms, seq) = (g.entries, g.rng.random_range(0..4));
    command.push(match g.rng.random_range(0..12) {
        0 => format!("{ms}-*").into_bytes(),
        1 => g.entry_id(),
        _ => format!("{ms}-{seq}").into_bytes(),
    });
    let count = *[1, 1, 2, 2, 2, 3, 30]
        .choose(&mut g.rng)
        .expect("not empty");
    for number in 0..count {
        command.push(match g.rng.random_range(0..10) {
            0 => g.field(),
            _ => format!("name{number}").into_bytes(),
        });
        command.push(g.value());
    }
    command
}

pub(super) fn xtrim(g: &mut Generator) -> Command {
    let mut command = vec!["XTRIM".into(), g.stream_key()];
    g.push_trim(&mut command);
    command
}

pub(super) fn xdel(g: &mut Generator) -> Command {
    let mut command = vec!["XDEL".into(), g.stream_key()];
    for _ in 0..g.rng.random_range(1..8) {
        command.push(g.entry_id());
    }
    command
}

pub(super) fn xrange(g: &mut Generator) -> Command {
    let name = *["XRANGE", "XREVRANGE"]
        .choose(&mut g.rng)
        .expect("not empty");
    let mut command = vec![name.into(), g.stream_key(), g.id_bound(), g.id_bound()];
    g.push_count(&mut command);
    command
}

pub(super) fn xread(g: &mut Generator) -> Command {
    let mut command = words("XREAD");
    g.push_count(&mut command);
    if g.rng.random_ratio(1, 6) {
        command.extend(words("BLOCK 1"));
    }
    command.push("STREAMS".into());
    let streams = g.rng.random_range(1..4);
    command.extend((0..streams).map(|_| g.stream_key()));
    for _ in 0..streams {
        command.push(match g.rng.random_range(0..6) {
            0 => b"$".to_vec(),
            _ => g.entry_id(),
        });
    }
    command
}

/// Above all that was deleted, which redis-server 7.0 does not ask for.
pub(super) fn xsetid(g: &mut Generator) -> Command {
    g.entries += 4;
    let last = g.entries.to_string().into_bytes();
    let mut command = vec!["XSETID".into(), g.stream_key(), last];
    if g.rng.random() {
        let added = g.rng.random_range(0..g.entries + 5).to_string();
        command.extend(["ENTRIESADDED".into(), added.into()]);
    }
    if g.rng.random_ratio(1, 3) {
        let deleted = g.rng.random_range(0..g.entries).to_string();
        command.extend(["MAXDELETEDID".into(), deleted.into()]);
    }
    command
}

pub(super) fn ask(g: &mut Generator) -> Command {
    let key = g.stream_key();
    match g.rng.random_range(0..3) {
        0 => vec!["XLEN".into(), key],
        1 => vec!["XINFO".into(), "STREAM".into(), key],
        _ => vec!["XINFO".into(), "STREAM".into(), key, "FULL".into()],
    }
}
