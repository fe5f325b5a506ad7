//! Runs a script against a server, in a world.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use super::parse::{Action, Arg, Dialect, Script, Step};
use super::pattern::{Pattern, Vars};
use crate::support::client::Client;
use crate::support::env_number;
use crate::support::resp::{Reply, print_command, quote};
use crate::support::server::Server;
use crate::support::world::World;

/// How long `silent` listens.
const SILENCE: Duration = Duration::from_millis(60);
/// After so many differences a script is given up.
const SHOWN: usize = 12;
/// After this no further step can succeed.
const LOST: &str = "connection failed";
/// Commands that may block.
const BLOCKING: [&str; 10] = [
    "blpop",
    "brpop",
    "blmove",
    "blmpop",
    "brpoplpush",
    "bzpopmin",
    "bzpopmax",
    "bzmpop",
    "xread",
    "xreadgroup",
];
/// How long to wait for the server to meet one of them; where CLIENT LIST does not say so, the script's own waits count.
const MEETING: Duration = Duration::from_millis(500);
/// How long `closed` waits.
const CLOSING: Duration = Duration::from_secs(5);

/// A connection and what must be restored when the server was killed under it.
#[derive(Debug, Default)]
struct Conn {
    client: Option<Client>,
    db: Vec<u8>,
    protocol: Vec<u8>,
}

/// One run.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    world: World,
    server: &'a mut Server,
    redis_major: u32,
    conns: BTreeMap<String, Conn>,
    spiller: Option<Client>,
    vars: Vars,
}

impl<'a> Run<'a> {
    pub(crate) fn new(world: World, server: &'a mut Server) -> Self {
        let info = server.client().words("INFO server").text();
        let redis_major = info
            .lines()
            .find_map(|l| l.strip_prefix("redis_version:"))
            .and_then(|v| v.split('.').next()?.parse().ok())
            .unwrap_or(8);
        let spiller = (world == World::Cold).then(|| server.client());
        Self {
            world,
            server,
            redis_major,
            conns: BTreeMap::new(),
            spiller,
            vars: Vars::new(),
        }
    }

    /// Runs all steps; those that go wrong are described.
    pub(crate) fn script(&mut self, name: &str, script: &Script) -> Result<(), String> {
        let crash_before = match self.world {
            World::Restart => crash_points(name, &script.steps),
            _ => BTreeSet::new(),
        };
        let mut crashes = 0;
        let mut wrong = Vec::new();
        for (at, step) in script.steps.iter().enumerate() {
            if crash_before.contains(&at) {
                self.crash();
                crashes += 1;
            }
            if step.only.is_some_and(|d| !self.speaks(d)) {
                continue;
            }
            let done = match self.step(step) {
                Ok(()) => self.spill(step),
                failed => failed,
            };
            if let Err(e) = done {
                wrong.push(format!(
                    "line {} (after {crashes} restarts)\n    {}\n    {e}",
                    step.line, step.text
                ));
                if wrong.len() == SHOWN || e.starts_with(LOST) {
                    break;
                }
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let world = self.world.name();
        Err(format!(
            "{name} in world {world}:\n  {}",
            wrong.join("\n  ")
        ))
    }

    fn speaks(&self, dialect: Dialect) -> bool {
        let basalt = self.server.is_basalt();
        match dialect {
            Dialect::Redis7 => !basalt && self.redis_major < 8,
            Dialect::Redis8 => basalt || self.redis_major >= 8,
            Dialect::Basalt => basalt,
            Dialect::Redis => !basalt,
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.action {
            Action::UnitBegin | Action::UnitEnd => Ok(()),
            Action::Wait(span) => {
                thread::sleep(*span);
                Ok(())
            }
            Action::Crash => {
                self.crash();
                Ok(())
            }
            Action::Terminate => {
                self.conns.clear();
                self.spiller = None;
                if !self.server.terminate() {
                    return Err("the server ended with an error".into());
                }
                self.server.start_again();
                self.reconnect();
                Ok(())
            }
            Action::Command(args, want) => {
                let args = self.args(args)?;
                let got = self.call(&step.conn, &args)?;
                self.compare(&args, want, &got)
            }
            Action::Until(limit, args, want) => self.until(&step.conn, *limit, args, want),
            Action::Send(args) => {
                let args = self.args(args)?;
                self.client(&step.conn)?.send(&args).map_err(lost)?;
                self.await_blocked(&step.conn, &args)
            }
            Action::Expect(want) => {
                let got = self.client(&step.conn)?.read().map_err(lost)?;
                self.compare(&[] as &[Vec<u8>], want, &got)
            }
            Action::Raw(bytes) => self.client(&step.conn)?.send_raw(bytes).map_err(lost),
            Action::Bytes(want) => {
                let got = self.client(&step.conn)?.read_raw(want.len());
                let got = got.map_err(lost)?;
                match got == *want {
                    true => Ok(()),
                    false => Err(format!("got bytes {}", quote(&got))),
                }
            }
            Action::Closed => {
                let closed = self.client(&step.conn)?.closed_within(CLOSING);
                self.conns.remove(&step.conn);
                match closed.map_err(lost)? {
                    true => Ok(()),
                    false => Err("the connection is not closed".into()),
                }
            }
            Action::Silent => match self.client(&step.conn)?.silent_for(SILENCE) {
                Ok(true) => Ok(()),
                Ok(false) => Err("something arrived".into()),
                Err(e) => Err(lost(e)),
            },
        }
    }

    /// Waits until the server has met a command that may block: on a busy machine the next one would else overtake it.
    fn await_blocked(&mut self, conn: &str, args: &[Vec<u8>]) -> Result<(), String> {
        let name = String::from_utf8_lossy(&args[0]).to_lowercase();
        if !BLOCKING.contains(&name.as_str()) {
            return Ok(());
        }
        let address = self.client(conn)?.stream().local_addr();
        let Ok(address) = address.map(|a| format!(" addr={a} ")) else {
            return Ok(());
        };
        let met = format!(" cmd={name} ");
        let mut looker = self.server.client();
        let started = Instant::now();
        while started.elapsed() < MEETING {
            let list = looker.words("CLIENT LIST").text();
            let mut lines = list.lines();
            if lines.any(|line| line.contains(&address) && line.contains(&met)) {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn until(
        &mut self,
        conn: &str,
        limit: Duration,
        args: &[Arg],
        want: &Pattern,
    ) -> Result<(), String> {
        let started = Instant::now();
        let args = self.args(args)?;
        loop {
            let got = self.call(conn, &args)?;
            match self.compare(&args, want, &got) {
                Err(e) if started.elapsed() > limit => return Err(e),
                Err(_) => thread::sleep(Duration::from_millis(5)),
                Ok(()) => return Ok(()),
            }
        }
    }

    fn args(&self, args: &[Arg]) -> Result<Vec<Vec<u8>>, String> {
        args.iter().map(|a| a.value(&self.vars)).collect()
    }

    fn call(&mut self, conn: &str, args: &[Vec<u8>]) -> Result<Reply, String> {
        let reply = self.client(conn)?.call(args).map_err(lost)?;
        self.remember(conn, args, &reply);
        Ok(reply)
    }

    fn compare<A: AsRef<[u8]>>(
        &mut self,
        sent: &[A],
        want: &Pattern,
        got: &Reply,
    ) -> Result<(), String> {
        match want.matches(got, &mut self.vars) {
            true => Ok(()),
            false => Err(format!("got: {got}\n    sent: {}", print_command(sent))),
        }
    }

    /// Notes connection state that a crash must not change for the script.
    fn remember(&mut self, conn: &str, args: &[Vec<u8>], reply: &Reply) {
        let Some(conn) = self.conns.get_mut(conn) else {
            return;
        };
        let is = |name: &[u8]| args.first().is_some_and(|a| a.eq_ignore_ascii_case(name));
        if reply.is_error() || *reply == Reply::Status(b"QUEUED".to_vec()) {
            return;
        }
        match args.get(1) {
            Some(db) if is(b"SELECT") => conn.db = db.clone(),
            Some(version) if is(b"HELLO") => conn.protocol = version.clone(),
            _ if is(b"RESET") => {
                conn.db.clear();
                conn.protocol.clear();
            }
            _ => {}
        }
    }

    fn client(&mut self, name: &str) -> Result<&mut Client, String> {
        let conn = self.conns.entry(name.to_owned()).or_default();
        if conn.client.is_none() {
            let mut client = self.server.client();
            for (command, state) in [("HELLO", &conn.protocol), ("SELECT", &conn.db)] {
                if !state.is_empty() {
                    let reply = client.call(&[command.as_bytes(), state]).map_err(lost)?;
                    if reply.is_error() {
                        return Err(format!("{command} after a restart: {reply}"));
                    }
                }
            }
            conn.client = Some(client);
        }
        Ok(conn.client.as_mut().expect("just connected"))
    }

    /// In the cold world nothing may stay in memory after a command.
    fn spill(&mut self, step: &Step) -> Result<(), String> {
        let sent = matches!(step.action, Action::Command(..) | Action::Expect(_));
        match &mut self.spiller {
            Some(client) if sent => match client.call(&["TIER", "SPILL", "ALL"]).map_err(lost)? {
                Reply::Error(e) => Err(format!("TIER SPILL ALL: {}", String::from_utf8_lossy(&e))),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn crash(&mut self) {
        self.server.kill();
        self.server.start_again();
        self.reconnect();
    }

    /// Connections are made anew when next used.
    fn reconnect(&mut self) {
        for conn in self.conns.values_mut() {
            conn.client = None;
        }
        if self.world == World::Cold {
            self.spiller = Some(self.server.client());
        }
    }
}

fn lost(e: std::io::Error) -> String {
    format!("{LOST}: {e}")
}

/// Before which steps the restart world kills the server: evenly spread over the allowed ones,
/// shifted by the script's name so that different scripts are cut at different places.
/// `BASALT_RESTARTS` says how many; a start costs time.
fn crash_points(name: &str, steps: &[Step]) -> BTreeSet<usize> {
    let allowed = between_units(steps);
    let wanted = usize::try_from(env_number("BASALT_RESTARTS", 4)).expect("a small number");
    if allowed.len() <= wanted {
        return allowed.into_iter().collect();
    }
    let shift = name.bytes().map(usize::from).sum::<usize>();
    let stride = allowed.len() / wanted;
    (0..wanted)
        .map(|i| allowed[(i * stride + shift % stride) % allowed.len()])
        .collect()
}

/// Steps before which no connection is inside a transaction and the script inside no unit.
fn between_units(steps: &[Step]) -> Vec<usize> {
    let mut depth = 0;
    let mut in_multi = BTreeSet::new();
    let mut allowed = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        if at > 0 && depth == 0 && in_multi.is_empty() {
            allowed.push(at);
        }
        match &step.action {
            Action::UnitBegin => depth += 1,
            Action::UnitEnd => depth -= 1,
            Action::Command(args, _) => {
                let first = match args.first() {
                    Some(Arg::Literal(name)) => name.to_ascii_uppercase(),
                    _ => Vec::new(),
                };
                match first.as_slice() {
                    b"MULTI" => _ = in_multi.insert(&step.conn),
                    b"EXEC" | b"DISCARD" | b"RESET" => _ = in_multi.remove(&step.conn),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    allowed
}
