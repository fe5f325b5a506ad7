//! The values that have meaning for the server, as one plain struct.
//!
//! A [`Settings`] is built from the table's values whenever one of them changes, and never changed
//! itself: whoever holds one sees a consistent state. Names and types must agree with the rows of
//! [`params`](super::params); the tests build one from the defaults and from every limit.

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::params::{ParamId, Values};
use super::value::{BufferLimits, Value};

/// Declares an enum together with the names its values have in a configuration file.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The names, in the order in which error messages list them.
            pub const NAMES: &[&str] = &[$($text),*];

            /// The name of this value.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl FromValue for $name {
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    $(Value::Choice($text) => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

named! {
    /// When the binlog is synced to disk.
    FsyncPolicy {
        /// Once a second.
        EverySecond = "everysec",
        /// Before a write is acknowledged.
        Always = "always",
        /// When the kernel sees fit.
        Never = "no",
    }
}

named! {
    /// What is deleted when there is no more room.
    EvictionPolicy {
        /// The least recently used key that has an expiry.
        VolatileLru = "volatile-lru",
        /// The least frequently used key that has an expiry.
        VolatileLfu = "volatile-lfu",
        /// Any key that has an expiry.
        VolatileRandom = "volatile-random",
        /// The key that expires next.
        VolatileTtl = "volatile-ttl",
        /// The least recently used key.
        AllKeysLru = "allkeys-lru",
        /// The least frequently used key.
        AllKeysLfu = "allkeys-lfu",
        /// Any key.
        AllKeysRandom = "allkeys-random",
        /// Nothing; writes are refused.
        NoEviction = "noeviction",
    }
}

named! {
    /// How much is logged.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// What is rarely useful, but not a flood.
        Verbose = "verbose",
        /// What is wanted in production.
        Notice = "notice",
        /// What needs attention.
        Warning = "warning",
        /// Nothing at all.
        Nothing = "nothing",
    }
}

named! {
    /// Whose clients may do something that is off by default.
    Access {
        /// Nobody's.
        No = "no",
        /// Everybody's.
        Yes = "yes",
        /// Those of this machine.
        Local = "local",
    }
}

impl Access {
    /// Whether a client may, given where it connects from.
    pub fn allows(self, origin: Origin) -> bool {
        match self {
            Access::No => false,
            Access::Yes => true,
            Access::Local => origin == Origin::Local,
        }
    }
}

/// Where a client connects from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The loopback interface or the Unix socket.
    Local,
    /// Another machine.
    Remote,
}

/// A command that goes by another name, or by none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenamedCommand {
    /// The command's own name, as given.
    pub command: String,
    /// The name it has instead; `None` switches it off.
    pub new_name: Option<String>,
}

/// Everything the server acts on. See `docs/configuration.md` for what each value means; a field
/// has its parameter's name, with the unit at its end where there is one.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the rows of the parameter table are the documentation"
)]
pub struct Settings {
    pub tiering: bool,
    pub binlog: bool,
    pub maxdisk_bytes: u64,
    pub appendfsync: FsyncPolicy,
    pub binlog_segment_bytes: u64,
    pub binlog_retention_bytes: u64,
    pub binlog_retention_hours: u32,
    pub checkpoint_interval_seconds: u32,
    pub replay_limit_bytes: u64,
    pub cold_readers: u32,
    pub warmup: bool,
    pub warmup_rate: u32,
    pub workers: u32,
    pub metrics_port: u16,
    pub metrics_bind: Vec<String>,

    pub maxmemory_bytes: u64,
    pub maxmemory_policy: EvictionPolicy,
    pub maxmemory_samples: u32,
    pub lfu_log_factor: u32,
    pub lfu_decay_minutes: u32,
    pub active_expire_effort: u8,
    pub hz: u32,

    pub hash_max_listpack_entries: u64,
    pub hash_max_listpack_value_bytes: u64,
    pub list_max_listpack_size: i64,
    pub set_max_intset_entries: u64,
    pub set_max_listpack_entries: u64,
    pub set_max_listpack_value_bytes: u64,
    pub zset_max_listpack_entries: u64,
    pub zset_max_listpack_value_bytes: u64,
    pub stream_node_max_entries: u64,

    pub port: u16,
    pub bind: Vec<String>,
    pub unixsocket: Option<PathBuf>,
    pub unixsocketperm: u32,
    pub tcp_backlog: u32,
    pub tcp_keepalive_seconds: u32,
    pub timeout_seconds: u32,
    pub maxclients: u32,
    pub proto_max_bulk_bytes: u64,
    pub client_query_buffer_bytes: u64,
    pub client_output_buffer: BufferLimits,
    pub protected_mode: bool,
    pub requirepass: Option<Vec<u8>>,
    pub enable_debug_command: Access,
    pub enable_protected_configs: Access,
    pub renamed_commands: Vec<RenamedCommand>,

    pub loglevel: LogLevel,
    pub logfile: Option<PathBuf>,
    pub slowlog_log_slower_than_us: i64,
    pub slowlog_max_len: u64,
    pub latency_monitor_threshold_ms: u64,
    pub latency_tracking: bool,
    pub latency_tracking_info_percentiles: Vec<f64>,
    pub repl_timeout_seconds: u32,
    pub repl_ping_period_seconds: u32,
    pub repl_backlog_bytes: u64,
    pub repl_disable_tcp_nodelay: bool,
    pub repl_sync_rate_bytes: u64,
    pub replica_warm: bool,
    pub min_replicas_to_write: u32,
    pub min_replicas_max_lag_seconds: u32,

    pub databases: u32,
    pub hll_sparse_max_bytes: u64,

    pub replicaof: Vec<String>,
    pub masterauth: Option<Vec<u8>>,
    pub masteruser: Option<Vec<u8>>,
    pub replica_priority: u32,
    pub replica_read_only: bool,
    pub replica_serve_stale_data: bool,
    pub replica_announce_ip: Option<Vec<u8>>,
    pub replica_announce_port: u16,
    pub replica_announced: bool,

    pub dir: PathBuf,
    pub pidfile: Option<PathBuf>,
}

impl Settings {
    /// Picks the values out of the table.
    pub(super) fn new(values: &Values, renamed_commands: &[RenamedCommand]) -> Self {
        let v = Picker(values);
        Self {
            tiering: v.pick("tiering"),
            binlog: v.pick("binlog"),
            maxdisk_bytes: v.pick("maxdisk"),
            appendfsync: v.pick("appendfsync"),
            binlog_segment_bytes: v.pick("binlog-segment-bytes"),
            binlog_retention_bytes: v.pick("binlog-retention-bytes"),
            binlog_retention_hours: v.pick("binlog-retention-hours"),
            checkpoint_interval_seconds: v.pick("checkpoint-interval-seconds"),
            replay_limit_bytes: v.pick("replay-limit-bytes"),
            cold_readers: v.pick("cold-readers"),
            warmup: v.pick("warmup"),
            warmup_rate: v.pick("warmup-rate"),
            workers: v.pick("workers"),
            metrics_port: v.pick("metrics-port"),
            metrics_bind: v.pick("metrics-bind"),
            maxmemory_bytes: v.pick("maxmemory"),
            maxmemory_policy: v.pick("maxmemory-policy"),
            maxmemory_samples: v.pick("maxmemory-samples"),
            lfu_log_factor: v.pick("lfu-log-factor"),
            lfu_decay_minutes: v.pick("lfu-decay-time"),
            active_expire_effort: v.pick("active-expire-effort"),
            hz: v.pick("hz"),
            hash_max_listpack_entries: v.pick("hash-max-listpack-entries"),
            hash_max_listpack_value_bytes: v.pick("hash-max-listpack-value"),
            list_max_listpack_size: v.pick("list-max-listpack-size"),
            set_max_intset_entries: v.pick("set-max-intset-entries"),
            set_max_listpack_entries: v.pick("set-max-listpack-entries"),
            set_max_listpack_value_bytes: v.pick("set-max-listpack-value"),
            zset_max_listpack_entries: v.pick("zset-max-listpack-entries"),
            zset_max_listpack_value_bytes: v.pick("zset-max-listpack-value"),
            stream_node_max_entries: v.pick("stream-node-max-entries"),
            port: v.pick("port"),
            bind: v.pick("bind"),
            unixsocket: v.pick("unixsocket"),
            unixsocketperm: v.pick("unixsocketperm"),
            tcp_backlog: v.pick("tcp-backlog"),
            tcp_keepalive_seconds: v.pick("tcp-keepalive"),
            timeout_seconds: v.pick("timeout"),
            maxclients: v.pick("maxclients"),
            proto_max_bulk_bytes: v.pick("proto-max-bulk-len"),
            client_query_buffer_bytes: v.pick("client-query-buffer-limit"),
            client_output_buffer: v.pick("client-output-buffer-limit"),
            protected_mode: v.pick("protected-mode"),
            requirepass: v.pick("requirepass"),
            enable_debug_command: v.pick("enable-debug-command"),
            enable_protected_configs: v.pick("enable-protected-configs"),
            renamed_commands: renamed_commands.to_vec(),
            loglevel: v.pick("loglevel"),
            logfile: v.pick("logfile"),
            slowlog_log_slower_than_us: v.pick("slowlog-log-slower-than"),
            slowlog_max_len: v.pick("slowlog-max-len"),
            latency_monitor_threshold_ms: v.pick("latency-monitor-threshold"),
            latency_tracking: v.pick("latency-tracking"),
            latency_tracking_info_percentiles: v.pick("latency-tracking-info-percentiles"),
            repl_timeout_seconds: v.pick("repl-timeout"),
            repl_ping_period_seconds: v.pick("repl-ping-replica-period"),
            repl_backlog_bytes: v.pick("repl-backlog-size"),
            repl_disable_tcp_nodelay: v.pick("repl-disable-tcp-nodelay"),
            repl_sync_rate_bytes: v.pick("repl-sync-rate-bytes"),
            replica_warm: v.pick("replica-warm"),
            min_replicas_to_write: v.pick("min-replicas-to-write"),
            min_replicas_max_lag_seconds: v.pick("min-replicas-max-lag"),
            databases: v.pick("databases"),
            replicaof: v.pick("replicaof"),
            masterauth: v.pick("masterauth"),
            masteruser: v.pick("masteruser"),
            replica_priority: v.pick("replica-priority"),
            replica_read_only: v.pick("replica-read-only"),
            replica_serve_stale_data: v.pick("replica-serve-stale-data"),
            replica_announce_ip: v.pick("replica-announce-ip"),
            replica_announce_port: v.pick("replica-announce-port"),
            replica_announced: v.pick("replica-announced"),
            hll_sparse_max_bytes: v.pick("hll-sparse-max-bytes"),
            dir: v.pick("dir"),
            pidfile: v.pick("pidfile"),
        }
    }
}

struct Picker<'a>(&'a Values);

impl Picker<'_> {
    fn pick<T: FromValue>(&self, name: &str) -> T {
        let Some(id) = ParamId::find(name.as_bytes()) else {
            panic!("{name} has no row")
        };
        let value = self.0.get(id);
        T::from_value(value).unwrap_or_else(|| panic!("{name} does not fit its field: {value:?}"))
    }
}

/// How a value becomes the type of its field. `None` is a row that disagrees with its field.
trait FromValue: Sized {
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(on) => Some(*on),
            _ => None,
        }
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl FromValue for $number {
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Int(number) => Self::try_from(*number).ok(),
                    Value::Memory(bytes) => Self::try_from(*bytes).ok(),
                    Value::Octal(mode) => Self::try_from(*mode).ok(),
                    _ => None,
                }
            }
        }
    )*};
}
whole_numbers!(u8, u16, u32, u64, i64);

impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl FromValue for PathBuf {
    fn from_value(value: &Value) -> Option<Self> {
        Vec::from_value(value).map(|text| std::ffi::OsString::from_vec(text).into())
    }
}

/// An empty text is no value.
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) if text.is_empty() => Some(None),
            _ => T::from_value(value).map(Some),
        }
    }
}

impl FromValue for Vec<String> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Words(words) => Some(
                words
                    .iter()
                    .map(|word| String::from_utf8_lossy(word).into_owned())
                    .collect(),
            ),
            _ => None,
        }
    }
}

impl FromValue for Vec<f64> {
    fn from_value(value: &Value) -> Option<Self> {
        Vec::<String>::from_value(value)?
            .iter()
            .map(|word| word.parse().ok())
            .collect()
    }
}

impl FromValue for BufferLimits {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::BufferLimits(limits) => Some(*limits),
            _ => None,
        }
    }
}
