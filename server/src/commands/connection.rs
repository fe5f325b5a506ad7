//! To be written.

use super::Command;

/// The commands.
pub const FAMILY: &[Command] = &[];
