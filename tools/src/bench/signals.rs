//! Ctrl-C and SIGTERM: the first asks every loop to finish and report, the second ends the program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

fn flag_cell() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| Arc::new(AtomicBool::new(false)))
}

/// Installs the handlers; called once, from `main`.
pub(super) fn install() {
    for signal in [SIGINT, SIGTERM] {
        // The order matters: the shutdown looks at the flag before this signal sets it.
        let armed = flag::register_conditional_shutdown(signal, 130, Arc::clone(flag_cell()))
            .and_then(|_| flag::register(signal, Arc::clone(flag_cell())));
        if let Err(error) = armed {
            eprintln!("basalt-bench: no handler for signal {signal}: {error}");
        }
    }
}

/// Whether the user has asked us to stop.
pub(super) fn interrupted() -> bool {
    flag_cell().load(Ordering::Relaxed)
}
