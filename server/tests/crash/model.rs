//! What one client may expect of its own keys: operations, their replies, and the state they leave.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::SmallRng;

use crate::support::resp::{Reply, encode};

/// Times to live never end during a run: they begin at this time in the year 3021.
const FAR_MS: i64 = 33_177_117_420_000;
/// Values stay below this, so that a run's data is known to fit the disk.
const MAX_LONG: usize = 50_000;

/// A key's value and the time it expires at, -1 for never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    pub(crate) expires_ms: i64,
}

/// The keys of one client.
pub(crate) type State = BTreeMap<Vec<u8>, Entry>;

/// One operation: it happens as a whole or not at all.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Set {
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Append {
        key: Vec<u8>,
        value: Vec<u8>,
    },
    SetRange {
        key: Vec<u8>,
        at: usize,
        value: Vec<u8>,
    },
    Incr {
        key: Vec<u8>,
    },
    Del {
        key: Vec<u8>,
    },
    ExpireAt {
        key: Vec<u8>,
        ms: i64,
    },
    Persist {
        key: Vec<u8>,
    },
    Rename {
        from: Vec<u8>,
        to: Vec<u8>,
    },
    Get {
        key: Vec<u8>,
    },
    /// A field of the client's hash, which stands in the state under a key of its own (`field_key`).
    PutField {
        field: Vec<u8>,
        value: Vec<u8>,
    },
    DropField {
        field: Vec<u8>,
    },
    GetField {
        field: Vec<u8>,
    },
    /// DEL of the hash.
    DropHash {
        hash: Vec<u8>,
    },
    /// Several keys in one command.
    SetMany {
        pairs: Vec<(Vec<u8>, Vec<u8>)>,
    },
    /// MULTI ... EXEC.
    Group {
        ops: Vec<Op>,
    },
}

impl Op {
    /// A random operation on the keys of client `owner`; `stamp` makes its value unique.
    pub(crate) fn random(rng: &mut SmallRng, owner: usize, keys: u32, stamp: u64) -> Self {
        match rng.random_range(0..100) {
            0..8 => Self::Group {
                ops: (0..rng.random_range(2..5))
                    .map(|n| Self::single(rng, owner, keys, stamp * 10 + n))
                    .collect(),
            },
            8..12 => Self::SetMany {
                pairs: (0..rng.random_range(2..6))
                    .map(|_| (key(rng, owner, keys), value(rng, stamp)))
                    .collect(),
            },
            _ => Self::single(rng, owner, keys, stamp),
        }
    }

    fn single(rng: &mut SmallRng, owner: usize, keys: u32, stamp: u64) -> Self {
        if rng.random_ratio(1, 5) {
            let field = field_key(&hash(owner), &format!("{}", rng.random_range(0..FIELDS)));
            return match rng.random_range(0..400) {
                0 => Self::DropHash { hash: hash(owner) },
                1..100 => Self::DropField { field },
                100..160 => Self::GetField { field },
                _ => Self::PutField {
                    field,
                    value: value(rng, stamp),
                },
            };
        }
        let key = key(rng, owner, keys);
        match rng.random_range(0..100) {
            0..35 => Self::Set {
                key,
                value: value(rng, stamp),
            },
            35..45 => Self::Append {
                key,
                value: format!("+{stamp}").into(),
            },
            45..50 => Self::SetRange {
                key,
                // Beyond 16 KiB a string is a tree.
                at: match rng.random_ratio(1, 20) {
                    true => rng.random_range(0..20) * 2024 + rng.random_range(0..3),
                    false => rng.random_range(0..100),
                },
                value: format!("@{stamp}").into(),
            },
            50..62 => Self::Incr {
                key: format!("n{owner}:{}", rng.random_range(0..9)).into(),
            },
            62..70 => Self::Del { key },
            70..75 => Self::ExpireAt {
                key,
                ms: FAR_MS + rng.random_range(0..1_000_000),
            },
            75..78 => Self::Persist { key },
            78..83 => Self::Rename {
                from: key,
                to: self::key(rng, owner, keys),
            },
            _ => Self::Get { key },
        }
    }

    /// Appends the commands to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let number;
        match self {
            Self::Set { key, value } => encode(&[b"SET", &key[..], value], out),
            Self::Append { key, value } => encode(&[b"APPEND", &key[..], value], out),
            Self::SetRange { key, at, value } => {
                number = at.to_string();
                encode(&[b"SETRANGE", &key[..], number.as_bytes(), value], out);
            }
            Self::Incr { key } => encode(&[b"INCR", &key[..]], out),
            Self::Del { key } => encode(&[b"DEL", &key[..]], out),
            Self::ExpireAt { key, ms } => {
                number = ms.to_string();
                encode(&[b"PEXPIREAT", &key[..], number.as_bytes()], out);
            }
            Self::Persist { key } => encode(&[b"PERSIST", &key[..]], out),
            Self::Rename { from, to } => encode(&[b"RENAME", &from[..], to], out),
            Self::Get { key } => encode(&[b"GET", &key[..]], out),
            Self::PutField { field, value } => {
                let (hash, field) = field_parts(field);
                encode(&[b"HSET", hash, field, value], out);
            }
            Self::DropField { field } => {
                let (hash, field) = field_parts(field);
                encode(&[b"HDEL", hash, field], out);
            }
            Self::GetField { field } => {
                let (hash, field) = field_parts(field);
                encode(&[b"HGET", hash, field], out);
            }
            Self::DropHash { hash } => encode(&[b"DEL", &hash[..]], out),
            Self::SetMany { pairs } => {
                let mut args: Vec<&[u8]> = vec![b"MSET"];
                args.extend(pairs.iter().flat_map(|(k, v)| [&k[..], &v[..]]));
                encode(&args, out);
            }
            Self::Group { ops } => {
                encode(&["MULTI"], out);
                ops.iter().for_each(|op| op.encode(out));
                encode(&["EXEC"], out);
            }
        }
    }

    /// How many replies it gets; the last one tells that it happened.
    pub(crate) fn replies(&self) -> usize {
        match self {
            Self::Group { ops } => ops.len() + 2,
            _ => 1,
        }
    }

    /// Changes `state` and returns the last reply.
    pub(crate) fn apply(&self, state: &mut State) -> Reply {
        match self {
            Self::Set { key, value } => {
                put(state, key, value.clone());
                ok()
            }
            Self::SetMany { pairs } => {
                pairs.iter().for_each(|(k, v)| put(state, k, v.clone()));
                ok()
            }
            Self::Append { key, value } => {
                let entry = entry(state, key);
                entry.value.extend_from_slice(value);
                length(entry)
            }
            Self::SetRange { key, at, value } => {
                let entry = entry(state, key);
                let end = at + value.len();
                if entry.value.len() < end {
                    entry.value.resize(end, 0);
                }
                entry.value[*at..end].copy_from_slice(value);
                length(entry)
            }
            Self::Incr { key } => {
                let entry = entry(state, key);
                let old: i64 = match entry.value.is_empty() {
                    true => 0,
                    false => String::from_utf8_lossy(&entry.value)
                        .parse()
                        .expect("a counter"),
                };
                entry.value = (old + 1).to_string().into_bytes();
                Reply::Int(old + 1)
            }
            Self::Del { key } => flag(state.remove(key).is_some()),
            Self::ExpireAt { key, ms } => {
                let entry = state.get_mut(key);
                flag(entry.map(|e| e.expires_ms = *ms).is_some())
            }
            Self::Persist { key } => {
                let entry = state.get_mut(key).filter(|e| e.expires_ms != -1);
                flag(entry.map(|e| e.expires_ms = -1).is_some())
            }
            Self::Rename { from, to } => match state.remove(from) {
                Some(entry) => {
                    state.insert(to.clone(), entry);
                    ok()
                }
                None => Reply::Error(b"ERR no such key".to_vec()),
            },
            Self::PutField { field, value } => {
                let is_new = !state.contains_key(field);
                put(state, field, value.clone());
                flag(is_new)
            }
            Self::DropField { field } => flag(state.remove(field).is_some()),
            Self::DropHash { hash } => {
                let before = state.len();
                state.retain(|key, _| !is_field_of(key, hash));
                flag(state.len() < before)
            }
            Self::Get { key } | Self::GetField { field: key } => match state.get(key) {
                Some(entry) => Reply::Bulk(entry.value.clone()),
                None => Reply::Nil,
            },
            Self::Group { ops } => Reply::Array(ops.iter().map(|op| op.apply(state)).collect()),
        }
    }

    /// Whether the value it leaves would grow too large.
    pub(crate) fn grows_too_large(&self, state: &State) -> bool {
        match self {
            Self::Append { key, .. } => state.get(key).is_some_and(|e| e.value.len() > MAX_LONG),
            Self::Group { ops } => ops.iter().any(|op| op.grows_too_large(state)),
            _ => false,
        }
    }
}

/// Fields of a client's hash: enough for several levels of pages.
const FIELDS: u32 = 1500;

/// The hash of client `owner`.
pub(crate) fn hash(owner: usize) -> Vec<u8> {
    format!("h{owner}").into_bytes()
}

/// What a field is called in a state.
pub(crate) fn field_key(hash: &[u8], field: &str) -> Vec<u8> {
    [hash, b"|", field.as_bytes()].concat()
}

fn is_field_of(key: &[u8], hash: &[u8]) -> bool {
    key.strip_prefix(hash)
        .is_some_and(|rest| rest.starts_with(b"|"))
}

/// Hash and field of a field's name in a state.
fn field_parts(name: &[u8]) -> (&[u8], &[u8]) {
    let at = name
        .iter()
        .position(|b| *b == b'|')
        .expect("a field's name");
    (&name[..at], &name[at + 1..])
}

/// The key that holds what a state has under `name`.
pub(crate) fn real_key(name: &[u8]) -> &[u8] {
    name.split(|b| *b == b'|').next().unwrap_or_default()
}

fn key(rng: &mut SmallRng, owner: usize, keys: u32) -> Vec<u8> {
    format!("k{owner}:{}", rng.random_range(0..keys)).into_bytes()
}

/// Mostly small, sometimes a few kilobytes.
fn value(rng: &mut SmallRng, stamp: u64) -> Vec<u8> {
    let mut value = format!("v{stamp}:").into_bytes();
    let padding = match rng.random_range(0..10) {
        0 => rng.random_range(1000..4000),
        1..4 => rng.random_range(100..1000),
        _ => rng.random_range(0..50),
    };
    value.resize(value.len() + padding, b'a' + (stamp % 26) as u8);
    value
}

fn put(state: &mut State, key: &[u8], value: Vec<u8>) {
    let expires_ms = -1;
    state.insert(key.to_vec(), Entry { value, expires_ms });
}

fn entry<'a>(state: &'a mut State, key: &[u8]) -> &'a mut Entry {
    state.entry(key.to_vec()).or_insert_with(|| Entry {
        value: Vec::new(),
        expires_ms: -1,
    })
}

fn ok() -> Reply {
    Reply::Status(b"OK".to_vec())
}

fn flag(yes: bool) -> Reply {
    Reply::Int(i64::from(yes))
}

fn length(entry: &Entry) -> Reply {
    Reply::Int(i64::try_from(entry.value.len()).expect("a small value"))
}
