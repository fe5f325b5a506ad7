//! TIME, LASTSAVE, ROLE.

use std::time::{SystemTime, UNIX_EPOCH};

use basalt_binlog::Binlog;

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
    ctx.out.array(3);
    ctx.out.bulk("master");
    ctx.out.integer(
        ctx.server
            .data()
            .binlog()
            .map_or(0, |binlog: &Binlog| binlog.end().0 as i64),
    );
    ctx.out.array(0);
    Next::Done
}
