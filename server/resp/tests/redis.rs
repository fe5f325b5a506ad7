//! Compares this crate with a real redis-server over raw sockets: how requests are split and
//! refused, and how floats are read, added and printed. Without redis-server on the machine the
//! tests say so and pass.

use std::cell::RefCell;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use basalt_resp::{
    ArgRanges, Args, Decoder, Limits, LongDouble, ReplyDecoder, Value, encode_command, parse_f64,
    parse_i64,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A redis-server of the test's own. It listens on a socket file alone: a port that was free a moment ago
/// can be taken by another test's connections.
struct Redis {
    process: Child,
    dir: PathBuf,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("redis-server's log:\n{}", self.log());
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Redis {
    fn start(test: &str) -> Option<Redis> {
        let dir = std::env::temp_dir().join(format!("basalt-resp-{}-{test}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let spawned = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "socket", "--save", ""])
            .args(["--logfile", "log", "--dir", "."])
            .current_dir(&dir)
            .stdout(Stdio::null())
            .spawn();
        let Ok(process) = spawned else {
            eprintln!("redis-server is not installed: nothing to compare with");
            return None;
        };
        let mut redis = Redis { process, dir };
        let deadline = Instant::now() + Duration::from_secs(10);
        while UnixStream::connect(redis.socket()).is_err() {
            let ended = redis.process.try_wait().unwrap();
            assert!(ended.is_none(), "redis-server ended: {ended:?}");
            assert!(Instant::now() < deadline, "redis-server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(redis)
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("socket")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn connect(&self) -> Connection {
        let socket = UnixStream::connect(self.socket()).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Connection {
            socket,
            decoder: ReplyDecoder::new(),
            received: Vec::new(),
        }
    }
}

struct Connection {
    socket: UnixStream,
    decoder: ReplyDecoder,
    received: Vec<u8>,
}

impl Connection {
    /// The next reply, or `None` when the server has closed the connection.
    fn reply(&mut self) -> Option<Value> {
        loop {
            if let Some((value, used)) = self.decoder.decode(&self.received).unwrap() {
                self.received.drain(..used);
                return Some(value);
            }
            let mut chunk = [0; 65536];
            match self.socket.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.received.extend_from_slice(&chunk[..read]),
            }
        }
    }

    fn call(&mut self, args: &[&str]) -> Value {
        let mut request = Vec::new();
        encode_command(&mut request, args);
        self.socket.write_all(&request).unwrap();
        self.reply().expect("a reply")
    }
}

/// What a server that only knows ECHO and PING answers, judged by our decoder; ends with the reply
/// to a protocol error, if there is one.
fn our_answers(stream: &[u8]) -> Vec<Value> {
    let (mut decoder, mut ranges, limits) = (Decoder::new(), ArgRanges::new(), Limits::default());
    let (mut answers, mut rest) = (Vec::new(), stream);
    loop {
        match decoder.decode(rest, &limits, &mut ranges) {
            Ok(None) => return answers,
            Ok(Some(used)) => {
                let args: Vec<_> = Args::new(&rest[..used], &ranges)
                    .iter()
                    .map(<[u8]>::to_vec)
                    .collect();
                match args.as_slice() {
                    [] => {}
                    [name, arg] if name.eq_ignore_ascii_case(b"echo") => {
                        answers.push(Value::Bulk(arg.clone()))
                    }
                    // Any other request gets some error, whose text is not this crate's.
                    _ => answers.push(Value::Error(Vec::new())),
                }
                rest = &rest[used..];
            }
            Err(error) => {
                let mut reply = Vec::new();
                error.write_reply(&mut reply);
                answers.push(ReplyDecoder::new().decode(&reply).unwrap().unwrap().0);
                return answers;
            }
        }
    }
}

fn blur(value: Value) -> Value {
    match value {
        Value::Error(text) if !text.starts_with(b"ERR Protocol error") => Value::Error(Vec::new()),
        other => other,
    }
}

#[test]
fn requests_are_split_and_refused_alike() {
    let Some(redis) = Redis::start("requests") else {
        return;
    };
    // No byte 0, which Redis takes for the end of its buffer when it looks for the end of a line.
    let fixed = prop::sample::select(vec![
        "\r\n",
        "\r\n",
        "\r\n",
        "ECHO ",
        "ECHO ",
        "\"",
        "'",
        "\\",
        "\\x41",
        " ",
        "$",
        "*",
        "\n",
        "\r",
        "\t",
        "*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n",
        "*2\r\n$4\r\nECHO\r\n$",
        "\x0b",
        "\"\\t\\x4\\n\"",
        "ECHO \"\\a\\t",
        "*1\r\n",
        "$1\r\n",
    ]);
    let token = prop_oneof![
        3 => fixed.prop_map(str::to_string),
        1 => "[-+0-9]{1,3}",
        1 => "[!-~]{1,4}",
    ];
    let streams =
        prop::collection::vec(token, 1..14).prop_map(|tokens| tokens.concat().into_bytes());
    let mut runner = TestRunner::new(Config {
        cases: 1000,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&streams, |stream| {
        let mut connection = redis.connect();
        connection.socket.write_all(&stream).unwrap();
        connection
            .socket
            .shutdown(std::net::Shutdown::Write)
            .unwrap();
        let theirs: Vec<Value> = std::iter::from_fn(|| connection.reply())
            .map(blur)
            .collect();
        prop_assert_eq!(our_answers(&stream), theirs);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn floats_are_read_added_and_printed_alike() {
    let Some(redis) = Redis::start("floats") else {
        return;
    };
    let connection = RefCell::new(redis.connect());
    let call = |args: &[&str]| connection.borrow_mut().call(args);
    let number = || {
        prop_oneof![
            "-?[0-9]{1,6}(\\.[0-9]{1,6})?",
            "[-+]?[0-9]{0,25}\\.?[0-9]{0,25}(e[-+]?[0-9]{1,2})?",
            "-?[0-9]{1,3}\\.?[0-9]{0,4}e[-+]?[0-9]{1,4}",
            "-?0x[0-9a-f]{0,18}\\.?[0-9a-f]{0,18}(p[-+]?[0-9]{1,3})?",
            "[-+0-9.eExpinfat ]{0,8}",
            any::<f64>().prop_map(|value| format!("{value:e}")),
        ]
    };
    let mut runner = TestRunner::new(Config {
        cases: 4000,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&(number(), number()), |(a, b)| {
        call(&["SET", "k", &a]);
        let ours = match (
            LongDouble::parse(a.as_bytes()),
            LongDouble::parse(b.as_bytes()),
        ) {
            (Some(a), Some(b)) => a.checked_add(b).map(|sum| Value::bulk(sum.to_string())),
            _ => None,
        };
        let theirs = Some(call(&["INCRBYFLOAT", "k", &b])).filter(|reply| reply.error().is_none());
        prop_assert_eq!(ours, theirs);

        call(&["DEL", "z"]);
        let accepted = call(&["ZADD", "z", &a, "m"]).error().is_none();
        prop_assert_eq!(parse_f64(a.as_bytes()).is_some(), accepted, "ZADD {}", a);
        if accepted {
            let score = call(&["ZSCORE", "z", "m"]);
            prop_assert_eq!(
                parse_f64(a.as_bytes()),
                parse_f64(score.bytes().unwrap()),
                "score of {}",
                a
            );
        }

        call(&["SET", "k", "0"]);
        let theirs = call(&["INCRBY", "k", &a]).integer();
        prop_assert_eq!(parse_i64(a.as_bytes()), theirs, "INCRBY {}", a);
        Ok(())
    });
    outcome.unwrap();
}
