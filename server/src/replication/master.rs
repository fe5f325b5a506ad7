//! What a node does for those who follow it.

/// The replicas of this node.
#[derive(Debug, Default)]
pub struct Replicas {}
