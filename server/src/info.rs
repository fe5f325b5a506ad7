//! INFO: which sections, and the text of each. Redis 7's field names in Redis' order, so that monitoring that
//! knows Redis finds what it looks for; a field of something that is off has the value Redis gives it then. Ours
//! are `# Tiering`, `# Binlog`, and `basalt_…` fields.
//!
//! A text is made from one snapshot of the store's figures, which takes every slot's lock once, briefly: INFO is
//! for people and monitoring, not for a hot path.

use std::fmt::{Display, Write as _};

use basalt_tiering::StoreStats;

use crate::config::Settings;
use crate::data::Data;
use crate::server::Server;
use std::sync::Arc;

pub mod allocator;
mod commands;
mod data;
mod memory;
mod persistence;
mod process;
mod stats;
mod tiers;

pub(crate) use tiers::{figures as tier_figures, log_figures, state_name as log_state};

/// What a section is made from.
pub(crate) struct Source<'a> {
    server: &'a Server,
    settings: Arc<Settings>,
    store: StoreStats,
    data: Arc<Data>,
}

type Section = fn(&Source<'_>, &mut Lines);

/// Every section in order: its name, whether it is in `default`, and its text.
const SECTIONS: &[(&str, bool, Section)] = &[
    ("Server", true, process::server),
    ("Clients", true, process::clients),
    ("Memory", true, memory::memory),
    ("Persistence", true, persistence::persistence),
    ("Stats", true, stats::stats),
    ("Replication", true, persistence::replication),
    ("CPU", true, process::cpu),
    ("Modules", true, |_, _| {}),
    ("Commandstats", false, commands::commandstats),
    ("Errorstats", true, commands::errorstats),
    ("Latencystats", false, commands::latencystats),
    ("Cluster", true, |_, lines| {
        lines.field("cluster_enabled", 0)
    }),
    ("Keyspace", true, data::keyspace),
    ("Tiering", true, tiers::tiering),
    ("Binlog", true, tiers::binlog),
];

/// The sections a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted(Vec<usize>);

impl Wanted {
    /// Reads INFO's arguments; an unknown section is none.
    #[must_use]
    pub fn parse<'a>(words: impl Iterator<Item = &'a [u8]>) -> Wanted {
        let words: Vec<&[u8]> = words.collect();
        let has = |name: &str| {
            words
                .iter()
                .any(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        let everything = has("all") || has("everything");
        let default = words.is_empty() || has("default");
        let chosen = |(_, (name, in_default, _)): &(usize, &(&str, bool, Section))| {
            everything || (default && *in_default) || has(name)
        };
        Wanted(
            SECTIONS
                .iter()
                .enumerate()
                .filter(chosen)
                .map(|(at, _)| at)
                .collect(),
        )
    }
}

/// The lines of a text.
#[derive(Debug, Default)]
pub(crate) struct Lines(String);

impl Lines {
    pub(crate) fn field(&mut self, name: impl Display, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// A number of bytes, and the same for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(format_args!("{name}_human"), human(bytes));
    }

    fn ratio(&mut self, name: &str, a: u64, b: u64) {
        self.field(name, format_args!("{:.2}", a as f64 / b.max(1) as f64));
    }
}

/// A number of bytes as people read it.
#[must_use]
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", UNITS[unit])
}

/// The text of INFO. May wait for the disk.
#[must_use]
pub fn text(server: &Server, wanted: &Wanted) -> String {
    let data = server.current.get();
    let source = Source {
        server,
        settings: server.config.load(),
        store: data.store.stats(),
        data,
    };
    let mut lines = Lines::default();
    for &at in &wanted.0 {
        let (name, _, section) = SECTIONS[at];
        if !lines.0.is_empty() {
            lines.0.push_str("\r\n");
        }
        let _ = write!(lines.0, "# {name}\r\n");
        section(&source, &mut lines);
    }
    lines.0
}

#[cfg(test)]
#[path = "info/tests.rs"]
mod tests;
