//! Keys, records and state blobs of the cold tier: what is decoded is encoded to the same bytes.

use basalt_tiering::cold::{ColdKey, RecordHeader};
use basalt_tiering::inside;

/// Any bytes as a record, a key, the saved map of databases and the saved list of hot keys.
pub fn cold(data: &[u8]) {
    if let Ok((header, payload)) = RecordHeader::decode(data) {
        let mut again = Vec::new();
        header.encode_onto(&mut again);
        again.extend_from_slice(payload);
        assert_eq!(again, data, "a record is encoded as it was");
    }
    if let Some(key) = ColdKey::decode(data) {
        let mut again = Vec::new();
        key.encode_onto(&mut again);
        assert_eq!(again, data, "a key is encoded as it was");
    }
    if let Some(again) = inside::recoded_keyspace(data) {
        assert_eq!(again, data, "a map of databases is encoded as it was");
    }
    let _ = inside::count_hot_keys(data);
}
