//! SAVE, BGSAVE, BGREWRITEAOF, SHUTDOWN.

use std::sync::Arc;

use crate::args;
use crate::errors::{self, Error};
use crate::session::{Next, SessionCtx};

const IN_PROGRESS: Error = Error::new("ERR Background save already in progress");
const NO_SHUTDOWN: Error = Error::new("ERR No shutdown in progress.");

pub(super) fn save(ctx: &mut SessionCtx<'_>) -> Next {
    let server = Arc::clone(ctx.server);
    if !server.saves.begin() {
        return IN_PROGRESS.into();
    }
    Next::work(move |out| match server.saves.run(&server) {
        Ok(()) => out.ok(),
        Err(error) => out.error(errors::store_failed(&error).as_bytes()),
    })
}

pub(super) fn bgsave(ctx: &mut SessionCtx<'_>) -> Next {
    match ctx.args.get(1) {
        None => {}
        Some(word) if ctx.args.len() == 2 && args::is(word, "SCHEDULE") => {}
        Some(_) => return errors::SYNTAX.into(),
    }
    let server = Arc::clone(ctx.server);
    if !server.saves.begin() {
        return IN_PROGRESS.into();
    }
    // A failure is logged and shown by INFO, as the client has long been answered.
    let work = move || drop(server.saves.run(&server));
    if let Err(error) = std::thread::Builder::new()
        .name("bgsave".into())
        .spawn(work)
    {
        return Error::text(format!("ERR no thread for the checkpoint: {error}")).into();
    }
    ctx.out.simple("Background saving started");
    Next::Done
}

/// The binlog is never rewritten: checkpoints make its past superfluous. A new segment begins, so that the
/// one before it can be compressed and, once retention allows it, go.
pub(super) fn bgrewriteaof(ctx: &mut SessionCtx<'_>) -> Next {
    let server = Arc::clone(ctx.server);
    Next::work(move |out| {
        match server
            .data()
            .binlog()
            .map_or(Ok(()), |binlog| binlog.rotate())
        {
            Ok(()) => out.simple("Background append only file rewriting started"),
            Err(error) => out.error(errors::store_failed(&error).as_bytes()),
        }
    })
}

pub(super) fn shutdown(ctx: &mut SessionCtx<'_>) -> Next {
    let (mut save, mut nosave, mut abort, mut others) = (false, false, false, false);
    for word in ctx.args.iter().skip(1) {
        match () {
            () if args::is(word, "SAVE") => save = true,
            () if args::is(word, "NOSAVE") => nosave = true,
            () if args::is(word, "ABORT") => abort = true,
            // Nothing waits for replicas, and an end that cannot save loses nothing: the log has it.
            () if args::is(word, "NOW") || args::is(word, "FORCE") => others = true,
            () => return errors::SYNTAX.into(),
        }
    }
    if (save && nosave) || (abort && (save || nosave || others)) {
        return errors::SYNTAX.into();
    }
    if abort {
        // An end once begun is not stopped: its sessions are already leaving.
        return NO_SHUTDOWN.into();
    }
    tracing::info!("SHUTDOWN was asked for");
    ctx.server.request_shutdown(!nosave);
    Next::Close
}
