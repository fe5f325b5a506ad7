//! The `basalt-server` binary: arguments, allocator, log; the rest is the library.

use std::process::ExitCode;

use basalt_server::config::{Invocation, Startup};
use basalt_server::{logging, startup};

/// One allocator for Rust and, since its names are the system's, for RocksDB's C++: one figure for both.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Read by jemalloc before `main`: freed memory goes back within seconds, on jemalloc's own thread, and few
/// arenas keep it together. Huge pages halve the cost of a random lookup (there is no fork that would copy them).
// SAFETY: jemalloc reads this symbol as a C string; it is one, constant, and no one else defines the name.
#[unsafe(no_mangle)]
#[allow(
    non_upper_case_globals,
    reason = "the allocator looks for this very name"
)]
pub static malloc_conf: Option<&'static std::ffi::c_char> = {
    const CONF: &std::ffi::CStr =
        c"background_thread:true,narenas:4,dirty_decay_ms:2000,muzzy_decay_ms:0,thp:always";
    // SAFETY: the pointer comes from a constant, which lives for ever.
    Some(unsafe { &*CONF.as_ptr() })
};

fn main() -> ExitCode {
    match Invocation::from_args(std::env::args_os().skip(1), &mut std::io::stdin()) {
        Ok(Invocation::Print(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Invocation::Serve(startup)) => match serve(startup) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("basalt-server: {error:#}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("basalt-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A panic is a bug of ours: what is in memory can no longer be trusted, and the log has everything that was
/// acknowledged. So it ends the process, like a power cut, instead of leaving it without a thread.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

fn serve(startup: Startup) -> anyhow::Result<()> {
    abort_on_panic();
    let settings = startup.config.load();
    // The handle lives as long as the process; `CONFIG SET loglevel` reaches it through the server.
    let level = logging::start(&settings)?;
    for directive in &startup.without_effect {
        tracing::info!("the directive '{directive}' has no effect here");
    }
    let running = startup::start(startup.config, Some(level))?;
    running.wait()
}
