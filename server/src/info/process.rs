//! Server, clients, CPU.

use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Lines, Source};
use crate::clients::{ClientInfo, flag};
use crate::dispatch::{self, CommandId};
use crate::server::REDIS_VERSION;

pub(super) fn server(source: &Source<'_>, lines: &mut Lines) {
    let server = source.server;
    let uptime = server.started.elapsed().as_secs();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    lines.field("redis_version", REDIS_VERSION);
    lines.field("basalt_version", env!("CARGO_PKG_VERSION"));
    lines.field("redis_git_sha1", "00000000");
    lines.field("redis_git_dirty", 0);
    lines.field("redis_build_id", 0);
    lines.field("redis_mode", "standalone");
    lines.field("os", os());
    lines.field("arch_bits", usize::BITS);
    lines.field("monotonic_clock", "POSIX clock_gettime");
    lines.field("multiplexing_api", "epoll");
    lines.field("atomicvar_api", "rust");
    lines.field("gcc_version", "0.0.0");
    lines.field("process_id", std::process::id());
    lines.field("process_supervised", "no");
    lines.field("run_id", &server.run_id);
    lines.field("tcp_port", source.settings.port);
    lines.field("server_time_usec", now.as_micros());
    lines.field("uptime_in_seconds", uptime);
    lines.field("uptime_in_days", uptime / 86_400);
    lines.field("hz", source.settings.hz);
    lines.field("configured_hz", source.settings.hz);
    lines.field("lru_clock", now.as_secs() & 0x00FF_FFFF);
    let executable = std::env::current_exe().unwrap_or_default();
    lines.field("executable", executable.display());
    lines.field(
        "config_file",
        server
            .config
            .file()
            .map_or_else(Default::default, |file| file.display().to_string()),
    );
    lines.field("io_threads_active", u8::from(server.workers > 1));
    lines.field("basalt_workers", server.workers);
}

fn os() -> String {
    let read = |name: &str| {
        std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default()
    };
    format!(
        "{} {} {}",
        read("ostype").trim(),
        read("osrelease").trim(),
        std::env::consts::ARCH
    )
}

pub(super) fn clients(source: &Source<'_>, lines: &mut Lines) {
    let clients = source.server.clients.all();
    let most = |of: fn(&ClientInfo) -> usize| clients.iter().map(|c| of(c)).max().unwrap_or(0);
    lines.field("connected_clients", clients.len());
    lines.field("cluster_connections", 0);
    lines.field("maxclients", source.settings.maxclients);
    lines.field(
        "client_recent_max_input_buffer",
        most(|c| c.query_bytes.load(Ordering::Relaxed)),
    );
    lines.field(
        "client_recent_max_output_buffer",
        most(|c| c.output_bytes.load(Ordering::Relaxed)),
    );
    lines.field(
        "blocked_clients",
        source.server.waiters.len()
            + clients
                .iter()
                .filter(|client| awaits_offset(client))
                .count(),
    );
    lines.field("tracking_clients", 0);
    lines.field("clients_in_timeout_table", 0);
}

/// Waits for replicas or the log.
fn awaits_offset(client: &ClientInfo) -> bool {
    let command = dispatch::name_of(CommandId(client.command.load(Ordering::Relaxed)));
    matches!(command, "wait" | "waitaof")
        && client.flags.load(Ordering::Relaxed) & flag::BLOCKED != 0
}

/// User and system time of `who`, in seconds.
fn cpu_seconds(who: libc::c_int) -> (f64, f64) {
    // SAFETY: all-zero is a valid `rusage`, and the call only writes to it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &raw mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (seconds(usage.ru_utime), seconds(usage.ru_stime))
}

pub(super) fn cpu(_: &Source<'_>, lines: &mut Lines) {
    let (user, system) = cpu_seconds(libc::RUSAGE_SELF);
    let (child_user, child_system) = cpu_seconds(libc::RUSAGE_CHILDREN);
    for (name, seconds) in [
        ("used_cpu_sys", system),
        ("used_cpu_user", user),
        ("used_cpu_sys_children", child_system),
        ("used_cpu_user_children", child_user),
        // There is no main thread: every worker does what it does.
        ("used_cpu_sys_main_thread", system),
        ("used_cpu_user_main_thread", user),
    ] {
        lines.field(name, format_args!("{seconds:.6}"));
    }
}
