//! The nodes, what happens to them, and the network between them.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use basalt_binlog::{Binlog, Flags, Frame, Offset, Options, SimDoor};
use basalt_replication::ids::{History, HistoryFile, ReplicationId};
use basalt_replication::wire::Manifest;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::AbortHandle;

#[path = "followed.rs"]
mod followed;
#[path = "follower.rs"]
mod follower;

/// A node; everything but `door`, `base` and `number` is gone with its process.
pub(crate) struct Node {
    door: SimDoor,
    /// What a full sync brought, before the log begins.
    pub(crate) base: Vec<u8>,
    /// Counts its logs: each full sync begins another.
    number: u32,
    pub(crate) log: Binlog,
    pub(crate) history: History,
    /// Moves whenever the history does.
    pub(crate) changes: u64,
    pub(crate) follows: Option<usize>,
    pub(crate) linked: bool,
    pub(crate) snapshot: Option<(Manifest, Vec<u8>)>,
    pub(crate) staging: Option<follower::Staging>,
    /// How far its clock is off.
    shift_ms: i64,
    tasks: Vec<AbortHandle>,
}

pub(crate) type Shared = Rc<World>;

pub(crate) struct World {
    nodes: RefCell<Vec<Node>>,
    rng: RefCell<SmallRng>,
    /// Each link passes at most so many bytes each way; 0: all.
    budget: Cell<u64>,
    full_syncs: Cell<u64>,
    written: Cell<u64>,
}

fn options(number: u32, at: Offset, id: ReplicationId) -> Options {
    let mut options = Options::new(dir(number));
    options.segment_bytes = 32 << 10;
    options.ring_bytes = 16 << 10;
    options.background = false;
    options.retention.bytes = u64::MAX;
    options.create_at = at;
    options.replication_id = *id.as_bytes();
    options
}

fn dir(number: u32) -> PathBuf {
    PathBuf::from(format!("/node/log-{number}"))
}

impl Node {
    fn new(seed: u64) -> Node {
        let door = SimDoor::new(seed);
        let id = ReplicationId::random();
        let (log, _) = Binlog::open(options(0, Offset(0), id), Arc::new(door.clone())).unwrap();
        let node = Node {
            door,
            base: Vec::new(),
            number: 0,
            log,
            history: History::new(id),
            changes: 0,
            follows: None,
            linked: false,
            snapshot: None,
            staging: None,
            shift_ms: 0,
            tasks: Vec::new(),
        };
        node.save();
        node
    }

    fn file(&self) -> HistoryFile {
        HistoryFile::new(Arc::new(self.door.clone()), dir(self.number))
    }

    fn save(&self) {
        self.file().save(&self.history, "boot").unwrap();
    }

    /// Changes the history as the server does: on disk first.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut History)) {
        let before = self.history;
        change(&mut self.history);
        if self.history != before {
            self.save();
            self.log.set_replication_id(*self.history.id.as_bytes());
            self.log.rotate().unwrap();
            self.changes += 1;
        }
    }

    /// Starts again on what the disk has left. `power` says that it failed: then a master's log may lack a tail.
    fn start(&mut self, door: SimDoor, power: bool) {
        self.tasks.drain(..).for_each(|task| task.abort());
        self.door = door;
        let fresh = options(self.number, Offset(0), ReplicationId::random());
        let (log, report) = Binlog::open(fresh, Arc::new(self.door.clone())).unwrap();
        assert!(!report.created);
        let in_log = ReplicationId::from_log(report.replication_id);
        self.history = self.file().load(in_log).unwrap().history;
        if self.follows.is_none() && power && !report.clean {
            self.history.promote(report.end);
        }
        self.log = log;
        self.save();
        if self.history.id != in_log {
            self.log.set_replication_id(*self.history.id.as_bytes());
            self.log.rotate().unwrap();
        }
        self.changes += 1;
        (self.linked, self.snapshot, self.staging) = (false, None, None);
    }

    /// A full sync is complete: its data takes the place of what was here.
    pub(crate) fn swap(&mut self, manifest: &Manifest, base: Vec<u8>) {
        self.number += 1;
        let options = options(self.number, manifest.replay, manifest.id);
        let (log, _) = Binlog::open(options, Arc::new(self.door.clone())).unwrap();
        if let Some(db) = manifest.db {
            log.set_stream_db(db);
        }
        self.log = log;
        self.log.sync_now().unwrap();
        self.base = base;
        self.history.adopt(manifest.id);
        self.save();
        self.changes += 1;
    }

    /// Everything it holds up to `end`.
    pub(crate) fn content(&self, end: Offset) -> Vec<u8> {
        let mut all = self.base.clone();
        let mut stream = self.log.stream(self.log.first()).unwrap();
        while stream.read(&mut all, 1 << 20).unwrap() > 0 {}
        assert_eq!(all.len() as u64, self.log.end().0);
        all.truncate(end.0 as usize);
        all
    }

    /// The database at the end of the log.
    pub(crate) fn stream_db(&self) -> u16 {
        if let Some(db) = self.log.stream_db() {
            return db;
        }
        let (first, end) = (self.log.first(), self.log.end());
        if end <= first {
            return 0;
        }
        let mut reader = self.log.reader(Offset(end.0 - 1)).unwrap();
        let db = reader.next().unwrap().map_or(0, |frame| frame.end_db);
        self.log.set_stream_db(db);
        db
    }
}

impl World {
    pub(crate) fn new(count: usize, seed: u64) -> Shared {
        let mut nodes: Vec<Node> = (0..count as u64)
            .map(|n| Node::new(seed * 100 + n))
            .collect();
        for node in &mut nodes[1..] {
            node.follows = Some(0);
        }
        let world = Rc::new(World {
            nodes: RefCell::new(nodes),
            rng: RefCell::new(SmallRng::seed_from_u64(seed ^ 0x5eed)),
            budget: Cell::new(0),
            full_syncs: Cell::new(0),
            written: Cell::new(0),
        });
        (0..count).for_each(|node| world.begin(node));
        world
    }

    pub(crate) fn with<R>(&self, node: usize, work: impl FnOnce(&mut Node) -> R) -> R {
        work(&mut self.nodes.borrow_mut()[node])
    }

    fn count(&self) -> usize {
        self.nodes.borrow().len()
    }

    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.rng.borrow_mut().random_range(0..limit)
    }

    pub(crate) fn count_full_sync(&self) {
        self.full_syncs.set(self.full_syncs.get() + 1);
    }

    pub(crate) fn full_syncs(&self) -> u64 {
        self.full_syncs.get()
    }

    pub(crate) fn leader(&self) -> usize {
        let nodes = self.nodes.borrow();
        nodes
            .iter()
            .position(|node| node.follows.is_none())
            .unwrap()
    }

    /// Has a task be a part of a node's process.
    pub(crate) fn spawn(self: &Rc<Self>, node: usize, task: impl Future<Output = ()> + 'static) {
        let handle = tokio::task::spawn_local(task).abort_handle();
        self.with(node, |node| node.tasks.push(handle));
    }

    fn begin(self: &Rc<Self>, node: usize) {
        if self.with(node, |node| node.follows.is_some()) {
            self.spawn(node, follower::follow(Rc::clone(self), node));
        }
    }

    /// The leader writes.
    pub(crate) fn write(&self, frames: u64) {
        let leader = self.leader();
        for _ in 0..frames {
            let number = self.written.get();
            self.written.set(number + 1);
            let (kind, db, bytes) = (
                self.below(10),
                self.below(3) as u16,
                self.below(400) as usize,
            );
            let key = format!("k{number}");
            let set = format!(
                "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${bytes}\r\n{}\r\n",
                key.len(),
                "v".repeat(bytes)
            );
            let (multi, exec) = ("*1\r\n$5\r\nMULTI\r\n", "*1\r\n$4\r\nEXEC\r\n");
            self.with(leader, |node| {
                let now = (1_000_000_000 + number as i64 + node.shift_ms) as u64;
                let mut frame = Frame::data(now, (number % 16384) as u16, db);
                let done = match kind {
                    0 => node
                        .log
                        .append(&Frame::no_data(now), &[b"*1\r\n$4\r\nPING\r\n"]),
                    1 => {
                        frame.flags = Flags::GROUP;
                        frame.effects = 2;
                        let parts = [multi, &set, &set, exec].map(str::as_bytes);
                        node.log.append(&frame, &parts)
                    }
                    _ => node.log.append(&frame, &[set.as_bytes()]),
                };
                done.unwrap();
            });
        }
    }

    /// A sign of life in the stream.
    pub(crate) fn ping(&self, node: usize) {
        self.with(node, |n| {
            let ping = basalt_replication::wire::ping();
            n.log.append(&Frame::no_data(1), &[&ping]).unwrap();
        });
    }

    /// Whoever holds `id` up to `from` holds a beginning of what `node` holds.
    pub(crate) fn assert_beginning(&self, node: usize, id: &ReplicationId, from: Offset) {
        let nodes = self.nodes.borrow();
        let content = nodes[node].content(from);
        let asks = |other: &&Node| other.history.id == *id && other.log.end() == from;
        for other in nodes.iter().filter(asks) {
            assert!(other.content(from) == content, "not a beginning");
        }
    }

    pub(crate) fn cut_links_within(&self, bytes: u64) {
        self.budget.set(bytes);
    }

    pub(crate) fn kill(self: &Rc<Self>, node: usize) {
        self.with(node, |node| {
            let left = node.door.kill();
            node.start(left, false);
        });
        self.begin(node);
    }

    pub(crate) fn lose_power(self: &Rc<Self>, node: usize) {
        self.with(node, |node| {
            let left = node.door.power_cut();
            node.start(left, true);
        });
        self.begin(node);
    }

    pub(crate) fn sync(&self, node: usize) {
        self.with(node, |node| node.log.sync_now().unwrap());
    }

    pub(crate) fn jump(&self, node: usize, shift_ms: i64) {
        self.with(node, |node| node.shift_ms = shift_ms);
    }

    /// A replica leads from here on, whatever it lacks; the others follow it.
    pub(crate) fn promote(self: &Rc<Self>, chosen: usize) {
        if chosen == self.leader() {
            return;
        }
        let count = self.count();
        for node in 0..count {
            self.with(node, |node| {
                node.tasks.drain(..).for_each(|task| task.abort());
                (node.linked, node.staging) = (false, None);
            });
        }
        self.with(chosen, |node| {
            node.follows = None;
            let end = node.log.end();
            node.change(|history| history.promote(end));
            node.log.force_select();
        });
        for node in (0..count).filter(|node| *node != chosen) {
            self.with(node, |node| node.follows = Some(chosen));
            self.begin(node);
        }
    }

    /// A replica follows another one that follows the leader, or the leader again.
    pub(crate) fn rewire(self: &Rc<Self>, chosen: usize) {
        let leader = self.leader();
        let others = 0..self.count();
        let direct = |node: &usize| {
            *node != chosen && self.with(*node, |n| n.follows.is_none_or(|m| m == leader))
        };
        let choices: Vec<usize> = others.filter(direct).collect();
        let is_followed = |node: usize| self.with(node, |n| n.follows == Some(chosen));
        if (0..self.count()).any(is_followed) {
            return;
        }
        let target = choices[self.below(choices.len() as u64) as usize];
        self.with(chosen, |node| {
            node.tasks.drain(..).for_each(|task| task.abort());
            (node.linked, node.staging) = (false, None);
            node.follows = Some(target);
        });
        self.begin(chosen);
    }

    /// Waits until all have what the leader has.
    pub(crate) async fn settle(&self) {
        let leader = self.leader();
        for _ in 0..6000 {
            let end = self.with(leader, |node| node.log.end());
            let count = self.count();
            let has_all = |node: &usize| {
                self.with(*node, |n| {
                    n.log.end() == end && (n.linked || *node == leader)
                })
            };
            if (0..count).filter(has_all).count() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let ends: Vec<_> = self
            .nodes
            .borrow()
            .iter()
            .map(|n| (n.follows, n.linked, n.log.end()))
            .collect();
        panic!("not settled within ten minutes: {ends:?}");
    }

    pub(crate) fn assert_same(&self) {
        let nodes = self.nodes.borrow();
        let leader = nodes.iter().find(|node| node.follows.is_none()).unwrap();
        let content = leader.content(Offset::MAX);
        for node in nodes.iter() {
            assert!(node.content(Offset::MAX) == content, "contents differ");
            assert_eq!(node.history.id, leader.history.id);
            // Logs begin at different places.
            let (ours, theirs) = (databases(node), databases(leader));
            let common = ours.len().min(theirs.len());
            assert_eq!(ours[ours.len() - common..], theirs[theirs.len() - common..]);
        }
    }

    /// A link to a node: a stream, or nothing if it cannot be had just now.
    pub(crate) fn connect(self: &Rc<Self>, to: usize) -> DuplexStream {
        let (ours, near) = tokio::io::duplex(1 << 14);
        let (far, theirs) = tokio::io::duplex(1 << 14);
        let (near_read, near_write) = tokio::io::split(near);
        let (far_read, far_write) = tokio::io::split(far);
        tokio::task::spawn_local(carry(Rc::clone(self), near_read, far_write));
        tokio::task::spawn_local(carry(Rc::clone(self), far_read, near_write));
        self.spawn(to, followed::serve(Rc::clone(self), to, theirs));
        ours
    }
}

/// The database after each data frame.
fn databases(node: &Node) -> Vec<u16> {
    let mut reader = node.log.reader(node.log.first()).unwrap();
    let mut all = Vec::new();
    while let Some(frame) = reader.next().unwrap() {
        if !frame.flags.has(Flags::NO_DATA) {
            all.push(frame.end_db);
        }
    }
    all
}

/// Carries bytes one way, late, until the budget is used up.
async fn carry(world: Shared, mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
    let mut left = match world.budget.get() {
        0 => u64::MAX,
        most => world.below(most) + 1,
    };
    let mut bytes = vec![0; 4096];
    while left > 0 {
        let most = (world.below(4096) + 1).min(left) as usize;
        let Ok(read @ 1..) = from.read(&mut bytes[..most]).await else {
            break;
        };
        left -= read as u64;
        tokio::time::sleep(Duration::from_micros(world.below(3000))).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
