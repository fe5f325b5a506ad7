//! BINLOG.

use std::sync::Arc;

use basalt_binlog::{Binlog, Offset};
use basalt_resp::Encoder;

use crate::args;
use crate::errors::{self, Error};
use crate::info;
use crate::session::{Next, SessionCtx};

const NO_BINLOG: Error = Error::new("ERR the binlog is off");

/// Calls `work` with the log, on a thread that may block.
fn with_log(
    ctx: &SessionCtx<'_>,
    work: impl FnOnce(&Binlog, &mut Encoder<'_>) -> basalt_binlog::Result<()> + Send + 'static,
) -> Next {
    if ctx.server.data().binlog().is_none() {
        return NO_BINLOG.into();
    }
    let server = Arc::clone(ctx.server);
    Next::work(move |out| {
        let data = server.data();
        let Some(binlog) = data.binlog() else { return };
        if let Err(error) = work(binlog, out) {
            out.error(errors::store_failed(&error).as_bytes());
        }
    })
}

pub(super) fn info(ctx: &mut SessionCtx<'_>) -> Next {
    with_log(ctx, |binlog, out| {
        let info = binlog.info();
        let figures = info::log_figures(&info);
        out.map(figures.len() + 2);
        out.bulk("binlog_state");
        out.bulk(info::log_state(info.state));
        out.bulk("binlog_last_error");
        out.bulk(info.last_error.unwrap_or_default());
        for (name, value) in figures {
            out.bulk(name);
            out.integer(value as i64);
        }
        Ok(())
    })
}

pub(super) fn rotate(ctx: &mut SessionCtx<'_>) -> Next {
    with_log(ctx, |binlog, out| {
        binlog.rotate()?;
        out.ok();
        Ok(())
    })
}

pub(super) fn purge(ctx: &mut SessionCtx<'_>) -> Next {
    let upto = match ctx.args.get(2) {
        None => Offset::MAX,
        Some(_) if ctx.args.len() > 3 => return errors::SYNTAX.into(),
        Some(text) => match args::integer(text).map(u64::try_from) {
            Ok(Ok(offset)) => Offset(offset),
            _ => return errors::NOT_AN_INTEGER.into(),
        },
    };
    with_log(ctx, move |binlog, out| {
        out.integer(binlog.purge_to(upto)? as i64);
        Ok(())
    })
}
