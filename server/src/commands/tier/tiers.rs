//! TIER.

use std::sync::Arc;

use basalt_resp::OwnedArgs;
use basalt_tiering::{Key, Store, StoreError};

use crate::args;
use crate::errors::{self, Error};
use crate::info;
use crate::session::{Next, SessionCtx};

const NO_TIERING: Error = Error::new("ERR tiering is off: nothing leaves memory");

pub(super) fn stats(ctx: &mut SessionCtx<'_>) -> Next {
    let server = Arc::clone(ctx.server);
    Next::work(move |out| {
        let figures = info::tier_figures(&server.data().store.stats());
        out.map(figures.len());
        for (name, value) in figures {
            out.bulk(name);
            out.integer(value as i64);
        }
    })
}

pub(super) fn object(ctx: &mut SessionCtx<'_>) -> Next {
    let (server, db) = (Arc::clone(ctx.server), ctx.session.db);
    let key = ctx.args.get(2).unwrap_or_default().to_vec();
    Next::work(move |out| {
        let data = server.data();
        let key = data.store.key(db, &key);
        let object = match data.store.locate(&key) {
            Ok(object) => object,
            Err(error) => return out.error(errors::store_failed(&error).as_bytes()),
        };
        out.map(6);
        out.bulk("tier");
        out.bulk(object.tier);
        out.bulk("state");
        out.bulk(object.state);
        out.bulk("slot");
        out.integer(i64::from(key.slot.0));
        out.bulk("lfu");
        out.integer(i64::from(object.lfu));
        out.bulk("bytes");
        out.integer(object.bytes as i64);
        out.bulk("guard");
        match object.guard {
            Some(guard) => out.integer(guard.0 as i64),
            None => out.null(),
        }
    })
}

/// Calls `work` with the keys of the command, on a thread that may block; its number is the reply.
fn with_keys(
    ctx: &SessionCtx<'_>,
    work: impl FnOnce(&Store, &[Key<'_>]) -> Result<usize, StoreError> + Send + 'static,
) -> Next {
    let (server, db) = (Arc::clone(ctx.server), ctx.session.db);
    let owned: OwnedArgs = ctx.args.to_owned_args();
    Next::work(move |out| {
        let (data, args) = (server.data(), owned.as_args());
        let keys: Vec<Key<'_>> = args
            .iter()
            .skip(2)
            .map(|key| data.store.key(db, key))
            .collect();
        match work(&data.store, &keys) {
            Ok(count) => out.integer(count as i64),
            Err(error) => out.error(errors::store_failed(&error).as_bytes()),
        }
    })
}

pub(super) fn spill(ctx: &mut SessionCtx<'_>) -> Next {
    if !ctx.server.config.peek().tiering {
        return NO_TIERING.into();
    }
    let all = ctx.args.len() == 3 && ctx.args.get(2).is_some_and(|word| args::is(word, "ALL"));
    if all {
        return with_keys(ctx, |store, _| {
            store.spill_all().map(|count| count as usize)
        });
    }
    with_keys(ctx, |store, keys| store.spill(keys))
}

pub(super) fn warm(ctx: &mut SessionCtx<'_>) -> Next {
    with_keys(ctx, |store, keys| store.warm(keys))
}

pub(super) fn compact(ctx: &mut SessionCtx<'_>) -> Next {
    let server = Arc::clone(ctx.server);
    Next::work(move |out| {
        server.data().store.compact();
        out.ok();
    })
}
