//! Configuration: one table of parameters, and everything derived from it.
//!
//! ```text
//!   command line ─┐                        ┌─ load()  Arc<Settings>: a consistent snapshot of typed values
//!   redis.conf  ──┼─ Loader ─ Values ─ Config ─ get() / set() / rewrite(): the CONFIG command
//!   stdin       ──┘      params/: the table └─ docs.rs: --help, docs/configuration.md
//! ```
//!
//! - `params/`: the rows, grouped; [`params`]: what a row is.
//! - [`kind`]: text to value; [`value`]: value to text; [`words`]: quoting and patterns.
//! - `file.rs`, `cli.rs`, `rewrite.rs`: the ways in and out.
//!
//! Invariants: a value in the table is always valid; CONFIG SET changes all it names or nothing;
//! nothing here acts on a parameter. The server does, told by [`Topic`]s, and whoever needs a
//! value is handed the [`Config`] or a [`Settings`]: there is no global.

mod cli;
pub mod docs;
mod error;
mod events;
mod file;
pub mod kind;
pub mod params;
mod rewrite;
mod settings;
pub mod value;
pub mod words;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

pub use cli::{Invocation, Startup};
pub use error::{ConfigError, Place, RewriteError, SetError};
pub use events::KeyspaceEvents;
pub use params::Topic;
pub use settings::{
    Access, EvictionPolicy, FsyncPolicy, LogLevel, Origin, RenamedCommand, Settings,
};
pub use value::{BufferLimit, BufferLimits};

use file::Loader;
use kind::Reason;
use params::{Effect, ParamId, Settable, Values};

/// The configuration of a running server. Shared by all of it.
pub struct Config {
    /// What the hot paths read: one atomic load.
    settings: ArcSwap<Settings>,
    /// Every value, in table order. Locked for the whole of a CONFIG SET, so that they follow each other.
    values: Mutex<Values>,
    /// From the file alone; cannot change at run time.
    renamed: Vec<RenamedCommand>,
    /// The file that CONFIG REWRITE writes, as an absolute path.
    file: Option<PathBuf>,
    /// One CONFIG REWRITE at a time; apart from `values`, since it waits for the disk.
    rewriting: Mutex<()>,
}

impl Config {
    fn new(loader: Loader, file: Option<PathBuf>) -> Self {
        let settings = Settings::new(&loader.values, &loader.renamed);
        Self {
            settings: ArcSwap::from_pointee(settings),
            values: Mutex::new(loader.values),
            renamed: loader.renamed,
            file,
            rewriting: Mutex::new(()),
        }
    }

    /// A configuration from the text of a file, for tests and embedding. There is no file to rewrite.
    pub fn from_text(text: &str) -> Result<Self, ConfigError> {
        let mut loader = Loader::new();
        loader.read_text(text.as_bytes())?;
        loader.check_whole()?;
        Ok(Self::new(loader, None))
    }

    /// The current values, to keep.
    pub fn load(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// The current values, for a moment: cheaper than [`load`](Self::load), not to be held across an `await`.
    pub fn peek(&self) -> Guard<Arc<Settings>> {
        self.settings.load()
    }

    /// The configuration file, if the server was started with one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The value of one parameter, as CONFIG GET answers it.
    pub fn value(&self, name: &str) -> Option<Vec<u8>> {
        let id = ParamId::find(name.as_bytes())?;
        Some(self.values.lock().get(id).reply())
    }

    /// CONFIG GET: the names that match one of the patterns, and their values, in table order.
    ///
    /// As in Redis, a pattern that is a plain name is answered in the client's spelling of it.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let values = self.values.lock();
        let mut found = Vec::new();
        for id in ParamId::all() {
            let param = id.param();
            for name in std::iter::once(&param.name).chain(param.aliases) {
                let hit = patterns
                    .iter()
                    .find(|pattern| words::glob_match(pattern, name.as_bytes()));
                let Some(pattern) = hit else { continue };
                let plain = pattern.eq_ignore_ascii_case(name.as_bytes());
                let shown = if plain {
                    pattern.to_vec()
                } else {
                    name.as_bytes().to_vec()
                };
                found.push((shown, values.get(id).reply()));
            }
        }
        found
    }

    /// CONFIG SET: changes all of these or none. Returns the topics that changed, each once, for
    /// the server to apply.
    pub fn set(&self, pairs: &[(&[u8], &[u8])], origin: Origin) -> Result<Vec<Topic>, SetError> {
        self.set_and_apply(pairs, origin, |_, _, _| Ok(()))
    }

    /// CONFIG SET, with the server's part in it: `apply` gets the settings before and after and
    /// the topics that differ. If it fails, the settings are as before, and so must be whatever
    /// it did. It runs under the lock that CONFIG GET takes too: it must be quick, and must read
    /// what it is given, not this `Config`'s table.
    pub fn set_and_apply(
        &self,
        pairs: &[(&[u8], &[u8])],
        origin: Origin,
        apply: impl FnOnce(&Settings, &Settings, &[Topic]) -> Result<(), ApplyError>,
    ) -> Result<Vec<Topic>, SetError> {
        let mut values = self.values.lock();
        let old = self.load();
        let mut changed = values.clone();
        for (id, value) in checked(pairs, &values, old.enable_protected_configs.allows(origin))? {
            changed.set(id, value);
        }
        let topics = touched(&values, &changed);
        let new = Arc::new(Settings::new(&changed, &self.renamed));
        self.settings.store(Arc::clone(&new));
        if let Err(ApplyError { name, reason }) = apply(&old, &new, &topics) {
            self.settings.store(old);
            return Err(SetError::Refused {
                name: name.into(),
                reason,
            });
        }
        *values = changed;
        Ok(topics)
    }

    /// Notes a value that a command has changed (REPLICAOF), for CONFIG GET and REWRITE. It does not matter
    /// when the parameter may be set.
    ///
    /// # Panics
    /// If there is no such parameter, or it cannot have this value: the caller has checked both.
    pub fn remember(&self, name: &str, words: &[Vec<u8>]) {
        let id = ParamId::find(name.as_bytes()).expect("the parameter has a row");
        let mut values = self.values.lock();
        let value = id
            .param()
            .kind
            .parse(words, values.get(id))
            .unwrap_or_else(|reason| panic!("{name} refused: {reason}"));
        values.set(id, value);
        self.settings
            .store(Arc::new(Settings::new(&values, &self.renamed)));
    }

    /// CONFIG REWRITE. Waits for the disk.
    pub fn rewrite(&self) -> Result<(), RewriteError> {
        let path = self.file.as_deref().ok_or(RewriteError::NoFile)?;
        let _one_at_a_time = self.rewriting.lock();
        let values = self.values.lock().clone();
        rewrite::rewrite(path, &values)
    }

    /// What CONFIG REWRITE would put in place of this content of a file.
    pub fn rewritten(&self, content: &[u8]) -> Result<Vec<u8>, RewriteError> {
        let values = self.values.lock().clone();
        rewrite::rewritten(content, &values)
    }

    /// Whether the value of this parameter is a secret: it must not be logged.
    pub fn is_secret(name: &[u8]) -> bool {
        ParamId::find(name).is_some_and(|id| id.param().sensitive)
    }
}

/// Why the server could not apply a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyError {
    /// The parameter that is to blame.
    pub name: &'static str,
    /// What went wrong.
    pub reason: Reason,
}

/// The new values that a CONFIG SET asks for, all of them valid, no parameter twice.
fn checked(
    pairs: &[(&[u8], &[u8])],
    values: &Values,
    protected_allowed: bool,
) -> Result<Vec<(ParamId, value::Value)>, SetError> {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut ids = Vec::new();
    for (name, _) in pairs {
        let id = ParamId::find(name).ok_or_else(|| SetError::Unknown(lossy(name)))?;
        let refused = match id.param().settable {
            Settable::AtStart => Some("can't set immutable config"),
            Settable::Protected if !protected_allowed => Some("can't set protected config"),
            _ if ids.contains(&id) => Some("duplicate parameter"),
            _ => None,
        };
        if let Some(reason) = refused {
            return Err(SetError::Refused {
                name: lossy(name),
                reason: reason.into(),
            });
        }
        ids.push(id);
    }
    let parse = |(id, (name, text)): (ParamId, &(&[u8], &[u8]))| {
        let value = id.param().kind.parse(&[text.to_vec()], values.get(id));
        value
            .map(|value| (id, value))
            .map_err(|reason| SetError::Refused {
                name: lossy(name),
                reason,
            })
    };
    ids.into_iter().zip(pairs).map(parse).collect()
}

fn touched(old: &Values, new: &Values) -> Vec<Topic> {
    let mut topics = Vec::new();
    for id in ParamId::all().filter(|id| old.get(*id) != new.get(*id)) {
        if let Effect::Touches(topic) = id.param().effect
            && !topics.contains(&topic)
        {
            topics.push(topic);
        }
    }
    topics
}
