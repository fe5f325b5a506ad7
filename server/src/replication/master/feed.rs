//! A feeder: one thread with one replica's connection, which it sends the stream and from which it reads
//! acknowledgements.
//!
//! ```text
//!   log's files ──a chunk, when the last one is written──▶ socket
//!   socket ──REPLCONF ACK──▶ registry, hold
//! ```
//!
//! Apart from the workers, since reading an old part of the log waits for the disk. It holds one chunk however far
//! behind the replica is.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::{Duration, Instant};

use basalt_binlog::Stream as LogStream;
use basalt_replication::registry::{Moment, ReplicaState};
use basalt_replication::wire::{self, Conf};
use basalt_resp::{ArgRanges, Args, Decoder, Limits};
use basalt_tiering::UnixMs;
use tokio::sync::oneshot;

use super::Attach;
use crate::clients::{ClientInfo, flag};
use crate::server::Server;
use crate::session::stream::Stream;

/// What is read of the log at a time.
const CHUNK_BYTES: usize = 128 * 1024;
/// What is read of the socket at a time; acknowledgements are small.
const INPUT_BYTES: usize = 4096;
/// Under load a feeder looks this often, instead of being woken for every few writes: that costs the writers.
const GATHER: Duration = Duration::from_millis(1);
/// What counts as load: something was sent so lately.
const LOAD_WITHIN: Duration = Duration::from_millis(3);
/// A replica that says more than this without an end says nothing that we understand.
const INPUT_MAX_BYTES: usize = 1 << 20;
/// How often a feeder looks whether it is to stop.
const TICK: Duration = Duration::from_millis(100);
/// How long a replica may take for the last bytes when the server ends; sessions have a little more.
const FAREWELL: Duration = Duration::from_millis(1500);

/// Why a replica is fed no longer.
#[derive(Debug)]
enum End {
    /// It closed the connection, or the connection broke.
    Gone(io::Error),
    /// It was killed.
    Killed,
    /// Nothing was heard of it for too long.
    Silent,
    /// The history, or the data, is no longer what it was told to follow.
    Changed,
    /// The server ends.
    Farewell,
    /// The log cannot be read.
    Log(basalt_binlog::Error),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Gone(error) => write!(f, "the connection ended: {error}"),
            End::Killed => f.write_str("the connection was killed"),
            End::Silent => f.write_str("nothing was heard of it for repl-timeout"),
            End::Changed => f.write_str("it has to ask again, this node's history has changed"),
            End::Farewell => f.write_str("the server ends"),
            End::Log(error) => write!(f, "the log cannot be read: {error}"),
        }
    }
}

/// Feeds a replica until it is gone. `input` is what it sent already behind its PSYNC.
///
/// # Errors
/// The connection could not be handed over.
pub async fn serve(
    server: Arc<Server>,
    info: Arc<ClientInfo>,
    socket: Stream,
    input: Vec<u8>,
    attach: Attach,
) -> io::Result<()> {
    if server.config.peek().repl_disable_tcp_nodelay {
        socket.set_nodelay(false)?;
    }
    let socket = socket.into_std()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (done, ended) = oneshot::channel();
    let work = move || {
        let replica = Arc::clone(&attach.joined.replica);
        let end = runtime.block_on(async {
            match Stream::from_std(socket) {
                Ok(socket) => Feeder::begin(server, &info, socket, input, attach).await,
                Err(error) => End::Gone(error),
            }
        });
        tracing::info!(
            ip = replica.ip,
            port = replica.port,
            acked = replica.acked().0,
            "a replica left: {end}"
        );
        // Whoever waits may be gone with its worker.
        let _ = done.send(());
    };
    std::thread::Builder::new()
        .name("feeder".to_owned())
        .spawn(work)?;
    let _ = ended.await;
    Ok(())
}

struct Feeder<'a> {
    server: Arc<Server>,
    info: &'a ClientInfo,
    attach: Attach,
    socket: Stream,
    log: LogStream,
    /// The chunk being written, and how much of it was.
    chunk: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    decoder: Decoder,
    ranges: ArgRanges,
    /// The replica sends nothing more, which is fine while the server ends.
    deaf: bool,
    leaving_since: Option<Instant>,
    /// When the last chunk was written.
    sent_at: Option<Instant>,
}

/// What the socket had to say.
enum Heard {
    Read(usize),
    Wrote(usize),
}

impl<'a> Feeder<'a> {
    async fn begin(
        server: Arc<Server>,
        info: &'a ClientInfo,
        socket: Stream,
        input: Vec<u8>,
        attach: Attach,
    ) -> End {
        let binlog = attach.data.binlog().expect("a log is held");
        let log = match binlog.stream(attach.from) {
            Ok(log) => log,
            Err(error) => return End::Log(error),
        };
        let replica = &attach.joined.replica;
        replica.heard(Moment::now());
        replica.note_sent(attach.from, 0);
        replica.set_state(ReplicaState::Online);
        server.replication.master.recount(&server, Moment::now());
        // Who waits for replicas has one more to ask.
        crate::replication::wait::wake_all(&server);
        tracing::info!(
            ip = replica.ip,
            port = replica.port,
            from = attach.from.0,
            "a replica follows"
        );
        let mut feeder = Feeder {
            server,
            info,
            attach,
            socket,
            log,
            chunk: Vec::new(),
            written: 0,
            input,
            decoder: Decoder::new(),
            ranges: ArgRanges::new(),
            deaf: false,
            leaving_since: None,
            sent_at: None,
        };
        let end = feeder.run().await;
        // Before the socket closes, so that a kill never hits another one with its number.
        info.release_socket();
        end
    }

    async fn run(&mut self) -> End {
        match self.feed().await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn feed(&mut self) -> Result<End, End> {
        let data = Arc::clone(&self.attach.data);
        let binlog = data.binlog().expect("a log is held");
        let mut ticks = tokio::time::interval(TICK);
        self.understand()?;
        loop {
            if let Some(end) = self.over() {
                return Ok(end);
            }
            self.fill()?;
            let appended = data.log.appended.notified();
            let mut appended = pin!(appended);
            let idle = self.chunk.is_empty();
            if idle {
                self.gather();
                appended.as_mut().enable();
                if binlog.arm_appended() > self.log.offset() {
                    continue;
                }
            }
            tokio::select! {
                heard = self.exchange() => self.note(heard.map_err(End::Gone)?)?,
                () = appended, if idle => {}
                _ = ticks.tick() => {}
            }
        }
    }

    /// Lets writes that come close together be sent together, unless somebody waits for an acknowledgement.
    fn gather(&self) {
        let waiting = self.server.replication.master.acks.receiver_count() > 0;
        let under_load = self.sent_at.is_some_and(|at| at.elapsed() < LOAD_WITHIN);
        if under_load && !waiting {
            // The thread is this replica's alone.
            std::thread::sleep(GATHER);
        }
    }

    /// Takes the next chunk of the log once the last one is written.
    fn fill(&mut self) -> Result<(), End> {
        if !self.chunk.is_empty() {
            return Ok(());
        }
        self.log
            .read(&mut self.chunk, CHUNK_BYTES)
            .map(drop)
            .map_err(End::Log)
    }

    async fn exchange(&mut self) -> io::Result<Heard> {
        poll_fn(|cx| {
            if !self.deaf {
                let len = self.input.len();
                self.input.resize(len + INPUT_BYTES, 0);
                let read = self.socket.poll_read(cx, &mut self.input[len..]);
                let got = if let Poll::Ready(Ok(got)) = &read {
                    *got
                } else {
                    0
                };
                self.input.truncate(len + got);
                if let Poll::Ready(read) = read {
                    return Poll::Ready(read.map(Heard::Read));
                }
            }
            if self.written == self.chunk.len() {
                return Poll::Pending;
            }
            self.socket
                .poll_write(cx, &self.chunk[self.written..])
                .map(|wrote| wrote.map(Heard::Wrote))
        })
        .await
    }

    fn note(&mut self, heard: Heard) -> Result<(), End> {
        match heard {
            Heard::Wrote(bytes) => {
                self.written += bytes;
                let left = self.chunk.len() - self.written;
                let upto = self.log.offset().0 - left as u64;
                let replica = &self.attach.joined.replica;
                replica.note_sent(basalt_binlog::Offset(upto), bytes as u64);
                let counters = &self.server.replication.master.counters;
                counters.stream_bytes.fetch_add(bytes as u64, Relaxed);
                if left == 0 {
                    self.sent_at = Some(Instant::now());
                    self.chunk.clear();
                    self.written = 0;
                }
                self.info.output_bytes.store(left, Relaxed);
                Ok(())
            }
            Heard::Read(0) if self.server.shutdown.is_requested() => {
                self.deaf = true;
                Ok(())
            }
            Heard::Read(0) => Err(End::Gone(io::ErrorKind::UnexpectedEof.into())),
            Heard::Read(_) => self.understand(),
        }
    }

    /// Takes the acknowledgements out of the input. Whatever else a replica says gets no answer: it would stand in
    /// the middle of the stream.
    fn understand(&mut self) -> Result<(), End> {
        let nonsense = || End::Gone(io::ErrorKind::InvalidData.into());
        let mut taken = 0;
        loop {
            let rest = &self.input[taken..];
            let decoded = self
                .decoder
                .decode(rest, &Limits::default(), &mut self.ranges);
            let Some(len) = decoded.map_err(|_| nonsense())? else {
                break;
            };
            let args = Args::new(&rest[..len], &self.ranges);
            let is_conf = args
                .get(0)
                .is_some_and(|name| name.eq_ignore_ascii_case(b"REPLCONF"));
            if is_conf && let Ok(pairs) = wire::parse_conf(&args) {
                for pair in pairs {
                    self.conf(&pair);
                }
            }
            taken += len;
        }
        self.input.drain(..taken);
        if self.input.len() > INPUT_MAX_BYTES {
            return Err(nonsense());
        }
        Ok(())
    }

    fn conf(&self, pair: &Conf) {
        let Conf::Ack(held, synced) = pair else {
            return;
        };
        // Nobody has what was not sent.
        let sent = self.log.offset();
        let held = (*held).min(sent);
        self.attach.hold.advance(held);
        self.server.replication.master.acked(
            &self.server,
            &self.attach.joined.replica,
            held,
            synced.map(|synced| synced.min(held)),
        );
        self.info.active_ms.store(UnixMs::now().0, Relaxed);
    }

    fn over(&mut self) -> Option<End> {
        let attach = &self.attach;
        if self.info.is_killed() {
            return Some(End::Killed);
        }
        let same_pair = self.server.current.number() == attach.data.number;
        if !same_pair || attach.data.history.changes() != attach.changes {
            return Some(End::Changed);
        }
        let timeout_s = u64::from(self.server.config.peek().repl_timeout_seconds);
        if attach.joined.replica.lag_seconds(Moment::now()) > timeout_s {
            tracing::warn!(
                ip = attach.joined.replica.ip,
                port = attach.joined.replica.port,
                "closed: a replica has been silent for too long"
            );
            return Some(End::Silent);
        }
        (self.server.shutdown.is_requested() && self.may_leave()).then_some(End::Farewell)
    }

    /// When the server ends, a replica gets everything that the last clients wrote.
    fn may_leave(&mut self) -> bool {
        let since = *self.leaving_since.get_or_insert_with(Instant::now);
        let is_client = |client: &Arc<ClientInfo>| client.flags.load(Relaxed) & flag::REPLICA == 0;
        let end = self.attach.data.binlog().map(basalt_binlog::Binlog::end);
        let has_all = self.chunk.is_empty() && end == Some(self.log.offset());
        let alone = !self.server.clients.all().iter().any(is_client);
        (has_all && alone) || since.elapsed() > FAREWELL
    }
}
