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
