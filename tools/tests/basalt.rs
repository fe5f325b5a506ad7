//! `basalt` as a user runs it: on the files of logs and cold tiers made here, and against a stand-in for a server.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;

use basalt_binlog::{Binlog, DiskDoor, Flags, Frame, Options};
use basalt_resp::encode_command;
use basalt_tiering::{
    DeleteReason, Expiry, Kind, Offset, PinSet, Policy, Slot, Store, StoreLimits, StoreOptions,
    UnixMs,
};
use serde_json::Value;
use tempfile::TempDir;

fn basalt(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_basalt"));
    command.args(args).env_remove("REDISCLI_AUTH");
    command.output().expect("the program is there")
}

fn stdout(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    text
}

fn command(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_command(&mut bytes, args);
    bytes
}

/// A data directory with a log of a few frames.
fn data_dir() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    let mut options = Options::new(dir.path().join("binlog"));
    options.background = false;
    options.segment_bytes = 8 << 10;
    let (log, _) = Binlog::open(options, Arc::new(DiskDoor)).expect("a new log");
    let set = command(&[b"SET", b"key one", b"\xff\n"]);
    log.append(&Frame::data(1_700_000_000_000, 5, 0), &[&set])
        .expect("it is taken");
    let mut group = Frame::data(1_700_000_000_500, 7, 3);
    group.effects = 2;
    group.flags = Flags::GROUP;
    let parts = [
        command(&[b"MULTI"]),
        command(&[b"DEL", b"a"]),
        command(&[b"DEL", b"b"]),
        command(&[b"EXEC"]),
    ];
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    log.append(&group, &parts).expect("it is taken");
    for _ in 0..40 {
        let big = command(&[b"SET", b"big", &[b'x'; 1000]]);
        log.append(&Frame::data(1_700_000_001_000, 9, 3), &[&big])
            .expect("it is taken");
    }
    log.sync_now().expect("the disk is fine");
    log.seal_full_segments().expect("the disk is fine");
    log.close().expect("the disk is fine");
    dir
}

fn path(dir: &TempDir) -> &str {
    dir.path().to_str().expect("it is UTF-8")
}

#[test]
fn frames_are_dumped_as_commands() {
    let dir = data_dir();
    let text = stdout(&basalt(&["binlog", "dump", path(&dir)]));
    let mut lines = text.lines();
    let first = lines.next().expect("a frame");
    assert!(
        first.starts_with("# 0..") && first.ends_with("2023-11-14T22:13:20.000Z  db 0, slot 5"),
        "{first}"
    );
    // The log selects the database it does not know to be selected.
    let commands: Vec<_> = lines.filter(|line| !line.starts_with('#')).collect();
    let wanted = [
        "SELECT 0",
        "SET \"key one\" \"\\xff\\n\"",
        "SELECT 3",
        "MULTI",
        "DEL a",
        "DEL b",
        "EXEC",
    ];
    assert_eq!(commands[..7], wanted);
    assert_eq!(commands.len(), 47);

    let json = stdout(&basalt(&["binlog", "dump", path(&dir), "--json"]));
    let frames: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(frames.len(), 42);
    assert_eq!(frames[0]["commands"][1][2]["hex"], "ff0a");
    assert_eq!(frames[1]["flags"][0], "group");
    assert!(
        frames
            .windows(2)
            .all(|pair| pair[0]["end"] == pair[1]["start"])
    );

    let (from, to) = (
        frames[1]["start"].to_string(),
        frames[3]["start"].to_string(),
    );
    let part = stdout(&basalt(&[
        "binlog",
        "dump",
        path(&dir),
        "--json",
        "--from",
        &from,
        "--to",
        &to,
    ]));
    assert_eq!(
        part,
        json.lines()
            .skip(1)
            .take(2)
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    );
}

#[test]
fn a_log_is_described_and_verified_even_while_it_is_in_use() {
    let dir = data_dir();
    let options = Options::new(dir.path().join("binlog"));
    let (log, _) = Binlog::open(options, Arc::new(DiskDoor)).expect("the log opens");
    let info: Value =
        serde_json::from_str(&stdout(&basalt(&["binlog", "info", path(&dir), "--json"])))
            .expect("JSON");
    let segments = info["segments"].as_array().expect("segments");
    assert!(segments.len() > 3 && segments[0]["sealed"] == true);
    assert!(stdout(&basalt(&["binlog", "info", path(&dir)])).contains("being written"));
    let log_dir = dir.path().join("binlog");
    for place in [path(&dir), log_dir.to_str().expect("it is UTF-8")] {
        let found: Value =
            serde_json::from_str(&stdout(&basalt(&["binlog", "verify", place, "--json"])))
                .expect("JSON");
        assert_eq!(found["frames"], 42);
        assert_eq!(found["end_offset"], log.end().0);
        assert_eq!(found["torn_bytes"], 0);
    }
    assert!(stdout(&basalt(&["binlog", "verify", path(&dir)])).ends_with("no damage\n"));
}

fn first_segment(dir: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(dir.join("binlog")).expect("a log");
    let files = files.map(|file| file.expect("a file").path());
    files
        .filter(|path| path.extension().is_some_and(|kind| kind == "zlog"))
        .min()
        .expect("a sealed segment")
}

#[test]
fn damage_and_mistakes_are_named() {
    let dir = data_dir();
    let segment = first_segment(dir.path());
    let mut bytes = fs::read(&segment).expect("a file");
    bytes[520] ^= 1;
    fs::write(&segment, bytes).expect("it can be written");
    let fails = |args: &[&str], wanted: &str| {
        let output = basalt(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(
            said.starts_with("basalt: ") && said.contains(wanted),
            "{said}"
        );
    };
    fails(&["binlog", "verify", path(&dir)], "damaged at offset 0");
    let whole = data_dir();
    fails(
        &["binlog", "dump", path(&whole), "--from", "999999999"],
        "beyond the end",
    );
    let empty = TempDir::new().expect("a directory");
    fails(&["binlog", "info", path(&empty)], "there is no log");
    fails(&["binlog", "info", "/nowhere/at/all"], "/nowhere/at/all");
    fails(&["info", "--port", "1"], "cannot connect to 127.0.0.1:1");
}

/// Answers one client: each reply once a command has come. Returns what was sent.
fn stand_in(replies: &'static [&'static str]) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
        let mut all = String::new();
        for reply in replies {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a command");
            let count: usize = line.trim()[1..].parse().expect("a count");
            for _ in 0..count {
                let mut header = String::new();
                reader.read_line(&mut header).expect("a length");
                let len: usize = header.trim()[1..].parse().expect("a length");
                let mut word = vec![0; len + 2];
                reader.read_exact(&mut word).expect("a word");
                all.push_str(String::from_utf8_lossy(&word[..len]).as_ref());
                all.push(' ');
            }
            (&stream).write_all(reply.as_bytes()).expect("a client");
        }
        all
    });
    (port.to_string(), served)
}

#[test]
fn a_server_is_asked() {
    let (port, served) = stand_in(&[
        "+OK\r\n",
        "*4\r\n$3\r\nhot\r\n:3\r\n$4\r\ncold\r\n$1\r\n5\r\n",
    ]);
    let text = stdout(&basalt(&["tier", "stats", "--port", &port, "-a", "secret"]));
    assert_eq!(text, "hot: 3\ncold: 5\n");
    assert_eq!(served.join().expect("it served"), "AUTH secret TIER STATS ");

    let (port, served) = stand_in(&["$20\r\n# Server\r\na:b\r\nc:d\r\n\r\n"]);
    assert_eq!(
        stdout(&basalt(&["info", "-p", &port, "server"])),
        "# Server\na:b\nc:d\n"
    );
    assert_eq!(served.join().expect("it served"), "INFO server ");

    let (port, served) = stand_in(&[":2\r\n"]);
    assert_eq!(
        stdout(&basalt(&["tier", "spill", "-p", &port, "k", "l"])),
        "2\n"
    );
    assert_eq!(served.join().expect("it served"), "TIER SPILL k l ");

    let (port, served) = stand_in(&["-ERR no such thing\r\n"]);
    let output = basalt(&["tier", "compact", "-p", &port]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the server says: ERR no such thing"));
    served.join().expect("it served");
}

/// A host that logs nothing.
struct Nobody;

impl basalt_tiering::Host for Nobody {
    fn log_end(&self) -> Offset {
        Offset(500)
    }
    fn sync_log(&self, _upto: Offset) -> Result<(), String> {
        Ok(())
    }
    fn log_deletes(&self, _: u32, _: Slot, _: &[&[u8]], _: DeleteReason) {}
    fn deleted(&self, _: u32, _: &[u8]) {}
    fn log_field_deletes(&self, _: u32, _: Slot, _: &[u8], _: &[Vec<u8>]) {}
    fn is_master(&self) -> bool {
        true
    }
    fn with_gate(&self, work: &mut dyn FnMut()) {
        work();
    }
    fn persisted(&self, _replay: Offset) {}
}

/// A cold tier with a key in each of two databases, one with an expiry, and the store that has it open.
fn cold_store(dir: &Path) -> Store {
    let limits = StoreLimits {
        maxmemory: 0,
        maxdisk: 0,
        policy: Policy::NoEviction,
        samples: 5,
        lfu_log_factor: 10,
        lfu_decay_minutes: 1,
        checkpoint_interval_ms: 3_600_000,
        replay_limit_bytes: 1 << 40,
        active_expire: false,
        expire_percent: 25,
        warmup: false,
        warmup_rate: 1,
    };
    let options = StoreOptions {
        cold_dir: dir.join("cold"),
        databases: 16,
        tiering: true,
        durable: true,
        readers: 1,
        limits,
    };
    let (store, _) = Store::open(options).expect("a new store");
    store.attach(Arc::new(Nobody));
    store.start();
    let pins = PinSet::default();
    for (db, expiry) in [
        (0, Expiry::Never),
        (3, Expiry::At(UnixMs(4_102_444_800_000))),
    ] {
        let key = store.key(db, b"k0");
        let mut tx = store.begin(&[key.slot], UnixMs::now(), &pins);
        tx.set(&key, Kind::String, b"cold \xff", expiry);
    }
    store.spill_all().expect("the disk is fine");
    store.checkpoint().expect("the disk is fine");
    store
}

#[test]
fn the_cold_tier_is_described_and_read_even_while_it_is_in_use() {
    let dir = TempDir::new().expect("a directory");
    let store = cold_store(dir.path());
    let text = stdout(&basalt(&["cold", "stats", path(&dir)]));
    assert!(
        text.starts_with("replay offset   500\ndb0             1 records\n"),
        "{text}"
    );
    let found = stdout(&basalt(&["cold", "stats", path(&dir), "--json"]));
    let found: Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!(found["records"]["db3"], 1);
    assert!(found["disk_bytes"].as_u64() > Some(0));
    let text = stdout(&basalt(&["cold", "get", path(&dir), "k0", "--db", "3"]));
    assert!(
        text.contains("expires  2100-01-01T00:00:00.000Z\n"),
        "{text}"
    );
    assert!(text.ends_with("payload  \"cold \\xff\"\n"), "{text}");
    let record = stdout(&basalt(&["cold", "get", path(&dir), "k0", "--json"]));
    let record: Value = serde_json::from_str(&record).expect("JSON");
    assert_eq!(record["payload"]["hex"], "636f6c6420ff");
    for (args, wanted) in [
        (["cold", "get", path(&dir), "absent"], "no record"),
        (
            ["cold", "stats", "/nowhere", "--json"],
            "there is no cold tier in /nowhere",
        ),
    ] {
        let output = basalt(&args);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(wanted),
            "{output:?}"
        );
    }
    drop(store);
}

#[test]
fn point_reads_are_measured() {
    let dir = TempDir::new().expect("a directory");
    let store = cold_store(dir.path());
    // One of these two keys exists.
    let keys = ["--key-prefix", "k", "--key-digits", "0", "-r", "2"];
    let mut args = vec!["cold", "bench", path(&dir), "--seconds", "0.1", "--json"];
    args.extend(keys);
    let found: Value = serde_json::from_str(&stdout(&basalt(&args))).expect("JSON");
    let (reads, hits) = (found["reads"].as_u64(), found["found"].as_u64());
    assert!(hits > Some(0) && hits < reads, "{found}");
    assert!(found["reads_per_s"].as_f64() > Some(0.0), "{found}");
    let output = basalt(&["cold", "bench", path(&dir), "--seconds", "0.1"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("none of these keys is in the cold tier"),
        "{text}"
    );
    drop(store);
}

#[test]
fn surveys_say_how_large_the_sample_was() {
    let row = "*14\r\n$3\r\nkey\r\n$2\r\nk \r\n$2\r\ndb\r\n:3\r\n$4\r\ntype\r\n$4\r\nhash\r\n$4\r\ntier\r\n$3\r\nhot\r\n\
        $3\r\nlfu\r\n:77\r\n$5\r\nbytes\r\n:4096\r\n$8\r\nelements\r\n:12\r\n";
    let reply = |sampled: u64| {
        format!(
            "*6\r\n$7\r\nsampled\r\n:{sampled}\r\n$5\r\ntotal\r\n:2000\r\n$4\r\nkeys\r\n*1\r\n{row}"
        )
    };
    let (port, served) = stand_in(vec![&*reply(100).leak()].leak());
    let text = stdout(&basalt(&[
        "tier", "bigkeys", "-p", &port, "--count", "1", "--type", "hash",
    ]));
    assert!(
        text.starts_with("a sample: 100 of 2000 keys were looked at (5.0 %)\n"),
        "{text}"
    );
    assert!(
        text.ends_with("   3         4096         12  77 hot  hash      \"k \"\n"),
        "{text}"
    );
    assert_eq!(
        served.join().expect("it served"),
        "TIER BIGKEYS COUNT 1 TYPE hash "
    );
    let (port, served) = stand_in(vec![&*reply(2000).leak()].leak());
    let text = stdout(&basalt(&["tier", "hotkeys", "-p", &port, "--sample", "9"]));
    assert!(
        text.starts_with("all 2000 keys in memory were looked at\n"),
        "{text}"
    );
    assert_eq!(
        served.join().expect("it served"),
        "TIER HOTKEYS COUNT 10 SAMPLE 9 "
    );
    let (port, _) = stand_in(vec![&*reply(100).leak()].leak());
    let text = stdout(&basalt(&["tier", "hotkeys", "-p", &port, "--json"]));
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["sampled"], 100);
    assert_eq!(found["keys"][0]["key"], "k ");
    assert_eq!(found["keys"][0]["elements"], 12);
}
