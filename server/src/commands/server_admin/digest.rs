//! DEBUG DIGEST and DIGEST-VALUE: twenty bytes that say whether two data sets are the same, computed as Redis
//! does, so that the result can be held against a redis-server's.
//!
//! SHA-1 of each part is mixed into the digest of its key; the digests of keys, hashed again, are combined by
//! exclusive or, which does not care in what order they come.

use std::ops::ControlFlow;

use basalt_tiering::{Collection, Fault, Kind, MAIN, OpenError, bytes_score};
use sha1::{Digest as _, Sha1};

use super::debug::Reach;
use crate::commands::keyspace::for_each_key;
use crate::commands::streams::id::Id;
use crate::commands::streams::stream::{Head, decoded};
use crate::effect_forms::double_text;
use crate::errors::{self, Error};

/// See the module's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest([u8; 20]);

impl Digest {
    /// Parts may come in any order.
    fn xor(&mut self, part: &[u8]) {
        self.xor_hash(Sha1::digest(part).into());
    }

    fn xor_hash(&mut self, hash: [u8; 20]) {
        self.0
            .iter_mut()
            .zip(hash)
            .for_each(|(byte, other)| *byte ^= other);
    }

    /// The order of the parts matters.
    fn mix(&mut self, part: &[u8]) {
        self.mix_hash(Sha1::digest(part).into());
    }

    /// As [`Digest::mix`] of the part that has this hash.
    fn mix_hash(&mut self, hash: [u8; 20]) {
        self.xor_hash(hash);
        self.0 = Sha1::digest(self.0).into();
    }

    pub(super) fn hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Adds a string with its type and whether it expires.
    #[cfg(test)]
    fn value(&mut self, kind: Kind, bytes: &[u8], expires: bool) {
        self.mix(&type_code(kind).to_be_bytes());
        self.mix(bytes);
        self.expiry(expires);
    }

    fn expiry(&mut self, expires: bool) {
        if expires {
            self.xor(b"!!expire!!");
        }
    }

    /// The order of pairs does not matter, that within a pair does.
    fn pair(&mut self, first: &[u8], second: &[u8]) {
        let mut pair = Digest::default();
        pair.mix(first);
        pair.mix(second);
        self.xor(&pair.0);
    }

    /// Adds the entries of a stream; its groups do not count.
    fn entries(&mut self, open: &Collection<'_, '_>) -> Result<(), Fault> {
        let head = Head::decode(open.extra());
        open.each(MAIN, 0..open.len(MAIN), false, |key, value| {
            let id = Id::of_key(key);
            self.mix(format!("{}.{}", id.ms, id.seq).as_bytes());
            for (name, value) in decoded(&head, &value).fields() {
                self.mix(name);
                self.mix(&value);
            }
            ControlFlow::Continue(())
        })
    }

    /// Adds the elements of a collection.
    fn elements(&mut self, open: &Collection<'_, '_>, kind: Kind) -> Result<(), Fault> {
        if kind == Kind::Stream {
            return self.entries(open);
        }
        if kind == Kind::Bloom {
            self.mix(open.extra());
        }
        open.each(MAIN, 0..open.len(MAIN), false, |key, value| {
            match kind {
                Kind::Hash => {
                    let mut pair = Digest::default();
                    pair.mix(key);
                    pair.mix(&value);
                    if value.deadline().is_some() {
                        pair.xor(b"!!hexpire!!");
                    }
                    self.xor(&pair.0);
                }
                Kind::ZSet => {
                    let (score, member) = key.split_first_chunk().expect("eight bytes of score");
                    self.pair(member, double_text(bytes_score(*score)).as_bytes());
                }
                Kind::List => self.mix(&value),
                Kind::Set => self.xor(key),
                Kind::Bloom => {
                    self.mix(key);
                    self.mix(&value);
                }
                Kind::Stream | Kind::String | Kind::RawString | Kind::LargeString => {
                    unreachable!("they have forms of their own")
                }
            }
            ControlFlow::Continue(())
        })
    }
}

/// The number Redis has for a type.
fn type_code(kind: Kind) -> u32 {
    match kind {
        Kind::String | Kind::RawString | Kind::LargeString => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::ZSet => 3,
        Kind::Hash => 4,
        // A type of a module.
        Kind::Bloom => 5,
        Kind::Stream => 6,
    }
}

/// The digest of all databases. The caller keeps everybody else out.
pub(super) fn dataset(reach: &Reach) -> Result<Digest, Error> {
    let data = reach.server.data();
    let store = &data.store;
    let mut total = Digest::default();
    for db in 0..reach.server.config.peek().databases {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for_each_key(store, store.namespace(db), &mut |key, _| {
            keys.push(key.to_vec())
        })
        .map_err(|error| errors::store_failed(&error))?;
        if keys.is_empty() {
            continue;
        }
        // As Redis has it: the number is mixed into what came before, the keys are not.
        total.mix(&db.to_be_bytes());
        for key in keys {
            let mut one = Digest::default();
            one.mix(&key);
            if add_value(reach, db, &key, &mut one)? {
                total.xor(&one.0);
            }
        }
    }
    Ok(total)
}

/// The digest of one value; zeroes for a key that is not there.
pub(super) fn value(reach: &Reach, db: u32, key: &[u8]) -> Result<Digest, Error> {
    let mut digest = Digest::default();
    add_value(reach, db, key, &mut digest)?;
    Ok(digest)
}

fn add_value(reach: &Reach, db: u32, key: &[u8], digest: &mut Digest) -> Result<bool, Error> {
    let found = reach.with_key(db, key, |tx, key| {
        let Some(value) = tx.peek(key)? else {
            return Ok(None);
        };
        let (kind, expires) = (value.kind, value.expiry.is_some());
        let mut one = *digest;
        one.mix(&type_code(kind).to_be_bytes());
        let just_read = |error| match error {
            OpenError::Fault => Fault,
            OpenError::WrongKind => unreachable!("the kind was just read"),
        };
        if kind.is_string() {
            let text = tx.peek_text(key).map_err(just_read)?;
            let (text, mut hash) = (text.expect("just seen"), Sha1::new());
            text.each_piece(0..text.len(), |part| hash.update(part))?;
            one.mix_hash(hash.finalize().into());
        } else {
            let open = tx.peek_collection(key, kind).map_err(just_read)?;
            one.elements(&open, kind)?;
        }
        one.expiry(expires);
        Ok(Some(one))
    })?;
    if let Some(one) = found {
        *digest = one;
    }
    Ok(found.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_digests_of_redis() {
        // From DEBUG DIGEST-VALUE of a redis-server 7.0: `set a 1` with an expiry, `set n 12` without.
        let digest = |bytes: &[u8], expires: bool| {
            let mut digest = Digest::default();
            digest.value(Kind::String, bytes, expires);
            digest.hex()
        };
        assert_eq!(
            digest(b"1", true),
            "5279988c5d1911f474bcbbf2f0a87012d40f8459"
        );
        assert_eq!(
            digest(b"12", false),
            "655ac46b180ad2f61a3cee25f0b1780fa2ec879a"
        );
    }

    #[test]
    fn keys_are_combined_as_in_redis() {
        // From DEBUG DIGEST of a redis-server 7.0 that holds `a` = `1` in database 0.
        let mut total = Digest::default();
        total.mix(&0u32.to_be_bytes());
        let mut one = Digest::default();
        one.mix(b"a");
        one.value(Kind::String, b"1", false);
        total.xor(&one.0);
        assert_eq!(total.hex(), "943d800368fb9c0e951138f1bc0e313ac769d91f");
    }
}
