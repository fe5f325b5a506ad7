//! The edges: very large values, limits, thousands of connections, clients that misbehave.
//!
//! Short by default; `BASALT_EDGE_LONG=1` runs the full sizes (10,000 connections, a 512 MB value),
//! which need memory and open files (`ulimit -n 32768`).

mod support;

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use support::client::Client;
use support::env_number;
use support::resp::{Reply, encode};
use support::server::Server;
use support::world::World;

const MB: usize = 1024 * 1024;

fn long_form() -> bool {
    env_number("BASALT_EDGE_LONG", 0) != 0
}

fn start(world: World, args: &[&str]) -> Option<Server> {
    let server = Server::start(world, args);
    if server.is_none() {
        eprintln!("skipped: a peer has no world {}", world.name());
    }
    server
}

/// Bytes that differ everywhere, so that a misplaced piece is noticed; they do not compress.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out.extend_from_slice(&x.to_le_bytes());
    }
    out.truncate(len);
    out
}

fn expect_value(client: &mut Client, key: &str, want: &[u8]) {
    match client.call(&["GET", key]).expect("a reply") {
        Reply::Bulk(got) => assert!(got == want, "{key}: {} bytes differ", want.len()),
        other => panic!("{key}: {other}"),
    }
}

/// Large values are written, changed in place, spilled and read back; a restart keeps them.
fn large_values(world: World, sizes: &[usize]) {
    let Some(mut server) = start(world, &[]) else {
        return;
    };
    let mut client = server.client();
    let mut values: Vec<Vec<u8>> = Vec::new();
    for (n, &size) in sizes.iter().enumerate() {
        let key = format!("big:{n}");
        let mut value = noise(size, n as u64);
        let set = client.call(&[b"SET", key.as_bytes(), &value]);
        assert!(set.expect("a reply").is_ok(), "SET of {size} bytes");
        if world == World::Cold {
            assert!(!client.words("TIER SPILL ALL").is_error());
        }
        assert_eq!(
            client.words(&format!("APPEND {key} tail")),
            Reply::Int(size as i64 + 4)
        );
        value.extend_from_slice(b"tail");
        let middle = size / 2;
        client.words(&format!("SETRANGE {key} {middle} MIDDLE"));
        let end = value.len().max(middle + 6);
        value.resize(end, 0);
        value[middle..middle + 6].copy_from_slice(b"MIDDLE");
        assert_eq!(
            client.words(&format!("STRLEN {key}")),
            Reply::Int(end as i64)
        );
        let part = client.words(&format!("GETRANGE {key} {} {}", middle - 2, middle + 7));
        assert_eq!(part, Reply::Bulk(value[middle - 2..middle + 8].to_vec()));
        values.push(value);
    }
    for (n, value) in values.iter().enumerate() {
        expect_value(&mut client, &format!("big:{n}"), value);
    }
    if world == World::Restart {
        server.crash();
        client = server.client();
        for (n, value) in values.iter().enumerate() {
            expect_value(&mut client, &format!("big:{n}"), value);
        }
    }
}

const SIZES: [usize; 5] = [16 * 1024, 64 * 1024 + 1, MB, 16 * MB, 64 * MB];

#[test]
fn large_values_hot() {
    large_values(World::Hot, &SIZES);
}

#[test]
fn large_values_cold() {
    large_values(World::Cold, &SIZES);
}

#[test]
fn large_values_tiny() {
    large_values(World::Tiny, &SIZES[..4]);
}

#[test]
fn large_values_restart() {
    large_values(World::Restart, &SIZES);
}

#[test]
fn large_keys() {
    let server = start(World::Hot, &[]).expect("every server has it");
    let mut client = server.client();
    for size in [1000, 65_535, 65_536, MB] {
        let key = noise(size, 7);
        assert!(
            client
                .call(&[b"SET", &key[..], b"v"])
                .expect("a reply")
                .is_ok()
        );
        if server.is_basalt() {
            assert!(!client.words("TIER SPILL ALL").is_error());
        }
        let got = client.call(&[b"GET", &key[..]]).expect("a reply");
        assert_eq!(got, Reply::Bulk(b"v".to_vec()), "a key of {size} bytes");
        let deleted = client.call(&[b"DEL", &key[..]]).expect("a reply");
        assert_eq!(deleted, Reply::Int(1));
    }
}

/// RENAME, COPY and MOVE need a value as a whole: of what is larger than memory they are refused, and nothing changes.
#[test]
fn what_has_outgrown_memory_is_not_copied() {
    let Some(server) = start(World::Hot, &["--maxmemory", "64mb"]) else {
        return;
    };
    let mut client = server.client();
    let value = noise(1000, 1);
    for part in 0..100 {
        let mut command = vec![b"HSET".to_vec(), b"large".to_vec()];
        for field in 0..1000 {
            command.extend([format!("{part}:{field}").into_bytes(), value.clone()]);
        }
        assert_eq!(
            client.call(&command).expect("a reply"),
            Reply::Int(1000),
            "part {part}"
        );
    }
    client.words("SET small value");
    for line in ["RENAME large other", "COPY large other", "MOVE large 1"] {
        let refused = client.words(line).to_string();
        assert!(
            refused.contains("OOM the value takes about"),
            "{line}: {refused}"
        );
    }
    assert_eq!(client.words("HLEN large"), Reply::Int(100_000));
    assert_eq!(client.words("EXISTS other"), Reply::Int(0));
    // What needs no copy is not refused.
    assert!(client.words("RENAME large large").is_ok());
    for line in [
        "RENAMENX large small",
        "RENAMENX large large",
        "COPY large small",
    ] {
        assert_eq!(client.words(line), Reply::Int(0), "{line}");
    }
    assert_eq!(client.words("COPY small large DB 1"), Reply::Int(1));
    assert_eq!(client.words("MOVE large 1"), Reply::Int(0));
    assert!(client.words("RENAME small other").is_ok());
    assert!(client.words("CONFIG SET maxmemory 1gb").is_ok());
    assert!(client.words("RENAME large other").is_ok());
    assert_eq!(client.words("HLEN other"), Reply::Int(100_000));
}

/// A command about many elements of a value that is on disk reads their pages together, level by level: one by one, each
/// read being waited for, and the command begun anew after each, it would come to no end where memory is short.
#[test]
fn pages_of_many_elements_are_read_together() {
    const ELEMENTS: usize = 20_000;
    /// Each reads a level of a tree, or what a change or a second look needs besides.
    const MOST_LOADS: u64 = 16;
    let Some(server) = start(World::Hot, &[]) else {
        return;
    };
    if !server.is_basalt() {
        return;
    }
    let mut client = server.client();
    // Scattered over the value, so that hardly two lie on the same page.
    let some = |count: usize| (0..count).map(|n| n * 7919 % ELEMENTS);
    let members = |from: usize| some(400).map(move |n| format!("member:{:08}", n + from));
    let there = || members(0).collect::<Vec<_>>();
    let new = || members(ELEMENTS).collect::<Vec<_>>();
    let paired = |members: Vec<String>, value: &'static str| {
        let pairs = members.into_iter().map(|m| [m, value.to_owned()]);
        pairs.flatten().collect::<Vec<_>>()
    };
    let scored = |members: Vec<String>| {
        let pairs = members.into_iter().zip(some(400));
        let pairs = pairs.map(|(m, score)| [(score * 3).to_string(), m]);
        pairs.flatten().collect::<Vec<_>>()
    };
    let ids = || {
        some(400)
            .map(|n| format!("{}-0", n + 1))
            .collect::<Vec<_>>()
    };
    let fields = || [vec!["FIELDS".to_owned(), "400".to_owned()], there()].concat();
    let none = Vec::new;
    let cases = [
        ("SRANDMEMBER set 400", none()),
        ("SRANDMEMBER set -400", none()),
        ("SMISMEMBER set", there()),
        ("SADD set", new()),
        ("SREM set", there()),
        ("SPOP set 400", none()),
        ("SMEMBERS set", none()),
        ("SINTERCARD 2 set half", none()),
        ("SUNIONSTORE union set half", none()),
        ("ZRANDMEMBER zset 400", none()),
        ("ZRANDMEMBER zset -400 WITHSCORES", none()),
        ("ZMSCORE zset", there()),
        ("ZADD zset", scored(new())),
        ("ZADD zset", scored(there())),
        ("ZREM zset", there()),
        ("ZRANGE zset 0 -1 WITHSCORES", none()),
        ("ZRANGESTORE range zset 0 9999", none()),
        ("ZPOPMAX zset 4000", none()),
        ("ZREMRANGEBYRANK zset 1000 4999", none()),
        ("ZUNIONSTORE zunion 2 zset half", none()),
        ("HRANDFIELD hash 400 WITHVALUES", none()),
        ("HRANDFIELD hash -400", none()),
        ("HMGET hash", there()),
        ("HSET hash", paired(new(), "new")),
        ("HSET hash", paired(there(), "changed")),
        ("HEXPIRE hash 1000", fields()),
        ("HTTL hash", fields()),
        ("HGETDEL hash", fields()),
        ("HDEL hash", new()),
        ("HGETALL hash", none()),
        ("LRANGE list 0 -1", none()),
        ("LPOP list 4000", none()),
        ("RPOP list 4000", none()),
        ("LTRIM list 2000 -2000", none()),
        ("LREM list 0 value:00009001", none()),
        ("LPOS list value:00011001", none()),
        ("SORT list ALPHA LIMIT 0 1", none()),
        ("XRANGE stream - +", none()),
        ("XREADGROUP GROUP g c STREAMS stream >", none()),
        ("XACK stream g", ids()),
        (
            "XCLAIM stream g d 0",
            ids().into_iter().map(|id| id.replace("-0", "-1")).collect(),
        ),
        ("XPENDING stream g - + 10000", none()),
        ("XAUTOCLAIM stream g d 0 0 COUNT 1000", none()),
        ("XGROUP DELCONSUMER stream g c", none()),
        ("XDEL stream", ids()),
        ("XTRIM stream MAXLEN 2000", none()),
        ("COPY hash hash2", none()),
        ("RENAME hash2 hash3", none()),
        ("DUMP hash", none()),
        ("BITCOUNT text", none()),
        ("BITOP NOT text2 text", none()),
        ("GETRANGE text 0 -1", none()),
        ("DEL set", none()),
    ];
    for part in 0..20 {
        let range = || part * ELEMENTS / 20..(part + 1) * ELEMENTS / 20;
        let named = || {
            range()
                .map(|n| format!("member:{n:08}"))
                .collect::<Vec<_>>()
        };
        let scores = range()
            .zip(named())
            .flat_map(|(n, m)| [(n * 3).to_string(), m]);
        let half = named().into_iter().step_by(2);
        let fill = [
            ("SADD set", named()),
            ("SADD half", half.collect()),
            ("ZADD zset", scores.collect()),
            ("HSET hash", paired(named(), "some value")),
            (
                "RPUSH list",
                range().map(|n| format!("value:{n:08}")).collect(),
            ),
        ];
        for (line, more) in fill {
            let reply = call_with(&mut client, line, more);
            assert!(!reply.is_error(), "{line}: {reply}");
        }
        let entries = range().map(|n| {
            let id = format!("{}-0", n + 1);
            ["XADD", "stream", &id, "field", "a value of some length"]
                .map(str::to_owned)
                .to_vec()
        });
        let replies = client
            .pipeline(&entries.collect::<Vec<_>>())
            .expect("replies");
        assert!(replies.iter().all(|reply| !reply.is_error()));
    }
    assert!(client.words("XGROUP CREATE stream g 0").is_ok());
    client.words(&format!("SETRANGE text {} x", MB));
    let text = noise(MB, 3);
    client
        .call(&[b"SETRANGE", &b"text"[..], b"0", &text])
        .expect("a reply");
    let mut read = 0;
    for (line, more) in cases {
        assert!(!client.words("TIER SPILL ALL").is_error());
        let before = page_figures(&mut client);
        let reply = call_with(&mut client, line, more);
        assert!(!reply.is_error(), "{line}: {reply}");
        let after = page_figures(&mut client);
        let (loads, pages) = (after.0 - before.0, after.1 - before.1);
        assert!(
            loads <= MOST_LOADS,
            "{line}: {loads} loads of {pages} pages"
        );
        read += pages;
    }
    assert!(read > 5000, "so few pages that nothing was tested: {read}");
}

fn call_with(client: &mut Client, line: &str, more: Vec<String>) -> Reply {
    let words = line.split(' ').map(str::to_owned);
    client
        .call(&words.chain(more).collect::<Vec<_>>())
        .expect("a reply")
}

/// How often pages of large values were read, and how many.
fn page_figures(client: &mut Client) -> (u64, u64) {
    let info = client.words("INFO tiering").text();
    let figure = |name: &str| {
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse().ok())
            .expect(name)
    };
    (figure("cold_page_loads"), figure("cold_page_reads"))
}

/// RESTORE and the commands that store a result build a large value at once. It is the same as one whose elements came one
/// by one, on disk as in memory, and goes on as that does when it is changed.
#[test]
fn values_built_at_once_are_those_filled_by_and_by() {
    const ELEMENTS: usize = 6000;
    let Some(server) = start(World::Hot, &[]) else {
        return;
    };
    let mut client = server.client();
    // Not in their order.
    let named = |from: usize| (0..ELEMENTS).map(move |n| (n * 7919 % ELEMENTS, n + from));
    let member = |n: usize| format!("member:{n}");
    for (n, other) in named(ELEMENTS / 2) {
        let (one, score) = (member(n), format!("{}", n as f64 / 7.0));
        let batch = [
            vec!["SADD", "{t}set", &one],
            vec!["SADD", "{t}other", &member(other)],
            vec!["HSET", "{t}hash", &one, &score],
            vec!["ZADD", "{t}zset", &score, &one],
            vec!["RPUSH", "{t}list", &score],
        ]
        .map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let replies = client.pipeline(&batch).expect("replies");
        assert!(replies.iter().all(|reply| reply.int() >= Some(1)));
    }
    let mut twins = Vec::new();
    for key in ["{t}set", "{t}hash", "{t}zset", "{t}list"] {
        let dumped = client.call(&["DUMP", key]).expect("a reply");
        let Reply::Bulk(payload) = dumped else {
            panic!("{key}: {dumped}");
        };
        let twin = format!("{key}2");
        let words = [b"RESTORE", twin.as_bytes(), b"0", &payload];
        assert!(client.call(&words).expect("a reply").is_ok());
        twins.push((key.to_owned(), twin));
    }
    let all = ELEMENTS as i64;
    for (line, len) in [
        ("ZRANGESTORE {t}zset3 {t}zset 0 -1", all),
        ("ZUNIONSTORE {t}zset4 1 {t}zset", all),
        ("SORT {t}list ALPHA STORE {t}sorted", all),
        ("SUNIONSTORE {t}union {t}set {t}other", all + all / 2),
        ("SINTERSTORE {t}inter {t}set {t}other", all / 2),
        ("SDIFFSTORE {t}diff {t}union {t}other", all / 2),
    ] {
        assert_eq!(client.words(line), Reply::Int(len), "{line}");
    }
    twins.extend(["3", "4"].map(|n| ("{t}zset".to_owned(), format!("{{t}}zset{n}"))));
    let equal = |client: &mut Client, moment: &str| {
        for (key, twin) in &twins {
            let digests = client.words(&format!("DEBUG DIGEST-VALUE {key} {twin}"));
            let digests = digests.items().expect("an array").to_vec();
            assert_eq!(digests[0], digests[1], "{key} and {twin} {moment}");
        }
    };
    equal(&mut client, "as they were built");
    if server.is_basalt() {
        assert!(!client.words("TIER SPILL ALL").is_error());
        equal(&mut client, "on disk");
    }
    let scores = client.words("ZRANGE {t}zset4 0 -1");
    let members = scores.items().expect("an array");
    let (first, last) = (members[0].text(), members[members.len() - 1].text());
    assert_eq!(
        (&first[..], &last[..]),
        ("member:0", &member(ELEMENTS - 1)[..])
    );
    for (n, _) in named(0).step_by(3) {
        let one = member(n);
        for suffix in ["", "2"] {
            let batch = [
                format!("SREM {{t}}set{suffix} {one}"),
                format!("SADD {{t}}set{suffix} {one}:new"),
                format!("HDEL {{t}}hash{suffix} {one}"),
                format!("HSET {{t}}hash{suffix} {one}:new value"),
                format!("LSET {{t}}list{suffix} {n} new"),
                format!("LPUSH {{t}}list{suffix} {one}"),
            ]
            .map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
            let replies = client.pipeline(&batch).expect("replies");
            assert!(replies.iter().all(|reply| !reply.is_error()));
        }
        for suffix in ["", "2", "3", "4"] {
            let line = format!("ZADD {{t}}zset{suffix} {n}.5 {one} 3 {one}:new");
            assert_eq!(client.words(&line), Reply::Int(1), "{line}");
        }
    }
    equal(&mut client, "after they were changed");
}

/// The limit on the size of a string, made small by the directive that sets it.
#[test]
fn a_string_beyond_the_limit_is_refused() {
    let server = start(World::Hot, &[]).expect("every server has it");
    let mut client = server.client();
    let mut limit = 512 * MB;
    if !long_form() {
        limit = MB;
        let set = client.words("CONFIG SET proto-max-bulk-len 1mb");
        assert!(set.is_ok(), "{set}");
    }
    let too_long =
        Reply::Error(b"ERR string exceeds maximum allowed size (proto-max-bulk-len)".to_vec());
    let last = limit - 1;
    let full = client.words(&format!("SETRANGE k {last} x"));
    assert_eq!(full, Reply::Int(limit as i64));
    assert_eq!(client.words("APPEND k y"), too_long);
    assert_eq!(client.words(&format!("SETRANGE k {limit} y")), too_long);
    assert_eq!(client.words("STRLEN k"), Reply::Int(limit as i64));
    let end = client.words(&format!("GETRANGE k {} -1", limit - 2));
    assert_eq!(end, Reply::Bulk(b"\0x".to_vec()));
    let mut header = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$".to_vec();
    header.extend_from_slice(format!("{}\r\n", limit + 1).as_bytes());
    client.send_raw(&header).expect("the header is sent");
    let refused = client.read().expect("a reply");
    assert_eq!(refused.text(), "ERR Protocol error: invalid bulk length");
    assert!(
        client
            .closed_within(Duration::from_secs(5))
            .expect("no error")
    );
}

#[test]
fn a_hundred_thousand_selects() {
    let server = start(World::Hot, &[]).expect("every server has it");
    let mut client = server.client();
    let mut sent = 0_u64;
    for _ in 0..100 {
        let mut batch: Vec<Vec<Vec<u8>>> = Vec::new();
        for _ in 0..1000 {
            let db = sent % 16;
            batch.push(vec![b"SELECT".to_vec(), db.to_string().into_bytes()]);
            if sent.is_multiple_of(10) {
                batch.push(vec![b"INCR".to_vec(), format!("n{db}").into_bytes()]);
            }
            sent += 1;
        }
        let replies = client.pipeline(&batch).expect("replies");
        assert!(replies.iter().all(|r| !r.is_error()));
    }
    for db in 0..16 {
        client.words(&format!("SELECT {db}"));
        let count = client.words(&format!("GET n{db}"));
        match db % 2 {
            0 => assert_eq!(count.text(), "1250", "database {db}"),
            _ => assert_eq!(count, Reply::Nil, "database {db}"),
        }
    }
}

#[test]
fn a_pipeline_of_many_commands_is_answered_in_order() {
    let server = start(World::Hot, &[]).expect("every server has it");
    let mut client = server.client();
    let count = 20_000;
    let batch: Vec<Vec<String>> = (0..count)
        .map(|n| vec!["ECHO".to_owned(), n.to_string()])
        .collect();
    let replies = client.pipeline(&batch).expect("replies");
    let in_order = replies
        .iter()
        .enumerate()
        .all(|(n, r)| r.text() == n.to_string());
    assert!(in_order);
    let mut mset = vec!["MSET".to_owned()];
    mset.extend((0..count).flat_map(|n| [format!("k{n}"), n.to_string()]));
    assert!(client.call(&mset).expect("a reply").is_ok());
    assert_eq!(client.words("DBSIZE"), Reply::Int(count));
    let mut mget = vec!["MGET".to_owned()];
    mget.extend((0..count).map(|n| format!("k{n}")));
    let got = client.call(&mget).expect("a reply");
    let items = got.items().expect("an array");
    assert!(
        items
            .iter()
            .enumerate()
            .all(|(n, r)| r.text() == n.to_string())
    );
}

/// Pipelines on one key run in turns, which others must not wait for with anything that those need: the gate of exclusive
/// commands, locks, the key itself.
#[test]
fn pipelines_on_one_key_run_to_their_end_whatever_else_happens() {
    const CLIENTS: usize = 12;
    let server = start(World::Tiny, &["--workers", "4"]).expect("every server has it");
    let rounds = if long_form() { 5000 } else { 150 };
    let done = AtomicBool::new(false);
    let (port, done) = (server.port(), &done);
    let connect = move || Client::connect(port).expect("a connection");
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let client = move |seed: usize| {
        let mut client = connect();
        let (mut pushed, mut popped) = (0, 0);
        for round in seed..seed + rounds {
            let odd = match round % 8 {
                0 => vec!["MULTI", "INCRBY {k}n 0", "EXEC"],
                1 => vec!["BLPOP {k}none 0.001"],
                2 => vec!["SWAPDB 8 9"],
                3 => vec!["RENAME {k}list {k}list", "SORT {k}list ALPHA"],
                _ => vec!["LRANGE {k}list 0 -1"],
            };
            let twelve = ["INCR {k}n", "RPUSH {k}list x", "LPOP {k}list"]
                .into_iter()
                .cycle();
            let batch = twelve.take(12).chain(odd).map(words).collect::<Vec<_>>();
            for (reply, command) in client.pipeline(&batch).expect("replies").iter().zip(&batch) {
                match (&command[0][..], reply) {
                    ("INCR", Reply::Int(_)) => {}
                    ("RPUSH", Reply::Int(_)) => pushed += 1,
                    ("LPOP", Reply::Bulk(_)) => popped += 1,
                    ("LPOP", Reply::Nil) => {}
                    // The list may be empty just then.
                    ("RENAME", _) => {}
                    (name, reply) => assert!(!reply.is_error(), "{name}: {reply}"),
                }
            }
        }
        (pushed, popped)
    };
    let leavers = move || {
        let pipeline: Vec<u8> = (0..64).flat_map(|_| *b"INCR {k}other\r\n").collect();
        while !done.load(Relaxed) {
            let mut client = connect();
            client.send_raw(&pipeline).expect("sent");
            client.read().expect("a reply");
        }
    };
    let exclusive = move || {
        let mut client = connect();
        client.words("SELECT 9");
        while !done.load(Relaxed) {
            for line in ["SET {k}n 1", "FLUSHDB", "SWAPDB 8 9"] {
                assert!(client.words(line).is_ok(), "{line}");
            }
        }
    };
    let (pushed, popped) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|seed| scope.spawn(move || client(seed)))
            .collect();
        scope.spawn(leavers);
        scope.spawn(exclusive);
        let ended: Vec<_> = clients
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect();
        done.store(true, Relaxed);
        let counts = ended
            .into_iter()
            .map(|ended| ended.expect("a client that came to its end"));
        counts.fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    });
    let mut client = connect();
    assert_eq!(
        client.words("GET {k}n").text(),
        (CLIENTS * rounds * 4).to_string()
    );
    assert_eq!(client.words("LLEN {k}list"), Reply::Int(pushed - popped));
}

#[test]
fn idle_connections_are_cheap() {
    let wanted = if long_form() { 10_000 } else { 500 };
    let server = start(World::Hot, &["--maxclients", "20000"]).expect("every server has it");
    let mut client = server.client();
    client.words("PING");
    let before = server.resident_bytes();
    let mut idle = Vec::with_capacity(wanted);
    for n in 0..wanted {
        let mut connection = Client::connect(server.port()).unwrap_or_else(|e| {
            panic!("connection {n} of {wanted}: {e} (is `ulimit -n` large enough?)")
        });
        assert_eq!(connection.words("PING").text(), "PONG");
        idle.push(connection);
    }
    let per_connection = server.resident_bytes().saturating_sub(before) / wanted as u64;
    println!("{wanted} idle connections: {per_connection} bytes of resident memory each");
    assert!(
        per_connection < 40 * 1024,
        "{per_connection} bytes per idle connection"
    );
    let info = client.words("INFO clients").text();
    let counted = format!("connected_clients:{}\r\n", wanted + 1);
    assert!(info.contains(&counted), "{info}");
    for connection in &mut idle {
        assert_eq!(connection.words("PING").text(), "PONG");
    }
    drop(idle);
    let started = Instant::now();
    while !client
        .words("INFO clients")
        .text()
        .contains("connected_clients:1\r\n")
    {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "closed connections are noticed"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A client asks for 2 GB in one pipeline and reads nothing.
#[test]
fn a_client_that_never_reads_is_bounded() {
    let server = start(World::Hot, &[]).expect("every server has it");
    let mut client = server.client();
    let set = client.words("CONFIG SET client-output-buffer-limit normal_32mb_16mb_5");
    assert!(set.is_error(), "a malformed limit is refused: {set}");
    let limit = [
        "CONFIG",
        "SET",
        "client-output-buffer-limit",
        "normal 32mb 16mb 5",
    ];
    assert!(client.call(&limit).expect("a reply").is_ok());
    let value = noise(MB, 1);
    client
        .call(&[b"SET", &b"big"[..], &value])
        .expect("a reply");
    let before = server.resident_bytes();

    let mut deaf = server.client();
    let mut gets = Vec::new();
    (0..2000).for_each(|_| encode(&["GET", "big"], &mut gets));
    deaf.stream()
        .set_write_timeout(Some(Duration::from_millis(500)))
        .expect("a socket option");
    // The server may stop reading or close the connection before it has taken everything.
    let _ = deaf.stream().write_all(&gets);
    let mut largest = 0;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(3) {
        largest = largest.max(server.resident_bytes().saturating_sub(before));
        let asked = Instant::now();
        assert_eq!(client.words("PING").text(), "PONG");
        assert!(
            asked.elapsed() < Duration::from_secs(1),
            "others are served meanwhile"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    println!(
        "a client that never reads: {} MB more at most",
        largest / MB as u64
    );
    assert!(largest < 150 * MB as u64, "{largest} bytes for one client");
    // What does arrive is right, up to where the server gave up.
    let mut complete = 0;
    loop {
        match deaf.read() {
            Ok(Reply::Bulk(got)) => assert!(got == value, "reply {complete} differs"),
            Ok(other) => panic!("{other}"),
            Err(e) => {
                assert!(
                    matches!(
                        e.kind(),
                        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                    ),
                    "{e}"
                );
                break;
            }
        }
        complete += 1;
        if complete == 2000 {
            break;
        }
    }
    assert_eq!(client.words("PING").text(), "PONG");
}

/// `printf 'PING\r\n' | nc`: the reply is sent although the client has closed its half.
#[test]
fn a_half_closed_connection_gets_its_replies() {
    let server = start(World::Hot, &[]).expect("every server has it");
    let mut client = server.client();
    client.send_raw(b"SET k v\r\nGET k\r\n").expect("sent");
    client
        .stream()
        .shutdown(Shutdown::Write)
        .expect("half closed");
    assert_eq!(
        client.read_raw(12).expect("both replies"),
        b"+OK\r\n$1\r\nv\r\n"
    );
    assert!(
        client
            .closed_within(Duration::from_secs(5))
            .expect("no error")
    );
}

/// Connections that come and go, many of them in the middle of a command.
#[test]
fn connections_that_break_off_leave_nothing_behind() {
    let server = start(World::Hot, &[]).expect("every server has it");
    for n in 0..500 {
        let mut client = server.client();
        match n % 4 {
            0 => client
                .send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\nabc")
                .expect("sent"),
            1 => client.send_raw(b"MULTI\r\nSET k v\r\n").expect("sent"),
            2 => client.send_raw(b"GET k\r\nGET k\r\nGET").expect("sent"),
            _ => {}
        }
    }
    let mut client = server.client();
    assert_eq!(client.words("EXISTS k"), Reply::Int(0));
    let started = Instant::now();
    while !client
        .words("INFO clients")
        .text()
        .contains("connected_clients:1\r\n")
    {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "closed connections are noticed"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
