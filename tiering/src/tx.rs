//! A `Tx`: the slots a command holds, and everything it may do with the keys in them.
//!
//! Lookups fault when a key is neither in memory nor pinned; the caller then drops the `Tx`, pins the keys
//! (`Store::pin`), and runs the command again. A command must fault before its first write (asserted).

use crate::{KeyHash, NamespaceId, Slot, UnixMs};

/// A key with its coordinates computed once.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Number of the database the key was named in.
    pub db: u32,
    /// Namespace of the selected database.
    pub ns: NamespaceId,
    /// Cluster slot.
    pub slot: Slot,
    /// Seeded hash.
    pub hash: KeyHash,
    /// The key's bytes.
    pub bytes: &'a [u8],
}

/// What the payload of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A string; its encoding (int, embstr, raw) follows from its content.
    String = 0,
    /// A string that was modified in place (APPEND, SETRANGE, SETBIT): Redis reports it as `raw`.
    RawString = 1,
}

/// A value as a handler sees it.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// Type of the payload.
    pub kind: Kind,
    /// The payload.
    pub bytes: &'a [u8],
    /// When the key expires.
    pub expiry: Option<UnixMs>,
    /// LFU counter after decay.
    pub freq: u8,
    /// Seconds since the last access.
    pub idle_seconds: u64,
}

/// What a write does to the key's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The key has no expiry afterwards.
    Never,
    /// The key expires at this time.
    At(UnixMs),
    /// As it was; only meaningful for a key that is resident (`get` it first).
    Keep,
}

/// A key is not in memory and has to be pinned.
#[derive(Clone, Copy, Debug)]
pub struct Fault;

/// The locked slots of one command.
#[derive(Debug)]
pub struct Tx<'s> {
    _slots: std::marker::PhantomData<&'s ()>,
}

impl Tx<'_> {
    /// Reads a key and counts the access. A key past its expiry is absent (and, on a master, deleted).
    pub fn get(&mut self, _key: &Key<'_>) -> Result<Option<Value<'_>>, Fault> {
        todo!()
    }

    /// Reads a key without counting the access (OBJECT, TYPE, TTL, EXISTS of NO-TOUCH clients).
    pub fn peek(&mut self, _key: &Key<'_>) -> Result<Option<Value<'_>>, Fault> {
        todo!()
    }

    /// True if the key is there; counts the access.
    pub fn exists(&mut self, _key: &Key<'_>) -> Result<bool, Fault> {
        todo!()
    }

    /// Sets the key, whatever it was. `Expiry::Keep` needs a preceding `get`/`peek`/`exists` of the key.
    pub fn set(&mut self, _key: &Key<'_>, _kind: Kind, _value: &[u8], _expiry: Expiry) {
        todo!()
    }

    /// Deletes the key; true if it was there.
    pub fn remove(&mut self, _key: &Key<'_>) -> Result<bool, Fault> {
        todo!()
    }

    /// Changes only the expiry; false if the key is absent.
    pub fn set_expiry(&mut self, _key: &Key<'_>, _expiry: Option<UnixMs>) -> Result<bool, Fault> {
        todo!()
    }

    /// Appends to the value (creates the key if absent) and returns the new length. Amortised O(added).
    pub fn append(&mut self, _key: &Key<'_>, _tail: &[u8]) -> Result<usize, Fault> {
        todo!()
    }

    /// Gives the existing value, grown with zeroes to at least `len`, for modification in place; creates
    /// the key if absent. Keeps the expiry. The kind becomes `RawString`.
    pub fn modify(&mut self, _key: &Key<'_>, _len: usize) -> Result<&mut [u8], Fault> {
        todo!()
    }

    /// Time of the command: all its expiry decisions use this one reading of the clock.
    pub fn now(&self) -> UnixMs {
        todo!()
    }
}
