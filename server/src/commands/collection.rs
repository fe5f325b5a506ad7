//! What the commands on collections share: opening one, building one at once, the options of HSCAN, SSCAN and ZSCAN,
//! picking at random.

use basalt_resp::Encoder;
use basalt_tiering::{Collection, Expiry, Key, Kind, OpenError, Tx};
use rand::Rng;
use rand::seq::index;

use super::Stop;
use crate::args::{self, Cursor};
use crate::errors::{self, Error};
use crate::glob::{self, Case};

/// Elements a scan visits unless COUNT says otherwise.
const DEFAULT_COUNT: u64 = 10;

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Fault => Stop::Fault,
            OpenError::WrongKind => errors::WRONG_TYPE.into(),
        }
    }
}

/// Opens a collection; an absent key is an empty one, another type an error.
#[inline]
pub fn collection<'t, 's>(
    tx: &'t mut Tx<'s>,
    key: &Key<'t>,
    kind: Kind,
) -> Result<Collection<'t, 's>, Stop> {
    Ok(tx.collection(key, kind)?)
}

/// Makes a list or a set of `words` (a set's are in order) the value of a key; none leave it as it is.
pub fn build(tx: &mut Tx<'_>, key: &Key<'_>, kind: Kind, words: &[Vec<u8>]) {
    if words.is_empty() {
        return;
    }
    tx.build_collection(key, kind, 1, &[], Expiry::Never, |_, push| {
        for word in words {
            match kind {
                Kind::List => push(&[], word),
                _ => push(word, &[]),
            }
        }
    });
}

/// A cursor as a client gives it back: an unsigned number and nothing else.
pub fn scan_cursor(text: &[u8]) -> Result<u64, Error> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(errors::INVALID_CURSOR)
}

/// The options of a scan of one collection.
#[derive(Debug)]
pub struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    /// Elements to be visited.
    pub count: u64,
    /// Keys alone (HSCAN).
    pub no_values: bool,
}

impl<'a> ScanOptions<'a> {
    /// Reads the options; `knows_values` says that NOVALUES is one of them.
    pub fn parse(mut words: Cursor<'a>, knows_values: bool) -> Result<Self, Error> {
        let mut options = ScanOptions {
            pattern: None,
            count: DEFAULT_COUNT,
            no_values: false,
        };
        while let Some(word) = words.next() {
            if args::is(word, "MATCH") {
                options.pattern = Some(words.value()?).filter(|pattern| *pattern != b"*");
            } else if args::is(word, "COUNT") {
                let count = args::integer(words.value()?)?;
                options.count = u64::try_from(count)
                    .ok()
                    .filter(|n| *n > 0)
                    .ok_or(errors::SYNTAX)?;
            } else if knows_values && args::is(word, "NOVALUES") {
                options.no_values = true;
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(options)
    }

    /// True if the element is to be answered.
    #[must_use]
    pub fn passes(&self, element: &[u8]) -> bool {
        self.pattern
            .is_none_or(|pattern| glob::matches(pattern, element, Case::Matters))
    }
}

/// Answers a scan: the next cursor, and a flat array of what was found.
pub fn reply_scan(out: &mut Encoder<'_>, next: u64, found: &[Vec<u8>]) {
    out.array(2);
    out.bulk(next.to_string());
    out.array(found.len());
    for element in found {
        out.bulk(element);
    }
}

/// Repetitions that a reply may hold: with the shortest elements it has 2 GB.
const MOST_REPEATED: u64 = 1 << 28;

/// Ranks for a random choice: with a negative count that many, maybe the same several times; else so many
/// different ones, as far as there are. The numbers come from `Tx::rng`.
pub fn random_ranks(rng: &mut impl Rng, len: u64, count: i64) -> Result<Vec<u64>, Error> {
    let wanted = count.unsigned_abs();
    if len == 0 {
        return Ok(Vec::new());
    }
    if count < 0 {
        if wanted > MOST_REPEATED {
            return Err(errors::COUNT_TOO_LARGE);
        }
        return Ok((0..wanted).map(|_| rng.random_range(0..len)).collect());
    }
    if wanted >= len {
        return Ok((0..len).collect());
    }
    let chosen = index::sample(rng, len as usize, wanted as usize);
    Ok(chosen.into_iter().map(|rank| rank as u64).collect())
}
