//! Keys and values over two tiers.

pub mod cold;
mod ids;

pub use ids::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};
