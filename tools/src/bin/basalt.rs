//! `basalt`, the admin tool.

use std::process::ExitCode;

fn main() -> ExitCode {
    basalt_tools::admin::main()
}
