//! Commands on sorted sets. Scores have an exact short form, since redis-server 7.0 prints others with 17 digits.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::{Command, Generator};

impl Generator {
    pub(super) fn zset_key(&mut self) -> Vec<u8> {
        match self.rng.random_ratio(1, 12) {
            true => self.key(),
            false => format!("zset:{}", self.rng.random_range(0..6)).into_bytes(),
        }
    }

    /// A key whose members all have the same score.
    fn lex_key(&mut self) -> Vec<u8> {
        format!("lex:{}", self.rng.random_range(0..2)).into_bytes()
    }

    fn score(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..20) {
            0 => b"inf".to_vec(),
            1 => b"-inf".to_vec(),
            2 => b"1e6".to_vec(),
            3..8 => format!(
                "{}.{}",
                self.rng.random_range(1..99),
                ["5", "25", "125"][self.rng.random_range(0..3)]
            )
            .into_bytes(),
            _ => self.rng.random_range(-100..100).to_string().into_bytes(),
        }
    }

    fn score_bound(&mut self) -> Vec<u8> {
        let score = self.score();
        match self.rng.random_ratio(1, 3) {
            true => [b"(".as_slice(), &score].concat(),
            false => score,
        }
    }

    fn lex_bound(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..6) {
            0 => b"-".to_vec(),
            1 => b"+".to_vec(),
            2 => [b"(".as_slice(), &self.member()].concat(),
            _ => [b"[".as_slice(), &self.member()].concat(),
        }
    }

    fn push_limit(&mut self, command: &mut Command) {
        if self.rng.random_ratio(1, 3) {
            command.push("LIMIT".into());
            for _ in 0..2 {
                command.push(self.rng.random_range(-1..12).to_string().into());
            }
        }
    }

    fn push_one_of(&mut self, command: &mut Command, words: &[&str]) {
        let word = *words.choose(&mut self.rng).expect("not empty");
        command.extend(word.split_whitespace().map(|word| word.into()));
    }

    fn rank(&mut self) -> Vec<u8> {
        self.rng.random_range(-30..30).to_string().into_bytes()
    }
}

pub(super) fn zadd(g: &mut Generator) -> Command {
    let mut command = vec!["ZADD".into(), g.zset_key()];
    g.push_one_of(
        &mut command,
        &[
            "", "", "", "NX", "XX", "GT", "LT", "GT CH", "XX CH", "XX GT", "CH", "INCR",
        ],
    );
    let count = match g.rng.random_range(0..12) {
        0 => 150,
        _ => g.rng.random_range(1..5),
    };
    for _ in 0..count {
        command.extend([g.score(), g.member()]);
    }
    command
}

pub(super) fn zadd_lex(g: &mut Generator) -> Command {
    let mut command = vec!["ZADD".into(), g.lex_key()];
    for _ in 0..g.rng.random_range(1..5) {
        command.extend([b"0".to_vec(), g.member()]);
    }
    command
}

pub(super) fn zincrby(g: &mut Generator) -> Command {
    vec!["ZINCRBY".into(), g.zset_key(), g.score(), g.member()]
}

pub(super) fn zrem(g: &mut Generator) -> Command {
    let mut command = vec!["ZREM".into(), g.zset_key()];
    g.push_members(&mut command);
    command
}

pub(super) fn ask(g: &mut Generator) -> Command {
    let name = *[
        "ZCARD", "ZSCORE", "ZMSCORE", "ZRANK", "ZREVRANK", "ZCOUNT", "ZSCAN",
    ]
    .choose(&mut g.rng)
    .expect("not empty");
    let mut command = vec![name.into(), g.zset_key()];
    match name {
        "ZCARD" => {}
        "ZCOUNT" => command.extend([g.score_bound(), g.score_bound()]),
        "ZMSCORE" => g.push_members(&mut command),
        "ZSCAN" => command.extend(["0".into(), "COUNT".into(), "100000".into()]),
        _ => command.push(g.member()),
    }
    command
}

pub(super) fn by_rank(g: &mut Generator) -> Command {
    let name = *["ZRANGE", "ZREVRANGE", "ZREMRANGEBYRANK"]
        .choose(&mut g.rng)
        .expect("not empty");
    let mut command = vec![name.into(), g.zset_key(), g.rank(), g.rank()];
    match name {
        "ZRANGE" => g.push_one_of(&mut command, &["", "REV", "WITHSCORES", "REV WITHSCORES"]),
        "ZREVRANGE" => g.push_one_of(&mut command, &["", "WITHSCORES"]),
        _ => {}
    }
    command
}

pub(super) fn by_score(g: &mut Generator) -> Command {
    let name = *[
        "ZRANGEBYSCORE",
        "ZREVRANGEBYSCORE",
        "ZREMRANGEBYSCORE",
        "ZRANGE",
        "ZRANGE",
    ]
    .choose(&mut g.rng)
    .expect("not empty");
    let mut command = vec![name.into(), g.zset_key(), g.score_bound(), g.score_bound()];
    if name == "ZREMRANGEBYSCORE" {
        return command;
    }
    if name == "ZRANGE" {
        g.push_one_of(&mut command, &["BYSCORE", "BYSCORE REV"]);
    }
    g.push_one_of(&mut command, &["", "WITHSCORES"]);
    g.push_limit(&mut command);
    command
}

pub(super) fn by_word(g: &mut Generator) -> Command {
    let name = *[
        "ZRANGEBYLEX",
        "ZREVRANGEBYLEX",
        "ZREMRANGEBYLEX",
        "ZLEXCOUNT",
        "ZRANGE",
    ]
    .choose(&mut g.rng)
    .expect("not empty");
    let mut command = vec![name.into(), g.lex_key(), g.lex_bound(), g.lex_bound()];
    if name == "ZRANGE" {
        g.push_one_of(&mut command, &["BYLEX", "BYLEX REV"]);
    }
    if !matches!(name, "ZREMRANGEBYLEX" | "ZLEXCOUNT") {
        g.push_limit(&mut command);
    }
    command
}

pub(super) fn zrangestore(g: &mut Generator) -> Command {
    let mut command = vec!["ZRANGESTORE".into(), g.zset_key(), g.zset_key()];
    match g.rng.random() {
        true => command.extend([g.rank(), g.rank()]),
        false => {
            command.extend([g.score_bound(), g.score_bound(), "BYSCORE".into()]);
            g.push_limit(&mut command);
        }
    }
    command
}

pub(super) fn pop(g: &mut Generator) -> Command {
    let name = *["ZPOPMIN", "ZPOPMAX", "ZMPOP"]
        .choose(&mut g.rng)
        .expect("not empty");
    let count = g.rng.random_range(1..6).to_string();
    let mut command: Command = vec![name.into()];
    if name == "ZMPOP" {
        command.extend(["2".into(), g.zset_key(), g.zset_key()]);
        g.push_one_of(&mut command, &["MIN", "MAX"]);
        command.extend(["COUNT".into(), count.into()]);
    } else {
        command.push(g.zset_key());
        if g.rng.random() {
            command.push(count.into());
        }
    }
    command
}

pub(super) fn blocking_pop(g: &mut Generator) -> Command {
    let name = *["BZPOPMIN", "BZPOPMAX", "BZMPOP"]
        .choose(&mut g.rng)
        .expect("not empty");
    let (first, second) = (g.zset_key(), g.zset_key());
    let mut command: Command = vec![name.into()];
    if name == "BZMPOP" {
        command.extend([super::SHORT_WAIT.into(), "2".into(), first, second]);
        g.push_one_of(&mut command, &["MIN", "MAX", "MIN COUNT 3"]);
    } else {
        command.extend([first, second, super::SHORT_WAIT.into()]);
    }
    command
}

pub(super) fn combine(g: &mut Generator) -> Command {
    let name = *[
        "ZUNION",
        "ZINTER",
        "ZDIFF",
        "ZUNIONSTORE",
        "ZINTERSTORE",
        "ZDIFFSTORE",
        "ZINTERCARD",
    ]
    .choose(&mut g.rng)
    .expect("not empty");
    let count: usize = g.rng.random_range(1..4);
    let mut command: Command = vec![name.into()];
    let stores = name.ends_with("STORE");
    if stores {
        command.push(g.zset_key());
    }
    command.push(count.to_string().into());
    for _ in 0..count {
        let key = match g.rng.random_ratio(1, 5) {
            true => g.set_key(),
            false => g.zset_key(),
        };
        command.push(key);
    }
    let combines = !name.starts_with("ZDIFF") && name != "ZINTERCARD";
    if combines && g.rng.random_ratio(1, 3) {
        command.push("WEIGHTS".into());
        command.extend(
            (0..count).map(|_| ["1", "2", "0.5", "-1", "0"][g.rng.random_range(0..5)].into()),
        );
    }
    if combines && g.rng.random_ratio(1, 3) {
        g.push_one_of(
            &mut command,
            &["AGGREGATE SUM", "AGGREGATE min", "AGGREGATE MAX"],
        );
    }
    if !stores && name != "ZINTERCARD" {
        g.push_one_of(&mut command, &["", "WITHSCORES"]);
    }
    command
}
