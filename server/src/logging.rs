//! The server's own log: to standard output, or to `logfile`, at Redis' levels.

use std::fs::OpenOptions;
use std::io;
use std::sync::Mutex;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::reload;

use crate::config::{LogLevel, Settings};

/// Changes the level while the server runs (CONFIG SET loglevel).
#[derive(Debug, Clone)]
pub struct LevelHandle(reload::Handle<LevelFilter, tracing_subscriber::Registry>);

impl LevelHandle {
    /// Logs at `level` from now on.
    pub fn set(&self, level: LogLevel) {
        // It fails only when the subscriber is gone, and then there is nothing to filter.
        let _ = self.0.reload(filter(level));
    }
}

/// `notice` is what an operator wants in production: our `info`. `verbose` and `debug` are both our `debug`,
/// since what they would add separately is noise.
fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Nothing => LevelFilter::OFF,
    }
}

/// Starts logging. To be called once.
pub fn start(settings: &Settings) -> io::Result<LevelHandle> {
    let (level, handle) = reload::Layer::new(filter(settings.loglevel));
    let lines = tracing_subscriber::fmt::layer().with_target(false);
    let registry = tracing_subscriber::registry().with(level);
    match &settings.logfile {
        None => registry.with(lines.with_ansi(false)).init(),
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|error| {
                    io::Error::new(
                        error.kind(),
                        format!("cannot open the log file {}: {error}", path.display()),
                    )
                })?;
            registry
                .with(lines.with_ansi(false).with_writer(Mutex::new(file)))
                .init();
        }
    }
    Ok(LevelHandle(handle))
}
