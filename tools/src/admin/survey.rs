//! `basalt tier hotkeys` and `bigkeys`: asks the server for a survey, and prints it for people or as JSON.

use std::io::Write;

use anyhow::{Context as _, bail};
use basalt_resp::Value;
use clap::Args;
use serde_json::json;

use super::{Connection, Target};
use crate::admin::commands::{as_json, quoted};

#[derive(Args)]
pub(super) struct SurveyArgs {
    #[command(flatten)]
    target: Target,
    /// How many keys to print
    #[arg(long, default_value_t = 10, value_name = "N")]
    count: u64,
    /// How many keys to look at [default: 1000000 for hotkeys, 100000 for bigkeys]
    #[arg(long, value_name = "N")]
    sample: Option<u64>,
    /// Only keys of this type, such as hash
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A key of the reply.
struct Row {
    key: Vec<u8>,
    db: i64,
    kind: String,
    tier: String,
    lfu: i64,
    bytes: i64,
    elements: Option<i64>,
}

pub(super) fn print(what: &str, args: &SurveyArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let (count, sample) = (args.count.to_string(), args.sample.map(|n| n.to_string()));
    let mut command = vec!["TIER", what, "COUNT", &count];
    command.extend(sample.iter().flat_map(|sample| ["SAMPLE", sample]));
    command.extend(args.kind.iter().flat_map(|kind| ["TYPE", kind]));
    let reply = Connection::open(&args.target)?.call(&command)?;
    let (sampled, total) = (
        integer(field(&reply, "sampled")?)?,
        integer(field(&reply, "total")?)?,
    );
    let rows = items(field(&reply, "keys")?)?.iter().map(row);
    let rows: Vec<Row> = rows.collect::<anyhow::Result<_>>()?;
    if args.json {
        let keys: Vec<_> = rows.iter().map(row_json).collect();
        let survey = json!({ "sampled": sampled, "total": total, "keys": keys });
        writeln!(out, "{}", serde_json::to_string_pretty(&survey)?)?;
        return Ok(());
    }
    let place = if what == "HOTKEYS" { " in memory" } else { "" };
    if sampled >= total {
        writeln!(out, "all {total} keys{place} were looked at")?;
    } else {
        let share = sampled as f64 * 100.0 / total as f64;
        writeln!(
            out,
            "a sample: {sampled} of {total} keys{place} were looked at ({share:.1} %)"
        )?;
    }
    writeln!(
        out,
        "{:>4} {:>12} {:>10} {:>3} {:4} {:9} key",
        "db", "bytes", "elements", "lfu", "tier", "type"
    )?;
    for row in &rows {
        let elements = row.elements.map_or("-".to_owned(), |n| n.to_string());
        writeln!(
            out,
            "{:>4} {:>12} {elements:>10} {:>3} {:4} {:9} {}",
            row.db,
            row.bytes,
            row.lfu,
            row.tier,
            row.kind,
            quoted(&row.key)
        )?;
    }
    Ok(())
}

fn row(value: &Value) -> anyhow::Result<Row> {
    let number = |name| field(value, name).and_then(integer);
    let words =
        |name| anyhow::Ok(String::from_utf8_lossy(bytes(field(value, name)?)?).into_owned());
    let elements = field(value, "elements")?;
    Ok(Row {
        key: bytes(field(value, "key")?)?.to_vec(),
        db: number("db")?,
        kind: words("type")?,
        tier: words("tier")?,
        lfu: number("lfu")?,
        bytes: number("bytes")?,
        elements: if elements.is_null() {
            None
        } else {
            Some(integer(elements)?)
        },
    })
}

fn row_json(row: &Row) -> serde_json::Value {
    let key = as_json(&vec![row.key.clone()]);
    json!({
        "key": key[0], "db": row.db, "type": row.kind, "tier": row.tier, "lfu": row.lfu, "bytes": row.bytes,
        "elements": row.elements,
    })
}

/// The value behind a name in an array of names and values.
fn field<'a>(reply: &'a Value, name: &str) -> anyhow::Result<&'a Value> {
    let pairs = items(reply)?.chunks_exact(2);
    let mut found =
        pairs.filter(|pair| bytes(&pair[0]).is_ok_and(|bytes| bytes == name.as_bytes()));
    let pair = found
        .next()
        .with_context(|| format!("the reply has no {name}"))?;
    Ok(&pair[1])
}

fn items(value: &Value) -> anyhow::Result<&[Value]> {
    match value {
        Value::Array(items) => Ok(items),
        _ => bail!("the reply is no array: this is no Basalt server"),
    }
}

fn bytes(value: &Value) -> anyhow::Result<&[u8]> {
    match value {
        Value::Simple(bytes) | Value::Bulk(bytes) => Ok(bytes),
        _ => bail!("the reply has something else where a text was expected"),
    }
}

fn integer(value: &Value) -> anyhow::Result<i64> {
    match value {
        Value::Integer(number) => Ok(*number),
        _ => bail!("the reply has something else where a number was expected"),
    }
}
