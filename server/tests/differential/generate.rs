//! Random commands from a seed: a weighted table over all string, key, stream, expiry and transaction
//! commands, on few keys so that they collide.
//!
//! Two servers never read the clock at the same moment, so no command here depends on it: a time
//! to live is already past, or at least `NEAR_SECONDS` away, and options that compare two times
//! (GT, LT) are given absolute ones. SET gets no past time: redis-server keeps such a key, expired,
//! until something meets it, and DBSIZE counts it until then.

mod bits;
mod geo;
mod hyperloglog;
mod sets;
mod sort;
mod sorted_sets;
mod stream_groups;
mod streams;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// The timeout of commands that block, in seconds.
const SHORT_WAIT: &str = "0.001";
/// The shortest time to live, far longer than any run.
const NEAR_SECONDS: u64 = 100_000;
/// Absolute times begin here (the year 3021), beyond all relative ones.
const FAR_SECONDS: u64 = 33_177_117_420;
/// Databases in use.
pub(crate) const DATABASES: u32 = 4;
/// Connections in use; the second one breaks the first one's WATCH.
pub(crate) const CONNECTIONS: usize = 2;

/// A command's arguments.
pub(crate) type Command = Vec<Vec<u8>>;

/// One step of a run, a function of the seed alone.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Run { conn: usize, command: Command },
    Crash,
}

/// The first `count` steps of `seed`; with `crash_every`, the server under test is killed that
/// often.
pub(crate) fn steps(seed: u64, count: usize, crash_every: Option<usize>) -> Vec<Step> {
    let mut generator = Generator::new(seed);
    let mut steps = Vec::with_capacity(count);
    for n in 1..=count {
        let step = generator.step();
        steps.extend(forgetting(&step));
        steps.push(step);
        if crash_every.is_some_and(|every| n % every == 0) {
            steps.push(Step::Crash);
        }
    }
    steps
}

/// A step before a SORT that has redis-server 7.0 forget (`errno`) that a number of an earlier command was out of range: its
/// SORT would take that for a weight of its own. Both answer it with an error.
fn forgetting(step: &Step) -> Option<Step> {
    match step {
        Step::Run { conn, command } if command[0].starts_with(b"SORT") => {
            let command = ["HINCRBYFLOAT", "sort:none", "field", "x"];
            let command = command.map(|word| word.as_bytes().to_vec()).to_vec();
            Some(Step::Run {
                conn: *conn,
                command,
            })
        }
        _ => None,
    }
}

#[derive(Debug)]
struct Generator {
    rng: SmallRng,
    keys: Vec<Vec<u8>>,
    conn: usize,
    /// Streams have had ids up to about this one.
    entries: u64,
}

type Make = fn(&mut Generator) -> Command;

/// Weight and maker of each kind of command.
const KINDS: &[(u32, Make)] = &[
    (12, |g| g.with_key("GET", &[])),
    (14, Generator::set),
    (2, |g| g.with_key_value("SETNX")),
    (2, |g| g.with_time("SETEX", false, true)),
    (2, |g| g.with_time("PSETEX", true, true)),
    (2, |g| g.with_key_value("GETSET")),
    (2, |g| g.with_key("GETDEL", &[])),
    (3, Generator::getex),
    (3, |g| g.many("MGET", false)),
    (3, |g| g.many("MSET", true)),
    (2, |g| g.many("MSETNX", true)),
    (4, |g| g.with_key_value("APPEND")),
    (2, |g| g.with_key("STRLEN", &[])),
    (3, |g| g.with_key("INCR", &[])),
    (2, |g| g.with_key("DECR", &[])),
    (2, |g| g.with_number("INCRBY")),
    (2, |g| g.with_number("DECRBY")),
    (2, Generator::incrbyfloat),
    (3, Generator::setrange),
    (3, |g| g.range("GETRANGE")),
    (1, |g| g.range("SUBSTR")),
    (1, Generator::lcs),
    (4, bits::setbit),
    (2, bits::getbit),
    (3, bits::bitcount),
    (3, bits::bitpos),
    (4, bits::bitop),
    (4, bits::bitfield),
    (1, bits::bitfield_ro),
    (6, hyperloglog::pfadd),
    (3, hyperloglog::pfcount),
    (2, hyperloglog::pfmerge),
    (2, hyperloglog::pfdebug),
    (1, Generator::restore),
    (6, sets::sadd),
    (3, sets::srem),
    (4, sets::ask),
    (2, sets::smove),
    (1, sets::pick),
    (4, sets::combine),
    (7, sorted_sets::zadd),
    (3, sorted_sets::zadd_lex),
    (2, sorted_sets::zincrby),
    (2, sorted_sets::zrem),
    (4, sorted_sets::ask),
    (3, sorted_sets::by_rank),
    (4, sorted_sets::by_score),
    (4, sorted_sets::by_word),
    (1, sorted_sets::zrangestore),
    (2, sorted_sets::pop),
    (2, sorted_sets::blocking_pop),
    (4, sort::prepare),
    (5, sort::sort),
    (4, sorted_sets::combine),
    (18, streams::xadd),
    (2, streams::xtrim),
    (3, streams::xdel),
    (4, streams::xrange),
    (3, streams::xread),
    (1, streams::xsetid),
    (3, streams::ask),
    (4, stream_groups::xgroup),
    (10, stream_groups::xreadgroup),
    (4, stream_groups::xack),
    (4, stream_groups::xclaim),
    (3, stream_groups::xautoclaim),
    (4, stream_groups::xpending),
    (5, geo::geoadd),
    (2, geo::ask),
    (5, geo::search),
    (3, geo::radius),
    (4, |g| g.many("DEL", false)),
    (2, |g| g.many("UNLINK", false)),
    (2, |g| g.many("EXISTS", false)),
    (1, |g| g.many("TOUCH", false)),
    (1, |g| g.with_key("TYPE", &[])),
    (1, Generator::keys_command),
    (1, Generator::scan),
    (1, |_| words("RANDOMKEY")),
    (3, |g| g.two_keys("RENAME")),
    (2, |g| g.two_keys("RENAMENX")),
    (4, Generator::copy),
    (3, Generator::move_key),
    (2, |g| {
        vec![b"OBJECT".to_vec(), b"ENCODING".to_vec(), g.key()]
    }),
    (2, |_| words("DBSIZE")),
    (5, |g| vec![b"SELECT".to_vec(), g.database()]),
    (1, Generator::swapdb),
    (3, |g| g.expire("EXPIRE", false)),
    (2, |g| g.expire("PEXPIRE", true)),
    (3, |g| g.expire_at("EXPIREAT", 1)),
    (3, |g| g.expire_at("PEXPIREAT", 1000)),
    (2, |g| g.with_key("TTL", &[])),
    (2, |g| g.with_key("PTTL", &[])),
    (1, |g| g.with_key("EXPIRETIME", &[])),
    (2, |g| g.with_key("PEXPIRETIME", &[])),
    (2, |g| g.with_key("PERSIST", &[])),
    (14, Generator::hset),
    (2, |g| g.with_fields("HSETNX", 1, true)),
    (3, |g| g.with_fields("HGET", 1, false)),
    (2, |g| g.with_fields("HMGET", 5, false)),
    (2, |g| g.with_hash("HGETALL")),
    (1, |g| g.with_hash("HKEYS")),
    (1, |g| g.with_hash("HVALS")),
    (2, |g| g.with_hash("HLEN")),
    (4, |g| g.with_fields("HDEL", 12, false)),
    (2, |g| g.with_fields("HEXISTS", 1, false)),
    (2, |g| g.with_fields("HSTRLEN", 1, false)),
    (3, |g| g.with_hash_number("HINCRBY")),
    (2, |g| g.with_hash_number("HINCRBYFLOAT")),
    (1, |g| g.with_hash_and("HRANDFIELD", "100000")),
    (1, |g| g.with_hash_and("HRANDFIELD", "100000 WITHVALUES")),
    (1, |g| g.with_hash_and("HRANDFIELD", "0")),
    (2, |g| g.with_hash_and("HSCAN", "0")),
    (1, |g| g.with_hash_and("HSCAN", "0 MATCH f*1* COUNT 50")),
    (9, |g| g.push("LPUSH")),
    (9, |g| g.push("RPUSH")),
    (2, |g| g.push("LPUSHX")),
    (2, |g| g.push("RPUSHX")),
    (5, |g| g.pop("LPOP")),
    (5, |g| g.pop("RPOP")),
    (2, |g| g.with_list("LLEN", 0)),
    (4, |g| g.with_list("LRANGE", 2)),
    (3, |g| g.with_list("LINDEX", 1)),
    (3, |g| g.with_list("LTRIM", 2)),
    (3, |g| g.with_position_and_element("LSET")),
    (3, |g| g.with_position_and_element("LREM")),
    (3, Generator::linsert),
    (3, Generator::lpos),
    (4, |g| g.list_move("LMOVE")),
    (2, |g| g.list_move("RPOPLPUSH")),
    (2, |g| g.list_move("BLMOVE")),
    (1, |g| g.list_move("BRPOPLPUSH")),
    (3, |g| g.multi_pop(false)),
    (2, |g| g.multi_pop(true)),
    (2, |g| g.blocking_pop("BLPOP")),
    (2, |g| g.blocking_pop("BRPOP")),
    (4, |_| words("MULTI")),
    (5, |_| words("EXEC")),
    (1, |_| words("DISCARD")),
    (3, Generator::watch),
    (1, |_| words("UNWATCH")),
];

fn is_blocking(command: &Command) -> bool {
    [b"BL", b"BR", b"BZ"]
        .iter()
        .any(|start| command[0].starts_with(*start))
}

fn words(line: &str) -> Command {
    line.split_whitespace().map(|w| w.into()).collect()
}

/// Not where Redis 7.0 differs from 8.2, which we follow (it looks for the key before it reads other arguments, or
/// knows fewer of them), nor where the answer would become random. The members of `lex:` keep one score.
fn may_be_spoilt(command: &Command) -> bool {
    let by_word = |arg: &Vec<u8>| arg.starts_with(b"lex:");
    if command.iter().any(by_word) && command[0].starts_with(b"ZADD") {
        return false;
    }
    !matches!(
        command[0].as_slice(),
        b"BITCOUNT"
            | b"BITPOS"
            | b"ZRANK"
            | b"ZREVRANK"
            | b"SRANDMEMBER"
            | b"SPOP"
            | b"SSCAN"
            | b"ZSCAN"
            | b"SORT"
            | b"SORT_RO"
            | b"XREAD"
            | b"XSETID"
            | b"XREADGROUP"
    )
}

impl Generator {
    fn new(seed: u64) -> Self {
        let mut keys: Vec<Vec<u8>> = (0..20).map(|n| format!("key:{n}").into_bytes()).collect();
        keys.extend([
            b"".to_vec(),
            b"\0".to_vec(),
            b"\xff\xfe".to_vec(),
            b"line\r\nend".to_vec(),
            b"{tag}x".to_vec(),
            b"{tag}y".to_vec(),
            b"long".repeat(100),
            b"hash:0".to_vec(),
        ]);
        Self {
            rng: SmallRng::seed_from_u64(seed),
            keys,
            conn: 0,
            entries: 1,
        }
    }

    fn step(&mut self) -> Step {
        // In turns of a few commands, so that there is something to pipeline.
        let leaves = if self.conn == 0 { 24 } else { 4 };
        if self.rng.random_ratio(1, leaves) {
            self.conn = (self.conn + 1) % CONNECTIONS;
        }
        let conn = self.conn;
        let command = match self.rng.random_range(0..400) {
            0 => words("FLUSHDB"),
            1 if self.rng.random_ratio(1, 4) => words("FLUSHALL"),
            _ => self.pick(),
        };
        let command = match self.rng.random_ratio(1, 40) && may_be_spoilt(&command) {
            true => self.spoil(command),
            false => command,
        };
        Step::Run { conn, command }
    }

    fn pick(&mut self) -> Command {
        let all: u32 = KINDS.iter().map(|(weight, _)| weight).sum();
        let mut left = self.rng.random_range(0..all);
        for (weight, make) in KINDS {
            if left < *weight {
                return make(self);
            }
            left -= weight;
        }
        unreachable!("the weights add up")
    }

    /// A wrong argument, one too few, or one too many.
    fn spoil(&mut self, mut command: Command) -> Command {
        // Small positive numbers would be times to live that end during the run.
        const ODD: [&[u8]; 10] = [
            b"",
            b"x",
            b"-1",
            b"0",
            b"1.5",
            b" 1",
            b"\xff\0",
            b"9223372036854775807",
            b"-9223372036854775808",
            b"100000000000000000000",
        ];
        // A timeout of 0 would never end.
        if is_blocking(&command) {
            return command;
        }
        let odd = ODD.choose(&mut self.rng).expect("not empty").to_vec();
        let at = self.rng.random_range(0..command.len());
        // An empty or a negative cursor means something else since Redis 7.4 (an error, which is what we say)
        // than in the 7.0 that is usually installed, and what one that was never given means is each server's own business.
        let is_cursor = at == 1 && command[0] == b"SCAN";
        if at == 2 && command[0] == b"HSCAN" || command[0] == b"HRANDFIELD" {
            // So is which field is chosen where not all are.
            return command;
        }
        match self.rng.random_range(0..3) {
            // Redis 7.0 knows no limit of RANK.
            0 if command[0] == b"LPOS" && odd == b"-9223372036854775808" => {}
            // Where a range of scores begins Redis 7.0 overlooks a space.
            0 if odd == b" 1" && command[0].starts_with(b"Z") => {}
            0 if is_cursor && matches!(&odd[..], b"" | b"9223372036854775807" | [b'-', ..]) => {}
            0 if at > 0 => command[at] = odd,
            1 if at > 0 => _ = command.remove(at),
            _ => command.push(odd),
        }
        command
    }

    fn key(&mut self) -> Vec<u8> {
        self.keys.choose(&mut self.rng).expect("not empty").clone()
    }

    /// A key that is mostly a hash; one of them seldom loses a field, and so becomes large.
    fn hash(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..20) {
            0 => self.key(),
            1..8 => b"hash:large".to_vec(),
            n => format!("hash:{}", n % 4).into_bytes(),
        }
    }

    fn field(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..60) {
            0 => Vec::new(),
            1 => b"\0\r\n".to_vec(),
            2 => b"long".repeat(self.rng.random_range(50..700)),
            _ => format!("field:{}", self.rng.random_range(0..600)).into_bytes(),
        }
    }

    fn hset(&mut self) -> Command {
        let name = ["HSET", "HMSET"][usize::from(self.rng.random_ratio(1, 6))];
        let most = [2, 2, 40][self.rng.random_range(0..3)];
        self.with_fields(name, most, true)
    }

    fn with_fields(&mut self, name: &str, most: usize, values: bool) -> Command {
        let mut command = self.with_hash(name);
        for _ in 0..self.rng.random_range(1..=most) {
            command.push(self.field());
            if values {
                command.push(self.value());
            }
        }
        command
    }

    fn with_hash(&mut self, name: &str) -> Command {
        vec![name.into(), self.hash()]
    }

    fn with_hash_and(&mut self, name: &str, more: &str) -> Command {
        let mut command = self.with_hash(name);
        command.extend(words(more));
        command
    }

    fn with_hash_number(&mut self, name: &str) -> Command {
        let number = self.with_number(name).pop().expect("the number");
        vec![name.into(), self.hash(), self.field(), number]
    }

    /// A key that is mostly a list; one of them is seldom popped from, and so becomes large.
    fn list(&mut self, grows: bool) -> Vec<u8> {
        match self.rng.random_range(0..20) {
            0 => self.key(),
            1..9 if grows || self.rng.random_ratio(1, 4) => b"list:large".to_vec(),
            n => format!("list:{}", n % 4).into_bytes(),
        }
    }

    /// One of few, so that they are found again; sometimes a long one.
    fn element(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..10) {
            0 => self.value(),
            1 => b"long".repeat(self.rng.random_range(50..700)),
            _ => format!("element:{}", self.rng.random_range(0..30)).into_bytes(),
        }
    }

    fn position(&mut self) -> Vec<u8> {
        let most = [5, 5, 300][self.rng.random_range(0..3)];
        self.rng.random_range(-most..most).to_string().into_bytes()
    }

    fn end(&mut self) -> Vec<u8> {
        let ends: [&[u8]; 3] = [b"LEFT", b"RIGHT", b"left"];
        ends.choose(&mut self.rng).expect("not empty").to_vec()
    }

    fn push(&mut self, name: &str) -> Command {
        let mut command = vec![name.into(), self.list(true)];
        let most = [2, 5, 60][self.rng.random_range(0..3)];
        for _ in 0..self.rng.random_range(1..=most) {
            command.push(self.element());
        }
        command
    }

    fn pop(&mut self, name: &str) -> Command {
        let mut command = vec![name.into(), self.list(false)];
        if self.rng.random() {
            command.push(self.rng.random_range(0..8).to_string().into());
        }
        command
    }

    fn with_list(&mut self, name: &str, positions: usize) -> Command {
        let mut command = vec![name.into(), self.list(name != "LTRIM")];
        for _ in 0..positions {
            command.push(self.position());
        }
        command
    }

    fn with_position_and_element(&mut self, name: &str) -> Command {
        vec![
            name.into(),
            self.list(true),
            self.position(),
            self.element(),
        ]
    }

    fn linsert(&mut self) -> Command {
        let side = if self.rng.random() { "BEFORE" } else { "after" };
        vec![
            "LINSERT".into(),
            self.list(true),
            side.into(),
            self.element(),
            self.element(),
        ]
    }

    fn lpos(&mut self) -> Command {
        let mut command = vec!["LPOS".into(), self.list(true), self.element()];
        for option in ["RANK", "COUNT", "MAXLEN"] {
            if self.rng.random_ratio(1, 3) {
                let least = if option == "RANK" { -4 } else { 0 };
                let number = self.rng.random_range(least..9).to_string();
                command.extend([option.into(), number.into()]);
            }
        }
        command
    }

    fn list_move(&mut self, name: &str) -> Command {
        let mut command = vec![name.into(), self.list(false), self.list(true)];
        if name.ends_with("MOVE") {
            command.extend([self.end(), self.end()]);
        }
        if name.starts_with('B') {
            command.push(SHORT_WAIT.into());
        }
        command
    }

    fn multi_pop(&mut self, blocks: bool) -> Command {
        let mut command: Command = if blocks {
            vec!["BLMPOP".into(), SHORT_WAIT.into()]
        } else {
            words("LMPOP")
        };
        let keys = self.rng.random_range(1..4);
        command.push(keys.to_string().into());
        for _ in 0..keys {
            command.push(self.list(false));
        }
        command.push(self.end());
        if self.rng.random() {
            command.extend([
                "COUNT".into(),
                self.rng.random_range(1..6).to_string().into(),
            ]);
        }
        command
    }

    fn blocking_pop(&mut self, name: &str) -> Command {
        let mut command = vec![name.into()];
        for _ in 0..self.rng.random_range(1..4) {
            command.push(self.list(false));
        }
        command.push(SHORT_WAIT.into());
        command
    }

    fn database(&mut self) -> Vec<u8> {
        let db = self.rng.random_range(0..DATABASES);
        db.to_string().into_bytes()
    }

    fn value(&mut self) -> Vec<u8> {
        let rng = &mut self.rng;
        match rng.random_range(0..20) {
            0..7 => rng.random_range(-1000..1000).to_string().into_bytes(),
            7 => rng.random::<i64>().to_string().into_bytes(),
            8 => i64::MAX.to_string().into_bytes(),
            9 => format!("{}.{}", rng.random_range(-9..99), rng.random_range(1..99)).into_bytes(),
            10 => Vec::new(),
            11 => (0..rng.random_range(1..40)).map(|_| rng.random()).collect(),
            12 => [" 1", "1 ", "+1", "-0", "007", "1e3", "inf", "nan"]
                .choose(rng)
                .expect("not empty")
                .as_bytes()
                .to_vec(),
            13 => "v".repeat(rng.random_range(42..47)).into_bytes(),
            14 => vec![rng.random(); rng.random_range(100..5000)],
            15 => (0..rng.random_range(3000..30_000))
                .map(|_| rng.random_range(b'a'..=b'z'))
                .collect(),
            _ => format!("value {}", rng.random_range(0..1000)).into_bytes(),
        }
    }

    fn near(&mut self, in_ms: bool) -> Vec<u8> {
        let seconds = NEAR_SECONDS * self.rng.random_range(1..50);
        let scale = if in_ms { 1000 } else { 1 };
        (seconds * scale).to_string().into_bytes()
    }

    /// Past, or far in the future.
    fn absolute(&mut self, scale: u64) -> Vec<u8> {
        match self.rng.random_ratio(1, 5) {
            true => self.rng.random_range(0..1_000_000_000).to_string().into(),
            false => self.far(scale),
        }
    }

    fn far(&mut self, scale: u64) -> Vec<u8> {
        let time = FAR_SECONDS * scale + self.rng.random_range(0..1000);
        time.to_string().into_bytes()
    }

    fn with_key(&mut self, name: &str, more: &[&[u8]]) -> Command {
        let mut command = vec![name.into(), self.key()];
        command.extend(more.iter().map(|m| m.to_vec()));
        command
    }

    fn with_key_value(&mut self, name: &str) -> Command {
        vec![name.into(), self.key(), self.value()]
    }

    fn with_number(&mut self, name: &str) -> Command {
        let by = match self.rng.random_ratio(1, 10) {
            true => self.rng.random::<i64>(),
            false => self.rng.random_range(-1000..1000),
        };
        vec![name.into(), self.key(), by.to_string().into()]
    }

    fn with_time(&mut self, name: &str, in_ms: bool, value: bool) -> Command {
        let mut command = vec![name.into(), self.key(), self.near(in_ms)];
        if value {
            command.push(self.value());
        }
        command
    }

    fn two_keys(&mut self, name: &str) -> Command {
        vec![name.into(), self.key(), self.key()]
    }

    fn many(&mut self, name: &str, values: bool) -> Command {
        let mut command = vec![name.into()];
        for _ in 0..self.rng.random_range(1..5) {
            command.push(self.key());
            if values {
                command.push(self.value());
            }
        }
        command
    }

    /// WATCH of keys of any type, mostly of those that are written most.
    fn watch(&mut self) -> Command {
        let mut command = self.many("WATCH", false);
        let typed = match self.rng.random_range(0..6) {
            0 => self.hash(),
            1 => self.list(false),
            2 => self.set_key(),
            3 => self.zset_key(),
            4 => self.stream_key(),
            _ => self.key(),
        };
        command.push(typed);
        command
    }

    fn push_expiry(&mut self, command: &mut Command) {
        let (option, time): (&str, _) = match self.rng.random_range(0..4) {
            0 => ("EX", self.near(false)),
            1 => ("px", self.near(true)),
            2 => ("EXAT", self.far(1)),
            _ => ("PXAT", self.far(1000)),
        };
        command.extend([option.into(), time]);
    }

    fn set(&mut self) -> Command {
        let mut command = self.with_key_value("SET");
        for option in ["NX", "XX", "GET", "KEEPTTL"] {
            if self.rng.random_ratio(1, 8) {
                command.push(option.into());
            }
        }
        if self.rng.random_ratio(1, 4) {
            self.push_expiry(&mut command);
        }
        command
    }

    fn getex(&mut self) -> Command {
        let mut command = self.with_key("GETEX", &[]);
        match self.rng.random_range(0..3) {
            0 => command.push("PERSIST".into()),
            1 => self.push_expiry(&mut command),
            _ if self.rng.random_ratio(1, 8) => command.extend(words("EXAT 1")),
            _ => {}
        }
        command
    }

    fn incrbyfloat(&mut self) -> Command {
        const STEPS: [&str; 8] = ["0.1", "1.5", "-2.25", "3e2", "1e-5", "-0.7", "10", "5.0e3"];
        let by = *STEPS.choose(&mut self.rng).expect("not empty");
        vec!["INCRBYFLOAT".into(), self.key(), by.into()]
    }

    fn setrange(&mut self) -> Command {
        let end = match self.rng.random_range(0..20) {
            0..2 => 9000,
            2 => 60_000,
            _ => 60,
        };
        let offset = self.rng.random_range(0..end).to_string();
        vec!["SETRANGE".into(), self.key(), offset.into(), self.value()]
    }

    fn range(&mut self, name: &str) -> Command {
        let mut command = vec![name.into(), self.key()];
        let far = if self.rng.random_ratio(1, 10) {
            60_000
        } else {
            50
        };
        for _ in 0..2 {
            command.push(self.rng.random_range(-far..far).to_string().into());
        }
        command
    }

    fn lcs(&mut self) -> Command {
        // Long inputs take quadratic time and memory: the length alone is asked for.
        let mut command = self.two_keys("LCS");
        command.push("LEN".into());
        command
    }

    /// Payloads that a redis-server 7.0 dumped: a set, a hash, a sorted set, two strings, and one that is damaged.
    fn restore(&mut self) -> Command {
        const PAYLOADS: [&[u8]; 6] = [
            b"\x02\x02\x01b\x01a\n\x00u\xd9\x9d\x83^\xf8_e",
            b"\x10\r\r\x00\x00\x00\x02\x00\x81f\x02\x81v\x02\xff\n\x00 \xf1=D#T\x08\x9d",
            b"\x11\x1c\x1c\x00\x00\x00\x06\x00\x81a\x02\x831.5\x04\x81b\x02\x02\x01\x81c\x02\x83inf\x04\xff\n\x00\x89Y\x7f&\x06-\xa8\xa1",
            b"\x00\x05hello\n\x00cr\xdfve4 \n",
            b"\x00\xc190\n\x00\x9d\x94\xea'\x93\xfc\x08\xb9",
            b"\x00\xc191\n\x00\x9d\x94\xea'\x93\xfc\x08\xb9",
        ];
        let ttl = match self.rng.random_ratio(1, 3) {
            true => self.near(true),
            false => b"0".to_vec(),
        };
        let payload = *PAYLOADS.choose(&mut self.rng).expect("not empty");
        let mut command = vec!["RESTORE".into(), self.key(), ttl, payload.to_vec()];
        if self.rng.random() {
            command.push("REPLACE".into());
        }
        command
    }

    fn keys_command(&mut self) -> Command {
        const GLOBS: [&str; 7] = [
            "*",
            "key:*",
            "key:?",
            "key:1[0-5]",
            "{tag}?",
            "l*g",
            "key:[^1]",
        ];
        let glob = *GLOBS.choose(&mut self.rng).expect("not empty");
        vec!["KEYS".into(), glob.into()]
    }

    fn scan(&mut self) -> Command {
        let mut command = words("SCAN 0");
        if self.rng.random() {
            command.extend(words("MATCH key:*"));
        }
        if self.rng.random() {
            let count = self.rng.random_range(1..50).to_string();
            command.extend(["COUNT".into(), count.into()]);
        }
        if self.rng.random_ratio(1, 4) {
            command.extend(words("TYPE string"));
        }
        command
    }

    fn copy(&mut self) -> Command {
        let mut command = self.two_keys("COPY");
        if self.rng.random() {
            command.extend(["DB".into(), self.database()]);
        }
        if self.rng.random() {
            command.push("REPLACE".into());
        }
        command
    }

    fn move_key(&mut self) -> Command {
        vec!["MOVE".into(), self.key(), self.database()]
    }

    fn swapdb(&mut self) -> Command {
        vec!["SWAPDB".into(), self.database(), self.database()]
    }

    fn expire(&mut self, name: &str, in_ms: bool) -> Command {
        let mut command = match self.rng.random_ratio(1, 8) {
            true => self.with_key(name, &[b"-5"]),
            false => self.with_time(name, in_ms, false),
        };
        if self.rng.random_ratio(1, 4) {
            let option = if self.rng.random() { "NX" } else { "XX" };
            command.push(option.into());
        }
        command
    }

    fn expire_at(&mut self, name: &str, scale: u64) -> Command {
        let mut command = vec![name.into(), self.key(), self.absolute(scale)];
        for option in ["NX", "XX", "GT", "LT"] {
            if self.rng.random_ratio(1, 8) {
                command.push(option.into());
            }
        }
        command
    }
}
