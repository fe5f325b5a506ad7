//! Metrics for Prometheus, over HTTP on a port of their own (`metrics-port`), on loopback unless `metrics-bind` says
//! otherwise: whoever can connect can read them, without a password.
//!
//! A page is made when it is asked for, from the figures INFO shows (`page`), so metrics cost nothing between two
//! visits. Counters count since the start: CONFIG RESETSTAT does not touch them. The thread of this module serves
//! one page after the other; making one takes every slot's lock once, briefly.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::acceptor::bind_addresses;
use crate::config::Settings;
use crate::server::Server;

mod page;
mod replication;
mod writer;

/// The text format's own name.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
const INDEX: &str = "<title>Basalt</title><a href=\"/metrics\">metrics</a>\n";
/// Few pages are asked for at a time.
const BACKLOG: u32 = 16;

/// The sockets metrics are served on; none with `metrics-port 0`.
pub fn bind(settings: &Settings) -> io::Result<Vec<StdTcpListener>> {
    bind_addresses(&settings.metrics_bind, settings.metrics_port, BACKLOG)
}

/// Starts serving pages, until the server ends.
pub fn spawn(server: &Arc<Server>, sockets: Vec<StdTcpListener>) -> io::Result<JoinHandle<()>> {
    let server = Arc::clone(server);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("metrics".into())
        .spawn(move || runtime.block_on(serve_all(server, sockets)))
}

async fn serve_all(server: Arc<Server>, sockets: Vec<StdTcpListener>) {
    for socket in sockets {
        tokio::spawn(serve(Arc::clone(&server), socket));
    }
    // Pages still on their way are dropped with the runtime: the server does not wait for their readers.
    server.shutdown.wait().await;
}

async fn serve(server: Arc<Server>, socket: StdTcpListener) {
    let pages = Router::new()
        .route("/metrics", get(metrics))
        .route("/", get(|| async { Html(INDEX) }))
        .with_state(server);
    let served = match TcpListener::from_std(socket) {
        Ok(socket) => axum::serve(socket, pages).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "metrics are not served");
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT_FORMAT)], page::text(&server))
}
