//! One server process of a test: started on a free port in a directory of its own, killed when
//! dropped; its log is printed when the test fails.
//!
//! Processes are started by one thread that lives as long as the test binary, and ask the kernel
//! to be killed when that thread ends: whatever way the test binary ends, no server stays behind.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use super::world::World;

const START_LIMIT: Duration = Duration::from_secs(30);
/// Where it is in a server's directory, it is the server's first argument.
const CONFIG_FILE: &str = "test.conf";
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Which server runs: ours, or a peer that proves a script right.
#[derive(Clone, Debug)]
pub(crate) struct Binary {
    path: PathBuf,
    is_basalt: bool,
    env: Vec<(&'static str, PathBuf)>,
}

impl Binary {
    /// The server under test: Basalt, unless `BASALT_TEST_SERVER` names another one.
    pub(crate) fn under_test() -> Self {
        match std::env::var_os("BASALT_TEST_SERVER") {
            Some(path) => Self {
                path: path.into(),
                is_basalt: false,
                env: Vec::new(),
            },
            None => Self {
                path: env!("CARGO_BIN_EXE_basalt-server").into(),
                is_basalt: true,
                env: Vec::new(),
            },
        }
    }

    /// The redis-server to compare with: `BASALT_PEER`, or the one in the path, if there is one.
    pub(crate) fn peer() -> Option<Self> {
        let path = std::env::var_os("BASALT_PEER").unwrap_or_else(|| "redis-server".into());
        Command::new(&path)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .ok()?;
        Some(Self {
            path: path.into(),
            is_basalt: false,
            env: Vec::new(),
        })
    }

    pub(crate) fn is_basalt(&self) -> bool {
        self.is_basalt
    }

    /// The same with a variable in its environment.
    pub(crate) fn with_env(mut self, name: &'static str, value: &Path) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    /// The directives that make `world` on this server, if it has that world.
    pub(crate) fn world_args(&self, world: World) -> Option<&'static [&'static str]> {
        if self.is_basalt {
            Some(world.basalt_args())
        } else {
            world.peer_args()
        }
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    binary: Binary,
    child: Child,
    port: u16,
    dir: PathBuf,
    args: Vec<String>,
}

impl Server {
    /// Starts the server under test; nothing if it has no such world (a peer in `cold`).
    pub(crate) fn start(world: World, more: &[&str]) -> Option<Self> {
        let binary = Binary::under_test();
        let args = binary.world_args(world)?;
        Some(Self::start_binary(binary, &[args, more].concat()))
    }

    /// Starts `binary` with `args`, in a new directory.
    pub(crate) fn start_binary(binary: Binary, args: &[&str]) -> Self {
        Self::start_in(binary, new_dir(), args)
    }

    /// As `start_binary`, with a configuration file.
    pub(crate) fn start_with_file(binary: Binary, config: &str, args: &[&str]) -> Self {
        let dir = new_dir();
        fs::write(dir.join(CONFIG_FILE), config).expect("the test directory is writable");
        Self::start_in(binary, dir, args)
    }

    /// Runs a server that must refuse to start; what it said, on the terminal and in its log.
    ///
    /// # Panics
    /// If it starts after all, or ends with success.
    pub(crate) fn start_refused(binary: &Binary, config: &str, port: u16, args: &[&str]) -> String {
        let dir = new_dir();
        fs::write(dir.join(CONFIG_FILE), config).expect("the test directory is writable");
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let mut server = Self {
            binary: binary.clone(),
            child: spawn(binary, port, &dir, &args),
            port,
            dir,
            args,
        };
        assert!(!server.wait_exit(), "success although it did not start");
        server.log()
    }

    /// The text of its configuration file.
    pub(crate) fn config_file(&self) -> String {
        fs::read_to_string(self.dir.join(CONFIG_FILE)).expect("a server with a file")
    }

    fn start_in(binary: Binary, dir: PathBuf, args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        for _ in 0..5 {
            let port = free_port();
            let child = spawn(&binary, port, &dir, &args);
            let mut server = Self {
                binary: binary.clone(),
                child,
                port,
                dir: dir.clone(),
                args: args.clone(),
            };
            if server.wait_ready() {
                return server;
            }
            if !server.log().contains("ddress already in use") {
                panic!(
                    "the server ended while starting ({args:?}):\n{}",
                    server.log()
                );
            }
        }
        panic!("no free port in five attempts");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn is_basalt(&self) -> bool {
        self.binary.is_basalt
    }

    /// A new connection.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port)
            .unwrap_or_else(|e| panic!("cannot connect to port {}: {e}\n{}", self.port, self.log()))
    }

    /// Kills the server as `kill -9` does, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // An error means that it has already ended, which `wait` then reports as its status.
        let _ = self.child.kill();
        self.child.wait().expect("our own child can be waited for");
    }

    /// Asks the server to end (SIGTERM) and returns whether it ended with success.
    pub(crate) fn terminate(&mut self) -> bool {
        let pid = i32::try_from(self.pid()).expect("a pid fits");
        // SAFETY: `kill` has no memory effects; the pid is our own child, not yet waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        self.wait_exit()
    }

    /// Waits for the server to end by itself; whether it ended with success.
    pub(crate) fn wait_exit(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < STOP_LIMIT {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status.success();
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the server did not end in {STOP_LIMIT:?}\n{}", self.log());
    }

    /// Starts the server again on the same port and directory; the time until it answers.
    ///
    /// # Panics
    /// If it does not come up.
    pub(crate) fn start_again(&mut self) -> Duration {
        let started = Instant::now();
        self.child = spawn(&self.binary, self.port, &self.dir, &self.args);
        if !self.wait_ready() {
            panic!("the server did not start again:\n{}", self.log());
        }
        started.elapsed()
    }

    /// `kill -9`, then start again.
    pub(crate) fn crash(&mut self) -> Duration {
        self.kill();
        self.start_again()
    }

    /// Starts the server and kills it again after `life`, ready or not.
    pub(crate) fn start_and_kill(&mut self, life: Duration) {
        self.child = spawn(&self.binary, self.port, &self.dir, &self.args);
        thread::sleep(life);
        self.kill();
    }

    /// Adds a directive for the next start.
    pub(crate) fn add_args(&mut self, more: &[&str]) {
        self.args.extend(more.iter().map(|a| (*a).to_owned()));
    }

    /// The last part of the log and of what was printed.
    pub(crate) fn log(&self) -> String {
        ["log", "out"]
            .iter()
            .map(|name| {
                let text = fs::read(self.dir.join(name)).unwrap_or_default();
                let tail = &text[text.len().saturating_sub(4000)..];
                format!("--- server {name} ---\n{}\n", String::from_utf8_lossy(tail))
            })
            .collect()
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        status
            .lines()
            .find_map(|l| l.strip_prefix("VmRSS:"))
            .and_then(|l| l.trim().strip_suffix(" kB"))
            .and_then(|kb| kb.trim().parse::<u64>().ok())
            .map(|kb| kb * 1024)
            .expect("a running process has a resident size")
    }

    /// Polls with PING until PONG; false if the process ended before.
    fn wait_ready(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if self.child.try_wait().expect("our own child").is_some() {
                return false;
            }
            if let Ok(reply) = Client::connect(self.port).and_then(|mut c| c.call(&["PING"])) {
                // A server with a password answers too, and so shows that it has loaded.
                if !reply.text().starts_with("LOADING") {
                    return true;
                }
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("no PONG in {START_LIMIT:?}\n{}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "port {}, directory {}\n{}",
                self.port,
                self.dir.display(),
                self.log()
            );
        }
        // A child that has already ended is fine here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

fn spawn(binary: &Binary, port: u16, dir: &Path, args: &[String]) -> Child {
    let out = fs::File::options()
        .create(true)
        .append(true)
        .open(dir.join("out"))
        .expect("the test directory is writable");
    let err = out.try_clone().expect("a file can be cloned");
    let mut command = Command::new(&binary.path);
    let config = dir.join(CONFIG_FILE);
    if config.exists() {
        command.arg(config);
    }
    command
        .args(["--port", &port.to_string()])
        .args(["--dir", &dir.to_string_lossy()])
        .args(["--logfile", &dir.join("log").to_string_lossy()])
        .args(["--enable-debug-command", "yes"])
        .args(more_args(binary))
        .args(args)
        .envs(binary.env.iter().map(|(name, value)| (name, value)))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    // SAFETY: prctl is async-signal-safe and touches no memory of the parent.
    unsafe {
        command.pre_exec(
            || match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            },
        );
    }
    spawn_on_lasting_thread(command)
        .unwrap_or_else(|e| panic!("cannot start {}: {e}", binary.path.display()))
}

/// Directives for every start of Basalt: `BASALT_TEST_ARGS="--workers 4"`.
fn more_args(binary: &Binary) -> Vec<String> {
    let text = std::env::var("BASALT_TEST_ARGS").unwrap_or_default();
    match binary.is_basalt {
        true => text.split_whitespace().map(str::to_owned).collect(),
        false => Vec::new(),
    }
}

/// The kernel's parent-death signal follows the starting *thread*; test threads end with their
/// test, so all servers are started by this one.
fn spawn_on_lasting_thread(command: Command) -> io::Result<Child> {
    type Request = (Command, Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Mutex<Sender<Request>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (requests, inbox) = channel::<Request>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                // The asker waits for the answer, so the receiver is alive.
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(requests)
    });
    let (answer, result) = channel();
    spawner
        .lock()
        .expect("no panic under this lock")
        .send((command, answer))
        .expect("the spawner lives as long as the process");
    result.recv().expect("the spawner answers every request")
}

/// A port nobody listens on, below the range the kernel gives to outgoing connections.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(61);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 16_000 + u16::try_from(first.wrapping_add(step) % 16_000).expect("small");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A new directory below cargo's own place for test data, on a real disk rather than in memory.
/// What earlier runs left behind goes first.
fn new_dir() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static SWEEP: OnceLock<()> = OnceLock::new();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers");
    SWEEP.get_or_init(|| sweep(&root));
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = root
        .join(std::process::id().to_string())
        .join(n.to_string());
    fs::create_dir_all(&dir).expect("cargo's directory for test data is writable");
    dir
}

fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let owner_lives = Path::new("/proc").join(entry.file_name()).exists();
        if !owner_lives {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
