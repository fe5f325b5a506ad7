//! The effects of the command at hand, as the bytes that go into the binlog's frame.
//!
//! An effect is deterministic and names exactly one key (DESIGN.md section 4, invariants 2 and 3).

use basalt_binlog::Offset;
use basalt_resp::encode_command;
use basalt_tiering::Store;

/// A change of the map from databases to keys. The store must know where in the log it happened, so by itself it
/// follows the append. Among other effects of an EXEC it happens at once, for the commands behind it, and the store is
/// told the place after the append of them all ([`Effects::map_ends`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapChange {
    /// These databases are empty from here on.
    Flush(Vec<u32>),
    /// These two have exchanged their keys.
    Swap(u32, u32),
}

impl MapChange {
    /// Changes the store; `at` is the end of the logged effect. The caller holds the exclusive gate.
    pub fn apply(&self, store: &Store, at: Offset) {
        match self {
            MapChange::Flush(dbs) => store.flush(dbs, at),
            MapChange::Swap(a, b) => store.swap(*a, *b, at),
        }
    }
}

/// Effects gathered by a handler; a worker keeps one and reuses its memory.
#[derive(Debug, Default)]
pub struct Effects {
    payload: Vec<u8>,
    count: u32,
    first_db: u32,
    last_db: u32,
    map_change: Option<MapChange>,
    map_ends: Vec<usize>,
}

impl Effects {
    /// Forgets everything, keeps the memory (up to a limit, so that one huge value is not kept for ever).
    pub fn clear(&mut self) {
        const KEPT_BYTES: usize = 1 << 20;
        self.payload.clear();
        if self.payload.capacity() > KEPT_BYTES {
            self.payload.shrink_to(KEPT_BYTES);
        }
        self.count = 0;
        self.map_change = None;
        self.map_ends.clear();
    }

    /// True if nothing is to be logged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of effects.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Database of the first effect: the stream must have it selected before the frame.
    #[must_use]
    pub fn first_db(&self) -> u32 {
        self.first_db
    }

    /// Database the stream has selected after the frame.
    #[must_use]
    pub fn last_db(&self) -> u32 {
        self.last_db
    }

    /// The bytes of the frame.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Logs the client's own bytes: only for a command that is already an effect and was canonical RESP.
    pub fn raw(&mut self, db: u32, raw: &[u8]) {
        self.begin(db);
        self.payload.extend_from_slice(raw);
    }

    /// Logs a command made of `args`.
    pub fn command(&mut self, db: u32, args: &[&[u8]]) {
        self.begin(db);
        encode_command(&mut self.payload, args);
    }

    /// Logs `args`, which change the map of databases. The change is to be taken and made before the next effect.
    pub fn map_change(&mut self, db: u32, args: &[&[u8]], change: MapChange) {
        assert!(
            self.map_change.is_none(),
            "a change of the map of databases was not made"
        );
        self.command(db, args);
        self.map_change = Some(change);
        self.map_ends.push(self.payload.len());
    }

    /// The change of the map of databases that has still to be made.
    pub fn take_map_change(&mut self) -> Option<MapChange> {
        self.map_change.take()
    }

    /// Where in the payload each change of the map of databases ends.
    #[must_use]
    pub fn map_ends(&self) -> &[usize] {
        &self.map_ends
    }

    /// Adds the effects of another, which are none of the map of databases.
    pub fn append(&mut self, other: &Effects) {
        if other.is_empty() {
            return;
        }
        assert!(
            other.map_ends.is_empty(),
            "a change of the map of databases is recorded in its place"
        );
        self.begin(other.first_db);
        self.payload.extend_from_slice(&other.payload);
        self.last_db = other.last_db;
        self.count += other.count - 1;
    }

    fn begin(&mut self, db: u32) {
        if self.count == 0 {
            self.first_db = db;
        } else if db != self.last_db {
            let mut digits = itoa::Buffer::new();
            encode_command(
                &mut self.payload,
                &[b"SELECT", digits.format(db).as_bytes()],
            );
        }
        self.last_db = db;
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_effects_keep_their_databases() {
        let (mut a, mut b) = (Effects::default(), Effects::default());
        a.command(1, &[b"DEL", b"x"]);
        b.command(2, &[b"DEL", b"y"]);
        b.command(3, &[b"DEL", b"z"]);
        a.append(&b);
        a.append(&Effects::default());
        let text = String::from_utf8_lossy(a.payload()).replace("\r\n", " ");
        assert_eq!(
            text,
            "*2 $3 DEL $1 x *2 $6 SELECT $1 2 *2 $3 DEL $1 y *2 $6 SELECT $1 3 *2 $3 DEL $1 z "
        );
        assert_eq!((a.count(), a.first_db(), a.last_db()), (3, 1, 3));
    }

    #[test]
    fn changes_of_the_map_know_where_they_end() {
        let mut effects = Effects::default();
        effects.command(0, &[b"DEL", b"x"]);
        effects.map_change(0, &[b"FLUSHALL"], MapChange::Flush(vec![0]));
        assert_eq!(effects.map_ends(), [effects.payload().len()]);
        assert_eq!(effects.take_map_change(), Some(MapChange::Flush(vec![0])));
        assert_eq!(effects.take_map_change(), None);
    }
}
