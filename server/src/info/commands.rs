//! Commandstats, errorstats, latencystats.

use super::{Lines, Source};

pub(super) fn commandstats(source: &Source<'_>, lines: &mut Lines) {
    for command in source.server.stats.commands() {
        let micros = command.nanos / 1000;
        let per_call = command.nanos as f64 / 1000.0 / command.calls.max(1) as f64;
        lines.field(
            format_args!("cmdstat_{}", command.name),
            format_args!(
                "calls={},usec={micros},usec_per_call={per_call:.2},rejected_calls={},failed_calls={}",
                command.calls, command.rejected, command.failed
            ),
        );
    }
}

pub(super) fn errorstats(source: &Source<'_>, lines: &mut Lines) {
    for (code, count) in source.server.stats.error_codes() {
        lines.field(
            format_args!("errorstat_{code}"),
            format_args!("count={count}"),
        );
    }
}

pub(super) fn latencystats(source: &Source<'_>, lines: &mut Lines) {
    for (name, distribution) in source.server.stats.latencies() {
        let one = |percent: &f64| {
            format!(
                "p{percent}={:.3}",
                distribution.percentile(*percent) as f64 / 1000.0
            )
        };
        let all: Vec<String> = source
            .settings
            .latency_tracking_info_percentiles
            .iter()
            .map(one)
            .collect();
        lines.field(
            format_args!("latency_percentiles_usec_{name}"),
            all.join(","),
        );
    }
}
