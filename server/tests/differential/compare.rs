//! When two replies count as the same, and which commands need more than one reply to tell.

use crate::generate::Command;
use crate::support::resp::Reply;

/// Two servers read the clock this far apart at most, in milliseconds.
const CLOCK_TOLERANCE_MS: i64 = 60_000;

/// How a command's replies are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Exact,
    /// Any order of elements.
    AnyOrder,
    /// Any order of pairs.
    Pairs,
    /// Times within the tolerance; this many milliseconds per unit.
    Time(i64),
    /// How a string is stored. In Redis that depends on the string's history (a short one that was
    /// appended to is `raw`) until a restart; here it may be forgotten when the key leaves memory.
    /// Only presence counts.
    Presence,
    /// Zero has no sign here, where Redis may answer -0.
    Scores,
    /// A scan of one collection, run to its end at once: elements (of a sorted set, with scores) in any order.
    Scan,
    /// What XINFO says, but for how many nodes hold the entries.
    Stream,
    /// XPENDING, whatever the idle times.
    Pending,
    /// Each server picks what it likes; the caller checks that it exists.
    Random,
}

/// The rule for `command`.
pub(crate) fn rule(command: &Command) -> Rule {
    let name = command.first().map(|n| n.to_ascii_uppercase());
    match name.as_deref() {
        Some(
            b"KEYS" | b"HKEYS" | b"HVALS" | b"SMEMBERS" | b"SINTER" | b"SUNION" | b"SDIFF"
            | b"SPOP" | b"SRANDMEMBER",
        ) => Rule::AnyOrder,
        Some(b"SSCAN" | b"ZSCAN") => Rule::Scan,
        Some(b"XPENDING") => Rule::Pending,
        Some(b"XINFO") => Rule::Stream,
        Some([b'Z', ..] | [b'B', b'Z', ..]) => Rule::Scores,
        Some(b"HRANDFIELD") if command.len() == 3 => Rule::AnyOrder,
        Some(b"HGETALL" | b"HRANDFIELD") => Rule::Pairs,
        Some(b"TTL" | b"EXPIRETIME") => Rule::Time(1000),
        Some(b"PTTL" | b"PEXPIRETIME") => Rule::Time(1),
        Some(b"RANDOMKEY") => Rule::Random,
        Some(b"OBJECT") => Rule::Presence,
        _ => Rule::Exact,
    }
}

/// Whether both replies say the same under `rule`.
pub(crate) fn same(rule: Rule, ours: &Reply, theirs: &Reply) -> bool {
    match (rule, ours, theirs) {
        (Rule::AnyOrder, Reply::Array(a), Reply::Array(b)) => {
            let (mut a, mut b) = (a.clone(), b.clone());
            a.sort();
            b.sort();
            a == b
        }
        (Rule::Scores, a, b) => unsigned_zero(a) == unsigned_zero(b),
        (Rule::Scan, Reply::Array(a), Reply::Array(b)) => scanned(a) == scanned(b),
        (Rule::Pending, a, b) => without_idle(a) == without_idle(b),
        (Rule::Stream, a, b) => without_nodes(a) == without_nodes(b),
        (Rule::Pairs, Reply::Array(a), Reply::Array(b)) => pairs(a) == pairs(b),
        (Rule::Time(scale), Reply::Int(a), Reply::Int(b)) if *a > 0 && *b > 0 => {
            (a.abs_diff(*b)).saturating_mul(scale.unsigned_abs())
                <= CLOCK_TOLERANCE_MS.unsigned_abs()
        }
        (Rule::Random | Rule::Presence, Reply::Bulk(_), Reply::Bulk(_)) => true,
        _ => ours == theirs,
    }
}

/// Whether both EXEC replies are the same, each element by its queued command's rule.
pub(crate) fn same_exec(queued: &[Command], ours: &Reply, theirs: &Reply) -> bool {
    match (ours, theirs) {
        (Reply::Array(a), Reply::Array(b)) => {
            a.len() == b.len()
                && a.len() == queued.len()
                && a.iter()
                    .zip(b)
                    .zip(queued)
                    .all(|((a, b), command)| is_scan(command) || same(rule(command), a, b))
        }
        _ => ours == theirs,
    }
}

/// A reply of XPENDING without idle times.
fn without_idle(reply: &Reply) -> Reply {
    match reply {
        Reply::Array(items) => match items.as_slice() {
            [id, name, Reply::Int(_), deliveries @ Reply::Int(_)] => {
                Reply::Array(vec![id.clone(), name.clone(), deliveries.clone()])
            }
            items => Reply::Array(items.iter().map(without_idle).collect()),
        },
        other => other.clone(),
    }
}

/// A reply of XINFO STREAM without the figures of the radix tree, and without the groups of its long form, where there are
/// times, and figures that redis-server 7.0 does not always know.
fn without_nodes(reply: &Reply) -> Vec<&Reply> {
    let items = match reply {
        Reply::Array(items) => items,
        other => return vec![other],
    };
    let is_tree = |name: &Reply| {
        name.bytes()
            .is_some_and(|name| name.starts_with(b"radix-tree"))
    };
    let is_group = |pair: &[Reply]| matches!(pair, [_, Reply::Array(groups)] if pair[0].bytes() == Some(b"groups") && !groups.is_empty());
    let pairs = items
        .chunks(2)
        .filter(|pair| !is_tree(&pair[0]) && !is_group(pair));
    pairs.flatten().collect()
}

fn pairs(flat: &[Reply]) -> Vec<&[Reply]> {
    let mut pairs: Vec<&[Reply]> = flat.chunks(2).collect();
    pairs.sort();
    pairs
}

/// True if comparing its replies takes more than one exchange.
pub(crate) fn is_dialogue(command: &Command) -> bool {
    is_scan(command)
        || command
            .first()
            .is_some_and(|name| name.eq_ignore_ascii_case(b"RANDOMKEY"))
}

/// SCAN promises completeness, not an order: outside of transactions it is run to its end.
pub(crate) fn is_scan(command: &Command) -> bool {
    command
        .first()
        .is_some_and(|n| n.eq_ignore_ascii_case(b"SCAN") || n.eq_ignore_ascii_case(b"HSCAN"))
}

/// Every reply of a scan, sorted: the cursor, and the elements.
fn scanned(reply: &[Reply]) -> Vec<Reply> {
    let mut all = Vec::new();
    for part in reply {
        match part {
            Reply::Array(elements) => all.extend(elements.iter().map(unsigned_zero)),
            cursor => all.push(cursor.clone()),
        }
    }
    all.sort();
    all
}

/// A score in one form, whoever wrote it.
fn unsigned_zero(reply: &Reply) -> Reply {
    match reply {
        Reply::Array(items) => Reply::Array(items.iter().map(unsigned_zero).collect()),
        Reply::Bulk(text) if text == b"-0" => Reply::Bulk(b"0".to_vec()),
        Reply::Bulk(text) => match std::str::from_utf8(text).map(str::parse::<f64>) {
            // Redis 7.0 writes these in another way than 8.2.
            Ok(Ok(score)) if score.is_finite() && score.abs() >= 1e15 => {
                Reply::Bulk(format!("{score:e}").into_bytes())
            }
            _ => reply.clone(),
        },
        other => other.clone(),
    }
}
