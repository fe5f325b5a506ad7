//! Changing strings in place, and making large ones.

use super::{
    CHUNK, LARGE_STRING_MIN_BYTES, SKIPPED_BYTES, chunk_key, chunks_of, length, piece, prefault,
};
use crate::collection::{MAIN, OpenError};
use crate::entry::Entry;
use crate::tree::{Builder, Flavour, Object, encode_cell};
use crate::tx::{Expiry, Key, Kind, Tx};

/// The value of a chunk's cell, put into `out`; false if the chunk is all zeroes.
fn encode_chunk(chunk: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = chunk.iter().position(|byte| *byte != 0) else {
        return false;
    };
    let last = chunk.iter().rposition(|byte| *byte != 0).unwrap_or(first);
    out.clear();
    out.extend_from_slice(&(first as u16).to_le_bytes());
    out.extend_from_slice(&chunk[first..=last]);
    true
}

/// Makes a large string out of pieces that come in order.
struct Weaver<'b> {
    tree: Builder<'b>,
    number: u64,
    chunk: Vec<u8>,
    value: Vec<u8>,
    cell: Vec<u8>,
}

impl Weaver<'_> {
    fn add(&mut self, mut at: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let number = at / CHUNK as u64;
            if number != self.number {
                self.flush();
                self.number = number;
            }
            let within = (at % CHUNK as u64) as usize;
            let (part, rest) = bytes.split_at(bytes.len().min(CHUNK - within));
            self.chunk.resize(within, 0);
            self.chunk.extend_from_slice(part);
            at += part.len() as u64;
            bytes = rest;
        }
    }

    fn flush(&mut self) {
        if encode_chunk(&self.chunk, &mut self.value) {
            let key = chunk_key(self.number);
            encode_cell(Flavour::Map, &key, &self.value, &mut self.cell);
            self.tree.push(&key, &self.cell);
        }
        self.chunk.clear();
    }
}

impl Tx<'_> {
    /// Writes `bytes` at `at` into the string at a key, which grows with zeroes as far as needed (with no bytes: up to
    /// `at`) and is created if absent; returns its length. It keeps its expiry. Faults before it changes anything; a
    /// command that writes several times calls [`Text::prefault`](crate::Text::prefault) first.
    ///
    /// # Errors
    /// As [`Tx::text`].
    pub fn write_text(&mut self, key: &Key<'_>, at: u64, bytes: &[u8]) -> Result<u64, OpenError> {
        let end = at + bytes.len() as u64;
        let Some(place) = self.find_for_write(key)? else {
            return Ok(self.create_text(key, at, bytes));
        };
        let space = self.space(key).expect("the key was found here");
        let entry = space.table.entry(place);
        match entry.kind() {
            Some(Kind::LargeString) => return self.write_chunks(key, at, bytes),
            Some(Kind::String | Kind::RawString) => {}
            _ => return Err(OpenError::WrongKind),
        }
        let len = end.max(entry.value_len() as u64);
        if len > LARGE_STRING_MIN_BYTES as u64 {
            self.weave_entry(key, entry, at, bytes);
        } else {
            let value = self.change(key, place, len as usize);
            value[at as usize..end as usize].copy_from_slice(bytes);
        }
        Ok(len)
    }

    fn create_text(&mut self, key: &Key<'_>, at: u64, bytes: &[u8]) -> u64 {
        let len = at + bytes.len() as u64;
        if at == 0 {
            self.set(key, Kind::RawString, bytes, Expiry::Never);
        } else if len > LARGE_STRING_MIN_BYTES as u64 {
            self.put_text(key, len, Expiry::Never, |add| add(at, bytes));
        } else {
            let mut value = vec![0; len as usize];
            value[at as usize..].copy_from_slice(bytes);
            self.set(key, Kind::RawString, &value, Expiry::Never);
        }
        len
    }

    /// Makes a plain string large, with `bytes` written at `at`.
    fn weave_entry(&mut self, key: &Key<'_>, entry: Entry, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        let old = entry.value();
        let cut = |place: u64| (place as usize).min(old.len());
        let expiry = entry.expiry().map_or(Expiry::Never, Expiry::At);
        self.put_text(key, end.max(old.len() as u64), expiry, |add| {
            add(0, &old[..cut(at)]);
            add(at, bytes);
            add(end, &old[cut(end)..]);
        });
    }

    fn write_chunks(&mut self, key: &Key<'_>, at: u64, bytes: &[u8]) -> Result<u64, OpenError> {
        let mut open = self.open(key, Kind::LargeString, true)?;
        let range = at..at + bytes.len() as u64;
        let chunks = if bytes.is_empty() {
            0..0
        } else {
            chunks_of(&range)
        };
        if chunks.end - chunks.start > 1 {
            prefault(&open, [range.clone()])?;
        }
        let (mut chunk, mut value) = ([0; CHUNK], Vec::with_capacity(SKIPPED_BYTES + CHUNK));
        for number in chunks {
            let key = chunk_key(number);
            let start = number * CHUNK as u64;
            let (from, to) = (range.start.max(start), range.end.min(start + CHUNK as u64));
            let within = (from - start) as usize..(to - start) as usize;
            let part = &bytes[(from - at) as usize..(to - at) as usize];
            chunk.fill(0);
            let cell = open.get(MAIN, &key)?;
            let is_there = cell.is_some();
            if let Some((first, held)) = cell.as_ref().and_then(|cell| piece(&key, cell)) {
                let first = (first - start) as usize;
                chunk[first..first + held.len()].copy_from_slice(held);
            }
            chunk[within].copy_from_slice(part);
            if encode_chunk(&chunk, &mut value) {
                open.insert(MAIN, &key, &value)?;
            } else if is_there {
                open.remove(MAIN, &key)?;
            }
        }
        // Also if nothing differs: who watches the key is told of every write.
        let len = length(open.extra()).max(range.end);
        open.set_extra(&len.to_le_bytes());
        Ok(len)
    }

    /// Makes a large string the value of `key`, whatever that held: of `len` bytes, zeroes but for what `fill` adds, in
    /// order. Pages come out full.
    pub fn put_text(
        &mut self,
        key: &Key<'_>,
        len: u64,
        expiry: Expiry,
        fill: impl FnOnce(&mut dyn FnMut(u64, &[u8])),
    ) {
        let extra = len.to_le_bytes().to_vec();
        let mut object = Object::of_pages(self.inner.new_object(), &[], Vec::new(), extra);
        let mut weaver = Weaver {
            tree: Builder::new(&mut object.table, Flavour::Map),
            number: 0,
            chunk: Vec::with_capacity(CHUNK),
            value: Vec::new(),
            cell: Vec::new(),
        };
        fill(&mut |at, bytes| weaver.add(at, bytes));
        weaver.flush();
        let shape = weaver.tree.finish();
        object.trees.push(shape);
        match object.as_small() {
            Some(small) => self.set(key, Kind::LargeString, &small, expiry),
            None => {
                let value = Entry::object_value(Box::new(object));
                self.set(key, Kind::LargeString, &value, expiry);
            }
        }
    }
}
