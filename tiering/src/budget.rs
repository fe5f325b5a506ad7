//! The memory budget: one number for the whole process, read from the allocator.
//!
//! `maxmemory` covers hot entries, memtables, filters, block cache and client buffers. The housekeeper
//! samples the allocator, frees memory above the low mark, and sets the admission that writers look at:
//! beyond the budget they wait for room (they are slowed, not killed), and where the policy frees nothing
//! they get the out-of-memory error.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tikv_jemalloc_ctl::{epoch, stats};

use crate::store::{Inner, StoreLimits};

/// What happens when there is no more room: the names of Redis' `maxmemory-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Refuse writes that need memory.
    NoEviction,
    /// Evict the keys used least lately.
    AllKeysLru,
    /// Of those with an expiry.
    VolatileLru,
    /// Evict the keys used least often.
    AllKeysLfu,
    /// Of those with an expiry.
    VolatileLfu,
    /// Evict any key.
    AllKeysRandom,
    /// Of those with an expiry.
    VolatileRandom,
    /// Evict the keys that expire first.
    VolatileTtl,
}

impl Policy {
    /// All policies with their names.
    pub const NAMES: [(Policy, &'static str); 8] = [
        (Policy::NoEviction, "noeviction"),
        (Policy::AllKeysLru, "allkeys-lru"),
        (Policy::VolatileLru, "volatile-lru"),
        (Policy::AllKeysLfu, "allkeys-lfu"),
        (Policy::VolatileLfu, "volatile-lfu"),
        (Policy::AllKeysRandom, "allkeys-random"),
        (Policy::VolatileRandom, "volatile-random"),
        (Policy::VolatileTtl, "volatile-ttl"),
    ];

    /// The policy with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Policy> {
        Policy::NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(policy, _)| *policy)
    }

    /// True if recency decides.
    #[must_use]
    pub fn is_lru(self) -> bool {
        matches!(self, Policy::AllKeysLru | Policy::VolatileLru)
    }

    /// True if only keys with an expiry are evicted.
    #[must_use]
    pub fn volatile_only(self) -> bool {
        matches!(
            self,
            Policy::VolatileLru
                | Policy::VolatileLfu
                | Policy::VolatileRandom
                | Policy::VolatileTtl
        )
    }
}

/// Whether a write may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Admission {
    /// Yes.
    Go = 0,
    /// When there is room: await `Store::room` and ask again.
    Wait = 1,
    /// No: the limit is reached and the policy frees nothing.
    OutOfMemory = 2,
}

/// Kept free for what comes and goes unasked (compactions, buffers): this share of the budget, in percent …
const HEADROOM_PERCENT: u64 = 4;
/// … but at least this much, if that is at most a quarter of the budget.
const HEADROOM_BYTES: u64 = 36 << 20;
/// Once memory is freed, this much more than necessary, in percent of the budget.
const SLACK_PERCENT: u64 = 3;
/// Reads promote freely while this much more is free, in percent of the budget.
const ROOMY_PERCENT: u64 = 5;
/// … and if memory has had to be freed within this time they do not: what is free then is soon wanted again, and a scan
/// would fill it with keys that are read once.
const ROOMY_AFTER_MS: u64 = 30_000;
/// What the allocator holds from the system may be this share of the budget; beyond it freed pages are returned
/// at once, and what fragmentation keeps is taken off the budget.
const RESIDENT_PERCENT: u64 = 97;
/// Beyond this share writers wait whatever the allocations are: pages have to be returned first.
const RESIDENT_STOP_PERCENT: u64 = 102;
/// What the whole process may have resident, mapped files included …
const PROMISED_PERCENT: u64 = 125;
/// … and what of it is for what is under way while writers wait: in small budgets mapped files and this leave less than
/// the shares above.
const UNDER_WAY_PERCENT: u64 = 20;
/// … and at least this much: batches and buffers have a size of their own.
const UNDER_WAY_BYTES: u64 = 13 << 20;
/// What memtables held lately is kept for them: they give memory back all at once, and writers who were let in by that would
/// come in bursts and wait long in between. In this time about two thirds of it are given up …
const MEMTABLES_KEPT_MS: u64 = 10_000;
/// … and so much of the budget at most.
const MEMTABLES_KEPT_SHARE: u64 = 16;
/// Fragmentation takes at most this part of the budget off it; what is left is used, whatever stays resident.
const MARGIN_SHARE: u64 = 3;
/// Slabs may waste this share of the budget, in percent, before what is in them is moved together …
const WASTE_PERCENT: u64 = 4;
/// … which is done from this share of what may be resident on.
const PACK_PERCENT: u64 = 90;
/// Between two returns of freed pages.
const PURGE_EVERY_MS: u64 = 100;
/// How long "nothing can be freed" is believed.
pub(crate) const EXHAUSTED_MS: u64 = 50;
/// Share of the machine's memory that is the budget if none is given.
const DEFAULT_PERCENT: u64 = 60;

/// Figures of the budget and the admission writers see.
#[derive(Debug)]
pub(crate) struct Budget {
    tiering: bool,
    max: AtomicU64,
    used: AtomicU64,
    /// Pages in which the allocations lie, bytes.
    active: AtomicU64,
    resident: AtomicU64,
    mapped: AtomicU64,
    peak: AtomicU64,
    admission: AtomicU8,
    /// LFU counter at which entries were last let go.
    threshold: AtomicU8,
    /// Until then (ms of `born`) nothing more can be freed, as far as the reliever knows.
    exhausted_until_ms: AtomicU64,
    /// What fragmentation takes off the budget, bytes.
    margin: AtomicU64,
    memtables: Mutex<Memtables>,
    /// What is kept for memtables beyond what they hold, as `memtables` has it, without its lock.
    memtables_kept: AtomicU64,
    last_purge_ms: AtomicU64,
    /// When memory last had to be freed (ms of `born`); `u64::MAX`: never.
    last_excess_ms: AtomicU64,
    born: Instant,
    disk_full: AtomicBool,
    /// More comes to the cold tier than is evicted from it.
    disk_behind: AtomicBool,
    /// Pages become dirty faster than they are written.
    behind: AtomicBool,
    waiters: Mutex<Vec<Waker>>,
    /// Set to have the next look at the allocator at once.
    urgent: Mutex<bool>,
    urgency: Condvar,
    policy: Mutex<Policy>,
}

/// Memory of the cold tier's memtables. It grows with every batch and is given back all at once.
#[derive(Debug, Default)]
struct Memtables {
    /// What they hold.
    bytes: u64,
    /// What they held lately, and will soon hold again, beyond that.
    kept: u64,
    noted_ms: u64,
}

impl Memtables {
    /// Notes what they hold now; `most` is what may be kept for them.
    fn note(&mut self, bytes: u64, now_ms: u64, most: u64) {
        let passed_ms = now_ms.saturating_sub(self.noted_ms);
        let beyond = (self.bytes + self.kept).saturating_sub(bytes);
        let gone = (beyond * passed_ms.min(MEMTABLES_KEPT_MS)).div_ceil(MEMTABLES_KEPT_MS);
        *self = Memtables {
            bytes,
            kept: (beyond - gone).min(most),
            noted_ms: now_ms,
        };
    }
}

/// The budget in force for these limits; 0: none.
pub(crate) fn effective_max(tiering: bool, limits: &StoreLimits) -> u64 {
    match (limits.maxmemory, tiering) {
        (0, true) => machine_memory() / 100 * DEFAULT_PERCENT,
        (max, _) => max,
    }
}

/// The cold tier's part of the budget: memtables, block cache, filters, indexes.
pub(crate) fn cold_share(tiering: bool, limits: &StoreLimits) -> usize {
    share_of(tiering, effective_max(tiering, limits))
}

fn share_of(tiering: bool, max: u64) -> usize {
    const LEAST: u64 = 16 << 20;
    const MOST: u64 = 8 << 30;
    const UNBOUNDED: u64 = 2 << 30;
    let max = if max == 0 { UNBOUNDED } else { max };
    // Without tiering the cold tier is only written: it needs memtables, no cache.
    let share = if tiering {
        max / 5
    } else {
        (max / 16).min(128 << 20)
    };
    share.clamp(LEAST, MOST) as usize
}

/// Memory of the machine, or of the control group if that is less.
fn machine_memory() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let group = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse::<u64>().ok());
    let total = read("/proc/meminfo").and_then(|text| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim()
            .strip_suffix("kB")?
            .trim()
            .parse::<u64>()
            .ok()
            .map(|kib| kib << 10)
    });
    match (total, group) {
        (Some(total), Some(group)) => total.min(group),
        (total, group) => total.or(group).unwrap_or(4 << 30),
    }
}

/// Resident memory of the process: without mapped files, and of mapped files (proc(5), `statm`). The allocator's own
/// figure does not know what huge pages keep resident.
fn resident_bytes() -> Option<(u64, u64)> {
    const PAGE_BYTES: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some((
        resident.saturating_sub(shared) * PAGE_BYTES,
        shared * PAGE_BYTES,
    ))
}

impl Budget {
    pub(crate) fn new(tiering: bool, limits: &StoreLimits) -> Budget {
        let budget = Budget {
            tiering,
            max: AtomicU64::new(0),
            used: AtomicU64::new(0),
            active: AtomicU64::new(0),
            resident: AtomicU64::new(0),
            mapped: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            admission: AtomicU8::new(Admission::Go as u8),
            threshold: AtomicU8::new(0),
            exhausted_until_ms: AtomicU64::new(0),
            margin: AtomicU64::new(0),
            memtables: Mutex::default(),
            memtables_kept: AtomicU64::new(0),
            last_purge_ms: AtomicU64::new(0),
            last_excess_ms: AtomicU64::new(u64::MAX),
            born: Instant::now(),
            disk_full: AtomicBool::new(false),
            disk_behind: AtomicBool::new(false),
            behind: AtomicBool::new(false),
            waiters: Mutex::new(Vec::new()),
            urgent: Mutex::new(false),
            urgency: Condvar::new(),
            policy: Mutex::new(limits.policy),
        };
        budget.configure(limits);
        budget
    }

    /// Takes new limits and judges at once.
    pub(crate) fn configure(&self, limits: &StoreLimits) {
        self.max.store(effective_max(self.tiering, limits), Relaxed);
        *self.policy.lock() = limits.policy;
        self.set_exhausted(false);
        self.sample();
        self.judge();
    }

    /// The cold tier's part of the budget now in force.
    pub(crate) fn cold_bytes(&self) -> usize {
        share_of(self.tiering, self.max.load(Relaxed))
    }

    /// Reads the allocator's figure, and the system's.
    pub(crate) fn sample(&self) {
        // Advancing the epoch refreshes the cached statistics; the reads after it cannot fail then.
        if epoch::advance().is_err() {
            return;
        }
        let used = stats::allocated::read().unwrap_or(0) as u64;
        self.used.store(used, Relaxed);
        self.active
            .store(stats::active::read().unwrap_or(0) as u64, Relaxed);
        self.peak.fetch_max(used, Relaxed);
        let (resident, mapped) =
            resident_bytes().unwrap_or_else(|| (stats::resident::read().unwrap_or(0) as u64, 0));
        self.resident.store(resident, Relaxed);
        self.mapped.store(mapped, Relaxed);
    }

    /// Notes what memtables hold.
    pub(crate) fn note_memtables(&self, bytes: u64) {
        let max = self.max.load(Relaxed);
        if self.tiering && max > 0 {
            let mut memtables = self.memtables.lock();
            memtables.note(bytes, self.age_ms(), max / MEMTABLES_KEPT_SHARE);
            self.memtables_kept.store(memtables.kept, Relaxed);
        }
    }

    /// So much may be resident without mapped files: `percent` of the budget, less where the budget is small.
    fn resident_limit(&self, percent: u64) -> u64 {
        let max = self.max.load(Relaxed);
        if !self.tiering {
            // As with Redis, the allocations count, up to the whole budget.
            return max;
        }
        let mapped = self.mapped.load(Relaxed);
        let under_way = (max / 100 * UNDER_WAY_PERCENT).max(UNDER_WAY_BYTES.min(max / 4));
        let promised = max / 100 * PROMISED_PERCENT - under_way;
        // Of a budget the process hardly fits into at least half is for data.
        (max / 100 * percent).min(promised.saturating_sub(mapped).max(max / 2))
    }

    /// What counts against the budget: the allocations, what memtables will soon hold again, and what fragmentation keeps
    /// beyond its share.
    fn charged(&self) -> u64 {
        let kept = self.memtables_kept.load(Relaxed);
        self.used.load(Relaxed) + kept + self.margin.load(Relaxed)
    }

    fn age_ms(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }

    /// Returns freed pages to the system if too many are held, and takes off the budget what does not go.
    pub(crate) fn trim(&self) {
        let max = self.max.load(Relaxed);
        let allowed = self.resident_limit(RESIDENT_PERCENT);
        let now_ms = self.age_ms();
        if max == 0 || now_ms < self.last_purge_ms.load(Relaxed) + PURGE_EVERY_MS {
            return;
        }
        let margin = self.margin.load(Relaxed);
        if self.resident.load(Relaxed) > allowed / 100 * 95 {
            self.last_purge_ms.store(now_ms, Relaxed);
            crate::allocator::purge();
            self.sample();
            if !self.tiering {
                // As with Redis, the allocations count. Evicting keys here and there would return no pages anyway.
                return;
            }
            let beyond = self.resident.load(Relaxed).saturating_sub(allowed);
            let wanted = (margin + beyond / 3).max(self.margin_to_free());
            self.margin.store(wanted.min(max / MARGIN_SHARE), Relaxed);
        } else if margin > 0 {
            self.last_purge_ms.store(now_ms, Relaxed);
            self.margin.store(margin - margin.div_ceil(16), Relaxed);
        }
    }

    /// Bytes that lie free between allocations, where it is worth moving these together; else zero.
    pub(crate) fn wasted_in_slabs(&self) -> u64 {
        let max = self.max.load(Relaxed);
        let limit = self.resident_limit(PACK_PERCENT);
        if !self.tiering || max == 0 || self.resident.load(Relaxed) < limit {
            return 0;
        }
        let wasted = self
            .active
            .load(Relaxed)
            .saturating_sub(self.used.load(Relaxed));
        if wasted > max / 100 * WASTE_PERCENT {
            wasted
        } else {
            0
        }
    }

    /// The margin at which as much is freed as is resident too much: writers that wait for pages to be returned must not
    /// wait for good.
    fn margin_to_free(&self) -> u64 {
        if !self.tiering {
            return 0;
        }
        let limit = self.resident_limit(RESIDENT_STOP_PERCENT);
        match self.resident.load(Relaxed).saturating_sub(limit) {
            0 => 0,
            beyond => {
                let mark = self.max.load(Relaxed) - self.headroom();
                (mark + beyond).saturating_sub(self.used.load(Relaxed))
            }
        }
    }

    /// True while too much is resident and something can still be let go for it.
    fn is_bloated(&self) -> bool {
        self.resident.load(Relaxed) > self.resident_limit(RESIDENT_STOP_PERCENT)
            && self.margin.load(Relaxed) < self.max.load(Relaxed) / MARGIN_SHARE
    }

    /// Bytes to be freed now; zero below the high mark.
    pub(crate) fn excess(&self) -> u64 {
        let max = self.max.load(Relaxed);
        let charged = self.charged();
        if max == 0 || charged <= max - self.headroom() {
            return 0;
        }
        self.last_excess_ms.store(self.age_ms(), Relaxed);
        charged - self.low_mark()
    }

    /// Memory-only mode has none: it evicts at the limit itself, as Redis does.
    fn headroom(&self) -> u64 {
        let max = self.max.load(Relaxed);
        if self.tiering {
            (max / 100 * HEADROOM_PERCENT).max(HEADROOM_BYTES.min(max / 4))
        } else {
            0
        }
    }

    /// Memory is freed down to this.
    fn low_mark(&self) -> u64 {
        let max = self.max.load(Relaxed);
        let slack = if self.tiering {
            max / 100 * SLACK_PERCENT
        } else {
            0
        };
        max - self.headroom() - slack
    }

    /// Notes whether the last round could free anything.
    pub(crate) fn set_exhausted(&self, exhausted: bool) {
        let until = if exhausted {
            self.age_ms() + EXHAUSTED_MS
        } else {
            0
        };
        self.exhausted_until_ms.store(until, Relaxed);
    }

    fn is_exhausted(&self) -> bool {
        self.exhausted_until_ms.load(Relaxed) > self.age_ms()
    }

    /// Notes whether `maxdisk` is reached and nothing may be evicted for it, and whether keys are evicted more slowly than
    /// others come.
    pub(crate) fn set_disk(&self, full: bool, behind: bool) {
        let was = (
            self.disk_full.swap(full, Relaxed),
            self.disk_behind.swap(behind, Relaxed),
        );
        if was != (full, behind) {
            self.judge();
        }
    }

    /// Has writers wait until the pages that are dirty have been written, or lets them go on.
    pub(crate) fn set_behind(&self, behind: bool) {
        if self.behind.swap(behind, Relaxed) != behind {
            self.judge();
        }
    }

    /// Sets the admission after a sample or a round, and wakes the writers that wait.
    pub(crate) fn judge(&self) {
        let max = self.max.load(Relaxed);
        // Writers stop half-way into the headroom.
        let bloated = self.tiering && self.is_bloated();
        let over = max != 0 && (bloated || self.charged() > max - self.headroom() / 2);
        let over = over || self.behind.load(Relaxed) || self.disk_behind.load(Relaxed);
        let frees_nothing = *self.policy.lock() == Policy::NoEviction;
        let admission = if self.tiering {
            match (self.disk_full.load(Relaxed), over, self.is_exhausted()) {
                (true, _, _) => Admission::OutOfMemory,
                // What is left is not data (memtables, buffers): waiting would not help.
                (false, true, false) => Admission::Wait,
                _ => Admission::Go,
            }
        } else if over {
            let refuse = frees_nothing || self.is_exhausted();
            if refuse {
                Admission::OutOfMemory
            } else {
                Admission::Wait
            }
        } else {
            Admission::Go
        };
        self.admission.store(admission as u8, Relaxed);
        self.waiters.lock().drain(..).for_each(Waker::wake);
    }

    /// Whether a write may go on.
    #[inline]
    pub(crate) fn admit(&self) -> Admission {
        match self.admission.load(Relaxed) {
            0 => Admission::Go,
            1 => Admission::Wait,
            _ => Admission::OutOfMemory,
        }
    }

    fn wait(&self, waker: &Waker) {
        self.waiters.lock().push(waker.clone());
        self.hurry();
    }

    /// Wakes the reliever.
    pub(crate) fn hurry(&self) {
        *self.urgent.lock() = true;
        self.urgency.notify_one();
    }

    /// Time until the next look at the allocator: the nearer the limit, the sooner.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_millis(if self.is_near() { 2 } else { 20 })
    }

    /// Time until the reliever's next round, if nobody wakes it.
    pub(crate) fn relief_pause(&self) -> Duration {
        Duration::from_millis(if self.is_near() { 10 } else { 50 })
    }

    fn is_near(&self) -> bool {
        let max = self.max.load(Relaxed);
        max != 0 && self.charged() > max / 100 * 80
    }

    /// The reliever sleeps, until someone waits for room.
    pub(crate) fn sleep(&self, limit: Duration) {
        let mut urgent = self.urgent.lock();
        if !*urgent {
            self.urgency.wait_for(&mut urgent, limit);
        }
        *urgent = false;
    }

    /// The part of the log that recovery may replay into memory without exceeding the budget.
    pub(crate) fn replay_bytes(&self) -> u64 {
        const LEAST: u64 = 16 << 20;
        match self.max.load(Relaxed) {
            0 => u64::MAX,
            max => (max / 4).max(LEAST),
        }
    }

    /// Dirty bytes of one value from which on it is written at once.
    pub(crate) fn object_dirty_bytes(&self) -> u64 {
        const LEAST: u64 = 2 << 20;
        const MOST: u64 = 256 << 20;
        match self.max.load(Relaxed) {
            0 => MOST,
            max => (max / 32).clamp(LEAST, MOST),
        }
    }

    /// Whether a cold key with this counter, touched so often lately, is kept in memory when read.
    pub(crate) fn admits(&self, counter: u8, touches: u8) -> bool {
        self.is_roomy() || (touches >= 2 && counter >= self.threshold.load(Relaxed))
    }

    /// True while reads promote freely.
    pub(crate) fn is_roomy(&self) -> bool {
        let max = self.max.load(Relaxed);
        max == 0
            || (self.charged() < self.low_mark() - max / 100 * ROOMY_PERCENT
                && !self.was_full_lately())
    }

    fn was_full_lately(&self) -> bool {
        let then = self.last_excess_ms.load(Relaxed);
        then != u64::MAX && self.age_ms().saturating_sub(then) < ROOMY_AFTER_MS
    }

    /// LFU counter at which entries were last let go.
    pub(crate) fn threshold(&self) -> u8 {
        self.threshold.load(Relaxed)
    }

    pub(crate) fn set_threshold(&self, counter: u8) {
        self.threshold.store(counter, Relaxed);
    }

    /// Budget, allocations, what the allocator holds, and the peak of the allocations; in bytes.
    pub(crate) fn figures(&self) -> (u64, u64, u64, u64) {
        let load = |figure: &AtomicU64| figure.load(Relaxed);
        (
            load(&self.max),
            load(&self.used),
            load(&self.resident),
            load(&self.peak),
        )
    }
}

impl Inner {
    /// Has the budget look at the figures anew.
    pub(crate) fn sample_memory(&self) {
        if self.has_cold() {
            self.budget.note_memtables(self.cold().memtable_bytes());
        }
        self.budget.sample();
    }
}

/// Resolves at the housekeeper's next judgement.
#[derive(Debug)]
pub struct RoomWait {
    inner: Arc<Inner>,
    registered: bool,
}

impl RoomWait {
    pub(crate) fn new(inner: &Arc<Inner>) -> RoomWait {
        RoomWait {
            inner: Arc::clone(inner),
            registered: false,
        }
    }
}

impl Future for RoomWait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.registered || self.inner.budget.admit() != Admission::Wait {
            return Poll::Ready(());
        }
        self.registered = true;
        self.inner.budget.wait(context.waker());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_memtables_give_back_is_kept_for_them_for_a_while() {
        const MOST: u64 = 16;
        let mut memtables = Memtables::default();
        let mut note = |bytes, now_ms| {
            memtables.note(bytes, now_ms, MOST);
            memtables.kept
        };
        assert_eq!(note(12, 0), 0);
        assert_eq!(
            note(2, 1),
            9,
            "a little less at once: rounding must not keep it for good"
        );
        assert_eq!(note(7, 1), 4, "what they hold again is not kept beside it");
        assert_eq!(note(40, 1), 0);
        assert_eq!(note(0, 1), MOST);
        assert_eq!(note(0, 1 + MEMTABLES_KEPT_MS / 2), MOST / 2);
        assert_eq!(note(0, 1 + 2 * MEMTABLES_KEPT_MS), 0);
    }

    #[test]
    fn what_is_kept_for_memtables_counts_against_the_budget_with_tiering_alone() {
        let limits = StoreLimits {
            maxmemory: 256 << 20,
            maxdisk: 0,
            policy: Policy::NoEviction,
            samples: 5,
            lfu_log_factor: 10,
            lfu_decay_minutes: 1,
            checkpoint_interval_ms: 60_000,
            replay_limit_bytes: 64 << 20,
            active_expire: true,
            expire_percent: 10,
            warmup: true,
            warmup_rate: 0,
        };
        let kept = |tiering| {
            let budget = Budget::new(tiering, &limits);
            budget.note_memtables(12 << 20);
            budget.note_memtables(0);
            budget.charged() - budget.used.load(Relaxed) - budget.margin.load(Relaxed)
        };
        assert!((6 << 20..=12 << 20).contains(&kept(true)));
        assert_eq!(kept(false), 0);
    }
}
