//! What can go wrong with a configuration, in the words Redis has for it.
//!
//! [`SetError`] and [`RewriteError`] are replies: the server puts `ERR ` before them.
//! [`ConfigError`] goes to the terminal, and the server does not start.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::kind::Reason;

/// A configuration that the server cannot start with.
#[derive(Debug)]
pub enum ConfigError {
    /// A directive is wrong.
    Directive {
        /// Where it stands.
        place: Place,
        /// The directive as given.
        line: String,
        /// What is wrong with it.
        reason: Reason,
    },
    /// The directives are right one by one, but not together.
    Contradiction(&'static str),
    /// A file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Where a directive stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a line of the configuration file, or of standard input.
    File {
        /// Counted from one.
        line: usize,
    },
    /// On a line of a file that was included.
    Included {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
    /// On the command line.
    CommandLine,
}

impl Place {
    pub(super) fn in_file(included: Option<&Path>, line: usize) -> Self {
        match included {
            Some(path) => Place::Included {
                path: path.to_path_buf(),
                line,
            },
            None => Place::File { line },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { line } => write!(f, "Reading the configuration file, at line {line}"),
            Place::Included { path, line } => {
                write!(
                    f,
                    "Reading the included configuration file '{}', at line {line}",
                    path.display()
                )
            }
            Place::CommandLine => write!(f, "Reading the command line"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = concat!(
            "*** FATAL CONFIG FILE ERROR (Basalt ",
            env!("CARGO_PKG_VERSION"),
            ") ***"
        );
        match self {
            ConfigError::Directive {
                place,
                line,
                reason,
            } => {
                write!(f, "{title}\n{place}\n>>> '{line}'\n{reason}")
            }
            ConfigError::Contradiction(reason) => write!(f, "{title}\n{reason}"),
            ConfigError::Unreadable { path, error } => {
                write!(
                    f,
                    "Fatal error, can't open config file '{}': {}",
                    path.display(),
                    plain(error)
                )
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// The message of an I/O error, without Rust's `(os error 2)`.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((message, _)) => message.to_string(),
        None => text,
    }
}

/// Why CONFIG SET did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SetError {
    /// There is no such parameter.
    #[error("Unknown option or number of arguments for CONFIG SET - '{0}'")]
    Unknown(String),
    /// A parameter cannot have this value, or cannot be set now.
    #[error("CONFIG SET failed (possibly related to argument '{name}') - {reason}")]
    Refused {
        /// The parameter, as the client called it.
        name: String,
        /// Why.
        reason: Reason,
    },
}

/// Why CONFIG REWRITE did nothing.
#[derive(Debug, Error)]
pub enum RewriteError {
    /// There is nothing to rewrite.
    #[error("The server is running without a config file")]
    NoFile,
    /// The file cannot be read or written.
    #[error("Rewriting config file: {}", plain(.0))]
    Io(#[from] io::Error),
    /// The file no longer is a valid configuration: it was changed since the start.
    #[error("Rewriting config file: {}", one_line(.0))]
    Invalid(ConfigError),
}

/// An error reply is one line.
fn one_line(error: &ConfigError) -> String {
    match error {
        ConfigError::Directive {
            place,
            line,
            reason,
        } => format!("{place}, '{line}': {reason}"),
        other => other.to_string().replace('\n', " "),
    }
}
