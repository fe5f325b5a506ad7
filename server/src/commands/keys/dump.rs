//! DUMP and RESTORE: a value as the bytes that a redis-server takes and gives.
//!
//! RESTORE logs what it made of the payload, not the payload: a SET, or the commands that fill a collection, or a DEL
//! if its time is over already. Fields of hashes keep their deadlines.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use basalt_replication::rdb::{
    HashField, RdbError, RdbValue, dump as dump_payload, restore as read_payload,
};
use basalt_tiering::{Collection, Expiry, Fault, Key, Kind, MAIN, UnixMs};

use crate::args::{Cursor, integer, is};
use crate::commands::collection::{build, collection};
use crate::commands::sorted_sets::{ZSet, store};
use crate::commands::streams;
use crate::commands::{Ctx, Outcome, Stop};
use crate::effect_forms::log_in_portions;
use crate::errors::{self, Error};

/// Latest deadline that a field can have.
const FIELD_DEADLINE_MAX: u64 = (1 << 46) - 1;

pub(super) fn dump(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let Some(value) = ctx.tx.get(&ctx.keys[0])? else {
        ctx.out.null();
        return Ok(());
    };
    let value = match value.kind {
        kind if kind.is_string() => {
            let text = ctx.tx.peek_text(&ctx.keys[0])?.expect("just seen");
            RdbValue::String(text.bytes()?.into_owned())
        }
        kind => collected(ctx, kind)?,
    };
    ctx.out.bulk(dump_payload(&value));
    Ok(())
}

/// A collection as a whole.
fn collected(ctx: &mut Ctx<'_, '_>, kind: Kind) -> Result<RdbValue, Stop> {
    let key = &ctx.keys[0];
    if kind == Kind::ZSet {
        let set = ZSet::open(ctx.tx, key)?;
        let mut members = Vec::new();
        set.each(0..set.len(), false, |member, score| {
            members.push((member.to_vec(), score));
        })?;
        return Ok(RdbValue::SortedSet(members));
    }
    if kind == Kind::Stream {
        let snapshot = ctx.tx.snapshot(key)?;
        let value = snapshot.map(|snapshot| streams::whole::dumped(&snapshot));
        return Ok(RdbValue::Stream(value.unwrap_or_default()));
    }
    let open = collection(ctx.tx, key, kind)?;
    if kind == Kind::Hash {
        return Ok(RdbValue::Hash(hash_fields(&open)?));
    }
    let mut elements = Vec::new();
    open.each(MAIN, 0..open.len(MAIN), false, |name, value| {
        elements.push((name.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })?;
    let elements = elements.into_iter();
    Ok(match kind {
        Kind::Set => RdbValue::Set(elements.map(|(member, _)| member).collect()),
        Kind::List => RdbValue::List(elements.map(|(_, value)| value).collect()),
        Kind::Bloom => return Err(errors::NOT_DUMPED.into()),
        Kind::Stream
        | Kind::String
        | Kind::RawString
        | Kind::LargeString
        | Kind::ZSet
        | Kind::Hash => {
            unreachable!("they have forms of their own")
        }
    })
}

fn hash_fields(open: &Collection<'_, '_>) -> Result<Vec<HashField>, Fault> {
    let mut fields = Vec::new();
    open.each(MAIN, 0..open.len(MAIN), false, |field, value| {
        fields.push(HashField {
            field: field.to_vec(),
            value: value.to_vec(),
            expiry_ms: value.deadline().map(|at| at.0),
        });
        ControlFlow::Continue(())
    })?;
    Ok(fields)
}

pub(super) fn restore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(Cursor::at(ctx.args, 4))?;
    let key = &ctx.keys[0];
    if !options.replace && ctx.tx.peek(key)?.is_some() {
        return Err(errors::BUSY_KEY.into());
    }
    let ttl = integer(&ctx.args[2])?;
    let ttl = u64::try_from(ttl).map_err(|_| errors::INVALID_TTL)?;
    let value = read_payload(&ctx.args[3]).map_err(|error| match error {
        RdbError::VersionOrChecksum => errors::PAYLOAD_VERSION,
        _ => errors::BAD_DATA_FORMAT,
    })?;
    let deadline = match ttl {
        0 => None,
        _ if options.absolute => Some(UnixMs(ttl)),
        _ => Some(UnixMs(ctx.now.0.saturating_add(ttl))),
    };
    // Beyond what a time can be, it counts as past, as in Redis.
    let is_past = |at: UnixMs| at <= ctx.now || i64::try_from(at.0).is_err();
    if deadline.is_some_and(is_past) {
        if ctx.tx.remove(key)? {
            ctx.effects.delete(ctx.db, key.bytes);
        }
        ctx.out.ok();
        return Ok(());
    }
    put(ctx, value, deadline)?;
    ctx.tx.set_heat(key, options.freq, options.idle_seconds);
    ctx.out.ok();
    Ok(())
}

/// Makes `value` that of the key, whatever it held.
fn put(ctx: &mut Ctx<'_, '_>, value: RdbValue, deadline: Option<UnixMs>) -> Outcome {
    let key = &ctx.keys[0];
    match value {
        RdbValue::String(bytes) => {
            let expiry = deadline.map_or(Expiry::Never, Expiry::At);
            ctx.tx.set(key, Kind::String, &bytes, expiry);
            ctx.effects.set(ctx.db, key.bytes, &bytes, deadline);
            return Ok(());
        }
        RdbValue::SortedSet(members) => store(ctx, key, members)?,
        RdbValue::Set(members) => fill(ctx, key, Kind::Set, members)?,
        RdbValue::List(elements) => fill(ctx, key, Kind::List, elements)?,
        RdbValue::Hash(fields) => fill_hash(ctx, key, fields)?,
        RdbValue::Stream(stream) => {
            let key = *key;
            streams::whole::restore(ctx, &key, &stream)?;
        }
    }
    if let Some(deadline) = deadline {
        ctx.tx.set_expiry(key, Some(deadline))?;
        ctx.effects.expire_at(ctx.db, key.bytes, deadline);
    }
    Ok(())
}

/// Makes a list or a set of `words`.
fn fill(ctx: &mut Ctx<'_, '_>, key: &Key<'_>, kind: Kind, mut words: Vec<Vec<u8>>) -> Outcome {
    if ctx.tx.remove(key)? {
        ctx.effects.delete(ctx.db, key.bytes);
    }
    let name: &[u8] = match kind {
        Kind::List => b"RPUSH",
        _ => {
            words.sort_unstable();
            b"SADD"
        }
    };
    build(ctx.tx, key, kind, &words);
    log_in_portions(ctx.effects, ctx.db, name, key.bytes, &words);
    Ok(())
}

/// Makes a hash of `fields`.
fn fill_hash(ctx: &mut Ctx<'_, '_>, key: &Key<'_>, mut fields: Vec<HashField>) -> Outcome {
    if ctx.tx.remove(key)? {
        ctx.effects.delete(ctx.db, key.bytes);
    }
    let key = *key;
    fields.sort_unstable_by(|a, b| a.field.cmp(&b.field));
    let mut deadlines: BTreeMap<UnixMs, Vec<Vec<u8>>> = BTreeMap::new();
    for HashField {
        field, expiry_ms, ..
    } in &mut fields
    {
        if let Some(at) = expiry_ms {
            *at = (*at).min(FIELD_DEADLINE_MAX);
            deadlines
                .entry(UnixMs(*at))
                .or_default()
                .push(field.clone());
        }
    }
    if deadlines.is_empty() {
        ctx.tx
            .build_collection(&key, Kind::Hash, 1, &[], Expiry::Never, |_, push| {
                for HashField { field, value, .. } in &fields {
                    push(field, value);
                }
            });
    } else {
        let mut hash = collection(ctx.tx, &key, Kind::Hash)?;
        for HashField {
            field,
            value,
            expiry_ms,
        } in &fields
        {
            hash.put_field(field, value, expiry_ms.map(UnixMs))?;
        }
    }
    let words: Vec<Vec<u8>> = fields
        .into_iter()
        .flat_map(|HashField { field, value, .. }| [field, value])
        .collect();
    log_in_portions(ctx.effects, ctx.db, b"HSET", key.bytes, &words);
    for (at, fields) in deadlines {
        ctx.effects.fields_expire_at(ctx.db, key.bytes, at, &fields);
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    freq: Option<u8>,
}

impl Options {
    fn parse(mut args: Cursor<'_>) -> Result<Self, Error> {
        let mut options = Options::default();
        while let Some(word) = args.next() {
            if is(word, "REPLACE") {
                options.replace = true;
            } else if is(word, "ABSTTL") {
                options.absolute = true;
            } else if is(word, "IDLETIME") && options.freq.is_none() {
                let seconds = integer(args.value()?)?;
                let seconds = u64::try_from(seconds).map_err(|_| errors::INVALID_IDLETIME)?;
                options.idle_seconds = Some(seconds);
            } else if is(word, "FREQ") && options.idle_seconds.is_none() {
                let freq = integer(args.value()?)?;
                options.freq = Some(u8::try_from(freq).map_err(|_| errors::INVALID_FREQ)?);
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(options)
    }
}
