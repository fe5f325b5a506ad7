//! A blocked command from its session's side: it waits until somebody serves it (`blocking`), its time is over, somebody
//! unblocks it, or its client leaves.
//!
//! What the client sends meanwhile is read, so that its leaving is noticed, and run afterwards.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::batch::Batch;
use super::run::Connection;
use crate::blocking::{Blocked, Delivery};
use crate::clients::flag;
use crate::dispatch::Row;

/// For a wait without end, which has no use of the timer.
const LONG: Duration = Duration::from_secs(365 * 86_400);

impl Connection {
    /// Waits for the end of the current command, which blocks, and ends it.
    pub(super) async fn wait_blocked(&mut self, row: &'static Row) -> io::Result<()> {
        let mut blocked = self
            .session
            .blocked
            .take()
            .expect("the command was registered");
        self.session.info.set_flag(flag::BLOCKED, true);
        self.await_durability().await?;
        let delivery = self.until_served(&mut blocked).await;
        self.session.info.set_flag(flag::BLOCKED, false);
        let delivery = delivery?;
        drop(blocked);
        if delivery.written_to.is_some() {
            self.session.written_to = delivery.written_to;
        }
        self.closing |= delivery.closes;
        let worker = Rc::clone(&self.worker);
        Batch::new(self, &worker).finish_later(row, &delivery.reply, None);
        Ok(())
    }

    async fn until_served(&mut self, blocked: &mut Blocked) -> io::Result<Delivery> {
        let deadline = blocked.deadline.unwrap_or_else(|| Instant::now() + LONG);
        let mut sleep = pin!(tokio::time::sleep_until(deadline.into()));
        let mut timer = blocked.deadline.is_some();
        poll_fn(|cx| {
            self.write_some(cx)?;
            if let Poll::Ready(delivery) = Pin::new(&mut blocked.receiver).poll(cx) {
                // Whoever ends a wait sends a reply; if he died of a panic, so does the process.
                return Poll::Ready(delivery.map_err(|_| io::ErrorKind::ConnectionAborted.into()));
            }
            if timer && is_over(sleep.as_mut(), cx) {
                timer = false;
                if let Some(delivery) = blocked.time_out() {
                    return Poll::Ready(Ok(delivery));
                }
            }
            self.read_ahead(cx)
        })
        .await
    }

    /// Reads what comes in behind the blocked command, up to the limit of what a client may leave unanswered.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Delivery>> {
        let most = self.server.config.peek().client_query_buffer_bytes;
        while self.input.len() as u64 <= most {
            match self.poll_input(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        tracing::warn!(
            client = self.session.info.id.0,
            "closed: query buffer limit reached"
        );
        self.server
            .stats
            .worker(self.worker.id)
            .query_limit_closed
            .add(1);
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

fn is_over(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
    sleep.poll(cx).is_ready()
}
