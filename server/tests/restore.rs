//! DUMP here, RESTORE there, with a redis-server as the other side: every type in every encoding, and payloads that
//! somebody has spoilt. The peer is Redis 7.0, or what `BASALT_PEER` names.

mod support;

use support::client::Client;
use support::resp::Reply;
use support::server::{Binary, Server};
use support::world::World;

const VERSION_OR_CHECKSUM: &str = "ERR DUMP payload version or checksum are wrong";
const BAD_FORMAT: &str = "ERR Bad data format";

type Command = Vec<Vec<u8>>;

/// A value by the commands that make it (`k` is its key), and, before them, settings of the peer that give it another
/// encoding.
struct Case {
    name: &'static str,
    settings: &'static [&'static str],
    commands: Vec<Command>,
}

fn words(line: &str) -> Command {
    line.split_whitespace().map(|word| word.into()).collect()
}

/// A command on `k` with `count` portions of arguments.
fn many(name: &str, count: usize, mut portion: impl FnMut(usize) -> Command) -> Vec<Command> {
    let mut command = vec![name.into(), b"k".to_vec()];
    command.extend((0..count).flat_map(&mut portion));
    vec![command]
}

/// Text that does not repeat.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

fn text(n: usize) -> Vec<u8> {
    format!("element {n}").into_bytes()
}

#[rustfmt::skip] // A table.
fn cases() -> Vec<Case> {
    let case = |name, commands| Case { name, settings: &[], commands };
    let with = |name, settings, commands| Case { name, settings, commands };
    let set = |value: &[u8]| vec![vec![b"SET".to_vec(), b"k".to_vec(), value.to_vec()]];
    vec![
        case("string int", set(b"12345")),
        case("string int8", set(b"-7")),
        case("string int32", set(b"2147483647")),
        case("string long", set(b"-9223372036854775808")),
        case("string empty", set(b"")),
        case("string embstr", set(b"short \0\xff\r\n")),
        case("string raw", set(&noise(100, 1))),
        case("string compressed", set(&b"abcabcabd".repeat(500))),
        case("string of 20 KB", set(&noise(20_000, 2))),
        case("list listpack", many("RPUSH", 9, |n| vec![match n {
            0 => Vec::new(), 1 => noise(60, 3), 2 => noise(300, 4), n => (n * n * n * 977).to_string().into_bytes(),
        }])),
        case("list of integers", many("RPUSH", 11, |n| vec![
            [0i64, 127, -1, 4095, -4096, 32767, -32768, 8_388_607, 2_147_483_647, i64::MAX, i64::MIN][n].to_string().into_bytes(),
        ])),
        case("list quicklist", many("RPUSH", 2000, |n| vec![text(n)])),
        case("list of large elements", many("LPUSH", 5, |n| vec![noise(9000, n as u64)])),
        with("list compressed", &["list-compress-depth 1", "list-max-listpack-size 16"],
            many("RPUSH", 200, |n| vec![text(n % 3).repeat(9)])),
        case("set intset16", many("SADD", 20, |n| vec![(n * 7).to_string().into()])),
        case("set intset32", many("SADD", 20, |n| vec![(n * 70_000).to_string().into()])),
        case("set intset64", many("SADD", 20, |n| vec![(n as i64 * -7_000_000_000).to_string().into()])),
        case("set small", many("SADD", 20, |n| vec![text(n)])),
        case("set hashtable", many("SADD", 1000, |n| vec![text(n)])),
        case("hash listpack", many("HSET", 20, |n| vec![text(n), n.to_string().into()])),
        case("hash hashtable", many("HSET", 1000, |n| vec![text(n), text(n * 3)])),
        case("hash with a long value", many("HSET", 2, |n| vec![text(n), noise(5000, n as u64)])),
        case("zset listpack", many("ZADD", 10, |n| vec![
            ["-inf", "inf", "0", "1.5", "-3", "3.3", "1e300", "5e-324", "100000", "0.1"][n].into(), text(n),
        ])),
        case("zset skiplist", many("ZADD", 500, |n| vec![format!("{}.25", n % 50).into(), text(n)])),
        case("zset skiplist with infinities", [
            many("ZADD", 200, |n| vec![n.to_string().into(), noise(70, n as u64)]),
            many("ZADD", 2, |n| vec![["inf", "-inf"][n].into(), text(n)]),
        ].concat()),
        case("HyperLogLog sparse", many("PFADD", 50, |n| vec![text(n)])),
        case("HyperLogLog dense", many("PFADD", 20_000, |n| vec![text(n)])),
        case("stream without groups", stream_entries()),
        case("stream", stream()),
        with("stream of small nodes", &["stream-node-max-entries 5"], stream()),
    ]
}

fn stream_entries() -> Vec<Command> {
    let add = |n: usize| match n % 3 {
        0 => words(&format!("XADD k {n}-1 field {n}")),
        1 => words(&format!("XADD k {n}-7 other x field {n}")),
        _ => words(&format!("XADD k {n}-9 field {}", "v".repeat(n))),
    };
    let mut commands: Vec<Command> = (1..40).map(add).collect();
    commands.push(words("XDEL k 7-7 39-1"));
    commands
}

fn stream() -> Vec<Command> {
    let mut commands = stream_entries();
    commands.extend(
        [
            "XGROUP CREATE k none 0",
            "XGROUP CREATE k group 0",
            "XREADGROUP GROUP group alice COUNT 5 STREAMS k >",
            "XREADGROUP GROUP group bob COUNT 3 STREAMS k >",
            "XACK k group 2-9",
            "XGROUP CREATECONSUMER k group idle",
        ]
        .map(words),
    );
    commands
}

/// Bit by bit: RDB's CRC64 (Jones).
fn crc64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u64::from(*byte), |crc, _| {
            (crc >> 1)
                ^ if crc & 1 == 1 {
                    0x95AC_9329_AC4B_C9B5
                } else {
                    0
                }
        })
    })
}

/// A payload with this body (type and value) and a checksum that is right.
fn sealed(body: &[u8], version: u16) -> Vec<u8> {
    let mut payload = [body, &version.to_le_bytes()].concat();
    payload.extend(crc64(&payload).to_le_bytes());
    payload
}

fn body(payload: &[u8]) -> &[u8] {
    &payload[..payload.len() - 10]
}

fn do_all(client: &mut Client, commands: &[Command]) {
    for command in commands {
        let reply = client.call(command).expect("connected");
        assert!(
            !reply.is_error(),
            "{}: {reply}",
            String::from_utf8_lossy(&command[0])
        );
    }
}

fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    let reply = client.words(&format!("DUMP {key}"));
    reply
        .bytes()
        .unwrap_or_else(|| panic!("DUMP {key}: {reply}"))
        .to_vec()
}

fn restore(client: &mut Client, key: &str, payload: &[u8], more: &[&str]) -> Reply {
    let mut command: Vec<&[u8]> = vec![b"RESTORE", key.as_bytes(), b"0", payload];
    command.extend(more.iter().map(|word| word.as_bytes()));
    client.call(&command).expect("connected")
}

fn digest(client: &mut Client, key: &str) -> String {
    client
        .words(&format!("DEBUG DIGEST-VALUE {key}"))
        .to_string()
}

/// Ours and the peer; none without a redis-server.
fn both() -> Option<(Server, Server)> {
    let Some(peer) = Binary::peer() else {
        assert!(std::env::var_os("CI").is_none(), "redis-server is needed");
        eprintln!("skipped: no redis-server to compare with");
        return None;
    };
    let ours = Server::start(World::Hot, &[]).expect("every server has it");
    let args = ["--save", "", "--enable-debug-command", "yes"];
    Some((ours, Server::start_binary(peer, &args)))
}

fn knows(client: &mut Client, command: &Command) -> bool {
    let name = String::from_utf8_lossy(&command[0]).into_owned();
    let reply = client.words(&format!("COMMAND INFO {name}"));
    matches!(reply.items(), Some([Reply::Array(_)]))
}

#[test]
fn what_redis_dumps_is_restored_and_dumped_again() {
    let Some((ours, theirs)) = both() else { return };
    let (mut ours, mut theirs) = (ours.client(), theirs.client());
    let is_7_0 = theirs
        .words("INFO server")
        .text()
        .contains("redis_version:7.0");
    for Case {
        name,
        settings,
        commands,
    } in cases()
    {
        if !commands.iter().all(|command| knows(&mut ours, command)) {
            eprintln!("{name}: not known here");
            continue;
        }
        ours.words("FLUSHALL");
        theirs.words("FLUSHALL");
        for setting in settings {
            assert!(
                theirs.words(&format!("CONFIG SET {setting}")).is_ok(),
                "{setting}"
            );
        }
        do_all(&mut theirs, &commands);
        let payload = dump(&mut theirs, "k");
        let reply = restore(&mut ours, "k", &payload, &[]);
        assert!(reply.is_ok(), "{name}: {reply}");
        // Redis 8.2 has other digests of scores.
        let comparable = is_7_0 || !name.starts_with("zset");
        if comparable {
            let digests = (digest(&mut ours, "k"), digest(&mut theirs, "k"));
            assert_eq!(digests.0, digests.1, "{name}: from the peer");
        }
        let back = dump(&mut ours, "k");
        let reply = restore(&mut theirs, "back", &back, &[]);
        assert!(reply.is_ok(), "{name}, back: {reply}");
        assert_eq!(
            digest(&mut theirs, "back"),
            digest(&mut theirs, "k"),
            "{name}: back"
        );
        // And what was made here by the same commands.
        do_all(&mut ours, &[words("DEL k")]);
        do_all(&mut ours, &commands);
        let own = dump(&mut ours, "k");
        let reply = restore(&mut theirs, "own", &own, &[]);
        assert!(reply.is_ok(), "{name}, our own: {reply}");
        if comparable {
            let digests = (digest(&mut ours, "k"), digest(&mut theirs, "own"));
            assert_eq!(digests.0, digests.1, "{name}: our own");
        }
        for setting in settings {
            let name = setting.split(' ').next().unwrap_or_default();
            let default = match name {
                "list-compress-depth" => "0",
                "list-max-listpack-size" => "-2",
                _ => "100",
            };
            theirs.words(&format!("CONFIG SET {name} {default}"));
        }
    }
}

/// A listpack of short strings.
fn listpack(elements: &[&str]) -> Vec<u8> {
    let mut entries = Vec::new();
    for element in elements {
        entries.push(0x80 | element.len() as u8);
        entries.extend(element.as_bytes());
        entries.push(element.len() as u8 + 1);
    }
    let total = (entries.len() + 7) as u32;
    let mut bytes = total.to_le_bytes().to_vec();
    bytes.extend((elements.len() as u16).to_le_bytes());
    bytes.extend(entries);
    bytes.push(0xff);
    bytes
}

/// Sets in the form that Redis has since 7.2, which 7.0 does not know.
fn set_of_8_2() -> Vec<u8> {
    const SET_LISTPACK: u8 = 20;
    let packed = listpack(&["a", "b", "element"]);
    let mut body = vec![SET_LISTPACK, packed.len() as u8];
    body.extend(packed);
    sealed(&body, 12)
}

#[test]
fn what_redis_8_2_dumps_is_restored() {
    let ours = Server::start(World::Hot, &[]).expect("every server has it");
    let mut ours = ours.client();
    assert!(restore(&mut ours, "s", &set_of_8_2(), &[]).is_ok());
    assert_eq!(ours.words("TYPE s").text(), "set");
    let members = ours.words("SMISMEMBER s a b element c");
    assert_eq!(members.to_string(), "[1, 1, 1, 0]");
    let text = sealed(b"\x00\x05hello", 12);
    assert!(restore(&mut ours, "t", &text, &[]).is_ok());
}

/// Payloads of every type, small enough to try each of their bytes.
fn small_payloads(theirs: &mut Client) -> Vec<(String, Vec<u8>)> {
    let set = |n: usize| match n {
        0 => words("SET k 12345"),
        1 => words("SET k hello"),
        2 => vec![b"SET".to_vec(), b"k".to_vec(), b"abcabcabd".repeat(30)],
        3 => words("RPUSH k a 12 -5000 100000 bc"),
        4 => words("SADD k 1 2 300"),
        5 => words("SADD k a b c"),
        6 => words("HSET k f v g 1"),
        7 => words("ZADD k 1 a 2.5 b inf c"),
        _ => words("PFADD k a b c"),
    };
    let mut payloads = vec![("set of 8.2".to_owned(), set_of_8_2())];
    for command in (0..9).map(set) {
        theirs.words("DEL k");
        do_all(theirs, std::slice::from_ref(&command));
        let name = String::from_utf8_lossy(&command[..2].concat()).into_owned();
        payloads.push((name, dump(theirs, "k")));
    }
    for (name, setting, command) in [
        ("hash", "hash-max-listpack-entries", "HSET k f v g 1"),
        (
            "zset",
            "zset-max-listpack-entries",
            "ZADD k 1 a 2.5 b inf c",
        ),
    ] {
        theirs.words("DEL k");
        theirs.words(&format!("CONFIG SET {setting} 1"));
        do_all(theirs, &[words(command)]);
        payloads.push((format!("{name} table"), dump(theirs, "k")));
        theirs.words(&format!("CONFIG SET {setting} 128"));
    }
    theirs.words("DEL k");
    do_all(theirs, &stream()[..3]);
    do_all(
        theirs,
        &["XGROUP CREATE k g 0", "XREADGROUP GROUP g c STREAMS k >"].map(words),
    );
    payloads.push(("stream".into(), dump(theirs, "k")));
    payloads
}

/// A payload that may be wrong is refused, or makes a value that can be read; nothing else changes.
fn try_spoilt(ours: &mut Client, what: &str, payload: &[u8]) -> bool {
    let reply = restore(ours, "x", payload, &[]);
    if reply.is_ok() {
        let again = dump(ours, "x");
        assert!(!digest(ours, "x").is_empty());
        let reply = restore(ours, "y", &again, &[]);
        assert!(reply.is_ok(), "{what}: its own dump: {reply}");
        assert_eq!(digest(ours, "x"), digest(ours, "y"), "{what}");
        do_all(ours, &[words("DEL x y")]);
        return true;
    }
    assert_eq!(reply.text(), BAD_FORMAT, "{what}");
    assert_eq!(
        restore(ours, "kept", payload, &["REPLACE"]).text(),
        BAD_FORMAT,
        "{what}"
    );
    assert_eq!(ours.words("GET kept").text(), "value", "{what}");
    assert_eq!(ours.words("DBSIZE").int(), Some(1), "{what}");
    false
}

#[test]
fn spoilt_payloads_are_refused() {
    let Some((ours, theirs)) = both() else { return };
    let (mut ours, mut theirs) = (ours.client(), theirs.client());
    ours.words("SET kept value");
    for (name, good) in small_payloads(&mut theirs) {
        let (body, mut refused, mut valid) = (body(&good), 0, 0);
        for at in 0..body.len() {
            for mask in [0x01, 0x80, 0xff, 0x10, 0x07] {
                let mut spoilt = body.to_vec();
                spoilt[at] ^= mask;
                let what = format!("{name}, byte {at} ^ {mask:#x}");
                match try_spoilt(&mut ours, &what, &sealed(&spoilt, 10)) {
                    true => valid += 1,
                    false => refused += 1,
                }
            }
        }
        for len in 0..body.len() {
            let what = format!("{name}, {len} of {} bytes", body.len());
            try_spoilt(&mut ours, &what, &sealed(&body[..len], 10));
        }
        println!("{name}: {refused} refused, {valid} valid");
        assert!(refused > 0, "{name}");
    }
}

#[test]
fn wrong_checksums_and_newer_versions_are_refused() {
    let Some((ours, theirs)) = both() else { return };
    let (mut ours, mut theirs) = (ours.client(), theirs.client());
    ours.words("SET kept value");
    for (name, good) in small_payloads(&mut theirs) {
        let mut spoilt: Vec<Vec<u8>> = vec![
            sealed(body(&good), 13),
            sealed(body(&good), u16::MAX),
            good[..9.min(good.len())].to_vec(),
            Vec::new(),
        ];
        spoilt.extend((0..good.len()).map(|at| {
            let mut payload = good.clone();
            payload[at] ^= 0x20;
            payload
        }));
        spoilt.extend((1..good.len()).map(|len| good[..len].to_vec()));
        for payload in spoilt {
            for (key, more) in [("x", &[][..]), ("kept", &["REPLACE"][..])] {
                let reply = restore(&mut ours, key, &payload, more);
                assert_eq!(reply.text(), VERSION_OR_CHECKSUM, "{name}: {payload:02x?}");
            }
        }
        assert_eq!(ours.words("GET kept").text(), "value");
        assert_eq!(ours.words("DBSIZE").int(), Some(1));
    }
}
