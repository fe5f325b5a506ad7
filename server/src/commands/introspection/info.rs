//! INFO: the command. See `info` at the top of the crate for the text.

use crate::info::{self, Wanted};
use crate::session::{Next, SessionCtx};
use std::sync::Arc;

pub(super) fn info(ctx: &mut SessionCtx<'_>) -> Next {
    let wanted = Wanted::parse(ctx.args.iter().skip(1));
    let server = Arc::clone(ctx.server);
    Next::work(move |out| out.verbatim(*b"txt", info::text(&server, &wanted)))
}
