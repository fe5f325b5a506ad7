//! Cold keys: the order of the cold tier.
//!
//! ```text
//!   namespace u32 BE │ slot u16 BE │ order u32 BE │ user key bytes
//! ```
//!
//! Byte order is therefore (namespace, slot, order, key): one slot of one namespace is one contiguous run,
//! in the same order in which the hot table of that slot is scanned (`docs/decisions/0001-scan-order.md`).
//! A row of the expiry family is the deadline (Unix ms, u64 BE) followed by the cold key. A row of the pages family
//! has the key
//!
//! ```text
//!   namespace u32 BE │ object u64 BE │ page u32 BE
//! ```
//!
//! so that the pages of a value, and the values of a namespace, are one run each.

use crate::ids::{KeyHash, NamespaceId, Slot, UnixMs};

/// Bytes of a cold key before the user's key.
pub const KEY_PREFIX_BYTES: usize = 10;

/// Where a key lives in the cold tier; borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColdKey<'a> {
    /// Namespace of the key's database.
    pub ns: NamespaceId,
    /// Slot of the key.
    pub slot: Slot,
    /// Position in the slot: the top 32 bits of the key's hash.
    pub order: u32,
    /// The user's key.
    pub key: &'a [u8],
}

impl<'a> ColdKey<'a> {
    /// The cold key of a user key whose slot and hash are known.
    #[must_use]
    pub fn new(ns: NamespaceId, slot: Slot, hash: KeyHash, key: &'a [u8]) -> Self {
        ColdKey {
            ns,
            slot,
            order: hash.order(),
            key,
        }
    }

    /// Appends the encoded key to `out`.
    pub fn encode_onto(&self, out: &mut Vec<u8>) {
        out.reserve(KEY_PREFIX_BYTES + self.key.len());
        out.extend_from_slice(&position(self.ns, self.slot, self.order));
        out.extend_from_slice(self.key);
    }

    /// Replaces the contents of `out` by the encoded key.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        out.clear();
        self.encode_onto(out);
    }

    /// Reads an encoded key; `None` if it is too short to be one.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (ns, rest) = bytes.split_first_chunk::<4>()?;
        let (slot, rest) = rest.split_first_chunk::<2>()?;
        let (order, key) = rest.split_first_chunk::<4>()?;
        Some(ColdKey {
            ns: NamespaceId(u32::from_be_bytes(*ns)),
            slot: Slot(u16::from_be_bytes(*slot)),
            order: u32::from_be_bytes(*order),
            key,
        })
    }

    /// An owned copy.
    #[must_use]
    pub fn to_owned(&self) -> ColdKeyOwned {
        ColdKeyOwned {
            ns: self.ns,
            slot: self.slot,
            order: self.order,
            key: self.key.into(),
        }
    }
}

/// A [`ColdKey`] that owns the user's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColdKeyOwned {
    /// Namespace of the key's database.
    pub ns: NamespaceId,
    /// Slot of the key.
    pub slot: Slot,
    /// Position in the slot.
    pub order: u32,
    /// The user's key.
    pub key: Box<[u8]>,
}

impl ColdKeyOwned {
    /// The borrowed form.
    #[must_use]
    pub fn as_ref(&self) -> ColdKey<'_> {
        ColdKey {
            ns: self.ns,
            slot: self.slot,
            order: self.order,
            key: &self.key,
        }
    }
}

/// A row of the expiry family: `key` is due at `at`. Whether that is still true, the key's record says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpiryItem {
    /// The deadline.
    pub at: UnixMs,
    /// The key it belongs to.
    pub key: ColdKeyOwned,
}

impl ExpiryItem {
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (at, key) = bytes.split_first_chunk::<8>()?;
        let key = ColdKey::decode(key)?.to_owned();
        Some(ExpiryItem {
            at: UnixMs(u64::from_be_bytes(*at)),
            key,
        })
    }
}

/// Calls `then` with the encoded form of `key`, without touching the heap for keys of usual length.
pub(super) fn with_encoded<T>(key: &ColdKey<'_>, then: impl FnOnce(&[u8]) -> T) -> T {
    const ON_STACK_BYTES: usize = 128;
    let bytes = KEY_PREFIX_BYTES + key.key.len();
    if bytes > ON_STACK_BYTES {
        let mut buffer = Vec::with_capacity(bytes);
        key.encode_onto(&mut buffer);
        return then(&buffer);
    }
    let mut buffer = [0; ON_STACK_BYTES];
    buffer[..KEY_PREFIX_BYTES].copy_from_slice(&position(key.ns, key.slot, key.order));
    buffer[KEY_PREFIX_BYTES..bytes].copy_from_slice(key.key);
    then(&buffer[..bytes])
}

/// Appends the expiry row's key for (`at`, `key`) to `out`.
pub(super) fn encode_expiry_onto(at: UnixMs, key: &ColdKey<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&at.0.to_be_bytes());
    key.encode_onto(out);
}

/// Bytes of a page's key.
pub(super) const PAGE_KEY_BYTES: usize = 16;

/// The key of a page; the first of an object is page 0, and no page has the last number.
pub(super) fn page_key(ns: NamespaceId, object: u64, page: u32) -> [u8; PAGE_KEY_BYTES] {
    let mut out = [0; PAGE_KEY_BYTES];
    out[..4].copy_from_slice(&ns.0.to_be_bytes());
    out[4..12].copy_from_slice(&object.to_be_bytes());
    out[12..].copy_from_slice(&page.to_be_bytes());
    out
}

/// The first possible key at a position.
pub(super) fn position(ns: NamespaceId, slot: Slot, order: u32) -> [u8; KEY_PREFIX_BYTES] {
    let mut out = [0; KEY_PREFIX_BYTES];
    out[..4].copy_from_slice(&ns.0.to_be_bytes());
    out[4..6].copy_from_slice(&slot.0.to_be_bytes());
    out[6..].copy_from_slice(&order.to_be_bytes());
    out
}

/// The first position after every key of `slot`. Slots end far below `u16::MAX`, so the sum cannot wrap.
pub(super) fn end_of_slot(ns: NamespaceId, slot: Slot) -> [u8; KEY_PREFIX_BYTES] {
    position(ns, Slot(slot.0 + 1), 0)
}

/// The first position after every key of `ns`: a slot number no key has.
pub(super) fn end_of_namespace(ns: NamespaceId) -> [u8; KEY_PREFIX_BYTES] {
    position(ns, Slot(u16::MAX), u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_key() -> impl Strategy<Value = ColdKeyOwned> {
        (
            any::<u32>(),
            0..16384_u16,
            any::<u32>(),
            prop::collection::vec(any::<u8>(), 0..160),
        )
            .prop_map(|(ns, slot, order, key)| ColdKeyOwned {
                ns: NamespaceId(ns),
                slot: Slot(slot),
                order,
                key: key.into(),
            })
    }

    fn encoded(key: &ColdKeyOwned) -> Vec<u8> {
        let mut out = Vec::new();
        key.as_ref().encode_into(&mut out);
        out
    }

    proptest! {
        #[test]
        fn keys_round_trip_and_sort_by_their_parts(a in any_key(), b in any_key()) {
            prop_assert_eq!(ColdKey::decode(&encoded(&a)).map(|k| k.to_owned()), Some(a.clone()));
            prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
            prop_assert_eq!(with_encoded(&a.as_ref(), <[u8]>::to_vec), encoded(&a));
        }

        #[test]
        fn bounds_enclose_their_keys_and_no_others(a in any_key(), b in any_key()) {
            let bytes = encoded(&b);
            let in_slot = bytes.as_slice() >= position(a.ns, a.slot, 0).as_slice()
                && bytes.as_slice() < end_of_slot(a.ns, a.slot).as_slice();
            prop_assert_eq!(in_slot, a.ns == b.ns && a.slot == b.slot);
            let in_ns = bytes.as_slice() >= position(a.ns, Slot(0), 0).as_slice()
                && bytes.as_slice() < end_of_namespace(a.ns).as_slice();
            prop_assert_eq!(in_ns, a.ns == b.ns);
        }

        #[test]
        fn decoding_arbitrary_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(ColdKey::decode(&bytes).is_some(), bytes.len() >= KEY_PREFIX_BYTES);
            prop_assert_eq!(ExpiryItem::decode(&bytes).is_some(), bytes.len() >= KEY_PREFIX_BYTES + 8);
        }

        #[test]
        fn expiry_rows_sort_by_deadline(a in any_key(), x in any::<u64>(), b in any_key(), y in any::<u64>()) {
            let row = |at, key: &ColdKeyOwned| {
                let mut out = Vec::new();
                encode_expiry_onto(UnixMs(at), &key.as_ref(), &mut out);
                out
            };
            prop_assert_eq!(row(x, &a).cmp(&row(y, &b)), (x, &a).cmp(&(y, &b)));
            let back = ExpiryItem::decode(&row(x, &a));
            prop_assert_eq!(back, Some(ExpiryItem { at: UnixMs(x), key: a }));
        }
    }
}
