//! Bloom filters: sets that answer "surely not" or "probably", in a few bits for each item. The table; what the
//! commands do is in the files below this one.
//!
//! Syntax, replies and texts are RedisBloom's. A filter is a stack of layers. An item goes into the last one; when that is full
//! a layer is added, `expansion` times as large, with half the error rate, so that all of them together keep to the
//! rate that was asked for. An item is there if any layer says so.
//!
//! ```text
//!   extra bytes   parameters, how many items the last layer has, the size of each layer      `filter.rs`
//!   tree          layer u16 BE, chunk u32 BE → the bits of that chunk, once one of them is set
//! ```
//!
//! All bits of an item within a layer lie in one chunk, which fills a page: so adding or asking costs one page for each
//! layer, wherever the filter is, and a checkpoint writes what was touched. Chunks fill unevenly, which costs
//! about one per cent more bits (`layout.rs`).
//!
//! | file | role |
//! |---|---|
//! | `layout.rs` | how large a layer has to be |
//! | `place.rs` | which bits are an item's |
//! | `filter.rs` | parameters and layers, looking up, setting bits |
//! | `add.rs`, `read.rs`, `dump.rs` | the commands |

use super::{ArgSpec, Command, Ctx, Flags, Group, Handler, Intent, KeySpec};

mod add;
mod dump;
mod filter;
mod layout;
mod place;
mod read;

pub use dump::log_copy;

const KEY: ArgSpec = ArgSpec::key("key");
const ITEM: ArgSpec = ArgSpec::new("item", "string");
const ERROR_RATE: ArgSpec = ArgSpec::new("error_rate", "double");
const CAPACITY: ArgSpec = ArgSpec::new("capacity", "integer");
const EXPANSION: ArgSpec = ArgSpec::new("expansion", "integer")
    .after("EXPANSION")
    .optional();
const NONSCALING: ArgSpec = ArgSpec::word("nonscaling", "NONSCALING").optional();

const WRITE: Flags = Flags::WRITE.or(Flags::DENYOOM);
const READ: Flags = Flags::READONLY.or(Flags::FAST);
const CHANGES: &[KeySpec] = &[KeySpec::one(1, Intent::Update, &["RW", "update"])];
const READS: &[KeySpec] = &[KeySpec::one(1, Intent::Read, &["RO", "access"])];
const ONE: &str = "O(K*L), K being the number of hash functions and L that of layers";
const MANY: &str =
    "O(N*K*L), N being the number of items, K that of hash functions and L that of layers";

/// A command on Bloom filters.
#[allow(clippy::too_many_arguments, reason = "the columns of the table")]
const fn row(
    name: &'static str,
    summary: &'static str,
    complexity: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    args: &'static [ArgSpec],
    handler: fn(&mut Ctx<'_, '_>) -> super::Outcome,
) -> Command {
    Command {
        name,
        summary,
        since: "1.0.0",
        group: Group::Bloom,
        complexity,
        arity,
        flags,
        keys,
        args,
        subcommands: &[],
        handler: Handler::Data(handler),
    }
}

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &[
    row("bf.reserve", "Makes an empty Bloom filter for an error rate and a number of items", "O(1)", -4, WRITE, CHANGES,
        &[KEY, ERROR_RATE, CAPACITY, EXPANSION, NONSCALING], add::reserve),
    row("bf.add", "Adds an item to a Bloom filter, which is made if there is none", ONE, 3, WRITE.or(Flags::FAST), CHANGES,
        &[KEY, ITEM], add::add),
    row("bf.madd", "Adds items to a Bloom filter, which is made if there is none", MANY, -3, WRITE.or(Flags::FAST), CHANGES,
        &[KEY, ITEM.multiple()], add::madd),
    row("bf.insert", "Adds items to a Bloom filter, which is made with these parameters if there is none", MANY, -4,
        WRITE.or(Flags::FAST), CHANGES,
        &[KEY, CAPACITY.after("CAPACITY").optional(), ERROR_RATE.after("ERROR").optional(), EXPANSION,
          ArgSpec::word("nocreate", "NOCREATE").optional(), NONSCALING,
          ArgSpec::block("items", &[ArgSpec::word("items", "ITEMS"), ITEM.multiple()])],
        add::insert),
    row("bf.exists", "Tells whether an item may have been added to a Bloom filter", ONE, 3, READ, READS,
        &[KEY, ITEM], read::exists),
    row("bf.mexists", "Tells which of several items may have been added to a Bloom filter", MANY, -3, READ, READS,
        &[KEY, ITEM.multiple()], read::mexists),
    row("bf.card", "Counts the items that were added to a Bloom filter and were not there before", "O(1)", 2, READ, READS,
        &[KEY], read::card),
    row("bf.info", "Tells parameters and size of a Bloom filter, or one of these", "O(L), L being the number of layers", -2,
        READ, READS,
        &[KEY, ArgSpec::one_of("field", &[ArgSpec::word("capacity", "CAPACITY"), ArgSpec::word("size", "SIZE"),
            ArgSpec::word("filters", "FILTERS"), ArgSpec::word("items", "ITEMS"),
            ArgSpec::word("expansion", "EXPANSION")]).optional()],
        read::info),
    row("bf.scandump", "Answers a part of a Bloom filter, for BF.LOADCHUNK", "O(N), N being the bytes answered", 3,
        Flags::READONLY, READS, &[KEY, ArgSpec::new("iterator", "integer")], dump::scandump),
    row("bf.loadchunk", "Puts a part of a Bloom filter back that BF.SCANDUMP answered", "O(N), N being the bytes given", 4,
        WRITE, CHANGES, &[KEY, ArgSpec::new("iterator", "integer"), ArgSpec::new("data", "string")], dump::loadchunk),
];
