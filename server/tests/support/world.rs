//! Worlds: circumstances under which one script must give the same replies.
//!
//! | world | memory | after every command | what it proves |
//! |---|---|---|---|
//! | `hot` | plenty | – | the commands themselves |
//! | `cold` | plenty | `TIER SPILL ALL` | each command meets the disk |
//! | `tiny` | 1 MB | – | spill and promotion by pressure |
//! | `restart` | plenty | now and then `kill -9` and start | recovery |
//! | `memory` | plenty, no tiers, no log | – | the pure cache |
//! | `replica` | plenty | – | that a replica holds the same in the end |

/// A world. Its name is part of each test's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum World {
    Hot,
    Cold,
    Tiny,
    Restart,
    Memory,
    Replica,
}

impl World {
    /// All worlds.
    pub(crate) const ALL: [Self; 6] = [
        Self::Hot,
        Self::Cold,
        Self::Tiny,
        Self::Restart,
        Self::Memory,
        Self::Replica,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
            Self::Tiny => "tiny",
            Self::Restart => "restart",
            Self::Memory => "memory",
            Self::Replica => "replica",
        }
    }

    /// The world called `name`, as the test macros write it.
    pub(crate) fn named(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|w| w.name() == name)
            .unwrap_or_else(|| panic!("no world is called {name}"))
    }

    /// Directives that make this world on Basalt.
    pub(crate) fn basalt_args(self) -> &'static [&'static str] {
        match self {
            Self::Hot | Self::Cold | Self::Restart | Self::Replica => {
                &["--tiering", "yes", "--binlog", "yes"]
            }
            Self::Tiny => &["--tiering", "yes", "--binlog", "yes", "--maxmemory", "1mb"],
            Self::Memory => &["--tiering", "no", "--binlog", "no"],
        }
    }

    /// Directives that make this world on a peer, or nothing where a peer has no such world.
    pub(crate) fn peer_args(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Hot => Some(&["--save", "", "--appendonly", "no"]),
            // Under `everysec` redis-server puts off writing its log while an fsync runs, and so
            // may lose acknowledged writes to `kill -9`; Basalt promises not to.
            Self::Restart => Some(&[
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ]),
            Self::Cold | Self::Tiny | Self::Memory | Self::Replica => None,
        }
    }
}
