//! Strings as commands see them: the one door to what is in a string, and to changing it in part.
//!
//! A string is *plain*, its bytes in one piece inside its entry and its cold record; or *large*, a tree of its chunks
//! ([`Kind::LargeString`]). It becomes large when it is changed in place (APPEND, SETRANGE, SETBIT, BITFIELD) and is
//! longer than [`LARGE_STRING_MIN_BYTES`] then, and stays so until it is overwritten; what SET stores is plain, however
//! long. Clients cannot tell.
//!
//! ```text
//!   extra bytes   length of the string, u64 LE
//!   key           number of the chunk, u32 BE: the string's bytes from number * CHUNK on
//!   value         u16 LE: bytes of the chunk that are zero and left out, then its bytes up to the last that is not zero
//! ```
//!
//! A chunk of zeroes is not there at all. So a sparse bitmap costs a dozen bytes for each lone bit, and one of a few
//! lone bits is small: a page inside its entry. A chunk without zeroes at its ends fills one page of the tree.

mod write;

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use crate::UnixMs;
use crate::collection::{Collection, MAIN, OpenError, Snapshot};
use crate::tx::{Fault, Found, Key, Kind, Tx, Value};

/// A string changed in place that is longer than this becomes large. It is more than a dense HyperLogLog, and less than
/// what a lone bit at any offset may cost.
pub const LARGE_STRING_MIN_BYTES: usize = 16 << 10;

/// Bytes of a chunk: a multiple of eight, and with its cell's head as much as one page holds.
const CHUNK: usize = 2024;
/// So many chunks are looked up one by one.
const FEW_CHUNKS: u64 = 16;
/// In front of a chunk's bytes.
const SKIPPED_BYTES: usize = 2;

/// A string, to be read.
#[derive(Debug)]
pub struct Text<'t, 's> {
    form: Form<'t, 's>,
    kind: Kind,
    expiry: Option<UnixMs>,
}

#[derive(Debug)]
enum Form<'t, 's> {
    Plain(&'t [u8]),
    Large(Box<Collection<'t, 's>>),
}

fn chunk_key(number: u64) -> [u8; 4] {
    u32::try_from(number)
        .expect("a string has fewer than 2^32 chunks")
        .to_be_bytes()
}

/// The numbers of the chunks that hold these bytes.
fn chunks_of(range: &Range<u64>) -> Range<u64> {
    let chunk = CHUNK as u64;
    range.start / chunk..range.end.div_ceil(chunk)
}

/// Where in the string the bytes of a cell begin, and the bytes; `None` if it is damaged.
fn piece<'c>(key: &[u8], value: &'c [u8]) -> Option<(u64, &'c [u8])> {
    let number = u32::from_be_bytes(key.try_into().ok()?);
    let (skipped, bytes) = value.split_first_chunk::<SKIPPED_BYTES>()?;
    let skipped = usize::from(u16::from_le_bytes(*skipped));
    (skipped + bytes.len() <= CHUNK)
        .then(|| (u64::from(number) * CHUNK as u64 + skipped as u64, bytes))
}

/// Calls `visit` with the part of a piece that lies within a range, if there is one.
fn clipped(
    (at, bytes): (u64, &[u8]),
    range: &Range<u64>,
    visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let (from, to) = (range.start.max(at), range.end.min(at + bytes.len() as u64));
    if from >= to {
        return ControlFlow::Continue(());
    }
    visit(from, &bytes[(from - at) as usize..(to - at) as usize])
}

/// The length of a large string, from its extra bytes.
fn length(extra: &[u8]) -> u64 {
    extra
        .try_into()
        .map_or(0, |bytes: [u8; 8]| u64::from_le_bytes(bytes))
}

impl<'t> Text<'t, '_> {
    /// Bytes of the string.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.form {
            Form::Plain(bytes) => bytes.len() as u64,
            Form::Large(open) => length(open.extra()),
        }
    }

    /// True if it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which of the kinds of strings it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// When the key expires.
    #[must_use]
    pub fn expiry(&self) -> Option<UnixMs> {
        self.expiry
    }

    /// The bytes if they lie in one piece: always, if there are at most [`LARGE_STRING_MIN_BYTES`].
    #[inline]
    #[must_use]
    pub fn plain(&self) -> Option<&'t [u8]> {
        match self.form {
            Form::Plain(bytes) => Some(bytes),
            Form::Large(_) => None,
        }
    }

    /// All bytes in one piece; those of a large string are put together for it.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    #[inline]
    pub fn bytes(&self) -> Result<Cow<'t, [u8]>, Fault> {
        if let Form::Plain(bytes) = self.form {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut all = vec![0; self.len() as usize];
        self.read(0, &mut all)?;
        Ok(Cow::Owned(all))
    }

    /// Puts the bytes from `at` on into `out`; beyond the string's end they are zero.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Fault> {
        out.fill(0);
        self.pieces(at..at + out.len() as u64, |from, bytes| {
            let from = (from - at) as usize;
            out[from..from + bytes.len()].copy_from_slice(bytes);
            ControlFlow::Continue(())
        })
    }

    /// Calls `visit` with places and bytes of what there is within a range, in order, until it breaks: between them are
    /// zeroes. All pages are there before the first call.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn pieces(
        &self,
        range: Range<u64>,
        mut visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let open = match &self.form {
            Form::Plain(bytes) => {
                let _stopped = clipped((0, bytes), &range, &mut visit);
                return Ok(());
            }
            Form::Large(open) => open,
        };
        let range = range.start..range.end.min(self.len());
        if range.is_empty() {
            return Ok(());
        }
        let chunks = chunks_of(&range);
        if chunks.end - chunks.start > FEW_CHUNKS {
            let ranks = ranks_of(open, &range)?;
            return walk(open, ranks, &range, &mut visit);
        }
        // Nothing but the pages of these chunks is looked at, so that a command that writes them in turn need not
        // read others in between.
        prefault(open, [range.clone()])?;
        for number in chunks {
            let key = chunk_key(number);
            let cell = open.get(MAIN, &key)?;
            let piece = cell.as_ref().and_then(|cell| piece(&key, cell));
            if piece.is_some_and(|piece| clipped(piece, &range, &mut visit).is_break()) {
                break;
            }
        }
        Ok(())
    }

    /// As [`Text::pieces`], for whoever will likely break soon: not all pages are read at once, but more and more.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read, though `visit` may have been called then.
    pub fn search(
        &self,
        range: Range<u64>,
        mut visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        const FIRST_RANKS: u64 = 64;
        const GROWTH: u64 = 4;
        let Form::Large(open) = &self.form else {
            return self.pieces(range, visit);
        };
        let ranks = ranks_of(open, &range)?;
        let (mut from, mut window) = (ranks.start, FIRST_RANKS);
        while from < ranks.end {
            let to = ranks.end.min(ranks.start + window);
            // Together with those before: none of them may have left memory for the sake of the last.
            open.prefault_ranks(MAIN, ranks.start..to)?;
            let mut stopped = false;
            walk(open, from..to, &range, &mut |at, bytes| {
                let flow = visit(at, bytes);
                stopped = flow.is_break();
                flow
            })?;
            if stopped {
                break;
            }
            from = to;
            window *= GROWTH;
        }
        Ok(())
    }

    /// Calls `visit` with all bytes of a range within the string, in pieces, zeroes included. All pages are there
    /// before the first call.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn each_piece(&self, range: Range<u64>, mut visit: impl FnMut(&[u8])) -> Result<(), Fault> {
        let mut done = range.start;
        self.pieces(range.clone(), |at, bytes| {
            zeroes(done..at, &mut visit);
            visit(bytes);
            done = at + bytes.len() as u64;
            ControlFlow::Continue(())
        })?;
        zeroes(done..range.end, &mut visit);
        Ok(())
    }

    /// Makes sure that reading any of it does not fault.
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn prefault_all(&self) -> Result<(), Fault> {
        match &self.form {
            Form::Plain(_) => Ok(()),
            Form::Large(open) => open.prefault_all(),
        }
    }

    /// Makes sure that reading these ranges does not fault, nor writing to them ([`Tx::write_text`]).
    ///
    /// # Errors
    /// [`Fault`] if pages have to be read.
    pub fn prefault(&self, ranges: impl IntoIterator<Item = Range<u64>>) -> Result<(), Fault> {
        let Form::Large(open) = &self.form else {
            return Ok(());
        };
        prefault(open, ranges)
    }
}

fn prefault(
    open: &Collection<'_, '_>,
    ranges: impl IntoIterator<Item = Range<u64>>,
) -> Result<(), Fault> {
    let numbers = ranges.into_iter().flat_map(|range| chunks_of(&range));
    let keys: Vec<[u8; 4]> = numbers.map(chunk_key).collect();
    open.prefault(MAIN, keys.iter().map(|key| &key[..]))
}

/// The ranks of the chunks that hold bytes of a range.
fn ranks_of(open: &Collection<'_, '_>, range: &Range<u64>) -> Result<Range<u64>, Fault> {
    let end = range.end.min(length(open.extra()));
    if range.start >= end {
        return Ok(0..0);
    }
    let chunks = chunks_of(&(range.start..end));
    let from = match chunks.start {
        0 => 0,
        first => open.rank(MAIN, &chunk_key(first))?.0,
    };
    let to = if end == length(open.extra()) {
        open.len(MAIN)
    } else {
        open.rank(MAIN, &chunk_key(chunks.end))?.0
    };
    Ok(from..to)
}

fn walk(
    open: &Collection<'_, '_>,
    ranks: Range<u64>,
    range: &Range<u64>,
    visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
) -> Result<(), Fault> {
    open.each(MAIN, ranks, false, |key, value| match piece(key, &value) {
        Some(piece) => clipped(piece, range, visit),
        None => ControlFlow::Continue(()),
    })
}

fn zeroes(range: Range<u64>, visit: &mut dyn FnMut(&[u8])) {
    const ZEROES: [u8; 4096] = [0; 4096];
    let mut left = range.end.saturating_sub(range.start);
    while left > 0 {
        let part = left.min(ZEROES.len() as u64);
        visit(&ZEROES[..part as usize]);
        left -= part;
    }
}

impl<'s> Tx<'s> {
    /// The string at a key, to be read; counts the access.
    ///
    /// # Errors
    /// [`OpenError::WrongKind`] if the key holds something else; [`OpenError::Fault`] if it has to be loaded.
    #[inline]
    pub fn text<'t>(&'t mut self, key: &Key<'t>) -> Result<Option<Text<'t, 's>>, OpenError> {
        self.open_text(key, true)
    }

    /// As [`Tx::text`], without counting the access.
    ///
    /// # Errors
    /// As [`Tx::text`].
    #[inline]
    pub fn peek_text<'t>(&'t mut self, key: &Key<'t>) -> Result<Option<Text<'t, 's>>, OpenError> {
        self.open_text(key, false)
    }

    #[inline]
    fn open_text<'t>(
        &'t mut self,
        key: &Key<'t>,
        touch: bool,
    ) -> Result<Option<Text<'t, 's>>, OpenError> {
        let Some(value) = self.read_hot(key, touch) else {
            return self.find_text(key, touch);
        };
        match value.kind {
            Kind::String | Kind::RawString => Ok(Some(plain(value))),
            Kind::LargeString => {
                self.hits -= 1;
                self.large_text(key, false).map(Some)
            }
            _ => Err(OpenError::WrongKind),
        }
    }

    /// The string at a key that [`Tx::read_hot`] does not find.
    fn find_text<'t>(
        &'t mut self,
        key: &Key<'t>,
        touch: bool,
    ) -> Result<Option<Text<'t, 's>>, OpenError> {
        let kind = match self.find(key)? {
            Found::Absent => {
                self.misses += 1;
                return Ok(None);
            }
            Found::Hot(place) => {
                let space = self.space(key).expect("the key was found here");
                space.table.entry(place).kind()
            }
            Found::Cold(loaded) => Kind::from_code(loaded.record.header().kind),
        };
        match kind {
            Some(Kind::String | Kind::RawString) => Ok(self.read_found(key, touch)?.map(plain)),
            Some(Kind::LargeString) => self.large_text(key, touch).map(Some),
            _ => {
                self.hits += 1;
                Err(OpenError::WrongKind)
            }
        }
    }

    fn large_text<'t>(&'t mut self, key: &Key<'t>, touch: bool) -> Result<Text<'t, 's>, OpenError> {
        let open = self.open(key, Kind::LargeString, touch)?;
        Ok(Text {
            kind: Kind::LargeString,
            expiry: open.expiry(),
            form: Form::Large(Box::new(open)),
        })
    }
}

fn plain<'t, 's>(value: Value<'t>) -> Text<'t, 's> {
    Text {
        form: Form::Plain(value.bytes),
        kind: value.kind,
        expiry: value.expiry,
    }
}

impl Snapshot {
    /// The length of a large string.
    #[must_use]
    pub fn text_len(&self) -> u64 {
        length(self.extra())
    }

    /// Calls `visit` with places and bytes of what there is of a large string, in order: between them are zeroes.
    pub fn text_pieces(&self, mut visit: impl FnMut(u64, &[u8])) {
        self.each(MAIN, |key, value| {
            if let Some((at, bytes)) = piece(key, &value) {
                visit(at, bytes);
            }
        });
    }
}
