//! Places on the earth: the table. What the commands do is in the files below this one.
//!
//! Places are the members of a sorted set, and a place's score is its number in a grid laid over the earth (`grid`).
//! Neighbours in the grid mostly have neighbouring numbers, so a search (`search`) reads a few ranges of scores
//! (`area`). Changes are logged as those of a sorted set.

use super::{ArgSpec, Command, Flags, Group, Intent, KeySpec, data_row, in_group};

mod area;
mod grid;
mod members;
mod search;

const KEY: ArgSpec = ArgSpec::key("key");
const MEMBER: ArgSpec = ArgSpec::new("member", "string");
const MEMBERS: ArgSpec = MEMBER.optional_multiple();
const LONGITUDE: ArgSpec = ArgSpec::new("longitude", "double");
const LATITUDE: ArgSpec = ArgSpec::new("latitude", "double");
const RADIUS: ArgSpec = ArgSpec::new("radius", "double");
const UNIT: ArgSpec = ArgSpec::one_of(
    "unit",
    &[
        ArgSpec::word("m", "M"),
        ArgSpec::word("km", "KM"),
        ArgSpec::word("ft", "FT"),
        ArgSpec::word("mi", "MI"),
    ],
);
const FROM: ArgSpec = ArgSpec::one_of(
    "from",
    &[
        ArgSpec::new("member", "string").after("FROMMEMBER"),
        ArgSpec::block("fromlonlat", &[LONGITUDE, LATITUDE]).after("FROMLONLAT"),
    ],
);
const BY: ArgSpec = ArgSpec::one_of(
    "by",
    &[
        ArgSpec::block("circle", &[RADIUS.after("BYRADIUS"), UNIT]),
        ArgSpec::block(
            "box",
            &[
                ArgSpec::new("width", "double").after("BYBOX"),
                ArgSpec::new("height", "double"),
                UNIT,
            ],
        ),
    ],
);
const ORDER: ArgSpec = ArgSpec::one_of(
    "order",
    &[ArgSpec::word("asc", "ASC"), ArgSpec::word("desc", "DESC")],
)
.optional();
const COUNT: ArgSpec = ArgSpec::block(
    "count-block",
    &[
        ArgSpec::new("count", "integer").after("COUNT"),
        ArgSpec::word("any", "ANY").optional().since("6.2.0"),
    ],
)
.optional();
const WITHCOORD: ArgSpec = ArgSpec::word("withcoord", "WITHCOORD").optional();
const WITHDIST: ArgSpec = ArgSpec::word("withdist", "WITHDIST").optional();
const WITHHASH: ArgSpec = ArgSpec::word("withhash", "WITHHASH").optional();
const STORE: ArgSpec = ArgSpec::one_of(
    "store",
    &[
        ArgSpec::key("storekey").after("STORE"),
        ArgSpec::key("storedistkey").after("STOREDIST"),
    ],
)
.optional();

const READ: &[KeySpec] = &[READ_ONE];
const READ_ONE: KeySpec = KeySpec::one(1, Intent::Read, &["RO", "access"]);
const STORED: &[&str] = &["OW", "update"];

/// What is searched, and where the result may be stored.
const fn maybe_stored(first: usize) -> [KeySpec; 3] {
    [
        READ_ONE,
        KeySpec::behind("STORE", first, Intent::Overwrite, STORED),
        KeySpec::behind("STOREDIST", first, Intent::Overwrite, STORED),
    ]
}

const WRITE: Flags = Flags::WRITE.or(Flags::DENYOOM);
const WRITE_MOVABLE: Flags = WRITE.or(Flags::MOVABLE_KEYS);
const READONLY: Flags = Flags::READONLY;

const PER_MEMBER: &str = "O(log(N)) for each member";
const SEARCH: &str = "O(log(N)+M), M being the number of places in the cells around the area";

/// The commands.
#[rustfmt::skip] // One command to two or three lines: it is read as a table.
pub const FAMILY: &[Command] = &in_group(Group::Geo, [
    data_row("geoadd", "Adds places, or moves them", "3.2.0", PER_MEMBER, -5, WRITE,
        &[KeySpec::one(1, Intent::Update, &["RW", "update"])],
        &[KEY, ArgSpec::one_of("condition", &[ArgSpec::word("nx", "NX"), ArgSpec::word("xx", "XX")]).optional()
               .since("6.2.0"),
          ArgSpec::word("change", "CH").optional().since("6.2.0"),
          ArgSpec::block("data", &[LONGITUDE, LATITUDE, MEMBER]).multiple()],
        members::geoadd),
    data_row("geopos", "Answers longitude and latitude of places", "3.2.0", PER_MEMBER, -2, READONLY, READ,
        &[KEY, MEMBERS], members::geopos),
    data_row("geodist", "Answers the distance between two places", "3.2.0", "O(log(N))", -4, READONLY, READ,
        &[KEY, ArgSpec::new("member1", "string"), ArgSpec::new("member2", "string"),
          ArgSpec { flags: &["optional"], ..UNIT }],
        members::geodist),
    data_row("geohash", "Answers the geohash texts of places", "3.2.0", PER_MEMBER, -2, READONLY, READ,
        &[KEY, MEMBERS], members::geohash),
    data_row("geosearch", "Answers the places in a circle or a box", "6.2.0", SEARCH, -7, READONLY, READ,
        &[KEY, FROM, BY, ORDER, COUNT, WITHCOORD, WITHDIST, WITHHASH], search::geosearch),
    data_row("geosearchstore", "Stores the places in a circle or a box", "6.2.0", SEARCH, -8, WRITE,
        &[KeySpec::one(1, Intent::Overwrite, STORED), KeySpec::one(2, Intent::Read, &["RO", "access"])],
        &[ArgSpec::key("destination"), ArgSpec::key("source"), FROM, BY, ORDER, COUNT,
          ArgSpec::word("storedist", "STOREDIST").optional()],
        search::geosearchstore),
    data_row("georadius", "Answers, or stores, the places in a circle around a point", "3.2.0", SEARCH, -6,
        WRITE_MOVABLE, &maybe_stored(6),
        &[KEY, LONGITUDE, LATITUDE, RADIUS, UNIT, WITHCOORD, WITHDIST, WITHHASH, COUNT, ORDER, STORE],
        search::georadius),
    data_row("georadius_ro", "Answers the places in a circle around a point", "3.2.10", SEARCH, -6, READONLY, READ,
        &[KEY, LONGITUDE, LATITUDE, RADIUS, UNIT, WITHCOORD, WITHDIST, WITHHASH, COUNT, ORDER],
        search::georadius_ro),
    data_row("georadiusbymember", "Answers, or stores, the places in a circle around another place", "3.2.0",
        SEARCH, -5, WRITE_MOVABLE, &maybe_stored(5),
        &[KEY, MEMBER, RADIUS, UNIT, WITHCOORD, WITHDIST, WITHHASH, COUNT, ORDER, STORE],
        search::georadiusbymember),
    data_row("georadiusbymember_ro", "Answers the places in a circle around another place", "3.2.10", SEARCH, -5,
        READONLY, READ, &[KEY, MEMBER, RADIUS, UNIT, WITHCOORD, WITHDIST, WITHHASH, COUNT, ORDER],
        search::georadiusbymember_ro),
]);

/// A distance as clients are told it: four decimals.
fn distance_text(distance: f64) -> String {
    let rounded = (distance * 10_000.0).round_ties_even() as u64;
    format!("{}.{:04}", rounded / 10_000, rounded % 10_000)
}
