//! `basalt`: administration.
//!
//! - `server`: what asks a running server: `info`, `tier`; `survey`: `tier hotkeys`, `bigkeys`.
//! - `log`: what reads the files of a log, also of one in use: `binlog info`, `dump`, `verify`.
//! - `cold`: what reads the cold tier: `cold stats`, `get`, `bench`.
//! - `commands`: the bytes of a frame as commands, for people and as JSON.
//!
//! Nothing here writes to a data directory.

mod cold;
mod commands;
mod log;
mod server;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Administration of Basalt servers.
#[derive(Parser)]
#[command(name = "basalt", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print INFO of a running server
    Info(server::InfoArgs),
    /// Look at, and move keys between, the tiers of a running server
    Tier(server::TierArgs),
    /// Read the files of a log, without a server or beside one
    Binlog(log::BinlogArgs),
    /// Read the cold tier, without a server or beside one
    Cold(cold::ColdArgs),
}

/// The whole program. The exit code is 1 after a failure, and if `binlog verify` finds damage.
pub fn main() -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let outcome = match Cli::parse().command {
        Command::Info(args) => server::info(&args, &mut out),
        Command::Tier(args) => server::tier(&args, &mut out),
        Command::Binlog(args) => log::main(&args, &mut out),
        Command::Cold(args) => cold::main(&args, &mut out),
    };
    match outcome.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        // `basalt binlog dump … | head` is no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // What was found before the failure comes first.
            let _ = out.flush();
            eprintln!("basalt: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
