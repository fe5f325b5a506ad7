//! The stream a replica receives, cut into frames.
//!
//! ```text
//!   bytes ─▶ [SELECT 1][SET k v] [PING] [MULTI][SET a 1][SET b 2][EXEC] [SE…
//!            └──── frame ──────┘ └ no ┘ └──────────── frame ──────────┘  └ kept until the rest is there
//!                                 data
//! ```
//!
//! A frame is what must not be torn: one command, or a transaction. A SELECT is kept with the command behind it, so
//! that every frame can be applied without what came before. Nothing is changed, left out or added: the frames in
//! a row are the stream, and stand at its offsets in the replica's log.

use basalt_binlog::Offset;
use basalt_resp::{ArgRanges, Args, Decoder, Limits, ProtocolError};

/// What a command of the stream is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It changes keys, all of this slot.
    OneSlot(u16),
    /// It changes keys of several slots, or the whole keyspace.
    ManySlots,
    /// It changes no key.
    NoData,
    /// It changes no key and asks for an ACK.
    GetAck,
}

/// A frame of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutFrame<'a> {
    /// Its bytes.
    pub payload: &'a [u8],
    /// Offset of its first byte.
    pub start: Offset,
    /// The database selected when it begins.
    pub db: u16,
    /// The database selected when it ends.
    pub end_db: u16,
    /// The slot of its effects; none if there are several, or none.
    pub slot: Option<u16>,
    /// Its effects; 0 for a frame that only consumes offsets.
    pub effects: u32,
    /// It is a transaction.
    pub group: bool,
    /// It asks for an ACK.
    pub wants_ack: bool,
}

impl CutFrame<'_> {
    /// Offset behind its last byte.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.start.plus(self.payload.len() as u64)
    }

    /// It neither changes keys nor selects a database.
    #[must_use]
    pub fn is_no_data(&self) -> bool {
        self.effects == 0 && self.db == self.end_db
    }
}

/// Why a stream cannot be cut.
#[derive(Debug, thiserror::Error)]
pub enum StreamError<E> {
    /// It is no stream of commands.
    #[error("the stream at offset {0} is no command: {1}")]
    Protocol(Offset, ProtocolError),
    /// It selects a database that cannot be.
    #[error("the stream at offset {0} selects no database")]
    Database(Offset),
    /// Whoever takes the frames stopped.
    #[error(transparent)]
    Taker(E),
}

/// What of the frame being cut is known.
#[derive(Clone, Copy, Debug, Default)]
struct Begun {
    /// Inside MULTI.
    group: bool,
    was_group: bool,
    effects: u32,
    slot: Option<u16>,
    many: bool,
    wants_ack: bool,
}

impl Begun {
    fn add(&mut self, class: Class) {
        match class {
            Class::OneSlot(slot) => {
                self.many |= self.slot.is_some_and(|other| other != slot);
                self.slot = Some(slot);
                self.effects += 1;
            }
            Class::ManySlots => {
                self.many = true;
                self.effects += 1;
            }
            Class::NoData => {}
            Class::GetAck => self.wants_ack = true,
        }
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct Cutter {
    buffer: Vec<u8>,
    /// Offset of the buffer's first byte, where the frame being cut begins.
    at: Offset,
    /// How far in the buffer commands were read.
    read: usize,
    decoder: Decoder,
    ranges: ArgRanges,
    begun: Begun,
    /// The database at the buffer's first byte, and at `read`.
    db: u16,
    end_db: u16,
}

impl Cutter {
    /// A cutter for the stream from `at` on, where database `db` is selected.
    #[must_use]
    pub fn new(at: Offset, db: u16) -> Self {
        Cutter {
            buffer: Vec::new(),
            at,
            read: 0,
            decoder: Decoder::new(),
            ranges: ArgRanges::new(),
            begun: Begun::default(),
            db,
            end_db: db,
        }
    }

    /// Where the first frame begins that was not given out yet.
    #[must_use]
    pub fn offset(&self) -> Offset {
        self.at
    }

    /// The database selected there.
    #[must_use]
    pub fn db(&self) -> u16 {
        self.db
    }

    /// Takes bytes and gives `take` every frame that is complete.
    ///
    /// # Errors
    /// The stream is broken, or `take` failed; the cutter is of no use then.
    pub fn push<E>(
        &mut self,
        bytes: &[u8],
        classify: &mut dyn FnMut(&Args<'_>) -> Class,
        take: &mut dyn FnMut(CutFrame<'_>) -> Result<(), E>,
    ) -> Result<(), StreamError<E>> {
        self.buffer.extend_from_slice(bytes);
        let limits = Limits {
            max_bulk_bytes: usize::MAX,
            max_args: usize::MAX,
            ..Limits::default()
        };
        let mut first = 0;
        loop {
            let here = self.at.plus((self.read - first) as u64);
            let decoded = self
                .decoder
                .decode(&self.buffer[self.read..], &limits, &mut self.ranges);
            let Some(len) = decoded.map_err(|error| StreamError::Protocol(here, error))? else {
                break;
            };
            let command = &self.buffer[self.read..self.read + len];
            let args = Args::new(command, &self.ranges);
            let whole = step(&mut self.begun, &args, &mut self.end_db, classify)
                .ok_or(StreamError::Database(here))?;
            self.read += len;
            if !whole {
                continue;
            }
            let begun = std::mem::take(&mut self.begun);
            let frame = CutFrame {
                payload: &self.buffer[first..self.read],
                start: self.at,
                db: self.db,
                end_db: self.end_db,
                slot: begun.slot.filter(|_| !begun.many),
                effects: begun.effects,
                group: begun.was_group,
                wants_ack: begun.wants_ack,
            };
            take(frame).map_err(StreamError::Taker)?;
            self.at = frame.end();
            self.db = self.end_db;
            first = self.read;
        }
        self.buffer.drain(..first);
        self.read -= first;
        Ok(())
    }
}

/// Takes one command into the frame; true if the frame ends with it.
fn step(
    begun: &mut Begun,
    args: &Args<'_>,
    db: &mut u16,
    classify: &mut dyn FnMut(&Args<'_>) -> Class,
) -> Option<bool> {
    let name = args.get(0).unwrap_or_default();
    let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    if is("SELECT") {
        *db = args
            .get(1)
            .and_then(basalt_resp::parse_i64)
            .and_then(|n| u16::try_from(n).ok())?;
        return Some(false);
    }
    if is("MULTI") {
        (begun.group, begun.was_group) = (true, true);
    } else if is("EXEC") {
        begun.group = false;
    } else if !name.is_empty() {
        begun.add(classify(args));
    }
    Some(!begun.group)
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
