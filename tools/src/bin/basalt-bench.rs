//! `basalt-bench`, the load generator; everything lives in `basalt_tools::bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    basalt_tools::bench::main()
}
