//! Values as a whole: copies that become another key's, and collections built at once.

use super::{Form, MAIN, OpenError};
use crate::UnixMs;
use crate::entry::Entry;
use crate::tree::{Builder, Bytes, Object, Small, encode_cell};
use crate::tx::{Expiry, Fault, Key, Kind, Tx};
use std::ops::ControlFlow;

/// A value taken out of the locked slots, to become another key's: RENAME, COPY, MOVE.
#[derive(Debug)]
pub struct Snapshot {
    /// What it is.
    pub kind: Kind,
    /// When the key expires.
    pub expiry: Option<UnixMs>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Bytes(Vec<u8>),
    Object(Box<Object>),
}

impl Tx<'_> {
    /// About how many bytes a value takes as a whole, in memory or not; 0 if the key is absent.
    ///
    /// # Errors
    /// [`Fault`] if the key has to be loaded.
    pub fn value_bytes(&mut self, key: &Key<'_>) -> Result<u64, Fault> {
        let Some(value) = self.peek(key)? else {
            return Ok(0);
        };
        let (kind, bytes) = (value.kind, value.bytes.len() as u64);
        if !kind.has_trees() {
            return Ok(bytes);
        }
        let open = self.peek_collection(key, kind).map_err(same_kind)?;
        Ok(match &open.form {
            Form::Large(object) => object.whole_bytes(),
            _ => bytes,
        })
    }

    /// The value of a key, without counting the access. A large one shares its pages with the key's until either is
    /// written, and has to be in memory as a whole.
    ///
    /// # Errors
    /// [`Fault`] if something has to be loaded.
    pub fn snapshot(&mut self, key: &Key<'_>) -> Result<Option<Snapshot>, Fault> {
        let Some(value) = self.peek(key)? else {
            return Ok(None);
        };
        let (kind, expiry) = (value.kind, value.expiry);
        if !kind.has_trees() {
            let content = Content::Bytes(value.bytes.to_vec());
            return Ok(Some(Snapshot {
                kind,
                expiry,
                content,
            }));
        }
        let bytes = value.bytes.to_vec();
        let id = self.inner.new_object();
        let open = self.peek_collection(key, kind).map_err(same_kind)?;
        open.prefault_all()?;
        let content = match &open.form {
            Form::Large(object) => Content::Object(Box::new(object.share(id))),
            _ => Content::Bytes(bytes),
        };
        Ok(Some(Snapshot {
            kind,
            expiry,
            content,
        }))
    }

    /// Makes a value that of `key`, whatever that held.
    pub fn put_snapshot(&mut self, key: &Key<'_>, snapshot: Snapshot, expiry: Expiry) {
        match snapshot.content {
            Content::Bytes(bytes) => self.set(key, snapshot.kind, &bytes, expiry),
            Content::Object(object) => {
                self.set(key, snapshot.kind, &Entry::object_value(object), expiry);
            }
        }
    }

    /// Makes a collection out of elements that are in order, the value of `key`, whatever that held. `fill` is called for
    /// each of the first `trees` trees of the kind, and calls its second argument with keys and values, rising (a list's
    /// keys are empty). Faster than inserting one by one, and pages are full. Tree [`MAIN`] must not be empty, except a
    /// stream's.
    pub fn build_collection(
        &mut self,
        key: &Key<'_>,
        kind: Kind,
        trees: usize,
        extra: &[u8],
        expiry: Expiry,
        mut fill: impl FnMut(usize, &mut dyn FnMut(&[u8], &[u8])),
    ) {
        assert!(
            (kind.least_trees()..=kind.trees().len()).contains(&trees),
            "as many trees as a value of the kind has"
        );
        let mut object = Object::of_pages(self.inner.new_object(), &[], Vec::new(), extra.to_vec());
        let mut cell = Vec::new();
        for (number, flavour) in kind.trees()[..trees].iter().enumerate() {
            let mut tree = Builder::new(&mut object.table, *flavour);
            fill(number, &mut |element, value| {
                encode_cell(*flavour, element, value, &mut cell);
                tree.push(element, &cell);
            });
            object.trees.push(tree.finish());
        }
        assert!(
            kind.may_be_empty() || object.trees[MAIN].len > 0,
            "an empty collection is no value"
        );
        match object.as_small() {
            Some(small) => self.set(key, kind, &small, expiry),
            None => self.set(key, kind, &Entry::object_value(Box::new(object)), expiry),
        }
    }
}

/// Why a key does not open as what it was just seen to be.
fn same_kind(error: OpenError) -> Fault {
    match error {
        OpenError::Fault => Fault,
        OpenError::WrongKind => unreachable!("the kind was just read"),
    }
}

impl Snapshot {
    /// The bytes of a plain string.
    #[must_use]
    pub fn string(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Bytes(bytes) if !self.kind.has_trees() => Some(bytes),
            _ => None,
        }
    }

    /// Calls `visit` with key and value of each element of a tree, in order.
    pub fn each(&self, tree: usize, mut visit: impl FnMut(&[u8], Bytes<'_>)) {
        let mut visit = |key: &[u8], value: Bytes<'_>| {
            visit(key, value);
            ControlFlow::Continue(())
        };
        let walked = match &self.content {
            Content::Bytes(bytes) => {
                let small =
                    Small::parse(bytes).expect("a small value was checked when it was read");
                small
                    .view(tree, self.kind.trees()[tree])
                    .walk(0..u64::MAX, false, &mut visit)
            }
            Content::Object(object) => object.view(tree).walk(0..u64::MAX, false, &mut visit),
        };
        walked.expect("a snapshot is whole");
    }

    /// The type's own bytes.
    #[must_use]
    pub fn extra(&self) -> &[u8] {
        match &self.content {
            Content::Bytes(bytes) => Small::parse(bytes).map_or(&[], |small| small.extra),
            Content::Object(object) => &object.extra,
        }
    }
}
