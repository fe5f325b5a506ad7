//! Keyspace.

use super::{Lines, Source};

pub(super) fn keyspace(source: &Source<'_>, lines: &mut Lines) {
    let store = &source.data.store;
    for db in 0..source.settings.databases {
        let ns = store.namespace(db);
        let keys = match store.dbsize(ns) {
            Ok(keys) => keys,
            Err(error) => {
                tracing::error!(%error, db, "the keys of a database cannot be counted");
                continue;
            }
        };
        if keys > 0 {
            let expires = store.expires_count(ns);
            lines.field(
                format_args!("db{db}"),
                format_args!(
                    "keys={keys},expires={expires},avg_ttl=0,subexpiry={}",
                    store.subexpiring_count(ns)
                ),
            );
        }
    }
}
