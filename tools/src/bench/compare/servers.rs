//! The servers of a comparison: their command lines, and their lives as child processes.
//!
//! A [`Server`] owns its process and its directory. However the program ends short of `kill -9`,
//! dropping it kills the process and removes the directory; and after a `kill -9` the kernel does
//! the first (parent-death signal). While it is not measured it is stopped, so that nothing it does
//! in the background costs the others CPU.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::bench::signals::interrupted;
use crate::bench::wire::Target;

/// How long a server may take until it answers PING.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Another process may take a free port before the server does.
const START_ATTEMPTS: usize = 3;

/// How to start a server, and whom to hold it against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub(crate) name: String,
    /// Program and arguments; `{port}` and `{dir}` are filled in.
    words: Vec<String>,
    /// The server whose figures are 1.0.
    pub(crate) against: Option<String>,
}

/// Servers known by name: program, directives, whom they are held against.
const BUILT_IN: &[(&str, Program, &str, Option<&str>)] = &[
    (
        "basalt-memory",
        Program::Basalt,
        "--tiering no --binlog no",
        Some("redis-memory"),
    ),
    (
        "basalt",
        Program::Basalt,
        "--appendfsync everysec",
        Some("redis-aof"),
    ),
    (
        "redis-memory",
        Program::Redis,
        "--save '' --appendonly no",
        None,
    ),
    (
        "redis-aof",
        Program::Redis,
        "--save '' --appendonly yes --appendfsync everysec",
        None,
    ),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Basalt,
    Redis,
}

/// The programs to use and what to tell them besides.
pub(crate) struct Programs<'a> {
    pub(crate) basalt: Option<&'a Path>,
    pub(crate) redis: Option<&'a Path>,
    pub(crate) basalt_args: &'a str,
    pub(crate) redis_args: &'a str,
}

impl Recipe {
    /// The servers known by name whose program is installed; tells the user which are left out.
    pub(crate) fn built_in(
        programs: &Programs<'_>,
        only: &[String],
    ) -> anyhow::Result<Vec<Recipe>> {
        for wanted in only {
            let known = wanted == "none" || BUILT_IN.iter().any(|(name, ..)| name == wanted);
            ensure!(known, "--only: there is no built-in server '{wanted}'");
        }
        let mut recipes = Vec::new();
        for (name, program, directives, against) in BUILT_IN {
            if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
                continue;
            }
            let (path, more) = match program {
                Program::Basalt => (
                    find("basalt-server", programs.basalt)?,
                    programs.basalt_args,
                ),
                Program::Redis => (find("redis-server", programs.redis)?, programs.redis_args),
            };
            let Some(path) = path else {
                eprintln!("{name} is left out: its program is not installed");
                continue;
            };
            let mut words = vec![path.to_string_lossy().into_owned()];
            words.extend(split("--port {port} --dir {dir} --bind 127.0.0.1")?);
            words.extend(split(directives)?);
            words.extend(split(more)?);
            recipes.push(Recipe {
                name: (*name).to_owned(),
                words,
                against: against.map(str::to_owned),
            });
        }
        Ok(recipes)
    }

    /// A server given as `name=command line`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Recipe> {
        let (name, line) = text
            .split_once('=')
            .with_context(|| format!("'{text}' is not name=command line"))?;
        let mut words = split(line)?;
        ensure!(
            !name.is_empty() && !words.is_empty(),
            "'{text}' is not name=command line"
        );
        if !line.contains("{port}") {
            words.extend(split("--port {port} --dir {dir}")?);
        }
        Ok(Recipe {
            name: name.to_owned(),
            words,
            against: None,
        })
    }

    /// The command line as a shell would take it.
    pub(crate) fn line(&self) -> String {
        shlex::try_join(self.words.iter().map(String::as_str))
            .unwrap_or_else(|_| self.words.join(" "))
    }

    /// Starts it on a free port and waits until it answers.
    pub(crate) fn start(&self) -> anyhow::Result<Server> {
        let mut attempt = 1;
        loop {
            match self.start_once() {
                Err(error)
                    if attempt < START_ATTEMPTS && format!("{error:#}").contains("in use") =>
                {
                    attempt += 1
                }
                outcome => return outcome.with_context(|| format!("starting {}", self.name)),
            }
        }
    }

    fn start_once(&self) -> anyhow::Result<Server> {
        let dir = tempfile::Builder::new().prefix("basalt-bench-").tempdir()?;
        let port = free_port()?;
        let log = File::create(dir.path().join(LOG))?;
        let fill_in = |word: &String| {
            word.replace("{port}", &port.to_string())
                .replace("{dir}", &dir.path().to_string_lossy())
        };
        let words: Vec<String> = self.words.iter().map(fill_in).collect();
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for us; we end the servers when we are ready.
            .process_group(0);
        // SAFETY: between fork and exec only prctl is called, which is a plain system call.
        unsafe { command.pre_exec(die_with_parent) };
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", words[0]))?;
        let mut server = Server {
            child,
            dir,
            target: Target::local(port),
        };
        server.wait_until_it_answers()?;
        Ok(server)
    }
}

/// Standard output and error of a server, in its directory.
const LOG: &str = "basalt-bench-server.log";

/// A running server.
pub(crate) struct Server {
    child: Child,
    dir: TempDir,
    pub(crate) target: Target,
}

impl Server {
    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "it ended with {status}; its last words:\n{}",
                    self.last_words()
                );
            }
            if self.target.connect().is_ok() {
                return Ok(());
            }
            if interrupted() {
                bail!("interrupted");
            }
            if start.elapsed() > START_LIMIT {
                bail!(
                    "no answer after {} s; its last words:\n{}",
                    START_LIMIT.as_secs(),
                    self.last_words()
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The end of what the server printed.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read(self.dir.path().join(LOG)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// Freezes the process until [`Server::resume`].
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        self.signal(libc::SIGSTOP)
            .context("stopping a server for a while")
    }

    /// Lets the process run on, and waits until it answers.
    pub(crate) fn resume(&mut self) -> anyhow::Result<()> {
        self.signal(libc::SIGCONT)
            .context("letting a server run on")?;
        self.wait_until_it_answers()
    }

    fn signal(&self, signal: libc::c_int) -> io::Result<()> {
        // SAFETY: no memory is involved. The process is our child and has not been waited for unless
        // it ended while it was to be measured, which ends the comparison; so the pid is its own.
        let sent = unsafe { libc::kill(self.child.id() as libc::pid_t, signal) };
        if sent == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its data is about to be deleted, so there is nothing to shut down gracefully. A process
        // that has already ended makes both calls fail, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn die_with_parent() -> io::Result<()> {
    // SAFETY: this option takes one integer and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A port nobody listens on, below the range the kernel gives to outgoing connections: one of those could take it
/// before the server does.
fn free_port() -> io::Result<u16> {
    const FIRST: u16 = 10_000;
    const COUNT: u32 = 6_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let from = std::process::id().wrapping_mul(61);
    for _ in 0..COUNT {
        let step = from.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = FIRST + step as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other("no free port between 10000 and 15999"))
}

fn split(line: &str) -> anyhow::Result<Vec<String>> {
    shlex::split(line).with_context(|| format!("unbalanced quotes in: {line}"))
}

/// A program: the one the user named, or beside this one, or in PATH.
fn find(name: &str, named: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    if let Some(path) = named {
        ensure!(path.is_file(), "{} is not a file", path.display());
        return Ok(Some(fs::canonicalize(path)?));
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = beside.into_iter().chain(std::env::split_paths(&path));
    Ok(places
        .map(|place| place.join(name))
        .find(|candidate| candidate.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_servers_get_port_and_directory_unless_they_say_where() {
        let plain = Recipe::parse("valkey=valkey-server --save ''").unwrap();
        assert_eq!(
            plain.words,
            [
                "valkey-server",
                "--save",
                "",
                "--port",
                "{port}",
                "--dir",
                "{dir}"
            ]
        );
        let own = Recipe::parse("x=/bin/x -p {port}").unwrap();
        assert_eq!(own.words, ["/bin/x", "-p", "{port}"]);
        for bad in ["", "x", "=y", "x=", "x='a"] {
            assert!(Recipe::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_that_does_not_start_is_quoted() {
        let recipe = Recipe::parse("bad=sh -c 'echo wrong directive {port} >&2; exit 3'").unwrap();
        let error = format!("{:#}", recipe.start().err().expect("it cannot start"));
        assert!(
            error.contains("starting bad") && error.contains("wrong directive"),
            "{error}"
        );
        let missing = Recipe::parse("none=/nonexistent/server").unwrap();
        assert!(
            format!("{:#}", missing.start().err().expect("no program")).contains("cannot start")
        );
    }
}
