//! MEMORY.

use std::sync::Arc;

use basalt_resp::Encoder;

use crate::args;
use crate::errors;
use crate::info::allocator;
use crate::server::Server;
use crate::session::{Next, SessionCtx};

/// SAMPLES is checked and has no effect: the size of a value is known, not sampled.
pub(super) fn usage(ctx: &mut SessionCtx<'_>) -> Next {
    let samples = match ctx.args.len() {
        3 => Ok(0),
        5 if ctx
            .args
            .get(3)
            .is_some_and(|word| args::is(word, "SAMPLES")) =>
        {
            args::integer(ctx.args.get(4).unwrap_or_default())
        }
        _ => return errors::SYNTAX.into(),
    };
    match samples {
        Ok(samples) if samples >= 0 => {}
        Ok(_) => return errors::SYNTAX.into(),
        Err(error) => return error.into(),
    }
    let (server, db) = (Arc::clone(ctx.server), ctx.session.db);
    let key = ctx.args.get(2).unwrap_or_default().to_vec();
    Next::work(move |out| {
        let data = server.data();
        match data.store.memory_usage(&data.store.key(db, &key)) {
            Ok(Some(bytes)) => out.integer(bytes as i64),
            Ok(None) => out.null(),
            Err(error) => out.error(errors::store_failed(&error).as_bytes()),
        }
    })
}

pub(super) fn purge(_: &mut SessionCtx<'_>) -> Next {
    Next::work(|out| {
        allocator::purge();
        out.ok();
    })
}

pub(super) fn malloc_stats(_: &mut SessionCtx<'_>) -> Next {
    Next::work(|out| out.verbatim(*b"txt", allocator::report()))
}

pub(super) fn doctor(ctx: &mut SessionCtx<'_>) -> Next {
    let server = Arc::clone(ctx.server);
    Next::work(move |out| out.verbatim(*b"txt", diagnosis(&server)))
}

fn diagnosis(server: &Server) -> String {
    /// Below this the ratios say nothing.
    const SMALL_BYTES: u64 = 5 << 20;
    let stats = server.data().store.stats();
    let mut text = String::new();
    if stats.used_memory_bytes < SMALL_BYTES {
        return "Little memory is in use: nothing can be said about it yet.\n".to_owned();
    }
    if stats.peak_memory_bytes > stats.used_memory_bytes + stats.used_memory_bytes / 2 {
        text.push_str(" * Peak: more than 150 % of the memory in use now was in use once.\n");
    }
    if stats.resident_memory_bytes > stats.used_memory_bytes + stats.used_memory_bytes * 2 / 5 {
        text.push_str(" * Fragmentation: the process holds over 140 % of what is allocated. MEMORY PURGE may help.\n");
    }
    if stats.maxmemory_bytes > 0 && stats.used_memory_bytes > stats.maxmemory_bytes {
        text.push_str(
            " * Budget: more than maxmemory is in use; the disk may be too slow for the writes.\n",
        );
    }
    if text.is_empty() {
        "Nothing is wrong with the use of memory.\n".to_owned()
    } else {
        text
    }
}

pub(super) fn stats(ctx: &mut SessionCtx<'_>) -> Next {
    let server = Arc::clone(ctx.server);
    Next::work(move |out| write_stats(out, &server))
}

enum Figure {
    Bytes(u64),
    Ratio(f64),
}

fn write_stats(out: &mut Encoder<'_>, server: &Server) {
    use Figure::{Bytes, Ratio};
    let stats = server.data().store.stats();
    let allocator = allocator::figures();
    let (used, resident) = (stats.used_memory_bytes, stats.resident_memory_bytes);
    let overhead =
        stats.hot_table_bytes + stats.cold.memory_bytes() + server.clients.memory_bytes();
    let dataset = used.saturating_sub(overhead);
    let keys = stats.hot_entries + stats.cold_only_keys;
    let ratio = |a: u64, b: u64| Ratio(a as f64 / b.max(1) as f64);
    let figures = [
        ("peak.allocated", Bytes(stats.peak_memory_bytes)),
        ("total.allocated", Bytes(used)),
        ("startup.allocated", Bytes(0)),
        ("replication.backlog", Bytes(0)),
        ("clients.slaves", Bytes(0)),
        ("clients.normal", Bytes(server.clients.memory_bytes())),
        ("cluster.links", Bytes(0)),
        ("aof.buffer", Bytes(0)),
        ("lua.caches", Bytes(0)),
        ("functions.caches", Bytes(0)),
        ("overhead.total", Bytes(overhead)),
        ("keys.count", Bytes(keys)),
        (
            "keys.bytes-per-key",
            Bytes(dataset / stats.hot_entries.max(1)),
        ),
        ("dataset.bytes", Bytes(dataset)),
        (
            "dataset.percentage",
            Ratio(dataset as f64 * 100.0 / used.max(1) as f64),
        ),
        (
            "peak.percentage",
            Ratio(used as f64 * 100.0 / stats.peak_memory_bytes.max(1) as f64),
        ),
        ("allocator.allocated", Bytes(allocator.allocated)),
        ("allocator.active", Bytes(allocator.active)),
        ("allocator.resident", Bytes(allocator.resident)),
        (
            "allocator-fragmentation.ratio",
            ratio(allocator.active, allocator.allocated),
        ),
        (
            "allocator-fragmentation.bytes",
            Bytes(allocator.active.saturating_sub(allocator.allocated)),
        ),
        (
            "allocator-rss.ratio",
            ratio(allocator.resident, allocator.active),
        ),
        (
            "allocator-rss.bytes",
            Bytes(allocator.resident.saturating_sub(allocator.active)),
        ),
        ("rss-overhead.ratio", ratio(resident, allocator.resident)),
        (
            "rss-overhead.bytes",
            Bytes(resident.saturating_sub(allocator.resident)),
        ),
        ("fragmentation", ratio(resident, used)),
        ("fragmentation.bytes", Bytes(resident.saturating_sub(used))),
        ("cold.memtables", Bytes(stats.cold.memtable_bytes)),
        ("cold.block-cache", Bytes(stats.cold.block_cache_bytes)),
        ("hot.tables", Bytes(stats.hot_table_bytes)),
    ];
    out.map(figures.len());
    for (name, figure) in figures {
        out.bulk(name);
        match figure {
            Bytes(bytes) => out.integer(bytes as i64),
            Ratio(ratio) => out.double(ratio),
        }
    }
}
