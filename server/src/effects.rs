//! The effects of the command at hand, as the bytes that go into the binlog's frame.
//!
//! An effect is deterministic and names exactly one key (DESIGN.md section 4, invariants 2 and 3).

use basalt_resp::encode_command;

/// Effects gathered by a handler; a worker keeps one and reuses its memory.
#[derive(Debug, Default)]
pub struct Effects {
    payload: Vec<u8>,
    count: u32,
    first_db: u32,
    last_db: u32,
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

    fn begin(&mut self, db: u32) {
        if self.count == 0 {
            self.first_db = db;
        } else if db != self.last_db {
            let mut digits = itoa::Buffer::new();
            encode_command(&mut self.payload, &[b"SELECT", digits.format(db).as_bytes()]);
        }
        self.last_db = db;
        self.count += 1;
    }
}
