//! `basalt-bench`: a load generator for servers that speak the Redis protocol.
//!
//! A stranger's map, in the order of a run:
//!
//! 1. `args` reads the command line; `template` compiles each command of the mix into pieces.
//! 2. `run` lays out the phases (load, then measure), connects, starts the workers, watches them.
//! 3. `worker` is the loop of one thread: epoll, closed or open; `conn` is one connection of it.
//!    Keys come from `dist`, values from `values`, requests from `template`; replies go through
//!    `wire` into `stats`.
//! 4. `probe` reads what the server spent: CPU, memory, disk.
//! 5. `report` turns it into text or JSON. `compare` does all that for several servers in turn.
//!
//! Invariants: the request path allocates nothing once warm; a worker shares nothing with its
//! siblings but a few counters; a number that could not be measured is left out, never guessed.

mod args;
mod compare;
mod conn;
mod dist;
mod epoll;
pub(crate) mod probe;
mod report;
mod run;
mod signals;
mod stats;
mod template;
mod values;
mod wire;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Load generator for Basalt, Redis, and anything else that speaks their protocol.
#[derive(Parser)]
#[command(name = "basalt-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put load on a running server and report throughput, latency and what it cost the server
    Run(Box<run::RunArgs>),
    /// Start several servers, put the same loads on each in turn, and print ratios
    Compare(Box<compare::CompareArgs>),
}

/// The whole program. The exit code is 1 after a failure, and also after a run in which replies
/// were errors or values were wrong.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    signals::install();
    let outcome = match cli.command {
        Command::Run(args) => run::main(&args),
        Command::Compare(args) => compare::main(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("basalt-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
