//! Keys and values over two tiers.

pub mod cold;
mod ids;
mod tx;

pub use ids::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};
pub use tx::{Expiry, Fault, Key, Kind, Tx, Value};
