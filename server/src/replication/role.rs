//! Master or replica: one atomic word for the path of every command, details under a mutex.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Role {
    /// It takes writes.
    #[default]
    Master,
    /// It follows a master.
    Replica {
        /// The master's host, as it was given.
        host: String,
        /// The master's port.
        port: u16,
    },
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct RoleState {
    is_replica: AtomicBool,
    role: Mutex<Role>,
}

impl RoleState {
    /// True for a master.
    #[inline]
    #[must_use]
    pub fn is_master(&self) -> bool {
        !self.is_replica.load(Ordering::Acquire)
    }

    /// The role with its details.
    #[must_use]
    pub fn get(&self) -> Role {
        self.role.lock().clone()
    }

    /// Changes the role. The caller holds the exclusive gate, so that no command sees it change.
    pub fn set(&self, role: Role) {
        let mut current = self.role.lock();
        self.is_replica
            .store(role != Role::Master, Ordering::Release);
        *current = role;
    }
}
