//! `basalt-bench` as a user runs it, against servers started here.
//!
//! Needs `redis-server`; without it these tests say so and pass.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A port nobody listens on, below the range the kernel gives to outgoing connections, another one for each test.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) as u32;
        let port = 8_000 + (std::process::id().wrapping_mul(61).wrapping_add(step) % 2_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A redis-server that ends with the test.
struct Redis {
    child: Child,
    port: u16,
    _dir: TempDir,
}

impl Redis {
    fn start() -> Option<Redis> {
        // A port that was free a moment ago may be another test's by now.
        const TRIES: usize = 5;
        for _ in 0..TRIES {
            let dir = TempDir::new().unwrap();
            let port = free_port();
            let spawned = Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                .args(["--port", &port.to_string()])
                .arg("--dir")
                .arg(dir.path())
                .stdout(Stdio::null())
                .spawn();
            let Ok(child) = spawned else {
                eprintln!("skipped: redis-server is not installed");
                return None;
            };
            let mut redis = Redis {
                child,
                port,
                _dir: dir,
            };
            if redis.answers() {
                return Some(redis);
            }
        }
        panic!("redis-server found no free port in {TRIES} tries");
    }

    /// Waits until it answers; false if it ended, since somebody else had the port.
    fn answers(&mut self) -> bool {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            let id = format!("process_id:{}\r\n", self.child.id());
            // Nobody may listen yet, or another test's server may, and go away as it is asked.
            if self.ask("INFO server").is_ok_and(|info| info.contains(&id)) {
                return true;
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "redis-server does not start"
            );
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Sends an inline command and returns the first bytes of the reply.
    fn call(&self, line: &str) -> String {
        self.ask(line).unwrap()
    }

    fn ask(&self, line: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        let mut reply = [0; 4096];
        let count = stream.read(&mut reply)?;
        Ok(String::from_utf8_lossy(&reply[..count])
            .trim_end()
            .to_owned())
    }

    fn bench(&self, flags: &str) -> Output {
        bench(&format!("run --json --port {} {flags}", self.port))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn bench(flags: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_basalt-bench"))
        .args(flags.split_whitespace())
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!(
            "{error} in:\n{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    })
}

#[test]
fn loads_runs_and_counts_what_happened() {
    let Some(redis) = Redis::start() else { return };
    let output = redis.bench(
        "--load --keys 20000 --clients 20 --threads 2 -P 4 --requests 30000 --value-bytes 0-300 --verify \
         --commands get@5,set@2,mget:7,exists:2 --dist zipf --split-hot 0.01",
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let phases = json(&output);
    let (load, run) = (&phases[0], &phases[1]);
    assert_eq!(
        (load["phase"].as_str(), load["ops"].as_u64()),
        (Some("load"), Some(20_000))
    );
    assert_eq!(redis.call("DBSIZE"), ":20000");
    assert_eq!(
        (run["ops"].as_u64(), run["errors"].as_u64()),
        (Some(30_000), Some(0))
    );
    assert_eq!(
        (run["misses"].as_u64(), run["wrong"].as_u64()),
        (Some(0), Some(0))
    );
    let counts: Vec<u64> = run["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 30_000);
    assert_eq!(run["checked"].as_u64().unwrap(), counts[0] + 7 * counts[2]);
    let (hot, rest) = (
        run["hot"]["count"].as_u64().unwrap(),
        run["rest"]["count"].as_u64().unwrap(),
    );
    assert!(
        hot + rest == 30_000 && hot > 10_000,
        "{hot} hot, {rest} others"
    );
    assert_eq!(
        run["server"]["pid"].as_u64(),
        Some(u64::from(redis.child.id()))
    );
    assert!(run["server"]["rss_after_bytes"].as_u64().unwrap() > 1 << 20);
    let latency = |name: &str| run["latency"][name].as_f64().unwrap();
    assert!(0.0 < latency("p50_us") && latency("p50_us") <= latency("p99_us"));
    assert!(latency("p99_us") <= latency("p99_9_us") && latency("p99_9_us") <= latency("max_us"));
}

#[test]
fn wrong_values_missing_keys_and_errors_are_found() {
    let Some(redis) = Redis::start() else { return };
    assert!(redis.bench("--load --keys 100").status.success());
    redis.call("SET key:000000000007 something-else");
    redis.call("DEL key:000000000008");
    let output = redis.bench("-t get --dist sequential --keys 100 --requests 200 --verify");
    assert!(!output.status.success());
    let run = &json(&output)[0];
    assert_eq!(
        (run["wrong"].as_u64(), run["misses"].as_u64()),
        (Some(2), Some(2))
    );
    assert!(
        run["wrong_examples"][0]
            .as_str()
            .unwrap()
            .contains("key number 7")
    );

    redis.call("DEL key:000000000009");
    redis.call("RPUSH key:000000000009 x");
    let output = redis.bench("-t get --dist sequential --keys 100 --requests 200");
    assert!(!output.status.success());
    let (text, count) = json(&output)[0]["error_texts"]
        .as_object()
        .unwrap()
        .clone()
        .into_iter()
        .next()
        .unwrap();
    assert!(
        text.starts_with("WRONGTYPE") && count.as_u64() == Some(2),
        "{text}"
    );
}

#[test]
fn an_open_loop_charges_a_stall_to_every_request_it_held_up() {
    let Some(redis) = Redis::start() else { return };
    let output = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(700));
            redis.call("CLIENT PAUSE 500");
        });
        redis.bench("--rate 1000 --seconds 2 --clients 5 -t get --series")
    });
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let run = &json(&output)[0];
    // A quarter of the requests waited, on average half the pause: the slowest tenth at least
    // 300 ms. On the wire were only five, far less than a tenth.
    let p90_us = run["latency"]["p90_us"].as_f64().unwrap();
    assert!(p90_us > 150_000.0, "p90 {p90_us} µs");
    assert_eq!(
        run["ops"].as_u64().unwrap() + run["unsent"].as_u64().unwrap(),
        2000
    );
    assert!(run["series"].as_array().unwrap().len() >= 2);
}

#[test]
fn mistakes_get_one_clear_line() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for (flags, message) in [
        (format!("run --port {free}"), "Connection refused"),
        (
            "run --value-bytes 9tb".to_owned(),
            "'tb' is not b, kb, mb or gb",
        ),
        ("run --commands fly".to_owned(), "unknown command 'fly'"),
        (
            "compare --only nobody".to_owned(),
            "no built-in server 'nobody'",
        ),
        ("compare --only none".to_owned(), "no server to measure"),
        (
            "compare --only none --server x=/nonexistent/x".to_owned(),
            "cannot start /nonexistent/x",
        ),
    ] {
        let output = bench(&flags);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && complaint.contains(message),
            "{flags}: {complaint}"
        );
    }
}

#[test]
fn compare_alternates_and_prints_ratios() {
    let Some(_redis) = Redis::start() else { return };
    let output = Command::new(env!("CARGO_BIN_EXE_basalt-bench"))
        .args([
            "compare",
            "--json",
            "--only",
            "redis-memory,redis-aof",
            "--baseline",
            "redis-memory",
        ])
        .args([
            "--rounds",
            "2",
            "--seconds",
            "0.2",
            "--keys",
            "1000",
            "--clients",
            "5",
        ])
        .args([
            "--workload",
            "get-16",
            "--workload",
            "z: --dist zipf --ratio 9:1 --verify",
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found = json(&output);
    for workload in found["workloads"].as_array().unwrap() {
        let results = workload["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        assert!(
            results
                .iter()
                .all(|result| result["rounds"].as_array().unwrap().len() == 2)
        );
        assert!(results[0]["ratio"].is_null());
        assert!(results[1]["ratio"]["ops_per_s"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn compare_ends_its_servers_when_interrupted() {
    let Some(_redis) = Redis::start() else { return };
    let dir = TempDir::new().unwrap();
    let pid_file = dir.path().join("pid");
    let line = format!(
        "own=sh -c 'echo $$ > {}; exec redis-server --save \"\" --bind 127.0.0.1 --port {{port}} --dir {{dir}}'",
        pid_file.display()
    );
    let mut compare = Command::new(env!("CARGO_BIN_EXE_basalt-bench"))
        .args([
            "compare",
            "--only",
            "none",
            "--server",
            &line,
            "--keys",
            "100",
            "--seconds",
            "60",
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(2500));
    let pid = fs::read_to_string(pid_file).unwrap();
    let process = format!("/proc/{}", pid.trim());
    assert!(Path::new(&process).exists());
    // SAFETY: a signal to a child that was not waited for yet.
    let sent = unsafe { libc::kill(compare.id() as libc::pid_t, libc::SIGINT) };
    assert_eq!(sent, 0);
    assert!(!compare.wait().unwrap().success());
    assert!(!Path::new(&process).exists(), "the server is still there");
}
