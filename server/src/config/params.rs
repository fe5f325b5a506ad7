//! The table of parameters: one row each. CONFIG GET/SET/REWRITE, `--help`, the command line, the
//! file reader and `docs/configuration.md` are all derived from these rows.
//!
//! A new parameter is a row in one of the files under `params/`, plus, if the server acts on it, a
//! field in [`Settings`](super::settings::Settings). The rows are grouped as the docs are.

mod checks;
mod cluster;
mod data;
mod logging;
mod memory;
mod network;
mod persistence;
mod replication;
mod tiers;
mod tls;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::kind::Kind;
use super::settings::{Access, EvictionPolicy, FsyncPolicy, LogLevel};
use super::value::{BufferLimits, Value};
use super::words;

/// What a changed parameter touches; CONFIG SET reports it, so that the server knows what to apply.
///
/// A parameter that is read from [`Settings`](super::Settings) at each use needs nothing beyond
/// the new snapshot; its topic is there for whoever caches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Limits and timeouts of client connections.
    Clients,
    /// Passwords and who may do what.
    Security,
    /// The log's level.
    Log,
    /// The memory budget and what is evicted.
    Memory,
    /// How access frequency is counted.
    Frequency,
    /// The pace of expiry and other periodic work.
    Expiry,
    /// When the binlog is synced.
    Fsync,
    /// Sizes and lifetime of binlog segments.
    Retention,
    /// The pace of checkpoints.
    Checkpoint,
    /// Room on disk.
    Disk,
    /// Warm-up after a start.
    Warmup,
    /// The slow log.
    Slowlog,
    /// Latency tracking and monitoring.
    Latency,
    /// Who follows whom, and how.
    Replication,
    /// How values are encoded, and the names of encodings.
    Encodings,
}

/// When a parameter may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settable {
    /// At any time.
    Always,
    /// At start only.
    AtStart,
    /// At start, and at run time where `enable-protected-configs` allows it.
    Protected,
}

/// One parameter.
pub struct Param {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Other names it goes by, each answered by CONFIG GET as well.
    pub aliases: &'static [&'static str],
    /// Its type and range.
    pub kind: Kind,
    /// Its default, as it would stand in a file.
    pub default: &'static str,
    /// When it may be set.
    pub settable: Settable,
    /// What a change touches; `None` for a parameter that is accepted, kept and without effect.
    pub effect: Effect,
    /// Whether its value is a secret that must not be logged.
    pub sensitive: bool,
    /// What it means, in a sentence or two.
    pub doc: &'static str,
}

/// What a parameter does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Setting it touches this topic.
    Touches(Topic),
    /// It is read once, when the server starts.
    ReadAtStart,
    /// Accepted and answered, as Redis' clients and operators expect, and otherwise ignored.
    None,
}

/// A parameter that can be set at any time.
const fn live(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    topic: Topic,
    doc: &'static str,
) -> Param {
    let (settable, effect) = (Settable::Always, Effect::Touches(topic));
    Param {
        name,
        aliases: &[],
        kind,
        default,
        settable,
        effect,
        sensitive: false,
        doc,
    }
}

/// A parameter that is read when the server starts.
const fn fixed(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Param {
    let (settable, effect) = (Settable::AtStart, Effect::ReadAtStart);
    Param {
        name,
        aliases: &[],
        kind,
        default,
        settable,
        effect,
        sensitive: false,
        doc,
    }
}

/// A parameter of Redis that is accepted and kept, and has no effect here.
const fn kept(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Param {
    let (settable, effect) = (Settable::Always, Effect::None);
    Param {
        name,
        aliases: &[],
        kind,
        default,
        settable,
        effect,
        sensitive: false,
        doc,
    }
}

impl Param {
    const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn at_start(mut self) -> Self {
        self.settable = Settable::AtStart;
        self
    }

    const fn protected(mut self) -> Self {
        self.settable = Settable::Protected;
        self
    }

    const fn secret(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The value of the default.
    pub fn default_value(&self) -> Value {
        let args = if self.kind.takes_many() {
            words::split(self.default.as_bytes()).expect("a default is well quoted")
        } else {
            vec![self.default.as_bytes().to_vec()]
        };
        let blank = Value::BufferLimits(BufferLimits::NONE);
        match self.kind.parse(&args, &blank) {
            Ok(value) => value,
            Err(reason) => panic!("the default of {} is refused: {reason}", self.name),
        }
    }
}

const I32_MAX: i64 = i32::MAX as i64;
const ANY_BYTES: Kind = Kind::Memory {
    min: 0,
    max: u64::MAX,
};
const SIZE: Kind = Kind::Memory {
    min: 0,
    max: i64::MAX as u64,
};
const COUNT: Kind = Kind::Int {
    min: 0,
    max: I32_MAX,
};
const LONG_COUNT: Kind = Kind::Int {
    min: 0,
    max: i64::MAX,
};
const PORT: Kind = Kind::Int { min: 0, max: 65535 };
const ANY_TEXT: Kind = Kind::Text(|_| Ok(()));

const fn int(min: i64, max: i64) -> Kind {
    Kind::Int { min, max }
}

const fn at_least_bytes(min: u64) -> Kind {
    Kind::Memory {
        min,
        max: i64::MAX as u64,
    }
}

/// A group of rows under a heading.
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// Its rows.
    pub params: &'static [Param],
}

/// Every parameter, grouped.
pub const SECTIONS: &[Section] = &[
    Section {
        title: "Tiers and binlog",
        params: tiers::PARAMS,
    },
    Section {
        title: "Memory and eviction",
        params: memory::PARAMS,
    },
    Section {
        title: "Network and clients",
        params: network::PARAMS,
    },
    Section {
        title: "Log, monitoring and process",
        params: logging::PARAMS,
    },
    Section {
        title: "Redis persistence",
        params: persistence::PARAMS,
    },
    Section {
        title: "Replication",
        params: replication::PARAMS,
    },
    Section {
        title: "Cluster",
        params: cluster::PARAMS,
    },
    Section {
        title: "Data types, scripts and events",
        params: data::PARAMS,
    },
    Section {
        title: "TLS",
        params: tls::PARAMS,
    },
];

/// Directives that Redis reads from a file but that are no parameters, with the reason why they
/// have no effect here. (`include` and `rename-command` are understood by the file reader.)
pub const KEPT_DIRECTIVES: &[(&str, &str)] = &[
    ("user", "access control lists are not there yet"),
    ("loadmodule", "modules cannot be loaded"),
    ("list-max-ziplist-entries", "Redis itself dropped it"),
    ("list-max-ziplist-value", "Redis itself dropped it"),
];

/// The place of a parameter in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(usize);

/// The rows in one list, and where each name is in it: a view of [`SECTIONS`], never changed.
struct Index {
    rows: Vec<&'static Param>,
    by_name: HashMap<&'static str, ParamId>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let rows: Vec<_> = SECTIONS.iter().flat_map(|section| section.params).collect();
    let mut by_name = HashMap::new();
    for (at, param) in rows.iter().enumerate() {
        for name in std::iter::once(&param.name).chain(param.aliases) {
            let before = by_name.insert(*name, ParamId(at));
            assert!(before.is_none(), "parameter {name} has two rows");
        }
    }
    Index { rows, by_name }
});

impl ParamId {
    /// The row.
    pub fn param(self) -> &'static Param {
        INDEX.rows[self.0]
    }

    /// Looks a name or alias up, ignoring case.
    pub fn find(name: &[u8]) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = std::str::from_utf8(&name).ok()?;
        INDEX.by_name.get(name).copied()
    }

    /// All parameters, in table order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..INDEX.rows.len()).map(Self)
    }
}

/// The values of all parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values(Vec<Value>);

impl Values {
    /// Every parameter at its default.
    pub fn defaults() -> Self {
        Self(
            ParamId::all()
                .map(|id| id.param().default_value())
                .collect(),
        )
    }

    /// The value of a parameter.
    pub fn get(&self, id: ParamId) -> &Value {
        &self.0[id.0]
    }

    /// Replaces the value of a parameter.
    pub fn set(&mut self, id: ParamId, value: Value) {
        self.0[id.0] = value;
    }
}
