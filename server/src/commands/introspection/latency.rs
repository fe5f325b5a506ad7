//! LATENCY.

use std::fmt::Write as _;

use crate::commands::lookup;
use crate::histogram::Distribution;
use crate::session::{Next, SessionCtx};

pub(super) fn latest(ctx: &mut SessionCtx<'_>) -> Next {
    let events = ctx.server.latency.events();
    ctx.out.array(events.len());
    for (name, event) in events {
        let last = event.spikes.back();
        ctx.out.array(4);
        ctx.out.bulk(name);
        ctx.out
            .integer(last.map_or(0, |spike| spike.unix_seconds as i64));
        ctx.out.integer(last.map_or(0, |spike| spike.ms as i64));
        ctx.out.integer(event.max_ms as i64);
    }
    Next::Done
}

pub(super) fn history(ctx: &mut SessionCtx<'_>) -> Next {
    let wanted = ctx.args.get(2).unwrap_or_default().to_ascii_lowercase();
    let events = ctx.server.latency.events();
    let event = events
        .into_iter()
        .find(|(name, _)| name.as_bytes() == wanted);
    let spikes = event.map(|(_, event)| event.spikes).unwrap_or_default();
    ctx.out.array(spikes.len());
    for spike in spikes {
        ctx.out.array(2);
        ctx.out.integer(spike.unix_seconds as i64);
        ctx.out.integer(spike.ms as i64);
    }
    Next::Done
}

pub(super) fn reset(ctx: &mut SessionCtx<'_>) -> Next {
    let names: Vec<&[u8]> = ctx.args.iter().skip(2).collect();
    ctx.out.integer(ctx.server.latency.reset(&names) as i64);
    Next::Done
}

pub(super) fn doctor(ctx: &mut SessionCtx<'_>) -> Next {
    let threshold_ms = ctx.server.config.peek().latency_monitor_threshold_ms;
    let events = ctx.server.latency.events();
    let mut text = String::new();
    if threshold_ms == 0 {
        text.push_str("Latency is not watched. CONFIG SET latency-monitor-threshold <milliseconds> begins it.\n");
    } else if events.is_empty() {
        let _ = writeln!(
            text,
            "Nothing took {threshold_ms} milliseconds or more since the watch began."
        );
    }
    for (name, event) in events {
        let sum: u64 = event.spikes.iter().map(|spike| spike.ms).sum();
        let count = event.spikes.len();
        let mean = sum / count.max(1) as u64;
        let _ = writeln!(
            text,
            "{name}: {count} spikes, {mean} ms on average, {} ms at worst.",
            event.max_ms
        );
    }
    ctx.out.verbatim(*b"txt", text);
    Next::Done
}

pub(super) fn histogram(ctx: &mut SessionCtx<'_>) -> Next {
    let wanted: Vec<&[u8]> = ctx.args.iter().skip(2).collect();
    let is_wanted = |name: &str| {
        let container = name.split('|').next().unwrap_or_default();
        let names = |word: &&[u8]| {
            word.eq_ignore_ascii_case(name.as_bytes())
                || (word.eq_ignore_ascii_case(container.as_bytes()) && lookup(word).is_some())
        };
        wanted.is_empty() || wanted.iter().any(names)
    };
    let found: Vec<(&str, Distribution)> = ctx
        .server
        .stats
        .latencies()
        .into_iter()
        .filter(|(name, _)| is_wanted(name))
        .collect();
    ctx.out.map(found.len());
    for (name, distribution) in found {
        let steps = distribution.cumulative_by_power();
        ctx.out.bulk(name);
        ctx.out.map(2);
        ctx.out.bulk("calls");
        ctx.out.integer(distribution.count() as i64);
        ctx.out.bulk("histogram_usec");
        ctx.out.map(steps.len());
        for (micros, calls) in steps {
            ctx.out.integer(micros as i64);
            ctx.out.integer(calls as i64);
        }
    }
    Next::Done
}
