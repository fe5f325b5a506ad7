//! `basalt`, the admin tool.

use clap::Parser;

/// Administration of Basalt servers.
#[derive(Parser)]
#[command(name = "basalt", version)]
struct Cli {}

fn main() {
    Cli::parse();
}
