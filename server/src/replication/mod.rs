//! Replication: what binds the protocol (crate `basalt-replication`) to this server.
//!
//! A node is at every moment a *master* (it takes writes) or a *replica* (it follows a master); a replica may
//! have replicas of its own, which it serves from its log exactly as a master does. `role` says which it is;
//! `master` is what a node does for those who follow it, `replica` what it does to follow.

mod dialogue;
pub mod failover;
pub mod heat;
pub mod history;
pub mod info;
pub mod master;
pub mod replica;
pub mod role;
pub mod sync;
pub mod wait;

use role::{Role, RoleState};

/// Everything about replication that the server's threads share.
#[derive(Debug, Default)]
pub struct Replication {
    /// Master or replica.
    pub role: RoleState,
    /// Those who follow this node.
    pub master: master::Replicas,
    /// How this node follows another.
    pub replica: replica::Replica,
}

impl Replication {
    /// What this node is now, with details.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role.get()
    }

    /// True if this node takes writes of its own. For the path of every command: one load.
    #[inline]
    #[must_use]
    pub fn is_master(&self) -> bool {
        self.role.is_master()
    }
}
