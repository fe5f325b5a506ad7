//! `basalt cold`: the cold tier's files, read and left as they are.

mod bench;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use basalt_tiering::ColdInspector;
use basalt_tiering::cold::ColdRecord;
use clap::{Args, Subcommand};
use serde_json::json;

use super::commands;
use super::log::utc;

#[derive(Args)]
pub(super) struct ColdArgs {
    #[command(subcommand)]
    command: ColdCommand,
}

#[derive(Subcommand)]
enum ColdCommand {
    /// Print what the cold tier holds
    Stats(Where),
    /// Print the record of a key
    Get(GetArgs),
    /// Measure random point reads, in this process and without a server
    Bench(bench::BenchArgs),
}

#[derive(Args)]
struct Where {
    /// The server's data directory, or the cold tier's own
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct GetArgs {
    #[command(flatten)]
    place: Where,
    /// The key
    key: String,
    /// Its database
    #[arg(long, default_value_t = 0)]
    db: u32,
}

pub(super) fn main(args: &ColdArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.command {
        ColdCommand::Stats(place) => stats(place, out),
        ColdCommand::Get(args) => get(args, out),
        ColdCommand::Bench(args) => bench::bench(args, out),
    }
}

fn open(dir: &Path) -> anyhow::Result<ColdInspector> {
    let inside = dir.join("cold");
    let dir = if inside.is_dir() { &inside } else { dir };
    // RocksDB would say so, too, in more words.
    if !dir.join("CURRENT").is_file() {
        bail!("there is no cold tier in {}", dir.display());
    }
    Ok(ColdInspector::open(dir)?)
}

fn stats(place: &Where, out: &mut dyn Write) -> anyhow::Result<()> {
    let facts = open(&place.dir)?.facts()?;
    let replay = facts.replay_offset.map(|offset| offset.0);
    if place.json {
        let records: serde_json::Map<_, _> = facts
            .records
            .iter()
            .map(|(db, count)| (format!("db{db}"), json!(count)))
            .collect();
        let whole = json!({
            "replay_offset": replay, "records": records, "doomed_records": facts.doomed_records,
            "disk_bytes": facts.stats.disk_bytes,
            "live_bytes_estimate": facts.stats.live_bytes_estimate,
        });
        return Ok(writeln!(out, "{whole:#}")?);
    }
    let replay = replay.map_or("none yet".to_owned(), |offset| offset.to_string());
    writeln!(out, "replay offset   {replay}")?;
    for (db, count) in &facts.records {
        writeln!(out, "{:<15} {count} records", format!("db{db}"))?;
    }
    if facts.doomed_records > 0 {
        writeln!(
            out,
            "flushed         {} records, still to be deleted",
            facts.doomed_records
        )?;
    }
    let (disk, live) = (facts.stats.disk_bytes, facts.stats.live_bytes_estimate);
    Ok(writeln!(
        out,
        "files           {disk} bytes, about {live} of them in use"
    )?)
}

fn get(args: &GetArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let record = open(&args.place.dir)?.get(args.db, args.key.as_bytes())?;
    let Some(record) = record else {
        bail!(
            "the cold tier has no record of this key; it may be in the log from the replay offset on"
        );
    };
    if args.place.json {
        return Ok(writeln!(out, "{:#}", as_json(&record))?);
    }
    writeln!(out, "kind     {}", record.kind)?;
    writeln!(out, "guard    {}", record.guard)?;
    writeln!(out, "LFU      {}", record.lfu_counter)?;
    if let Some(at) = record.expiry {
        writeln!(out, "expires  {}", utc(at.0))?;
    }
    Ok(writeln!(
        out,
        "payload  {}",
        commands::quoted(record.payload())
    )?)
}

fn as_json(record: &ColdRecord) -> serde_json::Value {
    let payload = commands::as_json(&vec![record.payload().to_vec()]);
    json!({
        "kind": record.kind, "guard": record.guard.0, "lfu_counter": record.lfu_counter,
        "expiry_unix_ms": record.expiry.map(|at| at.0), "payload": payload[0],
    })
}
