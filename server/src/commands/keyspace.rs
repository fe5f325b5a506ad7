//! Commands over the whole keyspace.

use std::sync::Arc;

use basalt_resp::{Args, Encoder};
use basalt_tiering::UnixMs;

use super::Command;
use crate::effects::Effects;
use crate::server::Server;

/// What a handler on the whole keyspace sees.
pub struct KeyspaceCtx<'a> {
    /// The server.
    pub server: &'a Arc<Server>,
    /// The arguments, the command's name first.
    pub args: &'a Args<'a>,
    /// Where the reply goes.
    pub out: Encoder<'a>,
    /// The selected database.
    pub db: u32,
    /// The command's reading of the clock.
    pub now: UnixMs,
    /// Effects to be logged; only an `Exclusive` handler may have any.
    pub effects: &'a mut Effects,
}

/// The commands.
pub const FAMILY: &[Command] = &[];
