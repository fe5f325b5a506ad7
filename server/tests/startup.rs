//! Starting and ending: configuration files, directives that are wrong, signals, SHUTDOWN.

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use support::resp::Reply;
use support::server::{Binary, Server, free_port};
use support::world::World;

fn start_with_file(config: &str) -> Server {
    let binary = Binary::under_test();
    let world = binary
        .world_args(World::Restart)
        .expect("every server has it");
    Server::start_with_file(binary.clone(), config, world)
}

#[test]
fn a_configuration_file_is_read() {
    let server = start_with_file(
        "# a comment\n\
         \n\
         maxmemory-policy allkeys-lfu\n\
         LFU-Log-Factor 7\n\
         requirepass \"with space\"\n\
         slowlog-max-len 11\n",
    );
    let mut client = server.client();
    assert_eq!(
        client.words("PING").text(),
        "NOAUTH Authentication required."
    );
    assert!(
        client
            .call(&["AUTH", "with space"])
            .expect("a reply")
            .is_ok()
    );
    for (name, value) in [
        ("maxmemory-policy", "allkeys-lfu"),
        ("lfu-log-factor", "7"),
        ("slowlog-max-len", "11"),
    ] {
        let got = client.words(&format!("CONFIG GET {name}"));
        assert_eq!(got.items().expect("an array")[1].text(), value, "{name}");
    }
}

/// What a user of Redis has at hand: its own configuration file.
#[test]
fn the_configuration_file_of_redis_is_accepted() {
    let own_file = Path::new("/etc/redis/redis.conf");
    let listed = "protected-mode yes\n\
         tcp-backlog 511\n\
         tcp-keepalive 300\n\
         daemonize no\n\
         loglevel notice\n\
         databases 16\n\
         always-show-logo no\n\
         set-proc-title yes\n\
         save 3600 1 300 100 60 10000\n\
         stop-writes-on-bgsave-error yes\n\
         rdbcompression yes\n\
         rdbchecksum yes\n\
         dbfilename dump.rdb\n\
         replica-serve-stale-data yes\n\
         repl-diskless-sync yes\n\
         acllog-max-len 128\n\
         lazyfree-lazy-eviction no\n\
         oom-score-adj no\n\
         disable-thp yes\n\
         appendonly no\n\
         appendfilename \"appendonly.aof\"\n\
         appendfsync everysec\n\
         no-appendfsync-on-rewrite no\n\
         auto-aof-rewrite-percentage 100\n\
         auto-aof-rewrite-min-size 64mb\n\
         aof-load-truncated yes\n\
         aof-use-rdb-preamble yes\n\
         slowlog-log-slower-than 10000\n\
         latency-monitor-threshold 0\n\
         notify-keyspace-events \"\"\n\
         hash-max-listpack-entries 512\n\
         list-max-listpack-size -2\n\
         set-max-intset-entries 512\n\
         zset-max-listpack-entries 128\n\
         hll-sparse-max-bytes 3000\n\
         stream-node-max-bytes 4096\n\
         activerehashing yes\n\
         client-output-buffer-limit normal 0 0 0\n\
         client-output-buffer-limit replica 256mb 64mb 60\n\
         client-output-buffer-limit pubsub 32mb 8mb 60\n\
         hz 10\n\
         dynamic-hz yes\n\
         jemalloc-bg-thread yes\n";
    let mut files = vec![listed.to_owned()];
    if let Ok(text) = std::fs::read_to_string(own_file) {
        // A test keeps to its own directory and stays in the foreground.
        let kept = text.lines().filter(|l| {
            ![
                "daemonize",
                "pidfile",
                "supervised",
                "logfile",
                "dir ",
                "bind",
            ]
            .iter()
            .any(|d| l.starts_with(d))
        });
        files.push(kept.collect::<Vec<_>>().join("\n"));
    }
    for file in &files {
        let server = start_with_file(file);
        let mut client = server.client();
        assert!(client.words("SET k v").is_ok());
        let databases = client.words("CONFIG GET databases");
        assert_eq!(databases.items().expect("an array")[1].text(), "16");
    }
}

#[test]
fn rewrite_keeps_comments_and_changed_values() {
    let mut server = start_with_file("# first line\nslowlog-max-len 50\n# last line\n");
    let mut client = server.client();
    assert!(
        client
            .words("CONFIG SET slowlog-max-len 60 lfu-log-factor 3")
            .is_ok()
    );
    assert!(client.words("CONFIG REWRITE").is_ok());
    let file = server.config_file();
    let lines: Vec<&str> = file.lines().collect();
    assert!(
        lines.contains(&"# first line") && lines.contains(&"# last line"),
        "{file}"
    );
    assert!(lines.contains(&"slowlog-max-len 60"), "{file}");
    assert!(!lines.contains(&"slowlog-max-len 50"), "{file}");
    assert!(lines.contains(&"lfu-log-factor 3"), "{file}");
    server.crash();
    let mut client = server.client();
    let got = client.words("CONFIG GET lfu-log-factor");
    assert_eq!(got.items().expect("an array")[1].text(), "3");
}

#[test]
fn a_wrong_directive_is_named() {
    let binary = Binary::under_test();
    for (config, word) in [
        ("nosuchdirective 1\n", "nosuchdirective"),
        ("maxmemory lots\n", "maxmemory"),
        ("appendfsync sometimes\n", "appendfsync"),
        ("requirepass \"open\n", "requirepass"),
        ("hz\n", "hz"),
    ] {
        let said = Server::start_refused(&binary, config, free_port(), &[]);
        assert!(said.contains(word), "{config:?}: {said}");
    }
    let said = Server::start_refused(&binary, "", free_port(), &["--nosuchdirective", "1"]);
    assert!(said.contains("nosuchdirective"), "{said}");
}

#[test]
fn a_port_in_use_is_refused() {
    let server = start_with_file("");
    let said = Server::start_refused(&Binary::under_test(), "", server.port(), &[]);
    assert!(said.contains("in use"), "{said}");
    assert_eq!(server.client().words("PING").text(), "PONG");
}

/// As after `kill -9`: the port of a process that is about to be gone.
#[test]
fn a_port_that_is_free_in_a_moment_is_waited_for() {
    if !Binary::under_test().is_basalt() {
        return;
    }
    let mut server = start_with_file("");
    server.kill();
    let predecessor = TcpListener::bind(("127.0.0.1", server.port())).expect("it is free");
    let held = thread::spawn(move || {
        thread::sleep(Duration::from_millis(600));
        drop(predecessor);
    });
    server.start_again();
    held.join().expect("it only sleeps");
}

#[test]
fn a_directory_in_use_is_refused() {
    let binary = Binary::under_test();
    if !binary.is_basalt() {
        eprintln!("skipped: a peer does not lock its directory");
        return;
    }
    let server = start_with_file("");
    let dir = server.dir().to_string_lossy().into_owned();
    let said = Server::start_refused(&binary, "", free_port(), &["--dir", &dir]);
    assert!(said.contains(&dir), "the directory is named: {said}");
    assert!(server.client().words("SET k v").is_ok());
}

#[test]
fn sigterm_ends_in_order_and_keeps_the_data() {
    let mut server = start_with_file("");
    let mut client = server.client();
    for n in 0..1000 {
        client.words(&format!("SET k{n} {n}"));
    }
    assert!(server.terminate(), "the server ends with success");
    assert!(client.read().is_err(), "its connections are closed");
    server.start_again();
    let mut client = server.client();
    assert_eq!(client.words("DBSIZE"), Reply::Int(1000));
    assert_eq!(client.words("GET k999").text(), "999");
}

#[test]
fn shutdown_ends_in_order_and_keeps_the_data() {
    let mut server = start_with_file("");
    for (n, command) in ["SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN SAVE NOW FORCE"]
        .iter()
        .enumerate()
    {
        let mut client = server.client();
        client.words(&format!("SET k{n} {n}"));
        let words: Vec<&str> = command.split_whitespace().collect();
        client.send(&words).expect("sent");
        assert!(server.wait_exit(), "{command} ends with success");
        assert!(client.read().is_err(), "no reply to {command}");
        server.start_again();
        let count = server.client().words("DBSIZE");
        assert_eq!(count, Reply::Int(n as i64 + 1), "after {command}");
    }
}

#[test]
fn renamed_commands_go_by_their_new_names_alone() {
    let mut server = start_with_file(
        "rename-command FLUSHALL \"\"\n\
         rename-command append tail\n\
         rename-command SET put\n",
    );
    let mut client = server.client();
    for gone in ["FLUSHALL", "APPEND k x", "SET k x"] {
        let said = client.words(gone).text();
        assert!(said.starts_with("ERR unknown command"), "{gone}: {said}");
    }
    assert!(client.words("PUT k a").is_ok());
    assert_eq!(client.words("TAIL k b"), Reply::Int(2));
    assert_eq!(
        client.words("TAIL k").text(),
        "ERR wrong number of arguments for 'append' command"
    );
    // The log is read by the commands' own names.
    server.crash();
    assert_eq!(server.client().words("GET k").text(), "ab");
}

#[test]
fn a_wrong_rename_is_refused() {
    for (config, word) in [
        ("rename-command nosuch x\n", "nosuch"),
        ("rename-command get set\n", "set"),
    ] {
        let said = Server::start_refused(&Binary::under_test(), config, free_port(), &[]);
        assert!(said.contains(word), "{config:?}: {said}");
    }
}

#[test]
fn the_pid_file_is_there_while_the_server_runs() {
    let dir = start_with_file("").dir().to_owned();
    std::fs::create_dir_all(&dir).expect("created");
    let path = dir.join("server.pid");
    let mut server = start_with_file(&format!("pidfile {}\n", path.display()));
    let pid = std::fs::read_to_string(&path).expect("written");
    assert_eq!(pid.trim(), server.pid().to_string());
    assert!(server.terminate());
    assert!(!path.exists(), "it is removed at the end");
    std::fs::remove_dir_all(&dir).expect("removed");
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the test directory is writable");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is there");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a plain file");
    }
}

/// The newest segment of the log, and where its last byte lies that is not zero.
fn end_of_log(dir: &Path) -> (PathBuf, usize) {
    let segments = fs::read_dir(dir).expect("it is there");
    let newest = segments
        .map(|entry| entry.expect("it is there").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
        .max();
    let newest = newest.expect("a log has a segment");
    let bytes = fs::read(&newest).expect("it is there");
    let last = bytes.iter().rposition(|byte| *byte != 0);
    (newest, last.expect("it has a header") + 1)
}

/// One frame for all of it: whatever a power cut leaves of the frame, a start finds all or nothing of the
/// transaction.
#[test]
fn a_transaction_over_whole_databases_is_recovered_whole_or_not_at_all() {
    if !Binary::under_test().is_basalt() {
        return;
    }
    let mut server = start_with_file("appendfsync no");
    let mut client = server.client();
    for line in [
        "SET a 1",
        "SET gone soon PX 1",
        "SELECT 1",
        "SET b 2",
        "SET gone 1",
        "SELECT 0",
    ] {
        assert!(client.words(line).is_ok(), "{line}");
    }
    thread::sleep(Duration::from_millis(10));
    // What the cold tier knows of the transaction has its frame on disk before: that one is never cut.
    let (log, saved) = (server.dir().join("binlog"), server.dir().join("saved"));
    client.send(&["SHUTDOWN", "NOSAVE"]).expect("it is taken");
    server.wait_exit();
    copy_dir(&server.dir().join("cold"), &saved.join("cold"));
    server.start_again();
    let mut client = server.client();
    let frames = |client: &mut support::client::Client| {
        let info = client.words("INFO binlog").text();
        let line = info.lines().find(|l| l.starts_with("binlog_appends:"));
        let line = line.expect("a log has appends").to_owned();
        line["binlog_appends:".len()..]
            .trim()
            .parse::<u64>()
            .expect("a number")
    };
    let (before, count) = (client.words("DEBUG DIGEST"), frames(&mut client));
    for line in [
        "MULTI",
        "SET x 1",
        "SWAPDB 0 1",
        "GET gone",
        "SWAPDB 0 1",
        "GET gone",
        "FLUSHDB",
        "SET y 2",
        "SELECT 1",
        "INCR gone",
        "SWAPDB 0 1",
        "SET z 3",
    ] {
        client.words(line);
    }
    let replies = client.words("EXEC");
    assert_eq!(replies.items().map(<[_]>::len), Some(11), "{replies:?}");
    let after = client.words("DEBUG DIGEST");
    assert_ne!(before, after);
    assert_eq!(frames(&mut client), count + 1, "one frame");
    client.send(&["SHUTDOWN", "NOSAVE"]).expect("it is taken");
    server.wait_exit();

    // The ring would give back what is cut off.
    copy_dir(&log, &saved.join("binlog"));
    for cut in [0, 1, 7, 16, 40, 90, 140, 200] {
        for part in ["binlog", "cold"] {
            fs::remove_dir_all(server.dir().join(part)).expect("it is there");
            copy_dir(&saved.join(part), &server.dir().join(part));
        }
        fs::remove_file(log.join("ring")).expect("a log has a ring");
        let (segment, end) = end_of_log(&log);
        let mut bytes = fs::read(&segment).expect("it is there");
        bytes[end - cut..].fill(0);
        fs::write(&segment, bytes).expect("the test directory is writable");
        for again in 0..2 {
            server.start_again();
            let digest = server.client().words("DEBUG DIGEST");
            let expected = if cut == 0 { &after } else { &before };
            assert_eq!(&digest, expected, "{cut} bytes cut, start {again}");
            if again == 0 {
                // Some of it reaches the cold tier, the rest is replayed once more.
                server.client().words("TIER SPILL a y z");
            }
            server.kill();
        }
    }
}
