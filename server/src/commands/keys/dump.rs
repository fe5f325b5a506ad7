//! DUMP and RESTORE: a value as the bytes that a redis-server takes and gives.
//!
//! RESTORE logs what it made of the payload, not the payload: a SET, or a DEL if its time is over already.

use basalt_replication::rdb::{RdbError, RdbValue, dump as dump_payload, restore as read_payload};
use basalt_tiering::{Expiry, Kind, UnixMs};

use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome};
use crate::errors::{self, Error};
use crate::object_encoding::is_string;

pub(super) fn dump(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match ctx.tx.get(&ctx.keys[0])? {
        None => ctx.out.null(),
        Some(value) if is_string(value.kind) => {
            let payload = dump_payload(&RdbValue::String(value.bytes.to_vec()));
            ctx.out.bulk(payload);
        }
        Some(_) => return Err(errors::WRONG_TYPE.into()),
    }
    Ok(())
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
    match value {
        RdbValue::String(bytes) => {
            let expiry = deadline.map_or(Expiry::Never, Expiry::At);
            ctx.tx.set(key, Kind::String, &bytes, expiry);
            ctx.effects.set(ctx.db, key.bytes, &bytes, deadline);
        }
        _ => return Err(errors::BAD_DATA_FORMAT.into()),
    }
    ctx.tx.set_heat(key, options.freq, options.idle_seconds);
    ctx.out.ok();
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
