//! Commands on HyperLogLogs. GET of the same keys, and the comparison at the end, hold their bytes side by side.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::{Command, Generator};

impl Generator {
    /// Mostly a key that others hardly touch, so that values grow.
    fn hll_key(&mut self) -> Vec<u8> {
        match self.rng.random_ratio(1, 10) {
            true => self.key(),
            false => format!("hll:{}", self.rng.random_range(0..5)).into_bytes(),
        }
    }
}

pub(super) fn pfadd(g: &mut Generator) -> Command {
    let mut command = vec!["PFADD".into(), g.hll_key()];
    let count = match g.rng.random_range(0..10) {
        0 => 0,
        1 => 200,
        _ => g.rng.random_range(1..8),
    };
    for _ in 0..count {
        let element = g.rng.random_range(0..1_000_000);
        command.push(match g.rng.random_ratio(1, 20) {
            true => g.value(),
            false => format!("{element}").into_bytes(),
        });
    }
    command
}

pub(super) fn pfcount(g: &mut Generator) -> Command {
    let mut command = vec!["PFCOUNT".into()];
    let count = match g.rng.random() {
        true => 1,
        false => g.rng.random_range(1..4),
    };
    command.extend((0..count).map(|_| g.hll_key()));
    command
}

pub(super) fn pfmerge(g: &mut Generator) -> Command {
    let mut command = vec!["PFMERGE".into()];
    command.extend((0..g.rng.random_range(1..4)).map(|_| g.hll_key()));
    command
}

/// Also the values themselves, and now and then a new beginning.
pub(super) fn pfdebug(g: &mut Generator) -> Command {
    let word = [
        "ENCODING", "decode", "TODENSE", "GETREG", "GET", "GET", "DEL",
    ]
    .choose(&mut g.rng);
    match *word.expect("not empty") {
        command @ ("GET" | "DEL") => vec![command.into(), g.hll_key()],
        word => vec!["PFDEBUG".into(), word.into(), g.hll_key()],
    }
}
