//! The states of a key in memory, and every transition between them.
//!
//! ```text
//!                      write                       spill begins
//!   (absent) ───────────────────▶ DirtyNew ──────────────────────┐
//!       ▲    write, cold copy maybe there                        │
//!       │  └────────────────────▶ DirtyUnknown ─────────────────▶│
//!       │                          │ looked up: DirtyNew, DirtyOver
//!       │                                                        ▼
//!       │ evict (no I/O)   ┌──────────── Clean ◀──────────── Spilling
//!     cold ◀───────────────┘   load ▲     │ write    written     │ write or delete
//!       └───────────────────────────┘     ▼                      ▼
//!                                      DirtyOver ◀───────────────┘
//!                                         └──── spill begins ──▶ Spilling
//! ```
//!
//! *New*: the cold tier surely has no copy. *Over*: it has one (or will, once the batch in flight lands).
//! *Unknown*: a blind overwrite did not look; the spiller looks when it writes, and before that who counts keys may
//! (`settle.rs`): then it becomes *new* or *over*. A tombstone is an entry whose kind says "deleted": it is in state
//! `DirtyOver`, `DirtyUnknown` or `Spilling`, never `Clean` (once its deletion is written it leaves the table) and never
//! `DirtyNew` (then nothing is left to delete).
//!
//! Only a `Clean` entry may leave memory. A batch marks its entries `Spilling` under the slot's lock and
//! makes those that still are `Clean` when it has landed: a write in between has moved them to `DirtyOver`.

/// State of an entry with respect to the cold tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// Same as the cold copy.
    Clean = 0,
    /// Being written.
    Spilling = 1,
    /// Changed; no cold copy.
    DirtyNew = 2,
    /// Changed; there is a cold copy.
    DirtyOver = 3,
    /// Changed; there may be a cold copy.
    DirtyUnknown = 4,
}

impl State {
    /// The state with this code.
    pub(crate) fn from_code(code: u8) -> State {
        match code {
            0 => State::Clean,
            1 => State::Spilling,
            2 => State::DirtyNew,
            3 => State::DirtyOver,
            4 => State::DirtyUnknown,
            _ => unreachable!("no state has code {code}"),
        }
    }

    /// True if it differs from the cold tier and is not being written.
    pub(crate) fn is_dirty(self) -> bool {
        matches!(
            self,
            State::DirtyNew | State::DirtyOver | State::DirtyUnknown
        )
    }

    /// The state after a write or a deletion that keeps a tombstone.
    pub(crate) fn written(self) -> State {
        match self {
            State::Clean | State::Spilling | State::DirtyOver => State::DirtyOver,
            State::DirtyNew => State::DirtyNew,
            State::DirtyUnknown => State::DirtyUnknown,
        }
    }

    /// The state of an entry that did not know when it is found whether there is a cold copy.
    pub(crate) fn settled(self, has_copy: bool) -> State {
        assert!(
            self == State::DirtyUnknown,
            "{self:?} knows of its cold copy"
        );
        match has_copy {
            true => State::DirtyOver,
            false => State::DirtyNew,
        }
    }

    /// The state when a batch takes the entry.
    pub(crate) fn spilling(self) -> State {
        assert!(
            self.is_dirty(),
            "only a dirty entry is spilled, not {self:?}"
        );
        State::Spilling
    }

    /// Name for TIER OBJECT.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Clean => "clean",
            State::Spilling => "spilling",
            State::DirtyNew => "dirty-new",
            State::DirtyOver => "dirty",
            State::DirtyUnknown => "dirty-unknown",
        }
    }
}
