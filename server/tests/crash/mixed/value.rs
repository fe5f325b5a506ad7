//! What a key may hold, and the few lines of each type's rules that a model needs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::support::resp::Reply;

/// A key's value and the time it expires at, -1 for never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) expires_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Vec<u8>),
    List(VecDeque<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    Sorted(BTreeMap<Vec<u8>, i64>),
    /// Value and expiry of each field.
    Hash(BTreeMap<Vec<u8>, (Vec<u8>, i64)>),
    Stream(Stream),
    /// A HyperLogLog: the registers that are not zero.
    Registers(BTreeMap<u16, u8>),
    /// What was added to a Bloom filter.
    Filter(BTreeSet<Vec<u8>>),
}

impl Value {
    /// Whether Redis deletes the key of such a value.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Set(set) => set.is_empty(),
            Self::Sorted(sorted) => sorted.is_empty(),
            Self::Hash(hash) => hash.is_empty(),
            _ => false,
        }
    }

    /// How large it is: elements, or bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::List(list) => list.len(),
            Self::Set(set) | Self::Filter(set) => set.len(),
            Self::Sorted(sorted) => sorted.len(),
            Self::Hash(hash) => hash.len(),
            Self::Stream(stream) => stream.entries.len(),
            Self::Registers(registers) => registers.len(),
        }
    }
}

/// Entries have ids `n-0` and one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) entries: BTreeMap<u64, Vec<u8>>,
    pub(crate) last: u64,
    pub(crate) groups: BTreeMap<Vec<u8>, Group>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) last: u64,
    pub(crate) consumers: BTreeSet<Vec<u8>>,
    /// Consumer and number of deliveries of what is pending.
    pub(crate) pending: BTreeMap<u64, (Vec<u8>, i64)>,
}

/// The keys of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(pub(crate) BTreeMap<Vec<u8>, Entry>);

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum No {
    WrongType,
    /// The command is of another family.
    NotMine,
}

pub(crate) type Answer = Result<Reply, No>;

macro_rules! typed {
    ($have:ident, $make:ident, $variant:ident, $type:ty) => {
        impl State {
            #[allow(dead_code, reason = "one of a family of functions")]
            pub(crate) fn $have(&mut self, key: &[u8]) -> Result<Option<&mut $type>, No> {
                match self.0.get_mut(key).map(|entry| &mut entry.value) {
                    None => Ok(None),
                    Some(Value::$variant(value)) => Ok(Some(value)),
                    Some(_) => Err(No::WrongType),
                }
            }

            #[allow(dead_code, reason = "one of a family of functions")]
            pub(crate) fn $make(&mut self, key: &[u8]) -> Result<&mut $type, No> {
                let entry = self.0.entry(key.to_vec()).or_insert_with(|| Entry {
                    value: Value::$variant(Default::default()),
                    expires_ms: -1,
                });
                match &mut entry.value {
                    Value::$variant(value) => Ok(value),
                    _ => Err(No::WrongType),
                }
            }
        }
    };
}

typed!(text, make_text, Text, Vec<u8>);
typed!(list, make_list, List, VecDeque<Vec<u8>>);
typed!(set, make_set, Set, BTreeSet<Vec<u8>>);
typed!(sorted, make_sorted, Sorted, BTreeMap<Vec<u8>, i64>);
typed!(hash, make_hash, Hash, BTreeMap<Vec<u8>, (Vec<u8>, i64)>);
typed!(stream, make_stream, Stream, Stream);
typed!(registers, make_registers, Registers, BTreeMap<u16, u8>);
typed!(filter, make_filter, Filter, BTreeSet<Vec<u8>>);

impl State {
    /// Puts `value` there, whatever was there; nothing if it is an empty collection.
    pub(crate) fn put(&mut self, key: &[u8], value: Value) {
        self.0.remove(key);
        if !value.is_gone() {
            let expires_ms = -1;
            self.0.insert(key.to_vec(), Entry { value, expires_ms });
        }
    }
}

pub(crate) fn number(text: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(text);
    // An id of a stream is its first half.
    let first = text.split('-').next().filter(|first| !first.is_empty());
    first.unwrap_or(&text).parse().unwrap_or_else(|_| {
        text.parse()
            .unwrap_or_else(|_| panic!("{text} is no number"))
    })
}

pub(crate) fn at(text: &[u8]) -> u64 {
    number(text).unsigned_abs()
}

pub(crate) fn ok() -> Reply {
    Reply::Status(b"OK".to_vec())
}

pub(crate) fn flag(yes: bool) -> Reply {
    Reply::Int(i64::from(yes))
}

pub(crate) fn count(n: usize) -> Reply {
    Reply::Int(i64::try_from(n).expect("small"))
}

pub(crate) fn bulk(bytes: Option<&[u8]>) -> Reply {
    bytes.map_or(Reply::Nil, |bytes| Reply::Bulk(bytes.to_vec()))
}

pub(crate) fn error(text: &str) -> Reply {
    Reply::Error(text.as_bytes().to_vec())
}
