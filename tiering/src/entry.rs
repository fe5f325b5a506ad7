//! An entry: one heap block that holds a key's header, the key and a small value together.
//!
//! ```text
//!  byte 0      meta   kind (3 bits) | state (3 bits) | has expiry | cold copy has expiry
//!  byte 1..3   clock  LFU decay clock, minutes, little endian
//!  byte 3      key length,   0xFF: a u32 follows the header
//!  byte 4      value length, 0xFF: a u32 follows; 0xFE: a u32 follows, and the kind is 8 more than its bits say
//!  [u32 key length] [u32 value length] [u64 expiry, ms]
//!  key bytes
//!  value bytes
//! ```
//!
//! Five bytes for a small string without expiry. The 8-bit LFU counter lives beside the pointer in the hot
//! table's word (`table.rs`). Blocks are at least 16 bytes and 16-aligned, so a pointer's low four bits are
//! free for the word. The block is sized exactly; growth relies on the allocator's size classes, which are
//! geometric, so that repeated appends move a value O(log n) times.
//!
//! The value of a large collection is the address of an `Object` (`tree/object.rs`), which the entry owns: it is
//! freed with the entry, or when another value takes its place.
//!
//! This file, `table.rs` and `page.rs` are the only ones that touch raw memory. An `Entry` is a plain handle: who
//! takes it out of the table frees it.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::{self, NonNull};

use crate::UnixMs;
use crate::collection::fields::bound_in;
use crate::state::State;
use crate::tree::{LARGE, Object, Small, discard};
use crate::tx::Kind;

const META: usize = 0;
const CLOCK: usize = 1;
const KEY_LEN: usize = 3;
const VALUE_LEN: usize = 4;
const FIXED: usize = 5;
const LONG: u8 = 0xFF;
/// In place of a value's length: as `LONG`, and the kind is one of those that three bits do not hold.
const EXTENDED: u8 = 0xFE;

const KIND_MASK: u8 = 0b0000_0111;
const STATE_SHIFT: u8 = 3;
const STATE_MASK: u8 = 0b0011_1000;
const HAS_EXPIRY: u8 = 0b0100_0000;
const COLD_EXPIRY: u8 = 0b1000_0000;

/// Kind code of a tombstone: deleted here, the cold copy not yet.
const TOMBSTONE: u8 = 7;
/// Kind codes from here on are extended.
const EXTENDED_KINDS: u8 = 8;

/// Bytes of a value that is an object's address.
const OBJECT_BYTES: usize = 9;

/// Smallest block, so that the allocator aligns it to 16.
const MIN_BLOCK: usize = 16;

/// Handle of an entry's heap block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(NonNull<u8>);

// SAFETY: an entry is plain memory reached only under its slot's lock.
unsafe impl Send for Entry {}

/// The parts of an entry to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub kind: Option<Kind>,
    pub state: State,
    pub cold_expiry: bool,
    pub clock: u16,
    pub expiry: Option<UnixMs>,
    pub key: &'a [u8],
    pub value: &'a [u8],
}

fn block_len(len: usize) -> usize {
    len.max(MIN_BLOCK)
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(block_len(len), 16).expect("an entry is far smaller than isize::MAX")
}

/// The three bits of a kind.
fn kind_bits(kind: Option<Kind>) -> u8 {
    kind.map_or(TOMBSTONE, |kind| kind as u8 & KIND_MASK)
}

fn is_extended(kind: Option<Kind>) -> bool {
    kind.is_some_and(|kind| kind as u8 >= EXTENDED_KINDS)
}

/// The byte in place of a value's length; from `EXTENDED` on a u32 follows.
fn value_len_byte(kind: Option<Kind>, value_len: usize) -> u8 {
    if is_extended(kind) {
        EXTENDED
    } else if value_len >= usize::from(EXTENDED) {
        LONG
    } else {
        value_len as u8
    }
}

fn header_len(kind: Option<Kind>, key_len: usize, value_len: usize, has_expiry: bool) -> usize {
    let wide_value = value_len_byte(kind, value_len) >= EXTENDED;
    FIXED
        + if key_len >= usize::from(LONG) { 4 } else { 0 }
        + if wide_value { 4 } else { 0 }
        + if has_expiry { 8 } else { 0 }
}

impl Entry {
    /// Allocates an entry.
    pub(crate) fn new(parts: &Parts<'_>) -> Entry {
        let (key_len, value_len) = (parts.key.len(), parts.value.len());
        let header = header_len(parts.kind, key_len, value_len, parts.expiry.is_some());
        let len = header + key_len + value_len;
        let layout = layout(len);
        // SAFETY: the layout has a non-zero size.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        let entry = Entry(block);
        entry.write(parts);
        entry
    }

    /// Frees the block, and the object if it owns one. The handle, and every copy of it, is dead afterwards.
    pub(crate) fn free(self) {
        self.release_object();
        self.free_block();
    }

    /// Bytes of a value that is an object, which the entry will own.
    pub(crate) fn object_value(object: Box<Object>) -> [u8; OBJECT_BYTES] {
        let mut value = [LARGE; OBJECT_BYTES];
        let address = Box::into_raw(object) as u64;
        value[1..].copy_from_slice(&address.to_le_bytes());
        value
    }

    fn object_address(self) -> Option<*mut Object> {
        let is_large = self.kind().is_some_and(Kind::has_trees)
            && self.value_len() == OBJECT_BYTES
            && self.value()[0] & LARGE != 0;
        if !is_large {
            return None;
        }
        let address: [u8; 8] = self.value()[1..].try_into().expect("eight bytes");
        Some(u64::from_le_bytes(address) as *mut Object)
    }

    /// The object this entry owns, if its value is one.
    ///
    /// As [`Entry::value_mut`]: the slot's lock makes the borrow unique, and it ends before the entry is freed or
    /// reshaped.
    pub(crate) fn object<'a>(self) -> Option<&'a mut Object> {
        // SAFETY: the address came from `object_value`, and the object lives until `release_object`.
        self.object_address()
            .map(|address| unsafe { &mut *address })
    }

    /// For a hash of which fields expire: a time before which none does.
    pub(crate) fn field_deadline(self) -> Option<UnixMs> {
        if self.kind() != Some(Kind::Hash) {
            return None;
        }
        match self.object() {
            Some(object) => bound_in(&object.extra),
            None => bound_in(Small::parse(self.value())?.extra),
        }
    }

    /// Takes the object away; the value is void afterwards.
    fn release_object(self) {
        if let Some(address) = self.object_address() {
            self.value_mut()[0] = 0;
            // SAFETY: the address came from `Box::into_raw`, and just now was forgotten.
            discard(unsafe { Box::from_raw(address) });
        }
    }

    /// Bytes in memory: the block's, and the object's.
    pub(crate) fn memory(self) -> usize {
        self.len() + self.object().map_or(0, |object| object.memory())
    }

    /// The same entry in a new block; the old one is freed, and with it this handle is dead.
    pub(crate) fn moved(self) -> Entry {
        let layout = layout(self.len());
        // SAFETY: the layout has a non-zero size.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        // SAFETY: both blocks have the size that the entry's own header gives, and do not overlap. What the last bytes of
        // a small one hold is nobody's, but it is there.
        unsafe { ptr::copy_nonoverlapping(self.0.as_ptr(), block.as_ptr(), layout.size()) }
        self.free_block();
        Entry(block)
    }

    fn free_block(self) {
        let layout = layout(self.len());
        // SAFETY: the block was allocated with the layout its own header gives.
        unsafe { dealloc(self.0.as_ptr(), layout) }
    }

    fn write(self, parts: &Parts<'_>) {
        let key_len = parts.key.len();
        let value_len = parts.value.len();
        let meta = kind_bits(parts.kind)
            | ((parts.state as u8) << STATE_SHIFT)
            | if parts.expiry.is_some() {
                HAS_EXPIRY
            } else {
                0
            }
            | if parts.cold_expiry { COLD_EXPIRY } else { 0 };
        let mut at = FIXED;
        // SAFETY: the block has room for header, key and value as `new`/`reshape` computed it, and the key
        // and value do not overlap the block (`Parts` borrows them from elsewhere).
        unsafe {
            let p = self.0.as_ptr();
            *p.add(META) = meta;
            ptr::copy_nonoverlapping(parts.clock.to_le_bytes().as_ptr(), p.add(CLOCK), 2);
            let key_byte = key_len.min(usize::from(LONG)) as u8;
            let value_byte = value_len_byte(parts.kind, value_len);
            for (field, byte, wide, len) in [
                (KEY_LEN, key_byte, key_byte == LONG, key_len),
                (VALUE_LEN, value_byte, value_byte >= EXTENDED, value_len),
            ] {
                *p.add(field) = byte;
                if wide {
                    ptr::copy_nonoverlapping((len as u32).to_le_bytes().as_ptr(), p.add(at), 4);
                    at += 4;
                }
            }
            if let Some(expiry) = parts.expiry {
                ptr::copy_nonoverlapping(expiry.0.to_le_bytes().as_ptr(), p.add(at), 8);
                at += 8;
            }
            ptr::copy_nonoverlapping(parts.key.as_ptr(), p.add(at), key_len);
            ptr::copy_nonoverlapping(parts.value.as_ptr(), p.add(at + key_len), value_len);
        }
    }

    fn byte(self, at: usize) -> u8 {
        // SAFETY: the fixed header is always there.
        unsafe { *self.0.as_ptr().add(at) }
    }

    fn set_byte(self, at: usize, value: u8) {
        // SAFETY: as `byte`; the slot's lock is held by whoever has the table.
        unsafe { *self.0.as_ptr().add(at) = value }
    }

    fn u32_at(self, at: usize) -> usize {
        let mut bytes = [0u8; 4];
        // SAFETY: callers pass the place of a length that the header says is there.
        unsafe { ptr::copy_nonoverlapping(self.0.as_ptr().add(at), bytes.as_mut_ptr(), 4) }
        u32::from_le_bytes(bytes) as usize
    }

    /// Length of the key.
    fn key_len(self) -> usize {
        match self.byte(KEY_LEN) {
            LONG => self.u32_at(FIXED),
            len => usize::from(len),
        }
    }

    fn value_len_at(self) -> usize {
        if self.byte(KEY_LEN) == LONG {
            FIXED + 4
        } else {
            FIXED
        }
    }

    /// Length of the value.
    pub(crate) fn value_len(self) -> usize {
        match self.byte(VALUE_LEN) {
            EXTENDED.. => self.u32_at(self.value_len_at()),
            len => usize::from(len),
        }
    }

    fn has_expiry(self) -> bool {
        self.byte(META) & HAS_EXPIRY != 0
    }

    fn key_at(self) -> usize {
        FIXED
            + if self.byte(KEY_LEN) == LONG { 4 } else { 0 }
            + if self.byte(VALUE_LEN) >= EXTENDED {
                4
            } else {
                0
            }
            + if self.has_expiry() { 8 } else { 0 }
    }

    /// Bytes of the block in use.
    pub(crate) fn len(self) -> usize {
        self.key_at() + self.key_len() + self.value_len()
    }

    /// The key.
    ///
    /// The slice lives as long as the entry is neither freed nor reshaped; callers keep it inside the
    /// borrow of the table they got the entry from.
    pub(crate) fn key<'a>(self) -> &'a [u8] {
        // SAFETY: the header's lengths describe the block; see above for the lifetime.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(self.key_at()), self.key_len()) }
    }

    /// The value; as [`Entry::key`].
    pub(crate) fn value<'a>(self) -> &'a [u8] {
        let at = self.key_at() + self.key_len();
        // SAFETY: as `key`.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(at), self.value_len()) }
    }

    /// The value for modification in place; as [`Entry::key`], and the caller holds the slot's lock.
    pub(crate) fn value_mut<'a>(self) -> &'a mut [u8] {
        let at = self.key_at() + self.key_len();
        // SAFETY: as `key`; the lock makes the borrow unique.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr().add(at), self.value_len()) }
    }

    /// The kind; `None` for a tombstone.
    #[inline]
    pub(crate) fn kind(self) -> Option<Kind> {
        let bits = self.byte(META) & KIND_MASK;
        if self.is_extended() {
            return Kind::from_code(bits + EXTENDED_KINDS);
        }
        Kind::from_code(bits)
    }

    fn is_extended(self) -> bool {
        self.byte(VALUE_LEN) == EXTENDED
    }

    /// True for a tombstone.
    pub(crate) fn is_tombstone(self) -> bool {
        self.byte(META) & KIND_MASK == TOMBSTONE
    }

    /// Changes the kind of a live entry, of both which the three bits hold.
    pub(crate) fn set_kind(self, kind: Kind) {
        debug_assert!(!self.is_extended() && !is_extended(Some(kind)));
        self.set_byte(META, (self.byte(META) & !KIND_MASK) | kind as u8);
    }

    /// The state of the key (see `state.rs`).
    pub(crate) fn state(self) -> State {
        State::from_code((self.byte(META) & STATE_MASK) >> STATE_SHIFT)
    }

    /// Sets the state.
    pub(crate) fn set_state(self, state: State) {
        self.set_byte(
            META,
            (self.byte(META) & !STATE_MASK) | ((state as u8) << STATE_SHIFT),
        );
    }

    /// True if the cold copy, where there is one, has an expiry.
    pub(crate) fn cold_expiry(self) -> bool {
        self.byte(META) & COLD_EXPIRY != 0
    }

    /// Notes whether the cold copy has an expiry.
    pub(crate) fn set_cold_expiry(self, yes: bool) {
        let meta = self.byte(META) & !COLD_EXPIRY;
        self.set_byte(META, if yes { meta | COLD_EXPIRY } else { meta });
    }

    /// LFU decay clock.
    pub(crate) fn clock(self) -> u16 {
        u16::from_le_bytes([self.byte(CLOCK), self.byte(CLOCK + 1)])
    }

    /// Sets the LFU decay clock.
    pub(crate) fn set_clock(self, minutes: u16) {
        let [low, high] = minutes.to_le_bytes();
        self.set_byte(CLOCK, low);
        self.set_byte(CLOCK + 1, high);
    }

    /// When the key expires.
    pub(crate) fn expiry(self) -> Option<UnixMs> {
        if !self.has_expiry() {
            return None;
        }
        let mut bytes = [0u8; 8];
        let at = self.key_at() - 8;
        // SAFETY: the header says the expiry is there, just before the key.
        unsafe { ptr::copy_nonoverlapping(self.0.as_ptr().add(at), bytes.as_mut_ptr(), 8) }
        Some(UnixMs(u64::from_le_bytes(bytes)))
    }

    /// The entry with another value and expiry (and state, kind); reuses the block where it can. The
    /// handle returned replaces this one, which is dead.
    pub(crate) fn reshape(
        self,
        kind: Option<Kind>,
        state: State,
        expiry: Option<UnixMs>,
        value: &[u8],
    ) -> Entry {
        self.release_object();
        let fits = value.len() == self.value_len()
            && expiry.is_some() == self.has_expiry()
            && is_extended(kind) == self.is_extended();
        if fits {
            self.set_byte(META, (self.byte(META) & !KIND_MASK) | kind_bits(kind));
            self.set_state(state);
            if let Some(expiry) = expiry {
                self.overwrite_expiry(expiry);
            }
            self.value_mut().copy_from_slice(value);
            return self;
        }
        let new = Entry::new(&Parts {
            kind,
            state,
            cold_expiry: self.cold_expiry(),
            clock: self.clock(),
            expiry,
            key: self.key(),
            value,
        });
        self.free_block();
        new
    }

    fn overwrite_expiry(self, expiry: UnixMs) {
        debug_assert!(self.has_expiry());
        let at = self.key_at() - 8;
        // SAFETY: as `expiry`.
        unsafe {
            ptr::copy_nonoverlapping(expiry.0.to_le_bytes().as_ptr(), self.0.as_ptr().add(at), 8)
        }
    }

    /// The entry with another expiry; moves only if an expiry appears or goes.
    pub(crate) fn with_expiry(self, expiry: Option<UnixMs>) -> Entry {
        match (expiry, self.has_expiry()) {
            (None, false) => self,
            (Some(at), true) => {
                self.overwrite_expiry(at);
                self
            }
            _ => {
                let new = Entry::new(&Parts {
                    kind: self.kind(),
                    state: self.state(),
                    cold_expiry: self.cold_expiry(),
                    clock: self.clock(),
                    expiry,
                    key: self.key(),
                    value: self.value(),
                });
                self.free_block();
                new
            }
        }
    }

    /// The entry with its value grown to `new_len` bytes; the new ones are zero.
    pub(crate) fn grow(self, new_len: usize) -> Entry {
        let old_len = self.value_len();
        debug_assert!(new_len >= old_len && !self.is_extended());
        let old_block = self.len();
        let key_at = self.key_at();
        let body = self.key_len() + old_len;
        let wide = new_len >= usize::from(EXTENDED);
        let shift = if wide && old_len < usize::from(EXTENDED) {
            4
        } else {
            0
        };
        let new_block = old_block + shift + (new_len - old_len);
        let old_layout = layout(old_block);
        // SAFETY: the block was allocated with the layout of its own header; the new size is not zero.
        let moved = unsafe { realloc(self.0.as_ptr(), old_layout, block_len(new_block)) };
        let Some(moved) = NonNull::new(moved) else {
            handle_alloc_error(layout(new_block))
        };
        // SAFETY: the block now has `new_block` bytes. Moving the part behind the value's length keeps
        // expiry, key and value in order; the tail is inside the block.
        unsafe {
            let p = moved.as_ptr();
            let long_at = Entry(moved).value_len_at();
            if shift == 4 {
                ptr::copy(p.add(long_at), p.add(long_at + 4), key_at - long_at + body);
                *p.add(VALUE_LEN) = LONG;
            }
            if wide {
                ptr::copy_nonoverlapping(
                    (new_len as u32).to_le_bytes().as_ptr(),
                    p.add(long_at),
                    4,
                );
            } else {
                *p.add(VALUE_LEN) = new_len as u8;
            }
            ptr::write_bytes(p.add(key_at + shift + body), 0, new_len - old_len);
        }
        Entry(moved)
    }

    /// The block's address, for the table's word.
    pub(crate) fn address(self) -> u64 {
        self.0.as_ptr() as u64
    }

    /// The entry at an address a word holds.
    ///
    /// # Safety
    /// `address` came from [`Entry::address`] of an entry that was not freed since.
    pub(crate) unsafe fn from_address(address: u64) -> Entry {
        // SAFETY: an address of a block is never null.
        Entry(unsafe { NonNull::new_unchecked(address as *mut u8) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts<'a>(key: &'a [u8], value: &'a [u8], expiry: Option<UnixMs>) -> Parts<'a> {
        Parts {
            kind: Some(Kind::String),
            state: State::DirtyNew,
            cold_expiry: false,
            clock: 0xABCD,
            expiry,
            key,
            value,
        }
    }

    fn check(entry: Entry, key: &[u8], value: &[u8], expiry: Option<UnixMs>) {
        assert_eq!(entry.key(), key);
        assert_eq!(entry.value(), value);
        assert_eq!(entry.expiry(), expiry);
        assert_eq!(entry.clock(), 0xABCD);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]
        #[test]
        fn an_entry_gives_back_what_was_put_in(
            key in proptest::collection::vec(any::<u8>(), 0..300),
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 1..6),
            expiries in proptest::collection::vec(proptest::option::of(any::<u64>().prop_map(UnixMs)), 6),
        ) {
            let mut entry = Entry::new(&parts(&key, &values[0], expiries[0]));
            check(entry, &key, &values[0], expiries[0]);
            for (value, expiry) in values.iter().zip(&expiries) {
                // Nine bytes could be an object's address.
                if value.len() != OBJECT_BYTES {
                    for kind in [Kind::LargeString, Kind::Bloom] {
                        entry = entry.reshape(Some(kind), State::DirtyOver, *expiry, value);
                        check(entry, &key, value, *expiry);
                        prop_assert_eq!(entry.kind(), Some(kind));
                        entry = entry.with_expiry(None).with_expiry(Some(UnixMs(9)));
                        check(entry, &key, value, Some(UnixMs(9)));
                        prop_assert_eq!(entry.kind(), Some(kind));
                    }
                }
                entry = entry.reshape(Some(Kind::RawString), State::Clean, *expiry, value);
                check(entry, &key, value, *expiry);
                prop_assert_eq!(entry.state(), State::Clean);
                prop_assert_eq!(entry.kind(), Some(Kind::RawString));
                let grown = value.len() + 1 + value.len() / 2;
                entry = entry.grow(grown);
                let mut expected = value.clone();
                expected.resize(grown, 0);
                check(entry, &key, &expected, *expiry);
                entry = entry.with_expiry(Some(UnixMs(7)));
                check(entry, &key, &expected, Some(UnixMs(7)));
                entry = entry.with_expiry(None);
                check(entry, &key, &expected, None);
            }
            entry.free();
        }
    }

    #[test]
    fn a_small_string_costs_five_bytes_above_key_and_value() {
        let entry = Entry::new(&parts(b"key:1000000", &[b'x'; 64], None));
        assert_eq!(entry.len(), 11 + 64 + 5);
        entry.free();
    }
}
