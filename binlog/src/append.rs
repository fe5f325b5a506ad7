//! Appending: the hot path.
//!
//! A frame's way: CRC of the payload (no lock), then under the append lock its place, its header and a copy into
//! the ring. No allocation and no system call, except once per quarter of the ring (waking the writer) and once
//! per segment. The caller holds the slot locks of the frame's keys, so the append lock is the innermost of all
//! and is held for some tens of nanoseconds.
//!
//! What can fail must fail before the data changes: `admit` is asked first and sees to it that there is room.

use crate::error::{Error, Result};
use crate::frame::{HEADER_BYTES, Header, MAX_PAYLOAD, select_command};
use crate::segment::{INDEX_EVERY, IndexEntry, SEGMENT_HEADER, SparseIndex};
use crate::shared::{Cut, Shared, Tail};
use crate::types::{Appended, Flags, Frame, LogState, Offset};
use crc32fast::Hasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Header and the longest SELECT: what a frame may need beside its payload.
const OVERHEAD: u64 = HEADER_BYTES as u64 + 40;

impl Shared {
    /// Whether a frame with a payload of `bytes` would be taken now. Cheap; asked before data changes.
    #[inline]
    pub(crate) fn admit(&self, bytes: usize) -> Result<()> {
        // Other threads may append between this check and our append; the margin is theirs.
        let margin = (self.options.segment_bytes / 16).min(1 << 20);
        let need = bytes as u64 + OVERHEAD;
        if self.state() == LogState::Ok && need + margin <= self.front.room.load(Ordering::Relaxed)
        {
            return Ok(());
        }
        self.admit_slowly(bytes as u64, need, margin)
    }

    #[cold]
    fn admit_slowly(&self, bytes: u64, need: u64, margin: u64) -> Result<()> {
        if bytes > MAX_PAYLOAD {
            return Err(Error::TooLarge(bytes));
        }
        self.check_writable()?;
        if need + margin <= self.front.room.load(Ordering::Relaxed)
            || need + SEGMENT_HEADER <= self.spare_room.load(Ordering::Relaxed)
        {
            return Ok(());
        }
        if self.state() == LogState::Full {
            // The keeper tries again each second; a thousand clients need not.
            return Err(Error::Full);
        }
        self.prepare_spare(need)
    }

    /// Appends one frame: `frame` says what it is, `parts` are its payload.
    pub(crate) fn append(&self, frame: &Frame, parts: &[&[u8]]) -> Result<Appended> {
        let mut crc = Hasher::new();
        let mut len = 0u64;
        for part in parts {
            crc.update(part);
            len += part.len() as u64;
        }
        assert!(len > 0, "a frame carries at least one command");
        if len > MAX_PAYLOAD {
            return Err(Error::TooLarge(len));
        }
        let mut tail = self.front.tail.lock();
        if tail.closed {
            return Err(Error::Closed);
        }
        self.check_writable()?;

        let no_data = frame.flags.has(Flags::NO_DATA);
        let (mut db, mut end_db) = (frame.db, frame.end_db);
        let mut select = ([0u8; 40], 0);
        if no_data {
            // Such a frame neither needs nor changes the database of the stream.
            db = tail.db.unwrap_or(0);
            end_db = db;
        } else if tail.db != Some(db) && !frame.flags.has(Flags::VERBATIM) {
            select = select_command(db);
            let mut both = Hasher::new();
            both.update(&select.0[..select.1]);
            both.combine(&crc);
            crc = both;
        }
        let select = &select.0[..select.1];
        let len = len + select.len() as u64;
        let end = self.front.end_of(&tail);
        let lag = end - self.synced.0.load(Ordering::Relaxed);
        let header = Header {
            len: len as u32,
            crc: 0,
            offset: end,
            unix_ms: frame.unix_ms,
            flags: frame.flags.0,
            slot: frame.slot,
            effects: frame.effects,
            db,
            end_db,
            lag: u32::try_from(lag).unwrap_or(u32::MAX),
        };
        self.place(&mut tail, &header, crc, select, parts)?;
        if !no_data {
            tail.db = Some(end_db);
        }
        let wake = self.publish(&mut tail, &header);
        let next = self.front.pos_of(&tail);
        drop(tail);
        self.ring.claim_ahead(next, header.total());
        if wake {
            self.wake.writer.raise();
        }
        Ok(Appended {
            start: Offset(header.offset),
            end: Offset(header.end()),
        })
    }

    /// Appends a frame recovered from the ring, as it was.
    pub(crate) fn append_again(&self, header: Header, payload: &[u8]) -> Result<()> {
        let mut tail = self.front.tail.lock();
        assert_eq!(
            self.front.end_of(&tail),
            header.offset,
            "recovered frames come in order"
        );
        let mut crc = Hasher::new();
        crc.update(payload);
        // Nothing is known of what was on disk until the sync that follows.
        let header = Header {
            lag: u32::MAX,
            ..header
        };
        self.place(&mut tail, &header, crc, &[], &[payload])?;
        if !Flags(header.flags).has(Flags::NO_DATA) {
            tail.db = Some(header.end_db);
        }
        self.publish(&mut tail, &header);
        Ok(())
    }

    /// Puts the frame's bytes where they belong. On an error nothing has happened.
    #[inline]
    fn place(
        &self,
        tail: &mut Tail,
        header: &Header,
        crc: Hasher,
        select: &[u8],
        parts: &[&[u8]],
    ) -> Result<()> {
        let total = header.total();
        if tail.file_pos + total > tail.capacity {
            self.cut(tail, total, header.unix_ms)?;
        }
        let bytes = header.encode(crc);
        if total > self.ring.size() {
            return self.write_past_ring(&bytes, select, parts);
        }
        let mut at = self.front.pos_of(tail);
        if at + total > tail.drained_seen + self.ring.size() {
            self.wait_for_ring(tail, total)?;
        }
        for part in [&bytes[..], select].iter().chain(parts) {
            self.ring.copy_in(at, part);
            at += part.len() as u64;
        }
        Ok(())
    }

    /// Makes the placed frame visible; true if the writer is to be woken.
    #[inline]
    fn publish(&self, tail: &mut Tail, header: &Header) -> bool {
        if tail.file_pos >= tail.index_due {
            let entry = IndexEntry {
                offset: header.offset,
                file_pos: tail.file_pos,
                unix_ms: header.unix_ms,
            };
            tail.index.push(entry);
            tail.index_due = tail.file_pos + INDEX_EVERY;
        }
        tail.appends += 1;
        tail.appended_bytes += u64::from(header.len);
        tail.file_pos += header.total();
        let pos = self.front.pos_of(tail) + header.total();
        let room = tail.capacity - tail.file_pos;
        self.front.room.store(room, Ordering::Relaxed);
        self.front.end.store(header.end(), Ordering::Release);
        // Last: whoever sees the new position sees the frame, its segment and the end that belongs to it.
        self.front.pos.store(pos, Ordering::Release);
        let mut wake = false;
        if pos >= tail.wake_at {
            tail.wake_at = pos + self.ring.size() / 4;
            wake = true;
        }
        if self.events.armed.load(Ordering::Relaxed) {
            self.events.armed.store(false, Ordering::Relaxed);
            self.events.post(crate::types::LogEvent::Appended);
            wake = true;
        }
        wake
    }

    /// Goes over to the next segment; the drain will follow when it gets there.
    #[cold]
    pub(crate) fn cut(&self, tail: &mut Tail, total: u64, unix_ms: u64) -> Result<()> {
        let need = total + SEGMENT_HEADER;
        let spare = match self.take_spare(need) {
            Some(spare) => spare,
            None => {
                tail.waits += 1;
                self.prepare_spare(total)?;
                self.take_spare(need)
                    .expect("made while the append lock is held, so no one else took it")
            }
        };
        tail.capacity = spare.capacity;
        tail.file_pos = SEGMENT_HEADER;
        tail.index = Arc::new(SparseIndex::for_capacity(spare.capacity));
        tail.index_due = 0;
        let cut = Cut {
            pos: self.front.pos_of(tail),
            first: self.front.end_of(tail),
            first_ms: unix_ms,
            spare,
            index: tail.index.clone(),
        };
        self.cuts.lock().push_back(cut);
        let room = tail.capacity - tail.file_pos;
        self.front.room.store(room, Ordering::Relaxed);
        self.wake.keeper.raise();
        self.wake.writer.raise();
        Ok(())
    }

    /// Waits until the ring has room, by doing the writer's work.
    #[cold]
    fn wait_for_ring(&self, tail: &mut Tail, total: u64) -> Result<()> {
        let pos = self.front.pos_of(tail);
        tail.drained_seen = self.drained.0.load(Ordering::Acquire);
        if pos + total > tail.drained_seen + self.ring.size() {
            tail.waits += 1;
            self.drain()?;
            tail.drained_seen = self.drained.0.load(Ordering::Acquire);
        }
        assert!(
            pos + total <= tail.drained_seen + self.ring.size(),
            "a drained ring is empty"
        );
        Ok(())
    }
}
