//! How a node follows its master.

/// State of the link to the master.
#[derive(Debug, Default)]
pub struct Replica {}
