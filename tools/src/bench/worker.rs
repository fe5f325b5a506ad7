//! The loop of one thread of load.
//!
//! *Closed* (the default): each connection sends a batch of `--pipeline` requests, waits for all
//! replies, and sends the next. *Open* (`--rate`): request i is due at i / rate, whatever happened
//! to those before; it goes to a connection with room, or waits for one, and its latency counts
//! from when it was due. So a stalled server is charged for every request it held up, not only for
//! the few that were on the wire (no coordinated omission).

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use super::args::Plan;
use super::conn::{Conn, Moment};
use super::epoll::{Epoll, Ready, sharpen_timers};
use super::signals::interrupted;
use super::stats::Stats;
use super::template::Source;
use super::wire::Client;

/// Bytes taken from a socket at a time; more than the longest line the skipper may leave over.
const READ_BYTES: usize = 128 * 1024;
/// How often a waiting worker looks whether it should stop.
const LOOK_UP: Duration = Duration::from_millis(100);

/// What the workers of a phase have in common.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Requests taken from the budget, while measuring.
    issued: AtomicU64,
    /// Replies received, for the progress bar.
    pub(crate) replies: AtomicU64,
    /// Somebody failed.
    pub(crate) abort: AtomicBool,
}

impl Shared {
    /// Takes up to `wanted` requests from a budget of `limit`.
    fn take(&self, wanted: u64, limit: u64) -> u64 {
        let before = self.issued.fetch_add(wanted, Ordering::Relaxed);
        limit.saturating_sub(before).min(wanted)
    }
}

/// What a worker hands back.
pub(crate) struct Outcome {
    pub(crate) stats: Stats,
    /// Requests of an open loop that were due before the end but found no room.
    pub(crate) unsent: u64,
}

pub(crate) struct Worker<'a> {
    plan: &'a Plan,
    shared: &'a Shared,
    start: Instant,
    conns: Vec<Conn>,
    epoll: Epoll,
    rng: SmallRng,
    stats: Stats,
    schedule: Option<Schedule>,
    requests_under_way: usize,
    last_event: Instant,
    buf: Vec<u8>,
}

/// When the requests of an open loop are due, and which connections have room.
struct Schedule {
    interval_ns: f64,
    offset_ns: f64,
    next: u64,
    room: VecDeque<usize>,
    touched: Vec<usize>,
    over: bool,
}

impl Schedule {
    fn next_due_ns(&self) -> u64 {
        (self.offset_ns + self.next as f64 * self.interval_ns) as u64
    }
}

impl<'a> Worker<'a> {
    /// The `index`th worker of the plan.
    pub(crate) fn new(
        plan: &'a Plan,
        shared: &'a Shared,
        clients: Vec<Client>,
        index: usize,
    ) -> anyhow::Result<Worker<'a>> {
        let epoll = Epoll::new().context("epoll")?;
        let conns: Vec<Conn> = clients
            .into_iter()
            .map(|client| Conn::new(client.into_stream()))
            .collect::<Result<_, _>>()?;
        for (token, conn) in conns.iter().enumerate() {
            epoll.add(conn.stream().as_fd(), token).context("epoll")?;
        }
        let schedule = plan.rate.map(|rate| {
            // Threads take turns: each has every nth request.
            let interval_ns = 1e9 * plan.threads as f64 / rate;
            Schedule {
                interval_ns,
                offset_ns: interval_ns * index as f64 / plan.threads as f64,
                next: 0,
                room: (0..conns.len()).collect(),
                touched: Vec::new(),
                over: false,
            }
        });
        Ok(Worker {
            plan,
            shared,
            start: Instant::now(),
            conns,
            epoll,
            rng: SmallRng::seed_from_u64(plan.seed.wrapping_mul(1000) + index as u64),
            stats: Stats::new(plan.commands.len(), plan.series),
            schedule,
            requests_under_way: 0,
            last_event: Instant::now(),
            buf: vec![0; READ_BYTES],
        })
    }

    /// Runs until the budget is spent or the time is over, and all replies are in.
    pub(crate) fn run(mut self, start: Instant) -> anyhow::Result<Outcome> {
        self.start = start;
        self.last_event = start;
        if self.schedule.is_some() {
            sharpen_timers();
        } else {
            for index in 0..self.conns.len() {
                self.refill(index)?;
            }
        }
        while !self.is_finished() {
            let ready = self.epoll.wait(self.longest_wait()).context("epoll")?;
            for index in 0..ready {
                self.serve(self.epoll.ready(index))?;
            }
            self.issue_due()?;
            self.check_stall(ready == 0)?;
        }
        Ok(Outcome {
            unsent: self.unsent(),
            stats: self.stats,
        })
    }

    fn moment(&self) -> Moment {
        moment(self.start, self.plan)
    }

    /// When to stop sending; since the start.
    fn deadline_ns(&self) -> u64 {
        let end = |duration| (self.plan.warmup + duration).as_nanos() as u64;
        self.plan.duration.map_or(u64::MAX, end)
    }

    fn is_finished(&self) -> bool {
        let done_sending = self.schedule.as_ref().is_none_or(|schedule| schedule.over);
        (done_sending && self.requests_under_way == 0) || self.should_stop()
    }

    fn should_stop(&self) -> bool {
        interrupted() || self.shared.abort.load(Ordering::Relaxed)
    }

    fn longest_wait(&self) -> Duration {
        match &self.schedule {
            Some(schedule) if !schedule.over && !schedule.room.is_empty() => {
                let left_ns = schedule.next_due_ns().saturating_sub(self.moment().now_ns);
                Duration::from_nanos(left_ns).min(LOOK_UP)
            }
            _ => LOOK_UP,
        }
    }

    /// How many of `wanted` requests may be sent that count from `at_ns`.
    fn grant(&self, wanted: usize, at_ns: u64) -> usize {
        if at_ns >= self.deadline_ns() {
            return 0;
        }
        match self.plan.requests {
            Some(limit) if at_ns >= self.plan.warmup.as_nanos() as u64 => {
                self.shared.take(wanted as u64, limit) as usize
            }
            _ => wanted,
        }
    }

    fn serve(&mut self, ready: Ready) -> anyhow::Result<()> {
        let conn = &mut self.conns[ready.token];
        if ready.writable && conn.has_unsent() {
            let Moment {
                now_ns,
                measure_from_ns,
            } = moment(self.start, self.plan);
            conn.flush(&mut self.stats, now_ns >= measure_from_ns)?;
        }
        if !ready.readable {
            return Ok(());
        }
        let before = conn.under_way();
        let (start, plan) = (self.start, self.plan);
        conn.receive(plan, &mut self.buf, &mut self.stats, || moment(start, plan))?;
        let after = conn.under_way();
        self.requests_under_way -= before - after;
        self.shared
            .replies
            .fetch_add((before - after) as u64, Ordering::Relaxed);
        match &mut self.schedule {
            Some(schedule) if before == plan.pipeline && after < before => {
                schedule.room.push_back(ready.token)
            }
            None if before > 0 && after == 0 => self.refill(ready.token)?,
            _ => {}
        }
        Ok(())
    }

    /// Closed loop: sends the next batch on an idle connection.
    fn refill(&mut self, index: usize) -> anyhow::Result<()> {
        let Moment {
            now_ns,
            measure_from_ns,
        } = self.moment();
        let count = if self.should_stop() {
            0
        } else {
            self.grant(self.plan.pipeline, now_ns)
        };
        let mut source = source(self.plan, &mut self.rng);
        let conn = &mut self.conns[index];
        for _ in 0..count {
            conn.append(self.plan, &mut source, now_ns);
        }
        self.requests_under_way += count;
        conn.flush(&mut self.stats, now_ns >= measure_from_ns)
    }

    /// Open loop: sends what is due, as far as there is room.
    fn issue_due(&mut self) -> anyhow::Result<()> {
        let Moment {
            now_ns,
            measure_from_ns,
        } = self.moment();
        let Some(mut schedule) = self.schedule.take() else {
            return Ok(());
        };
        while !schedule.over && !schedule.room.is_empty() {
            let due_ns = schedule.next_due_ns();
            if due_ns > now_ns {
                break;
            }
            if self.grant(1, due_ns) == 0 {
                schedule.over = true;
                break;
            }
            let index = schedule.room.pop_front().expect("there is room");
            let conn = &mut self.conns[index];
            if !conn.has_unsent() {
                schedule.touched.push(index);
            }
            conn.append(self.plan, &mut source(self.plan, &mut self.rng), due_ns);
            if conn.under_way() < self.plan.pipeline {
                schedule.room.push_back(index);
            }
            self.requests_under_way += 1;
            schedule.next += 1;
        }
        // Full connections must not keep the clock from ending the run.
        schedule.over |= now_ns >= self.deadline_ns();
        for index in schedule.touched.drain(..) {
            self.conns[index].flush(&mut self.stats, now_ns >= measure_from_ns)?;
        }
        self.schedule = Some(schedule);
        Ok(())
    }

    /// Fails when replies have stopped coming. Called with `idle` when a wait ended with nothing.
    fn check_stall(&mut self, idle: bool) -> anyhow::Result<()> {
        if !idle || self.requests_under_way == 0 {
            self.last_event = Instant::now();
        } else if self.last_event.elapsed() > self.plan.timeout {
            bail!(
                "no reply for {} s with {} requests under way",
                self.plan.timeout.as_secs_f64(),
                self.requests_under_way
            );
        }
        Ok(())
    }

    /// What was due but found no room until the end.
    fn unsent(&self) -> u64 {
        match (&self.schedule, self.plan.duration) {
            (Some(schedule), Some(_)) if !interrupted() => {
                let left_ns = self.deadline_ns().saturating_sub(schedule.next_due_ns());
                (left_ns as f64 / schedule.interval_ns).ceil() as u64
            }
            _ => 0,
        }
    }
}

fn moment(start: Instant, plan: &Plan) -> Moment {
    Moment {
        now_ns: start.elapsed().as_nanos() as u64,
        measure_from_ns: plan.warmup.as_nanos() as u64,
    }
}

fn source<'s>(plan: &'s Plan, rng: &'s mut SmallRng) -> Source<'s> {
    Source {
        picker: &plan.picker,
        values: &plan.values,
        digits: plan.key_digits,
        elements: plan.elements,
        rng,
    }
}
