//! What is due now and then while others follow this node: PING in the stream, counting the living, removing
//! snapshots that nobody needs.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use basalt_replication::registry::Moment;
use basalt_replication::wire;

use crate::exec;
use crate::server::Server;

const ROUND: Duration = Duration::from_millis(100);

/// Starts the thread that does it; it ends with the server.
pub fn spawn(server: &Arc<Server>) -> io::Result<JoinHandle<()>> {
    let server = Arc::clone(server);
    server.replication.master.recount(&server, Moment::now());
    std::thread::Builder::new()
        .name("replicas".to_owned())
        .spawn(move || {
            let (mut pinged, mut led) = (Instant::now(), server.replication.is_master());
            while !server.shutdown.is_requested() {
                std::thread::sleep(ROUND);
                round(&server, &mut pinged);
                let leads = server.replication.is_master();
                if leads != std::mem::replace(&mut led, leads) {
                    // Who waits for replicas sees that this node is none to wait at.
                    crate::replication::wait::wake_all(&server);
                }
            }
        })
}

fn round(server: &Server, pinged: &mut Instant) {
    let (timeout, period) = {
        let settings = server.config.peek();
        (
            Duration::from_secs(settings.repl_timeout_seconds.into()),
            Duration::from_secs(settings.repl_ping_period_seconds.into()),
        )
    };
    let (master, now) = (&server.replication.master, Moment::now());
    master.snapshots.expire(timeout);
    master.recount(server, now);
    super::cut_silent_fetchers(server, now, timeout);
    if pinged.elapsed() >= period {
        *pinged = Instant::now();
        ping(server);
    }
}

/// A sign of life in the stream. A handover needs the log still, and its target hears of us anyway.
fn ping(server: &Server) {
    if server.replication.master.registry.is_empty() {
        return;
    }
    let _shared = server.gate.enter_background();
    exec::log_no_data(&server.data().log, &wire::ping());
}
