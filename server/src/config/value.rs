//! What a parameter can hold, and the two ways it is written: the one string of CONFIG GET, and the
//! lines of a configuration file.
//!
//! A [`Value`] is always valid for the parameter it belongs to; only [`Kind`](super::kind::Kind)
//! makes one out of text.

use std::fmt::Write as _;

use super::events::KeyspaceEvents;

/// The value of one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `yes` or `no`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number written in base eight, as file permissions are.
    Octal(u32),
    /// A number of bytes.
    Memory(u64),
    /// A percentage of `maxmemory`.
    Percent(u8),
    /// One of a fixed set of names.
    Choice(&'static str),
    /// Any bytes.
    Text(Vec<u8>),
    /// Several arguments.
    Words(Vec<Vec<u8>>),
    /// The rules of `save`.
    Save(Vec<SaveRule>),
    /// The three classes of `client-output-buffer-limit`.
    BufferLimits(BufferLimits),
    /// The classes of `notify-keyspace-events`.
    Events(KeyspaceEvents),
}

/// One rule of `save`: so many changes within so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveRule {
    /// The span the changes fall into.
    pub seconds: u64,
    /// How many changes it takes.
    pub changes: u64,
}

/// What a class of clients may leave unread before it is disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimit {
    /// Disconnected at once beyond this many bytes; 0 is no limit.
    pub hard_bytes: u64,
    /// Disconnected beyond this many bytes after `soft_seconds` without a pause; 0 is no limit.
    pub soft_bytes: u64,
    /// How long the soft limit may be passed.
    pub soft_seconds: u64,
}

/// The output limits of the three client classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimits {
    /// Ordinary clients.
    pub normal: BufferLimit,
    /// Replicas.
    pub replica: BufferLimit,
    /// Clients subscribed to a channel.
    pub pubsub: BufferLimit,
}

impl BufferLimits {
    /// No limit for any class: what the three classes of the default are merged into.
    pub const NONE: Self = {
        let none = BufferLimit {
            hard_bytes: 0,
            soft_bytes: 0,
            soft_seconds: 0,
        };
        Self {
            normal: none,
            replica: none,
            pubsub: none,
        }
    };

    fn classes(&self) -> [(&'static str, &BufferLimit); 3] {
        [
            ("normal", &self.normal),
            ("replica", &self.replica),
            ("pubsub", &self.pubsub),
        ]
    }
}

impl Value {
    /// The one string that CONFIG GET answers.
    pub fn reply(&self) -> Vec<u8> {
        match self {
            Value::Bool(on) => yes_no(*on).into(),
            Value::Int(number) => number.to_string().into(),
            Value::Octal(number) => format!("{number:o}").into(),
            Value::Memory(bytes) => bytes.to_string().into(),
            Value::Percent(percent) => format!("{percent}%").into(),
            Value::Choice(name) => (*name).into(),
            Value::Text(text) => text.clone(),
            Value::Words(words) => words.join(&b' '),
            Value::Save(rules) => {
                let rule = |r: &SaveRule| format!("{} {}", r.seconds, r.changes);
                rules.iter().map(rule).collect::<Vec<_>>().join(" ").into()
            }
            Value::BufferLimits(limits) => limits_reply(limits).into(),
            Value::Events(events) => events.to_string().into(),
        }
    }

    /// The lines that bring this value back when a file is read: for each, its arguments.
    pub fn file_lines(&self) -> Vec<Vec<Vec<u8>>> {
        match self {
            Value::Memory(bytes) => vec![vec![memory_with_unit(*bytes).into()]],
            Value::Words(words) if !words.is_empty() => vec![words.clone()],
            Value::Save(rules) if !rules.is_empty() => {
                let args =
                    |r: &SaveRule| vec![r.seconds.to_string().into(), r.changes.to_string().into()];
                rules.iter().map(args).collect()
            }
            Value::BufferLimits(limits) => limits.classes().map(limit_args).to_vec(),
            other => vec![vec![other.reply()]],
        }
    }
}

fn limits_reply(limits: &BufferLimits) -> String {
    let mut text = String::new();
    for (class, limit) in limits.classes() {
        // Clients parse this reply, and Redis still says "slave" here.
        let class = if class == "replica" { "slave" } else { class };
        let gap = if text.is_empty() { "" } else { " " };
        let BufferLimit {
            hard_bytes,
            soft_bytes,
            soft_seconds,
        } = limit;
        let _ = write!(
            text,
            "{gap}{class} {hard_bytes} {soft_bytes} {soft_seconds}"
        );
    }
    text
}

fn limit_args((class, limit): (&'static str, &BufferLimit)) -> Vec<Vec<u8>> {
    vec![
        class.into(),
        memory_with_unit(limit.hard_bytes).into(),
        memory_with_unit(limit.soft_bytes).into(),
        limit.soft_seconds.to_string().into(),
    ]
}

/// The yes/no spelling of a boolean.
pub fn yes_no(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

/// A number of bytes in the largest binary unit that divides it.
pub fn memory_with_unit(bytes: u64) -> String {
    for (unit, name) in [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")] {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    bytes.to_string()
}
