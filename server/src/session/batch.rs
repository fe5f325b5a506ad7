//! A batch: the commands that are complete in the input buffer, run one after the other without waiting.
//!
//! A command that must wait stays at the front of the buffer, decoded, as the connection's `current`; the
//! loop does what it waits for and runs the next batch, which starts with it.

use std::cell::{Ref, RefMut};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use basalt_resp::{Args, Encoder, OwnedArgs};
use basalt_tiering::{Slot, UnixMs};
use quanta::Instant;

use super::run::Connection;
use super::window::{Coords, Window};
use super::{Next, ReplyMode, SessionCtx};
use crate::clients::flag;
use crate::commands::keyspace::KeyspaceCtx;
use crate::commands::{Flags, Handler, Outcome, Stop};
use crate::data::Data;
use crate::dispatch::{self, Request, Row, Verdict};
use crate::effects::Effects;
use crate::errors::Error;
use crate::exec::{self, Env, Ran, transaction};
use crate::replication::master::Attach;
use crate::worker::Worker;

/// Commands in one batch, so that a long pipeline does not starve the other clients of the worker.
const BATCH_COMMANDS: usize = 1024;
/// Replies in one batch.
const BATCH_OUTPUT_BYTES: usize = 256 * 1024;

/// A reply that comes later, encoded.
pub type Later = Pin<Box<dyn Future<Output = Vec<u8>>>>;

/// Why a batch ended.
pub enum Step {
    /// More input is needed.
    Drained,
    /// Enough for now; there may be more in the buffer.
    Full,
    /// The connection closes after its replies.
    Close,
    /// The current command's keys have to be loaded.
    Fault(&'static Row),
    /// The current command waits for room in memory.
    Room,
    /// Nothing ran: others work on the key of all of these commands.
    Turn(Slot),
    /// The current command waits for a pause to end.
    Held,
    /// The current command's reply comes later, from a thread that works on it: that time is its own.
    Work(&'static Row, Later),
    /// The current command's reply comes later, when what it waits for has happened.
    Later(&'static Row, Later),
    /// The current command waits for somebody to write one of its keys.
    Blocked(&'static Row),
    /// The current command needs the exclusive gate.
    Still(&'static Row),
    /// The current command runs again after this.
    Again(Pin<Box<dyn Future<Output = ()>>>),
    /// The connection is a replica's from now on, once its replies are written.
    Replicate(Attach),
}

/// One reading of the clock at the end of each command serves its duration and the next one's time. It is that of the
/// processor, which takes half the time of asking the system.
#[derive(Debug)]
struct Clock {
    wall: UnixMs,
    begun: Instant,
    last: Instant,
}

impl Clock {
    fn start() -> Self {
        let begun = Instant::now();
        Clock {
            wall: UnixMs::now(),
            begun,
            last: begun,
        }
    }

    #[inline]
    fn now(&self) -> UnixMs {
        UnixMs(self.wall.0 + self.last.saturating_duration_since(self.begun).as_millis() as u64)
    }

    /// The command that is about to end began then, not with the batch.
    fn began(&mut self, at: Instant) {
        self.last = at;
    }

    /// Nanoseconds since the last call.
    #[inline]
    fn lap(&mut self) -> u64 {
        let now = Instant::now();
        let nanos = (now - self.last).as_nanos() as u64;
        self.last = now;
        nanos
    }
}

/// What became of one command.
enum Flow {
    Finished,
    Close,
    Stopped(Step),
    /// It finished, and the connection is a replica's now.
    Replicate(Attach),
}

/// See the module's text.
pub struct Batch<'a> {
    conn: &'a mut Connection,
    worker: &'a Worker,
    data: Ref<'a, Arc<Data>>,
    effects: RefMut<'a, Effects>,
    window: RefMut<'a, Window>,
    /// Of the current command's first argument, if known.
    coords: Option<Coords>,
    clock: Clock,
    slowlog_micros: i64,
    tracks_latency: bool,
    spike_nanos: u64,
    last_command: Option<&'static Row>,
}

impl<'a> Batch<'a> {
    /// A batch of `conn` on its worker.
    pub fn new(conn: &'a mut Connection, worker: &'a Worker) -> Self {
        let settings = conn.server.config.peek();
        conn.limits.max_bulk_bytes = settings.proto_max_bulk_bytes as usize;
        conn.limits.authenticated = conn.session.authenticated;
        let slowlog_micros = settings.slowlog_log_slower_than_us;
        let tracks_latency = settings.latency_tracking;
        let spike_nanos = match settings.latency_monitor_threshold_ms {
            0 => u64::MAX,
            ms => ms.saturating_mul(1_000_000),
        };
        drop(settings);
        conn.output.take(&worker.buffers);
        let data = worker.data();
        if conn.data_number != data.number {
            take_over(conn, &data);
        }
        Batch {
            conn,
            worker,
            data,
            effects: worker.effects.borrow_mut(),
            window: worker.window.borrow_mut(),
            coords: None,
            clock: Clock::start(),
            slowlog_micros,
            tracks_latency,
            spike_nanos,
            last_command: None,
        }
    }

    /// Runs commands until one stops or the batch is over.
    pub fn run(mut self) -> Step {
        let mut step = Step::Full;
        let turns = &self.worker.turns;
        for done in 0..BATCH_COMMANDS {
            let decoded = self.decoded();
            self.conn.ran = done;
            if done == 0
                && let Some(slot) = self.window.shared_slot()
            {
                if self.conn.turn != Some(slot) {
                    self.conn.end_turn();
                }
                if !turns.ask(slot) {
                    // It is decoded again then, with the others.
                    self.conn.current = None;
                    step = Step::Turn(slot);
                    break;
                }
                self.conn.turn = Some(slot);
            } else if let Some(slot) = self.conn.turn
                && turns.is_over(slot, self.clock.last)
            {
                self.conn.end_turn();
            }
            if self.conn.turn.is_some() {
                self.window.prefetch_elements(self.conn, &self.data);
            }
            let Some(len) = decoded else {
                step = if self.conn.closing {
                    Step::Close
                } else {
                    Step::Drained
                };
                break;
            };
            match self.one(len) {
                Flow::Finished if self.conn.output.pending().len() < BATCH_OUTPUT_BYTES => {}
                Flow::Finished => break,
                Flow::Close => {
                    step = Step::Close;
                    break;
                }
                Flow::Stopped(stopped) => {
                    step = stopped;
                    break;
                }
                Flow::Replicate(attach) => {
                    step = Step::Replicate(attach);
                    break;
                }
            }
        }
        self.note_activity();
        self.window.forget();
        if matches!(step, Step::Drained) {
            self.conn.session.pins.clear();
        }
        step
    }

    fn note_activity(&self) {
        let info = &self.conn.session.info;
        info.active_ms.store(self.clock.now().0, Ordering::Relaxed);
        if let Some(row) = self.last_command {
            info.command.store(row.id.0, Ordering::Relaxed);
        }
    }

    /// The length of the next complete command, empty requests skipped. After a framing error the reply is
    /// written and the connection is closing.
    #[inline]
    fn decoded(&mut self) -> Option<usize> {
        if self.conn.current.is_some() {
            return self.conn.current;
        }
        while !self.conn.closing {
            let conn = &mut *self.conn;
            match self.window.next(&mut conn.ranges) {
                Some((len, _)) if conn.ranges.is_empty() => conn.input.consume(len),
                Some((len, coords)) => {
                    self.coords = coords;
                    conn.current = Some(len);
                    return conn.current;
                }
                None => match self.window.fill(conn, &self.data) {
                    Ok(true) => {}
                    Ok(false) => {
                        self.check_query_limit();
                        return None;
                    }
                    Err(error) => {
                        tracing::debug!(client = conn.session.info.id.0, %error, "closed");
                        error.write_reply(&mut conn.output.bytes);
                        conn.closing = true;
                    }
                },
            }
        }
        None
    }

    fn check_query_limit(&mut self) {
        let conn = &mut *self.conn;
        if conn.input.len() as u64 > conn.server.config.peek().client_query_buffer_bytes {
            tracing::warn!(
                client = conn.session.info.id.0,
                "closed: query buffer limit reached"
            );
            conn.server
                .stats
                .worker(self.worker.id)
                .query_limit_closed
                .add(1);
            conn.closing = true;
        }
    }

    /// Passes the current command through the gates and runs it.
    #[inline]
    fn one(&mut self, len: usize) -> Flow {
        let start = self.conn.output.bytes.len();
        let now = self.clock.now();
        let conn = &mut *self.conn;
        let args = Args::new(&conn.input.bytes()[..len], &conn.ranges);
        let request = Request {
            server: &conn.server,
            data: &self.data,
            session: &conn.session,
            args: &args,
            now,
        };
        match dispatch::admit(&request) {
            Verdict::Run(row) => {
                self.last_command = Some(row);
                let flow = self.run_row(row, len, now);
                match flow {
                    Flow::Stopped(step) => Flow::Stopped(step),
                    Flow::Finished | Flow::Close | Flow::Replicate(_) => {
                        self.finish(row, start);
                        flow
                    }
                }
            }
            Verdict::Queue(row) => {
                let owned = args.to_owned_args();
                self.queue(row, owned, start);
                Flow::Finished
            }
            Verdict::Hold => Flow::Stopped(Step::Held),
            Verdict::AwaitRoom => Flow::Stopped(Step::Room),
            Verdict::Refuse(None, _) if dispatch::is_http(&args) => self.close_http(),
            Verdict::Refuse(row, error) => {
                self.refuse(row, &error, start);
                Flow::Finished
            }
        }
    }

    #[inline]
    fn run_row(&mut self, row: &'static Row, len: usize, now: UnixMs) -> Flow {
        match row.command.handler {
            Handler::Data(handler) => {
                let conn = &mut *self.conn;
                let args = Args::new(&conn.input.bytes()[..len], &conn.ranges);
                let mut env = Env {
                    server: &conn.server,
                    data: &self.data,
                    session: &mut conn.session,
                    effects: &mut self.effects,
                    now,
                };
                let coords = self.coords.take();
                match exec::data(
                    &mut env,
                    row,
                    handler,
                    &args,
                    coords,
                    &mut conn.output.bytes,
                ) {
                    Ran::Done => Flow::Finished,
                    Ran::Fault | Ran::Still => Flow::Stopped(Step::Fault(row)),
                    Ran::Blocked => Flow::Stopped(Step::Blocked(row)),
                }
            }
            Handler::Keyspace(handler) => self.keyspace(row, handler, len, now),
            Handler::Exclusive(_) => Flow::Stopped(Step::Still(row)),
            Handler::Session(handler) => {
                let conn = &mut *self.conn;
                conn.session.info.command.store(row.id.0, Ordering::Relaxed);
                let args = Args::new(&conn.input.bytes()[..len], &conn.ranges);
                let out = Encoder::new(&mut conn.output.bytes, conn.session.proto);
                let mut ctx = SessionCtx {
                    server: &conn.server,
                    session: &mut conn.session,
                    args: &args,
                    out,
                    command: row.command,
                    now,
                };
                let next = handler(&mut ctx);
                self.follow(row, next, now)
            }
        }
    }

    fn follow(&mut self, row: &'static Row, next: Next, now: UnixMs) -> Flow {
        match next {
            Next::Done => Flow::Finished,
            Next::Error(error) => {
                self.reply_error(&error);
                Flow::Finished
            }
            Next::Close => {
                self.conn.closing = true;
                Flow::Close
            }
            Next::Exec => self.exec(row, now),
            Next::Wait(reply) => Flow::Stopped(Step::Later(row, reply)),
            Next::Again(work) => Flow::Stopped(Step::Again(work)),
            Next::Replicate(attach) => Flow::Replicate(attach),
            Next::Work(work) => {
                let proto = self.conn.session.proto;
                let work = move || {
                    let mut out = Vec::new();
                    work(&mut Encoder::new(&mut out, proto));
                    out
                };
                Flow::Stopped(Step::Work(row, on_a_thread(work)))
            }
        }
    }

    /// In place while everything is in memory; else on a thread of its own.
    fn keyspace(
        &mut self,
        row: &'static Row,
        handler: fn(&mut KeyspaceCtx<'_>) -> Outcome,
        len: usize,
        now: UnixMs,
    ) -> Flow {
        let conn = &mut *self.conn;
        let args = Args::new(&conn.input.bytes()[..len], &conn.ranges);
        if self.data.store.all_resident() {
            self.effects.clear();
            let mut env = Env {
                server: &conn.server,
                data: &self.data,
                session: &mut conn.session,
                effects: &mut self.effects,
                now,
            };
            transaction::keyspace(
                &mut env,
                &conn.server,
                handler,
                &args,
                &mut conn.output.bytes,
            );
            assert!(
                self.effects.is_empty(),
                "a keyspace command logs no effects of its own"
            );
            return Flow::Finished;
        }
        let (server, owned) = (Arc::clone(&conn.server), args.to_owned_args());
        let (db, proto) = (conn.session.db, conn.session.proto);
        let work = move || {
            let mut out = Vec::new();
            let mut effects = Effects::default();
            let args = owned.as_args();
            let encoder = Encoder::new(&mut out, proto);
            let mut ctx = KeyspaceCtx {
                server: &server,
                args: &args,
                out: encoder,
                db,
                now,
                effects: &mut effects,
            };
            let outcome = handler(&mut ctx);
            assert!(
                effects.is_empty(),
                "a keyspace command logs no effects of its own"
            );
            if let Err(stop) = outcome {
                let Stop::Error(error) = stop else {
                    unreachable!("a keyspace command loads what it needs, and never waits")
                };
                out.clear();
                Encoder::new(&mut out, proto).error(error.as_bytes());
            }
            out
        };
        Flow::Stopped(Step::Work(row, on_a_thread(work)))
    }

    /// EXEC: the session leaves MULTI unless the queue's keys have to be loaded first.
    fn exec(&mut self, row: &'static Row, now: UnixMs) -> Flow {
        let conn = &mut *self.conn;
        let multi = conn
            .session
            .multi
            .take()
            .expect("EXEC was let through only inside MULTI");
        if transaction::way(&multi) == transaction::Way::Still {
            conn.session.multi = Some(multi);
            return Flow::Stopped(Step::Still(row));
        }
        let mut env = Env {
            server: &conn.server,
            data: &self.data,
            session: &mut conn.session,
            effects: &mut self.effects,
            now,
        };
        let ran = transaction::run_locked(&mut env, &conn.server, &multi, &mut conn.output.bytes);
        match ran {
            Ran::Done | Ran::Blocked => {}
            Ran::Fault => {
                conn.session.multi = Some(multi);
                return Flow::Stopped(Step::Fault(row));
            }
            Ran::Still => {
                conn.session.multi = Some(multi);
                return Flow::Stopped(Step::Still(row));
            }
        }
        self.end_exec();
        Flow::Finished
    }

    fn end_exec(&mut self) {
        let conn = &mut *self.conn;
        conn.session.end_multi();
        conn.session.unwatch(&conn.server);
    }

    /// Runs the current command; the caller holds the exclusive gate.
    pub fn run_still(mut self, row: &'static Row) {
        let start = self.conn.output.bytes.len();
        let now = self.clock.now();
        let conn = &mut *self.conn;
        let server = Arc::clone(&conn.server);
        let mut env = Env {
            server: &server,
            data: &self.data,
            session: &mut conn.session,
            effects: &mut self.effects,
            now,
        };
        if let Handler::Exclusive(handler) = row.command.handler {
            let len = conn.current.expect("the command is decoded");
            let args = Args::new(&conn.input.bytes()[..len], &conn.ranges);
            transaction::run_exclusive(&mut env, &server, handler, &args, &mut conn.output.bytes);
        } else {
            let multi = env
                .session
                .multi
                .take()
                .expect("only EXEC comes here besides exclusive commands");
            transaction::run_still(&mut env, &server, &multi, &mut conn.output.bytes);
            let flags = conn.session.info.flags.load(Ordering::Relaxed);
            conn.closing |= flags & flag::CLOSE_AFTER_REPLY != 0;
            self.end_exec();
        }
        self.finish(row, start);
        self.note_activity();
    }

    /// Ends a command whose reply came later; if it was at work since `begun`, that counts as its duration.
    pub fn finish_later(mut self, row: &'static Row, reply: &[u8], begun: Option<Instant>) {
        if let Some(begun) = begun {
            self.clock.began(begun);
        }
        let start = self.conn.output.bytes.len();
        self.conn.output.bytes.extend_from_slice(reply);
        self.finish(row, start);
        self.note_activity();
    }

    /// Ends a command that cannot be run.
    pub fn fail(mut self, row: &'static Row, error: &Error) {
        let start = self.conn.output.bytes.len();
        self.reply_error(error);
        self.finish(row, start);
    }

    fn reply_error(&mut self, error: &Error) {
        let conn = &mut *self.conn;
        Encoder::new(&mut conn.output.bytes, conn.session.proto).error(error.as_bytes());
    }

    fn queue(&mut self, row: &'static Row, args: OwnedArgs, start: usize) {
        let session = &mut self.conn.session;
        let multi = session.multi.as_mut().expect("queued only inside MULTI");
        multi.push(row, args);
        session
            .info
            .multi
            .store(multi.queue.len() as i32, Ordering::Relaxed);
        session
            .info
            .multi_bytes
            .store(multi.bytes, Ordering::Relaxed);
        Encoder::new(&mut self.conn.output.bytes, session.proto).simple("QUEUED");
        self.consume(start);
    }

    /// Answers a refused command; inside MULTI it spoils the transaction.
    #[cold]
    fn refuse(&mut self, row: Option<&'static Row>, error: &Error, start: usize) {
        let is_exec = row.is_some_and(|row| row.command.name == "exec");
        if is_exec {
            let conn = &mut *self.conn;
            conn.session.end_multi();
            conn.session.unwatch(&conn.server);
            let why = error.as_bytes();
            let why = why.strip_prefix(b"ERR ").unwrap_or(why);
            let text = [b"EXECABORT Transaction discarded because of: ", why].concat();
            self.reply_error(&Error::bytes(text));
        } else {
            if let Some(multi) = &mut self.conn.session.multi {
                multi.aborted = true;
            }
            self.reply_error(error);
        }
        let stats = self.worker.stats();
        stats.count_error(&error.to_string());
        if let Some(row) = row {
            stats.command(row.id).rejected.add(1);
        }
        self.consume(start);
    }

    /// Closes a connection on which somebody speaks HTTP, before its body is taken for commands.
    #[cold]
    fn close_http(&mut self) -> Flow {
        const WARNING_INTERVAL_MS: u64 = 60_000;
        static WARNED_MS: AtomicU64 = AtomicU64::new(0);
        let now_ms = self.clock.now().0;
        let warned_ms = WARNED_MS.load(Ordering::Relaxed);
        if now_ms.saturating_sub(warned_ms) >= WARNING_INTERVAL_MS {
            WARNED_MS.store(now_ms, Ordering::Relaxed);
            tracing::warn!(
                addr = self.conn.session.info.addr,
                "closed: a client sent POST or Host:, as a browser does that is misused to reach this server \
                 (cross-protocol scripting)"
            );
        }
        self.conn.closing = true;
        Flow::Close
    }

    /// Ends the current command: counters, slow log, CLIENT REPLY.
    #[inline]
    fn finish(&mut self, row: &'static Row, start: usize) {
        let nanos = self.clock.lap();
        let stats = self.worker.stats();
        stats.commands.add(1);
        let counters = stats.command(row.id);
        counters.calls.add(1);
        counters.nanos.add(nanos);
        if self.tracks_latency {
            counters.latency.record(nanos);
        }
        if nanos >= self.spike_nanos {
            self.note_spike(row, nanos);
        }
        if stats.count_if_error(&self.conn.output.bytes[start..]) {
            counters.failed.add(1);
        }
        if self.slowlog_micros >= 0 && nanos / 1000 >= self.slowlog_micros as u64 {
            self.log_slow(row, nanos / 1000);
        }
        self.consume(start);
    }

    #[cold]
    fn note_spike(&self, row: &'static Row, nanos: u64) {
        let event = if row.command.flags.has(Flags::FAST) {
            "fast-command"
        } else {
            "command"
        };
        self.conn
            .server
            .latency
            .record(event, nanos / 1_000_000, self.clock.now());
    }

    #[cold]
    fn log_slow(&self, row: &'static Row, micros: u64) {
        let Some(len) = self.conn.current else { return };
        if row.command.flags.has(Flags::SKIP_SLOWLOG) {
            return;
        }
        let conn = &*self.conn;
        let args = Args::new(&conn.input.bytes()[..len], &conn.ranges);
        let name = conn.session.info.labels.lock().name.clone();
        let max_len = conn.server.config.peek().slowlog_max_len as usize;
        conn.server.slowlog.record(
            &args,
            micros,
            self.clock.now(),
            &conn.session.info.addr,
            &name,
            max_len,
        );
    }

    /// Takes the current command out of the input, and its reply back if the client wants none.
    #[inline]
    fn consume(&mut self, start: usize) {
        let conn = &mut *self.conn;
        if conn.session.reply != ReplyMode::On {
            conn.output.bytes.truncate(start);
            conn.session.reply = match conn.session.reply {
                ReplyMode::SkipNext => ReplyMode::Skip,
                ReplyMode::Skip => ReplyMode::On,
                other => other,
            };
        }
        let len = conn.current.take().expect("a command is being ended");
        conn.input.consume(len);
        conn.limits.authenticated = conn.session.authenticated;
    }
}

/// The store and the log have been exchanged since the connection's last batch: what it has pinned is of no use,
/// and every watched key counts as changed.
#[cold]
fn take_over(conn: &mut Connection, data: &Data) {
    conn.data_number = data.number;
    conn.session.pins.clear();
    if !conn.session.watch.keys.is_empty() {
        conn.session.watch.flag.store(true, Ordering::Release);
    }
}

/// A reply made on a thread that may block.
fn on_a_thread(work: impl FnOnce() -> Vec<u8> + Send + 'static) -> Later {
    Box::pin(async move {
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| {
                tracing::error!(%error, "a command failed");
                b"-ERR internal error\r\n".to_vec()
            })
    })
}
