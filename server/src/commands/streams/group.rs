//! XGROUP; and what the commands on groups share: finding one, noting that a consumer was seen, logging what changed.
//!
//! The log gets what a redis-server would send its replicas: XCLAIM for what became pending, XGROUP SETID for what was
//! delivered, XACK. When a consumer was seen is in it too, as an XCLAIM of no entry, so that idle times survive.

use basalt_resp::Args;
use basalt_tiering::Fault;

use super::groups::{Consumer, Group};
use super::id::Id;
use super::stream::Stream;
use super::texts;
use crate::args::{Cursor, integer, is};
use crate::commands::{Ctx, Outcome, Stop};
use crate::effects::Effects;
use crate::errors::Error;

/// Who acts on what, for errors and the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    pub(super) db: u32,
    pub(super) key: &'a [u8],
    pub(super) group: &'a [u8],
    pub(super) consumer: &'a [u8],
}

impl<'a> Names<'a> {
    /// Key, group and consumer where most commands have them.
    pub(super) fn of(args: &'a Args<'a>, db: u32) -> Self {
        Names {
            db,
            key: &args[1],
            group: &args[2],
            consumer: &args[3],
        }
    }
}

/// The group that most commands name behind the key.
pub(super) fn named_group(stream: &Stream<'_, '_>, args: &Args<'_>) -> Result<Group, Stop> {
    let found = stream.group(&args[2])?;
    found.ok_or_else(|| texts::no_group(&args[1], &args[2], "").into())
}

/// What it changed that a consumer was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was made.
    New,
    /// It had been seen earlier only.
    Later,
    /// Nothing: it had been seen in the same millisecond.
    Already,
}

/// Notes that a consumer was seen, which is made if it is not there. Needs [`Stream::prefault_consumer`].
pub(super) fn note_seen(
    stream: &mut Stream<'_, '_>,
    group: &mut Group,
    name: &[u8],
    at_ms: u64,
) -> Result<(Consumer, Seen), Fault> {
    let Some(mut consumer) = stream.consumer(group, name)? else {
        return Ok((stream.new_consumer(group, name, at_ms, None)?, Seen::New));
    };
    if at_ms <= consumer.seen_ms {
        return Ok((consumer, Seen::Already));
    }
    consumer.seen_ms = at_ms;
    stream.put_consumer(group, &consumer)?;
    Ok((consumer, Seen::Later))
}

/// Notes that a consumer got something.
pub(super) fn note_active(
    stream: &mut Stream<'_, '_>,
    group: &Group,
    consumer: &mut Consumer,
    at_ms: u64,
) -> Result<(), Fault> {
    consumer.active_ms = consumer.active_ms.max(Some(at_ms));
    stream.put_consumer(group, consumer)
}

/// Logs that a consumer was seen, if that changed something.
pub(super) fn log_seen(effects: &mut Effects, names: &Names<'_>, seen: Seen, at_ms: u64) {
    let Names {
        db,
        key,
        group,
        consumer,
    } = *names;
    match seen {
        Seen::New => effects.command(db, &[b"XGROUP", b"CREATECONSUMER", key, group, consumer]),
        Seen::Later => {}
        Seen::Already => return,
    }
    let at = at_ms.to_string();
    let words: &[&[u8]] = &[
        b"XCLAIM",
        key,
        group,
        consumer,
        b"0",
        b"0-0",
        b"TIME",
        at.as_bytes(),
        b"JUSTID",
    ];
    effects.command(db, words);
}

/// Logs up to where a group has come.
pub(super) fn log_position(effects: &mut Effects, names: &Names<'_>, group: &Group) {
    let (last, read) = (group.last.text(), read_text(group.read));
    let words: &[&[u8]] = &[
        b"XGROUP",
        b"SETID",
        names.key,
        names.group,
        last.as_bytes(),
        b"ENTRIESREAD",
        read.as_bytes(),
    ];
    effects.command(names.db, words);
}

fn read_text(read: Option<u64>) -> String {
    read.map_or_else(|| "-1".to_owned(), |read| read.to_string())
}

/// The options of XGROUP CREATE and SETID.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    make: bool,
    read: Option<u64>,
}

impl Options {
    fn parse(args: &Args<'_>, may_make: bool) -> Result<Self, Error> {
        let (mut options, mut words) = (Options::default(), Cursor::at(args, 5));
        while let Some(word) = words.next() {
            let left = words.clone().count();
            if may_make && is(word, "MKSTREAM") {
                options.make = true;
            } else if is(word, "ENTRIESREAD") && left > 0 {
                let read = integer(words.value()?)?;
                if read < -1 {
                    return Err(texts::ENTRIESREAD);
                }
                options.read = u64::try_from(read).ok();
            } else {
                return Err(texts::xgroup_arguments(&args[1]));
            }
        }
        Ok(options)
    }

    /// How many entries the group has read: no more than were added (as of Redis 8.2.2). What a log says is taken as it is.
    fn read(&self, stream: &Stream<'_, '_>, is_replay: bool) -> Option<u64> {
        let most = if is_replay {
            u64::MAX
        } else {
            stream.head().added
        };
        self.read.map(|read| read.min(most))
    }
}

fn must_exist(stream: &Stream<'_, '_>) -> Result<(), Error> {
    match stream.existed() {
        true => Ok(()),
        false => Err(texts::XGROUP_NO_KEY),
    }
}

/// The group that a subcommand needs.
fn needed_group(stream: &Stream<'_, '_>, args: &Args<'_>) -> Result<Group, Stop> {
    must_exist(stream)?;
    let found = stream.group(&args[3])?;
    found.ok_or_else(|| texts::no_group_for_key(&args[3], &args[2]).into())
}

pub(super) fn create(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (options, is_replay) = (Options::parse(ctx.args, true)?, ctx.is_replay());
    let mut stream = Stream::open_unwatched(ctx.tx, &ctx.keys[0])?;
    if !options.make {
        must_exist(&stream)?;
    }
    let id = match &ctx.args[4] {
        b"$" => stream.head().last,
        text => Id::parse(text, 0)?,
    };
    if stream.group(&ctx.args[3])?.is_some() {
        return Err(texts::BUSY_GROUP.into());
    }
    let makes = !stream.existed();
    let read = options.read(&stream, is_replay);
    stream.new_group(&ctx.args[3], id, read)?;
    drop(stream);
    if makes {
        ctx.tx.trip_watches(&ctx.keys[0]);
    }
    let (id, read) = (id.text(), read_text(read));
    let mut words: Vec<&[u8]> = vec![b"XGROUP", b"CREATE", &ctx.args[2], &ctx.args[3]];
    words.extend([id.as_bytes(), b"ENTRIESREAD", read.as_bytes()]);
    if makes {
        words.push(b"MKSTREAM");
    }
    ctx.effects.command(ctx.db, &words);
    ctx.out.ok();
    Ok(())
}

pub(super) fn setid(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (options, is_replay) = (Options::parse(ctx.args, false)?, ctx.is_replay());
    let mut stream = Stream::open_unwatched(ctx.tx, &ctx.keys[0])?;
    let mut group = needed_group(&stream, ctx.args)?;
    group.last = match &ctx.args[4] {
        b"$" => stream.head().last,
        text => Id::parse_end(text, 0)?,
    };
    group.read = options.read(&stream, is_replay);
    stream.put_group(&group)?;
    drop(stream);
    let names = Names {
        db: ctx.db,
        key: &ctx.args[2],
        group: &ctx.args[3],
        consumer: b"",
    };
    log_position(ctx.effects, &names, &group);
    ctx.out.ok();
    Ok(())
}

pub(super) fn destroy(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut stream = Stream::open_unwatched(ctx.tx, &ctx.keys[0])?;
    must_exist(&stream)?;
    let Some(group) = stream.group(&ctx.args[3])? else {
        ctx.out.integer(0);
        return Ok(());
    };
    stream.remove_group(&group)?;
    drop(stream);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(1);
    Ok(())
}

pub(super) fn createconsumer(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now = ctx.now.0;
    let mut stream = Stream::open_unwatched(ctx.tx, &ctx.keys[0])?;
    let mut group = needed_group(&stream, ctx.args)?;
    let name = &ctx.args[4];
    if stream.consumer(&group, name)?.is_some() {
        ctx.out.integer(0);
        return Ok(());
    }
    stream.prefault_consumer(&group, name)?;
    stream.new_consumer(&mut group, name, now, None)?;
    drop(stream);
    let names = Names {
        db: ctx.db,
        key: &ctx.args[2],
        group: &ctx.args[3],
        consumer: name,
    };
    log_seen(ctx.effects, &names, Seen::New, now);
    ctx.out.integer(1);
    Ok(())
}

pub(super) fn delconsumer(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut stream = Stream::open_unwatched(ctx.tx, &ctx.keys[0])?;
    let group = needed_group(&stream, ctx.args)?;
    let Some(consumer) = stream.consumer(&group, &ctx.args[4])? else {
        ctx.out.integer(0);
        return Ok(());
    };
    let pending = stream.remove_consumer(&group, &consumer)?;
    drop(stream);
    ctx.effects.as_given(ctx.db, ctx.args);
    ctx.out.integer(pending as i64);
    Ok(())
}
