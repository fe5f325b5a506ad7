//! The loop of a connection: read, decode, dispatch, write.
//!
//! ```text
//!            ┌───────────────── batch: everything complete in the buffer, no await ─────────────────┐
//!   read ──▶ decode ─▶ gates ─▶ run ─▶ reply ─┐                                                     │
//!    ▲         ▲                              └─▶ next command … ─▶ input drained, or output full ──┘
//!    │         └─ load keys / wait for room, a pause, a future / exclusive gate ◀─ a command stopped    │
//!    └───────────────────────────── write (after the log is on disk, under `always`) ◀──────────────────┘
//! ```
//!
//! One read and one write call per batch. A client that does not read its replies is read from only until
//! `OUTPUT_PAUSE_BYTES` wait for it.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use basalt_binlog::LogState;
use basalt_resp::{ArgRanges, Decoder, Limits};
use basalt_tiering::Slot;
use quanta::Instant;

use super::batch::{Batch, Later, Step};
use super::buffers::{Input, Output};
use super::stream::Stream;
use super::{Session, load};
use crate::clients::flag;
use crate::config::FsyncPolicy;
use crate::dispatch::Row;
use crate::replication::master::{Attach, feed};
use crate::server::Server;
use crate::worker::Worker;

/// Unwritten replies beyond which no more commands are read.
const OUTPUT_PAUSE_BYTES: usize = 8 << 20;
/// What a client may send ahead while it waits for a reply.
const INPUT_WHILE_WAITING_BYTES: usize = 64 * 1024;
/// How often a paused client looks whether the pause is over.
const PAUSE_POLL: Duration = Duration::from_millis(5);

/// A connection on its worker.
#[derive(Debug)]
pub struct Connection {
    pub(super) server: Arc<Server>,
    pub(super) worker: Rc<Worker>,
    pub(super) stream: Stream,
    pub(super) session: Session,
    pub(super) input: Input,
    pub(super) output: Output,
    pub(super) decoder: Decoder,
    pub(super) ranges: ArgRanges,
    pub(super) limits: Limits,
    /// Length of the decoded command at the front of the input that has not finished yet.
    pub(super) current: Option<usize>,
    /// Commands in the latest batch.
    pub(super) ran: usize,
    /// Nothing more is read; the connection closes once the output is written.
    pub(super) closing: bool,
    /// The pair of store and log that the pins belong to.
    pub(super) data_number: u64,
    /// The slot whose turn the batch has.
    pub(super) turn: Option<Slot>,
}

/// What the loop needs of the socket before it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// More input.
    Input,
    /// Less output than makes us pause.
    Room,
    /// All output written.
    Drained,
}

impl Connection {
    /// A connection that has just been accepted.
    #[must_use]
    pub fn new(worker: Rc<Worker>, stream: Stream, session: Session) -> Self {
        Connection {
            server: Arc::clone(&worker.server),
            worker,
            stream,
            session,
            input: Input::default(),
            output: Output::default(),
            decoder: Decoder::new(),
            ranges: ArgRanges::new(),
            limits: Limits::default(),
            current: None,
            ran: 0,
            closing: false,
            data_number: 0,
            turn: None,
        }
    }

    /// Serves the client until it leaves or is closed.
    pub async fn serve(mut self) {
        // An error of the socket is the client's leaving; there is nobody to tell.
        let ended = self.serve_until_error().await;
        let (server, info) = (Arc::clone(&self.server), Arc::clone(&self.session.info));
        self.session.unwatch(&server);
        if let Ok(Some(attach)) = ended {
            let input = self.input.bytes().to_vec();
            let fed = feed::serve(
                Arc::clone(&server),
                Arc::clone(&info),
                self.stream,
                input,
                attach,
            );
            if let Err(error) = fed.await {
                tracing::warn!(%error, "a replica cannot be fed");
            }
        }
        info.release_socket();
        server.clients.remove(info.id);
    }

    /// Ends with the replica that the client turned out to be, or when the client leaves.
    async fn serve_until_error(&mut self) -> io::Result<Option<Attach>> {
        self.exchange(Want::Input).await?;
        loop {
            let want = match self.batch() {
                Step::Drained => Want::Input,
                Step::Full => Want::Room,
                Step::Close => Want::Drained,
                Step::Replicate(attach) => {
                    self.end_turn();
                    self.exchange(Want::Drained).await?;
                    return Ok(Some(attach));
                }
                stopped => {
                    self.resolve(stopped).await?;
                    continue;
                }
            };
            self.closing |= want == Want::Drained;
            if self.turn.is_some() || self.gains_by_company() {
                let_others_run().await;
            }
            self.end_turn();
            self.check_output_limit()?;
            self.await_durability().await?;
            let leaving = self.closing
                || self.session.info.is_killed()
                || self.server.shutdown.is_requested();
            self.exchange(if leaving { Want::Drained } else { want })
                .await?;
            if leaving {
                return Ok(None);
            }
            if want == Want::Room {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Runs what is in the input buffer, as far as it goes without waiting.
    fn batch(&mut self) -> Step {
        let worker = Rc::clone(&self.worker);
        let shared = worker.server.gate.enter(worker.id);
        let step = Batch::new(self, &worker).run();
        drop(shared);
        step
    }

    /// Whether what the batch wrote had better leave together with what others write.
    fn gains_by_company(&self) -> bool {
        self.session.written_to.is_some() && (self.ran > 1 || self.waits_for_disk())
    }

    fn waits_for_disk(&self) -> bool {
        self.server.config.peek().appendfsync == FsyncPolicy::Always
    }

    /// Lets others have the key of the batch that has run.
    pub(super) fn end_turn(&mut self) {
        if let Some(slot) = self.turn.take() {
            self.worker.turns.end(slot);
        }
    }

    /// Does what a stopped command waits for. Afterwards the command has finished or can be run (again).
    async fn resolve(&mut self, step: Step) -> io::Result<()> {
        if let Step::Turn(slot) = step {
            self.worker.turns.take(slot).await;
            self.turn = Some(slot);
            return Ok(());
        }
        self.end_turn();
        match step {
            Step::Drained | Step::Full | Step::Close | Step::Replicate(_) | Step::Turn(_) => {
                unreachable!("not stopped")
            }
            Step::Fault(row) => load::load(self, row).await,
            Step::Room => {
                self.flush().await?;
                let room = self.server.data().store.room();
                room.await;
            }
            Step::Held => {
                self.flush().await?;
                self.session.info.set_flag(flag::BLOCKED, true);
                tokio::time::sleep(PAUSE_POLL).await;
                self.session.info.set_flag(flag::BLOCKED, false);
            }
            Step::Work(row, reply) => {
                self.flush().await?;
                self.later(row, reply, Some(Instant::now())).await?;
            }
            Step::Later(row, reply) => {
                self.flush().await?;
                self.later(row, reply, None).await?;
            }
            Step::Again(work) => {
                self.flush().await?;
                work.await;
            }
            Step::Blocked(row) => self.wait_blocked(row).await?,
            Step::Still(row) => {
                let (server, worker) = (Arc::clone(&self.server), Rc::clone(&self.worker));
                let gate = server.gate.exclusive();
                Batch::new(self, &worker).run_still(row);
                drop(gate);
            }
        }
        if self.session.info.is_killed() {
            Err(io::ErrorKind::ConnectionAborted.into())
        } else {
            Ok(())
        }
    }

    /// Waits for a reply as long as the client is there: a wait may have no limit of its own.
    async fn unless_gone(&mut self, mut reply: Later) -> io::Result<Vec<u8>> {
        poll_fn(|cx| {
            if let Poll::Ready(reply) = reply.as_mut().poll(cx) {
                return Poll::Ready(Ok(reply));
            }
            // What it sends meanwhile is kept, up to a limit: only its end is of interest.
            while self.input.len() < INPUT_WHILE_WAITING_BYTES {
                match self.poll_input(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for a reply and ends its command.
    async fn later(
        &mut self,
        row: &'static Row,
        reply: Later,
        begun: Option<Instant>,
    ) -> io::Result<()> {
        self.session.info.set_flag(flag::BLOCKED, true);
        let reply = self.unless_gone(reply).await;
        self.session.info.set_flag(flag::BLOCKED, false);
        let reply = reply?;
        let worker = Rc::clone(&self.worker);
        Batch::new(self, &worker).finish_later(row, &reply, begun);
        Ok(())
    }

    /// Writes the replies so far, before a wait that may be long.
    async fn flush(&mut self) -> io::Result<()> {
        self.await_durability().await?;
        self.exchange(Want::Room).await
    }

    /// Under `appendfsync always`, waits until what this batch wrote is on disk: one wait for all of it.
    pub(super) async fn await_durability(&mut self) -> io::Result<()> {
        let Some(offset) = self.session.written_to.take() else {
            return Ok(());
        };
        // Asked anew: a pair that was swapped out since owes nobody anything.
        let log = Arc::clone(&self.server.data().log);
        let Some(binlog) = &log.binlog else {
            return Ok(());
        };
        if !self.waits_for_disk() || binlog.synced() >= offset {
            return Ok(());
        }
        let mut synced = log.synced.subscribe();
        binlog.request_sync(offset);
        // The sender lives as long as the log.
        let _ = synced.wait_for(|upto| *upto >= offset).await;
        if binlog.state() == LogState::Poisoned && binlog.synced() < offset {
            // The client must not take its writes for durable, and nothing true can be said of them.
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Writes what there is and reads what is wanted, each as soon as the socket is ready for it.
    async fn exchange(&mut self, want: Want) -> io::Result<()> {
        poll_fn(|cx| {
            if let Err(error) = self.write_some(cx) {
                return Poll::Ready(Err(error));
            }
            let pending = self.output.pending().len();
            match want {
                Want::Drained if pending == 0 => Poll::Ready(Ok(())),
                Want::Room if pending < OUTPUT_PAUSE_BYTES => Poll::Ready(Ok(())),
                Want::Input if pending < OUTPUT_PAUSE_BYTES => self.poll_input(cx),
                _ => {
                    self.publish();
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Writes as much as the socket takes now.
    pub(super) fn write_some(&mut self, cx: &mut std::task::Context<'_>) -> io::Result<()> {
        while !self.output.pending().is_empty() {
            match self.stream.poll_write(cx, self.output.pending()) {
                Poll::Ready(written) => {
                    let n = written?;
                    let stats = self.server.stats.worker(self.worker.id);
                    stats.writes.add(1);
                    stats.output_bytes.add(n as u64);
                    self.output.wrote(n);
                }
                Poll::Pending => break,
            }
        }
        if self.output.pending().is_empty() {
            self.output.release(&self.worker.buffers);
        }
        Ok(())
    }

    pub(super) fn poll_input(&mut self, cx: &mut std::task::Context<'_>) -> Poll<io::Result<()>> {
        let needed = if self.decoder.is_mid_command() {
            self.decoder.needed()
        } else {
            1
        };
        let room = self.input.room(&self.worker.buffers, needed);
        match self.stream.poll_read(cx, room) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Ok(n)) => {
                self.input.filled(n);
                let stats = self.server.stats.worker(self.worker.id);
                stats.reads.add(1);
                stats.input_bytes.add(n as u64);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.input.release(&self.worker.buffers);
                self.publish();
                Poll::Pending
            }
        }
    }

    /// Tells the registry how full the buffers are.
    pub(super) fn publish(&self) {
        let info = &self.session.info;
        info.query_bytes.store(self.input.len(), Ordering::Relaxed);
        info.query_free.store(self.input.free(), Ordering::Relaxed);
        info.output_bytes
            .store(self.output.pending().len(), Ordering::Relaxed);
        info.output_capacity
            .store(self.output.bytes.capacity(), Ordering::Relaxed);
    }

    /// Closes a client that leaves more unread than the hard limit. The soft limit is watched by the worker.
    fn check_output_limit(&self) -> io::Result<()> {
        let pending = self.output.pending().len();
        if pending == 0 {
            return Ok(());
        }
        let hard_bytes = self
            .server
            .config
            .peek()
            .client_output_buffer
            .normal
            .hard_bytes;
        if hard_bytes == 0 || pending as u64 <= hard_bytes {
            return Ok(());
        }
        self.server
            .stats
            .worker(self.worker.id)
            .output_limit_closed
            .add(1);
        tracing::warn!(
            client = self.session.info.id.0,
            bytes = pending,
            "closed: output buffer limit reached"
        );
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

/// Lets the sessions of this worker that have input run before this one writes. Pipelines of writes take so long that a
/// client on the same machine falls asleep over each: replies that leave together wake it once (10 to 20 % more
/// writes per second with 50 clients and pipelines of 16 on two cores; single commands and reads lose by it). And whoever
/// waits for the disk waits with others: a sync asked for by the first of them would begin without the rest (30 % more
/// single writes per second under `appendfsync always`).
async fn let_others_run() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
