//! Commands that name members, and those that answer all of them.

use std::ops::ControlFlow;

use basalt_tiering::{Kind, MAIN};

use crate::args::Cursor;
use crate::commands::collection::{ScanOptions, collection, reply_scan, scan_cursor};
use crate::commands::{Ctx, Outcome};

pub(super) fn sadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut set = collection(ctx.tx, &ctx.keys[0], Kind::Set)?;
    set.prefault(MAIN, ctx.args.iter().skip(2))?;
    let mut added = 0;
    for member in ctx.args.iter().skip(2) {
        added += i64::from(set.insert_new(MAIN, member, &[])?);
    }
    drop(set);
    if added > 0 {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(added);
    Ok(())
}

pub(super) fn srem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = &ctx.keys[0];
    let mut set = collection(ctx.tx, key, Kind::Set)?;
    set.prefault(MAIN, ctx.args.iter().skip(2))?;
    let mut removed = 0;
    for member in ctx.args.iter().skip(2) {
        removed += i64::from(set.remove(MAIN, member)?);
    }
    let is_empty = set.is_empty();
    drop(set);
    if removed > 0 && is_empty {
        ctx.effects.delete(ctx.db, key.bytes);
    } else if removed > 0 {
        ctx.effects.as_given(ctx.db, ctx.args);
    }
    ctx.out.integer(removed);
    Ok(())
}

pub(super) fn sismember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let set = collection(ctx.tx, &ctx.keys[0], Kind::Set)?;
    let is_member = set.contains(MAIN, &ctx.args[2])?;
    ctx.out.integer(i64::from(is_member));
    Ok(())
}

pub(super) fn smismember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let set = collection(ctx.tx, &ctx.keys[0], Kind::Set)?;
    set.prefault(MAIN, ctx.args.iter().skip(2))?;
    ctx.out.array(ctx.args.len() - 2);
    for member in ctx.args.iter().skip(2) {
        let is_member = set.contains(MAIN, member)?;
        ctx.out.integer(i64::from(is_member));
    }
    Ok(())
}

pub(super) fn smembers(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let set = collection(ctx.tx, &ctx.keys[0], Kind::Set)?;
    let len = set.len(MAIN);
    ctx.out.set(len as usize);
    set.each(MAIN, 0..len, false, |member, _| {
        ctx.out.bulk(member);
        ControlFlow::Continue(())
    })?;
    Ok(())
}

pub(super) fn scard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let len = collection(ctx.tx, &ctx.keys[0], Kind::Set)?.len(MAIN);
    ctx.out.integer(len as i64);
    Ok(())
}

/// What is logged is a removal and an addition.
pub(super) fn smove(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (from, to, member) = (&ctx.keys[0], &ctx.keys[1], &ctx.args[3]);
    let source = collection(ctx.tx, from, Kind::Set)?;
    let existed = source.existed();
    let is_member = source.contains(MAIN, member)?;
    drop(source);
    if !existed {
        ctx.out.integer(0);
        return Ok(());
    }
    let target = collection(ctx.tx, to, Kind::Set)?;
    target.prefault(MAIN, [member])?;
    let is_new = !target.contains(MAIN, member)?;
    drop(target);
    ctx.out.integer(i64::from(is_member));
    if !is_member || from.bytes == to.bytes {
        return Ok(());
    }
    let mut source = collection(ctx.tx, from, Kind::Set)?;
    source.remove(MAIN, member)?;
    let is_empty = source.is_empty();
    drop(source);
    if is_empty {
        ctx.effects.delete(ctx.db, from.bytes);
    } else {
        ctx.effects.command(ctx.db, &[b"SREM", from.bytes, member]);
    }
    if is_new {
        collection(ctx.tx, to, Kind::Set)?.insert(MAIN, member, &[])?;
        ctx.effects.command(ctx.db, &[b"SADD", to.bytes, member]);
    }
    Ok(())
}

/// Of an absent key nothing is found, whatever the options.
pub(super) fn sscan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let cursor = scan_cursor(&ctx.args[2])?;
    let set = collection(ctx.tx, &ctx.keys[0], Kind::Set)?;
    if !set.existed() {
        reply_scan(&mut ctx.out, 0, &[]);
        return Ok(());
    }
    let options = ScanOptions::parse(Cursor::at(ctx.args, 3), false)?;
    let mut found = Vec::new();
    let next = set.scan(MAIN, cursor, options.count, |member, _| {
        if options.passes(member) {
            found.push(member.to_vec());
        }
    })?;
    reply_scan(&mut ctx.out, next, &found);
    Ok(())
}
