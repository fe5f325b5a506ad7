//! Short forms for the rows of the command table.

use super::{ArgSpec, Find, Intent, KeySpec};

impl KeySpec {
    /// The one key at argument `first`.
    pub(crate) const fn one(first: usize, intent: Intent, flags: &'static [&'static str]) -> Self {
        Self::up_to(first, 0, 1, intent, flags)
    }

    /// Every argument from `first` on.
    pub(crate) const fn rest(first: usize, intent: Intent, flags: &'static [&'static str]) -> Self {
        Self::up_to(first, -1, 1, intent, flags)
    }

    /// The one key behind each `word` from `first` on.
    pub(crate) const fn behind(
        word: &'static str,
        first: usize,
        intent: Intent,
        flags: &'static [&'static str],
    ) -> Self {
        KeySpec {
            first,
            find: Find::Behind(word),
            intent,
            flags,
        }
    }

    /// Keys from `first` to `last` (see [`Find::Range`]), `step` apart.
    pub(crate) const fn up_to(
        first: usize,
        last: i32,
        step: usize,
        intent: Intent,
        flags: &'static [&'static str],
    ) -> Self {
        KeySpec {
            first,
            find: Find::Range { last, step },
            intent,
            flags,
        }
    }
}

impl ArgSpec {
    /// A plain argument.
    pub(crate) const fn new(name: &'static str, kind: &'static str) -> Self {
        ArgSpec {
            name,
            kind,
            token: None,
            flags: &[],
            since: None,
            args: &[],
        }
    }

    /// A key.
    pub(crate) const fn key(name: &'static str) -> Self {
        Self::new(name, "key")
    }

    /// A literal word.
    pub(crate) const fn word(name: &'static str, token: &'static str) -> Self {
        Self::new(name, "pure-token").after(token)
    }

    /// One of `args`.
    pub(crate) const fn one_of(name: &'static str, args: &'static [ArgSpec]) -> Self {
        ArgSpec {
            args,
            ..Self::new(name, "oneof")
        }
    }

    /// `args` one after the other.
    pub(crate) const fn block(name: &'static str, args: &'static [ArgSpec]) -> Self {
        ArgSpec {
            args,
            ..Self::new(name, "block")
        }
    }

    /// The same argument behind a literal word.
    pub(crate) const fn after(self, token: &'static str) -> Self {
        ArgSpec {
            token: Some(token),
            ..self
        }
    }

    /// The same argument, which may be left out.
    pub(crate) const fn optional(self) -> Self {
        ArgSpec {
            flags: &["optional"],
            ..self
        }
    }

    /// The same argument, which may be repeated.
    pub(crate) const fn multiple(self) -> Self {
        ArgSpec {
            flags: &["multiple"],
            ..self
        }
    }

    /// The same argument, which may be left out or repeated.
    pub(crate) const fn optional_multiple(self) -> Self {
        ArgSpec {
            flags: &["optional", "multiple"],
            ..self
        }
    }

    /// The same argument, introduced later than its command.
    pub(crate) const fn since(self, version: &'static str) -> Self {
        ArgSpec {
            since: Some(version),
            ..self
        }
    }
}
