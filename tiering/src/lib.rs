//! Keys and values over two tiers.

mod ids;

pub use ids::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};
