//! CONFIG: glue to the `config` module.

use std::sync::Arc;

use super::apply;
use crate::clients::{ClientInfo, flag};
use crate::config::{Config, Origin};
use crate::errors::{self, Error};
use crate::session::{Next, SessionCtx};
use std::sync::atomic::Ordering;

pub(super) fn get(ctx: &mut SessionCtx<'_>) -> Next {
    let patterns: Vec<&[u8]> = ctx.args.iter().skip(2).collect();
    let found = ctx.server.config.get(&patterns);
    ctx.out.map(found.len());
    for (name, value) in found {
        ctx.out.bulk(name);
        ctx.out.bulk(value);
    }
    Next::Done
}

/// Where a client connects from, as `local` in the configuration means it.
pub(super) fn origin(client: &ClientInfo) -> Origin {
    let host = client
        .addr
        .rsplit_once(':')
        .map_or("", |(host, _)| host)
        .trim_matches(['[', ']']);
    let is_loopback = host
        .parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.is_loopback());
    let is_unix = client.flags.load(Ordering::Relaxed) & flag::UNIX != 0;
    if is_unix || is_loopback {
        Origin::Local
    } else {
        Origin::Remote
    }
}

/// New limits may make the caches shrink at once, so this is done on a thread of its own.
pub(super) fn set(ctx: &mut SessionCtx<'_>) -> Next {
    if ctx.args.len() % 2 == 1 {
        return errors::wrong_arity("config|set").into();
    }
    let words: Vec<Vec<u8>> = ctx.args.iter().skip(2).map(<[u8]>::to_vec).collect();
    let (server, origin) = (Arc::clone(ctx.server), origin(&ctx.session.info));
    Next::work(move |out| {
        let pairs: Vec<(&[u8], &[u8])> = words
            .chunks_exact(2)
            .map(|pair| (&pair[0][..], &pair[1][..]))
            .collect();
        let set = server
            .config
            .set_and_apply(&pairs, origin, |_, new, topics| {
                apply::apply(&server, new, topics);
                Ok(())
            });
        match set {
            Ok(_) => {
                for (name, value) in pairs {
                    let value = if Config::is_secret(name) {
                        b"(redacted)"
                    } else {
                        value
                    };
                    tracing::info!(
                        "CONFIG SET {} {}",
                        String::from_utf8_lossy(name),
                        String::from_utf8_lossy(value)
                    );
                }
                out.ok();
            }
            Err(error) => out.error(format!("ERR {error}")),
        }
    })
}

pub(super) fn rewrite(ctx: &mut SessionCtx<'_>) -> Next {
    let server = Arc::clone(ctx.server);
    Next::work(move |out| match server.config.rewrite() {
        Ok(()) => out.ok(),
        Err(error) => out.error(Error::text(format!("ERR {error}")).as_bytes()),
    })
}

pub(super) fn resetstat(ctx: &mut SessionCtx<'_>) -> Next {
    ctx.server.stats.reset();
    ctx.out.ok();
    Next::Done
}
