//! SORT of small values, with weights and columns from keys that strings and hashes have. Where the order is not
//! determined (a set that stays as it is, equal weights under ALPHA) nothing is asked, or the reply has to be sorted anew.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::{Command, Generator};

/// Elements become `sort:…` keys by these patterns, most of which are there.
const PATTERNS: [&str; 6] = [
    "weight:*",
    "weight:*",
    "weight:*->f",
    "weight:*->",
    "*",
    "none*",
];

impl Generator {
    fn sorted_key(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..12) {
            0 => self.key(),
            1 => self.set_key(),
            n => format!("sort:{}", ["list", "set", "zset"][n % 3]).into_bytes(),
        }
    }

    fn sort_element(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..60) {
            0 => b"x".to_vec(),
            n => (n % 20).to_string().into_bytes(),
        }
    }
}

/// What is sorted, and by what.
pub(super) fn prepare(g: &mut Generator) -> Command {
    let element = g.sort_element();
    let weight = [b"weight:".as_slice(), &g.sort_element()].concat();
    match g.rng.random_range(0..8) {
        0 | 1 => vec![
            "RPUSH".into(),
            "sort:list".into(),
            element,
            g.sort_element(),
        ],
        2 => vec!["SADD".into(), "sort:set".into(), element, g.sort_element()],
        3 => {
            let score = g.rng.random_range(0..9).to_string();
            vec!["ZADD".into(), "sort:zset".into(), score.into(), element]
        }
        4 => vec!["DEL".into(), "sort:list".into()],
        5 => vec!["DEL".into(), weight],
        6 => {
            let number = g.rng.random_range(-50..50).to_string();
            vec!["HSET".into(), weight, "f".into(), number.into()]
        }
        _ => {
            let number = g.rng.random_range(-500..500).to_string();
            vec!["SET".into(), weight, number.into()]
        }
    }
}

pub(super) fn sort(g: &mut Generator) -> Command {
    let stores = g.rng.random_ratio(1, 4);
    let name = if stores || g.rng.random() {
        "SORT"
    } else {
        "SORT_RO"
    };
    let key = g.sorted_key();
    let mut command = vec![name.into(), key.clone()];
    let mut alpha = false;
    match g.rng.random_range(0..3) {
        // The order of a set is nobody's business.
        0 if key == b"sort:list" || key == b"sort:zset" => {
            command.extend(["BY".into(), "nosort".into()]);
        }
        1 => {
            let pattern = *PATTERNS.choose(&mut g.rng).expect("not empty");
            command.extend(["BY".into(), pattern.into()]);
        }
        _ => alpha = g.rng.random(),
    }
    if alpha {
        command.push("ALPHA".into());
    }
    for word in ["ASC", "desc"] {
        if g.rng.random_ratio(1, 4) {
            command.push(word.into());
        }
    }
    if g.rng.random_ratio(1, 3) {
        command.push("LIMIT".into());
        for _ in 0..2 {
            command.push(g.rng.random_range(-2..12).to_string().into());
        }
    }
    for _ in 0..g.rng.random_range(0..3) {
        let pattern = match g.rng.random_ratio(1, 3) {
            true => "#",
            false => *PATTERNS.choose(&mut g.rng).expect("not empty"),
        };
        command.extend(["GET".into(), pattern.into()]);
    }
    if stores {
        let target = match g.rng.random_ratio(1, 4) {
            true => g.key(),
            false => "sort:list".into(),
        };
        command.extend(["STORE".into(), target]);
    }
    command
}
