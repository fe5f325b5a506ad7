//! REPLICAOF, SLAVEOF, ROLE.

use std::sync::Arc;

use super::{Ask, info};
use crate::args;
use crate::errors::Error;
use crate::replication::role::Role;
use crate::session::{Next, SessionCtx};

const INVALID_PORT: Error = Error::new("ERR Invalid master port");
const NOT_IN_EXEC: Error = Error::new("ERR REPLICAOF is not allowed inside a transaction");

/// REPLICAOF, SLAVEOF.
pub fn replicaof(ctx: &mut SessionCtx<'_>) -> Next {
    let (host, port) = (&ctx.args[1], &ctx.args[2]);
    let ask = if args::is(host, "NO") && args::is(port, "ONE") {
        Ask::Lead
    } else {
        let port = match basalt_resp::parse_i64(port).map(u16::try_from) {
            Some(Ok(port)) => port,
            _ => return INVALID_PORT.into(),
        };
        let host = String::from_utf8_lossy(host).into_owned();
        let same = Role::Replica {
            host: host.clone(),
            port,
        };
        if ctx.server.replication.role() == same {
            ctx.out.simple("OK Already connected to specified master");
            return Next::Done;
        }
        Ask::Follow { host, port }
    };
    if ctx.session.in_exec {
        // EXEC may hold the gate that the change needs.
        return NOT_IN_EXEC.into();
    }
    tracing::info!(?ask, client = ctx.session.info.addr, "REPLICAOF");
    let server = Arc::clone(ctx.server);
    Next::work(
        move |out| match server.replication.replica.ask(&server, ask) {
            Ok(()) => out.ok(),
            Err(error) => out.error(format!("ERR {error}").replace(['\r', '\n'], " ").as_bytes()),
        },
    )
}

/// A replica's answer to ROLE.
pub fn role_of_replica(ctx: &mut SessionCtx<'_>, host: &str, port: u16) {
    let state = ctx.server.replication.replica.state();
    let offset = match state {
        super::LinkState::Connected => info::offsets(ctx.server).1.0 as i64,
        _ => -1,
    };
    ctx.out.array(5);
    ctx.out.bulk("slave");
    ctx.out.bulk(host);
    ctx.out.integer(i64::from(port));
    ctx.out.bulk(state.name());
    ctx.out.integer(offset);
}
