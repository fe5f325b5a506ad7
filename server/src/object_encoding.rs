//! The names Redis gives to types and encodings, for TYPE, OBJECT ENCODING, DEBUG OBJECT and SCAN's filter.
//!
//! They are a reading of the value at the time of the question: nothing is stored for them, except that a
//! string which was modified in place is marked so.

use std::ops::ControlFlow;

use basalt_resp::parse_i64;
use basalt_tiering::{Collection, Fault, Key, Kind, MAIN, OpenError, Tx};

use crate::config::Settings;

/// Longest text of a 64-bit integer: a sign and 19 digits.
const INT_MAX_BYTES: usize = 20;
/// Longest string that Redis allocates together with its object header.
const EMBSTR_MAX_BYTES: usize = 44;

/// The type's name, as TYPE answers.
#[must_use]
pub fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::String | Kind::RawString | Kind::LargeString => "string",
        Kind::Hash => "hash",
        Kind::Set => "set",
        Kind::ZSet => "zset",
        Kind::List => "list",
        Kind::Stream => "stream",
        Kind::Bloom => "MBbloom--",
    }
}

/// The encoding's name, as OBJECT ENCODING answers; `None` for an absent key.
pub fn encoding_of(
    tx: &mut Tx<'_>,
    key: &Key<'_>,
    settings: &Settings,
) -> Result<Option<&'static str>, Fault> {
    let Some(value) = tx.peek(key)? else {
        return Ok(None);
    };
    let kind = value.kind;
    let just_read = |error| match error {
        OpenError::Fault => Fault,
        OpenError::WrongKind => unreachable!("the kind was just read"),
    };
    if kind.is_string() {
        let text = tx.peek_text(key).map_err(just_read)?;
        let encoding = |bytes| string_encoding(kind, bytes);
        return Ok(text.map(|text| text.plain().map_or("raw", encoding)));
    }
    let open = tx.peek_collection(key, kind).map_err(just_read)?;
    let (entries, bytes) = (
        |most: u64| open.len(MAIN) <= most,
        |most: u64| elements_fit(&open, most),
    );
    Ok(Some(match kind {
        Kind::String | Kind::RawString | Kind::LargeString => unreachable!("answered above"),
        Kind::Hash => {
            let compact = entries(settings.hash_max_listpack_entries)
                && bytes(settings.hash_max_listpack_value_bytes)?;
            match (compact, open.deadlines() > 0) {
                (true, false) => "listpack",
                (true, true) => "listpackex",
                (false, _) => "hashtable",
            }
        }
        Kind::Set => {
            if entries(settings.set_max_intset_entries) && all_integers(&open)? {
                "intset"
            } else if entries(settings.set_max_listpack_entries)
                && bytes(settings.set_max_listpack_value_bytes)?
            {
                "listpack"
            } else {
                "hashtable"
            }
        }
        Kind::ZSet => {
            // Members stand behind eight bytes of score.
            let compact = entries(settings.zset_max_listpack_entries)
                && bytes(settings.zset_max_listpack_value_bytes.saturating_add(8))?;
            if compact { "listpack" } else { "skiplist" }
        }
        Kind::List => {
            if list_is_compact(&open, settings.list_max_listpack_size)? {
                "listpack"
            } else {
                "quicklist"
            }
        }
        Kind::Stream => "stream",
        Kind::Bloom => "raw",
    }))
}

fn elements_fit(open: &Collection<'_, '_>, most: u64) -> Result<bool, Fault> {
    let mut fit = true;
    open.each(MAIN, 0..open.len(MAIN), false, |key, value| {
        fit = key.len() as u64 <= most && value.len() as u64 <= most;
        stop_unless(fit)
    })?;
    Ok(fit)
}

fn all_integers(open: &Collection<'_, '_>) -> Result<bool, Fault> {
    let mut integers = true;
    open.each(MAIN, 0..open.len(MAIN), false, |member, _| {
        integers = member.len() <= INT_MAX_BYTES && parse_i64(member).is_some();
        stop_unless(integers)
    })?;
    Ok(integers)
}

/// A positive limit counts elements; a negative one stands for bytes: -1 for 4 KiB and so on, doubling, to -5.
fn list_is_compact(open: &Collection<'_, '_>, limit: i64) -> Result<bool, Fault> {
    /// What a listpack adds to an element, about.
    const OVERHEAD: u64 = 2;
    if limit >= 0 {
        return Ok(open.len(MAIN) <= limit.unsigned_abs());
    }
    let most = 4096u64 << (limit.unsigned_abs().min(5) - 1);
    if open.len(MAIN) > most {
        return Ok(false);
    }
    let mut bytes = 0;
    open.each(MAIN, 0..open.len(MAIN), false, |_, value| {
        bytes += value.len() as u64 + OVERHEAD;
        stop_unless(bytes <= most)
    })?;
    Ok(bytes <= most)
}

fn stop_unless(go_on: bool) -> ControlFlow<()> {
    if go_on {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

/// The encoding's name of a string.
#[must_use]
pub fn string_encoding(kind: Kind, bytes: &[u8]) -> &'static str {
    match kind {
        Kind::RawString => "raw",
        _ if bytes.len() <= INT_MAX_BYTES && parse_i64(bytes).is_some() => "int",
        _ if bytes.len() <= EMBSTR_MAX_BYTES => "embstr",
        _ => "raw",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_encoded_as_redis_encodes_them() {
        let cases: &[(&str, &str)] = &[
            ("0", "int"),
            ("-9223372036854775808", "int"),
            ("9223372036854775807", "int"),
            ("9223372036854775808", "embstr"),
            ("-0", "embstr"),
            ("+1", "embstr"),
            ("01", "embstr"),
            (" 1", "embstr"),
            ("1.0", "embstr"),
            ("", "embstr"),
            ("12345678901234567890123456789012345678901234", "embstr"),
            ("123456789012345678901234567890123456789012345", "raw"),
        ];
        for (value, name) in cases {
            assert_eq!(
                string_encoding(Kind::String, value.as_bytes()),
                *name,
                "{value:?}"
            );
            assert_eq!(
                string_encoding(Kind::RawString, value.as_bytes()),
                "raw",
                "{value:?}"
            );
        }
    }
}
