//! Random commands of every type, on the keys of one client.
//!
//! A key's first letter tells what it mostly holds. The first key of each type grows to several levels of pages.

use rand::Rng;
use rand::rngs::SmallRng;

use super::value::State;

pub(super) type Command = Vec<Vec<u8>>;

/// Times to live never end during a run: they begin at this time in the year 3021.
const FAR_MS: i64 = 33_177_117_420_000;
/// Keys of each type.
const KEYS: usize = 7;
/// Different elements of the large keys, and of the others.
const LARGE: u32 = 3000;
const SMALL: u32 = 60;
/// The types whose keys take each other's commands, and so answer WRONGTYPE now and then.
const LETTERS: &[u8] = b"slthzx";

/// What may be in a filter.
pub(super) fn items() -> Vec<Vec<u8>> {
    (0..600).map(|n| format!("item{n}").into_bytes()).collect()
}

pub(super) struct Maker<'a> {
    pub(super) rng: &'a mut SmallRng,
    /// Grows with every command of a client; the id of stream entries.
    pub(super) stamp: &'a mut u64,
    /// What the client knows it has, by which it keeps its keys from growing for ever.
    pub(super) state: &'a State,
}

/// Words of a command from pieces of text.
macro_rules! words {
    ($($word:expr),+ $(,)?) => { vec![$(Vec::<u8>::from($word)),+] };
}

impl Maker<'_> {
    fn below(&mut self, end: u32) -> u32 {
        self.rng.random_range(0..end)
    }

    fn key(&mut self, letter: u8) -> Vec<u8> {
        // Half of all commands go to the large one.
        let number = match self.rng.random_bool(0.5) {
            true => 0,
            false => self.rng.random_range(0..KEYS),
        };
        // Sometimes one of another type.
        let letter = match LETTERS.contains(&letter) && self.rng.random_ratio(1, 60) {
            true => LETTERS[self.rng.random_range(0..LETTERS.len())],
            false => letter,
        };
        format!("{}{number}", char::from(letter)).into_bytes()
    }

    fn small_key(&mut self, letter: u8) -> Vec<u8> {
        let number = self.rng.random_range(1..KEYS);
        format!("{}{number}", char::from(letter)).into_bytes()
    }

    fn element(&mut self, key: &[u8]) -> Vec<u8> {
        let number = match key.ends_with(b"0") {
            true => self.below(LARGE),
            false => self.below(SMALL),
        };
        format!("element:{number}").into_bytes()
    }

    /// Mostly small, sometimes a few kilobytes.
    fn value(&mut self) -> Vec<u8> {
        let mut value = format!("v{}:", self.stamp).into_bytes();
        let padding = match self.rng.random_range(0..20) {
            0 => self.rng.random_range(1000..4000),
            1..5 => self.rng.random_range(100..600),
            _ => self.rng.random_range(0..50),
        };
        value.resize(value.len() + padding, b'a' + (*self.stamp % 26) as u8);
        value
    }

    /// `1..most` of what `one` makes, behind `head`.
    fn several(
        &mut self,
        head: Vec<Vec<u8>>,
        most: u32,
        mut one: impl FnMut(&mut Self) -> Vec<Vec<u8>>,
    ) -> Command {
        let mut command = head;
        for _ in 0..self.rng.random_range(1..most) {
            command.extend(one(self));
        }
        command
    }

    fn is_full(&self, key: &[u8]) -> bool {
        let entry = self.state.0.get(key);
        entry.is_some_and(|entry| entry.value.size() > 2 * LARGE as usize)
    }

    pub(super) fn command(&mut self) -> Command {
        *self.stamp += 1;
        match self.rng.random_range(0..100) {
            0..13 => self.text(),
            13..28 => self.list(),
            28..40 => self.set(),
            40..55 => self.sorted(),
            55..72 => self.hash(),
            72..88 => self.stream(),
            88..94 => self.sketch(),
            _ => self.whole(),
        }
    }

    fn whole(&mut self) -> Command {
        let letter = LETTERS[self.rng.random_range(0..LETTERS.len())];
        let key = match self.rng.random_ratio(1, 12) {
            true => self.key(letter),
            false => self.small_key(letter),
        };
        let other = match self.rng.random_ratio(1, 30) {
            true => self.key(letter),
            false => {
                let letter = LETTERS[self.rng.random_range(0..LETTERS.len())];
                self.small_key(letter)
            }
        };
        match self.rng.random_range(0..100) {
            0..20 => words!["DEL", key],
            20..40 => words!["UNLINK", key],
            40..55 => words!["RENAME", key, other],
            55..70 => words!["COPY", key, other, "REPLACE"],
            70..85 => {
                let ms = FAR_MS + self.rng.random_range(0..1_000_000);
                words!["PEXPIREAT", key, ms.to_string()]
            }
            85..99 => words!["PERSIST", key],
            _ if self.rng.random_ratio(1, 4) => words!["FLUSHDB"],
            _ => words!["DEL", self.small_key(b'f')],
        }
    }

    fn text(&mut self) -> Command {
        let key = self.key(b's');
        // Beyond 16 KiB a string is a tree.
        let end = if key.ends_with(b"0") { 60_000 } else { 200 };
        let offset = self.below(end);
        match self.rng.random_range(0..100) {
            0..15 => words!["SET", self.small_key(b's'), self.value()],
            15..25 if !self.is_full(&key) => words!["APPEND", key, format!("+{}", self.stamp)],
            25..45 => words![
                "SETRANGE",
                key,
                offset.to_string(),
                format!("@{}", self.stamp)
            ],
            45..65 => {
                let bit = (offset * 8 + self.below(8)).to_string();
                words!["SETBIT", key, bit, self.below(2).to_string()]
            }
            65..70 => words!["BITCOUNT", key],
            70..74 => words![
                "BITOP",
                "OR",
                self.small_key(b's'),
                self.small_key(b's'),
                key
            ],
            74..76 => words!["GETDEL", self.small_key(b's')],
            76..90 => words!["INCR", format!("n{}", self.below(5))],
            _ => words!["GET", key],
        }
    }

    fn list(&mut self) -> Command {
        let key = self.key(b'l');
        let index = self.below(if key.ends_with(b"0") { LARGE } else { 20 });
        let other = self.small_key(b'l');
        match self.rng.random_range(0..100) {
            _ if self.is_full(&key) => words!["LTRIM", key, "1500", "-1"],
            0..25 => self.several(words!["RPUSH", key], 12, |m| vec![m.value()]),
            25..40 => self.several(words!["LPUSH", key], 6, |m| vec![m.value()]),
            40..47 => words!["LPOP", key, self.below(8).to_string()],
            47..54 => words!["RPOP", key],
            54..60 => words!["LMOVE", key, other, "LEFT", "RIGHT"],
            60..70 => words!["LSET", key, index.to_string(), self.value()],
            70..74 => words!["LSET", other, "0", "pivot"],
            74..78 => words!["LINSERT", other, "BEFORE", "pivot", self.value()],
            78..81 => words!["LREM", other, "0", "pivot"],
            81..83 => words!["LTRIM", other, "2", "-1"],
            83..95 => words!["LINDEX", key, index.to_string()],
            _ => words!["LLEN", key],
        }
    }

    fn set(&mut self) -> Command {
        let key = self.key(b't');
        let element = self.element(&key);
        let other = self.small_key(b't');
        match self.rng.random_range(0..100) {
            0..45 => {
                let head = words!["SADD", key.clone()];
                self.several(head, 12, |m| vec![m.element(&key)])
            }
            45..65 => words!["SREM", key, element],
            65..72 => words!["SMOVE", key, other, element],
            72..75 => words!["SUNIONSTORE", other, self.small_key(b't'), key],
            75..80 => words!["SDIFFSTORE", self.small_key(b't'), other, key],
            80..95 => words!["SISMEMBER", key, element],
            _ => words!["SCARD", key],
        }
    }

    fn sorted(&mut self) -> Command {
        let key = self.key(b'z');
        let element = self.element(&key);
        let other = self.small_key(b'z');
        match self.rng.random_range(0..100) {
            0..40 => {
                let head = words!["ZADD", key.clone()];
                self.several(head, 10, |m| {
                    words![m.below(10_000).to_string(), m.element(&key)]
                })
            }
            40..55 => words!["ZINCRBY", key, self.below(500).to_string(), element],
            55..67 => words!["ZREM", key, element],
            67..73 => words!["ZPOPMIN", key, self.rng.random_range(1..6).to_string()],
            73..75 => words![
                "ZREMRANGEBYRANK",
                key,
                "0",
                (self.below(20) + 1).to_string()
            ],
            75..79 => words!["ZUNIONSTORE", other, "2", self.small_key(b'z'), key],
            79..92 => words!["ZSCORE", key, element],
            _ => words!["ZRANK", key, element],
        }
    }

    fn hash(&mut self) -> Command {
        let key = self.key(b'h');
        let field = self.element(&key);
        let ms = (FAR_MS + self.rng.random_range(0..1_000_000)).to_string();
        match self.rng.random_range(0..100) {
            0..35 => {
                let head = words!["HSET", key.clone()];
                self.several(head, 8, |m| vec![m.element(&key), m.value()])
            }
            35..43 => words!["HINCRBY", key, "counter", self.below(100).to_string()],
            43..55 => words!["HDEL", key, field],
            55..67 => words!["HPEXPIREAT", key, ms, "FIELDS", "1", field],
            67..74 => words!["HPERSIST", key, "FIELDS", "1", field],
            74..78 => {
                words![
                    "HSETEX",
                    key,
                    "PXAT",
                    ms,
                    "FIELDS",
                    "1",
                    field,
                    self.value()
                ]
            }
            78..81 => words!["HGETDEL", self.small_key(b'h'), "FIELDS", "1", field],
            81..95 => words!["HGET", key, field],
            _ => words!["HLEN", key],
        }
    }

    fn stream(&mut self) -> Command {
        let key = self.key(b'x');
        let group = format!("g{}", self.below(2));
        let consumer = format!("c{}", self.below(3));
        match self.rng.random_range(0..100) {
            _ if self.is_full(&key) => words!["XTRIM", key, "MAXLEN", "1500"],
            0..45 => words!["XADD", key, format!("{}-0", self.stamp), "f", self.value()],
            45..50 => {
                let head = words!["XDEL", key.clone()];
                self.several(head, 4, |m| vec![m.id(&key)])
            }
            50..52 => words!["XTRIM", self.small_key(b'x'), "MAXLEN", "10"],
            52..57 => words!["XGROUP", "CREATE", key, group, "0", "MKSTREAM"],
            57 => words!["XGROUP", "DESTROY", self.small_key(b'x'), group],
            58 => words![
                "XGROUP",
                "DELCONSUMER",
                self.small_key(b'x'),
                group,
                consumer
            ],
            59..78 => {
                let count = self.rng.random_range(1..12).to_string();
                words![
                    "XREADGROUP",
                    "GROUP",
                    group,
                    consumer,
                    "COUNT",
                    count,
                    "STREAMS",
                    key,
                    ">"
                ]
            }
            78..90 => {
                let head = words!["XACK", key.clone(), group];
                self.several(head, 10, |m| vec![m.id(&key)])
            }
            90..96 => {
                let head = words!["XCLAIM", key.clone(), group, consumer, "0"];
                self.several(head, 3, |m| vec![m.id(&key)])
            }
            _ => words!["XLEN", key],
        }
    }

    /// The id of an entry that `key` mostly has, or has pending.
    fn id(&mut self, key: &[u8]) -> Vec<u8> {
        use super::value::Value;
        let found = match self.state.0.get(key).map(|entry| &entry.value) {
            Some(Value::Stream(stream)) => {
                let first = stream.entries.keys().next().copied().unwrap_or(1);
                let id = self.rng.random_range(first..=stream.last.max(first));
                stream.entries.range(id..).next().map(|(id, _)| *id)
            }
            _ => None,
        };
        format!("{}-0", found.unwrap_or(1)).into_bytes()
    }

    fn sketch(&mut self) -> Command {
        let key = format!("p{}", self.below(4)).into_bytes();
        let other = format!("p{}", self.below(4));
        let filter = format!("f{}", self.below(3));
        match self.rng.random_range(0..100) {
            0..40 => {
                let end = if key == b"p0" { 20_000 } else { 300 };
                self.several(words!["PFADD", key], 20, |m| {
                    vec![format!("e{}", m.below(end)).into_bytes()]
                })
            }
            40..45 => words!["PFMERGE", key, other],
            45..50 => words!["DEL", format!("p{}", self.rng.random_range(1..4))],
            _ => {
                let head = words![
                    "BF.INSERT",
                    filter,
                    "ERROR",
                    "0.0000001",
                    "CAPACITY",
                    "100",
                    "ITEMS"
                ];
                let items = items();
                self.several(head, 6, |m| {
                    vec![items[m.below(items.len() as u32) as usize].clone()]
                })
            }
        }
    }
}
