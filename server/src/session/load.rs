//! A command met keys that are not in memory: load them, and start loading those of the commands behind it.

use std::rc::Rc;

use basalt_resp::{ArgRanges, Args, Decoder};
use basalt_tiering::Key;

use super::Session;
use super::batch::Batch;
use super::run::Connection;
use crate::args::database;
use crate::blocking::Place;
use crate::commands::Intent;
use crate::commands::keys::second_database;
use crate::data::Data;
use crate::dispatch::{self, Row};
use crate::errors;
use crate::exec::{self, KeyList, transaction};

/// How far ahead of a fault keys are prefetched.
const AHEAD_COMMANDS: usize = 128;
const AHEAD_KEYS: usize = 1024;

/// Loads the keys of the current command. If they cannot be read the command ends with an error.
pub(super) async fn load(conn: &mut Connection, row: &'static Row) {
    let len = conn.current.expect("a command faulted");
    let wait = {
        let data = conn.worker.data();
        let (command, behind) = conn.input.bytes().split_at(len);
        prefetch_behind(&data, &mut conn.session, &conn.limits, behind);
        let args = Args::new(command, &conn.ranges);
        let Session {
            multi,
            watch,
            pins,
            db,
            also_wanted,
            ..
        } = &mut conn.session;
        let also: Vec<Place> = std::mem::take(also_wanted);
        let also = also.iter().map(|place| exec::key_at(&data, place));
        match multi {
            Some(multi) => {
                let mut keys = transaction::keys_of(&data, multi, *db);
                keys.extend(transaction::watched_keys(&data, watch));
                keys.extend(also);
                data.store.pin(&keys, pins)
            }
            None => {
                let own = KeyList::wanted(&data, row, &args, *db).unwrap_or(KeyList::EMPTY);
                if also.len() == 0 {
                    data.store.pin(own.as_slice(), pins)
                } else {
                    let keys: Vec<_> = own.as_slice().iter().copied().chain(also).collect();
                    data.store.pin(&keys, pins)
                }
            }
        }
    };
    let Some(wait) = wait else { return };
    if let Err(error) = wait.await {
        tracing::error!(%error, "a key could not be read from disk");
        conn.session.end_multi();
        // The next attempt reads again.
        conn.session.pins.clear();
        let worker = Rc::clone(&conn.worker);
        Batch::new(conn, &worker).fail(row, &errors::unreadable(&error));
    }
}

/// Starts loading what the complete commands behind the current one will ask for.
fn prefetch_behind(
    data: &Data,
    session: &mut Session,
    limits: &basalt_resp::Limits,
    behind: &[u8],
) {
    let mut keys: Vec<Key<'_>> = Vec::new();
    let (mut decoder, mut rest, mut db) = (Decoder::new(), behind, session.db);
    let mut ranges = ArgRanges::new();
    for _ in 0..AHEAD_COMMANDS {
        let Ok(Some(len)) = decoder.decode(rest, limits, &mut ranges) else {
            break;
        };
        let (command, next) = rest.split_at(len);
        rest = next;
        collect(data, command, &ranges, &mut db, &mut keys);
        if keys.len() >= AHEAD_KEYS {
            break;
        }
    }
    if !keys.is_empty() {
        data.store.prefetch(&keys, &mut session.pins);
    }
}

fn collect<'a>(
    data: &Data,
    command: &'a [u8],
    ranges: &ArgRanges,
    db: &mut u32,
    keys: &mut Vec<Key<'a>>,
) {
    // The ranges of an inline command do not point into the buffer, and nobody pipelines those.
    let args = Args::new(command, ranges);
    if !args.is_canonical() {
        return;
    }
    let Some(row) = dispatch::find(&args) else {
        return;
    };
    if !row.command.fits(args.len()) {
        return;
    }
    let databases = data.databases;
    if row.command.name == "select"
        && let Some(Ok(selected)) = args.get(1).map(|db| database(db, databases))
    {
        *db = selected;
        return;
    }
    let other = second_database(row.command, &args, *db).filter(|db| *db < databases);
    let base = command.as_ptr() as usize;
    row.command.for_each_key(&args, |index, intent| {
        // The same bytes again, but borrowed from the input and not from the ranges.
        if let Some(arg) = args.get(index) {
            let at = arg.as_ptr() as usize - base;
            let bytes = &command[at..at + arg.len()];
            if intent != Intent::Overwrite {
                keys.push(data.store.key(*db, bytes));
            }
            keys.extend(other.map(|db| data.store.key(db, bytes)));
        }
    });
}
