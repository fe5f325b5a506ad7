//! What a client may send before we stop listening to it.

/// Bounds on one request. A session keeps one and flips `authenticated`, so a change
/// (`CONFIG SET proto-max-bulk-len`, a successful `AUTH`) counts from the next header on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest argument in bytes (`proto-max-bulk-len`).
    pub max_bulk_bytes: usize,
    /// Most arguments in one command.
    pub max_args: usize,
    /// Longest inline command, and longest header line.
    pub max_inline_bytes: usize,
    /// False while the client still has to authenticate: then only small commands are read, so
    /// that a stranger cannot make the server hold much memory.
    pub authenticated: bool,
}

impl Limits {
    /// Most arguments of a command from a client that has not authenticated.
    pub const UNAUTHENTICATED_MAX_ARGS: usize = 10;
    /// Longest argument from a client that has not authenticated.
    pub const UNAUTHENTICATED_MAX_BULK_BYTES: usize = 16 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_bulk_bytes: 512 * 1024 * 1024,
            max_args: 1024 * 1024,
            max_inline_bytes: 64 * 1024,
            authenticated: true,
        }
    }
}
