//! `basalt binlog`: the files of a log, read as a start would read them, and left as they are.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use basalt_binlog::{Flags, FrameView, Inspector, MANY_SLOTS, Offset, ReadOnlyDoor};
use clap::{Args, Subcommand};
use serde_json::json;

use super::commands;

#[derive(Args)]
pub(super) struct BinlogArgs {
    #[command(subcommand)]
    command: BinlogCommand,
}

#[derive(Subcommand)]
enum BinlogCommand {
    /// Say what the log holds, by its files' headers
    Info(Where),
    /// Print frames as commands
    Dump(DumpArgs),
    /// Read every frame, check it, and count
    Verify(Where),
}

#[derive(Args)]
struct Where {
    /// The server's data directory, or the log's own
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct DumpArgs {
    #[command(flatten)]
    place: Where,
    /// Begin at the frame that holds this offset [default: the first there is]
    #[arg(long)]
    from: Option<u64>,
    /// End before this offset
    #[arg(long)]
    to: Option<u64>,
    /// Leave out frames that carry no data (PING, GETACK)
    #[arg(long)]
    data_only: bool,
}

pub(super) fn main(args: &BinlogArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.command {
        BinlogCommand::Info(place) => info(place, out),
        BinlogCommand::Dump(args) => dump(args, out),
        BinlogCommand::Verify(place) => verify(place, out),
    }
}

fn open(dir: &Path) -> anyhow::Result<Inspector> {
    let inside = dir.join("binlog");
    let dir = if inside.is_dir() { &inside } else { dir };
    let log = Inspector::open(dir, Arc::new(ReadOnlyDoor))?;
    if log.segments().is_empty() {
        bail!("there is no log in {}", dir.display());
    }
    Ok(log)
}

fn info(place: &Where, out: &mut dyn Write) -> anyhow::Result<()> {
    let log = open(&place.dir)?;
    let segments = log.segments();
    let last = &segments[segments.len() - 1];
    let bytes: u64 = segments.iter().map(|segment| segment.file_bytes).sum();
    if place.json {
        let one = |s: &basalt_binlog::SegmentInfo| {
            json!({
                "file": s.name, "first_offset": s.first.0, "end_offset": s.end.map(|end| end.0),
                "sealed": s.sealed, "file_bytes": s.file_bytes, "first_unix_ms": s.first_ms,
            })
        };
        let segments: Vec<_> = segments.iter().map(one).collect();
        let whole = json!({
            "replication_id": last.replication_id, "file_bytes": bytes, "segments": segments,
        });
        return Ok(writeln!(out, "{whole:#}")?);
    }
    writeln!(out, "replication id  {}", last.replication_id)?;
    writeln!(out, "segments        {} in {bytes} bytes", segments.len())?;
    writeln!(
        out,
        "{:<26} {:>20} {:>20} {:>12}  begun",
        "file", "first offset", "end offset", "bytes"
    )?;
    for segment in segments {
        let end = segment
            .end
            .map_or("being written".to_owned(), |end| end.to_string());
        writeln!(
            out,
            "{:<26} {:>20} {end:>20} {:>12}  {}",
            segment.name,
            segment.first.0,
            segment.file_bytes,
            utc(segment.first_ms)
        )?;
    }
    Ok(())
}

fn dump(args: &DumpArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let log = open(&args.place.dir)?;
    let from = args.from.map_or(log.segments()[0].first, Offset);
    let to = args.to.map_or(Offset::MAX, Offset);
    let mut frames = log.frames(from)?;
    while let Some(frame) = frames.next()? {
        if frame.start >= to {
            return Ok(());
        }
        if !(args.data_only && frame.flags.has(Flags::NO_DATA)) {
            print(&frame, args.place.json, out)?;
        }
    }
    let end = frames.offset();
    if let Some(torn) = frames.torn() {
        eprintln!(
            "basalt: {} torn bytes behind offset {end}: {}",
            torn.bytes, torn.why
        );
    }
    if from > end {
        bail!("offset {from} is beyond the end of the log at {end}");
    }
    Ok(())
}

fn print(frame: &FrameView<'_>, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let split = commands::split(frame.payload);
    let commands = split.with_context(|| format!("the frame at offset {}", frame.start))?;
    let kinds: Vec<&str> = [
        (Flags::NO_DATA, "no-data"),
        (Flags::GROUP, "group"),
        (Flags::VERBATIM, "verbatim"),
    ]
    .iter()
    .filter(|(flag, _)| frame.flags.has(*flag))
    .map(|(_, name)| *name)
    .collect();
    let slot = (frame.slot != MANY_SLOTS).then_some(frame.slot);
    if json {
        let commands: Vec<_> = commands.iter().map(commands::as_json).collect();
        let line = json!({
            "start": frame.start.0, "end": frame.end.0, "unix_ms": frame.unix_ms, "db": frame.db,
            "slot": slot, "effects": frame.effects, "flags": kinds, "commands": commands,
        });
        return Ok(writeln!(out, "{line}")?);
    }
    let slot = slot.map_or("many slots".to_owned(), |slot| format!("slot {slot}"));
    let kinds = kinds
        .iter()
        .map(|kind| format!(", {kind}"))
        .collect::<String>();
    writeln!(
        out,
        "# {}..{}  {}  db {}, {slot}{kinds}",
        frame.start,
        frame.end,
        utc(frame.unix_ms),
        frame.db
    )?;
    for words in &commands {
        writeln!(out, "{}", commands::print(words))?;
    }
    Ok(())
}

fn verify(place: &Where, out: &mut dyn Write) -> anyhow::Result<()> {
    let log = open(&place.dir)?;
    let first = log.segments()[0].first;
    let mut frames = log.frames(first)?;
    let (mut count, mut effects, mut bytes) = (0_u64, 0_u64, 0_u64);
    let (mut oldest_ms, mut newest_ms) = (None, 0);
    while let Some(frame) = frames.next()? {
        let split = commands::split(frame.payload);
        split.with_context(|| format!("the frame at offset {}", frame.start))?;
        count += 1;
        effects += u64::from(frame.effects);
        bytes += frame.payload.len() as u64;
        oldest_ms = oldest_ms.or(Some(frame.unix_ms));
        newest_ms = frame.unix_ms;
    }
    let (end, in_ring) = (frames.offset(), frames.frames_in_ring());
    let torn = frames.torn().map_or(0, |torn| torn.bytes);
    if place.json {
        let whole = json!({
            "first_offset": first.0, "end_offset": end.0, "frames": count, "effects": effects,
            "payload_bytes": bytes, "frames_in_ring": in_ring, "torn_bytes": torn,
            "oldest_unix_ms": oldest_ms, "newest_unix_ms": oldest_ms.map(|_| newest_ms),
        });
        return Ok(writeln!(out, "{whole:#}")?);
    }
    writeln!(out, "offsets   {first} to {end}")?;
    writeln!(
        out,
        "frames    {count} with {effects} effects, {bytes} bytes; {in_ring} of them in the ring"
    )?;
    if let Some(oldest_ms) = oldest_ms {
        writeln!(out, "time      {} to {}", utc(oldest_ms), utc(newest_ms))?;
    }
    if torn > 0 {
        writeln!(
            out,
            "torn      {torn} bytes at the end, which a start cuts off"
        )?;
    }
    Ok(writeln!(out, "no damage")?)
}

/// Unix milliseconds as a date and time in UTC.
pub(super) fn utc(unix_ms: u64) -> String {
    let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    let (year, month, day) = date(days);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z",
        ms % 1000
    )
}

/// The date so many days after 1 January 1970.
fn date(mut days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    // Whole cycles of the calendar first, so that no input takes long.
    const CYCLE_DAYS: u64 = 146_097;
    let mut year = 1970 + days / CYCLE_DAYS * 400;
    days %= CYCLE_DAYS;
    loop {
        let in_year = 365 + u64::from(is_leap(year));
        if days < in_year {
            break;
        }
        days -= in_year;
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for in_month in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < in_month {
            break;
        }
        days -= in_month;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_in_utc() {
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (4_102_444_799_001, "2099-12-31T23:59:59.001Z"),
        ] {
            assert_eq!(utc(unix_ms), text);
        }
        assert!(utc(u64::MAX).ends_with('Z'));
    }
}
