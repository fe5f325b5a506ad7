//! TIME, LASTSAVE, ROLE.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::replication::info::role_of_master;
use crate::replication::replica::commands::role_of_replica;
use crate::replication::role::Role;
use crate::session::{Next, SessionCtx};

pub(super) fn time(ctx: &mut SessionCtx<'_>) -> Next {
    // Microseconds are asked for, which the command's own reading does not have.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    ctx.out.array(2);
    ctx.out.bulk(now.as_secs().to_string());
    ctx.out.bulk(now.subsec_micros().to_string());
    Next::Done
}

pub(super) fn lastsave(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.out
        .integer((ctx.server.saves.last_at(ctx.server).0 / 1000) as i64);
    Next::Done
}

pub(super) fn role(ctx: &mut SessionCtx<'_>) -> Next {
    match ctx.server.replication.role() {
        Role::Master => role_of_master(ctx.server, &mut ctx.out),
        Role::Replica { host, port } => role_of_replica(ctx, &host, port),
    }
    Next::Done
}
