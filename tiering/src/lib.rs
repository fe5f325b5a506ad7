//! Keys and values over two tiers.

pub mod cold;
mod ids;
mod standin;
mod tx;

pub use ids::{KeyHash, NamespaceId, SLOTS, Slot, UnixMs};
pub use standin::{Admission, ExpiredKey, PinSet, PinWait, Store, StoreError, Tx};
pub use tx::{Expiry, Fault, Key, Kind, Value};
