//! The acceptor: listens on every address and hands connections to the workers in turn.
//!
//! It has a thread of its own, so that a storm of connections does not slow the commands of others more than
//! the kernel does anyway.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc::UnboundedSender;

use crate::config::Settings;
use crate::server::Server;
use crate::worker::Incoming;

const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";
const STRANGER: &[u8] = b"-DENIED Basalt is in protected mode: no password is set, so only clients of this machine \
    are served. To let others in, set a password (requirepass), or, on a network you trust, switch the mode off: \
    CONFIG SET protected-mode no from this machine, or protected-mode no in the configuration file.\r\n";
/// Pause after a failed accept (out of descriptors), so that it is not retried in a busy loop.
const BACK_OFF: Duration = Duration::from_millis(50);
/// How long a start waits for a port, and how often it tries.
const BIND_PATIENCE: Duration = Duration::from_secs(2);
const BIND_PAUSE: Duration = Duration::from_millis(20);
/// How often, and after what pause each, a full server looks again before it refuses a client.
const SEAT_TRIES: u32 = 4;
const SEAT_PAUSE: Duration = Duration::from_millis(5);

/// The sockets to listen on, bound before the server says it has started.
#[derive(Debug, Default)]
pub struct Listeners {
    tcp: Vec<StdTcpListener>,
    unix: Option<(std::os::unix::net::UnixListener, PathBuf)>,
}

impl Listeners {
    /// Binds everything the settings name. An address that starts with `-` may fail.
    pub fn bind(settings: &Settings) -> io::Result<Listeners> {
        let tcp = bind_addresses(&settings.bind, settings.port, settings.tcp_backlog)?;
        let mut listeners = Listeners { tcp, unix: None };
        if let Some(path) = &settings.unixsocket {
            let listener = bind_unix(path, settings).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("cannot listen on {}: {error}", path.display()),
                )
            })?;
            listeners.unix = Some((listener, path.clone()));
        }
        Ok(listeners)
    }

    /// The TCP addresses.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }
}

/// Binds a port of these addresses; none for port 0. One with a `-` before it may fail, but not all may.
pub(crate) fn bind_addresses(
    addresses: &[String],
    port: u16,
    backlog: u32,
) -> io::Result<Vec<StdTcpListener>> {
    let mut bound = Vec::new();
    if port == 0 {
        return Ok(bound);
    }
    for address in addresses {
        let (address, optional) = match address.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (address.as_str(), false),
        };
        match bind_patiently(address, port, backlog) {
            Ok(listener) => bound.push(listener),
            Err(error) if optional => tracing::debug!(address, %error, "not listening"),
            Err(error) => {
                let text = format!("cannot listen on {address}:{port}: {error}");
                return Err(io::Error::new(error.kind(), text));
            }
        }
    }
    if bound.is_empty() {
        let text = format!("cannot listen on port {port} of any address");
        return Err(io::Error::other(text));
    }
    Ok(bound)
}

/// A port that is in use may be that of a predecessor that was killed: until the kernel has taken back its memory, its
/// sockets stay open. So it is given a moment.
fn bind_patiently(address: &str, port: u16, backlog: u32) -> io::Result<StdTcpListener> {
    let deadline = Instant::now() + BIND_PATIENCE;
    loop {
        match bind_tcp(address, port, backlog) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::sleep(BIND_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

fn bind_tcp(address: &str, port: u16, backlog: u32) -> io::Result<StdTcpListener> {
    let ip: IpAddr = match address {
        "*" => IpAddr::from([0, 0, 0, 0]),
        "::*" => IpAddr::from([0u16; 8]),
        other => other.parse().or_else(|_| resolve(other))?,
    };
    let address = SocketAddr::new(ip, port);
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if ip.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

fn resolve(name: &str) -> io::Result<IpAddr> {
    use std::net::ToSocketAddrs;
    let mut found = (name, 0).to_socket_addrs()?;
    found
        .next()
        .map(|address| address.ip())
        .ok_or_else(|| io::Error::other("the name has no address"))
}

fn bind_unix(path: &Path, settings: &Settings) -> io::Result<std::os::unix::net::UnixListener> {
    // A socket file that an earlier run left behind is in the way.
    if std::os::unix::net::UnixStream::connect(path).is_err() {
        let _ = std::fs::remove_file(path);
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    socket.listen(i32::try_from(settings.tcp_backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    if settings.unixsocketperm != 0 {
        std::fs::set_permissions(
            path,
            std::fs::Permissions::from_mode(settings.unixsocketperm),
        )?;
    }
    Ok(socket.into())
}

/// Where accepted connections go.
#[derive(Debug)]
struct Desk {
    server: Arc<Server>,
    workers: Vec<UnboundedSender<Incoming>>,
    next: AtomicUsize,
}

/// Starts accepting.
pub fn spawn(
    server: &Arc<Server>,
    listeners: Listeners,
    workers: Vec<UnboundedSender<Incoming>>,
) -> io::Result<JoinHandle<()>> {
    let desk = Arc::new(Desk {
        server: Arc::clone(server),
        workers,
        next: AtomicUsize::new(0),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("acceptor".into())
        .spawn(move || {
            let tasks = tokio::task::LocalSet::new();
            tasks.block_on(&runtime, run(desk, listeners));
        })
}

async fn run(desk: Arc<Desk>, listeners: Listeners) {
    for listener in listeners.tcp {
        match TcpListener::from_std(listener) {
            Ok(listener) => drop(tokio::task::spawn_local(accept_tcp(
                Arc::clone(&desk),
                listener,
            ))),
            Err(error) => tracing::error!(%error, "cannot accept"),
        }
    }
    let mut socket_file = None;
    if let Some((listener, path)) = listeners.unix {
        match UnixListener::from_std(listener) {
            Ok(listener) => drop(tokio::task::spawn_local(accept_unix(
                Arc::clone(&desk),
                listener,
                path.clone(),
            ))),
            Err(error) => tracing::error!(%error, "cannot accept"),
        }
        socket_file = Some(path);
    }
    desk.server.shutdown.wait().await;
    if let Some(path) = socket_file {
        let _ = std::fs::remove_file(path);
    }
}

async fn accept_tcp(desk: Arc<Desk>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let desk = Arc::clone(&desk);
                // A task, since a full server looks twice before it refuses.
                tokio::task::spawn_local(async move { desk.take_tcp(stream, peer).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

async fn accept_unix(desk: Arc<Desk>, listener: UnixListener, path: PathBuf) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (desk, path) = (Arc::clone(&desk), path.clone());
                tokio::task::spawn_local(async move { desk.take_unix(stream, &path).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

impl Desk {
    async fn take_tcp(&self, mut stream: TcpStream, peer: SocketAddr) {
        let settings = self.server.config.load();
        let is_stranger =
            settings.protected_mode && settings.requirepass.is_none() && !is_local(peer.ip());
        if let Some(refusal) = self.refusal(&settings, is_stranger).await {
            tokio::task::spawn_local(async move { stream.write_all(refusal).await });
            return;
        }
        if let Err(error) = tune(&stream, settings.tcp_keepalive_seconds) {
            tracing::debug!(%error, "socket options were not set");
        }
        let local = stream
            .local_addr()
            .map_or_else(|_| String::new(), |address| address.to_string());
        match stream.into_std() {
            Ok(stream) => self.hand_over(Incoming::Tcp(stream, peer.to_string(), local)),
            Err(error) => tracing::warn!(%error, "a connection was lost on its way to a worker"),
        }
    }

    async fn take_unix(&self, mut stream: UnixStream, path: &Path) {
        if let Some(refusal) = self.refusal(&self.server.config.load(), false).await {
            tokio::task::spawn_local(async move { stream.write_all(refusal).await });
            return;
        }
        match stream.into_std() {
            Ok(stream) => self.hand_over(Incoming::Unix(stream, path.display().to_string())),
            Err(error) => tracing::warn!(%error, "a connection was lost on its way to a worker"),
        }
    }

    async fn refusal(&self, settings: &Settings, is_stranger: bool) -> Option<&'static [u8]> {
        self.server.stats.count_connection();
        if !self.has_seat(settings.maxclients as usize).await {
            self.server.stats.count_rejected_connection();
            return Some(TOO_MANY);
        }
        is_stranger.then_some(STRANGER)
    }

    /// A client that has just left may still be counted: its worker is given a moment to notice.
    async fn has_seat(&self, seats: usize) -> bool {
        for _ in 0..SEAT_TRIES {
            if self.server.clients.seats_taken() < seats {
                return true;
            }
            tokio::time::sleep(SEAT_PAUSE).await;
        }
        self.server.clients.seats_taken() < seats
    }

    fn hand_over(&self, incoming: Incoming) {
        self.server.clients.expect_one();
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len();
        if self.workers[turn].send(incoming).is_err() {
            self.server.clients.lost();
            tracing::debug!("a connection came while the server ended");
        }
    }
}

fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
        }
    }
}

fn tune(stream: &TcpStream, keepalive_seconds: u32) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if keepalive_seconds > 0 {
        let idle = Duration::from_secs(u64::from(keepalive_seconds));
        let probe = (idle / 3).max(Duration::from_secs(1));
        let keepalive = TcpKeepalive::new()
            .with_time(idle)
            .with_interval(probe)
            .with_retries(3);
        SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}
