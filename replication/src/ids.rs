//! Replication ids: which history of the stream a node holds, and up to where it shares another's.
//!
//! An id names one history of the stream; an offset means nothing without it. A node that begins to write by
//! itself (promotion, a log that may have lost its tail) takes a new id and remembers the old one as its
//! *second*, valid up to where the two histories part. So whoever followed the old one this far continues.
//!
//! ```text
//!   id A ───────────────●  second = (A, offset of ●)
//!                       └────────── id B, from here on
//! ```
//!
//! The first id is also in the header of every segment of the log; the second lives in a file beside the log,
//! which counts only if the two agree ([`HistoryFile::load`]).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use basalt_binlog::{Door, Offset};
use rand::Rng;

/// Forty hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplicationId([u8; 40]);

impl ReplicationId {
    /// A new one, never used before.
    #[must_use]
    pub fn random() -> Self {
        let mut rng = rand::rng();
        ReplicationId(std::array::from_fn(|_| {
            b"0123456789abcdef"[rng.random_range(0..16)]
        }))
    }

    /// Reads forty hex digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let id: [u8; 40] = text.try_into().ok()?;
        id.iter()
            .all(u8::is_ascii_hexdigit)
            .then_some(ReplicationId(id))
    }

    /// The id as a log's header has it.
    #[must_use]
    pub fn from_log(id: [u8; 40]) -> Self {
        ReplicationId(id)
    }

    /// The digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 40] {
        &self.0
    }
}

impl fmt::Display for ReplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for ReplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The history a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// The id of what it holds, up to the end of its log.
    pub id: ReplicationId,
    /// The id it had before, and the offset up to which the two histories are the same.
    pub second: Option<(ReplicationId, Offset)>,
}

impl History {
    /// A history of its own from the beginning.
    #[must_use]
    pub fn new(id: ReplicationId) -> Self {
        History { id, second: None }
    }

    /// Whether somebody who holds `id` up to `from` holds a beginning of this history. Whether the log still has
    /// what follows is asked elsewhere, and so is whether `from` lies beyond its end.
    #[must_use]
    pub fn accepts(&self, id: &ReplicationId, from: Offset) -> bool {
        self.id == *id
            || self
                .second
                .is_some_and(|(second, upto)| second == *id && from <= upto)
    }

    /// The node writes by itself from `at` (the end of its log) on, under a new id.
    pub fn promote(&mut self, at: Offset) {
        self.part(ReplicationId::random(), at);
    }

    /// The node goes on under the id of its master, which shares its history up to `at`, the end of its log
    /// (`+CONTINUE` with another id). Nothing changes if that is its id already.
    pub fn succeed(&mut self, id: ReplicationId, at: Offset) {
        if self.id != id {
            self.part(id, at);
        }
    }

    /// The node has given its own history up for another (a full sync).
    pub fn adopt(&mut self, id: ReplicationId) {
        *self = History::new(id);
    }

    fn part(&mut self, id: ReplicationId, at: Offset) {
        self.second = Some((self.id, at));
        self.id = id;
    }
}

/// Why a history could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file cannot be read or written.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
    /// It holds something else.
    #[error("{0} is no replication history")]
    Damaged(String),
}

/// The file a history is kept in.
///
/// A change is saved *before* the log takes the new id. A crash in between is recognised by the ids: a log
/// whose id is the file's second has a promotion half done, and goes on with it. File and log that do not know each
/// other at all claim nothing: the history gets an id that nobody else has.
#[derive(Clone)]
pub struct HistoryFile {
    door: Arc<dyn Door>,
    dir: PathBuf,
}

const NAME: &str = "replication-history";
const TEMPORARY: &str = "replication-history.tmp";
const MAGIC: &str = "basalt-replication-history 1";

impl fmt::Debug for HistoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryFile")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The history.
    pub history: History,
    /// The boot of the machine under which it was saved; empty if nothing was.
    pub boot: String,
}

impl HistoryFile {
    /// The file in the data directory `dir`.
    #[must_use]
    pub fn new(door: Arc<dyn Door>, dir: impl Into<PathBuf>) -> Self {
        HistoryFile {
            door,
            dir: dir.into(),
        }
    }

    /// The history of a log whose newest id is `log_id`.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn load(&self, log_id: ReplicationId) -> Result<Loaded, HistoryError> {
        let fresh = Loaded {
            history: History::new(log_id),
            boot: String::new(),
        };
        let Some(text) = self.read()? else {
            return Ok(fresh);
        };
        let saved = decode(&text).ok_or_else(|| HistoryError::Damaged(self.path_text()))?;
        let second = saved.history.second.map(|(id, _)| id);
        if saved.history.id == log_id || second == Some(log_id) {
            return Ok(saved);
        }
        Ok(Loaded {
            history: History::new(ReplicationId::random()),
            ..fresh
        })
    }

    /// Keeps `history`, durably. `boot` tells one boot of the machine from another.
    ///
    /// # Errors
    /// The file cannot be written; the one before is still there.
    pub fn save(&self, history: &History, boot: &str) -> Result<(), HistoryError> {
        let error = |e| HistoryError::Io(format!("write {}", self.path_text()), e);
        let (temporary, path) = (self.dir.join(TEMPORARY), self.dir.join(NAME));
        let text = encode(history, boot);
        let file = self.door.open(&temporary, true).map_err(error)?;
        file.set_len(0)
            .and_then(|()| file.write_at(text.as_bytes(), 0))
            .and_then(|()| file.sync_data())
            .and_then(|()| self.door.rename(&temporary, &path))
            .and_then(|()| self.door.sync_dir(&self.dir))
            .map_err(error)
    }

    fn read(&self) -> Result<Option<String>, HistoryError> {
        let error = |e| HistoryError::Io(format!("read {}", self.path_text()), e);
        let file = match self.door.open(&self.dir.join(NAME), false) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(error(e)),
        };
        // Longer than anything that is written here.
        let mut bytes = vec![0; 1024];
        let read = file.read_at(&mut bytes, 0).map_err(error)?;
        bytes.truncate(read);
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| HistoryError::Damaged(self.path_text()))
    }

    fn path_text(&self) -> String {
        self.dir.join(NAME).display().to_string()
    }
}

fn encode(history: &History, boot: &str) -> String {
    let mut text = format!("{MAGIC}\nid {}\n", history.id);
    if let Some((id, upto)) = history.second {
        text.push_str(&format!("second {id} {upto}\n"));
    }
    text.push_str(&format!("boot {boot}\n"));
    text
}

fn decode(text: &str) -> Option<Loaded> {
    let mut lines = text.lines();
    if lines.next()? != MAGIC {
        return None;
    }
    let id = ReplicationId::parse(lines.next()?.strip_prefix("id ")?.as_bytes())?;
    let mut line = lines.next()?;
    let mut second = None;
    if let Some(rest) = line.strip_prefix("second ") {
        let (id, upto) = rest.split_once(' ')?;
        second = Some((
            ReplicationId::parse(id.as_bytes())?,
            Offset(upto.parse().ok()?),
        ));
        line = lines.next()?;
    }
    let boot = line.strip_prefix("boot")?.trim().to_owned();
    let history = History { id, second };
    lines.next().is_none().then_some(Loaded { history, boot })
}

#[cfg(test)]
mod tests {
    use super::*;
    use basalt_binlog::SimDoor;
    use proptest::prelude::*;

    fn id(letter: u8) -> ReplicationId {
        ReplicationId([letter; 40])
    }

    fn file() -> HistoryFile {
        let door = SimDoor::new(7);
        door.create_dir(&PathBuf::from("/d")).unwrap();
        HistoryFile::new(Arc::new(door), "/d")
    }

    #[test]
    fn the_second_id_is_accepted_up_to_where_the_histories_part() {
        let mut history = History::new(id(b'a'));
        history.promote(Offset(100));
        assert_ne!(history.id, id(b'a'));
        assert!(history.accepts(&id(b'a'), Offset(100)));
        assert!(!history.accepts(&id(b'a'), Offset(101)));
        assert!(history.accepts(&history.id, Offset(5000)));
        assert!(!history.accepts(&id(b'b'), Offset(0)));
    }

    #[test]
    fn a_master_with_another_id_is_followed_under_its_id() {
        let mut history = History::new(id(b'a'));
        history.succeed(id(b'a'), Offset(5));
        assert_eq!(history, History::new(id(b'a')));
        history.succeed(id(b'b'), Offset(9));
        assert_eq!(history.second, Some((id(b'a'), Offset(9))));
        history.adopt(id(b'c'));
        assert_eq!(history, History::new(id(b'c')));
    }

    #[test]
    fn what_is_saved_comes_back() {
        let file = file();
        assert_eq!(file.load(id(b'a')).unwrap().history, History::new(id(b'a')));
        let mut history = History::new(id(b'a'));
        history.promote(Offset(77));
        file.save(&history, "boot-1").unwrap();
        let loaded = file.load(history.id).unwrap();
        assert_eq!(loaded.history, history);
        assert_eq!(loaded.boot, "boot-1");
        // A shorter one replaces it whole.
        file.save(&History::new(id(b'c')), "").unwrap();
        let loaded = file.load(id(b'c')).unwrap();
        assert_eq!(loaded.history, History::new(id(b'c')));
        assert_eq!(loaded.boot, "");
    }

    #[test]
    fn a_crash_between_file_and_log_is_recognised() {
        let file = file();
        let mut history = History::new(id(b'a'));
        history.promote(Offset(77));
        file.save(&history, "b").unwrap();
        // The log still has the old id: the promotion is finished.
        assert_eq!(file.load(id(b'a')).unwrap().history, history);
        // The log has an id nobody here knows: neither is believed.
        let unknown = file.load(id(b'x')).unwrap().history;
        assert!(unknown.id != id(b'x') && unknown.id != history.id);
        assert_eq!(unknown.second, None);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        for text in [
            "",
            "hello\n",
            "basalt-replication-history 1\nid abc\nboot x\n",
        ] {
            assert_eq!(decode(text), None);
        }
    }

    proptest! {
        /// Two nodes that hold the same bytes up to where one accepts the other: the model keeps each node's
        /// history as the list of ids that wrote it.
        #[test]
        fn an_accepted_offset_lies_in_a_shared_past(steps in prop::collection::vec((0..3usize, 0..3usize, 0..5u8), 1..40)) {
            struct Node { history: History, runs: Vec<(ReplicationId, u64)>, master: bool }
            impl Node {
                fn end(&self) -> u64 { self.runs.iter().map(|run| run.1).sum() }
                fn writer_at(&self, at: u64) -> ReplicationId {
                    let mut seen = 0;
                    for (id, len) in &self.runs {
                        seen += len;
                        if at < seen { return *id; }
                    }
                    unreachable!()
                }
                fn shares(&self, other: &Node, upto: u64) -> bool {
                    upto <= self.end() && upto <= other.end()
                        && (0..upto).all(|at| self.writer_at(at) == other.writer_at(at))
                }
            }
            let mut nodes: Vec<Node> = (0..3).map(|_| {
                let id = ReplicationId::random();
                Node { history: History::new(id), runs: Vec::new(), master: true }
            }).collect();
            for (a, b, step) in steps {
                match step {
                    0 => {
                        let at = Offset(nodes[a].end());
                        nodes[a].history.promote(at);
                        nodes[a].master = true;
                    }
                    // Who follows writes nothing of its own.
                    1 | 2 if nodes[a].master => {
                        let id = nodes[a].history.id;
                        nodes[a].runs.push((id, u64::from(step) * 3));
                    }
                    3 | 4 if a != b => {
                        let (id, end) = (nodes[a].history.id, nodes[a].end());
                        let master = &nodes[b];
                        if end <= master.end() && master.history.accepts(&id, Offset(end)) {
                            prop_assert!(nodes[a].shares(master, end));
                            let (id, runs) = (master.history.id, master.runs.clone());
                            nodes[a].history.succeed(id, Offset(end));
                            nodes[a].runs = runs;
                        } else {
                            let (id, runs) = (master.history.id, master.runs.clone());
                            nodes[a].history.adopt(id);
                            nodes[a].runs = runs;
                        }
                        nodes[a].master = false;
                    }
                    _ => {}
                }
            }
        }
    }
}
