//! The RDB codec beside a real redis-server: it restores what we dump, and we read what it dumps, for every type and
//! encoding. `BASALT_PEER` names another redis-server than the one in the path; without any the test says so and
//! passes.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use basalt_replication::rdb::{
    HashField, PendingEntry, RdbError, RdbValue, StreamConsumer, StreamEntry, StreamGroup,
    StreamId, StreamValue, Writer, crc64, dump, restore,
};
use basalt_resp::{ReplyDecoder, Value, encode_command, format_f64};

/// A redis-server on a socket file of its own.
struct Redis {
    process: Child,
    dir: PathBuf,
    socket: UnixStream,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Redis {
    fn start(test: &str) -> Option<Redis> {
        let dir = std::env::temp_dir().join(format!("basalt-rdb-{}-{test}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let binary = std::env::var_os("BASALT_PEER").unwrap_or_else(|| "redis-server".into());
        let spawned = Command::new(binary)
            .args(["--port", "0", "--unixsocket", "socket", "--save", ""])
            .args(["--logfile", "log", "--sanitize-dump-payload", "yes"])
            .current_dir(&dir)
            .stdout(Stdio::null())
            .spawn();
        let Ok(mut process) = spawned else {
            assert!(std::env::var_os("CI").is_none(), "redis-server is needed");
            eprintln!("skipped: redis-server is not installed");
            return None;
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        let socket = loop {
            if let Ok(socket) = UnixStream::connect(dir.join("socket")) {
                break socket;
            }
            assert!(process.try_wait().unwrap().is_none(), "redis-server ended");
            assert!(Instant::now() < deadline, "redis-server does not start");
            std::thread::sleep(Duration::from_millis(20));
        };
        let timeout = Some(Duration::from_secs(20));
        socket.set_read_timeout(timeout).unwrap();
        Some(Redis {
            process,
            dir,
            socket,
        })
    }

    fn call(&mut self, args: &[&[u8]]) -> Value {
        let mut request = Vec::new();
        encode_command(&mut request, args);
        self.socket.write_all(&request).unwrap();
        let (mut decoder, mut received) = (ReplyDecoder::new(), Vec::new());
        loop {
            if let Some((value, _)) = decoder.decode(&received).unwrap() {
                return value;
            }
            let mut chunk = [0; 65536];
            let count = self.socket.read(&mut chunk).expect("a reply");
            assert!(count > 0, "redis-server closed the connection");
            received.extend_from_slice(&chunk[..count]);
        }
    }

    fn words(&mut self, line: &str) -> Value {
        let words: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
        self.call(&words)
    }

    fn has_field_expiry(&mut self) -> bool {
        self.words("HPTTL none FIELDS 1 f").error().is_none()
    }

    fn restore(&mut self, payload: &[u8]) -> Value {
        self.call(&[b"RESTORE", b"k", b"0", payload, b"REPLACE"])
    }

    fn dump(&mut self) -> Vec<u8> {
        self.words("DUMP k").bytes().expect("a payload").to_vec()
    }

    /// What the key holds, as commands tell it.
    fn content(&mut self, value: &RdbValue) -> Vec<Vec<u8>> {
        let reply = self.words(match value {
            RdbValue::String(_) => "GET k",
            RdbValue::List(_) => "LRANGE k 0 -1",
            RdbValue::Set(_) => "SMEMBERS k",
            RdbValue::SortedSet(_) => "ZRANGE k 0 -1 WITHSCORES",
            RdbValue::Hash(_) => "HGETALL k",
            RdbValue::Stream(_) => "XRANGE k - +",
        });
        let mut flat = Vec::new();
        flatten(&reply, &mut flat);
        flat
    }
}

fn flatten(reply: &Value, flat: &mut Vec<Vec<u8>>) {
    match reply.items() {
        Some(items) => items.iter().for_each(|item| flatten(item, flat)),
        None => flat.push(reply.bytes().unwrap_or(b"?").to_vec()),
    }
}

/// The same, from the value.
fn content(value: &RdbValue) -> Vec<Vec<u8>> {
    let mut flat = Vec::new();
    match value {
        RdbValue::String(bytes) => flat.push(bytes.clone()),
        RdbValue::List(elements) | RdbValue::Set(elements) => flat.clone_from(elements),
        RdbValue::SortedSet(members) => {
            for (member, score) in members {
                flat.extend([member.clone(), format_f64(*score).into_bytes()]);
            }
        }
        RdbValue::Hash(fields) => {
            for field in fields {
                flat.extend([field.field.clone(), field.value.clone()]);
            }
        }
        RdbValue::Stream(stream) => {
            for entry in &stream.entries {
                flat.push(format!("{}-{}", entry.id.ms, entry.id.seq).into_bytes());
                for (name, value) in &entry.fields {
                    flat.extend([name.clone(), value.clone()]);
                }
            }
        }
    }
    flat
}

/// Without the order that a type does not keep.
fn normal(mut value: RdbValue) -> RdbValue {
    match &mut value {
        RdbValue::Set(members) => members.sort(),
        RdbValue::SortedSet(members) => members.sort_by(|a, b| a.0.cmp(&b.0)),
        RdbValue::Hash(fields) => fields.sort_by(|a, b| a.field.cmp(&b.field)),
        _ => {}
    }
    value
}

fn texts(count: usize, text: impl Fn(usize) -> String) -> Vec<Vec<u8>> {
    (0..count).map(|n| text(n).into_bytes()).collect()
}

/// Bytes without a pattern.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

fn field(name: &[u8], value: &[u8], expiry_ms: Option<u64>) -> HashField {
    HashField {
        field: name.to_vec(),
        value: value.to_vec(),
        expiry_ms,
    }
}

fn mixed() -> Vec<Vec<u8>> {
    let mut mixed = texts(4, |n| format!("element {n}"));
    for number in [
        0i64,
        1,
        12,
        127,
        128,
        -1,
        4095,
        -4096,
        4096,
        32_767,
        -32_768,
        32_768,
        8_388_607,
        -8_388_608,
        8_388_608,
        i64::from(i32::MAX),
        i64::from(i32::MIN),
        1 << 31,
        i64::MAX,
        i64::MIN,
    ] {
        mixed.push(number.to_string().into_bytes());
    }
    for len in [0, 1, 63, 64, 126, 127, 128, 300, 4095, 4096, 5000, 16_400] {
        mixed.push(noise(len));
    }
    mixed
}

fn values() -> Vec<RdbValue> {
    let string = |bytes: &[u8]| RdbValue::String(bytes.to_vec());
    let mut values = vec![
        string(b""),
        string(b"hello"),
        string(&b"abc".repeat(50_000)),
        string(&noise(70_000)),
    ];
    values.extend(mixed().into_iter().map(RdbValue::String));
    values.extend([
        RdbValue::List(texts(3, |n| n.to_string())),
        RdbValue::List(mixed()),
        RdbValue::List([mixed(), mixed(), mixed()].concat()),
        RdbValue::List(texts(5000, |n| format!("element {n}"))),
        RdbValue::Set(texts(5, |n| n.to_string())),
        RdbValue::Set(texts(300, |n| (n * 1000).to_string())),
        RdbValue::Set(texts(100, |n| (n as i64 - (1 << 40)).to_string())),
        RdbValue::Set(texts(600, |n| n.to_string())),
        RdbValue::Set(texts(20, |n| format!("member {n}"))),
        RdbValue::Set(texts(1000, |n| format!("member {n}"))),
        RdbValue::Set(mixed()),
    ]);
    values.extend([sorted_set(10), sorted_set(1000)]);
    let fields = |count, len| {
        let all = texts(count, |n| format!("field {n}"));
        RdbValue::Hash(
            all.iter()
                .map(|name| field(name, &noise(len), None))
                .collect(),
        )
    };
    values.extend([
        fields(1, 1),
        fields(100, 10),
        fields(1000, 10),
        fields(3, 1000),
    ]);
    values.extend([stream(0), stream(1), stream(1000)]);
    values
}

fn sorted_set(count: usize) -> RdbValue {
    let mut members: Vec<(Vec<u8>, f64)> = texts(count, |n| format!("member {n:04}"))
        .into_iter()
        .zip((0..count).map(|n| n as f64 / 8.0))
        .collect();
    members.insert(0, (b"least".to_vec(), f64::NEG_INFINITY));
    members.insert(1, (b"17".to_vec(), -1.5));
    members.push((b"much".to_vec(), 123_456_789.25));
    members.push((b"most".to_vec(), f64::INFINITY));
    RdbValue::SortedSet(members)
}

fn stream(count: u64) -> RdbValue {
    let id = |ms, seq| StreamId { ms, seq };
    let entry = |n: u64| {
        let name = if n.is_multiple_of(7) { "other" } else { "name" };
        StreamEntry {
            id: id(1_700_000_000_000 + n / 3, n % 3 + 1),
            fields: vec![
                (name.into(), format!("value {n}").into_bytes()),
                (b"n".to_vec(), n.to_string().into_bytes()),
            ],
        }
    };
    let entries: Vec<_> = (0..count).map(entry).collect();
    let pending = |nth: usize| PendingEntry {
        id: entries[nth].id,
        consumer: nth % 2,
        delivered_ms: 1_700_000_000_000 + nth as u64,
        deliveries: nth as u64 + 1,
    };
    let pending: Vec<_> = (0..entries.len().min(20)).map(pending).collect();
    let consumer = |name: &str| StreamConsumer {
        name: name.into(),
        seen_ms: 1_700_000_000_123,
        active_ms: None,
    };
    RdbValue::Stream(StreamValue {
        last_id: id(1_800_000_000_000, 0),
        first_id: entries.first().map_or_else(StreamId::default, |e| e.id),
        max_deleted_id: id(1_600_000_000_000, 5),
        entries_added: count + 10,
        groups: vec![
            StreamGroup {
                name: b"group".to_vec(),
                last_id: entries.last().map_or_else(StreamId::default, |e| e.id),
                entries_read: Some(count),
                consumers: vec![consumer("a"), consumer("b")],
                pending,
            },
            StreamGroup {
                name: b"idle".to_vec(),
                ..StreamGroup::default()
            },
        ],
        entries,
    })
}

/// Redis since 7.2 tells more about consumers than was written.
fn without_active_times(mut value: RdbValue) -> RdbValue {
    if let RdbValue::Stream(stream) = &mut value {
        let consumers = stream.groups.iter_mut().flat_map(|g| &mut g.consumers);
        consumers.for_each(|consumer| consumer.active_ms = None);
    }
    value
}

fn exchange(redis: &mut Redis, value: RdbValue) {
    let value = normal(value);
    let what = format!("{:.100}", format!("{value:?}"));
    assert_eq!(
        redis.restore(&dump(&value)),
        Value::Simple(b"OK".to_vec()),
        "{what}"
    );
    let (mut theirs, mut ours) = (redis.content(&value), content(&value));
    theirs.sort();
    ours.sort();
    assert!(theirs == ours, "redis-server read something else: {what}");
    let back = restore(&redis.dump()).map(|value| without_active_times(normal(value)));
    assert!(back.as_ref() == Ok(&value), "read back: {what}");
}

#[test]
fn values_go_to_redis_and_come_back() {
    let Some(mut redis) = Redis::start("exchange") else {
        return;
    };
    for value in values() {
        exchange(&mut redis, value);
    }
    if redis.has_field_expiry() {
        let far = 33_177_117_420_000;
        let expiring = |count| {
            let all = texts(count, |n| format!("field {n}"));
            let expiry = |n: usize| (!n.is_multiple_of(3)).then_some(far + n as u64);
            let fields = all.iter().enumerate();
            RdbValue::Hash(
                fields
                    .map(|(n, name)| field(name, b"v", expiry(n)))
                    .collect(),
            )
        };
        exchange(&mut redis, expiring(5));
        exchange(&mut redis, expiring(1000));
    }
}

#[test]
fn collections_made_by_commands_are_read() {
    let Some(mut redis) = Redis::start("commands") else {
        return;
    };
    for line in [
        "RPUSH k a b 1 2 -5",
        "SADD k 1 2 3",
        "SADD k a b 3",
        "HSET k f v g 1",
        "ZADD k 1 a 2.5 b inf c -0 d",
        "PFADD k a b c",
        "SETBIT k 1000 1",
        "XADD k 5-1 f v",
    ] {
        redis.words("DEL k");
        assert_eq!(redis.words(line).error(), None, "{line}");
        let value = restore(&redis.dump()).unwrap_or_else(|error| panic!("{line}: {error}"));
        let (mut theirs, mut ours) = (redis.content(&value), content(&value));
        theirs.sort();
        ours.sort();
        assert_eq!(theirs, ours, "{line}");
    }
}

/// A stream as months of use leave it: entries deleted, trimmed, claimed.
#[test]
fn a_used_stream_is_read() {
    let Some(mut redis) = Redis::start("stream") else {
        return;
    };
    for n in 1..=250 {
        redis.words(&format!("XADD k {n}-1 name value{n}"));
    }
    for line in [
        "XDEL k 3-1 7-1 250-1",
        "XTRIM k MINID = 2-0",
        "XGROUP CREATE k g 0",
        "XREADGROUP GROUP g alice COUNT 10 STREAMS k >",
        "XREADGROUP GROUP g bob COUNT 5 STREAMS k >",
        "XACK k g 2-1 4-1",
        "XCLAIM k g bob 0 5-1",
    ] {
        assert_eq!(redis.words(line).error(), None, "{line}");
    }
    let Ok(RdbValue::Stream(stream)) = restore(&redis.dump()) else {
        panic!("no stream")
    };
    let id = |ms, seq| StreamId { ms, seq };
    assert_eq!(stream.entries.len(), 246);
    assert_eq!((stream.first_id, stream.last_id), (id(2, 1), id(250, 1)));
    assert_eq!(
        (stream.max_deleted_id, stream.entries_added),
        (id(250, 1), 250)
    );
    let [group] = &stream.groups[..] else {
        panic!("one group")
    };
    assert_eq!(group.pending.len(), 13);
    let claimed = group.pending.iter().find(|pending| pending.id == id(5, 1));
    assert!(
        claimed.is_some_and(|p| group.consumers[p.consumer].name == b"bob" && p.deliveries == 2)
    );
    exchange(&mut redis, without_active_times(RdbValue::Stream(stream)));
}

/// A ziplist, as versions before 7.0 wrote small collections.
fn ziplist(entries: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    let (mut before, mut last) = (0u8, 10);
    for entry in entries {
        last = 10 + body.len();
        let start = body.len();
        body.push(before);
        match entry.parse::<i64>() {
            Ok(number @ 0..=12) => body.push(0xf1 + number as u8),
            Ok(number @ -128..=127) => body.extend([0xfe, number as u8]),
            Ok(number @ -32_768..=32_767) => {
                body.push(0xc0);
                body.extend((number as i16).to_le_bytes());
            }
            Ok(number @ -8_388_608..=8_388_607) => {
                body.push(0xf0);
                body.extend(&number.to_le_bytes()[..3]);
            }
            Ok(number) => {
                body.push(0xe0);
                body.extend(number.to_le_bytes());
            }
            Err(_) if entry.len() < 64 => {
                body.push(entry.len() as u8);
                body.extend(entry.as_bytes());
            }
            Err(_) => {
                body.extend([0x40 | (entry.len() >> 8) as u8, entry.len() as u8]);
                body.extend(entry.as_bytes());
            }
        }
        before = u8::try_from(body.len() - start).unwrap();
    }
    let mut all = Vec::new();
    all.extend((body.len() as u32 + 11).to_le_bytes());
    all.extend((last as u32).to_le_bytes());
    all.extend((entries.len() as u16).to_le_bytes());
    all.extend(body);
    all.push(0xff);
    all
}

#[test]
fn forms_of_older_versions_are_read() {
    let Some(mut redis) = Redis::start("older") else {
        return;
    };
    let long = "x".repeat(100);
    let words = [
        "a",
        "1",
        &long,
        "200",
        "-200",
        "70000",
        "b",
        "9999999999999",
        "-3",
        "12",
    ];
    let mut cases: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut add = |code, build: &dyn Fn(&mut Writer<'_>)| {
        let mut body = Vec::new();
        build(&mut Writer::new(&mut body));
        cases.push((code, body));
    };
    add(1, &|w| {
        w.number(2);
        w.string(b"a");
        w.string(b"12");
    });
    add(10, &|w| w.string(&ziplist(&words)));
    add(14, &|w| {
        w.number(2);
        w.string(&ziplist(&words));
        w.string(&ziplist(&["c"]));
    });
    add(13, &|w| w.string(&ziplist(&words)));
    add(12, &|w| {
        w.string(&ziplist(&["a", "1", "b", "1.5", "c", "inf"]))
    });
    add(9, &|w| w.string(b"\x02\x01a\x01\x00v\x02bb\x02\x01ww \xff"));
    cases.push((3, b"\x03\x01a\x031.5\x01b\xfe\x01c\xff".to_vec()));
    for (code, body) in cases {
        let mut payload = [&[code][..], &body, b"\x06\x00"].concat();
        payload.extend(crc64(&payload).to_le_bytes());
        let ours = restore(&payload).unwrap_or_else(|error| panic!("form {code}: {error}"));
        assert_eq!(
            redis.restore(&payload),
            Value::Simple(b"OK".to_vec()),
            "form {code}"
        );
        let theirs = restore(&redis.dump()).map(normal);
        assert_eq!(theirs, Ok(normal(ours)), "form {code}");
    }
}

#[test]
fn what_redis_refuses_is_refused() {
    let payload = dump(&RdbValue::String(b"value".to_vec()));
    assert_eq!(restore(&payload[..9]), Err(RdbError::VersionOrChecksum));
    assert_eq!(restore(b""), Err(RdbError::VersionOrChecksum));
    let Some(mut redis) = Redis::start("refused") else {
        return;
    };
    for wrong in [&payload[..9], b"", b"\x00\x05hello"] {
        assert!(redis.restore(wrong).error().is_some());
    }
}
