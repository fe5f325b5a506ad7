//! FAILOVER: this node hands its role over to one of its replicas, and follows it from then on. No write is lost.
//!
//! ```text
//!   no-failover ──FAILOVER──▶ waiting-for-sync: writes wait, the log's end is final
//!        ▲                          │ a replica has acknowledged it (or FORCE, at the time limit)
//!        │                          ▼
//!        │◀──refused, ABORT── failover-in-progress: PSYNC … FAILOVER to it
//!        │                          │ +CONTINUE: it is the master now
//!        └───────── this node is its replica; writes that waited are refused as on any replica
//! ```
//!
//! If the answer is lost on its way, nobody knows who the master is until the other one is asked again: until
//! then writes wait. Only the operator (FAILOVER ABORT) may decide without knowing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use basalt_binlog::Offset;
use basalt_replication::registry::{Replica, ReplicaState};
use basalt_replication::wire::{self, Answer, Psync};

use super::dialogue::Dialogue;
use super::replica::Ask;
use crate::args::{self, Cursor};
use crate::errors::{self, Error};
use crate::exec;
use crate::server::Server;
use crate::session::{Next, SessionCtx};

const NONE_IN_PROGRESS: Error = Error::new("ERR No failover in progress.");
const BAD_TIMEOUT: Error = Error::new("ERR FAILOVER timeout must be greater than 0");
const IN_PROGRESS: Error = Error::new("ERR FAILOVER already in progress.");
const IS_REPLICA: Error = Error::new("ERR FAILOVER is not valid when server is a replica.");
const NO_REPLICAS: Error = Error::new("ERR FAILOVER requires connected replicas.");
const FORCE_ALONE: Error =
    Error::new("ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
const NOT_A_REPLICA: Error = Error::new("ERR FAILOVER target HOST and PORT is not a replica.");
const NOT_ONLINE: Error = Error::new("ERR FAILOVER target replica is not online.");

const LOOK_EVERY: Duration = Duration::from_millis(5);
const RETRY_EVERY: Duration = Duration::from_millis(200);

/// How far a handover has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none.
    None = 0,
    /// Writes wait, and a replica is to catch up.
    WaitForSync = 1,
    /// A replica was asked to take over.
    InProgress = 2,
}

impl State {
    /// Redis' word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::None => "no-failover",
            State::WaitForSync => "waiting-for-sync",
            State::InProgress => "failover-in-progress",
        }
    }
}

/// A handover, if there is one.
#[derive(Debug, Default)]
pub struct Failover {
    state: AtomicU8,
    abort: AtomicBool,
}

impl Failover {
    /// How far it has come.
    #[must_use]
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::None,
            1 => State::WaitForSync,
            _ => State::InProgress,
        }
    }

    fn set(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// Begins one; false if there is one already.
    fn begin(&self) -> bool {
        self.abort.store(false, Ordering::Release);
        let (none, first) = (State::None as u8, State::WaitForSync as u8);
        self.state
            .compare_exchange(none, first, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    fn is_aborted(&self) -> bool {
        self.abort.load(Ordering::Acquire)
    }
}

/// What FAILOVER was asked to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Plan {
    target: Option<(String, u16)>,
    force: bool,
    timeout: Option<Duration>,
}

impl Plan {
    fn parse(mut cursor: Cursor<'_>) -> Result<Plan, Error> {
        let mut plan = Plan::default();
        while let Some(word) = cursor.next() {
            if args::is(word, "TIMEOUT") && plan.timeout.is_none() {
                let ms = args::integer(cursor.value()?)?;
                let ms = u64::try_from(ms).ok().filter(|ms| *ms > 0);
                plan.timeout = Some(Duration::from_millis(ms.ok_or(BAD_TIMEOUT)?));
            } else if args::is(word, "TO") && plan.target.is_none() {
                let host = String::from_utf8_lossy(cursor.value()?).into_owned();
                let port = args::integer(cursor.value()?)?;
                // A port that none is belongs to no replica.
                plan.target = Some((host, u16::try_from(port).unwrap_or(0)));
            } else if args::is(word, "FORCE") && !plan.force {
                plan.force = true;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(plan)
    }

    fn check(&self, server: &Server) -> Result<(), Error> {
        if server.replication.master.failover.state() != State::None {
            return Err(IN_PROGRESS);
        }
        if !server.replication.is_master() {
            return Err(IS_REPLICA);
        }
        let replicas = server.replication.master.registry.all();
        if replicas.is_empty() {
            return Err(NO_REPLICAS);
        }
        if self.force && (self.timeout.is_none() || self.target.is_none()) {
            return Err(FORCE_ALONE);
        }
        if self.target.is_none() {
            return Ok(());
        }
        let Some(target) = replicas.iter().find(|replica| self.fits(replica)) else {
            return Err(NOT_A_REPLICA);
        };
        if target.state() == ReplicaState::Online {
            Ok(())
        } else {
            Err(NOT_ONLINE)
        }
    }

    fn fits(&self, replica: &Replica) -> bool {
        self.target
            .as_ref()
            .is_none_or(|(host, port)| *host == replica.ip && *port == replica.port)
    }
}

/// FAILOVER.
pub fn failover(ctx: &mut SessionCtx<'_>) -> Next {
    let failover = &ctx.server.replication.master.failover;
    if ctx.args.len() == 2 && args::is(&ctx.args[1], "ABORT") {
        if failover.state() == State::None {
            return NONE_IN_PROGRESS.into();
        }
        failover.abort.store(true, Ordering::Release);
        ctx.out.ok();
        return Next::Done;
    }
    let plan = Plan::parse(Cursor::at(ctx.args, 1));
    let plan = match plan.and_then(|plan| plan.check(ctx.server).map(|()| plan)) {
        Ok(plan) => plan,
        Err(error) => return error.into(),
    };
    if !failover.begin() {
        return IN_PROGRESS.into();
    }
    let server = Arc::clone(ctx.server);
    let thread = std::thread::Builder::new().name("failover".to_owned());
    match thread.spawn(move || run(&server, &plan)) {
        Ok(_) => {
            ctx.out.ok();
            Next::Done
        }
        Err(error) => {
            failover.set(State::None);
            errors::store_failed(&error).into()
        }
    }
}

/// Why a handover did not happen.
type Refusal = String;

fn run(server: &Arc<Server>, plan: &Plan) {
    tracing::info!(?plan, "a handover begins: writes wait");
    server.pause.begin_handover();
    match hand_over(server, plan) {
        Ok((host, port)) => tracing::info!(host, port, "handed over: this node is a replica now"),
        Err(why) => tracing::warn!("no handover, this node remains the master: {why}"),
    }
    server
        .data()
        .log
        .handed_over
        .store(false, Ordering::Release);
    server.replication.master.failover.set(State::None);
    server.pause.end_handover();
}

fn hand_over(server: &Arc<Server>, plan: &Plan) -> Result<(String, u16), Refusal> {
    let failover = &server.replication.master.failover;
    let end = still(server)?;
    let replica = await_replica(server, plan, end)?;
    failover.set(State::InProgress);
    let target = (replica.ip.clone(), replica.port);
    ask_to_take_over(server, &target, end)?;
    // Its new history begins where this log ends, so this is a partial sync. Whatever goes wrong from here on, it is
    // the master and this node is not.
    let follow = Ask::Follow {
        host: target.0.clone(),
        port: target.1,
    };
    if let Err(error) = server.replication.replica.ask(server, follow) {
        tracing::error!(error, "the new master cannot be followed");
    }
    Ok(target)
}

/// Waits until no write is under way any more, and asks the replicas how far they are; the end of the log.
fn still(server: &Server) -> Result<Offset, Refusal> {
    let _alone = server.gate.exclusive();
    if !server.replication.is_master() {
        return Err("it is a replica meanwhile".to_owned());
    }
    let data = server.data();
    exec::log_no_data(&data.log, &wire::getack());
    data.log.handed_over.store(true, Ordering::Release);
    let binlog = data.binlog().ok_or("there is no log")?;
    Ok(binlog.end())
}

/// The replica that is to take over: it has everything, unless time is up and that is to be enforced.
fn await_replica(server: &Server, plan: &Plan, end: Offset) -> Result<Arc<Replica>, Refusal> {
    let deadline = plan.timeout.map(|timeout| Instant::now() + timeout);
    let has_all = |replica: &Arc<Replica>| {
        replica.state() == ReplicaState::Online && plan.fits(replica) && replica.acked() >= end
    };
    loop {
        let replicas = server.replication.master.registry.all();
        if let Some(replica) = replicas.iter().find(|replica| has_all(replica)) {
            return Ok(Arc::clone(replica));
        }
        check_abort(server)?;
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let target = replicas.iter().find(|replica| plan.fits(replica));
            let Some(target) = target.filter(|_| plan.force) else {
                return Err("no replica caught up in time".to_owned());
            };
            tracing::warn!(
                acked = target.acked().0,
                end = end.0,
                "the replica is behind, and is forced to take over"
            );
            return Ok(Arc::clone(target));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn check_abort(server: &Server) -> Result<(), Refusal> {
    if server.replication.master.failover.is_aborted() {
        return Err("aborted".to_owned());
    }
    if server.shutdown.is_requested() {
        return Err("the server ends".to_owned());
    }
    Ok(())
}

/// What became of a request to take over.
enum Reply {
    /// It did.
    Taken,
    /// It will not.
    Refused(String),
    /// It was not even asked.
    NotAsked(io::Error),
    /// It was asked, and nobody knows what it did.
    Unknown(io::Error),
}

/// Asks until there is an answer.
fn ask_to_take_over(server: &Server, target: &(String, u16), end: Offset) -> Result<(), Refusal> {
    let patience = Duration::from_secs(server.config.peek().repl_timeout_seconds.into());
    let begun = Instant::now();
    let mut may_have_taken = false;
    loop {
        match request(server, target, end) {
            Reply::Taken => return Ok(()),
            Reply::Refused(why) if !may_have_taken => {
                return Err(format!("the replica refused: {why}"));
            }
            // It may say so because it is the master already, at our request.
            Reply::Refused(why) => match is_master(server, target) {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(format!("the replica refused: {why}")),
                Err(error) => tracing::warn!(%error, "the replica does not tell its role"),
            },
            Reply::NotAsked(error) if !may_have_taken && begun.elapsed() > patience => {
                return Err(format!("the replica cannot be reached: {error}"));
            }
            Reply::NotAsked(error) => tracing::warn!(%error, "the replica cannot be reached"),
            Reply::Unknown(error) => {
                tracing::warn!(%error, "no answer: whether the replica took over is not known yet");
                may_have_taken = true;
            }
        }
        check_abort(server)?;
        std::thread::sleep(RETRY_EVERY);
    }
}

fn request(server: &Server, target: &(String, u16), end: Offset) -> Reply {
    let mut link = match Dialogue::open(server, &target.0, target.1) {
        Ok(link) => link,
        Err(error) => return Reply::NotAsked(error),
    };
    let psync = Psync {
        id: Some(server.data().history.get().id),
        from: Some(end),
        failover: true,
    };
    let mut bytes = Vec::new();
    psync.encode(&mut bytes);
    let answered = link.send(&bytes).and_then(|()| link.line());
    match answered.map(|line| Answer::parse(&line)) {
        Ok(Some(Answer::Continue(_) | Answer::BasaltSync(..) | Answer::FullResync(..))) => {
            Reply::Taken
        }
        Ok(Some(Answer::Error(text))) => Reply::Refused(text),
        Ok(None) => Reply::Unknown(io::ErrorKind::InvalidData.into()),
        Err(error) => Reply::Unknown(error),
    }
}

fn is_master(server: &Server, target: &(String, u16)) -> io::Result<bool> {
    let mut link = Dialogue::open(server, &target.0, target.1)?;
    let role = link.ask(&[b"ROLE"])?;
    let word = role.items().and_then(|items| items.first());
    Ok(word.and_then(basalt_resp::Value::bytes) == Some(b"master"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use basalt_resp::OwnedArgs;

    fn plan(words: &str) -> Result<Plan, String> {
        let words = OwnedArgs::from_slices(&words.split(' ').collect::<Vec<_>>());
        Plan::parse(Cursor::at(&words.as_args(), 1)).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_are_read_as_redis_reads_them() {
        assert_eq!(plan("FAILOVER"), Ok(Plan::default()));
        assert_eq!(
            plan("FAILOVER TO h 7 FORCE TIMEOUT 9"),
            Ok(Plan {
                target: Some(("h".to_owned(), 7)),
                force: true,
                timeout: Some(Duration::from_millis(9)),
            })
        );
        let syntax = Err("ERR syntax error".to_owned());
        for words in [
            "FAILOVER TO h",
            "FAILOVER FORCE FORCE",
            "FAILOVER ABORT TIMEOUT 1",
            "FAILOVER TIMEOUT",
        ] {
            assert_eq!(plan(words), syntax, "{words}");
        }
        assert_eq!(
            plan("FAILOVER TIMEOUT 0"),
            Err("ERR FAILOVER timeout must be greater than 0".to_owned())
        );
    }
}
