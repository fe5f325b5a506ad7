//! To be replaced.

use super::Command;

/// The commands.
pub const FAMILY: &[Command] = &[];
